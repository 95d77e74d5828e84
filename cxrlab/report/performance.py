"""One site's performance, label by label.

In:    Predictions, a threshold set or none.
Out:   one row a label and the row "macro".
Never: comparison between sites.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics import auroc, binary
from cxrlab.metrics.interval import MIN_PATIENTS
from cxrlab.metrics.thresholds import ThresholdSet
from cxrlab.predictions import Predictions

COLUMNS = (
    "site", "label", "auroc", "low", "high", "auprc", "prevalence", "balanced_accuracy", "mcc", "f1",
    "sensitivity", "specificity", "ppv", "npv", "threshold", "n", "n_pos", "n_neg", "n_patients", "why_nan",
    "why_threshold", "interval", "note", "labels", "pos_patients", "neg_patients", "n_unscored", "se",
)  # fmt: skip
AT_THRESHOLD = ("auprc", *binary.NAMES, "threshold", "why_threshold")
UNTRAINED = "no label's interval leaves out .50: an untrained head would do as well here"


def judged(predictions: Predictions) -> Predictions:
    """Return the rows that performance is read from: test at home, all at an external site."""
    return predictions.only("test", "external")


def performance(predictions: Predictions, thresholds: ThresholdSet | None = None) -> pd.DataFrame:
    """Return one row a label, then "macro".

    Args:
        predictions: of one site, any splits; only test and external rows count.
        thresholds: gives the numbers at a threshold; without it, or where it has none for a label, they are NaN and
            why_threshold says so.

    Returns:
        COLUMNS. n: images with a truth and a score. why_nan: why auroc (and auprc) is undefined. `macro` averages
        each number over the labels listed in `labels`; its note names labels that a number had to leave out, and an
        untrained-looking head.
    """
    rows = judged(predictions)
    measured = auroc.measure(rows.y_true(), rows.logit(), rows.table["patient_id"].to_numpy(), rows.labels)
    ranks = auroc.table_of(measured)
    score = rows.score()
    more = [
        _at_threshold(measured.y_true[:, j], score[:, j], label, thresholds)
        for j, label in enumerate(rows.labels)
    ]
    numbers = pd.DataFrame(
        more, index=ranks.index, columns=list(AT_THRESHOLD)
    )  # an autoencoder has no labels
    table = pd.concat([ranks, numbers], axis=1)
    table["n"] = table["n_pos"] + table["n_neg"]
    table["prevalence"] = table["n_pos"] / table["n"].where(table["n"] > 0)
    table["site"] = predictions.site
    macro = _macro(auroc.macro(measured, single=ranks), table) | {"site": predictions.site}
    return pd.concat([table, pd.DataFrame([macro])], ignore_index=True)[list(COLUMNS)]


def _at_threshold(
    y_true: np.ndarray, score: np.ndarray, label: str, thresholds: ThresholdSet | None
) -> dict[str, float | str]:
    numbers = {"auprc": binary.average_precision(y_true, score), **dict.fromkeys(binary.NAMES, np.nan)}
    threshold = thresholds.of(label) if thresholds else np.nan
    numbers["threshold"] = threshold
    if np.isnan(threshold):
        why = thresholds.why_not(label) if thresholds else "no threshold set was chosen"
        return numbers | {"why_threshold": why}
    counts = binary.confusion(y_true, score, threshold)
    numbers |= {name: getattr(counts, name) for name in binary.NAMES}
    reasons = [f"{name.replace('_', ' ')}: {why}" for name in binary.NAMES if (why := counts.why_nan(name))]
    return numbers | {"why_threshold": "; ".join(reasons)}


def _macro(row: dict[str, object], table: pd.DataFrame) -> dict[str, object]:
    names = str(row["labels"]).split(", ") if row["labels"] else []
    used = table[table["label"].isin(names)]
    notes = [str(row["note"])] if row["note"] else []
    means: dict[str, float] = {}
    for name in ("auprc", "prevalence", *binary.NAMES):
        means[name] = used[name].mean() if len(used) else np.nan
        gone = used.loc[used[name].isna(), "label"]
        if 0 < len(gone) < len(used):
            notes.append(f"{name.replace('_', ' ')} without {', '.join(gone)}")
    if looks_untrained(table):
        notes.append(UNTRAINED)
    n = int(table["n"].max()) if len(table) else 0
    why = "a mean has no threshold; see the labels"
    return row | means | {"n": n, "threshold": np.nan, "why_threshold": why, "note": "; ".join(notes)}


def looks_untrained(table: pd.DataFrame) -> bool:
    """Say whether no label's AUROC interval leaves .5 out.

    Only labels with at least ten positive and ten negative patients count (with fewer, every interval is that wide);
    False without any.
    """
    supported = (table["pos_patients"] >= MIN_PATIENTS) & (table["neg_patients"] >= MIN_PATIENTS)
    known = table[(table["label"] != auroc.MACRO) & table["low"].notna() & supported]
    return len(known) > 0 and bool(((known["low"] <= 0.5) & (known["high"] >= 0.5)).all())
