"""What Generalization's parts say: report's tables put into a sentence, and into cells that can be read.

In:    tables of cxrlab.report.
Out:   markdown sentences; tables of text.
Never: streamlit, files, arithmetic on results; a claim beyond an interval.
"""

import pandas as pd

from cxrlab import report
from cxrlab.ui import words

MACRO = "macro"
PARTS = {"ranking": "ranking", "transfer": "the threshold", "prevalence": "prevalence"}
KINDS = {"FN": "missed", "FP": "false alarm"}


def untrained(performance: pd.DataFrame, site: str) -> str:
    """Return a warning when a run tells nothing apart even at its first site, or "".

    Args:
        performance: report.performance of that site.
        site: its name.
    """
    if not report.looks_untrained(performance):
        return ""
    return (
        f"At {site} every finding's interval holds chance: a head that was never trained would do as well. "
        "Gaps from here mean little."
    )


def without_home(table: pd.DataFrame, run_id: str) -> str:
    """Say how a model does whose home is not known, site by site.

    Args:
        table: report.performance of its sites.
        run_id: its name.
    """
    said = []
    for site, part in table.groupby("site", sort=False):
        mean = part[part["label"] == MACRO].iloc[0]
        single = part[(part["label"] != MACRO) & part["auroc"].notna()].sort_values("auroc")
        line = f"at *{site}* (n = {words.count(mean['n'])}) the mean AUROC over labels is "
        line += words.interval(mean["auroc"], mean["low"], mean["high"], mean["why_nan"])
        if len(single) > 1:
            worst, best = single.iloc[0], single.iloc[-1]
            line += f", from {words.number(worst['auroc'])} ({worst['label']}) to {words.number(best['auroc'])} ({best['label']})"
        said.append(line)
    lines = "; ".join(said)
    return f"Where `{run_id}` was trained is not known, so there are no gaps. {lines[:1].upper()}{lines[1:]}."


def losses(table: pd.DataFrame, home: str, label: str) -> str:
    """Say where most F1 is lost and what of; sites without a number with their reason."""
    known = table[table["loss"].notna()].sort_values("loss", ascending=False)
    gone = [
        f"{r['site']}: {words.undefined(r['why_nan'])}"
        for r in table[table["loss"].isna()].to_dict("records")
    ]
    if known.empty:
        return f"Nothing can be said of what {label} loses. " + "; ".join(gone) + "."
    row = known.iloc[0]
    parts = sorted(PARTS, key=lambda part: -row[part])
    of = words.listing([f"{words.signed(row[part])} by {PARTS[part]}" for part in parts])
    verb = "falls" if row["loss"] >= 0 else "rises"
    line = (
        f"At the threshold of *{home}*, F1 of {label} {verb} from {words.number(row['home'])} to "
        f"{words.number(row['outside'])} at *{row['site']}*: {of}."
    )
    return " ".join([line, *(f"{one}." for one in gone)])


def at_one_prevalence(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.standardised in words."""
    rows = table.to_dict("records")

    def moved(name: str) -> list[str]:
        return [
            words.undefined(r["why_nan"]) if r["why_nan"] else f"{words.number(r[name])} → {words.number(r[f'{name}_at'])}"
            for r in rows
        ]  # fmt: skip

    names = {"auprc": "AUPRC", "f1": "F1", "ppv": "PPV", "npv": "NPV", "mcc": "MCC"}
    return pd.DataFrame(
        {
            "site": [r["site"] for r in rows],
            "prevalence": [words.number(r["prevalence"], 3, r["why_nan"]) for r in rows],
            **{title: moved(name) for name, title in names.items()},
            "positive": [words.count(r["n_pos"]) for r in rows],
            "negative": [words.count(r["n_neg"]) for r in rows],
        }
    )


def calibration(table: pd.DataFrame, site: str, label: str, method: str) -> str:
    """Say whether the scores as they are say too much or too little, and what one recalibration changes."""
    before = table[table["method"] == "none"].iloc[0]
    if not words.is_known(before["said"]):
        return f"Nothing can be said of {label} at *{site}*: {before['why_nan']}."
    line = (
        f"At *{site}* the scores say {words.percent(before['said'], 1)} of images have {label}; "
        f"{words.percent(before['seen'], 1)} do. Calibration error {words.number(before['ece'], 3)}"
    )
    after = table[table["method"] == method]
    if method == "none" or after.empty:
        return f"{line}."
    after = after.iloc[0]
    if not words.is_known(after["ece"]):
        return f"{line}; after recalibration at home: {words.undefined(after['why_nan'])}."
    return f"{line}, {words.number(after['ece'], 3)} after recalibration at home."


def calibrations(table: pd.DataFrame, methods: dict[str, str]) -> pd.DataFrame:
    """Return report.calibration in words, one row a recalibration."""
    names = {method: name for name, method in methods.items()} | {"none": "as scored"}
    rows = table.to_dict("records")

    def at(key: str, places: int = 3) -> list[str]:
        return [words.number(r[key], places, r["why_nan"]) for r in rows]

    return pd.DataFrame(
        {
            "recalibrated by": [names[r["method"]] for r in rows],
            "ECE": at("ece"),
            "Brier": at("brier"),
            "skill": at("skill"),
            "slope": at("slope", 2),
            "intercept": at("intercept", 2),
            "said": at("said"),
            "seen": at("seen"),
            "note": [r["note"] for r in rows],
        }
    )


def before_and_after(tables: dict[str, pd.DataFrame], measure: str) -> pd.DataFrame:
    """Return site, before, after of one measure; NaN where it is undefined.

    Args:
        tables: site → report.calibration, "none" first.
        measure: a column.
    """
    return pd.DataFrame(
        [
            {"site": site, "before": table[measure].iloc[0], "after": table[measure].iloc[-1]}
            for site, table in tables.items()
        ]
    )


def groups(table: pd.DataFrame, site: str, label: str) -> str:
    """Name the groups that differ from the rest, and warn of the smallest."""
    apart = table[table["p_holm"] < 0.05].sort_values("difference")
    if len(apart):
        said = [
            f"{r['by']} {r['group']} ({words.signed(r['difference'])} [{words.number(r['difference_low'])}, "
            f"{words.number(r['difference_high'])}])"
            for r in apart.to_dict("records")
        ]
        line = f"At *{site}*, AUROC of {label} differs from that of the rest for {words.listing(said)}."
    else:
        line = f"At *{site}*, no group's AUROC of {label} differs from the rest by more than chance."
    small = table[table["small"]]
    if len(small):
        row = small.sort_values(["pos_patients", "neg_patients"]).iloc[0]
        line += (
            f" {words.count(len(small), 'group is', 'groups are')} too small to tell; the smallest is {row['by']} "
            f"{row['group']}, with {words.count(row['pos_patients'], 'positive')} and "
            f"{words.count(row['neg_patients'], 'negative patient')}."
        )
    return line


def group_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.subgroups in words."""
    rows = table.to_dict("records")

    def share(name: str) -> list[str]:
        return [
            words.interval(r[name], r[f"{name}_low"], r[f"{name}_high"])
            if words.is_known(r[name])
            else "undefined"
            for r in rows
        ]

    return pd.DataFrame(
        {
            "group": [f"{r['by']}: {r['group']}" for r in rows],
            "AUROC": [words.interval(r["auroc"], r["low"], r["high"], r["why_nan"]) for r in rows],
            "against the rest": [
                words.interval(
                    r["difference"], r["difference_low"], r["difference_high"], r["note"] or "not compared"
                )
                for r in rows
            ],
            "p": [words.number(r["p_holm"], 3, "") if words.is_known(r["p_holm"]) else "–" for r in rows],
            "sensitivity": share("sensitivity"),
            "specificity": share("specificity"),
            "prevalence": [words.number(r["prevalence"]) for r in rows],
            "positive": [words.count(r["n_pos"]) for r in rows],
            "negative": [words.count(r["n_neg"]) for r in rows],
            "patients": [words.count(r["n_patients"]) for r in rows],
            "warning": [r["note"] for r in rows],
        }
    )


def mistakes(table: pd.DataFrame, site: str, label: str) -> str:
    """Say which mistake comes with one on `label` most."""
    known = table[(table["p_holm"] < 0.05) & (table["ratio"] > 1)]
    if known.empty:
        return (
            f"At *{site}*, no other mistake comes with one on {label} more often than chance allows to tell."
        )
    row = known.iloc[0]
    return (
        f"At *{site}*, {row['label']} {KINDS[row['kind']]} and {row['other']} {KINDS[row['other_kind']]} come together: on "
        f"{words.count(row['both'], 'image')}, {row['ratio']:.1f} times as many as expected."
    )


def mistake_rows(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return report.co_errors in words, `label` always on the left."""
    sides = (("label", "kind"), ("other", "other_kind"))
    out = []
    for row in table.to_dict("records"):
        mine, other = sides if row["label"] == label else sides[::-1]
        out.append(
            {
                "mistake": f"{row[mine[0]]} {KINDS[row[mine[1]]]}",
                "with": f"{row[other[0]]} {KINDS[row[other[1]]]}",
                "both": words.count(row["both"]),
                "expected": f"{row['expected']:.1f}" if words.is_known(row["expected"]) else "–",
                "correlation": words.number(row["phi"], 2, row["why_nan"]),
                "p": words.number(row["p_holm"], 3) if words.is_known(row["p_holm"]) else "–",
                "among": words.count(row["n"], "image"),
            }
        )
    return pd.DataFrame(out)


def label_noise(table: pd.DataFrame) -> str:
    """Say what another truth does to the AUROC, the first reader of the table."""
    row = table.iloc[0]
    if row["why_nan"]:
        return (
            f"Nothing can be said of {row['label']} at *{row['site']}* by {row['reader']}: {row['why_nan']}."
        )
    own, other = (
        words.interval(row[value], row[f"{side}_low"], row[f"{side}_high"])
        for value, side in (("auroc_own", "own"), ("auroc_reader", "reader"))
    )
    return (
        f"On the same {words.count(row['n'], 'image')} of *{row['site']}*, the same scores of {row['label']} reach AUROC {own} "
        f"against the site's own truth and {other} against that of {row['reader']}: a difference of "
        f"{words.signed(row['difference'])} [{words.number(row['low'])}, {words.number(row['high'])}] that no model made. "
        f"The two truths agree with kappa {words.interval(row['kappa'], row['kappa_low'], row['kappa_high'], row['why_kappa'])}."
    )


def reader_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.label_noise in words: how the two truths agree."""
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "site": [r["site"] for r in rows],
            "reader": [r["reader"] for r in rows],
            "kappa": [
                words.interval(r["kappa"], r["kappa_low"], r["kappa_high"], r["why_kappa"]) for r in rows
            ],
            "both present": [words.count(r["both"]) for r in rows],
            "only the site's": [words.count(r["own_only"]) for r in rows],
            "only the reader's": [words.count(r["reader_only"]) for r in rows],
            "both absent": [words.count(r["neither"]) for r in rows],
            "images": [words.count(r["n"]) for r in rows],
            "patients": [words.count(r["n_patients"]) for r in rows],
        }
    )


def published(table: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """Return others' figures in words, each beside ours at that site.

    Args:
        table: of measured.published.
        points: site, value, low, high, why_nan: ours.
    """
    ours = {
        r["site"]: words.interval(r["value"], r["low"], r["high"], r["why_nan"])
        for r in points.to_dict("records")
    }
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "trained at": [r["train"] for r in rows],
            "tested at": [r["test"] for r in rows],
            "theirs": [words.number(r["auroc"], 3) for r in rows],
            "ours": [ours.get(r["site"], "not scored") for r in rows],
            "network": [r["model"] for r in rows],
            "source": [r["source"] for r in rows],
            "how": [r["note"] for r in rows],
            "read from": [r["grade"] for r in rows],
        }
    )


def at_one_point(table: pd.DataFrame, aim: str) -> str:
    """Say how many normal images each model passes at the same aim, where that differs most from home.

    Args:
        table: report.operating_point, home's row first for each model.
        aim: the sensitivity aimed at, as shown.
    """
    known = table[table["why_nan"] == ""]
    if known.empty:
        return f"No model could be cut at a sensitivity of {aim}: {table['why_nan'].iloc[0]}."
    said = []
    for name, part in known.groupby("name", sort=False):
        home, far = part.iloc[0], part.loc[part["sensitivity"].idxmin()]
        there = "" if far["site"] == home["site"] else (
            f"; its sensitivity is lowest at *{far['site']}*, {words.number(far['sensitivity'])}"
        )  # fmt: skip
        said.append(
            f"**{name}**: specificity {words.number(home['specificity'])} at *{home['site']}*'s test rows{there}"
        )
    return f"Cut for a sensitivity of {aim}: " + ". ".join(said) + "."


def point_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.operating_point as cells: a row a model and site."""
    rows = [row for _, row in table.iterrows()]
    return pd.DataFrame(
        {
            "model": [r["name"] for r in rows],
            "site": [r["site"] for r in rows],
            "threshold": [words.number(r["threshold"], 3, r["why_nan"]) for r in rows],
            **{
                name: [words.number(r[name], 2, r["why_nan"]) for r in rows]
                for name in ("sensitivity", "specificity", "ppv", "f1")
            },
            "abnormal": [words.count(r["n_pos"], "image") for r in rows],
            "normal": [words.count(r["n_neg"], "image") for r in rows],
        }
    ).rename(columns={"ppv": "PPV", "f1": "F1"})
