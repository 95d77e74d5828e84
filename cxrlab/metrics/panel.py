"""Several models on the same rows of one site: what it takes to compare all of them at once.

In:    influence values of each model, measured on the same rows.
Out:   one number a model, every pairwise difference, their joint doubt.
Never: rows of two sites in one panel; which model is better for a purpose.

A panel keeps a patient's summed influence, not the rows', so that twelve models can be compared pair by pair at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cxrlab.metrics import influence, interval
from cxrlab.metrics.auroc import MACRO
from cxrlab.metrics.compare import Difference, difference_of
from cxrlab.metrics.influence import Influence


@dataclass(frozen=True)
class Panel:
    """M models, P patients, one label or the mean over `labels`.

    theta: (M,) AUROC. pos, neg: (P, M), the patient's influence through positive and through negative images; of a
    mean over labels everything is in pos. n_pos, n_neg: images; patients: (positive, negative, any), for the mean
    (any, 0, any). why_nan: why all are undefined.
    """

    names: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    theta: np.ndarray
    pos: np.ndarray
    neg: np.ndarray
    patients: tuple[int, int, int]
    n_pos: int
    n_neg: int
    why_nan: str = ""
    _spreads: dict[tuple[int, int | None], tuple[float, float]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def _weights(self) -> np.ndarray:
        """Return the small-sample factors of (positive, negative, cross) products."""
        return np.array([n / (n - 1) if n > 1 else 0.0 for n in self.patients])

    def covariance(self) -> np.ndarray:
        """Return (M, M), the covariance of the models' numbers over patients; NaN when undefined."""
        if self.why_nan:
            return np.full((len(self.names),) * 2, np.nan)
        a, b, c = self._weights()
        cross = self.pos.T @ self.neg
        return a * self.pos.T @ self.pos + b * self.neg.T @ self.neg + c * (cross + cross.T)

    def spread(self, i: int, j: int | None = None) -> tuple[float, float]:
        """Return (variance, effective patients) of model i, or of model i minus model j."""
        if (i, j) not in self._spreads:  # a pair is asked for at its site and again in every gap
            self._spreads[i, j] = self._measure_spread(i, j)
        return self._spreads[i, j]

    def _measure_spread(self, i: int, j: int | None) -> tuple[float, float]:
        if self.why_nan:
            return np.nan, np.nan
        pos, neg = self.pos[:, i], self.neg[:, i]
        if j is not None:
            pos, neg = pos - self.pos[:, j], neg - self.neg[:, j]
        a, b, c = self._weights()
        variance = a * (pos @ pos) + b * (neg @ neg) + 2 * c * (pos @ neg)
        squared = (pos + neg) ** 2
        total = squared.sum()
        if variance <= 0 or total <= 0:
            return 0.0, 0.0
        return float(variance), float(total**2 / (squared @ squared))

    def difference(self, i: int, j: int) -> Difference:
        """Return model i minus model j, paired on rows."""
        variance, carriers = self.spread(i, j)
        return difference_of(float(self.theta[i] - self.theta[j]), variance, 2 * carriers - 2)

    def ends(self, i: int) -> tuple[float, float]:
        """Return the 95 % interval of model i over patients."""
        variance, carriers = self.spread(i)
        pairs = min(n for n in self.patients if n) if any(self.patients) else 0
        return interval.of_share(
            float(self.theta[i]), float(np.sqrt(variance)), pairs=pairs, carriers=carriers
        )[:2]


def panel(names: Sequence[str], measured: Sequence[Influence], label: str = MACRO) -> Panel:
    """Put models side by side.

    Args:
        names: M models.
        measured: of each, on the same rows with the same truths (a row counts where all of them scored it).
        label: one of their labels, or "macro" for the mean over labels with two patients of each class.

    Raises:
        ValueError: rows, labels or truths differ.
    """
    first = measured[0]
    for other in measured[1:]:
        if other.labels != first.labels or not np.array_equal(other.y_true, first.y_true, equal_nan=True):
            raise ValueError("the models were not measured on the same rows with the same truths")
    if label != MACRO:
        return _of_label(tuple(names), measured, label)
    supported = [j for j in range(len(first.labels)) if min(_patients(first, j)[:2]) >= 2]
    known = first.y_true[:, supported]
    counts = int((known == 1).any(axis=1).sum()), int((known == 0).any(axis=1).sum())
    labels = tuple(first.labels[j] for j in supported)
    n, m = first.n_patients, len(names)
    if not supported:
        why = "no label has two positive and two negative patients"
        nothing = np.zeros((n, m))
        return Panel(tuple(names), label, (), np.full(m, np.nan), nothing, nothing, (0, 0, 0), *counts, why)
    theta = np.array([one.theta[supported].mean() for one in measured])
    any_ = np.column_stack(
        [np.bincount(one.patient, one.phi[:, supported].mean(axis=1), n) for one in measured]
    )
    alive = int((any_ != 0).any(axis=1).sum())
    return Panel(tuple(names), label, labels, theta, any_, np.zeros_like(any_), (alive, 0, alive), *counts)


def _patients(one: Influence, j: int) -> tuple[int, int, int]:
    pos, neg = influence.patients_with(one.y_true[:, j], one.patient)
    return int(pos.sum()), int(neg.sum()), int((pos | neg).sum())


def _of_label(names: tuple[str, ...], measured: Sequence[Influence], label: str) -> Panel:
    first = measured[0]
    j, n = first.labels.index(label), first.n_patients
    y, patients = first.y_true[:, j], _patients(first, j)
    counts = int((y == 1).sum()), int((y == 0).sum())
    theta = np.array([one.theta[j] for one in measured])
    if min(patients[:2]) < 2:
        why, nothing = "fewer than two patients of a class", np.zeros((n, len(names)))
        return Panel(names, label, (label,), theta, nothing, nothing, patients, *counts, why)
    sides = []
    for is_side in (y == 1, y == 0):
        who = first.patient[is_side]
        sides.append(np.column_stack([np.bincount(who, one.phi[is_side, j], n) for one in measured]))
    return Panel(names, label, (label,), theta, *sides, patients, *counts)
