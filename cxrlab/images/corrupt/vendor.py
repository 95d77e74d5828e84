"""What another vendor's processing does to the greys of a radiograph: the same curve for all its pictures.

In:    grey (H, H) float32 in 0..1, a strength, random numbers.
Out:   the kinds gamma, curve, unsharp, window and quantisation.
Never: severities; doses.

Nothing here is left to chance but a little spread: a vendor's settings do not change from picture to picture.
"""

import cv2
import numpy as np

from cxrlab.images.corrupt.base import Painted, blur, kind

FAMILY = "vendor"
FINE, WIDE = 0.012, 0.045  # radii of the two masks, fractions of the side: edges, and lung against heart


@kind("gamma", FAMILY, "greys lifted by a power curve", "halvings of the exponent", 4.0)
def gamma(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Return grey^(2^-strength): lungs lighten, the mediastinum flattens."""
    return Painted(cv2.pow(grey, float(2 ** (-strength * rng.uniform(0.9, 1.1)))))


@kind("curve", FAMILY, "a steep S-shaped tone curve (LUT)", "steepness of the logistic curve", 60.0)
def curve(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Map greys by a logistic curve about the middle, scaled to keep black and white."""
    middle = 0.5 + 0.06 * (rng.random() - 0.5)
    low, high = np.tanh(strength / 2 * (0 - middle) / 2), np.tanh(strength / 2 * (1 - middle) / 2)
    table = np.tanh(strength / 2 * (np.linspace(0, 1, 1024) - middle) / 2)
    table = ((table - low) / (high - low)).astype(np.float32)
    return Painted(table[np.rint(grey * 1023).astype(np.int16)])


@kind("unsharp", FAMILY, "edges and local contrast lifted", "weight of the mask", 30.0)
def unsharp(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Add the difference from two blurred copies, as multi-frequency processing does."""
    weight = np.float32(strength * rng.uniform(0.9, 1.1))
    masks = grey - np.float32(0.5) * (blur(grey, FINE) + blur(grey, WIDE))
    return Painted(grey + weight * masks)


@kind(
    "window",
    FAMILY,
    "a narrow window: the ends cut off",
    "share of the greys outside, about the picture's median",
    0.98,
)
def window(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Show only greys near the median of what is not black; the rest becomes black or white."""
    share = np.float32(strength)
    inside = grey[grey > np.float32(0.04)]
    middle = np.float32(np.median(inside) if len(inside) else 0.5) + np.float32(0.06 * (rng.random() - 0.5))
    return Painted((grey - share * middle) / (1 - share))


@kind("quantisation", FAMILY, "few grey levels", "step between greys, of 255", 128.0)
def quantisation(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Round greys to steps; a step of 1 is what 8 bits have."""
    step = np.float32(max(strength, 1.0) / 255)
    return Painted(np.rint(grey / step) * step)
