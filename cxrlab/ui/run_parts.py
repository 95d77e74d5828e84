"""The parts of the page about runs: live list, one run's detail.

In:    run folders, read anew at every look.
Out:   drawn parts; buttons whose deeds are verified before the page says so.
Never: a handle on a process.
"""

from typing import Any

import pandas as pd
import streamlit as st

from cxrlab import jobs
from cxrlab.errors import CxrlabError
from cxrlab.facts import run_facts
from cxrlab.paths import Lab
from cxrlab.ui import (
    cached,
    choose,
    frame,
    live,
    marks,
    run_costs,
    run_curves,
    run_words,
    sweep_results,
    words,
)
from cxrlab.ui.figures import base

LOG_LINES = 60
ALL, ALONE = "all", "alone"
SHOWN = {ALL: "all runs", ALONE: "all but the runs of studies and sweeps"}
RERUN = ("train", "study", "sweep")


def known_runs() -> list[str]:
    """Return the runs, the latest submitted first."""
    lab = Lab.here()
    return sorted(lab.run_ids(), key=lambda name: -lab.run(name).spec.stat().st_mtime_ns)


def row_of(run_id: str) -> dict[str, Any]:
    """Return a run's line in the list; a damaged folder says what is wrong with it."""
    try:
        now, spec = cached.status(run_id), cached.run_spec(run_id)
    except CxrlabError as error:
        return {"run": run_id, "state": "damaged", "progress": None, "what": str(error)}
    when = pd.Timestamp(now.submitted, unit="s") if words.is_known(now.submitted) else pd.NaT
    return {
        "run": run_id,
        "state": now.state,
        "progress": 100 * live.share(now) if now.is_alive or now.state == "done" else None,
        "what": run_words.what(spec)
        if now.state == "done"
        else f"{live.said(now).rstrip('.')}. {run_words.what(spec)}",
        "number": run_words.key_number(run_id),
        "submitted": when,
    }


def parents(ids: list[str]) -> dict[str, set[str]]:
    """Return study or sweep → its runs, of those that have any."""
    found = {}
    for run_id in ids:
        try:
            kind = cached.run_spec(run_id).kind
        except CxrlabError:  # the list says what is wrong with it
            continue
        if kind in ("study", "sweep"):
            found[run_id] = set(run_curves.children(run_id).values())
    return {run_id: parts for run_id, parts in found.items() if parts}


def listed() -> list[str]:
    """Return the runs that the list shows: all, those that no study or sweep asked for, or those of one."""
    ids, wanted = known_runs(), st.session_state.get("of") or ALL
    if wanted == ALL:
        return ids
    of = parents(ids)
    if wanted == ALONE:
        inside = set().union(*of.values()) if of else set()
        return [run_id for run_id in ids if run_id not in inside]
    return [run_id for run_id in ids if run_id == wanted or run_id in of.get(wanted, ())]


def live_list() -> None:
    """Draw the runs with their states, renewed every two seconds; a click chooses, several compare."""
    if of := parents(known_runs()):
        st.selectbox(
            "Show",
            [ALL, ALONE, *of],
            format_func=lambda one: SHOWN.get(one, f"the runs of {one}"),
            key="of",
            bind="query-params",
            width=420,
        )
    st.session_state["runs-seen"] = _seen()
    _live_list()


def _seen() -> list[tuple[str, str]]:
    return [(row["run"], row["state"]) for row in map(row_of, listed())]


@st.fragment(run_every=live.EVERY)
def _live_list() -> None:
    if st.session_state.pop("run-ticked", False):
        st.rerun()
    with frame.caught():
        rows = [row_of(run_id) for run_id in listed()]
        alive = sum(row["state"] in ("running", "queued") for row in rows)
        st.caption(
            f"{words.count(len(rows), 'run')}, {alive} under way. A run trains one network at its home site, freezes it and scores it there "
            "and elsewhere; a study or sweep starts several. Tick one to see it, several to compare them."
        )
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            key="run-list",
            on_select=choose_rows,
            selection_mode="multi-row",
            alt="Runs of this lab with state and progress",
            column_config={
                "run": st.column_config.TextColumn("Run", width=270),
                "state": st.column_config.TextColumn("State", width=70),
                "progress": st.column_config.ProgressColumn(
                    "Progress", format="%.0f%%", min_value=0, max_value=100, width=110
                ),
                "what": st.column_config.TextColumn("What it is", width=330),
                "number": st.column_config.TextColumn(
                    "Key number",
                    help="What its weights were chosen by, on home's validation rows: it ranks the epochs of one run. To compare "
                    "runs, tick them.",
                    width=140,  # "validation AUROC .858": the first rows may have none to measure it by
                ),
                "submitted": st.column_config.DatetimeColumn(
                    "Submitted (UTC)", format="MM-DD HH:mm", width=110
                ),
            },
        )
        if [(row["run"], row["state"]) for row in rows] != st.session_state["runs-seen"]:
            st.rerun()  # the parts below show states too


def choose_rows() -> None:
    """Take the ticked rows over into the choice below."""
    ids, ticked = listed(), st.session_state["run-list"].selection.rows
    st.session_state["run"] = [ids[i] for i in ticked if i < len(ids)]
    st.session_state["run-ticked"] = True  # a click inside a fragment runs that fragment alone


def buttons(run_id: str, now) -> None:
    """Draw what can be done with a run in this state."""
    lab = Lab.here()
    with st.container(horizontal=True):
        if now.is_alive and st.button("Cancel", key="cancel", icon=":material/stop_circle:"):
            with st.spinner("Ending its process"):
                after = jobs.cancel(lab.run(run_id))
            st.session_state["said"] = f"{run_id}: {words.STATES[after.state]}. Its process is gone."
            st.rerun()
        if now.state in ("failed", "cancelled", "lost") and st.button(
            "Resume", key="resume", icon=":material/resume:", help="What it finished is kept"
        ):
            jobs.resume(lab, run_id)
            st.session_state["said"] = f"{run_id} goes on."
            st.rerun()
        if cached.run_spec(run_id).kind in RERUN and st.button(
            "Rerun with changes", key="rerun", icon=":material/edit:"
        ):
            frame.go("launch", rerun=run_id)
        if not now.is_alive:
            with st.popover("Remove", icon=":material/delete:"):
                st.markdown(f"This deletes `{run_id}` with its scores and maps, {_size(run_id)}.")
                known = choose.trained_runs()
                if needing := run_facts.depends_on(run_id, known):
                    names = words.listing([f"`{name}`" for name in needing])
                    st.warning(f"{names} read its latents; without it they cannot score another site.")
                if begun := run_facts.goes_on_from(run_id, known):
                    names = words.listing([f"`{name}`" for name in begun])
                    st.warning(
                        f"{names} began with it. What is finished still scores; nothing that it began can be resumed or "
                        "made again."
                    )
                st.button("Delete it", key="remove", type="primary", on_click=remove, args=(run_id,))


def remove(run_id: str) -> None:
    """Remove a run; before the page is drawn again, so that nothing on it names a run that is gone."""
    try:
        jobs.remove(Lab.here(), run_id)
    except CxrlabError as error:
        st.session_state["said_no"] = str(error)
        return
    st.session_state["run"] = [name for name in st.session_state.get("run", []) if name != run_id]
    st.session_state["said"] = f"{run_id} was removed."


def _size(run_id: str) -> str:
    return words.size(run_facts.disk(Lab.here().run(run_id)))


@st.fragment(run_every=live.EVERY)
def state_of(run_id: str) -> None:
    """Draw a run's state and bar, renewed as it goes."""
    with frame.caught():
        now = cached.status(run_id)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{run_id}**", width="content")
            live.badge(now)
        live.bar(now)


def detail(run_id: str) -> None:
    """Draw one run: state, buttons, curves, log, cost, spec."""
    run, now, spec = Lab.here().run(run_id), cached.status(run_id), cached.run_spec(run_id)
    with st.container(border=True, key="detail"):
        state_of(run_id)
        st.caption(f"{run_words.what(spec)}.")
        buttons(run_id, now)
        if spec.kind not in RERUN:
            st.caption("Nothing was trained here, so there is nothing to rerun with changes.")
    if spec.kind != "sweep":  # which draws its own
        marks.draw(_sites_of(run_id, spec))
    if spec.kind == "study":
        children(run_id)
    elif spec.kind == "sweep":
        sweep_results.draw(run_id)
    curves, log, cost, words_of = st.tabs(["Curves", "Log", "Cost", "Spec"], key="part", bind="query-params")
    if curves.open:
        with curves:
            run_curves.draw([run_id])
    if log.open:
        with log:
            st.code(
                jobs.log_tail(run, LOG_LINES) or "The job has printed nothing.", language=None, height=320
            )
    if cost.open:
        with cost:
            run_costs.draw(run_id)
    if words_of.open:
        with words_of:
            st.code(cached.json_of(run_id), language="json", height=420)
    if spec.kind in ("train", "brought") and cached.scored_sites(run_id):
        frame.link("generalization", "Where it holds, label by label", icon=":material/compare_arrows:")


def _sites_of(run_id: str, spec: Any) -> list[str]:
    """Return the sites whose results one sees with this run."""
    own = spec.sites if spec.kind == "score" else ()
    of = [run_id, *run_curves.children(run_id).values()]
    return [*own, *(site for one in of for site in cached.scored_sites(one))]


def children(run_id: str) -> None:
    """Draw a study's runs."""
    rows = [
        {"task": words.TASKS.get(task, task), **row_of(child)}
        for task, child in run_curves.children(run_id).items()
    ]
    if rows:
        table = pd.DataFrame(rows).reindex(columns=["task", "run", "state", "what", "number"])
        base.table(
            table.rename(columns={"what": "what it is", "number": "key number"}),
            "children",
            alt="Runs of this study",
        )


def chooser(ids: list[str]) -> list[str]:
    """Draw the choice of runs, in the URL, and return it."""
    return st.multiselect(
        "Chosen",
        ids,
        key="run",
        bind="query-params",
        max_selections=12,
        placeholder="The latest; tick rows above, or choose here",
    )
