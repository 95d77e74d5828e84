"""Which rows count, and one label's columns of them, without copying a whole table.

In:    Predictions.
Out:   arrays of one label; several runs on the rows that they share.
Never: numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from cxrlab.errors import BadInput
from cxrlab.metrics.influence import codes_of
from cxrlab.predictions import Predictions

JUDGED = ("test", "external")
VAL = ("val",)


@dataclass(frozen=True)
class Column:
    """One label of some rows: y (N,) of 0, 1, NaN; logit (N,); patient (N,) int codes; at (N,) rows of the table."""

    y: np.ndarray
    logit: np.ndarray
    patient: np.ndarray
    at: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """(N,) the sigmoid of the logits."""
        return expit(self.logit)

    @property
    def known(self) -> np.ndarray:
        """(N,) bool: truth and score are there."""
        return ~(np.isnan(self.y) | np.isnan(self.logit))


def check_label(predictions: Predictions, label: str) -> None:
    """Raise BadInput unless the run scored `label` at this site."""
    if label not in predictions.labels:
        raise BadInput(
            f"run {predictions.run_id} gave no scores of {label!r} at {predictions.site}; "
            f"choose one of: {', '.join(predictions.labels) or 'none, it is an autoencoder'}."
        )


def column(predictions: Predictions, label: str, splits: tuple[str, ...] = JUDGED) -> Column:
    """Return one label of the rows of `splits`. Raises BadInput for a label without scores."""
    check_label(predictions, label)
    table = predictions.table
    at, patient = _rows_of(predictions, splits)
    y, logit = (table[f"{kind}:{label}"].to_numpy(np.float64) for kind in ("y", "logit"))
    if len(at) < len(table):
        y, logit = y[at], logit[at]
    return Column(y, logit, patient, at)


def _rows_of(predictions: Predictions, splits: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return (at, patient) of Column, worked out once: names are slow to compare."""
    key = ("report.rows", splits)
    if key not in predictions.kept:
        table = predictions.table
        at = np.flatnonzero(table["split"].isin(splits).to_numpy())
        patient = codes_of(table["patient_id"].to_numpy()[at])
        for array in (at, patient):
            array.setflags(write=False)  # shared by whoever asks
        predictions.kept[key] = at, patient
    return predictions.kept[key]


def is_home(predictions: Predictions) -> bool:
    """Return whether the run was trained at this site: its rows then have splits."""
    return bool((predictions.table["split"] != "external").any())


def together(runs: Sequence[Predictions]) -> list[Predictions]:
    """Return the judged rows that all runs share, in one order, with the labels that all score.

    A label's truth counts where all runs hold the same one (label policies can differ), and its score where all gave
    one; elsewhere both are NaN.

    Raises:
        BadInput: another site among them, no label or no image in common.
    """
    from cxrlab.report.performance import judged

    rows = [judged(one) for one in runs]
    first = rows[0]
    for other in rows[1:]:
        if other.site != first.site:
            raise BadInput(
                f"{first.run_id} is of {first.site}, {other.run_id} of {other.site}; compare models at one site."
            )
    labels = [label for label in first.labels if all(label in other.labels for other in rows)]
    if not labels:
        raise BadInput(f"the runs compared at {first.site} have no label in common.")
    images = first.table["image_id"].to_numpy(object)
    if not all(np.array_equal(images, other.table["image_id"].to_numpy(object)) for other in rows[1:]):
        shared = set(images).intersection(*(other.table["image_id"] for other in rows[1:]))
        if not shared:
            raise BadInput(
                f"the runs compared at {first.site} have no image in common among the rows that count."
            )
        rows = [_in_order(one, shared) for one in rows]
    tables = [
        one.table[["image_id", "row", "patient_id", "split", "age_years", "sex", "view"]] for one in rows
    ]
    made: list[dict[str, np.ndarray]] = [{} for _ in rows]
    for label in labels:
        truths = [one.table[f"y:{label}"].to_numpy(np.float64) for one in rows]
        said = [one.table[f"logit:{label}"].to_numpy(np.float64) for one in rows]
        hole = np.isnan(np.array(said)).any(axis=0)
        for other in truths[1:]:
            hole |= other != truths[0]  # NaN differs from everything, itself too
        for columns, scores in zip(made, said, strict=True):
            columns[f"y:{label}"] = np.where(hole, np.nan, truths[0])
            columns[f"logit:{label}"] = np.where(hole, np.nan, scores)
    return [
        Predictions(
            pd.concat([tables[0], pd.DataFrame(columns)], axis=1), one.run_id, one.site, one.spec_digest,
            one.store_digest, one.cxrlab_version, one.synthetic,
        )
        for one, columns in zip(rows, made, strict=True)
    ]  # fmt: skip


def _in_order(one: Predictions, shared: set[str]) -> Predictions:
    kept = one.where(one.table["image_id"].isin(shared).to_numpy())
    order = np.argsort(kept.table["image_id"].to_numpy(object), kind="stable")
    table = kept.table.iloc[order].reset_index(drop=True)
    return Predictions(
        table, one.run_id, one.site, one.spec_digest, one.store_digest, one.cxrlab_version, one.synthetic
    )
