"""COCO's compressed run-length code → a mask.

In:    a size and a string of counts, as JSON files of segmentations hold them.
Out:   (H, W) bool, and the same on the square that a store keeps.
Never: files, findings' names.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from cxrlab.errors import BadInput
from cxrlab.images.decode import MAX_PIXELS


def decode(size: Sequence[int], counts: str | Sequence[int]) -> np.ndarray:
    """Return the mask, (H, W) bool, of `size` = [H, W].

    Runs alternate between 0 and 1, begin with 0 and go down the columns.

    Args:
        size: height and width, pixels.
        counts: COCO's compressed string, or the plain run lengths.

    Raises:
        BadInput: not a size, or runs that do not fill it; the message is the reason alone.

    Source: rleFrString and rleDecode in cocodataset/cocoapi, common/maskApi.c.

    >>> decode([2, 3], "132").astype(int).tolist()
    [[0, 1, 0], [1, 1, 0]]
    """
    try:
        height, width = (int(side) for side in size)
        runs = _runs(counts) if isinstance(counts, str) else np.array(counts, np.int64).reshape(-1)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(
            f"a mask has the size {size!r}; expected height, width and a string of counts"
        ) from error
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise BadInput(f"a mask claims {width} x {height} pixels")
    if (runs < 0).any() or runs.sum() != height * width:
        raise BadInput(f"a mask's runs fill {runs.sum():,} of {height * width:,} pixels")
    values = (np.arange(len(runs)) % 2).astype(bool)
    return np.repeat(values, runs).reshape(width, height).T


def _runs(text: str) -> np.ndarray:
    """Return the run lengths in a compressed string: 5 bits a character, low ones first, differences from the fourth on."""
    runs: list[int] = []
    value = shift = 0
    for code in text.encode("ascii", "replace"):
        six = code - 48
        if not 0 <= six < 64:
            raise BadInput(f"a mask's code holds {chr(code)!r}")
        value |= (six & 31) << shift
        shift += 5
        if six & 32:  # more to come
            if shift > 40:
                raise BadInput("a mask's code holds a run that no image has")
            continue
        if six & 16:  # the sign
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise BadInput("a mask's code is cut off")
    return np.array(runs, np.int64)


def fit(mask: np.ndarray, px: int) -> np.ndarray:
    """Return `mask`, (H, W) bool, stretched to (px, px): a pixel is in when at least half of its area is.

    A structure too thin for that keeps the pixels that it covers most: no finding vanishes by being made small.
    """
    if not mask.any():
        return np.zeros((px, px), bool)
    share = cv2.resize(mask.astype(np.float32), (px, px), interpolation=cv2.INTER_AREA)
    return share >= min(0.5, float(share.max()))
