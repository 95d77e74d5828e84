"""Does it hold for everybody: one label by age, sex, view and whatever else tells rows apart.

In:    Predictions, a label, a threshold.
Out:   one row a group, each against all other rows, with a warning where a group is too small.
Never: a verdict on fairness; groups of a group.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.metrics import auroc, compare, gap, influence, share
from cxrlab.metrics.interval import MIN_PATIENTS
from cxrlab.predictions import GROUP, Predictions
from cxrlab.report import rows

AGE_BANDS = ((0, 18), (18, 40), (40, 60), (60, 80), (80, np.inf))
NOT_SAID = "not said"
BUILT_IN = ("age band", "sex", "view")
MOST = 12  # a property with more values is no table
COLUMNS = (
    "by", "group", "auroc", "low", "high", "why_nan", "sensitivity", "sensitivity_low", "sensitivity_high",
    "specificity", "specificity_low", "specificity_high", "called_positive", "prevalence", "n", "n_pos", "n_neg",
    "n_patients", "pos_patients", "neg_patients", "small", "note", "difference", "difference_low", "difference_high",
    "p", "p_holm",
)  # fmt: skip


def properties(predictions: Predictions) -> tuple[str, ...]:
    """Return the names that `subgroups` can go by: age band, sex, view, and what the file brought (device, …)."""
    return (*BUILT_IN, *predictions.groups)


def group_of(predictions: Predictions, by: str) -> np.ndarray:
    """Return each row's group, (N,) str, "not said" where unknown. Raises BadInput for an unknown property."""
    table = predictions.table
    if by == "age band":
        age = table["age_years"].to_numpy(np.float64)
        out = np.full(len(age), NOT_SAID, dtype=object)
        for low, high in AGE_BANDS:
            out[(age >= low) & (age < high)] = f"{low}–{high - 1:.0f}" if np.isfinite(high) else f"{low}+"
        return out
    column = by if by in ("sex", "view") else GROUP + by
    if column not in table:
        raise BadInput(
            f"{predictions.site} has no property {by!r}; it has: {', '.join(properties(predictions))}."
        )
    text = table[column].astype(object).to_numpy()
    return np.where((text == "") | pd.isna(text), NOT_SAID, text)


def subgroups(
    predictions: Predictions, label: str, threshold: float = np.nan, by: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return one row a group, properties one under the other.

    Args:
        predictions: of one site; test and external rows count.
        label: one of its labels.
        threshold: on the score scale; NaN: no numbers at a threshold.
        by: properties; None: all that have 2 to 12 values here.

    Returns:
        COLUMNS. small: fewer than 10 positive or 10 negative patients; note says how many. difference: the group's
        AUROC minus that of all other rows together (patients can be in both, and are counted so), with interval, p, and
        p_holm over all groups listed; NaN where either side is undefined, the group is small, or nothing is said of it.
    """
    here = rows.column(predictions, label)
    tables = []
    for name in properties(predictions) if by is None else by:
        group = group_of(predictions, name)[here.at]
        values = _in_order(group)
        if by is None and not 2 <= len(values) <= MOST:
            continue
        tables.append(
            pd.DataFrame([{"by": name, **_one(here, group == value, value, threshold)} for value in values])
        )
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(tables, ignore_index=True)
    table["p_holm"] = gap.holm(table["p"].to_numpy(np.float64))
    return table[list(COLUMNS)]


def _in_order(group: np.ndarray) -> list[str]:
    """Return the groups, ages rising, else the largest first; what is not said comes last."""
    count = pd.Series(group).value_counts()
    ages = [f"{low}–{high - 1:.0f}" if np.isfinite(high) else f"{low}+" for low, high in AGE_BANDS]
    known = [value for value in count.index if value != NOT_SAID]
    if all(value in ages for value in known):
        known.sort(key=ages.index)
    return known + [NOT_SAID] * (NOT_SAID in count.index)


def _one(here: rows.Column, inside: np.ndarray, name: str, threshold: float) -> dict[str, object]:
    y, z, patient = here.y, here.logit, here.patient
    mine = auroc.measure(np.where(inside, y, np.nan), z, patient, [name])
    single = auroc.table_of(mine).iloc[0]
    keys = ("auroc", "low", "high", "why_nan", "n_pos", "n_neg", "n_patients", "pos_patients", "neg_patients")
    few = auroc.few(int(single["pos_patients"]), int(single["neg_patients"]))
    row: dict[str, object] = {
        "group": name,
        **{key: single[key] for key in keys},
        "note": few,
        "small": bool(few),
    }
    used = inside & here.known
    row["n"] = int(used.sum())
    row["prevalence"] = float(y[used].mean()) if used.any() else np.nan
    called = here.score >= threshold
    for what, is_class, hit in (("sensitivity", y == 1, called), ("specificity", y == 0, ~called)):
        of = used & is_class if not np.isnan(threshold) else np.zeros(len(y), bool)
        row[what], row[f"{what}_low"], row[f"{what}_high"] = share.of_patients(hit[of], patient[of])
    row["called_positive"] = float(called[used].mean()) if used.any() and not np.isnan(threshold) else np.nan
    return row | _against_the_rest(here, inside, mine, bool(few) or name == NOT_SAID)


def _against_the_rest(
    here: rows.Column, inside: np.ndarray, mine: influence.Influence, silent: bool
) -> dict[str, float]:
    names = ("difference", "difference_low", "difference_high", "p")
    others = auroc.measure(np.where(inside, np.nan, here.y), here.logit, here.patient, ["rest"])
    support = auroc.table_of(others).iloc[0]
    if silent or min(support["pos_patients"], support["neg_patients"]) < MIN_PATIENTS:
        return dict.fromkeys(names, np.nan)
    # A patient with an image on either side carries both influences: their difference is summed over the patient.
    phi = mine.phi[:, 0] - others.phi[:, 0]
    se, carriers = influence.spread_of_mean(phi, here.patient)
    found = compare.difference_of(float(mine.theta[0] - others.theta[0]), se**2, 2 * carriers - 2)
    return dict(zip(names, (found.value, found.low, found.high, found.p), strict=True))
