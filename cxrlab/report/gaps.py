"""Home against every external site.

In:    Predictions of one run at home and elsewhere.
Out:   one row a label and site, with verdicts.
Never: formulas; comparison between runs.
"""

import pandas as pd

from cxrlab.metrics import auroc, gap
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
        COLUMNS, site by site, "macro" last: its mean is over the labels listed in `labels`, those with a standard
        error on both sides, so that both means are over the same labels. n: external images that count.
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
    firm_there = set(there_table.loc[there_table["se"].notna(), "label"])
    both = [label for label in home_table.loc[home_table["se"].notna(), "label"] if label in firm_there]
    inside = _with_macro(home, home_table, both)
    outside = _with_macro(there, there_table, both)
    table = gap.by_label(inside, outside, margin)
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


def _with_macro(measured: auroc.Influence, single: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    row = auroc.macro(measured, only=labels, single=single)
    return pd.concat([single, pd.DataFrame([row])[list(single)]], ignore_index=True)
