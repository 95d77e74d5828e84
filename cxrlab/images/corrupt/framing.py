"""What lies around the chest and how it lies in the frame: shutters, letters, bars, turns, and how fine the pixels are.

In:    grey (H, H) float32 in 0..1, a strength, random numbers.
Out:   the kinds collimation, rotation, markers, letterbox and resolution.
Never: severities; doses.
"""

import cv2
import numpy as np

from cxrlab.images.corrupt.base import DISPLACEMENT, Painted, kind, moved, places

FAMILY = "framing"
CANVAS = 768  # pixels on which letters are drawn, then resized: the same letters at every size
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)
WORDS = ("AP PORTABLE", "PA ERECT", "SUPINE", "AP SITTING", "PA 180 CM")
SHUT = 0.025  # grey under a shutter: a little scatter gets there


@kind(
    "collimation", FAMILY, "dark shutters at the edges", "mean depth of a shutter, fraction of the side", 0.35
)
def collimation(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Cover the four edges to different depths, a little aslant, with a soft rim."""
    x, y = places(len(grey))
    depth = strength * (0.4 + 1.2 * rng.random(4))
    a = rng.uniform(-0.035, 0.035)
    c, s = np.float32(np.cos(a)), np.float32(np.sin(a))
    dx, dy = x - np.float32(0.5), y - np.float32(0.5)
    u, v = c * dx + s * dy, c * dy - s * dx
    # A turned frame would cut corners off even where the shutters are open; they open by what the turn takes.
    half = 0.5 + 0.5 * abs(np.sin(a)) * np.exp(-strength / 0.02)
    left, right, top, low = (np.float32(half - d) for d in depth)
    inside = np.minimum(np.minimum(u + left, right - u), np.minimum(v + top, low - v))
    lit = np.clip(inside * np.float32(1 / 0.006) + np.float32(0.5), 0, 1)
    return Painted(np.where(lit < 1, np.minimum(grey, SHUT + (grey - SHUT) * lit), grey))


@kind("rotation", FAMILY, "the patient lies aslant", "angle, radians", 0.8, DISPLACEMENT)
def rotation(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Turn the picture about its middle, to either side."""
    a = strength * rng.uniform(0.7, 1.3) * (1 if rng.random() < 0.5 else -1)
    c, s = np.cos(a), np.sin(a)
    warp = np.array([[c, -s, 0.5 - 0.5 * c + 0.5 * s], [s, c, 0.5 - 0.5 * s - 0.5 * c], [0, 0, 1]])
    return Painted(moved(grey, warp), warp)


@kind(
    "markers",
    FAMILY,
    "bright letters, plates and text",
    "height of the side marker, fraction of the side",
    0.4,
)
def markers(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Lay a side marker, a name plate and a line of text over the edges; the middle of the chest stays free."""
    u = rng.random(11)
    ink = np.zeros((CANVAS, CANVAS), np.uint8)
    high = strength * (0.8 + 0.4 * u[10]) * CANVAS
    font, right = FONTS[int(u[0] * len(FONTS))], u[1] < 0.5  # the letter and the side it stands on agree
    _letters(ink, "R" if right else "L", font, high, (0.10 if right else 0.90, 0.08 + 0.16 * u[2]))
    plate = np.array([2.4 * high * (0.8 + 0.4 * u[3]), 0.9 * high])
    low_left = np.array([(0.03 + 0.05 * u[4]) * CANVAS, (0.97 - 0.04 * u[5]) * CANVAS])
    if not right:
        low_left[0] = CANVAS - low_left[0] - plate[0]
    cv2.rectangle(
        ink,
        _whole(low_left[0], low_left[1] - plate[1]),
        _whole(low_left[0] + plate[0], low_left[1]),
        255,
        -1,
        cv2.LINE_AA,
    )
    text = WORDS[int(u[6] * len(WORDS))]
    _letters(ink, text, cv2.FONT_HERSHEY_SIMPLEX, 0.35 * high, (0.5 + 0.3 * (u[7] - 0.5), 0.03 + 0.02 * u[8]))
    alpha = cv2.resize(
        ink, grey.shape[::-1], interpolation=cv2.INTER_AREA if len(grey) < CANVAS else cv2.INTER_LINEAR
    )
    alpha = alpha.astype(np.float32) * np.float32(1 / 255)
    return Painted(grey + alpha * (np.float32(0.93 + 0.06 * u[9]) - grey))


def _whole(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)


def _letters(ink: np.ndarray, text: str, font: int, high: float, at: tuple[float, float]) -> None:
    """Write `text`, `high` pixels tall, with its middle at `at`, moved into the frame."""
    thick = max(1, round(high / 7))
    scale = high / cv2.getTextSize("H", font, 1.0, 1)[0][1]
    (wide, tall), _ = cv2.getTextSize(text, font, scale, thick)
    x = min(max(at[0] * CANVAS - wide / 2, 0.02 * CANVAS), 0.98 * CANVAS - wide)
    y = max(at[1] * CANVAS + tall / 2, tall + 0.02 * CANVAS)
    cv2.putText(ink, text, _whole(x, y), font, scale, 255, thick, cv2.LINE_AA)


@kind(
    "letterbox",
    FAMILY,
    "padded to a square with black bars",
    "share of the side that the bars take",
    0.8,
    DISPLACEMENT,
)
def letterbox(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Squeeze the picture between two bars; upright pictures, three in four, get them at the sides."""
    kept = 1 - min(strength * rng.uniform(0.8, 1.2), 0.9)
    wide, tall = (kept, 1.0) if rng.random() < 0.75 else (1.0, kept)
    warp = np.array([[wide, 0, 0.5 - 0.5 * wide], [0, tall, 0.5 - 0.5 * tall], [0, 0, 1]])
    return Painted(moved(grey, warp), warp)


@kind("resolution", FAMILY, "coarse pixels, resized up again", "side of a pixel, fraction of the side", 0.12)
def resolution(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Shrink to pixels of `strength` of the side, and enlarge again.

    Where the picture's own pixels are about as coarse, its detail is first spread on finer ones: what those lose is taken
    from the picture. Resizing between two grids of almost the same size would lose by chance where they meet.
    """
    px, few = len(grey), round(1 / (strength * rng.uniform(0.9, 1.1)))
    if few >= 2 * px:
        return Painted(grey)
    fine = few * max(2, -(-2 * px // few))
    spread = cv2.resize(grey, (fine, fine), interpolation=cv2.INTER_LINEAR)
    small = cv2.resize(spread, (few, few), interpolation=cv2.INTER_AREA)
    lost = spread - cv2.resize(small, (fine, fine), interpolation=cv2.INTER_LINEAR)
    return Painted(grey - cv2.resize(lost, (px, px), interpolation=cv2.INTER_AREA))
