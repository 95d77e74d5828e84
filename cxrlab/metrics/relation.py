"""Do two numbers go together over a handful of sites?

In:    one pair of numbers a site.
Out:   Pearson and Spearman with exact permutation p, and a refusal when there are too few sites.
Never: rows, files; a p that so few points cannot give.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

# Three sites cannot give a two-sided p below 1/3, four not below 1/12 (methods.md section 5).
FEWEST = 4
ALL_UP_TO = 8  # 8! = 40,320 orders are all tried; beyond, RANDOM of them
RANDOM = 100_000


@dataclass(frozen=True)
class Relation:
    """Correlations over n points; p are two-sided, exact over all orders up to 8 points.

    verdict: "together", "no relation shown" or "too few sites"; sentence: the same in words with its numbers.
    """

    n: int
    pearson: float
    p_pearson: float
    spearman: float
    p_spearman: float
    smallest_p: float
    verdict: str
    sentence: str


def measure(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Relation:
    """Relate x and y, both (n,), one value a site; pairs with NaN are left out.

    Args:
        x: (n,) one number.
        y: (n,) the other.
        seed: of the random orders tried beyond 8 points.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    known = ~(np.isnan(x) | np.isnan(y))
    x, y = x[known], y[known]
    n = len(x)
    smallest = min(1.0, 2 / math.factorial(n)) if n <= ALL_UP_TO else 1 / (RANDOM + 1)
    constant = n < 2 or np.ptp(x) == 0 or np.ptp(y) == 0
    if n < FEWEST or constant:
        r, rho = (np.nan, np.nan) if constant else (_r(x, y), _r(_ranks(x), _ranks(y)))
        few = n < FEWEST
        sentence = (
            f"Too few sites: with {n} the smallest p that can come out is {smallest:.2f}; at least {FEWEST} are needed."
            if few
            else f"All {n} sites have the same value; nothing can go together with it."
        )
        return Relation(
            n, r, np.nan, rho, np.nan, smallest, "too few sites" if few else "no relation shown", sentence
        )
    orders = _orders(n, seed)
    r, p_r = _permuted(x, y, orders)
    rho, p_rho = _permuted(_ranks(x), _ranks(y), orders)
    verdict = "together" if min(p_r, p_rho) < 0.025 else "no relation shown"  # two looks at one question
    sentence = (
        f"Over {n} sites Pearson r = {r:.2f} (exact p = {p_r:.3g}), Spearman ρ = {rho:.2f} (exact p = {p_rho:.3g}); "
        f"the smallest p that {n} sites can give is {smallest:.2g}."
    ).replace("-", "−")
    return Relation(n, r, p_r, rho, p_rho, smallest, verdict, sentence)


def _r(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _ranks(x: np.ndarray) -> np.ndarray:
    """Return ranks from 1, ties averaged."""
    return (x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2


def _orders(n: int, seed: int) -> np.ndarray:
    """Return (orders, n) int: all of them up to 8 points, else the identity and 100,000 random ones."""
    if n <= ALL_UP_TO:
        return np.array(list(itertools.permutations(range(n))))
    rng = np.random.default_rng(seed)
    return np.vstack([np.arange(n), rng.permuted(np.tile(np.arange(n), (RANDOM, 1)), axis=1)])


def _permuted(x: np.ndarray, y: np.ndarray, orders: np.ndarray) -> tuple[float, float]:
    """Return (correlation, two-sided p): twice the share of orders at least as extreme on the seen side, at most 1.

    Doubling the smaller tail is what scipy.stats.permutation_test does. Counting both tails by |r| instead could give
    n = 4 a p of 1/24, for the mirror of the most extreme order need not exist, and so a p below the stated smallest.
    """
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    r = y[orders] @ x / scale
    seen = float(x @ y / scale)
    tail = min(np.mean(r >= seen - 1e-12), np.mean(r <= seen + 1e-12))
    return seen, float(min(1.0, 2 * tail))
