"""First lines: report's tables put into one or two plain sentences, and tables put into readable cells.

In:    tables of cxrlab.report.
Out:   markdown sentences; tables of text.
Never: streamlit, files, arithmetic on results; a claim beyond a verdict.
"""

import pandas as pd

from cxrlab.ui import words

MACRO = "macro"


def worst_label(gaps: pd.DataFrame) -> str:
    """Return the label with the largest supported loss at any site; without one, the first label."""
    labels = gaps[gaps["label"] != MACRO]
    if labels.empty:
        return ""
    worse = labels[labels["verdict"] == words.WORSE]
    if worse.empty:
        return str(labels["label"].iloc[0])
    return str(worse.sort_values("gap", ascending=False)["label"].iloc[0])


def worst_site(gaps: pd.DataFrame, label: str) -> str:
    """Return the site with the largest supported loss of `label`; without one, the first site; "" without sites."""
    rows = gaps[gaps["label"] == label]
    if rows.empty:
        return ""
    worse = rows[rows["verdict"] == words.WORSE]
    return str((rows if worse.empty else worse.sort_values("gap", ascending=False))["site"].iloc[0])


def cuts(rows: pd.DataFrame, tuned_on: str, rule: str) -> str:
    """Say how many findings have a threshold, and why the others have none.

    Args:
        rows: label, threshold, why_nan, rule, why_rule, f1_default, f1_tuned.
        tuned_on: such as "guangzhou val".
        rule: of the set.
    """
    known = rows[rows["threshold"].notna()]
    if known.empty and rows["why_nan"].nunique() == 1:
        return f"No finding has a threshold: {rows['why_nan'].iloc[0]}."
    line = f"Tuned on *{tuned_on}* by {rule}: {len(known)} of {words.count(len(rows), 'finding')} have a threshold."
    for reason, part in rows[rows["threshold"].isna()].groupby("why_nan", sort=False):
        line += f" {words.listing(list(part['label']))}: {words.undefined(reason)}."
    other = known[known["rule"] != rule] if "rule" in known else known.iloc[:0]
    for name, part in other.groupby("rule", sort=False):
        whose = words.listing(list(part["label"]))
        if (part["why_rule"] != "").any():
            line += f" Too few positives for that rule, so cut by {name}: {whose}."
        else:
            line += f" Cut {name}: {whose}."
    return line


def worth(low: float, high: float, site: str, label: str, *, recalibrated: bool) -> str:
    """Say where the model is worth more than treating all or none; low, high: report.worth."""
    whose = "recalibrated on home's validation rows" if recalibrated else "taken as probabilities as they are"
    if not words.is_known(low):
        return (
            f"Scores of {label}, {whose}, are nowhere at *{site}* worth more than acting on all or on none."
        )
    return (
        f"Scores of {label}, {whose}, are worth more at *{site}* than acting on all or on none for somebody who would act "
        f"from a probability between {words.number(low)} and {words.number(high)}."
    )


def transfer(table: pd.DataFrame, home: str, label: str) -> str:
    """Say what home's threshold gives at home and elsewhere, beside each site's own best (oracle)."""
    own = table[table["tuned_at"] == home]
    here = own[own["applied_at"] == home]
    if here.empty or not words.is_known(here["threshold"].iloc[0]):
        why = here["why_nan"].iloc[0] if len(here) else ""
        return f"{label} has no threshold from {home}: {words.undefined(why)}."
    f1 = words.number(here["f1"].iloc[0], reason=here["why_nan"].iloc[0])
    line = f"A cut for {label} tuned on *{home}*'s validation rows gives F1 {f1} there"
    parts = []
    for row in own[own["applied_at"] != home].to_dict("records"):
        if words.is_known(row["f1"]):
            parts.append(
                f"{words.number(row['f1'])} at *{row['applied_at']}* "
                f"(its own best, oracle: {words.number(row['f1_retuned'])})"
            )
        else:
            parts.append(f"{words.undefined(row['why_nan'])} at *{row['applied_at']}*")
    return f"{line}, {words.listing(parts)}." if parts else f"{line}."


def repeated(sites: list[str]) -> str:
    """Return why some points of a correlation over sites do not count."""
    return (
        f"Drawn but not counted as sites of their own: {', '.join(sites)}. Their pictures were changed on purpose and show "
        "patients that another point counts."
    )


def shift(table: pd.DataFrame, home: str) -> str:
    """Say how each site's reconstruction errors lie against home's, the farthest first, at most two."""
    others = table[table["verdict"] != "home"]
    if others.empty:
        return f"The autoencoder of *{home}* has scored no external site yet."
    order = {"shifted": 0, "like home": 1, "cannot say": 2}
    ranked = sorted(
        others.to_dict("records"),
        key=lambda r: (
            order.get(r["verdict"], 2),
            -(r["auroc_vs_home"] if words.is_known(r["auroc_vs_home"]) else 0),
        ),
    )
    said = [_site(row, home) for row in ranked[:2]]
    if len(ranked) > 2:
        said.append(f"{words.count(len(ranked) - 2, 'more site')} below.")
    return " ".join(said)


def _site(row: dict, home: str) -> str:
    where = f"*{row['site']}* (n = {words.count(row['n'])})"
    if not words.is_known(row["auroc_vs_home"]):
        return f"Nothing can be said of {where}: {row['why_nan']}."
    area = words.interval(row["auroc_vs_home"], row["low"], row["high"])
    said = f"An image at {where} is harder to rebuild than one at *{home}* with probability {area}"
    null = f"home against itself strays from one half by up to {words.number(row['null_auroc'])}"
    end = {
        "shifted": f"{null}, so the shift is larger than chance.",
        "like home": f"{null}, so it looks like home.",
    }
    return f"{said}; {end.get(row['verdict'], 'cannot say: ' + (row['why_nan'] or null) + '.')}"


def performance(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return report.performance in words: one row a site or label (`by`)."""
    rows = table.to_dict("records")

    def at(key: str) -> list[str]:
        return [words.number(r[key], 2, r["why_nan"] or r["why_threshold"]) for r in rows]

    return pd.DataFrame(
        {
            by: [r[by] for r in rows],
            "AUROC": [words.interval(r["auroc"], r["low"], r["high"], r["why_nan"], 3) for r in rows],
            "AUPRC": at("auprc"),
            "prevalence": at("prevalence"),
            "balanced accuracy": at("balanced_accuracy"),
            "MCC": at("mcc"),
            "F1": at("f1"),
            "sensitivity": at("sensitivity"),
            "specificity": at("specificity"),
            "threshold": [words.number(r["threshold"], 3, r["why_threshold"]) for r in rows],
            "positive": [words.count(r["n_pos"]) for r in rows],
            "negative": [words.count(r["n_neg"]) for r in rows],
            "patients": [words.count(r["n_patients"]) for r in rows],
            "note": [r["note"] for r in rows],
        }
    )
