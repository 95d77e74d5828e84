"""Which fingerprints differ in few bits: every one of a hundred thousand against every other, in half a minute.

In:    two arrays of fingerprints.
Out:   candidates for copies, a few for each image.
Never: pixels, files, torch.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit, uint64

NEAREST = 58  # bits of 256 that may differ
MOST = 8  # candidates that are looked at for one image, the nearest first


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


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
