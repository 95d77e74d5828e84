"""Which images of two sites, or of one, are copies of one another: by fingerprint, then by pixels.

In:    two stores.
Out:   pairs of rows and how far their pixels agree, cached under the two digests in `hashes/`.
Never: whether that matters; torch.
"""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrlab import files
from cxrlab.errors import BadInput, NoSpace
from cxrlab.leaks import hashes
from cxrlab.paths import Lab
from cxrlab.store import Store

VERSION = 1  # part of every cached file's name, beside the fingerprints' own


@dataclass(frozen=True)
class Pairs:
    """Copies: row of the first store, row of the second, how far their pixels agree; the surest first."""

    a: np.ndarray  # (P,) int64
    b: np.ndarray  # (P,) int64
    alike: np.ndarray  # (P,) float32, 1 and more, see pixels.alike

    def __len__(self) -> int:
        return len(self.a)

    @property
    def turned(self) -> "Pairs":
        """The same pairs, second store first."""
        return Pairs(self.b, self.a, self.alike)


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
    path = _path(lab, a, b)
    with hashes.BUSY:
        known = _read(path, len(a), len(b))
        if known is not None:
            return known
        found = _compute(lab, a, b, on_step)
        with contextlib.suppress(NoSpace):  # a full disk costs the cache, not the answer
            _write(path, found)
        return found


def _compute(lab: Lab, a: Store, b: Store, on_step: Callable[[int], None] | None) -> Pairs:
    from cxrlab.leaks import near  # numba: a page that finds everything in the cache need not load it

    one = a.path == b.path
    words_a = hashes.fingerprints(lab, a, on_step)
    words_b = words_a if one else hashes.fingerprints(lab, b, on_step)
    of_a = np.unique(a.rows["patient_id"], return_inverse=True)[1] if one else np.full(len(a), -1)
    of_b = of_a if one else np.full(len(b), -2)
    rows = near.candidates(words_a, words_b, of_a.astype(np.int64), of_b.astype(np.int64), one=one)
    return checked(a, b, rows)


def is_there(lab: Lab, a: Store, b: Store) -> bool:
    """Return whether `between` need not compute."""
    return _path(lab, *sorted((a, b), key=lambda opened: opened.digest)).exists()


def _path(lab: Lab, a: Store, b: Store) -> Path:
    other = "itself" if a.path == b.path else b.digest  # two sites may hold the same
    return lab.copies(a.digest, other, f"{hashes.VERSION}.{VERSION}")


def checked(a: Store, b: Store, rows: np.ndarray) -> Pairs:
    """Return those of the candidates, (P, 2) rows of a and b, whose pixels agree; the surest first."""
    from cxrlab.leaks import near, pixels

    shapes_a, shapes_b = (opened.rows[["width", "height"]].to_numpy() for opened in (a, b))
    scores = np.empty(len(rows), np.float32)

    def score(block: np.ndarray) -> None:
        last, image = -1, np.empty((0, 0), np.uint8)
        for k in block:
            i, j = rows[k]
            if i != last:
                last, image = i, a.image(int(i))
            scores[k] = pixels.compare(image, tuple(shapes_a[i]), b.image(int(j)), tuple(shapes_b[j]))

    with ThreadPoolExecutor(near.cores()) as crew:
        for done in [
            crew.submit(score, block) for block in np.array_split(np.arange(len(rows)), 4 * near.cores())
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


def _write(path: Path, found: Pairs) -> None:
    rows = np.stack([found.a, found.b], axis=1).tolist()
    files.write_json(path, {"rows": rows, "alike": np.round(found.alike.astype(float), 4).tolist()})
