"""Internal minus external performance, with a verdict.

In:    tables of auroc.by_label for home's test rows and for one external site.
Out:   gap, interval, p and verdict, one row a label.
Never: scores, rows, files; a verdict without support.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics import interval
from cxrlab.metrics.interval import MIN_PATIENTS

WORSE, BETTER, NO_GAP, CANNOT_SAY = "worse", "better", "no gap", "cannot say"
MARGIN = 0.05
# Two one-sided tests at 5 % are a 90 % interval inside the margin: Schuirmann 1987, doi:10.1007/BF01068419.
_SHRINK_TO_90 = 1.6448536269514722 / interval.Z
COLUMNS = (
    "label",
    "internal",
    "external",
    "gap",
    "low",
    "high",
    "p",
    "verdict",
    "n_pos",
    "n_neg",
    "why",
    "p_holm",
)


def by_label(internal: pd.DataFrame, external: pd.DataFrame, margin: float = MARGIN) -> pd.DataFrame:
    """Return the gap of every label that either table names, in internal's order.

    The two sites have different patients, so their estimates are independent; the interval is built from both
    single intervals (interval.of_difference). Verdicts, the first that holds:

    - "cannot say": undefined on one side, or fewer than 10 positive or 10 negative patients there (images, where the
      table does not count patients);
    - "no gap": two one-sided tests place the gap inside ±margin (the 90 % interval lies inside), even if it is not 0;
    - "worse" / "better": the 95 % interval lies above / below 0;
    - "cannot say": neither; the interval is too wide.

    Args:
        internal: label, auroc, low, high, n_pos, n_neg, why_nan; pos_patients and neg_patients where known.
        external: the same columns.
        margin: the largest gap that counts as none.

    Returns:
        COLUMNS; positive gap = worse outside; n_pos, n_neg are external's images; why explains "cannot say" and small
        differences; p_holm is p corrected over the labels that got a p (the row "macro", the primary one, is apart).
    """
    labels = list(dict.fromkeys([*internal["label"], *external["label"]]))
    inside, outside = (table.set_index("label").reindex(labels) for table in (internal, external))
    ends = [
        side[name].to_numpy(np.float64) for side in (inside, outside) for name in ("auroc", "low", "high")
    ]
    gap, low, high, p = interval.of_difference(*ends)
    rows = []
    for i, label in enumerate(labels):
        sides = (("home", inside.iloc[i]), ("the external site", outside.iloc[i]))
        unsupported = "; ".join(filter(None, (_lacks(where, side) for where, side in sides)))
        verdict, why = _judge(gap[i], low[i], high[i], margin)
        if unsupported:
            verdict, why = CANNOT_SAY, unsupported
        n_pos, n_neg = (_count(outside.iloc[i], key) for key in ("n_pos", "n_neg"))
        numbers = (ends[0][i], ends[3][i], gap[i], low[i], high[i], p[i])
        rows.append((label, *numbers, verdict, n_pos, n_neg, why))
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-1]))
    is_macro = (table["label"] == "macro").to_numpy()
    table["p_holm"] = np.where(is_macro, p, holm(np.where(is_macro, np.nan, p)))
    return table


def _count(side: pd.Series, key: str) -> int:
    value = side.get(key)
    return 0 if value is None or pd.isna(value) else int(value)


def _lacks(where: str, side: pd.Series) -> str:
    """Return what `side` lacks for a verdict, or ""."""
    if pd.isna(side["n_pos"]):
        return f"not scored at {where}"
    if pd.isna(side["auroc"]):
        return f"undefined at {where}: {side['why_nan']}"
    unit = "patient" if pd.notna(side.get("pos_patients")) else "image"
    keys = ("pos_patients", "neg_patients") if unit == "patient" else ("n_pos", "n_neg")
    short = [
        f"{n} {kind} {unit}{'' if n == 1 else 's'}"
        for kind, n in zip(("positive", "negative"), (_count(side, key) for key in keys), strict=True)
        if n < MIN_PATIENTS
    ]
    return f"{' and '.join(short)} at {where}; at least {MIN_PATIENTS} of each are needed" if short else ""


def _judge(gap: float, low: float, high: float, margin: float) -> tuple[str, str]:
    if np.isnan(low) or np.isnan(high):
        return CANNOT_SAY, "no interval"
    low_90, high_90 = gap - (gap - low) * _SHRINK_TO_90, gap + (high - gap) * _SHRINK_TO_90
    if -margin < low_90 and high_90 < margin:
        return NO_GAP, "" if low <= 0 <= high else f"not zero, but within ±{margin:g}"
    if low > 0:
        return WORSE, ""
    if high < 0:
        return BETTER, ""
    return (
        CANNOT_SAY,
        f"the interval reaches from {_signed(low)} to {_signed(high)}: zero and more than ±{margin:g} both fit",
    )


def _signed(value: float) -> str:
    text = f"{value:.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm-adjusted p, same shape; NaN stays NaN and is not counted.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    >>> holm(np.array([0.01, 0.04, np.nan])).tolist()
    [0.02, 0.04, nan]
    """
    p = np.asarray(p, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    adjusted = np.full(p.shape, np.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def fdr(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg adjusted p, same shape; NaN stays NaN and is not counted."""
    p = np.asarray(p, np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    adjusted = np.full(p.shape, np.nan)
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1)
    return adjusted
