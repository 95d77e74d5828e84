"""ROC and precision-recall curves with bands over patients.

In:    Predictions, a label.
Out:   at most 200 points a curve, each with a pointwise 95 % band.
Never: a band that treats images of a patient as independent.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics import rules
from cxrlab.predictions import Predictions
from cxrlab.report import rows

POINTS, DRAWS = 100, 200
COLUMNS = ("kind", "x", "y", "low", "high")
AT = np.linspace(0, 1, POINTS + 1)


def roc_band(predictions: Predictions, label: str, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Return sensitivity over 1 - specificity with its band.

    Args:
        predictions: of one site; test and external rows count.
        label: one of its labels.
        draws: resamples of patients.
        seed: of them.

    Returns:
        COLUMNS: kind "roc", x on an even grid, y the curve there (straight between cuts, so ties are diagonal), low and
        high its 2.5 and 97.5 percentiles. Empty when a class is absent.
    """
    return _band(predictions, label, ("roc",), draws, seed)


def pr_band(predictions: Predictions, label: str, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Return precision over recall with its band: at each recall, the precision of the first cut that reaches it.

    Arguments and columns as in `roc_band`, kind "pr", x from .01.
    """
    return _band(predictions, label, ("pr",), draws, seed)


def both_bands(predictions: Predictions, label: str, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Return `roc_band` and `pr_band`, one under the other, of the same resamples: about half the work of asking twice."""
    return _band(predictions, label, ("roc", "pr"), draws, seed)


def _roc_at(tp: np.ndarray, fp: np.ndarray) -> np.ndarray:
    return np.interp(AT, np.append(0, fp / fp[-1]), np.append(0, tp / tp[-1]))


def _pr_at(tp: np.ndarray, fp: np.ndarray) -> np.ndarray:
    reached = np.minimum(np.searchsorted(tp / tp[-1], AT[1:] - 1e-12), len(tp) - 1)
    return tp[reached] / (tp[reached] + fp[reached])


CURVES = {"roc": (AT, _roc_at), "pr": (AT[1:], _pr_at)}


def _band(
    predictions: Predictions, label: str, kinds: tuple[str, ...], draws: int, seed: int
) -> pd.DataFrame:
    here = rows.column(predictions, label)
    y, s, patient = here.y[here.known], here.score[here.known], here.patient[here.known]
    cut = rules.cuts(y, s)
    if cut is None:
        return pd.DataFrame(columns=list(COLUMNS))
    resampled = _resampled(cut, y, s, patient, draws, seed)
    enough, tables = len(resampled) * 2 >= draws, []
    for kind in kinds:
        x, at = CURVES[kind]
        drawn = np.array([at(tp, fp) for tp, fp in resampled])
        low, high = np.quantile(drawn, (0.025, 0.975), axis=0) if enough else np.full((2, len(x)), np.nan)
        tables.append(pd.DataFrame({"kind": kind, "x": x, "y": at(cut.tp, cut.fp), "low": low, "high": high}))
    return pd.concat(tables, ignore_index=True)


def _resampled(
    cut: rules.Cuts, y: np.ndarray, s: np.ndarray, patient: np.ndarray, draws: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (tp, fp) at up to 4 · POINTS thresholds of each resample of patients; draws without a class are left out.

    Rows are counted into bins once, by patient, so that a draw is one sparse product.
    """
    from scipy import sparse  # slow to load, and only curves need it

    along = cut.tp / cut.n_pos + cut.fp / cut.n_neg
    wanted = np.linspace(along[0], along[-1], 4 * POINTS)
    kept = np.unique(np.append(np.searchsorted(along, wanted), len(along) - 1).clip(max=len(along) - 1))
    edges = cut.threshold[kept]  # falling
    where = np.searchsorted(-edges, -s)  # the first kept threshold that is at or below the score
    who, n = np.unique(patient, return_inverse=True)[1], len(np.unique(patient))
    rng = np.random.default_rng(seed)
    times = np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(draws)], axis=1)
    counts = []
    for is_class in (y == 1, y == 0):
        ones = np.ones(int(is_class.sum()), np.float32)
        binned = sparse.csr_array((ones, (where[is_class], who[is_class])), shape=(len(edges), n))
        counts.append(np.cumsum(binned @ times.astype(np.float32), axis=0, dtype=np.float64))
    return [(tp, fp) for tp, fp in zip(counts[0].T, counts[1].T, strict=True) if tp[-1] > 0 and fp[-1] > 0]
