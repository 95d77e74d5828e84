"""From the rays behind a person to the picture a hospital stores.

In:    a shadow, an acquisition, a random generator.
Out:   (SIZE, SIZE) uint8, bone bright.
Never: anatomy, labels.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from cxrlab.phantom.brush import SIZE, blur, grain, logistic
from cxrlab.phantom.physics import Shadow

_TONES = (-0.6, 1.5)  # what the curve can tell apart; 0 and 1 are the window's ends
_STEPS = 2048


@dataclass(frozen=True)
class Acquisition:
    """How a hospital takes and processes its pictures."""

    photons: float = 50000.0  # quanta a pixel before the body; fewer = noisier
    scatter: float = 0.18  # scattered share, as a fraction of the local mean primary
    blur_px: float = 0.40  # focal spot and detector, standard deviation in pixels of the canvas
    window: tuple[float, float] = (0.02, 0.975)  # percentiles of the body mapped to dark and light
    gamma: float = 1.0  # > 1 darkens the lungs
    slope: float = 3.4  # steepness of the S-shaped film curve; 0 is linear
    sharpen: float = 0.35  # unsharp masking
    equalise: float = 0.0  # clip limit of local histogram equalisation; 0 is none
    levels: tuple[float, float] = (4, 246)  # darkest and lightest grey stored
    jitter: float = 0.08  # spread of the window from picture to picture
    collimated: float = 0.2  # share of pictures with visible collimator edges
    collimator: tuple[float, float] = (0.01, 0.05)  # how far they come in
    marker: str = "L"  # "L", "R" or "" (none)
    font: int = cv2.FONT_HERSHEY_SIMPLEX
    marker_px: float = 11.0  # height of the marker's letters
    portable: str = "PORTABLE"  # text on bedside pictures; "" for none
    bars: float = 0.0  # share of pictures padded with black bars at the sides


def expose(shadow: Shadow, how: Acquisition, ap: bool, rng: np.random.Generator) -> np.ndarray:
    """Return the stored picture of `shadow`."""
    n = rng.standard_normal(4)
    rays = np.exp(-shadow.depth)
    # Only what a ray met can scatter it; beside the person there is nothing.
    rays = rays + np.float32(how.scatter * (1.35 if ap else 1.0)) * blur(
        rays * np.minimum(shadow.depth, 1) * shadow.body, 14.0
    )
    dose = how.photons * float(np.exp(0.25 * n[0])) * (0.6 if ap else 1.0)
    rays += np.sqrt(rays * np.float32(1 / dose)) * grain(rng)
    light = -np.log(np.maximum(rays, 1e-4))
    light = blur(light, how.blur_px * (1.3 if ap else 1.0))
    if how.sharpen:
        light += np.float32(how.sharpen) * (light - blur(light, 9.0))
    dark, bright = _window(light, shadow.body, how)
    span = bright - dark
    dark += how.jitter * span * n[1]
    bright += how.jitter * span * n[2]
    tone = (light - np.float32(dark)) * np.float32(1 / (bright - dark))
    grey = _curve(tone, how, float(np.exp(0.5 * how.jitter * n[3])))
    if how.equalise:
        grey = cv2.createCLAHE(how.equalise, (6, 6)).apply(grey)
    return _finish(grey, how, ap, rng)


def _window(light: np.ndarray, body: np.ndarray, how: Acquisition) -> tuple[float, float]:
    """Return the optical depths shown dark and light: percentiles of the middle of the body."""
    inner = (slice(SIZE // 8, -SIZE // 8, 4), slice(SIZE // 8, -SIZE // 8, 4))
    values = np.sort(light[inner][body[inner] > 0.9])
    at = [int(q * (len(values) - 1)) for q in how.window]
    return float(values[at[0]]), float(values[at[1]])


def _curve(tone: np.ndarray, how: Acquisition, gamma: float) -> np.ndarray:
    """Return grey levels by an S-shaped curve over a power curve, as films and their imitators have."""
    steps = np.linspace(0, 1, _STEPS)
    low, high = _TONES
    curve = low + (high - low) * steps
    if how.slope:
        s = how.slope
        foot, head = logistic(s * (low - 0.5)), logistic(s * (high - 0.5))
        curve = (logistic(s * (curve - 0.5)) - foot) / (head - foot)
    dark, bright = how.levels
    greys = (dark + (bright - dark) * np.clip(curve, 0, 1) ** (how.gamma * gamma)).astype(np.uint8)
    at = np.clip((tone - np.float32(low)) * np.float32((_STEPS - 1) / (high - low)), 0, _STEPS - 1)
    return greys[at.astype(np.uint16)]


def _finish(grey: np.ndarray, how: Acquisition, ap: bool, rng: np.random.Generator) -> np.ndarray:
    u = rng.random(12)
    if u[0] < how.collimated:
        lo, hi = how.collimator
        left, top, right, low = ((lo + (hi - lo) * u[1:5]) * SIZE * (u[5:9] < 0.75)).astype(int)
        field = np.zeros_like(grey)
        field[top : SIZE - low, left : SIZE - right] = grey[top : SIZE - low, left : SIZE - right]
        grey = field
    if how.marker:
        _write(grey, how, how.marker, u[9], u[10])
    if ap and how.portable:
        at = (int(SIZE * (0.60 + 0.1 * u[9])), int(SIZE * (0.05 + 0.04 * u[11])))
        cv2.putText(grey, how.portable, at, cv2.FONT_HERSHEY_SIMPLEX, 0.27, 235, 1, cv2.LINE_AA)
    if u[11] < how.bars:
        wide = int(SIZE * (0.02 + 0.05 * u[10]))
        grey[:, :wide] = grey[:, SIZE - wide :] = 0
    return grey


def _write(grey: np.ndarray, how: Acquisition, text: str, u: float, v: float) -> None:
    x = 0.86 + 0.07 * u if text == "L" else 0.04 + 0.06 * u
    at = (int(SIZE * x), int(SIZE * (0.07 + 0.16 * v)))
    cv2.putText(grey, text, at, how.font, how.marker_px / 22, 242, 1, cv2.LINE_AA)
