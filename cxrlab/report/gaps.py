"""Home against every external site.

In:    Predictions of one run at home and elsewhere.
Out:   one row a label and site, with verdicts.
Never: formulas; comparison between runs.
"""

import pandas as pd

from cxrlab.metrics import auroc, gap
from cxrlab.metrics.interval import MIN_PATIENTS
from cxrlab.predictions import Predictions
from cxrlab.report.performance import judged

COLUMNS = (
    "site", "label", "internal", "external", "gap", "low", "high", "p", "verdict", "n_pos", "n_neg", "why",
    "p_holm", "n", "internal_low", "internal_high", "external_low", "external_high", "internal_n_pos",
    "internal_n_neg", "labels", "margin",
)  # fmt: skip


def gaps(internal: Predictions, externals: list[Predictions], margin: float = gap.MARGIN) -> pd.DataFrame:
    """Return the AUROC gaps of every label, and of the mean over labels, at every external site.

    Args:
        internal: home's predictions; only its test rows count.
        externals: the same run's predictions elsewhere.
        margin: the largest gap that counts as none.

    Returns:
        COLUMNS, site by site, "macro" last: its mean is over the labels listed in `labels`, those with enough patients
        for a verdict on both sides, so that both means are over the same labels; where no label has them, the mean is
        over the defined ones and the verdict is "cannot say". n: external images that count.
    """
    home = _measure(internal)
    home_table = auroc.table_of(home)
    tables = [_one_site(home, home_table, external, margin) for external in externals]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _measure(predictions: Predictions) -> auroc.Influence:
    rows = judged(predictions)
    return auroc.measure(rows.y_true(), rows.logit(), rows.table["patient_id"].to_numpy(), rows.labels)


def _one_site(
    home: auroc.Influence, home_table: pd.DataFrame, external: Predictions, margin: float
) -> pd.DataFrame:
    there = _measure(external)
    there_table = auroc.table_of(there)
    both, unsupported = _averaged(home_table, there_table)
    inside = _with_macro(home, home_table, both)
    outside = _with_macro(there, there_table, both)
    table = gap.by_label(inside, outside, margin)
    if unsupported:
        table.loc[table["label"] == auroc.MACRO, ["verdict", "why"]] = [gap.CANNOT_SAY, unsupported]
    for side, ends, prefix in (
        (inside, ("low", "high", "n_pos", "n_neg"), "internal_"),
        (outside, ("low", "high"), "external_"),
    ):
        known = side.set_index("label").reindex(table["label"])
        for name in ends:
            table[prefix + name] = known[name].to_numpy()
    counted = outside.set_index("label").reindex(table["label"])
    table["labels"] = counted["labels"].to_numpy()
    table["n"] = (table["n_pos"] + table["n_neg"]).where(table["label"] != auroc.MACRO, len(there.y_true))
    table["site"], table["margin"] = external.site, margin
    return table[list(COLUMNS)]


def _averaged(home: pd.DataFrame, there: pd.DataFrame) -> tuple[list[str], str]:
    """Return the labels that the mean is over, and why it supports no verdict, or "".

    A mean borrows no support: labels that could not have a verdict of their own are left out of it, and where that
    leaves none, the mean over the defined ones is shown without a verdict.
    """
    for least, why in (
        (MIN_PATIENTS, ""),
        (
            0,
            f"none of its labels has {MIN_PATIENTS} positive and {MIN_PATIENTS} negative patients at both sites",
        ),
    ):
        firm = [
            side.loc[
                side["se"].notna() & (side[["pos_patients", "neg_patients"]].min(axis=1) >= least), "label"
            ]
            for side in (home, there)
        ]
        if both := [label for label in firm[0] if label in set(firm[1])]:
            return both, why
    return [], why


def _with_macro(measured: auroc.Influence, single: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    row = auroc.macro(measured, only=labels, single=single)
    return pd.concat([single, pd.DataFrame([row])[list(single)]], ignore_index=True)
