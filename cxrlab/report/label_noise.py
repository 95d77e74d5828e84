"""What a second reader does to the numbers: the same scores against two truths.

In:    Predictions with another truth of a label (predictions.OTHER), or one made from a property.
Out:   AUROC against each truth on the same rows, their difference, and how far the two truths agree.
Never: which truth is right.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.metrics import agreement, auroc, compare, influence
from cxrlab.predictions import GROUP, OTHER, Predictions
from cxrlab.report import rows

FIRST = "the site's own"
COLUMNS = (
    "label", "reader", "auroc_own", "own_low", "own_high", "auroc_reader", "reader_low", "reader_high", "difference",
    "low", "high", "p", "kappa", "kappa_low", "kappa_high", "both", "own_only", "reader_only", "neither", "n",
    "n_patients", "why_nan", "why_kappa",
)  # fmt: skip


def truth_of(
    predictions: Predictions, group: str, present: Sequence[str], absent: Sequence[str] | None = None
) -> np.ndarray:
    """Return (N,) of 0, 1 and NaN made from a property's words.

    Args:
        predictions: with the column group:<group>.
        group: the property's name.
        present: words that mean 1.
        absent: words that mean 0; None: every other word. A blank is NaN.

    Raises:
        BadInput: there is no such property.
    """
    if group not in predictions.groups:
        known = ", ".join(predictions.groups) or "none"
        raise BadInput(f"{predictions.site} has no property {group!r}; it has: {known}.")
    text = predictions.table[GROUP + group].to_numpy(object)
    out = np.where((text != "") & (absent is None), 0.0, np.nan)
    out[np.isin(text, list(absent or ()))] = 0
    out[np.isin(text, list(present))] = 1
    return out


def label_noise(
    predictions: Predictions, label: str, others: dict[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """Return one row a reader: the run's scores of `label` against the site's own truth and against the reader's.

    Args:
        predictions: of one site; test and external rows count.
        label: one of its labels.
        others: reader → (N,) truth of every row; None: those in the file.

    Returns:
        COLUMNS. All on the rows where both truths and the score are known. difference: AUROC against the reader minus
        against the own truth, paired on rows, interval over patients. kappa: agreement of the truths (metrics.agreement).
    """
    here = rows.column(predictions, label)
    if others is None:
        named = [reader for reader, labels in predictions.readers.items() if label in labels]
        others = {
            reader: predictions.table[f"{OTHER}{reader}:{label}"].to_numpy(np.float64) for reader in named
        }
    out = [
        {"label": label, "reader": reader, **_one(here, truth[here.at])} for reader, truth in others.items()
    ]
    return pd.DataFrame(out, columns=list(COLUMNS))


def _one(here: rows.Column, truth: np.ndarray) -> dict[str, object]:
    both = here.known & ~np.isnan(truth)
    own, other, patient = here.y[both], truth[both], here.patient[both]
    # Two "labels" of the same scores: the influence of a row on either AUROC, side by side.
    score = here.logit[both]
    measured = auroc.measure(
        np.column_stack([own, other]), np.column_stack([score] * 2), patient, ["own", "reader"]
    )
    table = auroc.table_of(measured)
    row: dict[str, object] = {"n": int(both.sum()), "n_patients": len(np.unique(patient))}
    for i, (value, prefix) in enumerate((("auroc_own", "own"), ("auroc_reader", "reader"))):
        single = table.iloc[i]
        row |= {value: single["auroc"], f"{prefix}_low": single["low"], f"{prefix}_high": single["high"]}
    row["why_nan"] = "; ".join(
        f"{name}: {why}" for name, why in zip((FIRST, "the reader's"), table["why_nan"], strict=True) if why
    )
    nan = dict.fromkeys(("difference", "low", "high", "p"), np.nan)
    if row["why_nan"]:
        row |= nan
    else:
        se, carriers = influence.spread_of_mean(measured.phi[:, 1] - measured.phi[:, 0], patient)
        found = compare.difference_of(float(measured.theta[1] - measured.theta[0]), se**2, 2 * carriers - 2)
        row |= {"difference": found.value, "low": found.low, "high": found.high, "p": found.p}
    agree = agreement.measure(own, other, patient)
    row |= {
        "kappa": agree.kappa,
        "kappa_low": agree.low,
        "kappa_high": agree.high,
        "why_kappa": agree.why_nan,
    }
    return row | {
        "both": agree.both, "own_only": agree.first_only, "reader_only": agree.second_only, "neither": agree.neither,
    }  # fmt: skip
