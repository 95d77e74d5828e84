"""Does a score of .3 mean three in ten, at home and elsewhere, and what does recalibration at home mend?

In:    Predictions of home (its validation rows fit) and of the site that is judged; a label.
Out:   one row a recalibration; reliability curves with intervals; decision curves.
Never: fitting on rows that are judged.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from cxrlab.metrics import decision
from cxrlab.predictions import Predictions
from cxrlab.report import rows

NONE = "none"
METHODS = (NONE, "temperature", "platt", "isotonic", "intercept")
ENOUGH_FOR_ISOTONIC = 1000  # methods.md section 3
COLUMNS = (
    "site", "label", "method", "ece", "brier", "skill", "slope", "intercept", "said", "seen", "n_pos", "n_neg",
    "fit_pos", "fit_neg", "why_nan", "note",
)  # fmt: skip


def recalibrations(
    home: Predictions, label: str, methods: tuple[str, ...] = METHODS
) -> dict[str, Callable[[np.ndarray], np.ndarray] | None]:
    """Return method → function from scores to scores, fitted on home's validation rows; None where it cannot be."""
    from cxrlab.metrics import (
        calibration as measures,  # brings scipy.optimize, for which no page should wait to open
    )

    val = rows.column(home, label, rows.VAL)
    return {name: (lambda s: s) if name == NONE else measures.fit(name, val.y, val.score) for name in methods}


def calibration(
    home: Predictions, predictions: Predictions, label: str, methods: tuple[str, ...] = METHODS
) -> pd.DataFrame:
    """Return calibration before ("none") and after each recalibration fitted at home.

    Args:
        home: its validation rows fit.
        predictions: of home (its test rows are judged) or of an external site.
        label: of both.
        methods: of METHODS.

    Returns:
        COLUMNS, one row a method. fit_pos, fit_neg: images that it was fitted on.
    """
    from cxrlab.metrics import calibration as measures  # see recalibrations

    val, here = rows.column(home, label, rows.VAL), rows.column(predictions, label)
    fit_pos, fit_neg = (int((val.known & (val.y == value)).sum()) for value in (1, 0))
    out = []
    for name, mend in recalibrations(home, label, methods).items():
        row = {
            "site": predictions.site,
            "label": label,
            "method": name,
            "fit_pos": fit_pos,
            "fit_neg": fit_neg,
        }
        if mend is None:
            nan = dict.fromkeys(COLUMNS[3:10], np.nan)
            why = f"home's validation rows have {fit_pos} positive and {fit_neg} negative images to fit on"
            n_pos, n_neg = (int((here.known & (here.y == value)).sum()) for value in (1, 0))
            out.append(row | nan | {"n_pos": n_pos, "n_neg": n_neg, "why_nan": why, "note": ""})
            continue
        found = vars(measures.measure(here.y, mend(here.score)))
        small = name == "isotonic" and fit_pos + fit_neg < ENOUGH_FOR_ISOTONIC
        notes = [
            found["note"],
            f"isotonic wants about {ENOUGH_FOR_ISOTONIC:,} images to fit on" if small else "",
        ]
        out.append(row | found | {"note": "; ".join(filter(None, notes))})
    return pd.DataFrame(out, columns=list(COLUMNS))


def reliability(
    home: Predictions, predictions: Predictions, label: str, methods: tuple[str, ...] = METHODS
) -> pd.DataFrame:
    """Return the reliability curves: method, said, seen, low, high, n, n_patients, one row a bin of equal mass."""
    from cxrlab.metrics import calibration as measures  # see recalibrations

    here = rows.column(predictions, label)
    tables = [
        measures.reliability(here.y, mend(here.score), here.patient).assign(method=name)
        for name, mend in recalibrations(home, label, methods).items()
        if mend is not None
    ]
    columns = ["method", "said", "seen", "low", "high", "n", "n_patients"]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def decision_curve(
    home: Predictions,
    predictions: Predictions,
    label: str,
    method: str = "platt",
    grid: np.ndarray = decision.GRID,
) -> pd.DataFrame:
    """Return the net benefit over thresholds of the scores as they are ("none") and recalibrated at home by `method`.

    Returns:
        method, threshold, model, treat_all, treat_none; empty when a class is absent. Without a recalibration (a class
        is absent among home's validation rows) only "none", which supposes that scores are probabilities.
    """
    here = rows.column(predictions, label)
    tables = [
        decision.net_benefit(here.y, mend(here.score), grid).assign(method=name)
        for name, mend in recalibrations(home, label, tuple(dict.fromkeys((NONE, method)))).items()
        if mend is not None
    ]
    columns = ["method", "threshold", "model", "treat_all", "treat_none"]
    return pd.concat(tables, ignore_index=True)[columns]


def worth(curve: pd.DataFrame, method: str) -> tuple[float, float]:
    """Return the longest run of thresholds of a decision curve along which a method beats treating all and none.

    Returns:
        (lowest, highest) of that run; (NaN, NaN) where it nowhere does. A point that wins alone, far out where a handful
        of images decide, does not stretch it.
    """
    of = curve[curve["method"] == method].sort_values("threshold")
    better = (of["model"] > of[["treat_all", "treat_none"]].max(axis=1) + 1e-9).to_numpy()
    if not better.any():
        return np.nan, np.nan
    runs = np.split(np.arange(len(better)), np.flatnonzero(np.diff(better)) + 1)
    longest = max((run for run in runs if better[run[0]]), key=len)
    at = of["threshold"].to_numpy()
    return float(at[longest[0]]), float(at[longest[-1]])
