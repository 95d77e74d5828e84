"""What an image looks like, in 256 bits: alike for copies, unlike for different radiographs.

In:    a store's images and the width and height that they had before they were stretched to squares.
Out:   fingerprints, cached under the store's digest in `hashes/`.
Never: which site is whose copy; torch.
"""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cxrlab import files
from cxrlab.errors import NoSpace
from cxrlab.paths import Lab
from cxrlab.store import Store

VERSION = 1  # part of every cached file's name: another way of hashing is another file
SIDE = 32  # pixels that an image is reduced to
BITS = 256
WORDS = BITS // 64
# Copies may be the whole image, its centre square (MedMNIST crops so), or have lost a little of every edge.
KINDS = ("whole", "centre", "inner")
INNER = 0.02  # of each edge, cut off for "inner": in the middle of no crop and a crop of 4 %
FLATTEST = 2.0  # grey levels of standard deviation; below it an image shows nothing that could be recognised
_HIGHEST = 19  # DCT indices 0 to 18 hold the 256 lowest frequencies by radius
_CHUNK = 512  # images at a time
BUSY = threading.RLock()  # two pages that ask for the same compute it once, and write no file together


def _cosines() -> np.ndarray:
    """Return (_HIGHEST, SIDE) float32: the first rows of the orthonormal DCT-II."""
    k, x = np.mgrid[:_HIGHEST, :SIDE]
    rows = np.cos(np.pi * (x + 0.5) * k / SIDE) * np.sqrt(2 / SIDE)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


def _lowest() -> np.ndarray:
    """Return (BITS,) flat indices of the lowest frequencies by radius, without the mean."""
    u, v = np.mgrid[:_HIGHEST, :_HIGHEST]
    return np.lexsort((u.ravel(), (u**2 + v**2).ravel()))[1 : BITS + 1]


_COSINES, _LOWEST = _cosines(), _lowest()


def part(image: np.ndarray, width: int, height: int, kind: str) -> np.ndarray:
    """Return one of KINDS of a stored square.

    Args:
        image: (S, S) uint8, stretched from width × height.
        width: of the source, pixels; 0 where it is not known: a square then.
        height: of the source, pixels.
        kind: "whole", "centre" (the largest centred square of the source) or "inner" (INNER less at each edge).

    Returns:
        A view of `image`: the same pixels, not yet brought to a common size.

    >>> part(np.zeros((100, 100), np.uint8), 200, 100, "centre").shape
    (100, 50)
    """
    side = len(image)
    if kind == "inner":
        cut = max(1, round(side * INNER))
        return image[cut:-cut, cut:-cut]
    if kind == "centre" and width > 0 and height > 0 and width != height:
        keep = max(1, round(side * min(width, height) / max(width, height)))
        first = (side - keep) // 2
        return image[:, first : first + keep] if width > height else image[first : first + keep]
    return image


def of_images(images: np.ndarray) -> np.ndarray:
    """Return (N, WORDS) uint64 fingerprints of (N, SIDE, SIDE) float32: signs of the lowest DCT frequencies.

    All zeros stands for an image too flat to recognise. Signs, because brightness and contrast do not change them.

    Source: the DCT perceptual hash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"),
    with 256 bits for its 64: radiographs of different people are alike in their lowest frequencies.
    """
    waves = _COSINES @ images @ _COSINES.T
    signs = waves.reshape(len(images), -1)[:, _LOWEST] > 0
    words = np.ascontiguousarray(np.packbits(signs, axis=1)).view(np.uint64)
    words[images.std(axis=(1, 2)) < FLATTEST] = 0
    return words


def of_store(opened: Store, on_image: Callable[[int], None] | None = None) -> np.ndarray:
    """Return (N, len(KINDS), WORDS) uint64: the fingerprints of a store, read once from front to back.

    Args:
        opened: the store.
        on_image: called with the number of images hashed.
    """
    n = len(opened)
    widths, heights = opened.rows["width"].to_numpy(), opened.rows["height"].to_numpy()
    found = np.empty((n, len(KINDS), WORDS), np.uint64)
    for first in range(0, n, _CHUNK):
        last = min(first + _CHUNK, n)
        small = np.empty((last - first, len(KINDS), SIDE, SIDE), np.float32)
        for i in range(first, last):
            image = _halved(opened.image(i))
            for k, kind in enumerate(KINDS):
                seen = part(image, widths[i], heights[i], kind)
                small[i - first, k] = cv2.resize(seen, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        found[first:last] = of_images(small.reshape(-1, SIDE, SIDE)).reshape(last - first, len(KINDS), WORDS)
        if on_image is not None:
            on_image(last)
    return found


def _halved(image: np.ndarray) -> np.ndarray:
    """Return an image of twice the pixels that are needed: halving is fast, three odd ratios at full size are not."""
    while len(image) >= 4 * SIDE and len(image) % 2 == 0:
        half = len(image) // 2
        image = cv2.resize(image, (half, half), interpolation=cv2.INTER_AREA)
    return image


def is_there(lab: Lab, opened: Store) -> bool:
    """Return whether the store's fingerprints are cached."""
    return lab.fingerprints(opened.digest, VERSION).exists()


def fingerprints(lab: Lab, opened: Store, on_image: Callable[[int], None] | None = None) -> np.ndarray:
    """Return `of_store`, from the lab's cache where it is there; else it is computed and kept.

    Raises:
        BadInput: the store's digest is no name.
    """
    path = lab.fingerprints(opened.digest, VERSION)
    with BUSY:
        known = _read(path, (len(opened), len(KINDS), WORDS))
        if known is not None:
            return known
        made = of_store(opened, on_image)
        with contextlib.suppress(NoSpace):  # a full disk costs the cache, not the answer
            _write(path, made)
        return made


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return what the cache holds; None when it is not there, cannot be read or cannot be meant."""
    try:
        known = np.load(path, allow_pickle=False)
    except (FileNotFoundError, ValueError, OSError, EOFError):
        return None
    return known if known.shape == shape and known.dtype == np.uint64 else None


def _write(path: Path, made: np.ndarray) -> None:
    with files.whole(path) as unfinished, unfinished.open("wb") as out:
        np.save(out, made, allow_pickle=False)
