"""Distributions that are binned before a browser sees them.

In:    values of several groups.
Out:   one smoothed, binned density a group, on bins common to all.
Never: tests, verdicts, files.
"""

import numpy as np
import pandas as pd

KERNEL = np.array([1, 4, 6, 4, 1]) / 16  # binomial smoothing over five bins: no bandwidth to argue about


def binned(groups: dict[str, np.ndarray], bins: int = 80, cut: float = 0.995) -> pd.DataFrame:
    """Return densities on common bins.

    Args:
        groups: name → (N,) values; values that are not finite are left out.
        bins: how many.
        cut: the axis ends at the largest of the groups' `cut` quantiles; what lies beyond is counted in `beyond`,
            not drawn, so that one outlier does not flatten every group.

    Returns:
        group, middle (of the bin), height (1 at the group's highest bin), beyond (values right of the axis), n. A
        group without values has no rows.
    """
    clean = {
        name: v[np.isfinite(v)] for name, v in ((k, np.asarray(x, np.float64)) for k, x in groups.items())
    }
    filled = {name: v for name, v in clean.items() if len(v)}
    columns = ["group", "middle", "height", "beyond", "n"]
    if not filled:
        return pd.DataFrame(columns=columns)
    low = min(v.min() for v in filled.values())
    high = max(np.quantile(v, cut) for v in filled.values())
    high = high if high > low else low + max(abs(low), 1.0) * 1e-6
    edges = np.linspace(low, high, bins + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    parts = []
    for name, values in filled.items():
        counts, _ = np.histogram(values, edges)
        smooth = np.convolve(counts, KERNEL, mode="same")
        height = smooth / smooth.max() if smooth.max() > 0 else smooth
        parts.append(
            pd.DataFrame(
                {
                    "group": name,
                    "middle": middle,
                    "height": height,
                    "beyond": int((values > high).sum()),
                    "n": len(values),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[columns]
