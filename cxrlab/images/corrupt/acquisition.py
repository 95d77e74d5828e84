"""What another machine or another technique does to a radiograph, worked out on the rays and not on the greys.

In:    grey (H, H) float32 in 0..1, a strength, random numbers.
Out:   the kinds exposure, noise, scatter, focal-spot and grid.
Never: severities; doses.
"""

import cv2
import numpy as np

from cxrlab.images.corrupt.base import NEPERS, Painted, blur, kind, places, seen, to_grey, to_rays

FAMILY = "acquisition"
CELLS = 256  # cells a side that count photons each; a detector's own blur joins finer pixels
SCATTER = 0.11  # standard deviation of scattered light, fraction of the side: 4 cm on a 35 cm detector
LINES = (38.0, 31.0)  # an anti-scatter grid's lamellae after resizing, waves a side


@kind("exposure", FAMILY, "over-exposed: darker, the lungs burnt out", "exposure's factor, in doublings", 5.0)
def exposure(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Multiply the rays by 2^strength and print them as before; what is blacker than black is gone.

    Under-exposure is not here: a digital system mends its grey, and its mark is `noise`.
    """
    doublings = strength * rng.uniform(0.75, 1.25)
    return Painted(np.maximum(grey - np.float32(doublings * np.log(2) / NEPERS), 0))


@kind("noise", FAMILY, "too few photons: grain", "relative noise of 1/224 of the side at middle grey", 1.0)
def noise(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Count photons by Poisson's law, most behind the lungs and fewest behind the spine, with a little read-out noise.

    A picture of finer pixels has fewer photons in each: their number over the whole picture is what strength fixes.
    """
    px = len(grey)
    cells = min(px, CELLS)
    coarse = cv2.resize(grey, (cells, cells), interpolation=cv2.INTER_AREA) if cells < px else grey
    photons = (224 / cells / strength) ** 2  # in a cell at middle grey
    expected = photons * cv2.exp((coarse - np.float32(0.5)) * np.float32(-NEPERS))
    counted = rng.poisson(expected).astype(np.float32)
    counted += np.float32(0.05 * np.sqrt(photons)) * rng.standard_normal(expected.shape, np.float32)
    error = cv2.log(np.maximum(counted, 0.3) / expected) * np.float32(-1 / NEPERS)
    return Painted(
        grey + (error if cells == px else cv2.resize(error, (px, px), interpolation=cv2.INTER_CUBIC))
    )


@kind("scatter", FAMILY, "scattered rays: a veil that takes contrast", "scattered rays a primary one", 60.0)
def scatter(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Add the rays of the neighbourhood, widely blurred; an automatic exposure keeps their mean."""
    rays = to_rays(grey)
    share = np.float32(strength * rng.uniform(0.8, 1.2))
    return Painted(to_grey(np.maximum((rays + share * blur(rays, SCATTER)) / (1 + share), 1e-4)))


@kind(
    "focal-spot",
    FAMILY,
    "a wide focal spot: blurred edges",
    "the spot's wider side, fraction of the side",
    0.06,
)
def focal_spot(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Blur the rays, along the tube's axis more than across it."""
    across = strength * rng.uniform(0.85, 1.15)
    return Painted(to_grey(np.maximum(blur(to_rays(grey), 0.6 * across, across), 1e-4)))


@kind(
    "grid",
    FAMILY,
    "the lines of an anti-scatter grid, and its cut-off",
    "share of the rays in the lines",
    0.9,
)
def grid(grey: np.ndarray, strength: float, rng: np.random.Generator) -> Painted:
    """Take rays along thin lines, a little aslant, beating where they meet the pixels, and more to one side.

    Rays fail to pass an off-centre grid on one side: cut-off.
    """
    px = len(grey)
    x, y = places(px)
    u = rng.random(4)
    along = x + np.float32(0.05 * (u[0] - 0.5)) * y
    lines = sum(
        np.float32(share * seen(many, px))
        * np.cos(np.float32(2 * np.pi) * (np.float32(many) * along + np.float32(phase)))
        for many, share, phase in zip(LINES, (0.65, 0.35), u[1:3], strict=True)
    )
    side = (x if u[3] < 0.5 else 1 - x) * np.float32(0.3)
    passed = 1 - np.float32(strength) * (np.float32(0.35) * (1 + lines) + side)
    return Painted(grey - cv2.log(passed) * np.float32(1 / NEPERS) - np.float32(0.35 * strength / NEPERS))
