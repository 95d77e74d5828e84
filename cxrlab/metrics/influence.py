"""Each row's influence on an AUROC: what every interval and comparison is built on.

In:    truths (0, 1, NaN masked), scores on any monotone scale, patient ids.
Out:   AUROC and influence values; variances over patients.
Never: intervals, tables, thresholds, files.

Rows whose truth or score is NaN are left out, label by label.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Influence:
    """AUROC of every label with each row's influence on it.

    theta: (L,), NaN where a class is absent. phi: (N, L), row i's influence divided by N: theta's variance is the sum
    over patients of the squared sum of phi; 0 where the row does not count. patient: (N,) int codes.
    """

    labels: tuple[str, ...]
    theta: np.ndarray
    phi: np.ndarray
    y_true: np.ndarray  # (N, L), NaN also where the score is NaN
    patient: np.ndarray
    n_unscored: np.ndarray  # (L,)

    @property
    def n_patients(self) -> int:
        """How many patients the rows have."""
        return int(self.patient.max()) + 1 if len(self.patient) else 0


def of_rows(
    y_true: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Return AUROC and each row's influence on it, divided by N.

    A positive's placement V is the share of negatives below it (ties one half), a negative's the share of positives
    above it; the influence is (V - AUROC) / class total, times the row's weight.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,), any monotone scale; a row with NaN is left out.
        weight: (N,), >= 0; None: 1 each.

    Returns:
        (AUROC, phi (N,) float64). phi sums to 0, is 0 for rows left out, and all NaN when a class is absent.

    Source: DeLong 1988, doi:10.2307/2531595; by sorting, Sun & Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    y_true = np.asarray(y_true, np.float64)
    score = np.asarray(score, np.float64)
    used = np.flatnonzero(~(np.isnan(y_true) | np.isnan(score)))
    phi = np.zeros(len(y_true))
    order = used[np.argsort(score[used])]
    y, s = y_true[order], score[order]
    w = np.ones(len(order)) if weight is None else np.asarray(weight, np.float64)[order]
    pos, neg = w * y, w * (1 - y)
    n_pos, n_neg = pos.sum(), neg.sum()
    if n_pos <= 0 or n_neg <= 0:
        phi[:] = np.nan
        return np.nan, phi
    negatives_below, positives_above = _placements(pos, neg, s)
    theta = float(np.dot(pos, negatives_below) / (n_pos * n_neg))
    placed = np.where(y == 1, negatives_below / n_neg, positives_above / n_pos)
    phi[order] = w * (placed - theta) / np.where(y == 1, n_pos, n_neg)
    return theta, phi


def _placements(pos: np.ndarray, neg: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (weight of negatives below, weight of positives above) each row of ascending `s`, ties one half."""
    new = np.empty(len(s), bool)
    new[0] = True
    np.not_equal(s[1:], s[:-1], out=new[1:])
    up_to_neg, up_to_pos = np.cumsum(neg), np.cumsum(pos)
    if new.all():
        return up_to_neg - neg / 2, up_to_pos[-1] - up_to_pos + pos / 2
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(s)) - 1
    tie = np.cumsum(new) - 1
    before_neg, before_pos = up_to_neg[first] - neg[first], up_to_pos[first] - pos[first]
    middle_neg = (before_neg + up_to_neg[last]) / 2
    middle_pos = (before_pos + up_to_pos[last]) / 2
    return middle_neg[tie], (up_to_pos[-1] - middle_pos)[tie]


def codes_of(patient_id: np.ndarray) -> np.ndarray:
    """Return (N,) int codes of patients 0, 1, …; a row without a patient id is a patient of its own."""
    codes, names = pd.factorize(np.asarray(patient_id), use_na_sentinel=True)
    alone = codes < 0
    if alone.any():
        codes = codes.copy()
        codes[alone] = len(names) + np.arange(alone.sum())
    return codes


def measure(
    y_true: np.ndarray, score: np.ndarray, patient_id: np.ndarray, labels: Sequence[str]
) -> Influence:
    """Return the AUROC of each label with its rows' influence.

    Args:
        y_true: (N, L) of 0, 1 and NaN (masked).
        score: (N, L), any monotone scale; NaN: the model said nothing, the row is left out of that label.
        patient_id: (N,), any hashable values.
        labels: L names.

    Raises:
        ValueError: the shapes do not fit, or y_true holds something other than 0, 1 and NaN.
    """
    y_true, score = _columns(y_true), _columns(score)
    n, count = y_true.shape
    if score.shape != y_true.shape or len(patient_id) != n or len(labels) != count:
        raise ValueError(
            f"y_true {y_true.shape}, score {score.shape}, {len(patient_id)} patient ids and {len(labels)} labels "
            "do not fit together"
        )
    missing = np.isnan(y_true)
    if not ((y_true == 0) | (y_true == 1) | missing).all():
        raise ValueError("y_true holds values other than 0, 1 and NaN")
    silent = np.isnan(score) & ~missing
    phi = np.empty((count, n)).T  # columns are contiguous: each is filled and summed alone
    theta = np.empty(count)
    for j in range(count):
        theta[j], phi[:, j] = of_rows(y_true[:, j], score[:, j])
    known = np.where(silent, np.nan, y_true)
    return Influence(tuple(labels), theta, phi, known, codes_of(patient_id), silent.sum(axis=0))


def _columns(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, np.float64)
    return array[:, None] if array.ndim == 1 else array


def clustered_variance(phi: np.ndarray, y_true: np.ndarray, patient: np.ndarray) -> float:
    """Return the variance of an AUROC whose images come in patients.

    Args:
        phi: (N,) influence divided by N.
        y_true: (N,) of 0, 1 and NaN.
        patient: (N,) int codes.

    Returns:
        NaN with fewer than two positive or two negative patients. With one image a patient it is DeLong's variance.

    Source: Obuchowski 1997, doi:10.2307/2533958.
    """
    return spread(phi, y_true, patient)[0]


def spread(phi: np.ndarray, y_true: np.ndarray, patient: np.ndarray) -> tuple[float, float]:
    """Return (variance, effective number of patients that carry it)."""
    has_pos, has_neg = patients_with(y_true, patient)
    n_pos, n_neg, n_any = (np.count_nonzero(who) for who in (has_pos, has_neg, has_pos | has_neg))
    if n_pos < 2 or n_neg < 2:
        return np.nan, np.nan
    is_pos = y_true == 1
    by_pos = np.bincount(patient[is_pos], phi[is_pos], len(has_pos))
    by_neg = np.bincount(patient, np.where(is_pos, 0.0, phi), len(has_pos))
    variance = (
        n_pos / (n_pos - 1) * np.dot(by_pos, by_pos)
        + n_neg / (n_neg - 1) * np.dot(by_neg, by_neg)
        + 2 * n_any / (n_any - 1) * np.dot(by_pos, by_neg)
    )
    squared = (by_pos + by_neg) ** 2
    total = squared.sum()
    if variance <= 0 or total <= 0:
        return 0.0, 0.0
    return float(variance), float(total**2 / np.dot(squared, squared))


def patients_with(y_true: np.ndarray, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, per patient code, (has a positive row, has a negative row)."""
    n = int(patient.max()) + 1 if len(patient) else 0
    return np.bincount(patient[y_true == 1], minlength=n) > 0, np.bincount(
        patient[y_true == 0], minlength=n
    ) > 0


def spread_of_mean(phi: np.ndarray, patient: np.ndarray) -> tuple[float, float]:
    """Return (standard error, effective patients behind it) of any estimate with row influences `phi` (N,)."""
    squared = np.bincount(patient, phi) ** 2
    n = np.count_nonzero(np.bincount(patient, phi != 0))
    total = squared.sum()
    if len(phi) > 1 and total <= 0:  # nobody moves it: a model against itself, or every pair in order
        return 0.0, 0.0
    if n < 2:
        return np.nan, np.nan
    return float(np.sqrt(n / (n - 1) * total)), float(total**2 / np.dot(squared, squared))
