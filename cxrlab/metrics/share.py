"""A share of images, or how two shares of the same images differ, with an interval over patients.

In:    which images were hit, whose they are.
Out:   the share and Wilson's interval at the number of images that patients are worth; a difference and Newcombe's.
Never: thresholds, labels, files.
"""

import numpy as np

from cxrlab.metrics import interval


def wilson(share: float, n: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share seen in `n` independent trials (n need not be whole)."""
    z = interval.Z
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def of_patients(hit: np.ndarray, patient: np.ndarray) -> tuple[float, float, float]:
    """Return (share, low, high), NaN without images.

    The number of images is divided by the design effect of patients (the variance over patients against that of
    independent images, at least 1); where all images agree, the number of patients counts.

    Args:
        hit: (N,) of 0 and 1.
        patient: (N,) int codes.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953; Korn & Graubard 1998 for the effective number.

    >>> [round(v, 3) for v in of_patients(np.array([1, 0, 0, 0]), np.arange(4))]
    [0.25, 0.046, 0.699]
    """
    n = len(hit)
    if not n:
        return np.nan, np.nan, np.nan
    share = float(np.mean(hit))
    sums = np.bincount(patient, np.asarray(hit, np.float64) - share)
    variance = share * (1 - share) / n
    design = (
        max(1.0, float(sums @ sums) / n**2 / variance)
        if variance
        else n / np.count_nonzero(np.bincount(patient))
    )
    return share, *wilson(share, n / design)


def difference(a: np.ndarray, b: np.ndarray, patient: np.ndarray) -> tuple[float, float, float]:
    """Return (share of a - share of b, low, high), paired on images, NaN without any.

    Made of the two Wilson intervals over patients and the correlation of the hits, so that two equal shares still have
    an interval.

    Args:
        a: (N,) of 0 and 1, what one model hit.
        b: (N,), another of the same images.
        patient: (N,) int codes.

    Source: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C, without the
    continuity correction of the correlation; where that is undefined it counts as 0.

    >>> [round(v, 3) for v in difference(np.array([1, 1, 1, 0]), np.array([1, 1, 0, 0]), np.arange(4))]
    [0.25, -0.128, 0.536]
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not len(a):
        return np.nan, np.nan, np.nan
    (p, p_low, p_high), (q, q_low, q_high) = (of_patients(hit, patient) for hit in (a, b))
    spread = np.sqrt(p * (1 - p) * q * (1 - q))
    together = 0.0 if spread == 0 else (float(np.mean(a * b)) - p * q) / spread
    ends = []
    for mine, other in ((p - p_low, q_high - q), (p_high - p, q - q_low)):
        ends.append(np.sqrt(max(0.0, mine**2 - 2 * together * mine * other + other**2)))
    return p - q, p - q - float(ends[0]), p - q + float(ends[1])
