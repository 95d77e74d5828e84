"""Which images of two sites, or of one, are copies of one another: by fingerprint, then by pixels.

In:    two stores and their fingerprints.
Out:   pairs of rows with the correlation of their pixels, cached under the two digests in `hashes/`.
Never: whether that matters; torch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numba import njit, uint64

from cxrlab import files
from cxrlab.errors import BadInput, NoSpace
from cxrlab.intake.decoders import cores
from cxrlab.leaks import hashes
from cxrlab.paths import Lab
from cxrlab.store import Store

VERSION = 1  # part of every cached file's name, beside the fingerprints' own
NEAREST = 58  # bits of 256 that may differ
MOST = 16  # candidates that are looked at for one image, the nearest first
SIDE = 96  # pixels of the comparison
MARGIN = 9  # pixels of SIDE at each edge that may lie elsewhere in the other image
SCALES = (
    96,
    93,
    99,
    90,
    94,
    97,
    101,
    91,
    102,
)  # sides that the other image is tried at, the telling ones first
HOPELESS = 0.12  # below the threshold by so much at the first three scales, the others do not help


@dataclass(frozen=True)
class Regime:
    """How pixels are compared. Fine detail tells radiographs apart best; a copy of 28 pixels has none."""

    softened: (
        float  # standard deviation of the Gaussian that hides how an image was reduced, pixels of its detail
    )
    flattened: float  # of the Gaussian whose result is taken away, pixels at 64 a side
    alike: float  # correlation from which two images are called copies


# Measured on real radiographs: of 1,163 of Guangzhou's pneumonias all have a copy in PneumoniaMNIST (28 px); 99.2 % are
# found, with no pair of unlike label or of its test part among 1,334. Copies with JPEG 40, 64 px, 3 % cropped,
# contrast or gamma correlate above .95 (CLAHE: .91 at worst), different images of one patient below .79, the nearest of
# 1.3 million pairs of different phantoms, which share their bones' drawing, at .914.
COARSE = Regime(softened=1.0, flattened=4.0, alike=0.97)
FINE = Regime(softened=0.7, flattened=2.0, alike=0.92)
FINE_FROM = 48  # pixels a side
FLATTEST = 0.1  # grey levels; a picture that is flatter than this shows nothing to compare


@dataclass(frozen=True)
class Pairs:
    """Copies: row of the first store, row of the second, correlation of their pixels; the surest first."""

    a: np.ndarray  # (P,) int64
    b: np.ndarray  # (P,) int64
    alike: np.ndarray  # (P,) float32, correlation of band-passed pixels

    def __len__(self) -> int:
        return len(self.a)

    @property
    def turned(self) -> "Pairs":
        """The same pairs, second store first."""
        return Pairs(self.b, self.a, self.alike)


@njit(nogil=True, cache=True)
def _ones(x: int) -> int:
    """Return how many bits of a 64-bit word are set (Hacker's Delight, figure 5-2; LLVM makes it one instruction)."""
    x = x - ((x >> uint64(1)) & uint64(0x5555555555555555))
    x = (x & uint64(0x3333333333333333)) + ((x >> uint64(2)) & uint64(0x3333333333333333))
    x = (x + (x >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return (x * uint64(0x0101010101010101)) >> uint64(56)


@njit(nogil=True, cache=True)
def _apart(x: np.ndarray, y: np.ndarray) -> int:
    return _ones(x[0] ^ y[0]) + _ones(x[1] ^ y[1]) + _ones(x[2] ^ y[2]) + _ones(x[3] ^ y[3])


@njit(nogil=True, cache=True)
def _near(
    a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray, one: bool, first: int, out: np.ndarray
) -> None:
    """Write into out[:, :, 0] the rows of b nearest to each row of a, and into out[:, :, 1] how many bits differ.

    `of_a` and `of_b` are patients' numbers: equal ones are never compared. `one`: a and b are one site; later rows only.
    """
    many = out.shape[1]
    for i in range(len(a)):
        held = 0
        worst = NEAREST
        for j in range(first + i + 1 if one else 0, len(b)):
            apart = min(_apart(a[i, 0], b[j, 0]), _apart(a[i, 1], b[j, 1]))
            apart = min(apart, _apart(a[i, 0], b[j, 2]), _apart(a[i, 2], b[j, 0]))
            if apart > worst or of_a[i] == of_b[j]:
                continue
            if (a[i, 0] == 0).all() or (b[j, 0] == 0).all():
                continue  # too flat to recognise
            k = held if held < many else many - 1
            if held == many and apart >= out[i, k, 1]:
                continue
            while k > 0 and out[i, k - 1, 1] > apart:
                out[i, k] = out[i, k - 1]
                k -= 1
            out[i, k, 0], out[i, k, 1] = j, apart
            held = min(held + 1, many)


def candidates(a: np.ndarray, b: np.ndarray, of_a: np.ndarray, of_b: np.ndarray, *, one: bool) -> np.ndarray:
    """Return (P, 2) int64 rows of a and b whose fingerprints differ in at most NEAREST bits.

    Args:
        a: (N, 3, WORDS) uint64, from `hashes`.
        b: (M, 3, WORDS) uint64.
        of_a: (N,) int64, patients' numbers; a pair of one patient is left out.
        of_b: (M,) int64.
        one: a and b are the same site: each pair comes once.
    """
    near = np.full((len(a), MOST, 2), -1, np.int64)
    blocks = np.array_split(np.arange(len(a)), max(1, min(64, len(a) // 64)))
    with ThreadPoolExecutor(cores()) as crew:
        work = [
            crew.submit(_near, a[rows], b, of_a[rows], of_b, one, int(rows[0]), near[rows[0] : rows[-1] + 1])
            for rows in blocks
            if len(rows)
        ]
        for done in work:
            done.result()
    i, k = np.nonzero(near[:, :, 0] >= 0)
    return np.stack([i, near[i, k, 0]], axis=1)


def _banded(image: np.ndarray, detail: int, side: int, how: Regime) -> np.ndarray:
    """Return (side, side) float32: no finer than `detail` pixels a side, without slow changes of brightness."""
    small = cv2.resize(image, (detail, detail), interpolation=cv2.INTER_AREA).astype(np.float32)
    grown = cv2.resize(
        cv2.GaussianBlur(small, (0, 0), how.softened), (side, side), interpolation=cv2.INTER_CUBIC
    )
    return grown - cv2.GaussianBlur(grown, (0, 0), how.flattened * side / 64)


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
    middle = _banded(a, detail, SIDE, how)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    if middle.std() < FLATTEST:
        return 0.0
    best = -1.0
    for k, side in enumerate(SCALES):
        if k == 3 and best < how.alike - HOPELESS:
            break
        found = cv2.matchTemplate(_banded(b, detail, side, how), middle, cv2.TM_CCOEFF_NORMED)
        best = max(best, float(found.max()))
    return best / how.alike


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


def between(lab: Lab, a: Store, b: Store, on_step: Callable[[int], None] | None = None) -> Pairs:
    """Return the copies between two stores, or within one across its patients; from the cache where it is there.

    Args:
        lab: where the caches lie.
        a: one store.
        b: another, or the same.
        on_step: called with the number of images hashed, where that has to be done first.
    """
    if a.digest > b.digest:
        return between(lab, b, a, on_step).turned
    path = lab.copies(a.digest, b.digest, f"{hashes.VERSION}.{VERSION}")
    known = _read(path, len(a), len(b))
    if known is not None:
        return known
    one = a.digest == b.digest and a.site == b.site
    words_a = hashes.fingerprints(lab, a, on_step)
    words_b = words_a if one else hashes.fingerprints(lab, b, on_step)
    of_a = np.unique(a.rows["patient_id"], return_inverse=True)[1] if one else np.full(len(a), -1)
    of_b = of_a if one else np.full(len(b), -2)
    rows = candidates(words_a, words_b, of_a.astype(np.int64), of_b.astype(np.int64), one=one)
    found = checked(a, b, rows)
    _write(path, found)
    return found


def is_there(lab: Lab, a: Store, b: Store) -> bool:
    """Return whether `between` need not compute."""
    first, second = sorted((a.digest, b.digest))
    return lab.copies(first, second, f"{hashes.VERSION}.{VERSION}").exists()


def checked(a: Store, b: Store, rows: np.ndarray) -> Pairs:
    """Return those of the candidates, (P, 2) rows of a and b, whose pixels agree; the surest first."""
    shapes_a, shapes_b = (opened.rows[["width", "height"]].to_numpy() for opened in (a, b))
    scores = np.empty(len(rows), np.float32)

    def score(block: np.ndarray) -> None:
        last, image = -1, np.empty((0, 0), np.uint8)
        for k in block:
            i, j = rows[k]
            if i != last:
                last, image = i, a.image(int(i))
            scores[k] = compare(image, tuple(shapes_a[i]), b.image(int(j)), tuple(shapes_b[j]))

    with ThreadPoolExecutor(cores()) as crew:
        for done in [
            crew.submit(score, block) for block in np.array_split(np.arange(len(rows)), 4 * cores())
        ]:
            done.result()
    keep = np.flatnonzero(scores >= 1)
    keep = keep[np.argsort(-scores[keep], kind="stable")]
    return Pairs(rows[keep, 0], rows[keep, 1], scores[keep])


def _read(path: Path, n_a: int, n_b: int) -> Pairs | None:
    """Return what the cache holds; None when it is not there or cannot be meant."""
    if not path.exists():
        return None
    try:
        said = files.read_json(path)
        rows = np.array(said["rows"], np.int64).reshape(-1, 2)
        scores = np.array(said["alike"], np.float32)
    except (BadInput, KeyError, TypeError, ValueError):
        return None  # a cache that cannot be read is made anew
    fits = len(rows) == len(scores) and (rows >= 0).all() and (rows < (n_a, n_b)).all()
    return Pairs(rows[:, 0], rows[:, 1], scores) if fits else None


def _write(path: Path, found: Pairs) -> bool:
    """Keep the pairs; return whether there was room."""
    rows = np.stack([found.a, found.b], axis=1).tolist()
    try:
        files.write_json(path, {"rows": rows, "alike": np.round(found.alike.astype(float), 4).tolist()})
    except NoSpace:  # a full disk costs the cache, not the answer
        return False
    return True
