"""What a comparison of runs says: where the runs meet, the sentence over each view, tables in words.

In:    specs of runs; tables of cxrlab.report.
Out:   names, sentences, tables of text.
Never: streamlit; arithmetic on results; a winner where the draws disagree.
"""

from dataclasses import dataclass

import pandas as pd

from cxrlab import studies
from cxrlab.ui import cached, words

ORACLE = (
    "Choose by what happens at home. What is picked for how it does elsewhere was chosen with those sites' labels: its "
    "numbers there are no longer a test."
)
SURE = 0.95  # share of draws from which a run is called first


@dataclass(frozen=True)
class Meeting:
    """Where runs can be compared: their common home ("" without one), sites that none of them trained at, a note."""

    home: str
    externals: tuple[str, ...]
    note: str


def short_names(specs: dict[str, object]) -> dict[str, str]:
    """Return run → a name that fits on an axis and is its own: the network, and what else tells it from the others."""
    trained = [spec for spec in specs.values() if spec.kind == "train"]
    homes, seeds = {spec.view.source for spec in trained}, {spec.seed for spec in trained}
    said: dict[str, str] = {}
    for run_id, spec in specs.items():
        if spec.kind == "import":
            said[run_id] = f"{spec.name} (imported)"
        elif spec.kind == "brought":
            said[run_id] = f"{spec.name} (brought)"
        else:
            home = "+".join(spec.view.source) if len(homes) > 1 else ""
            seed = f"seed {spec.seed}" if len(seeds) > 1 else ""
            said[run_id] = ", ".join(filter(None, (spec.model.name, home, seed)))
    names = list(said.values())
    return {run: f"{name} · {run[-4:]}" if names.count(name) > 1 else name for run, name in said.items()}


def meeting(chosen: tuple[str, ...], specs: dict[str, object]) -> Meeting:
    """Return where the chosen runs can be put side by side."""
    homes = {run_id: next(iter(studies.homes_of(specs[run_id])), "") for run_id in chosen}
    scored = [cached.scored_sites(run_id) for run_id in chosen]
    common = [site for site in scored[0] if all(site in there for there in scored[1:])]
    home = homes[chosen[0]] if len(set(homes.values())) == 1 else ""
    externals = tuple(site for site in common if site not in homes.values())
    notes = []
    if not home:
        known = sorted(filter(None, set(homes.values())))
        if len(known) > 1:
            why = f"the runs were trained at {words.listing(known)}"
        else:
            why = "where some of them were trained is not known"
        notes.append(f"Compared outside only, since {why}.")
    left = sorted({site for there in scored for site in there} - set(common))
    if left:
        notes.append(f"Not every run has scores at {words.listing(left)}; left out.")
    return Meeting(home if home in common else "", externals, " ".join(notes))


def ranking(table: pd.DataFrame, names: dict[str, str], said: str) -> str:
    """Say who is first by each question, or that it cannot be told."""
    questions = {"internal": "at home", "external": "elsewhere", "gap": "by what is lost"}
    out = []
    for what, part in table.groupby("what", sort=False):
        best = part.sort_values(["rank", "first"], ascending=[True, False]).iloc[0]
        name, share = names[best["name"]], words.percent(best["first"])
        sure = best["first"] >= SURE
        out.append(
            f"{questions[what]} **{name}** is first in {share} of draws" if sure
            else f"{questions[what]} it cannot be told who is first ({name} in {share} of draws)"
        )  # fmt: skip
    line = "; ".join(out)
    return f"By {said}: {line}."


def rank_rows(table: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Return report.rank_runs in words."""
    questions = {"internal": "at home", "external": "elsewhere (mean)", "gap": "lost (mean)"}
    order = list(questions)
    rows = sorted(table.to_dict("records"), key=lambda r: (order.index(r["what"]), r["rank"]))
    return pd.DataFrame(
        {
            "by": [questions[r["what"]] for r in rows],
            "run": [names[r["name"]] for r in rows],
            "value": [words.interval(r["value"], r["low"], r["high"], r["why_nan"], 3) for r in rows],
            "rank": [f"{r['rank']:.0f}" for r in rows],
            "could be": [f"{r['rank_low']:.0f} to {r['rank_high']:.0f}" for r in rows],
            "first in": [words.percent(r["first"]) for r in rows],
        }
    )


def places(table: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return what a person chooses → (what, site) of report.compare_panels."""
    titles = {"home": "at home", "external": "at {}", "gap": "lost at {}"}
    order = {"home": 0, "external": 1, "gap": 2}
    found = (
        table[["what", "site"]]
        .drop_duplicates()
        .sort_values("what", key=lambda c: c.map(order), kind="stable")
    )
    return {titles[what].format(site): (what, site) for what, site in found.itertuples(index=False)}


def pairs(part: pd.DataFrame, names: dict[str, str], where: str, said: str) -> str:
    """Say how many pairs differ, and the largest difference."""
    known = part[part["difference"].notna()]
    if known.empty:
        why = part["why_nan"].iloc[0] if len(part) else ""
        return f"Nothing can be said {where} of {said}: {words.undefined(why)}."
    apart = known[known["p_holm"] < 0.05]
    line = f"By {said}, {where}: {len(apart)} of {words.count(len(known), 'pair')} differ by more than chance (Holm)."
    if len(apart):
        row = apart.loc[apart["difference"].abs().idxmax()]
        line += (
            f" The most: {names[row['a']]} against {names[row['b']]}, "
            f"{words.signed(row['difference'])} [{words.number(row['low'])}, {words.number(row['high'])}]."
        )
    return line


def matrix(table: pd.DataFrame, said: str) -> str:
    """Say how many cells lose."""
    away = table[~table["is_home"].astype(bool) & table["verdict"].astype(bool)]
    if away.empty:
        return f"No run has both a home and another site with scores, so {said} has no gaps here."
    counts = away["verdict"].value_counts()
    parts = [f"{counts[v]} {words.verdict(v)}" for v in words.VERDICTS if v in counts]
    return f"Of {words.count(len(away), 'way')} from a home to another site: {words.listing(parts)}."


def averaged(table: pd.DataFrame) -> str:
    """Say what a mean is over, for a caption."""
    labels = next((one for one in table["labels"] if one), "")
    return f"Over {labels}: the findings that every cell supports." if ", " in labels else ""


def relation(found) -> str:
    """Return the sentence of a metrics.relation over runs; it was written for sites."""
    return found.sentence.replace("sites", "runs")


def cost_rows(table: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Return report.efficiency_vs_gap in words."""
    rows = table.to_dict("records")

    def said(key: str, form: str) -> list[str]:
        return [form.format(r[key]) if words.is_known(r[key]) else "not measured" for r in rows]

    return pd.DataFrame(
        {
            "run": [names[r["run"]] for r in rows],
            "parameters": said("parameters", "{:,.0f}"),
            "forward operations": said("forward_flops", "{:,.3g}"),
            "training, s": said("seconds", "{:,.0f}"),
            "images a second": said("images_per_s", "{:,.0f}"),
            "at home": [words.number(r["internal"], 3) for r in rows],
            "elsewhere": [words.number(r["external"], 3) for r in rows],
            "gap": [words.signed(r["gap"], 3) for r in rows],
            "external sites": [words.count(r["n_sites"]) for r in rows],
        }
    )


def seeds(table: pd.DataFrame) -> str:
    """Say how far training again moves the number, beside the doubt over patients."""
    several = table[table["seeds"] > 1]
    if several.empty:
        return "Every chosen run has one seed, so how far training again moves a number is not known here."
    row = several.loc[several["sd"].idxmax()]
    return (
        f"Training again moves the number the most at *{row['site']}*: {words.number(row['mean'], 3)} ± "
        f"{words.number(row['sd'], 3)} over {words.count(row['seeds'], 'seed')}; over patients the interval is "
        f"[{words.number(row['low'], 3)}, {words.number(row['high'], 3)}]."
    )


def sweep(table: pd.DataFrame, found) -> str:
    """Say which setting of a sweep leads at home, or that it cannot be told.

    Args:
        table: sweep_table.over_seeds with the column `said`.
        found: report.sweep_lead.lead of it, not None.
    """
    one, two = table.loc[found.first], table.loc[found.second]
    numbers = f"{words.number(one['home'], 3)} against {words.number(two['home'], 3)} of {two['said']}"
    if found.is_clear:
        return f"At home **{one['said']}** leads, {numbers}; training again moves their distance by about ± {words.number(found.moves, 3)}."
    if words.is_known(found.moves):
        why = f"training again moves their distance by about ± {words.number(found.moves, 3)}"
    else:
        why = "with one seed a setting, nothing says whether training again would turn the order"
    return f"At home it cannot be told which setting is best: {one['said']} has {numbers}, and {why}."
