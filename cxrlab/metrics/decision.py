"""Is a model worth using at a threshold: net benefit.

In:    truths and calibrated scores of one label.
Out:   net benefit of the model, of treating all and of treating none.
Never: which threshold a clinician should hold.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics.rules import cuts

GRID = np.round(np.arange(0.01, 1.0, 0.01), 2)


def net_benefit(y_true: np.ndarray, score: np.ndarray, grid: np.ndarray = GRID) -> pd.DataFrame:
    """Return the decision curve: TP/n - FP/n · t/(1 - t) at each probability threshold t.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,) calibrated probabilities; a row with NaN is left out.
        grid: (G,) thresholds in (0, 1).

    Returns:
        threshold, model, treat_all, treat_none (0); empty when a class is absent.

    Source: Vickers et al. 2019, doi:10.1186/s41512-019-0064-7.
    """
    cut = cuts(y_true, score)
    if cut is None:
        return pd.DataFrame(columns=["threshold", "model", "treat_all", "treat_none"])
    n, odds = cut.n_pos + cut.n_neg, grid / (1 - grid)
    # Cuts fall; the rows called at t are those of the last cut that is at or above t.
    at = np.searchsorted(-cut.threshold, -grid, side="right")
    tp, fp = np.append(0, cut.tp)[at], np.append(0, cut.fp)[at]
    prevalence = cut.n_pos / n
    return pd.DataFrame(
        {
            "threshold": grid,
            "model": tp / n - fp / n * odds,
            "treat_all": prevalence - (1 - prevalence) * odds,
            "treat_none": 0.0,
        }
    )
