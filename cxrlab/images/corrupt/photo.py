"""What a photograph of a screen or a film does to a radiograph, as in CheXphoto.

In:    grey (H, H) float32 in 0..1, a strength, random numbers.
Out:   the kinds tilt, moire, glare, defocus, motion, vignette and screen.
Never: severities; doses.

Source: Phillips et al. 2020, CheXphoto, arXiv:2007.06199 (which effects there are; the formulas are ours).
"""

import cv2
import numpy as np

from cxrlab.images.corrupt.base import DISPLACEMENT, Painted, kind, moved, places, seen

FAMILY = "photo"
CAMERA = 1.6  # sides between a hand-held camera and the screen
FRINGES = (7.0, 15.0)  # moire fringes across the picture
SUBPIXELS = 61.0  # what is left of a screen's rows after the camera's own grid, waves a side
HIDDEN = np.float32(0.85)  # most that a reflection takes of the picture's own light
LEAK = 0.06  # light that a screen gives off where it is black


@kind(
    "tilt",
    FAMILY,
    "a photograph taken at an angle: perspective",
    "angle of the screen, radians",
    1.0,
    DISPLACEMENT,
)
def tilt(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Turn the picture's plane about an axis in that plane and look at it from CAMERA sides away, all of it in sight."""
    about, much = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.2)
    a, b = strength * much * np.cos(about), strength * much * np.sin(about)
    turn_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn = turn_x @ turn_y
    # A point (u, v, 0) of the plane lands at (X, Y) / (1 + Z / CAMERA).
    sight = np.vstack([turn[0], turn[1], turn[2] / CAMERA])[:, :2]
    centred = np.column_stack([sight, [0, 0, 1]])
    corners = centred @ np.array([[-0.5, 0.5, -0.5, 0.5], [-0.5, -0.5, 0.5, 0.5], [1, 1, 1, 1]])
    ends = corners[:2] / corners[2]
    low, high = ends.min(axis=1), ends.max(axis=1)
    scale = 1 / (high - low).max()
    middle = (low + high) / 2
    fit = np.array([[scale, 0, 0.5 - scale * middle[0]], [0, scale, 0.5 - scale * middle[1]], [0, 0, 1]])
    warp = fit @ centred @ np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return Painted(moved(grey, warp), warp)


@kind(
    "moire",
    FAMILY,
    "fringes where a screen's grid meets a camera's",
    "share of the light in the fringes",
    2.0,
)
def moire(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Multiply light by the difference of two gratings, the camera's bent by its lens.

    The product of two gratings is a wave of their sum, too fine to see, and one of their difference: the fringes.
    """
    x, y = places(len(grey))
    angle, u = rng.uniform(0, np.pi), rng.random(7)
    turned = angle + 0.5 + 0.6 * u[0]
    dx, dy = x - np.float32(0.3 + 0.4 * u[1]), y - np.float32(0.3 + 0.4 * u[2])
    lens = 1 + np.float32(1.2 + 1.8 * u[3]) * (dx * dx + dy * dy)
    rows = FRINGES[0] + (FRINGES[1] - FRINGES[0]) * u[4]
    waves = []
    for many, way, phase in ((rows, angle, u[5]), (rows * 0.35, turned, u[6])):
        along = dx * np.float32(np.cos(way)) + dy * np.float32(np.sin(way))
        waves.append(np.cos(np.float32(2 * np.pi) * (np.float32(many) * along * lens + np.float32(phase))))
    # The second, slower wave swells the first: the fringes come and go over the picture.
    fringes = waves[0] * (np.float32(0.62) + np.float32(0.38) * waves[1])
    return Painted((grey + np.float32(LEAK)) * (1 + np.float32(strength) * fringes) - np.float32(LEAK))


@kind(
    "glare",
    FAMILY,
    "light reflected by the screen or film",
    "brightness of the reflection, in its own e-folds",
    8.0,
)
def glare(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Add a wide, matte reflection and a smaller, glossier one by screen blending: light adds, and never beyond white."""
    x, y = places(len(grey))
    u = rng.random(12)
    light = np.zeros_like(grey)
    for k, (size, sharp, share) in enumerate(((0.34, 1.0, 0.55), (0.15, 1.4, 0.65))):
        cx, cy, turn, long, squeeze, _ = u[6 * k : 6 * k + 6]
        if k:  # a lamp's own image lies inside its haze
            cx, cy = u[0] + 0.25 * (cx - 0.5), u[1] + 0.25 * (cy - 0.5)
        dx, dy = x - np.float32(0.15 + 0.7 * cx), y - np.float32(0.15 + 0.7 * cy)
        c, s = np.float32(np.cos(np.pi * turn)), np.float32(np.sin(np.pi * turn))
        a = size * (0.8 + 0.6 * long)
        b = a * (0.45 + 0.45 * squeeze)
        far = ((c * dx + s * dy) / np.float32(a)) ** 2 + ((c * dy - s * dx) / np.float32(b)) ** 2
        profile = cv2.exp(-cv2.pow(far, sharp))
        light = 1 - (1 - light) * (1 - np.float32(share) * profile)
    # Even the brightest reflection lets some of the picture through, and some of the room's light lies everywhere.
    through = HIDDEN * cv2.exp(np.float32(-strength) * (light + np.float32(0.015))) + (1 - HIDDEN)
    return Painted(1 - (1 - grey) * through)


@kind("defocus", FAMILY, "a camera out of focus", "radius of the blur's disc, fraction of the side", 0.08)
def defocus(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Convolve with a disc: what a lens makes of a point out of focus."""
    radius = strength * rng.uniform(0.85, 1.15) * len(grey)
    reach = int(np.ceil(radius + 0.5))
    step = np.arange(-reach, reach + 1, dtype=np.float32)
    disc = np.clip(np.float32(radius + 0.5) - np.hypot(step, step[:, None]), 0, 1)
    return Painted(cv2.filter2D(grey, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT))


@kind("motion", FAMILY, "a camera that moved", "length of the blur's line, fraction of the side", 0.16)
def motion(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Convolve with a straight line at any angle."""
    way, long = rng.uniform(0, np.pi), strength * rng.uniform(0.85, 1.15) * len(grey)
    reach = int(np.ceil(long / 2)) + 1
    along = np.linspace(-long / 2, long / 2, 8 * reach + 1)
    x, y = reach + along * np.cos(way), reach + along * np.sin(way)
    line = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for i in (0, 1):
        for j in (0, 1):  # each point of the line is shared among its four pixels
            share = np.abs(1 - i - (x - left)) * np.abs(1 - j - (y - top))
            np.add.at(line, (top + j, left + i), share.astype(np.float32))
    return Painted(cv2.filter2D(grey, -1, line / line.sum(), borderType=cv2.BORDER_REFLECT))


@kind("vignette", FAMILY, "corners darker than the middle", "tangent of the angle of view, a side away", 6.0)
def vignette(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Multiply light by cos⁴ of the angle at which it enters the lens."""
    x, y = places(len(grey))
    u = rng.random(2)
    dx, dy = x - np.float32(0.4 + 0.2 * u[0]), y - np.float32(0.4 + 0.2 * u[1])
    falls = 1 / (1 + np.float32(strength**2) * (dx * dx + dy * dy))
    return Painted(grey * falls * falls)


@kind(
    "screen",
    FAMILY,
    "a monitor's own response: raised black, other gamma, its rows",
    "how poor the monitor is",
    6.0,
)
def screen(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Raise black, bend the curve as a screen seen from aside does, and print the rows of subpixels."""
    u = rng.random(3)
    black = 1 - np.exp(-0.22 * strength * (0.8 + 0.4 * u[0]))
    gamma = 1 + 0.35 * strength * (0.8 + 0.4 * u[1])
    _, y = places(len(grey))
    rows = np.cos(np.float32(2 * np.pi) * (np.float32(SUBPIXELS) * y + np.float32(u[2])))
    printed = 1 + np.float32(0.06 * (1 - np.exp(-strength)) * seen(SUBPIXELS, len(grey))) * rows
    return Painted((np.float32(black) + np.float32(1 - black) * cv2.pow(grey, gamma)) * printed)
