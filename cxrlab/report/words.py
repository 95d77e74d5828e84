"""Sentences made of computed facts.

In:    rows of report tables.
Out:   text for the first line of a page.
Never: a digit that was not computed; a claim beyond the verdict.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics import gap
from cxrlab.metrics.auroc import MACRO

_VERBS = {
    gap.WORSE: ("falls", "the difference is larger than chance"),
    gap.BETTER: ("rises", "the difference is larger than chance"),
    gap.NO_GAP: ("stays", "there is no gap beyond ±{margin}"),
}


def number(value: float, digits: int = 2) -> str:
    """Write a share as readers of medical tables expect it; what is below 1 never reads as 1.

    >>> [number(x) for x in (0.634, 0.998, 0.99996, 1.0, -0.052, float("nan"))]
    ['.63', '.998', '>.999', '1.0', '−.05', 'undefined']
    """
    if np.isnan(value):
        return "undefined"
    size = abs(value)
    text = f"{size:.{digits}f}"
    if size < 1 and float(text) == 1:  # a perfect score is a claim; rounding may not make it
        text = f"{size:.{digits + 1}f}"
        text = text if float(text) < 1 else ">0." + "9" * (digits + 1)
    text = "1.0" if size == 1 else text.replace("0.", ".", 1) if size < 1 else text
    return f"−{text}" if value < 0 and size >= 0.5 * 10**-digits else text


def estimate(value: float, low: float, high: float) -> str:
    """Write a number with its interval.

    >>> estimate(0.99, 0.982, 0.9991)
    '.99 [.98, .999]'
    """
    return number(value) if np.isnan(low) else f"{number(value)} [{number(low)}, {number(high)}]"


def headline(gaps: pd.DataFrame, home: str, label: str | None = None) -> str:
    """Return one or two plain sentences on how `label` travels, one per external site up to two, worst first.

    Args:
        gaps: from report.gaps.
        home: the home site's name.
        label: None: the mean over labels where there is more than one, else the only label.
    """
    names = [name for name in dict.fromkeys(gaps["label"]) if name != MACRO]
    if not names:
        return f"Trained at {home}; no external site has been scored yet."
    if label is None:
        label = names[0] if len(names) == 1 else MACRO
    rows = gaps[gaps["label"] == label]
    if not len(rows):
        return f"Trained at {home}; {label} is not among the labels compared."
    said = "the mean AUROC over labels" if label == MACRO else label
    order = {gap.WORSE: 0, gap.BETTER: 1, gap.NO_GAP: 2, gap.CANNOT_SAY: 3}
    # The largest supported loss first; a site about which nothing can be said last.
    ranked = sorted(
        (row for _, row in rows.iterrows()), key=lambda r: (order[r["verdict"]], -_or_zero(r["gap"]))
    )
    sentences = [_sentence(row, said) for row in ranked[:2]]
    first = f"Trained at {home}, {sentences[0]}."
    second = [f"{text[0].upper()}{text[1:]}." for text in sentences[1:]]
    left = len(ranked) - 2
    more = [f"{left} more site{'s' if left > 1 else ''} below."] if left > 0 else []
    return " ".join([first, *second, *more])


def _or_zero(value: float) -> float:
    return 0.0 if np.isnan(value) else value


def _sentence(row: pd.Series, said: str) -> str:
    there = estimate(row["external"], row["external_low"], row["external_high"])
    where = f"at {row['site']} (n = {int(row['n'])})"
    if row["verdict"] == gap.CANNOT_SAY:
        return f"nothing can be said of {said} {where}: {row['why']}"
    here = estimate(row["internal"], row["internal_low"], row["internal_high"])
    verb, verdict = _VERBS[row["verdict"]]
    moves = f"{verb} from {here} to {there}" if verb != "stays" else f"stays at {there} after {here}"
    return f"{said} {moves} {where}; {verdict.format(margin=number(row['margin']))}"
