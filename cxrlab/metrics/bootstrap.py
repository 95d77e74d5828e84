"""Resampled patients: one compiled pass over sorted rows for many draws at once.

In:    truths, scores, patient ids, a seed.
Out:   one AUROC a draw and label, or one threshold a draw; NaN where a draw lacks a class.
Never: files, torch; numba's own threads (its default pool aborts the process when two threads enter it at once).

Draws come from a counter-based generator, so a seed gives the same draws for any number of threads.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit, uint32, uint64

from cxrlab.metrics import auroc

LANES = 64  # draws that share one pass: one cache line of counts a patient
GOLDEN = 0x9E3779B97F4A7C15
NEGATIVE, UNTIED_POSITIVE, TIED_POSITIVE = 0, 1, 2


def auroc_draws(
    y_true: np.ndarray, score: np.ndarray, patient_id: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Return the AUROC of every label in `draws` resamples of patients (with all their images).

    Args:
        y_true: (N, L) of 0, 1 and NaN (masked); (N,) is one label.
        score: like y_true, any monotone scale; NaN: the row is left out of that label.
        patient_id: (N,) any hashable values.
        draws: how many resamples; each draws as many patients as there are, with replacement.
        seed: the same seed gives the same draws on any machine and number of threads.

    Returns:
        (draws, L) float64, exact with ties; NaN where a draw holds no positive or no negative.

    Memory: 64 bytes a patient and thread, 5 bytes a row and label.
    """
    y_true, score = (a[:, None] if a.ndim == 1 else a for a in (np.asarray(y_true), np.asarray(score)))
    patient = auroc.codes_of(patient_id)
    n = int(patient.max()) + 1 if len(patient) else 0
    out = np.full((draws, y_true.shape[1]), np.nan)
    if not n:
        return out
    steps = [_steps(y_true[:, j], score[:, j], patient) for j in range(y_true.shape[1])]

    def one_block(first: int) -> None:
        counts = np.zeros(n * LANES, np.uint8)
        _count(n, first, seed, counts)
        for j, (who, kind) in enumerate(steps):
            _walk(who, kind, counts, theta := np.empty(LANES))
            out[first : first + LANES, j] = theta[: draws - first]

    with ThreadPoolExecutor(_cores()) as pool:  # the kernels hold no GIL
        list(pool.map(one_block, range(0, draws, LANES)))
    return out


def best_f1_draws(
    y_true: np.ndarray, score: np.ndarray, patient: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Return the threshold with the largest F1 in each of `draws` resamples of patients.

    Args:
        y_true: (N,) of 0 and 1.
        score: (N,) without NaN.
        patient: (N,) int codes 0, 1, …, each of which has a row.
        draws: how many resamples, the same as those of `patient_counts`.
        seed: of the draws.

    Returns:
        (draws,) float64, the highest threshold of equal F1; NaN where a draw lacks a class.
    """
    order = np.argsort(-score)
    s, y, who = score[order], y_true[order] == 1, patient[order].astype(np.int32)
    ends = np.append(s[1:] != s[:-1], True)
    n = int(patient.max()) + 1
    out = np.empty(draws)

    def one_block(first: int) -> None:
        counts = np.zeros(n * LANES, np.uint8)
        _count(n, first, seed, counts)
        _walk_f1(who, y, ends, counts, best := np.empty(LANES, np.int64))
        found = np.where(best < 0, np.nan, s[best])
        out[first : first + LANES] = found[: draws - first]

    with ThreadPoolExecutor(_cores()) as pool:
        list(pool.map(one_block, range(0, draws, LANES)))
    return out


def interval_of(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (low, high, undefined): 95 % percentile interval of each column, and its count of NaN draws.

    low and high are NaN where more than half of the draws are undefined.
    """
    undefined = np.isnan(draws).sum(axis=0)
    low, high = np.full((2, draws.shape[1]), np.nan)
    for j in np.flatnonzero(undefined * 2 < len(draws)):
        low[j], high[j] = np.nanquantile(draws[:, j], (0.025, 0.975))
    return low, high, undefined


def patient_counts(n_patients: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield, draw by draw, how often each patient was drawn: (n_patients,) uint8. The draws of `auroc_draws`."""
    for first in range(0, draws, LANES):
        counts = np.zeros(n_patients * LANES, np.uint8)
        _count(n_patients, first, seed, counts)
        yield from np.ascontiguousarray(counts.reshape(n_patients, LANES).T)[: draws - first]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _steps(y_true: np.ndarray, score: np.ndarray, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in ascending score as (patient, kind), so that a walk needs no score.

    A positive that ties with negatives is visited before and after them with half a credit each.
    """
    used = np.flatnonzero(~(np.isnan(y_true) | np.isnan(score)))
    order = used[np.argsort(score[used], kind="stable")]
    s, y, who = score[order], y_true[order] == 1, patient[order].astype(np.int32)
    group = np.cumsum(np.append(False, s[1:] != s[:-1])) if len(s) else np.empty(0, np.int64)
    has_negative = np.bincount(group, ~y) > 0
    tied = y & has_negative[group] & (np.bincount(group) > 1)[group]
    # Within a group: half of each tied positive, then the negatives, then the other half.
    place = np.concatenate([group * 3 + np.where(tied, 0, 1), group[tied] * 3 + 2])
    walk = np.argsort(place, kind="stable")
    kind = np.where(y, np.where(tied, TIED_POSITIVE, UNTIED_POSITIVE), NEGATIVE).astype(np.uint8)
    kinds = np.concatenate([kind, np.full(int(tied.sum()), TIED_POSITIVE, np.uint8)])
    return np.concatenate([who, who[tied]])[walk], kinds[walk]


@njit(nogil=True, cache=True)
def _mix(x):  # noqa: ANN001, ANN202  # splitmix64's finaliser: Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@njit(nogil=True, cache=True)
def _count(n, first, seed, counts):  # noqa: ANN001, ANN202
    """Fill counts (n * LANES,) uint8: how often draws first … first + LANES - 1 picked each patient."""
    line = np.empty(n, np.uint8)
    for b in range(LANES):
        line[:] = 0
        state = _mix(uint64(seed) + _mix(uint64(first + b) + uint64(GOLDEN)))
        for i in range((n + 1) // 2):
            state += uint64(GOLDEN)
            bits = _mix(state)  # two picks of 32 bits; the bias of multiply-and-shift is below n / 2^32
            line[((bits >> uint64(32)) * uint64(n)) >> uint64(32)] += 1
            if 2 * i + 1 < n:
                line[((bits & uint64(0xFFFFFFFF)) * uint64(n)) >> uint64(32)] += 1
        for p in range(n):
            counts[p * LANES + b] = line[p]


@njit(nogil=True, cache=True)
def _walk(who, kind, counts, theta):  # noqa: ANN001, ANN202
    """Fill theta (LANES,) with the AUROC of each draw, from `_steps` and `_count`; NaN where a class is absent."""
    neg = np.zeros(LANES, np.uint32)
    pos = np.zeros(LANES, np.uint32)  # in halves, like the credit
    below = np.zeros(LANES, np.uint64)
    for i in range(len(who)):
        at = np.int64(who[i]) * LANES
        if kind[i] == NEGATIVE:
            for b in range(LANES):  # constant length: one vector instruction per 16 draws
                neg[b] += uint32(counts[at + b])
        else:
            halves = uint32(2 if kind[i] == UNTIED_POSITIVE else 1)
            for b in range(LANES):
                times = uint32(counts[at + b]) * halves
                below[b] += uint64(times) * uint64(neg[b])
                pos[b] += times
    for b in range(LANES):
        theta[b] = below[b] / (np.float64(pos[b]) * np.float64(neg[b])) if pos[b] and neg[b] else np.nan


@njit(nogil=True, cache=True)
def _walk_f1(who, is_pos, ends, counts, best):  # noqa: ANN001, ANN202
    """Fill best (LANES,) with the row, in falling score, whose cut has the largest F1; -1 where a class is absent."""
    n_pos = np.zeros(LANES, np.int64)
    n_any = np.zeros(LANES, np.int64)
    for i in range(len(who)):
        at = np.int64(who[i]) * LANES
        if is_pos[i]:
            for b in range(LANES):
                n_pos[b] += counts[at + b]
        for b in range(LANES):
            n_any[b] += counts[at + b]
    tp = np.zeros(LANES, np.int64)
    called = np.zeros(LANES, np.int64)
    best_tp = np.zeros(LANES, np.int64)
    best_whole = np.ones(LANES, np.int64)
    best[:] = -1
    gained = False
    for i in range(len(who)):
        at = np.int64(who[i]) * LANES
        for b in range(LANES):
            called[b] += counts[at + b]
        if is_pos[i]:
            gained = True
            for b in range(LANES):
                tp[b] += counts[at + b]
        if ends[i] and gained:  # F1 can only rise where a positive is gained
            gained = False
            for b in range(LANES):
                whole = called[b] + n_pos[b]
                if tp[b] * best_whole[b] > best_tp[b] * whole:  # compared as integers: ties are exact
                    best_tp[b], best_whole[b], best[b] = tp[b], whole, i
    for b in range(LANES):
        if n_pos[b] == 0 or n_pos[b] == n_any[b]:
            best[b] = -1
