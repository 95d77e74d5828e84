"""Do two yes-or-no judgements of the same images go together?

In:    two columns of 0, 1 and NaN; patients.
Out:   counts, kappa, the correlation of the two, with doubt over patients.
Never: which of the two is right.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.metrics import influence, interval


@dataclass(frozen=True)
class Agreement:
    """Counts of images by (first, second), and chance-corrected agreement with its 95 % interval over patients.

    kappa: Cohen's, doi:10.1177/001316446002000104; NaN with why_nan when a judgement never varies.
    phi: Pearson's correlation of the two; p: that they go together as independent ones would.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    n_patients: int
    kappa: float
    low: float
    high: float
    phi: float
    p: float
    why_nan: str = ""


def measure(first: np.ndarray, second: np.ndarray, patient_id: np.ndarray) -> Agreement:
    """Compare two judgements of the same images.

    Args:
        first: (N,) of 0, 1 and NaN; images on which either is NaN are left out.
        second: the same.
        patient_id: (N,) any hashable values.
    """
    used = ~(np.isnan(first) | np.isnan(second))
    a, b = first[used], second[used]
    patient = influence.codes_of(np.asarray(patient_id)[used])
    n, n_patients = len(a), int(patient.max()) + 1 if used.any() else 0
    counts = [int(((a == x) & (b == z)).sum()) for x, z in ((1, 1), (1, 0), (0, 1), (0, 0))]
    nan = np.nan
    for name, judgement in (("first", a), ("second", b)):
        if not n or judgement.min() == judgement.max():
            why = "no image is judged by both" if not n else f"the {name} judgement is always the same"
            return Agreement(*counts, n_patients, nan, nan, nan, nan, nan, why)
    pa, pb, agree = a.mean(), b.mean(), (a == b).astype(float)
    chance = pa * pb + (1 - pa) * (1 - pb)
    kappa = (agree.mean() - chance) / (1 - chance)
    # Each image's influence: the derivative of kappa by the three means, times the image's distance from them.
    moved = (2 * pb - 1) * (a - pa) + (2 * pa - 1) * (b - pb)
    slope = -(1 - agree.mean()) / (1 - chance) ** 2
    u = ((agree - agree.mean()) / (1 - chance) + slope * moved) / n
    se, carriers = influence.spread_of_mean(u, patient)
    half = interval.t_quantile(2 * carriers - 2) * se if np.isfinite(se) else nan
    phi, p = correlation(a, b, patient)
    return Agreement(
        *counts, n_patients, float(kappa), max(-1.0, float(kappa - half)), min(1.0, float(kappa + half)), phi, p
    )  # fmt: skip


def correlation(a: np.ndarray, b: np.ndarray, patient: np.ndarray) -> tuple[float, float]:
    """Return (Pearson's r, two-sided p over patients) of two columns (N,) without NaN; NaN when one never varies."""
    da, db = a - a.mean(), b - b.mean()
    scale = np.sqrt((da @ da) * (db @ db))
    if scale == 0:
        return np.nan, np.nan
    se, _ = influence.spread_of_mean(da * db - np.mean(da * db), patient)
    z = float(da @ db) / se if se > 0 else np.nan
    return float(da @ db / scale), float(interval.two_sided_p(np.asarray(z)))
