"""Curves and soft shapes on a square canvas.

In:    points in canvas pixels, random generators.
Out:   float32 layers of (SIZE, SIZE).
Never: anatomy, findings, radiation.
"""

from functools import lru_cache

import cv2
import numpy as np

SIZE = 224  # canvas side, pixels; what most backbones take. Every phantom is drawn here and then resized.
_SHIFT = 4  # cv2 draws at 1/16 pixel

_y, _x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
GRID_X, GRID_Y = _x, _y  # (SIZE, SIZE) float32, pixels

_BASIS = (
    np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], np.float32) / 2
)  # Catmull-Rom


def _weights(per: int) -> np.ndarray:
    t = np.arange(per, dtype=np.float32) / per
    return np.stack([np.ones_like(t), t, t**2, t**3], axis=1) @ _BASIS  # (per, 4)


_WEIGHTS = {per: _weights(per) for per in (4, 6, 8, 12)}


def spline(points: np.ndarray, per: int = 8, *, closed: bool = True) -> np.ndarray:
    """Return smooth curves through `points`, (..., n, 2) → (..., n * per, 2).

    Open curves keep their two ends and have (n - 1) * per + 1 points.
    """
    points = np.asarray(points, np.float32)
    if closed:
        padded = np.concatenate([points[..., -1:, :], points, points[..., :2, :]], axis=-2)
    else:
        before = 2 * points[..., :1, :] - points[..., 1:2, :]
        after = 2 * points[..., -1:, :] - points[..., -2:-1, :]
        padded = np.concatenate([before, points, after], axis=-2)
    m = padded.shape[-2] - 3
    neighbours = np.stack([padded[..., k : k + m, :] for k in range(4)], axis=-2)  # (..., m, 4, 2)
    curve = (_WEIGHTS[per] @ neighbours).reshape(*points.shape[:-2], m * per, 2)
    return curve if closed else np.concatenate([curve, points[..., -1:, :]], axis=-2)


def ribbon(line: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Return closed outlines of bands along `line`, (m, n, 2), with half widths (m, n): (m, 2n, 2)."""
    along = np.empty_like(line)
    along[:, 1:-1] = line[:, 2:] - line[:, :-2]
    along[:, 0], along[:, -1] = line[:, 1] - line[:, 0], line[:, -1] - line[:, -2]
    per = wide / (np.hypot(along[..., 0], along[..., 1]) + 1e-6)
    across = along[..., ::-1] * (per[..., None] * [-1, 1])
    return np.concatenate([line + across, (line - across)[:, ::-1]], axis=1)


@lru_cache
def disc(n: int) -> np.ndarray:
    """Return `n` points on the unit circle, (n, 2), not to be written to."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points.flags.writeable = False
    return points


def canvas() -> np.ndarray:
    """Return an empty (SIZE, SIZE) uint8 layer."""
    return np.zeros((SIZE, SIZE), np.uint8)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.rint(points * np.float32(1 << _SHIFT)).astype(np.int32)


def fill(outlines: np.ndarray, *, level: int = 255, into: np.ndarray | None = None) -> np.ndarray:
    """Return a uint8 layer with closed outlines, (n, 2) or (m, n, 2) pixels, filled; edges antialiased."""
    layer = canvas() if into is None else into
    fixed = _fixed(outlines)
    # One call each: cv2 would leave the overlap of two outlines of one call empty.
    for outline in fixed if fixed.ndim == 3 else fixed[None]:
        cv2.fillPoly(layer, [outline], level, cv2.LINE_AA, _SHIFT)
    return layer


def stroke(layer: np.ndarray, lines: np.ndarray, thickness: int, level: int) -> np.ndarray:
    """Draw open lines, (n, 2) or (m, n, 2) pixels, into a uint8 layer and return it."""
    fixed = _fixed(lines)
    cv2.polylines(
        layer, list(fixed if fixed.ndim == 3 else fixed[None]), False, level, thickness, cv2.LINE_AA, _SHIFT
    )
    return layer


def unit(layer: np.ndarray) -> np.ndarray:
    """Return a uint8 layer as float32 in [0, 1]."""
    return layer * np.float32(1 / 255)


def blur(layer: np.ndarray, sigma: float) -> np.ndarray:
    """Return `layer` blurred by a Gaussian of `sigma` pixels; wide ones are done on a smaller copy."""
    if sigma < 3.5:
        return cv2.GaussianBlur(layer, (0, 0), sigma)
    shrink = 2 if sigma < 7 else 4
    h, w = layer.shape
    small = cv2.resize(layer, (w // shrink, h // shrink), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def bulge(mask: np.ndarray, radius: float, shrink: int = 1) -> np.ndarray:
    """Return the thickness of a slab whose rim is rounded with `radius` pixels, 0 outside, 1 well inside.

    Args:
        mask: (SIZE, SIZE) uint8 silhouette.
        radius: pixels from the edge to full thickness.
        shrink: work on a copy this many times smaller (for wide, smooth shapes).
    """
    if shrink > 1:
        mask = cv2.resize(mask, (SIZE // shrink, SIZE // shrink), interpolation=cv2.INTER_AREA)
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    gap = 1 - np.minimum(inside * np.float32(shrink / radius), 1)
    thick = 1 - gap * gap  # a parabola: a circle's steep foot would show the pixels' stairs
    if shrink > 1:
        thick = cv2.resize(thick, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    return thick


def swell(mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return the thickness of a soft body: 0 at the edge of the uint8 silhouette `mask`, 1 some 2 `sigma` inside.

    Smoother than `bulge` along slanting edges, but thin parts vanish.
    """
    return np.maximum(blur(mask.astype(np.float32), sigma) * np.float32(2 / 255) - 1, 0)


def field(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Return smooth noise of about unit variance with `cells` grains a side, (SIZE, SIZE) float32."""
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def grain(rng: np.random.Generator) -> np.ndarray:
    """Return white noise of unit variance, nearly Gaussian, (SIZE, SIZE) float32."""
    # Four uniform bytes add up to a bell; drawing real normal numbers would take eight times as long.
    dice = np.frombuffer(rng.bytes(4 * SIZE * SIZE), np.uint8).reshape(4, SIZE, SIZE)
    total = dice[0].astype(np.uint16)
    for more in dice[1:]:
        total += more
    return (total - np.float32(510)) * np.float32(1 / np.sqrt(4 * (256**2 - 1) / 12))


def logistic(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
