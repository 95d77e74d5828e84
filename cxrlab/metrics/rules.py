"""Rules that choose a threshold, exactly: every distinct score is tried.

In:    truths (0, 1, NaN masked) and scores of one label.
Out:   a threshold, NaN where a class is absent.
Never: sets, files; which rows to tune on.

A row is called positive when its score is at or above the threshold. A `pick_…` chooses among all cuts; `best_f1` and
the `at_…` are the same rules for arrays.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from cxrlab.errors import BadInput
from cxrlab.metrics.rule_names import (
    COST,
    KINDS,
    MAX_F1,
    PREVALENCE,
    SENSITIVITY,
    SPECIFICITY,
    YOUDEN,
    Rule,
)


@dataclass(frozen=True)
class Cuts:
    """Every distinct threshold, falling, with the counts (or weights) at or above it: threshold, tp, fp are (K,)."""

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

    @property
    def f1(self) -> np.ndarray:
        """(K,) 2 TP / (called positive + positives)."""
        return 2 * self.tp / (self.tp + self.fp + self.n_pos)


Pick = Callable[[Cuts], float]


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
    last = _ends(s)
    tp = np.cumsum(y)[last]
    return Cuts(s[last], tp, last + 1 - tp, float(n_pos), float(len(y) - n_pos))


def _ends(s: np.ndarray) -> np.ndarray:
    """Return the last index of each run of ties in sorted `s`: only there is a cut."""
    return np.append(np.flatnonzero(s[1:] != s[:-1]), len(s) - 1)


def resampled(y: np.ndarray, s: np.ndarray, times: Iterable[np.ndarray]) -> Iterator[Cuts | None]:
    """Yield the cuts of each resample, sorting once.

    Args:
        y: (N,) of 0 and 1.
        s: (N,) without NaN.
        times: per resample (N,) how often each row is in it. Thresholds of rows that are not in it stay, with the
            counts of the next higher one, so a pick that prefers the highest of equals never lands on them.
    """
    order = np.argsort(-s)
    y, s = y[order], s[order]
    last = _ends(s)
    for one in times:
        weight = one[order]
        called = np.cumsum(weight, dtype=np.float64)[last]
        tp = np.cumsum(weight * y)[last]
        n_pos = float(tp[-1])
        n_neg = float(called[-1] - n_pos)
        yield Cuts(s[last], tp, called - tp, n_pos, n_neg) if n_pos and n_neg else None


def pick_f1(cut: Cuts) -> float:
    """Return the threshold with the largest F1; of equals the highest."""
    return float(cut.threshold[np.argmax(cut.f1)])


def pick_youden(cut: Cuts) -> float:
    """Return the threshold with the largest sensitivity + specificity - 1; of equals the highest."""
    return float(cut.threshold[np.argmax(cut.sensitivity + cut.specificity)])


def pick_sensitivity(target: float) -> Pick:
    """Return a rule: the highest threshold whose sensitivity is at least `target`."""
    return lambda cut: float(cut.threshold[np.argmax(cut.sensitivity >= target - 1e-12)])


def pick_specificity(target: float) -> Pick:
    """Return a rule: the lowest threshold whose specificity is at least `target`; +inf when no score reaches it."""

    def pick(cut: Cuts) -> float:
        good = np.flatnonzero(cut.specificity >= target - 1e-12)
        return float(cut.threshold[good[-1]]) if len(good) else np.inf

    return pick


def pick_prevalence(cut: Cuts) -> float:
    """Return the threshold that calls as many rows positive as are; ties stay together, of equals the highest."""
    return float(cut.threshold[np.argmin(np.abs(cut.tp + cut.fp - cut.n_pos))])


def pick_f1_at_prevalence(prevalence: float) -> Pick:
    """Return a rule: the largest F1 that sensitivity and specificity would give at another prevalence."""

    def pick(cut: Cuts) -> float:
        tp, fp = prevalence * cut.sensitivity, (1 - prevalence) * (1 - cut.specificity)
        return float(cut.threshold[np.argmax(2 * tp / (tp + fp + prevalence))])

    return pick


def pick_cost(misses: float) -> Pick:
    """Return a rule: the smallest cost when one miss costs as much as `misses` false alarms; of equals the highest."""
    return lambda cut: float(cut.threshold[np.argmax(misses * cut.tp - cut.fp)])


def pick_of(rule: Rule) -> Pick:
    """Return the rule that a name stands for.

    Raises:
        BadInput: no such rule, or an aim that cannot be.
    """
    if rule.kind not in KINDS:
        raise BadInput(f"no rule named {rule.kind!r}; known: {', '.join(KINDS)}.")
    if rule.kind in (SENSITIVITY, SPECIFICITY) and not 0 < rule.value < 1:
        raise BadInput(f"the {rule.kind} aimed at is {rule.value:g}; expected a share between 0 and 1.")
    if rule.kind == COST and not rule.value > 0:
        raise BadInput(f"a missed finding costs {rule.value:g} false alarms; expected more than 0.")
    plain = {MAX_F1: pick_f1, YOUDEN: pick_youden, PREVALENCE: pick_prevalence}
    aimed = {SENSITIVITY: pick_sensitivity, SPECIFICITY: pick_specificity, COST: pick_cost}
    return plain[rule.kind] if rule.kind in plain else aimed[rule.kind](rule.value)


def apply(pick: Pick, y_true: np.ndarray, score: np.ndarray) -> float:
    """Return `pick`'s threshold for these rows; NaN when a class is absent."""
    cut = cuts(y_true, score)
    return np.nan if cut is None else pick(cut)


def best_f1(y_true: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """Return the threshold with the largest F1, exactly, and that F1.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,); a row with NaN is left out.

    Returns:
        (threshold, F1), the highest threshold of equal F1; (NaN, NaN) without a positive or without a negative.

    >>> best_f1(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    (0.35, 0.8)
    """
    cut = cuts(y_true, score)
    if cut is None:
        return np.nan, np.nan
    best = int(np.argmax(cut.f1))
    return float(cut.threshold[best]), float(cut.f1[best])


def at_rate(score: np.ndarray, rate: float) -> float:
    """Return the threshold that calls the share `rate` of rows positive, as nearly as ties allow; needs no truths."""
    s = np.sort(np.asarray(score, np.float64)[~np.isnan(score)])[::-1]
    if not len(s):
        return np.nan
    last = _ends(s)
    return float(s[last[np.argmin(np.abs(last + 1 - rate * len(s)))]])


def at_cost(false_positive: float, false_negative: float) -> float:
    """Return the threshold on a calibrated probability that minimises expected cost: C_FP / (C_FP + C_FN)."""
    return false_positive / (false_positive + false_negative)
