"""Whether two pictures show the same exposure: their pixels, whatever their size, contrast or the edge they lost.

In:    two stored squares and the width and height of their sources.
Out:   how far they agree; 1 and more: copies.
Never: stores, files, torch.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from cxrlab.leaks import hashes

SIDE = 96  # pixels of the comparison
MARGIN = 9  # pixels of SIDE at each edge that may lie elsewhere in the other image
# The other image's sides: a crop that was stretched makes what is left larger, in one direction or both.
FIRST_SIDES, STEPS, SMALLEST, LARGEST = (96, 92, 100), (4, 2, 1), 80, 112
HOPELESS = 0.15  # below the threshold by so much at the first sides, others do not help


@dataclass(frozen=True)
class Regime:
    """How pixels are compared. Fine detail tells radiographs apart best; a copy of 28 pixels has none."""

    softened: (
        float  # standard deviation of the Gaussian that hides how an image was reduced, pixels of its detail
    )
    flattened: float  # of the Gaussian whose result is taken away, pixels at 64 a side
    alike: float  # correlation from which two images are called copies


# Measured on real radiographs: all of 1,163 pneumonias of Guangzhou have a copy in PneumoniaMNIST (28 px); 1,154 of
# them are found, with no pair of unlike label or of its test part. At full size, copies with JPEG 40, 64 px, 3 to 6 %
# cropped, another contrast or gamma correlate above .95 (CLAHE: 95 in 100 do), different images of one patient below
# .79. Phantoms share their bones' drawing: the nearest of a million pairs reach .93 at 96 px and .942 at 64 px.
COARSE = Regime(softened=1.0, flattened=4.0, alike=0.97)
FINE = Regime(softened=0.7, flattened=2.0, alike=0.945)
FINE_FROM = 48  # pixels a side
FLATTEST = 0.1  # grey levels; a picture that is flatter than this shows nothing to compare


def _banded(image: np.ndarray, detail: int, size: tuple[int, int], how: Regime) -> np.ndarray:
    """Return (height, width) float32 of size (width, height): no finer than `detail` pixels, without slow changes."""
    small = cv2.resize(image, (detail, detail), interpolation=cv2.INTER_AREA).astype(np.float32)
    grown = cv2.resize(cv2.GaussianBlur(small, (0, 0), how.softened), size, interpolation=cv2.INTER_CUBIC)
    return grown - cv2.GaussianBlur(grown, (0, 0), how.flattened * SIDE / 64)


def alike(a: np.ndarray, b: np.ndarray, finest: int = SIDE) -> float:
    """Return how far two images' pixels agree, over small shifts and scales, as a share of what makes a copy.

    Args:
        a: (H, W) uint8; its middle is looked for in b.
        b: (H', W') uint8.
        finest: pixels a side that their sources had, where that is less than what is stored.

    Returns:
        The largest correlation of their band-passed pixels divided by the regime's threshold: copies reach 1.
    """
    detail = min(SIDE, finest, *a.shape, *b.shape)
    how = FINE if detail >= FINE_FROM else COARSE
    middle = _banded(a, detail, (SIDE, SIDE), how)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    if middle.std() < FLATTEST:
        return 0.0

    @cache
    def at(size: tuple[int, int]) -> float:
        if not SMALLEST <= min(size) <= max(size) <= LARGEST:
            return -1.0
        return float(cv2.matchTemplate(_banded(b, detail, size, how), middle, cv2.TM_CCOEFF_NORMED).max())

    best = max(((side, side) for side in FIRST_SIDES), key=at)
    if at(best) < how.alike - HOPELESS:
        return at(best) / how.alike
    for step in STEPS:
        while True:
            width, height = best
            near = [(width + dx, height + dy) for dx in (0, step, -step) for dy in (0, step, -step)]
            better = max(near, key=at)  # (width, height) itself comes first and wins ties
            if better == best:
                break
            best = better
    return at(best) / how.alike


def compare(a: np.ndarray, shape_a: tuple[int, int], b: np.ndarray, shape_b: tuple[int, int]) -> float:
    """Return `alike` of two stored squares, of the whole or of the centre square, whichever is more.

    Args:
        a: (S, S) uint8.
        shape_a: width and height of its source, pixels; 0 where they are not known.
        b: (S', S') uint8.
        shape_b: of its source.
    """
    finest = min((n for n in (*shape_a, *shape_b) if n > 0), default=SIDE)
    whole = alike(a, b, finest)
    if whole >= 1 or (shape_a[0] == shape_a[1] and shape_b[0] == shape_b[1]):
        return whole
    return max(whole, alike(hashes.part(a, *shape_a, "centre"), hashes.part(b, *shape_b, "centre"), finest))
