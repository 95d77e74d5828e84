"""What to look at next: the three most telling facts of a study, each with the page that shows it.

In:    tables of report.py.
Out:   Suggestions: a sentence made of computed facts, a page and the choices to set there.
Never: streamlit, files; a fact that is not in the tables.
"""

from dataclasses import dataclass, field

import pandas as pd

MACRO = "macro"
FAR = 0.7  # an RE AUROC against home from which a site is called far; .5 is no difference at all


@dataclass(frozen=True)
class Suggestion:
    """One thing to look at. `page` and `query` are where; a missing page is the caller's to leave out."""

    sentence: str
    page: str
    query: dict[str, str] = field(default_factory=dict)


def suggest(
    gaps: pd.DataFrame | None, re_table: pd.DataFrame | None, home: str, most: int = 3
) -> list[Suggestion]:
    """Return at most `most` suggestions, the most telling first.

    Args:
        gaps: report.gaps, or None when no findings run has scores.
        re_table: report.reconstruction, or None without an autoencoder.
        home: the home site's name.
        most: how many.
    """
    found: list[Suggestion] = []
    if gaps is not None and len(gaps):
        found += _gap_suggestions(gaps[gaps["label"] != MACRO])
    if re_table is not None:
        found += _far_site(re_table[re_table["site"] != home])
    if gaps is not None and len(gaps):
        found += [_thresholds(gaps)]
    return found[:most]


def _gap_suggestions(gaps: pd.DataFrame) -> list[Suggestion]:
    out = []
    worse = gaps[gaps["verdict"] == "worse"].sort_values("gap", ascending=False)
    if len(worse):
        row = worse.iloc[0]
        out.append(
            Suggestion(
                f"{row['label']} loses most at {row['site']}: look at what the model saw in its failures there.",
                "heatmaps",
                {"site": row["site"], "label": row["label"]},
            )
        )
    mute = gaps[gaps["verdict"] == "cannot say"].copy()
    if len(mute):
        mute["support"] = mute[["n_pos", "n_neg"]].min(axis=1)
        row = mute.sort_values("support", ascending=False).iloc[0]
        out.append(
            Suggestion(
                f"Nothing can be said of {_count(len(mute), 'label and site', 'pairs of label and site')}; "
                f"nearest to a verdict is {row['label']} at {row['site']} "
                f"({int(row['n_pos']):,} positive, {int(row['n_neg']):,} negative images).",
                "generalization",
                {"site": row["site"], "label": row["label"]},
            )
        )
    return out


def _far_site(re_table: pd.DataFrame) -> list[Suggestion]:
    far = re_table.dropna(subset=["auroc_vs_home"]).sort_values("auroc_vs_home", ascending=False)
    if far.empty or far.iloc[0]["auroc_vs_home"] < FAR:
        return []
    row = far.iloc[0]
    return [
        Suggestion(
            f"{row['site']} looks unlike home to the autoencoder "
            f"(RE tells the two apart with AUROC {row['auroc_vs_home']:.2f}): see what kind of shift it is.",
            "shift",
            {"site": row["site"]},
        )
    ]


def _thresholds(gaps: pd.DataFrame) -> Suggestion:
    of = gaps[gaps["label"] != MACRO].dropna(subset=["internal"]).sort_values("internal", ascending=False)
    if of.empty:
        return Suggestion("See where each label is cut, and whether the cut travels.", "thresholds")
    label = of.iloc[0]["label"]
    return Suggestion(
        f"{label} is ranked best at home: see whether its threshold travels as well.",
        "thresholds",
        {"label": label},
    )


def _count(n: int, one: str, many: str) -> str:
    return f"one {one}" if n == 1 else f"{n} {many}"
