"""Failures in the order a reader wants them, and all that the model said of one image.

In:    the rows of a map file, predictions, a threshold set.
Out:   tables.
Never: streamlit, files, pictures.
"""

import numpy as np
import pandas as pd

from cxrlab.predictions import Predictions
from cxrlab.ui import words

# What a reader chooses and a link says → the group in a map file.
GROUPS = {"missed": "FN", "false alarms": "FP", "surest": "sure"}
ORDERS = ("surest first", "highest score first", "lowest score first", "strongest map first")


def failures(rows: pd.DataFrame, tops: np.ndarray, label: str, group: str, order: str) -> pd.DataFrame:
    """Return the maps of one label and group, in order.

    Args:
        rows: (K, ...) of a map file: image_id, row, label, group, score, threshold, y.
        tops: (K,) raw maximum of each map, NaN where the map is empty.
        label: finding.
        group: a key of GROUPS.
        order: one of ORDERS.

    Returns:
        The rows with `k` (index of the map), `top`, and `margin` (|logit of score - logit of threshold|).
    """
    table = rows.assign(k=np.arange(len(rows)), top=tops)
    table = table[(table["label"] == label) & (table["group"] == GROUPS[group])].copy()
    table["margin"] = np.abs(_logit(table["score"]) - _logit(table["threshold"]))
    by, rising = {
        "surest first": ("margin", False),
        "highest score first": ("score", False),
        "lowest score first": ("score", True),
        "strongest map first": ("top", False),
    }[order]
    return table.sort_values([by, "image_id"], ascending=[rising, True]).reset_index(drop=True)


def _logit(p: pd.Series) -> pd.Series:
    inside = p.astype(float).clip(1e-7, 1 - 1e-7)
    return np.log(inside / (1 - inside))


def said(predictions: Predictions, image_id: str, thresholds: dict[str, float]) -> pd.DataFrame:
    """Return label, score, threshold (NaN: none) and y (1, 0, NaN: not labelled) of one image, all labels.

    An image that the predictions do not hold gives no rows.
    """
    at = np.flatnonzero((predictions.table["image_id"] == image_id).to_numpy())
    if not len(at):
        return pd.DataFrame(columns=["label", "score", "threshold", "y"])
    labels = predictions.labels
    return pd.DataFrame(
        {
            "label": labels,
            "score": predictions.score()[at[0]],
            "threshold": [thresholds.get(label, np.nan) for label in labels],
            "y": predictions.y_true()[at[0]],
        }
    )


def first_line(table: pd.DataFrame, site: str, label: str, group: str) -> str:
    """Say in computed facts what a set of failures is, empty maps included.

    Args:
        table: from `failures`.
        site: name.
        label: finding.
        group: a key of GROUPS.
    """
    if table.empty:
        return f"No map of this kind: at *{site}* no image was drawn as {group} for {label}."
    missed, n = int((table["y"] == 1).sum()), len(table)
    scores = f"{words.number(table['score'].min())} to {words.number(table['score'].max())}"
    cut = words.number(table["threshold"].iloc[0])
    kinds = []
    if missed:
        kinds.append(f"{words.count(missed, 'image')} with {label} that the model passed over")
    if n - missed:
        kinds.append(f"{words.count(n - missed, 'image')} without {label} that it called positive")
    line = f"At *{site}*: {words.listing(kinds)}; scores {scores}, threshold {cut}."
    empty = int(table["top"].isna().sum())
    if empty:
        line += (
            f" {empty} of the {n} maps {'is' if empty == 1 else 'are'} zero everywhere: nothing in the image raised "
            "the score, so nothing is drawn."
        )
    return line


def facts(predictions: Predictions, image_id: str) -> str:
    """Return what is known of an image's patient, as one line; what the site does not say is left out."""
    at = predictions.table[predictions.table["image_id"] == image_id]
    if at.empty:
        return ""
    row = at.iloc[0]
    said = [f"patient {row['patient_id']}"] if row["patient_id"] else []
    if words.is_known(row["age_years"]):
        said.append(f"{row['age_years']:.0f} years")
    said += [str(row[name]) for name in ("sex", "view") if row[name]]
    return ", ".join(said)


def neighbours(ids: list[str], chosen: str) -> tuple[str, str, int]:
    """Return (previous, next, place) of `chosen` in a list that closes into a ring; an unknown one is the first.

    >>> neighbours(["a", "b", "c"], "a")
    ('c', 'b', 0)
    """
    place = ids.index(chosen) if chosen in ids else 0
    return ids[place - 1], ids[(place + 1) % len(ids)], place
