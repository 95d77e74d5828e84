"""Which mistakes come together: rows that are wrong about one label and about another.

In:    Predictions, a threshold set.
Out:   one row a pair of labels and kinds of mistake.
Never: why.
"""

import itertools

import numpy as np
import pandas as pd

from cxrlab.metrics import agreement, gap
from cxrlab.metrics.interval import MIN_PATIENTS
from cxrlab.metrics.thresholds import ThresholdSet
from cxrlab.predictions import Predictions
from cxrlab.report import rows

KINDS = {"FN": 1, "FP": 0}
COLUMNS = (
    "label", "kind", "other", "other_kind", "both", "expected", "ratio", "phi", "p", "p_holm", "n_label", "n_other",
    "n", "why_nan",
)  # fmt: skip


def co_errors(predictions: Predictions, thresholds: ThresholdSet, label: str | None = None) -> pd.DataFrame:
    """Return how often two labels are wrong on the same image.

    A missed label (FN) can only be missed where it is there, a false alarm (FP) only where it is not, so each pair is
    counted among the images where both mistakes were possible.

    Args:
        predictions: of one site; test and external rows count.
        thresholds: labels without one are left out.
        label: only pairs with this one, and p_holm over these; None: all pairs.

    Returns:
        COLUMNS, the strongest first; phi and p are NaN, and why_nan says so, below 10 patients with
        or without either mistake. both: images wrong in both ways; n_label, n_other: wrong in one way among the n
        images; expected: n_label · n_other / n, as if one mistake knew nothing of the other; ratio: both / expected;
        phi: correlation of the two mistakes, p over patients, p_holm over all pairs.
    """
    labels = [label for label in predictions.labels if not np.isnan(thresholds.of(label))]
    of = {label: rows.column(predictions, label) for label in labels}
    out = []
    masks = {
        (label, kind): of[label].known & (of[label].y == y) for label in labels for kind, y in KINDS.items()
    }
    called = {label: of[label].score >= thresholds.of(label) for label in labels}
    for (a, kind), (b, other) in itertools.combinations(itertools.product(labels, KINDS), 2):
        if a == b or label not in (None, a, b):
            continue
        can = np.flatnonzero(masks[a, kind] & masks[b, other])
        wrong_a, wrong_b = (
            (called[name][can] != (which == "FN")).astype(float) for name, which in ((a, kind), (b, other))
        )
        n, n_a, n_b, both = len(wrong_a), int(wrong_a.sum()), int(wrong_b.sum()), int(wrong_a @ wrong_b)
        expected = n_a * n_b / n if n else np.nan
        patient = of[a].patient[can]
        why, phi, p = _too_few(wrong_a, wrong_b, patient), np.nan, np.nan
        if not why:
            phi, p = agreement.correlation(wrong_a, wrong_b, patient)
        ratio = both / expected if expected and expected > 0 else np.nan
        out.append((a, kind, b, other, both, expected, ratio, phi, p, np.nan, n_a, n_b, n, why))
    table = pd.DataFrame(out, columns=list(COLUMNS))
    table["p_holm"] = gap.holm(table["p"].to_numpy(np.float64))
    return table.sort_values("phi", ascending=False, na_position="last", kind="stable").reset_index(drop=True)


def _too_few(a: np.ndarray, b: np.ndarray, patient: np.ndarray) -> str:
    """Return why the correlation of two mistakes cannot be told, or ""."""
    if not len(a):
        return "no image can be wrong in both ways"
    least = min(
        np.count_nonzero(np.bincount(patient[wrong == value])) for wrong in (a, b) for value in (0, 1)
    )
    return f"{least} patients with or without one of the mistakes" if least < MIN_PATIENTS else ""
