"""The parts of the page about runs: live list, one run's detail, comparison.

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
from cxrlab.ui import cached, choose, frame, live, sweep_results, words
from cxrlab.ui.figures import base

LOG_LINES = 60


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
    what, value = run_facts.key_number(Lab.here().run(run_id), spec)
    when = pd.Timestamp(now.submitted, unit="s") if words.is_known(now.submitted) else pd.NaT
    return {
        "run": run_id,
        "state": now.state,
        "progress": 100 * live.share(now) if now.is_alive or now.state == "done" else None,
        "what": "" if now.state == "done" else live.said(now),
        "number": worded(what, value),
        "submitted": when,
    }


def worded(what: str, value: float) -> str:
    """Return a key number as its kind is written: a share, or a size of error."""
    if not words.is_known(value):
        return ""
    return f"{what} {words.number(value, 3) if 'AUROC' in what else f'{value:.2g}'}"


def live_list() -> None:
    """Draw every run with its state, renewed every two seconds; a click chooses, several compare."""
    st.session_state["runs-seen"] = _seen()
    _live_list()


def _seen() -> list[tuple[str, str]]:
    return [(row["run"], row["state"]) for row in map(row_of, known_runs())]


@st.fragment(run_every=live.EVERY)
def _live_list() -> None:
    if st.session_state.pop("run-ticked", False):
        st.rerun()
    with frame.caught():
        rows = [row_of(run_id) for run_id in known_runs()]
        alive = sum(row["state"] in ("running", "queued") for row in rows)
        st.caption(
            f"{words.count(len(rows), 'run')}, {alive} under way. Tick one to see it, several to compare them."
        )
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            key="run-list",
            on_select=choose_rows,
            selection_mode="multi-row",
            alt="Runs of this lab with state and progress",
            column_config={
                "run": st.column_config.TextColumn("Run", width=340),
                "state": st.column_config.TextColumn("State", width="small"),
                "progress": st.column_config.ProgressColumn(
                    "Progress", format="%.0f%%", min_value=0, max_value=100
                ),
                "what": st.column_config.TextColumn("What it does", width="medium"),
                "number": st.column_config.TextColumn(
                    "Key number", help="What its weights were chosen by, at home"
                ),
                "submitted": st.column_config.DatetimeColumn("Submitted (UTC)", format="MM-DD HH:mm"),
            },
        )
        if [(row["run"], row["state"]) for row in rows] != st.session_state["runs-seen"]:
            st.rerun()  # the parts below show states too


def choose_rows() -> None:
    """Take the ticked rows over into the choice below."""
    ids, ticked = known_runs(), st.session_state["run-list"].selection.rows
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
        if cached.run_spec(run_id).kind == "train" and st.button(
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
        buttons(run_id, now)
    if spec.kind == "study":
        children(run_id)
    elif spec.kind == "sweep":
        sweep_results.draw(run_id)
    curves, log, cost, words_of = st.tabs(["Curves", "Log", "Cost", "Spec"], key="part", bind="query-params")
    if curves.open:
        with curves:
            learning([run_id])
    if log.open:
        with log:
            st.code(
                jobs.log_tail(run, LOG_LINES) or "The job has printed nothing.", language=None, height=320
            )
    if cost.open:
        with cost:
            efficiency(run_id)
    if words_of.open:
        with words_of:
            st.code(cached.json_of(run_id), language="json", height=420)
    if spec.kind == "train" and cached.scored_sites(run_id):
        frame.link("generalization", "Where it holds, label by label", icon=":material/compare_arrows:")


def children(run_id: str) -> None:
    """Draw a study's runs and what was left out."""
    rows = [
        {"task": words.TASKS.get(task, task), **row_of(child)} for task, child in _children(run_id).items()
    ]
    if rows:
        base.table(pd.DataFrame(rows)[["task", "run", "state", "what"]], "children", alt="Runs of this study")


def _children(run_id: str) -> dict[str, str]:
    lab = Lab.here()
    return {
        task: child for task, child in jobs.children(lab.run(run_id)).items() if lab.run(child).spec.exists()
    }


def learning(run_ids: list[str]) -> None:
    """Draw loss and the validation value by epoch."""
    from cxrlab.ui.figures import runs as figures

    lab = Lab.here()
    wanted = [child for run_id in run_ids for child in (_children(run_id).values() or [run_id])]
    wanted = list(dict.fromkeys(wanted))[: figures.MOST]  # a study and one of its runs may both be ticked
    by_rule: dict[str, list[str]] = {}  # an error and an AUROC share no axis
    for run_id in wanted:
        by_rule.setdefault(run_facts.RULES.get(getattr(cached.run_spec(run_id), "task", ""), ""), []).append(
            run_id
        )
    for rule, ids in by_rule.items():
        table = pd.concat([run_facts.history(lab.run(run_id)).assign(run=run_id) for run_id in ids])
        if table.empty:
            base.empty(f"the first epoch of {words.listing(ids)} has not ended.")
            continue
        left, right = st.columns(2, gap="large")
        for column, value, title in ((left, "loss", "training loss"), (right, "val", rule)):
            with column:
                base.show(
                    figures.curves(table, value, title),
                    f"curve-{value}-{rule.replace(' ', '-')}",
                    data=table,
                    caption=f"{title[0].upper()}{title[1:]} at home by epoch; the weights of the best epoch are kept.",
                    alt=f"{title} by epoch of {words.listing(ids)}",
                )


def efficiency(run_id: str) -> None:
    """Draw what a run cost."""
    found = run_facts.efficiency(Lab.here().run(run_id))
    if not found:
        base.empty("it is measured when training has ended.")
        return
    shown = {
        "Parameters": f"{found['parameters']:,}",
        "Forward pass": f"{found['forward_flops'] / 1e9:.2f} GFLOP an image",
        "Trained for": f"{words.duration(found['seconds'])}, {words.count(found['epochs'], 'epoch')}",
        "Training speed": f"{found['train_images_per_s']:,.0f} images a second",
        "Inference": f"{found['inference']['images_per_s']:,.0f} images a second, "
        f"{found['inference']['p50_ms']:.1f} ms a batch of {found['inference']['batch']} (median)",
        "Peak memory": f"{words.size(found['peak_memory_bytes'])} ({found['peak_memory_is']})",
        "Device": f"{found['device']}, {found['training_precision']}",
        "Disk": _size(run_id),
    }
    st.table(
        pd.DataFrame({"what": list(shown), "value": list(shown.values())}),
        hide_index=True,
        alt="Cost of the run",
    )


def comparison(run_ids: list[str]) -> None:
    """Draw several runs beside one another: what differs, what came out, how they learned."""
    specs = {run_id: cached.run_spec(run_id) for run_id in run_ids}
    st.subheader("What came out", anchor=False)
    base.table(
        pd.DataFrame([outcome(run_id) for run_id in run_ids]).fillna("–"),
        "outcomes",
        alt="Outcome of the runs",
    )
    st.subheader("What differs", anchor=False)
    table = run_facts.compare(specs)
    if table.shape[1] > 1:
        base.table(table, "differences", alt="Fields in which the runs differ")
    else:
        st.caption("Nothing in their specs: they differ in the stores' contents only.")
    learning(run_ids)


def outcome(run_id: str) -> dict[str, Any]:
    """Return the key numbers of a run, worded."""
    row = {key: row_of(run_id).get(key, "") for key in ("run", "state", "number")}
    spec = cached.run_spec(run_id)
    if spec.kind == "train" and spec.task in ("labels", "normal"):
        for site in cached.scored_sites(run_id):
            macro = cached.performance(run_id, site).iloc[-1]
            row[f"AUROC at {site}"] = words.interval(
                macro["auroc"], macro["low"], macro["high"], macro["why_nan"]
            )
    found = run_facts.efficiency(Lab.here().run(run_id))
    row["trained for"] = words.duration(found["seconds"]) if found else ""
    return row


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
