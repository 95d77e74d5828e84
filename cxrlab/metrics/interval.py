"""An estimate and its standard error → an interval that does not pretend.

In:    estimates in [0, 1], standard errors, how many patients stand behind them.
Out:   lower and upper ends at 95 %, for one estimate or the difference of two.
Never: rows, labels, files.
"""

import numpy as np
from scipy import stats

LEVEL = 0.95
Z = float(stats.norm.ppf(0.5 + LEVEL / 2))
# Above this an AUROC's sampling distribution is too skewed for a symmetric interval (methods.md section 3).
SKEWED = 0.95
# Below this many effective patients the estimated standard error is itself mostly noise: one swapped pair among
# 1,000 would give [.999, 1.0] on five positives. Chosen on `bench coverage`, rare-positive scenarios.
FEW_CARRIERS = 5.0


def of_share(
    theta: float, se: float, *, pairs: int, carriers: float, df: float = np.inf
) -> tuple[float, float, str]:
    """Return the 95 % interval of an AUROC (or another mean in [0, 1]) and the name of its kind.

    Args:
        theta: the estimate in [0, 1].
        se: its patient-clustered standard error; NaN: unknown.
        pairs: how many disjoint (positive patient, negative patient) pairs the data hold.
        carriers: effective number of patients that carry the variance (Kish: (Σu²)²/Σu⁴ over patients' influence).
        df: degrees of freedom of the standard error; the quantile is Student's.

    Returns:
        (low, high, kind). Kinds: "patients" (theta ± t·se), "patients, logit scale" (the same on log odds, for theta
        beyond .95), "exact pairs" (see `exact_pairs`; where the standard error is 0, unknown, or carried by fewer
        than five patients), "" when nothing can be said.
    """
    if np.isnan(theta) or pairs < 1:
        return np.nan, np.nan, ""
    if np.isnan(se) or se == 0 or carriers < FEW_CARRIERS or not 0 < theta < 1:
        return (*exact_pairs(theta, pairs), "exact pairs")
    t = stats.t.ppf(0.5 + LEVEL / 2, df) if np.isfinite(df) else Z
    if theta > SKEWED or theta < 1 - SKEWED:
        half = t * se / (theta * (1 - theta))
        centre = np.log(theta / (1 - theta))
        return (
            float(1 / (1 + np.exp(-(centre - half)))),
            float(1 / (1 + np.exp(-(centre + half)))),
            "patients, logit scale",
        )
    return max(0.0, theta - t * se), min(1.0, theta + t * se), "patients"


def exact_pairs(theta: float, pairs: int) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of `theta` as if seen on `pairs` disjoint patient pairs.

    Disjoint (positive, negative) patient pairs are independent trials that succeed with probability AUROC, so with
    every pair in order the bound is exact; no AUROC of that many pairs can have a larger variance, so it errs on the
    wide side. It never gives [1, 1].

    >>> [round(end, 3) for end in exact_pairs(1.0, 10)]
    [0.692, 1.0]
    """
    tail = (1 - LEVEL) / 2
    hits, misses = theta * pairs, (1 - theta) * pairs
    low = 0.0 if hits <= 0 else float(stats.beta.ppf(tail, hits, misses + 1))
    high = 1.0 if misses <= 0 else float(stats.beta.ppf(1 - tail, hits + 1, misses))
    return low, high


def of_difference(
    a: np.ndarray, a_low: np.ndarray, a_high: np.ndarray, b: np.ndarray, b_low: np.ndarray, b_high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (a - b, low, high, p) for independent estimates, from their own 95 % intervals.

    The ends are recovered from the single intervals (MOVER), so an estimate next to 1 keeps its skew. p is the level
    at which the interval would touch zero, so p < .05 exactly when the interval leaves zero out.

    Args:
        a, a_low, a_high, b, b_low, b_high: same shape, float64; NaN gives NaN.

    Source: Zou & Donner 2008, doi:10.1002/sim.3095.
    """
    gap = a - b
    down = np.hypot(a - a_low, b_high - b)
    up = np.hypot(a_high - a, b - b_low)
    towards_zero = np.where(gap > 0, down, up)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(gap == 0, 0.0, np.abs(gap) / towards_zero) * Z
    return gap, gap - down, gap + up, two_sided_p(z)


def two_sided_p(z: np.ndarray) -> np.ndarray:
    """Return the two-sided normal p of `z`; NaN stays NaN."""
    return 2 * stats.norm.sf(np.abs(z))
