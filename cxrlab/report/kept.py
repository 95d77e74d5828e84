"""One run at one site, measured once and kept: what it takes to put it beside any other run at the next click.

In:    Predictions.
Out:   patients' summed influence on every label; panels made of several of these.
Never: rows; a panel of runs that were judged on different rows (`report.panel` finds what they share).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlab.metrics import auroc, influence
from cxrlab.metrics.auroc import MACRO
from cxrlab.metrics.panel import Panel
from cxrlab.predictions import Predictions
from cxrlab.report import matrix
from cxrlab.report.performance import judged


@dataclass(frozen=True)
class Kept:
    """L labels, P patients: 8 L P bytes, where the rows would take hundreds of times as many.

    rows, truths: digests of the judged images and, a label each, of what is true of them and scored. pos, neg: (P, L)
    float32, as in Panel. counts: (L, 5) positive, negative, any patients and positive, negative images. any_class:
    images with a positive, and with a negative, of any supported label.
    """

    condensed: matrix.Condensed
    labels: tuple[str, ...]
    rows: str
    truths: tuple[str, ...]
    theta: np.ndarray
    pos: np.ndarray
    neg: np.ndarray
    counts: np.ndarray
    any_class: tuple[int, int]

    @property
    def supported(self) -> np.ndarray:
        """Indices of the labels with two patients of each class."""
        return np.flatnonzero(self.counts[:, :2].min(axis=1) >= 2) if len(self.labels) else np.arange(0)


def keep(predictions: Predictions) -> Kept:
    """Measure all labels of one run at one site; test rows at home, all elsewhere."""
    here = judged(predictions)
    patients = here.table["patient_id"].to_numpy()
    measured = auroc.measure(here.y_true(), here.logit(), patients, here.labels)
    y, n, many = measured.y_true, measured.n_patients, len(here.labels)
    pos, neg = np.zeros((n, many), np.float32), np.zeros((n, many), np.float32)
    counts = np.zeros((many, 5), int)
    for j in range(many):
        for side, value in ((pos, 1), (neg, 0)):
            of = y[:, j] == value
            side[:, j] = np.bincount(measured.patient[of], measured.phi[of, j], n)
        has_pos, has_neg = influence.patients_with(y[:, j], measured.patient)
        either = int((has_pos | has_neg).sum())
        counts[j] = has_pos.sum(), has_neg.sum(), either, (y[:, j] == 1).sum(), (y[:, j] == 0).sum()
    known = y[:, np.flatnonzero(counts[:, :2].min(axis=1) >= 2)] if many else y
    any_class = int((known == 1).any(axis=1).sum()), int((known == 0).any(axis=1).sum())
    truth = np.where(np.isnan(here.logit()), np.nan, here.y_true())
    said = np.where(np.isnan(truth), 2, truth).astype(np.int8)
    truths = tuple(_digest(np.ascontiguousarray(said[:, j])) for j in range(many))
    names = [pd.util.hash_array(here.table[name].to_numpy(object)) for name in ("image_id", "patient_id")]
    return Kept(
        matrix.condense(predictions), here.labels, _digest(*names), truths, measured.theta, pos, neg, counts,
        any_class,
    )  # fmt: skip


def _digest(*arrays: np.ndarray) -> str:
    made = hashlib.blake2b(digest_size=16)
    for array in arrays:
        made.update(array.tobytes())
    return made.hexdigest()


def panel(names: Sequence[str], runs: Sequence[Kept], label: str = MACRO) -> Panel | None:
    """Put runs side by side at one site, as `report.panel` does, to float32's digits.

    Args:
        names: M.
        runs: M, of one site.
        label: one label, or "macro".

    Returns:
        None where the runs were not judged on the same images with the same truths, or, for the mean, do not score the
        same labels: then the rows have to be compared.
    """
    first = runs[0]
    if any(one.rows != first.rows for one in runs[1:]):
        return None
    if label == MACRO:
        if any((one.labels, one.truths) != (first.labels, first.truths) for one in runs[1:]):
            return None
        return _mean(tuple(names), runs)
    if any(label not in one.labels for one in runs):
        return None
    at = [one.labels.index(label) for one in runs]
    if len({one.truths[j] for one, j in zip(runs, at, strict=True)}) > 1:
        return None
    pos, neg = (
        np.column_stack([getattr(one, side)[:, j].astype(float) for one, j in zip(runs, at, strict=True)])
        for side in ("pos", "neg")
    )
    theta = np.array([one.theta[j] for one, j in zip(runs, at, strict=True)])
    pos_patients, neg_patients, either, n_pos, n_neg = map(int, first.counts[at[0]])
    patients = pos_patients, neg_patients, either
    few = "fewer than two patients of a class" if min(patients[:2]) < 2 else ""
    if few:
        pos, neg = np.zeros_like(pos), np.zeros_like(neg)
    return Panel(tuple(names), label, (label,), theta, pos, neg, patients, n_pos, n_neg, few)


def _mean(names: tuple[str, ...], runs: Sequence[Kept]) -> Panel | None:
    first = runs[0]
    at = first.supported
    if not len(at):
        return None
    labels = tuple(first.labels[j] for j in at)
    theta = np.array([one.theta[at].mean() for one in runs])
    sums = np.column_stack([(one.pos[:, at] + one.neg[:, at]).mean(axis=1, dtype=float) for one in runs])
    alive = int((sums != 0).any(axis=1).sum())
    return Panel(names, MACRO, labels, theta, sums, np.zeros_like(sums), (alive, 0, alive), *first.any_class)
