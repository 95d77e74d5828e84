"""Which of several models ranks first, and how sure is that.

In:    one number a model in every resample of patients.
Out:   ranks with their uncertainty.
Never: how the numbers were made; a winner without its share of draws.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats


def ranks(
    names: Sequence[str], value: np.ndarray, draws: np.ndarray, *, small_is_good: bool = False
) -> pd.DataFrame:
    """Rank models by `value`, with 95 % intervals of their ranks over resamples.

    Args:
        names: M models.
        value: (M,) the number of each; NaN is ranked last and gets NaN.
        draws: (B, M) the same numbers in B resamples of patients, *the same patients for all models in a draw*
            (bootstrap.auroc_draws with the models as columns): ranks share what is easy or hard.
        small_is_good: for gaps.

    Returns:
        name, value, rank (1 is first), rank_low, rank_high, first (share of draws in which it is first), draws (used:
        those that know every ranked model), best rank first.
    """
    value, draws = np.asarray(value, np.float64), np.asarray(draws, np.float64)
    known = ~np.isnan(value)
    sign = 1 if small_is_good else -1
    rank = np.full(len(value), np.nan)
    rank[known] = stats.rankdata(sign * value[known], method="min")
    whole = draws[:, known][~np.isnan(draws[:, known]).any(axis=1)]
    table = pd.DataFrame({"name": list(names), "value": value, "rank": rank})
    table[["rank_low", "rank_high", "first"]] = np.nan
    table["draws"] = len(whole)
    if len(whole):
        drawn = stats.rankdata(sign * whole, axis=1, method="min")
        table.loc[known, ["rank_low", "rank_high"]] = np.quantile(
            drawn, (0.025, 0.975), axis=0, method="inverted_cdf"
        ).T
        table.loc[known, "first"] = (drawn == 1).mean(axis=0)
    return table.sort_values("rank", na_position="last", kind="stable").reset_index(drop=True)
