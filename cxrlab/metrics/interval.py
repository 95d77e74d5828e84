"""An estimate and its standard error → an interval that does not pretend.

In:    estimates in [0, 1], standard errors, how many patients stand behind them.
Out:   lower and upper ends at 95 %, for one estimate or the difference of two.
Never: rows, labels, files.
"""

import numpy as np
from scipy import special  # not scipy.stats: its import alone takes longer than a page may

LEVEL = 0.95
Z = float(special.ndtri(0.5 + LEVEL / 2))
# With fewer patients than this in a class the standard error itself is a guess, and a verdict is refused (gap.py).
MIN_PATIENTS = 10


def of_share(theta: float, se: float, *, pairs: int, carriers: float) -> tuple[float, float, str]:
    """Return the 95 % interval of an AUROC (or another mean in [0, 1]) and the name of its kind.

    Kinds: "patients": log odds ± t · se, where t has 2 · carriers - 2 degrees of freedom (at least 1), cut to "exact pairs" where that
    is narrower; "exact pairs": `exact_pairs`, where fewer than 10 pairs exist or the standard error is 0 or unknown (an
    AUROC of exactly 1, say); "": nothing can be said.

    Args:
        theta: the estimate in [0, 1].
        se: its patient-clustered standard error; NaN: unknown.
        pairs: how many disjoint (positive patient, negative patient) pairs the data hold.
        carriers: effective number of patients that carry the variance (Kish: (Σu²)² / Σu⁴ over patients' influence u).

    A variance summed from u² is as uncertain as a chi-square with about 2 · carriers degrees of freedom, as
    Var(Σu²) ≈ Σu⁴; the 2 less was chosen by simulation, because carriers is itself too large when few are seen. With
    strong within-patient correlation, 19 to 163 positive patients and AUROC .7 to .98 the coverage is .935 to .961,
    where theta ± 1.96 se falls to .82 (`bench coverage`).
    """
    if np.isnan(theta) or pairs < 1:
        return np.nan, np.nan, ""
    widest = exact_pairs(theta, pairs)
    if pairs < MIN_PATIENTS or np.isnan(se) or se == 0 or not 0 < theta < 1:
        return (*widest, "exact pairs")
    half = t_quantile(2 * carriers - 2) * se / (theta * (1 - theta))
    low, high = special.expit(special.logit(theta) + np.array([-half, half]))
    return max(float(low), widest[0]), min(float(high), widest[1]), "patients"


def t_quantile(df: float) -> float:
    """Return Student's two-sided 95 % quantile; fewer than 1 degree of freedom count as 1."""
    return float(special.stdtrit(max(df, 1.0), 0.5 + LEVEL / 2))


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
    low = 0.0 if hits <= 0 else float(special.betaincinv(hits, misses + 1, tail))
    high = 1.0 if misses <= 0 else float(special.betaincinv(hits + 1, misses, 1 - tail))
    return low, high


def of_difference(
    a: np.ndarray, a_low: np.ndarray, a_high: np.ndarray, b: np.ndarray, b_low: np.ndarray, b_high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (a - b, low, high, p) for independent estimates, from their own 95 % intervals.

    The ends are recovered from the single intervals (MOVER), so an estimate next to 1 keeps its skew. p is the level
    at which the interval would touch zero, so p < .05 exactly when the interval leaves zero out.

    Args:
        a: estimates; any shape, float64, the same for all six; NaN gives NaN.
        a_low: lower ends of a.
        a_high: upper ends of a.
        b: estimates to subtract.
        b_low: lower ends of b.
        b_high: upper ends of b.

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
    return 2 * special.ndtr(-np.abs(z))
