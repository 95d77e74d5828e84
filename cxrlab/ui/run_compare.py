"""Several runs beside one another on the page of runs: who is first, what came out, what differs, what they cost.

In:    two to twelve run ids.
Out:   drawn parts, the sentence first.
Never: a winner where the draws disagree; a choice by external sites without saying that it is one.
"""

from typing import Any

import pandas as pd
import streamlit as st

from cxrlab import report
from cxrlab.errors import CxrlabError
from cxrlab.facts import run_facts
from cxrlab.ui import cached, choose, marks, measured, run_costs, run_curves, run_words, standings, words
from cxrlab.ui.figures import base

SCORED = ("labels", "normal")


def draw(run_ids: list[str]) -> None:
    """Draw several runs beside one another."""
    specs = {run_id: cached.run_spec(run_id) for run_id in run_ids}
    names = standings.short_names({run_id: spec for run_id, spec in specs.items() if _has_network(spec)})
    marks.draw(site for run_id in run_ids for site in cached.scored_sites(run_id))
    st.subheader("What came out", anchor=False)
    _who_is_first(specs)
    base.table(
        pd.DataFrame([{"name": names.get(run_id, run_id), **outcome(run_id)} for run_id in run_ids]).fillna(
            "–"
        ),
        "outcomes",
        alt="Outcome of the runs",
    )
    st.caption(
        "AUROC: mean over labels, with its 95 per cent interval over patients; home's test rows, all rows elsewhere. The key "
        "number chose the epoch and is on other rows."
    )
    st.subheader("What differs", anchor=False)
    table = run_facts.compare(specs)
    if table.shape[1] > 1:
        _side_by_side(table, specs)
        base.table(table, "differences", alt="Fields in which the runs differ")
    else:
        st.caption("Nothing in their specs: they differ in the stores' contents only.")
    run_curves.draw(run_ids)
    st.subheader("What they cost", anchor=False)
    run_costs.several(run_curves.names(run_ids))


def _who_is_first(specs: dict[str, Any]) -> None:
    """Say which run is first and how sure that is, where the runs can be ranked."""
    ranked = {run_id: spec for run_id, spec in specs.items() if _is_scored(run_id, spec)}
    if len(ranked) < 2:
        return
    if len({choose.task_of(spec) for spec in ranked.values()}) > 1:
        st.caption("Runs of different tasks are not ranked: their AUROCs answer different questions.")
        return
    names, chosen = standings.short_names(ranked), tuple(ranked)
    place = standings.meeting(chosen, ranked)
    if place.note:
        st.caption(place.note)
    if not place.home and not place.externals:
        st.caption("These runs have no site in common where all of them were tested.")
        return
    try:
        table = measured.ranks(chosen, place.home, place.externals, report.matrix.MACRO)
    except CxrlabError as error:  # nothing in common but the sites' names
        st.caption(str(error))
        return
    table = table[(table["site"] == "") & table["rank"].notna()]
    if len(table):
        st.markdown(standings.ranking(table, names, "the mean over labels"))
    groups = report.seed_groups(ranked)
    over = report.seeds(measured.matrix(chosen, report.matrix.MACRO), groups)
    over = over[over["mean"].notna()].reset_index(drop=True)
    doubt = standings.seeds(over) if len(over) else ""
    st.caption(" ".join(filter(None, (doubt, standings.ORACLE if place.externals else ""))))


def _has_network(spec: Any) -> bool:
    return spec.kind not in ("study", "sweep", "score")


def _is_scored(run_id: str, spec: Any) -> bool:
    scored = _has_network(spec) and getattr(spec, "task", "labels") in SCORED
    return scored and bool(cached.scored_sites(run_id))


def outcome(run_id: str) -> dict[str, Any]:
    """Return the key numbers of a run, worded; home's before the others'."""
    spec, now = cached.run_spec(run_id), cached.status(run_id)
    row = {"run": run_id, "state": now.state, "key number": run_words.key_number(run_id)}
    if _is_scored(run_id, spec):
        homes = cached.home_of(run_id)
        there = cached.scored_sites(run_id)
        for site in [*(one for one in there if one in homes), *(one for one in there if one not in homes)]:
            macro = cached.performance(run_id, site).iloc[-1]
            row[f"AUROC at {site}"] = words.interval(
                macro["auroc"], macro["low"], macro["high"], macro["why_nan"]
            )
    return row


def _side_by_side(differs: pd.DataFrame, specs: dict[str, Any]) -> None:
    """Draw the runs as lines over what differs and what came out, where there are enough to see a pattern."""
    from cxrlab.ui.figures import runs as figures

    if len(differs) < figures.LEAST or differs.shape[1] - 1 > figures.AXES:
        return
    table = differs.copy()
    scored = {run_id for run_id, spec in specs.items() if _is_scored(run_id, spec)}
    common = set.intersection(*(set(cached.scored_sites(run_id)) for run_id in scored)) if scored else set()
    homes = {site for run_id in scored for site in cached.home_of(run_id)}
    for site in sorted(common, key=lambda one: (one not in homes, one)):
        table[f"AUROC at {site}"] = [
            cached.performance(run_id, site).iloc[-1]["auroc"] if run_id in scored else None
            for run_id in table["run"]
        ]
    names = run_curves.names(list(table["run"]))
    base.show(
        figures.parallel(table, names),
        "side-by-side",
        data=table,
        caption="One line a run, from what was set (above) to what came out (below); darker: better at the first AUROC.",
        alt=f"{words.count(len(table), 'run')} as lines over the fields in which they differ and their AUROC",
    )
