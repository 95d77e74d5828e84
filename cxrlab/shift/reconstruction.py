"""How far a site's reconstruction errors lie from home's.

In:    per-image reconstruction errors (RE) and patient ids of two sets of rows.
Out:   distances, AUROC against home with its interval, and what home against itself gives.
Never: images, autoencoders, files.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.metrics import auroc

SPLITS = 200
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Distances:
    """Distances of two samples of RE: KS in [0, 1], W1 in RE's unit, W1 over home's interquartile range, AUROC.

    auroc: the probability that an image outside has the larger error (ties one half); .5: no difference in rank.
    """

    ks: float
    w1: float
    w1_iqr: float
    auroc: float


def distances(home: np.ndarray, other: np.ndarray) -> Distances:
    """Measure `other` against `home`, both (N,) without NaN.

    All numbers are NaN when a side is empty; w1_iqr is NaN when half of home's errors are one value.
    """
    if not len(home) or not len(other):
        return Distances(np.nan, np.nan, np.nan, np.nan)
    both = np.concatenate([home, other])
    order = np.argsort(both, kind="stable")
    is_other = np.zeros(len(both), bool)
    is_other[len(home) :] = True
    return _of_sorted(both[order], is_other[order], float(np.subtract(*np.quantile(home, (0.75, 0.25)))))


def _of_sorted(value: np.ndarray, is_other: np.ndarray, iqr: float) -> Distances:
    """Return the distances of ascending `value` (N,) in two groups; O(N), so that a null can repeat it."""
    n_other = int(is_other.sum())
    n_home = len(value) - n_other
    up_other = np.cumsum(is_other) / n_other
    up_home = np.cumsum(~is_other) / n_home
    step = up_home - up_other
    last = np.append(
        value[1:] != value[:-1], True
    )  # a distribution function is read after the last of its ties
    w1 = float(np.dot(np.abs(step[:-1]), np.diff(value)))
    ends = np.flatnonzero(last)
    home_up_to = np.concatenate([[0.0], up_home[ends]])
    share_other = np.diff(np.concatenate([[0.0], up_other[ends]]))
    area = float(np.dot(share_other, (home_up_to[1:] + home_up_to[:-1]) / 2))
    return Distances(float(np.abs(step[ends]).max()), w1, w1 / iqr if iqr > 0 else np.nan, area)


@dataclass(frozen=True)
class Null:
    """What home against itself gives: 95th percentiles over random splits of its patients.

    auroc: of |AUROC - .5|. n: rows on each side of a split. NaN with why_nan when home cannot be split.
    """

    auroc: float = np.nan
    ks: float = np.nan
    w1_iqr: float = np.nan
    n: int = 0
    why_nan: str = ""


def null(
    re: np.ndarray, patient_id: np.ndarray, n: int, rng: np.random.Generator, splits: int = SPLITS
) -> Null:
    """Split home's patients at random, `splits` times, and measure one part against the other.

    With thousands of rows every p is 0, so a distance is judged against this, not against 0 (methods.md section 5).

    Args:
        re: (N,) float, NaN left out.
        patient_id: (N,).
        n: rows of the site to be judged; the parts have about as many, at most half of home each.
        rng: shuffles the patients.
        splits: how often.
    """
    known = ~np.isnan(re)
    value, patient = np.asarray(re, np.float64)[known], auroc.codes_of(np.asarray(patient_id)[known])
    n_patients = int(patient.max()) + 1 if len(patient) else 0
    if n_patients < 4:
        return Null(why_nan=f"home has {n_patients} patients with an error; a split needs at least 4")
    order = np.argsort(value, kind="stable")
    value, patient = value[order], patient[order]
    iqr = float(np.subtract(*np.quantile(value, (0.75, 0.25))))
    # Patients on the other side: as many as give about n rows, at most half.
    take = int(np.clip(round(n * n_patients / len(value)), 2, n_patients // 2))
    seen = []
    for _ in range(splits):
        shuffled = rng.permutation(n_patients)
        side = np.zeros(n_patients, np.int8)
        side[shuffled[:take]] = 1
        side[shuffled[take : 2 * take]] = 2
        here = side[patient]
        used = here > 0
        seen.append(_of_sorted(value[used], here[used] == 2, iqr))
    reach = {
        "auroc": [abs(one.auroc - 0.5) for one in seen],
        "ks": [one.ks for one in seen],
        "w1_iqr": [one.w1_iqr for one in seen],
    }
    rows_a_side = round(take * len(value) / n_patients)
    return Null(**{name: float(np.quantile(values, 0.95)) for name, values in reach.items()}, n=rows_a_side)


def summary(re: np.ndarray) -> dict[str, float]:
    """Return {"q05", "q25", "median", "q75", "q95"} of `re` (N,), NaN left out; all NaN when nothing is left."""
    known = np.asarray(re, np.float64)[~np.isnan(re)]
    if not len(known):
        return dict.fromkeys(QUANTILES, np.nan)
    return dict(zip(QUANTILES, np.quantile(known, list(QUANTILES.values())).tolist(), strict=True))


def psi(home: np.ndarray, other: np.ndarray, bins: int = 10) -> float:
    """Return the population stability index Σ (q - p) ln(q / p) over home's quantile bins; NaN when a side is empty.

    Half a row is added to each bin, so an empty one stays finite. Without any shift the mean is about
    (bins - 1) · (1 / n_home + 1 / n_other), not 0.
    """
    if not len(home) or not len(other):
        return np.nan
    edges = np.unique(np.quantile(home, np.linspace(0, 1, bins + 1)[1:-1]))
    p, q = (
        (np.bincount(np.searchsorted(edges, side, side="right"), minlength=len(edges) + 1) + 0.5)
        for side in (home, other)
    )
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))
