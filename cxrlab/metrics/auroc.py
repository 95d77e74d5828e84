"""AUROC with intervals over patients.

In:    truths (0, 1, NaN masked), scores on any monotone scale, patient ids.
Out:   estimates with their support, and the influence values that every comparison is built on.
Never: thresholds, files, torch; a number where a class is absent.

Rows whose truth or score is NaN are left out, label by label; `n_unscored` counts the second kind.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrlab.metrics import influence, interval
from cxrlab.metrics.influence import Influence, codes_of, measure
from cxrlab.metrics.interval import MIN_PATIENTS

COLUMNS = (
    "label", "auroc", "low", "high", "n_pos", "n_neg", "why_nan", "se", "n_patients", "pos_patients",
    "neg_patients", "n_unscored", "interval", "note", "labels",
)  # fmt: skip
MACRO = "macro"
__all__ = [
    "Influence",
    "auroc",
    "by_label",
    "codes_of",
    "delong_variance",
    "few",
    "macro",
    "measure",
    "table_of",
]


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
    return influence.of_rows(y_true, score, weight)[0]


def delong_variance(y_true: np.ndarray, score: np.ndarray) -> float:
    """Return DeLong's variance of an AUROC, as if each row were its own patient; NaN below two of a class.

    Shown beside ours to say what ignoring patients would have given; not used for intervals.
    """
    theta, phi = influence.of_rows(y_true, score)
    if np.isnan(theta):
        return np.nan
    y = np.where(np.isnan(np.asarray(score, np.float64)), np.nan, np.asarray(y_true, np.float64))
    return influence.clustered_variance(phi, y, np.arange(len(y)))


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
    has_pos, has_neg = influence.patients_with(y, patient)
    pos, neg, n_patients = (int(np.count_nonzero(who)) for who in (has_pos, has_neg, has_pos | has_neg))
    n_pos, n_neg = int((y == 1).sum()), int((y == 0).sum())
    variance, carriers = influence.spread(phi, y, patient) if n_pos and n_neg else (np.nan, np.nan)
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
        only: labels to average, where they have a standard error (two patients of each class); None: every label with
            MIN_PATIENTS of each class, or, where none has, every label with a standard error. One label with a handful
            of positives would otherwise make the mean of eight firm ones unknowable.
        single: what `table_of(measured)` gave, when it is there already.

    Returns:
        A dict with COLUMNS; `labels` lists, comma-separated, what was averaged, `note` what was left out and why.
        n_pos and pos_patients count images and patients positive for any of those labels, n_neg negative for any.
    """
    single = table_of(measured) if single is None else single
    wanted = single["label"].isin(measured.labels if only is None else list(only))
    usable = wanted & single["se"].notna()
    firm = usable & (single[["pos_patients", "neg_patients"]].min(axis=1) >= MIN_PATIENTS)
    if only is None and firm.any():
        usable = firm
    used = np.flatnonzero(usable.to_numpy())
    left_out = single[wanted & ~usable]
    note = "; ".join(
        f"without {row.label} ({row.why_nan or row.note or 'fewer than two patients of a class'})"
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
    se, carriers = influence.spread_of_mean(phi, patient)
    pairs = int(single.loc[usable, ["pos_patients", "neg_patients"]].to_numpy().min())
    low, high, kind = interval.of_share(theta, se, pairs=pairs, carriers=carriers)
    return row | {"auroc": theta, "low": low, "high": high, "se": se, "interval": kind}
