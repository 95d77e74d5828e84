"""A radiograph, a map and what is true, drawn into one picture.

In:    (H, W) uint8 images, (h, w) float32 maps as they were computed, masks, boxes.
Out:   RGB and RGBA arrays, PNG bytes.
Never: streamlit, torch, files; a map that is not there (an all-zero map draws nothing, and `is_empty` says so).
"""

import cv2
import numpy as np

from cxrlab.errors import BadInput

NEAR_BLACK = (11, 15, 20)  # the panel of every radiograph
TRUTH = (86, 180, 233)  # outline of what is true: blue against the map's red to yellow


def is_empty(heat: np.ndarray) -> bool:
    """True when a map says nothing: all zero, or not a finite number in it.

    >>> is_empty(np.zeros((7, 7)))
    True
    """
    return not bool(np.nanmax(np.where(np.isfinite(heat), heat, 0), initial=0) > 0)


def top_of(heat: np.ndarray) -> float:
    """Return the largest finite value of a map or of a stack of maps; NaN when there is none above zero."""
    return float("nan") if is_empty(heat) else float(np.max(heat[np.isfinite(heat)]))


def window(image: np.ndarray, level: float = 0.5, width: float = 1.0) -> np.ndarray:
    """Spread the grey values level ± width/2 (fractions of full scale) over the whole scale.

    Args:
        image: (H, W) uint8.
        level: middle of the window, 0 to 1.
        width: of the window, above 0; 1 and level 0.5 change nothing.

    Returns:
        (H, W) uint8.

    Raises:
        BadInput: the width is not positive.

    >>> window(np.array([[0, 64, 128, 255]], np.uint8), level=0.25, width=0.5).tolist()
    [[0, 128, 255, 255]]
    """
    if width <= 0:
        raise BadInput(f"a window {width} wide shows nothing; choose a width above 0.")
    low = 255 * (level - width / 2)
    return np.clip(np.rint((image.astype(np.float32) - low) / width), 0, 255).astype(np.uint8)


def enlarge(heat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the map at (H, W), float32, never below zero and never above its own maximum.

    Linear on purpose: a cubic kernel rings, which draws evidence in cells where the network found none.
    """
    clean = np.where(np.isfinite(heat), heat, 0).astype(np.float32)
    return np.clip(cv2.resize(clean, shape[::-1], interpolation=cv2.INTER_LINEAR), 0, None)


def colours(unit: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) uint8 RGB for values in [0, 1]: black, red, yellow; ordered in lightness."""
    grey = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)


def rgba(
    heat: np.ndarray, shape: tuple[int, int], *, top: float | None = None, opacity: float = 0.5
) -> np.ndarray:
    """Turn a map into an overlay whose transparency says how little there is.

    Args:
        heat: (h, w), raw.
        shape: (H, W) of the radiograph.
        top: the value drawn strongest; None: this map's own maximum. With one shared top a weak map stays faint.
        opacity: of the strongest value, 0 to 1.

    Returns:
        (H, W, 4) uint8; alpha is 0 everywhere for an empty map.
    """
    top = top_of(heat) if top is None else top
    unit = np.zeros(shape, np.float32) if not top > 0 else np.clip(enlarge(heat, shape) / top, 0, 1)
    # Linear: with a steeper ramp the low floor of a map veils the whole radiograph.
    alpha = np.rint(255 * opacity * unit).astype(np.uint8)
    return np.dstack([colours(unit), alpha])


def blend(image: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Lay an (H, W, 4) overlay on an (H, W) or (H, W, 3) uint8 image; return (H, W, 3) uint8."""
    base = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    alpha = layer[..., 3:].astype(np.float32) / 255
    return np.rint(base * (1 - alpha) + layer[..., :3] * alpha).astype(np.uint8)


def outline(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int] = TRUTH) -> np.ndarray:
    """Return the (H, W, 3) picture with the edge of an (h, w) bool mask drawn on it."""
    size = picture.shape[1::-1]
    full = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    edges, _ = cv2.findContours(full, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.ascontiguousarray(picture)
    return cv2.drawContours(out, edges, -1, colour, max(1, size[0] // 250))


def box(
    picture: np.ndarray, x: float, y: float, w: float, h: float, colour: tuple[int, int, int] = TRUTH
) -> np.ndarray:
    """Return the (H, W, 3) picture with a rectangle given in fractions of its width and height."""
    height, width = picture.shape[:2]
    corner, far = (round(x * width), round(y * height)), (round((x + w) * width), round((y + h) * height))
    return cv2.rectangle(np.ascontiguousarray(picture), corner, far, colour, max(1, width // 250))


def draw(
    image: np.ndarray,
    heat: np.ndarray | None = None,
    *,
    side: int = 0,
    top: float | None = None,
    opacity: float = 0.5,
    level: float = 0.5,
    width: float = 1.0,
    mask: np.ndarray | None = None,
    boxes: tuple[tuple[float, float, float, float], ...] = (),
) -> np.ndarray:
    """Draw one radiograph with everything that is asked for on it.

    Args:
        image: (H, W) uint8.
        heat: (h, w) raw map, or None.
        side: width of the picture in pixels; 0: the image's own.
        top: see `rgba`.
        opacity: see `rgba`.
        level: see `window`.
        width: see `window`.
        mask: (h, w) bool; its edge is drawn.
        boxes: (x, y, w, h) in fractions of the image.

    Returns:
        (H', W', 3) uint8.
    """
    side = side or image.shape[1]
    shape = (max(1, round(image.shape[0] * side / image.shape[1])), side)
    grows = side > image.shape[1]
    grey = cv2.resize(image, shape[::-1], interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)
    picture = np.repeat(window(grey, level, width)[..., None], 3, axis=2)
    if heat is not None:
        picture = blend(picture, rgba(heat, shape, top=top, opacity=opacity))
    if mask is not None:
        picture = outline(picture, mask)
    for x, y, w, h in boxes:
        picture = box(picture, x, y, w, h)
    return picture


def error(image: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """Return (H, W) float32 in [0, 1]: the absolute difference of two uint8 images of one shape."""
    return np.abs(image.astype(np.float32) - rebuilt.astype(np.float32)) / 255


def triptych(image: np.ndarray, rebuilt: np.ndarray, side: int, top: float) -> np.ndarray:
    """Return an image, its reconstruction and their absolute error side by side.

    Args:
        image: (H, W) uint8.
        rebuilt: as `image`.
        side: width of each, pixels.
        top: the error (0 to 1) that is drawn strongest.

    Returns:
        (H', 3 * side + 8, 3) uint8.
    """
    black = np.zeros_like(image)
    parts = [draw(image, side=side), draw(rebuilt, side=side)]
    parts.append(draw(black, error(image, rebuilt), side=side, top=top, opacity=1))
    gap = np.broadcast_to(np.array(NEAR_BLACK, np.uint8), (len(parts[0]), 4, 3))
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)


def png(picture: np.ndarray) -> bytes:
    """Return a PNG of an (H, W), (H, W, 3) or (H, W, 4) uint8 array."""
    turned = {2: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[
        picture.ndim if picture.ndim == 2 else picture.shape[2]
    ]
    ok, data = cv2.imencode(".png", picture if turned is None else cv2.cvtColor(picture, turned))
    if not ok:
        raise BadInput(f"an array of {picture.shape} {picture.dtype} cannot be a picture; expected uint8.")
    return data.tobytes()


def scale_bar(height: int = 10, width: int = 256) -> bytes:
    """Return a PNG of the colours from nothing (left) to the strongest (right), as `rgba` draws them at opacity 1."""
    ramp = np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, axis=0)
    ground = np.broadcast_to(np.array(NEAR_BLACK, np.uint8), (height, width, 3))
    alpha = np.rint(255 * ramp).astype(np.uint8)
    return png(blend(ground, np.dstack([colours(ramp), alpha])))
