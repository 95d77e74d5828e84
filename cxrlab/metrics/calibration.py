"""Do scores mean what they say: how often is a score of .3 right?

In:    truths and scores in [0, 1] of one label; patients for intervals.
Out:   reliability bins, ECE, Brier and its skill, slope and intercept; recalibrations fitted on home.
Never: ranks (auroc.py); thresholds; fitting on the rows that are judged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special

from cxrlab.metrics import share
from cxrlab.metrics.auroc import codes_of, few, why_undefined
from cxrlab.registry import Registry

BINS = 15  # methods.md section 3
OVERLAP = "no slope: a threshold separates the classes, so it has no finite value"
EDGE = 1e-7  # scores of exactly 0 and 1 have no log odds


def _known(y_true: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y_true, score = np.asarray(y_true, np.float64), np.asarray(score, np.float64)
    used = np.flatnonzero(~(np.isnan(y_true) | np.isnan(score)))
    return y_true[used], score[used], used


def log_odds(score: np.ndarray) -> np.ndarray:
    """Return log(score / (1 - score)), scores held EDGE away from 0 and 1."""
    return special.logit(np.clip(score, EDGE, 1 - EDGE))


def _bin_of(score: np.ndarray, bins: int) -> np.ndarray:
    """Return each row's equal-mass bin, (N,) int from 0 without holes; equal scores share one."""
    # Bin b begins at rank b * n / bins; a score is beyond it when it is above the score before that rank.
    starts = -(-np.arange(1, bins) * len(score) // bins)
    edges = np.sort(score)[starts[starts > 0] - 1]
    raw = np.searchsorted(edges, score)
    return (np.cumsum(np.bincount(raw) > 0) - 1)[raw]


def reliability(
    y_true: np.ndarray, score: np.ndarray, patient_id: np.ndarray, bins: int = BINS
) -> pd.DataFrame:
    """Return one row a bin of equal mass: what was said, what was seen, with its interval over patients.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,) in [0, 1]; a row with NaN is left out.
        patient_id: (N,).
        bins: at most; ties stay together.

    Returns:
        said (mean score), seen (share positive), low, high, n, n_patients; empty without rows. The interval is
        Wilson's with the number of images divided by the design effect of patients.
    """
    y, s, used = _known(y_true, score)
    if not len(y):
        return pd.DataFrame(columns=["said", "seen", "low", "high", "n", "n_patients"])
    where, patient = _bin_of(s, bins), codes_of(np.asarray(patient_id))[used]
    rows = []
    for b in range(where.max() + 1):
        here = where == b
        seen, low, high = share.of_patients(y[here], patient[here])
        n_patients = int(np.count_nonzero(np.bincount(patient[here])))
        rows.append((float(s[here].mean()), seen, low, high, int(here.sum()), n_patients))
    return pd.DataFrame(rows, columns=["said", "seen", "low", "high", "n", "n_patients"])


@dataclass(frozen=True)
class Calibration:
    """One label's calibration at one site; undefined numbers are NaN and why_nan says why.

    ece: Σ (share of rows) |seen - said| over equal-mass bins. brier: mean squared error; skill: 1 - brier over that of
    always saying the prevalence. slope: of a logistic regression on log odds (1: right, below 1: too sure).
    intercept: in the large, with slope 1 (0: right, below 0: says too much). said, seen: means over all rows.
    """

    ece: float
    brier: float
    skill: float
    slope: float
    intercept: float
    said: float
    seen: float
    n_pos: int
    n_neg: int
    why_nan: str = ""
    note: str = ""


def measure(y_true: np.ndarray, score: np.ndarray, bins: int = BINS) -> Calibration:
    """Measure the calibration of one label.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,) in [0, 1]; a row with NaN is left out.
        bins: of the ECE.
    """
    y, s, used = _known(y_true, score)
    n_pos, n_neg = int(y.sum()), int((1 - y).sum())
    unscored = int((~np.isnan(np.asarray(y_true, np.float64))).sum()) - len(used)
    why, nan = why_undefined(n_pos, n_neg, unscored), np.nan
    if not len(y):
        return Calibration(nan, nan, nan, nan, nan, nan, nan, 0, 0, why)
    where = _bin_of(s, bins)
    ece = float(np.abs(np.bincount(where, y - s)).sum() / len(y))
    brier, seen = float(np.mean((y - s) ** 2)), float(y.mean())
    if why:
        return Calibration(ece, brier, nan, nan, nan, float(s.mean()), seen, n_pos, n_neg, why)
    z = log_odds(s)
    slope = fit_platt(y, z)[0]
    return Calibration(
        ece, brier, 1 - brier / (seen * (1 - seen)), slope, fit_intercept(y, z), float(s.mean()), seen, n_pos, n_neg,
        "" if np.isfinite(slope) else "no slope: all scores are equal" if np.ptp(z) == 0 else OVERLAP,
        few(n_pos, n_neg).replace("patient", "image"),
    )  # fmt: skip


def _loss(y: np.ndarray, z: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, z) - y * z))


def fit_intercept(y: np.ndarray, z: np.ndarray) -> float:
    """Return b such that the mean of sigmoid(z + b) is the mean of y, (N,) of 0 and 1 with both classes."""
    reach = float(np.abs(z).max()) + 40
    return float(optimize.brentq(lambda b: special.expit(z + b).mean() - y.mean(), -reach, reach))


def fit_platt(y: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """Return (slope, intercept) of the unpenalised logistic regression of y on z; (NaN, NaN) when it diverges.

    It diverges when a threshold separates the classes, and has no slope when z is constant.
    """
    pos, neg = z[y == 1], z[y == 0]
    if np.ptp(z) == 0 or pos.min() >= neg.max() or pos.max() <= neg.min():
        return np.nan, np.nan
    centre, scale = z.mean(), z.std()
    x = np.column_stack([(z - centre) / scale, np.ones(len(z))])

    def gradient(w: np.ndarray) -> np.ndarray:
        return x.T @ (special.expit(x @ w) - y) / len(y)

    def hessian(w: np.ndarray) -> np.ndarray:
        p = special.expit(x @ w)
        return (x * (p * (1 - p))[:, None]).T @ x / len(y)

    start = np.array([1.0, special.logit(y.mean())])
    found = optimize.minimize(
        lambda w: _loss(y, x @ w), start, jac=gradient, hess=hessian, method="trust-exact",
        options={"gtol": 1e-10},
    )  # fmt: skip
    slope = found.x[0] / scale
    return float(slope), float(found.x[1] - slope * centre)


def fit_temperature(y: np.ndarray, z: np.ndarray) -> float:
    """Return T > 0 that minimises the log loss of sigmoid(z / T), within e^±7."""
    found = optimize.minimize_scalar(lambda t: _loss(y, z * np.exp(-t)), bounds=(-7, 7), method="bounded")
    return float(np.exp(found.x))


Recalibration = Callable[[np.ndarray], np.ndarray]
RECALIBRATIONS: Registry[Callable[[np.ndarray, np.ndarray], Recalibration]] = Registry("recalibration")


def fit(name: str, y_true: np.ndarray, score: np.ndarray) -> Recalibration | None:
    """Fit the recalibration `name` on home's validation rows; None when a class is absent there.

    Args:
        name: "temperature", "platt", "isotonic" or "intercept".
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,) in [0, 1]; a row with NaN is left out.

    Returns:
        A function from scores to scores, NaN to NaN. Temperature, Platt with a positive slope and intercept keep every
        AUROC; isotonic makes ties. Temperature cannot mend another prevalence; an intercept can.
    """
    y, s, _ = _known(y_true, score)
    if why_undefined(int(y.sum()), int((1 - y).sum())):
        return None
    return RECALIBRATIONS[name](y, s)


@RECALIBRATIONS.add("temperature")
def _temperature(y: np.ndarray, s: np.ndarray) -> Recalibration:
    t = fit_temperature(y, log_odds(s))
    return lambda score: special.expit(log_odds(score) / t)


@RECALIBRATIONS.add("platt")
def _platt(y: np.ndarray, s: np.ndarray) -> Recalibration:
    slope, intercept = fit_platt(y, log_odds(s))
    if np.isnan(slope):  # separable rows: the best finite answer keeps the scores' own slope
        slope, intercept = 1.0, fit_intercept(y, log_odds(s))
    return lambda score: special.expit(slope * log_odds(score) + intercept)


@RECALIBRATIONS.add("intercept")
def _intercept(y: np.ndarray, s: np.ndarray) -> Recalibration:
    intercept = fit_intercept(y, log_odds(s))
    return lambda score: special.expit(log_odds(score) + intercept)


@RECALIBRATIONS.add("isotonic")
def _isotonic(y: np.ndarray, s: np.ndarray) -> Recalibration:
    said, where = np.unique(s, return_inverse=True)
    n = np.bincount(where)
    seen = optimize.isotonic_regression(np.bincount(where, y) / n, weights=n).x
    return lambda score: np.where(np.isnan(score), np.nan, np.interp(score, said, seen))
