"""Two to twelve runs beside one another: ranks, pairs, the matrix, what they cost, and their seeds.

In:    runs with findings, chosen by a person; a finding or the mean over findings.
Out:   the one view that was chosen, with its sentence.
Never: a winner without its doubt; runs on different rows without saying so; arithmetic on results.
"""

import streamlit as st

from cxrlab import report
from cxrlab.report.comparison import MOST
from cxrlab.ui import cached, choose, measured, standings, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import comparison as figures

VIEWS = ("Ranking", "Pairs", "Trained × tested", "Cost", "Seeds")
COSTS = {
    "parameters": "Parameters", "forward_flops": "Operations of one forward pass", "seconds": "Seconds of training",
    "images_per_s": "Images a second", "p50_ms": "Milliseconds a batch (median)",
}  # fmt: skip


def runs(run_id: str, label: str) -> None:
    """Draw the choice of runs and the chosen view of them."""
    known = {name: spec for name, spec in choose.shown_runs().items()
             if choose.task_of(spec) == "labels" and cached.scored_sites(name)}  # fmt: skip
    home = choose.home_of(known[run_id])
    alike = [name for name, spec in known.items() if choose.home_of(spec) == home]
    first = [run_id, *(name for name in alike if name != run_id)][:MOST]
    names = standings.short_names(known)
    # Options are run ids, not short names: a link must mean the same runs when others have joined them.
    chosen = st.multiselect(
        "Runs", list(known), default=first, key="compare", bind="query-params", max_selections=MOST, help="Two to twelve. Runs of one home can be ranked by what they lose, too.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control("View", VIEWS, default=VIEWS[0], required=True, wrap=True, key="view",
                                    bind="query-params")  # fmt: skip
        over = st.segmented_control("Over", ["mean over findings", "this finding"], default="mean over findings",
                                    required=True, key="over", bind="query-params")  # fmt: skip
    of = label if over == "this finding" else report.matrix.MACRO
    if not chosen or (len(chosen) < 2 and view in ("Ranking", "Pairs")):
        st.info(
            "Choose at least two runs to compare them. A run appears here once it has scores of findings."
        )
        return
    said = label if of == label else "the mean over findings"
    if view in ("Trained × tested", "Cost", "Seeds"):
        {"Trained × tested": matrix, "Cost": costs, "Seeds": seeds}[view](tuple(chosen), of, said, names)
        return
    chosen = tuple(chosen)
    place = standings.meeting(chosen, known)
    if not place.home and not place.externals:
        st.info("These runs have no site in common where all of them were tested.")
        return
    if place.note:
        st.caption(place.note)
    {"Ranking": ranking, "Pairs": pairs}[view](chosen, place, of, said, names)


def _tail(chosen: tuple[str, ...]) -> str:
    return f"{words.count(len(chosen), 'run')}; on the rows that all of them scored, paired; 95 per cent over patients."


def _left_out(table, place) -> None:
    """Say at which sites the chosen runs share no image or no finding."""
    there = set(table.loc[table["what"] == "external", "site"])
    gone = [site for site in place.externals if site not in there]
    if gone:
        st.caption(f"At {words.listing(gone)} these runs share no image, or not this finding; left out.")


def ranking(chosen: tuple[str, ...], place, of: str, said: str, names: dict[str, str]) -> None:
    table = measured.ranks(chosen, place.home, place.externals, of)
    _left_out(table, place)
    table = table[(table["site"] == "") & table["rank"].notna()]
    if table.empty:
        base.empty(f"{said} is undefined at every site that these runs share.")
        return
    st.markdown(standings.ranking(table, names, said))
    questions = {"internal": "At home", "external": "Elsewhere, mean over sites", "gap": "What is lost"}
    there = [what for what in questions if (table["what"] == what).any()]
    for column, what in zip(st.columns(len(there), gap="medium"), there, strict=True):
        part = table[table["what"] == what].reset_index(drop=True)
        with column:
            st.markdown(f"**{questions[what]}**")
            base.show(
                figures.ranks(part, names), f"rank-{what}", data=part,
                caption=f"Rank and the 95 per cent of draws around it; the number is {'the mean gap' if what == 'gap' else 'AUROC'} "
                f"of {said}. {_tail(chosen)}", alt=standings.ranking(part, names, said),
            )  # fmt: skip
    base.table(standings.rank_rows(table, names), "rank-rows", alt="Ranks with their doubt")


def pairs(chosen: tuple[str, ...], place, of: str, said: str, names: dict[str, str]) -> None:
    table = measured.pairs(chosen, place.home, place.externals, of)
    _left_out(table, place)
    if table.empty:
        base.empty(f"{said} is undefined at every site that these runs share.")
        return
    wheres = standings.places(table)
    where = st.segmented_control("Where", list(wheres), default=next(iter(wheres)), required=True, wrap=True,
                                 key="where", bind="query-params")  # fmt: skip
    what, site = wheres[where]
    part = table[(table["what"] == what) & (table["site"] == site)].reset_index(drop=True)
    st.markdown(standings.pairs(part, names, where, said))
    known = part[part["difference"].notna()].reset_index(drop=True)
    if len(known):
        meaning = (
            "what the first loses more" if what == "gap" else "AUROC of the first minus that of the second"
        )
        base.show(figures.pairs(known, names), "pairs", data=table,
                  caption=f"{meaning[:1].upper()}{meaning[1:]}: {said}, {where}. p after Holm over all pairs. {_tail(chosen)}",
                  alt=standings.pairs(part, names, where, said))  # fmt: skip


def matrix(chosen: tuple[str, ...], of: str, said: str, names: dict[str, str]) -> None:
    table = measured.matrix(chosen, of)
    st.markdown(standings.matrix(table, said))
    base.show(
        figures.matrix(table, names), "train-test", data=table,
        caption=f"AUROC of {said}; ⌂ home (its test rows); {words.legend()}: the gap to the run's own home. "
        f"{standings.averaged(table)} {words.count(len(chosen), 'run')}; intervals: 95 per cent over patients.",
        alt=standings.matrix(table, said),
    )  # fmt: skip


def costs(chosen: tuple[str, ...], of: str, said: str, names: dict[str, str]) -> None:
    spent = {run_id: cached.efficiency(run_id) for run_id in chosen}
    table, relations = report.efficiency_vs_gap(measured.matrix(chosen, of), spent)
    cost = st.selectbox(
        "Cost", list(COSTS), format_func=COSTS.get, key="cost", bind="query-params", width=300
    )
    known = table[table[cost].notna() & table["gap"].notna()].reset_index(drop=True)
    st.markdown(standings.relation(relations[cost]))
    if known.empty:
        base.empty("no chosen run has both a measured cost and a gap; imported scores say nothing of cost.")
    else:
        base.show(figures.costs(known, names, cost, COSTS[cost]), "cost-and-gap", data=table,
                  caption=f"One point a run; the mean gap of {said} over its external sites. p over orders of the runs.",
                  alt=standings.relation(relations[cost]))  # fmt: skip
    base.table(standings.cost_rows(table, names), "cost-rows", alt="What each run costs beside what it loses")


def seeds(chosen: tuple[str, ...], of: str, said: str, names: dict[str, str]) -> None:
    groups = report.seed_groups({run_id: cached.run_spec(run_id) for run_id in chosen})
    table = report.seeds(measured.matrix(chosen, of), groups)
    table = table[table["mean"].notna()].reset_index(drop=True)
    if table.empty:
        base.empty("seeds are known of runs that were trained here; none is among the chosen.")
        return
    st.markdown(standings.seeds(table))
    base.show(
        figures.seeds(table, names), "seeds", data=table,
        caption=f"{said[:1].upper()}{said[1:]}. Thick: mean ± sd over seeds, how much training again moves the number. Thin: "
        "the seeds' mean interval over patients. The two are different doubts and are not added.",
        alt=standings.seeds(table),
    )  # fmt: skip
