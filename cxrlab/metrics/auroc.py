"""AUROC with intervals over patients.

In:    truths (0, 1, NaN masked), scores on any monotone scale, patient ids.
Out:   estimates with their support, and the influence values that every comparison is built on.
Never: thresholds, files, torch; a number where a class is absent.

Rows whose truth or score is NaN are left out, label by label; `n_unscored` counts the second kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlab.metrics import interval
from cxrlab.metrics.interval import MIN_PATIENTS

COLUMNS = (
    "label", "auroc", "low", "high", "n_pos", "n_neg", "why_nan", "se", "n_patients", "pos_patients",
    "neg_patients", "n_unscored", "interval", "note", "labels",
)  # fmt: skip
MACRO = "macro"


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


def auroc(y_true: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Area under the ROC curve, by the rank-sum identity (ties count one half).

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,), higher means more likely positive; any monotone scale; a row with NaN is left out.
        weight: (N,), >= 0; None: 1 each.

    Returns:
        A number in [0, 1], or NaN when one class is absent.

    Source: Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747.

    >>> auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    return influence(y_true, score, weight)[0]


def influence(
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
        theta[j], phi[:, j] = influence(y_true[:, j], score[:, j])
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
    return _spread(phi, y_true, patient)[0]


def _spread(phi: np.ndarray, y_true: np.ndarray, patient: np.ndarray) -> tuple[float, float]:
    """Return (variance, effective number of patients that carry it)."""
    has_pos, has_neg = _who(y_true, patient)
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


def _who(y_true: np.ndarray, patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, per patient code, (has a positive row, has a negative row)."""
    n = int(patient.max()) + 1 if len(patient) else 0
    return np.bincount(patient[y_true == 1], minlength=n) > 0, np.bincount(
        patient[y_true == 0], minlength=n
    ) > 0


def delong_variance(y_true: np.ndarray, score: np.ndarray) -> float:
    """Return DeLong's variance of an AUROC, as if each row were its own patient; NaN below two of a class.

    Shown beside ours to say what ignoring patients would have given; not used for intervals.
    """
    theta, phi = influence(y_true, score)
    if np.isnan(theta):
        return np.nan
    y = np.where(np.isnan(np.asarray(score, np.float64)), np.nan, np.asarray(y_true, np.float64))
    return clustered_variance(phi, y, np.arange(len(y)))


def by_label(
    y_true: np.ndarray, score: np.ndarray, patient_id: np.ndarray, labels: Sequence[str]
) -> pd.DataFrame:
    """Return one row a label: AUROC, 95 % interval over patients, support, and why it is undefined.

    Args:
        y_true: (N, L) of 0, 1 and NaN (masked).
        score: (N, L), any monotone scale; a row with NaN is left out of that label.
        patient_id: (N,), any hashable values.
        labels: L names.

    Returns:
        Columns label, auroc, low, high, n_pos, n_neg, why_nan (images; "" where defined), then se, n_patients,
        pos_patients, neg_patients, n_unscored, interval (its kind, interval.of_share), note (few patients), labels.

    >>> y, s = np.array([[0], [0], [1], [1]]), np.array([[0.1], [0.4], [0.35], [0.8]])
    >>> by_label(y, s, np.arange(4), ["Edema"])[["label", "auroc", "n_pos", "why_nan"]].to_dict("records")
    [{'label': 'Edema', 'auroc': 0.75, 'n_pos': 2, 'why_nan': ''}]
    """
    return table_of(measure(y_true, score, patient_id, labels))


def table_of(measured: Influence) -> pd.DataFrame:
    """Return what `by_label` returns, from influence values that are already there."""
    return pd.DataFrame([_row(measured, j) for j in range(len(measured.labels))], columns=list(COLUMNS))


def _row(measured: Influence, j: int) -> dict[str, object]:
    y, phi, patient = measured.y_true[:, j], measured.phi[:, j], measured.patient
    has_pos, has_neg = _who(y, patient)
    pos, neg, n_patients = (int(np.count_nonzero(who)) for who in (has_pos, has_neg, has_pos | has_neg))
    n_pos, n_neg = int((y == 1).sum()), int((y == 0).sum())
    variance, carriers = _spread(phi, y, patient) if n_pos and n_neg else (np.nan, np.nan)
    theta, se = float(measured.theta[j]), float(np.sqrt(variance))
    # A patient with images of both classes can stand on one side of one pair only.
    # One patient alone makes no pair, and gets no interval.
    pairs = min(pos, neg, n_patients // 2)
    low, high, kind = interval.of_share(theta, se, pairs=pairs, carriers=carriers)
    return {
        "label": measured.labels[j], "auroc": theta, "low": low, "high": high, "n_pos": n_pos, "n_neg": n_neg,
        "why_nan": why_undefined(n_pos, n_neg, int(measured.n_unscored[j])), "se": se, "n_patients": n_patients,
        "pos_patients": pos, "neg_patients": neg, "n_unscored": int(measured.n_unscored[j]),
        "interval": kind, "note": few(pos, neg) if n_pos and n_neg else "", "labels": measured.labels[j],
    }  # fmt: skip


def why_undefined(n_pos: int, n_neg: int, n_unscored: int = 0) -> str:
    """Return why a two-class number is undefined, or "".

    >>> why_undefined(0, 12), why_undefined(3, 12)
    ('no positive images', '')
    """
    if n_pos and n_neg:
        return ""
    if n_pos + n_neg == 0:
        return "the model gave no score" if n_unscored else "no annotated images"
    missing = "no positive images" if n_pos == 0 else "no negative images"
    return missing + (f" with a score ({n_unscored} without)" if n_unscored else "")


def few(pos_patients: int, neg_patients: int) -> str:
    """Return a note when fewer than MIN_PATIENTS patients are positive or negative, or ""."""
    short = [
        f"{n} {kind} patient{'' if n == 1 else 's'}"
        for n, kind in ((pos_patients, "positive"), (neg_patients, "negative"))
        if n < MIN_PATIENTS
    ]
    return " and ".join(short) if short else ""


def macro(
    measured: Influence, only: Sequence[str] | None = None, single: pd.DataFrame | None = None
) -> dict[str, object]:
    """Return the row "macro" of `by_label`: the mean AUROC over labels, with its interval over patients.

    Args:
        measured: from `measure`.
        only: labels to average; None: every label whose AUROC has a standard error (two patients of each class).
        single: what `table_of(measured)` gave, when it is there already.

    Returns:
        A dict with COLUMNS; `labels` lists, comma-separated, what was averaged, `note` what was left out and why.
        n_pos and pos_patients count images and patients positive for any of those labels, n_neg negative for any.
    """
    single = table_of(measured) if single is None else single
    wanted = single["label"].isin(measured.labels if only is None else list(only))
    usable = wanted & single["se"].notna()
    used = np.flatnonzero(usable.to_numpy())
    left_out = single[wanted & ~usable]
    note = "; ".join(
        f"without {row.label} ({row.why_nan or 'fewer than two patients of a class'})"
        for row in left_out.itertuples()
    )
    y, patient = measured.y_true[:, used], measured.patient
    pos, neg = (y == 1).any(axis=1), (y == 0).any(axis=1)
    counts = {
        "n_pos": int(pos.sum()), "n_neg": int(neg.sum()), "n_patients": len(np.unique(patient[pos | neg])),
        "pos_patients": len(np.unique(patient[pos])), "neg_patients": len(np.unique(patient[neg])),
        "n_unscored": int(measured.n_unscored.max(initial=0)),
    }  # fmt: skip
    names = ", ".join(measured.labels[j] for j in used)
    row = {"label": MACRO, "why_nan": "", "interval": "", "note": note, "labels": names, **counts}
    if not len(used):
        nothing = dict.fromkeys(("auroc", "low", "high", "se"), np.nan)
        return row | nothing | {"why_nan": "no label has two positive and two negative patients"}
    theta, phi = float(measured.theta[used].mean()), measured.phi[:, used].mean(axis=1)
    se, carriers = spread_of_mean(phi, patient)
    pairs = int(single.loc[usable, ["pos_patients", "neg_patients"]].to_numpy().min())
    low, high, kind = interval.of_share(theta, se, pairs=pairs, carriers=carriers)
    return row | {"auroc": theta, "low": low, "high": high, "se": se, "interval": kind}


def spread_of_mean(phi: np.ndarray, patient: np.ndarray) -> tuple[float, float]:
    """Return (standard error, effective patients behind it) of any estimate with row influences `phi` (N,)."""
    squared = np.bincount(patient, phi) ** 2
    n = np.count_nonzero(np.bincount(patient, phi != 0))
    total = squared.sum()
    if n < 2:
        return np.nan, np.nan
    if total <= 0:
        return 0.0, 0.0
    return float(np.sqrt(n / (n - 1) * total)), float(total**2 / np.dot(squared, squared))
