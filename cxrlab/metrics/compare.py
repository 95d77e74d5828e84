"""Comparisons beyond one gap: two models on the same rows, the difference of two gaps, part of the ROC curve.

In:    influence values (influence.measure) of the things compared.
Out:   a difference with interval and p, over patients.
Never: which model is better for a purpose; files.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from cxrlab.metrics import influence, interval
from cxrlab.metrics.auroc import MACRO
from cxrlab.metrics.gap import holm
from cxrlab.metrics.influence import Influence
from cxrlab.metrics.rules import cuts


@dataclass(frozen=True)
class Difference:
    """a - b with its 95 % interval over patients and two-sided p; NaN with why_nan when undefined."""

    value: float
    low: float
    high: float
    p: float
    se: float
    why_nan: str = ""


UNDEFINED = "undefined in one of the two, or fewer than two patients of a class"


def difference_of(value: float, variance: float, df: float) -> Difference:
    """Return a Difference of an estimate whose standard error has `df` degrees of freedom."""
    if np.isnan(value) or np.isnan(variance):
        return Difference(np.nan, np.nan, np.nan, np.nan, np.nan, UNDEFINED)
    se = float(np.sqrt(variance))
    if se == 0:  # the same scores twice: no difference, and no doubt about it
        same = value == 0
        return Difference(value, value, value, 1.0 if same else np.nan, 0.0, "" if same else "no variance")
    half = interval.t_quantile(df) * se
    return Difference(
        value, value - half, value + half, float(2 * special.stdtr(max(df, 1), -abs(value) / se)), se
    )


def _same_rows(a: Influence, b: Influence) -> None:
    if a.labels != b.labels or a.y_true.shape != b.y_true.shape or not np.array_equal(a.patient, b.patient):
        raise ValueError("the two were not measured on the same rows, labels and patients")


def paired(a: Influence, b: Influence) -> pd.DataFrame:
    """Compare two models on the same rows, label by label, then their means over labels ("macro").

    Args:
        a: one model's, from influence.measure.
        b: another's on the same rows. A row that only one of them scored cannot be paired: measure both on the rows
            that both scored (`both_scored`).

    Returns:
        label, a, b, difference (a - b), low, high, p, se, p_holm (over labels, macro apart), why_nan.

    Raises:
        ValueError: rows, labels, patients or truths differ.

    Source: DeLong 1988 for the pairing, Obuchowski 1997 for patients.
    """
    _same_rows(a, b)
    if not np.array_equal(a.y_true, b.y_true, equal_nan=True):
        raise ValueError(
            "the two have different truths or scored different rows; measure them on both_scored rows"
        )
    rows = []
    firm = []
    for j, label in enumerate(a.labels):
        variance, carriers = influence.spread(a.phi[:, j] - b.phi[:, j], a.y_true[:, j], a.patient)
        found = difference_of(float(a.theta[j] - b.theta[j]), variance, 2 * carriers - 2)
        rows.append(
            {"label": label, "a": a.theta[j], "b": b.theta[j], "difference": found.value, **_ends(found)}
        )
        firm += [j] if not found.why_nan else []
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy())
    if firm:
        phi = (a.phi[:, firm] - b.phi[:, firm]).mean(axis=1)
        se, carriers = influence.spread_of_mean(phi, a.patient)
        means = a.theta[firm].mean(), b.theta[firm].mean()
        found = difference_of(float(means[0] - means[1]), se**2, 2 * carriers - 2)
        row = {"label": MACRO, "a": means[0], "b": means[1], "difference": found.value, **_ends(found)}
        table = pd.concat([table, pd.DataFrame([row | {"p_holm": found.p}])], ignore_index=True)
    return table


def _ends(found: Difference) -> dict[str, float | str]:
    return {"low": found.low, "high": found.high, "p": found.p, "se": found.se, "why_nan": found.why_nan}


def both_scored(score_a: np.ndarray, score_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both scores, same shape, with NaN wherever either is NaN."""
    hole = np.isnan(score_a) | np.isnan(score_b)
    return np.where(hole, np.nan, score_a), np.where(hole, np.nan, score_b)


def gap_difference(
    a_home: Influence, b_home: Influence, a_there: Influence, b_there: Influence, label: str
) -> Difference:
    """Return (gap of model a) - (gap of model b) on `label`: which of two loses more on the way.

    At each site the models are paired on the same rows; the sites are independent.

    Raises:
        ValueError: the two models were not measured on the same rows of a site.
    """
    value, variance, parts = 0.0, 0.0, []
    for sign, a, b in ((1, a_home, b_home), (-1, a_there, b_there)):
        _same_rows(a, b)
        j = a.labels.index(label)
        one, carriers = influence.spread(a.phi[:, j] - b.phi[:, j], a.y_true[:, j], a.patient)
        value += sign * float(a.theta[j] - b.theta[j])
        variance += one
        parts.append((one, max(2 * carriers - 2, 1)))
    # Welch-Satterthwaite: the degrees of freedom of a sum of two variances.
    rest = sum(one**2 / df for one, df in parts)
    return difference_of(value, variance, variance**2 / rest if rest > 0 else np.inf)


def partial_auroc(y_true: np.ndarray, score: np.ndarray, max_fpr: float) -> float:
    """Return the area under the ROC curve up to `max_fpr`, standardised so that chance is .5 and perfect is 1.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,); a row with NaN is left out.
        max_fpr: in (0, 1].

    Returns:
        NaN when a class is absent.

    Source: McClish 1989, doi:10.1177/0272989X8900900307.
    """
    cut = cuts(y_true, score)
    if cut is None:
        return np.nan
    fpr, tpr = np.append(0, cut.fp / cut.n_neg), np.append(0, cut.sensitivity)
    stop = int(np.searchsorted(fpr, max_fpr, side="right"))
    at_stop = np.interp(max_fpr, fpr, tpr) if stop < len(fpr) else tpr[-1]
    area = np.trapezoid(np.append(tpr[:stop], at_stop), np.append(fpr[:stop], max_fpr))
    chance = max_fpr**2 / 2
    return float((1 + (area - chance) / (max_fpr - chance)) / 2)
