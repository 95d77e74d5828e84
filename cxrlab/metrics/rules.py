"""Rules that choose a threshold, exactly: every distinct score is tried.

In:    truths (0, 1, NaN masked) and scores of one label.
Out:   a threshold, NaN where a class is absent.
Never: sets, files; which rows to tune on.

A row is called positive when its score is at or above the threshold.
"""

from dataclasses import dataclass

import numpy as np


def best_f1(y_true: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Return the threshold with the largest F1, exactly, and that F1.

    Every distinct score is tried; of equal F1 the highest threshold is taken.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,); a row with NaN is left out.

    Returns:
        (threshold, F1); (NaN, NaN) without a positive or without a negative.

    >>> best_f1(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    (0.35, 0.8)
    """
    cut = cuts(y_true, score)
    if cut is None:
        return np.nan, np.nan
    f1 = 2 * cut.tp / (cut.tp + cut.fp + cut.n_pos)
    best = int(np.argmax(f1))
    return float(cut.threshold[best]), float(f1[best])


@dataclass(frozen=True)
class Cuts:
    """Every distinct threshold, falling, with the counts at or above it: threshold, tp, fp are (K,)."""

    threshold: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    n_pos: float
    n_neg: float

    @property
    def sensitivity(self) -> np.ndarray:
        """(K,) share of positives at or above each threshold."""
        return self.tp / self.n_pos

    @property
    def specificity(self) -> np.ndarray:
        """(K,) share of negatives below each threshold."""
        return 1 - self.fp / self.n_neg


def cuts(y_true: np.ndarray, score: np.ndarray) -> Cuts | None:
    """Return all cuts of the rows whose truth and score are known; None when a class is absent."""
    y_true, score = np.asarray(y_true, np.float64), np.asarray(score, np.float64)
    used = ~(np.isnan(y_true) | np.isnan(score))
    y, s = y_true[used], score[used]
    order = np.argsort(-s)
    y, s = y[order], s[order]
    n_pos = y.sum()
    if n_pos == 0 or n_pos == len(y):
        return None
    last = np.append(np.flatnonzero(s[1:] != s[:-1]), len(s) - 1)  # only the end of a run of ties is a cut
    tp = np.cumsum(y)[last]
    return Cuts(s[last], tp, last + 1 - tp, float(n_pos), float(len(y) - n_pos))


def best_youden(y_true: np.ndarray, score: np.ndarray) -> float:
    """Return the highest threshold with the largest sensitivity + specificity - 1; NaN when a class is absent."""
    cut = cuts(y_true, score)
    return np.nan if cut is None else float(cut.threshold[np.argmax(cut.sensitivity + cut.specificity)])


def at_sensitivity(y_true: np.ndarray, score: np.ndarray, target: float) -> float:
    """Return the highest threshold whose sensitivity is at least `target`; NaN when a class is absent."""
    cut = cuts(y_true, score)
    if cut is None:
        return np.nan
    return float(cut.threshold[np.argmax(cut.sensitivity >= target - 1e-12)])


def at_specificity(y_true: np.ndarray, score: np.ndarray, target: float) -> float:
    """Return the lowest threshold whose specificity is at least `target`.

    NaN when a class is absent, +inf when no score reaches it: then nothing may be called positive.
    """
    cut = cuts(y_true, score)
    if cut is None:
        return np.nan
    good = np.flatnonzero(cut.specificity >= target - 1e-12)
    return float(cut.threshold[good[-1]]) if len(good) else np.inf


def at_prevalence(y_true: np.ndarray, score: np.ndarray) -> float:
    """Return the threshold that calls as many rows positive as are positive (nearest count; ties stay together)."""
    cut = cuts(y_true, score)
    return np.nan if cut is None else at_rate(score[~np.isnan(y_true)], cut.n_pos / (cut.n_pos + cut.n_neg))


def at_rate(score: np.ndarray, rate: float) -> float:
    """Return the threshold that calls the share `rate` of rows positive, as nearly as ties allow; needs no truths."""
    s = np.sort(np.asarray(score, np.float64)[~np.isnan(score)])[::-1]
    if not len(s):
        return np.nan
    last = np.append(np.flatnonzero(s[1:] != s[:-1]), len(s) - 1)
    return float(s[last[np.argmin(np.abs(last + 1 - rate * len(s)))]])


def at_cost(false_positive: float, false_negative: float) -> float:
    """Return the threshold on a calibrated probability that minimises expected cost: C_FP / (C_FP + C_FN)."""
    return false_positive / (false_positive + false_negative)
