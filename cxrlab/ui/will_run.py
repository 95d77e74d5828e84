"""The column that stays on Launch: what will run, what it costs, what is odd, the same as a command, and Start.

In:    a Wish: what the form says now.
Out:   drawn parts; a job that was submitted.
Never: what a field means; estimates of its own.
"""

import json
import os
import shlex
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cxrlab import jobs
from cxrlab import spec as specs
from cxrlab.choices import fitting
from cxrlab.errors import CxrlabError
from cxrlab.facts import run_facts
from cxrlab.facts.estimate import Estimate, estimate
from cxrlab.paths import Lab
from cxrlab.sweeps import expand, shelf
from cxrlab.sweeps.expand import Cell, Expansion
from cxrlab.ui import cached, choose, frame, marks, words
from cxrlab.ui.going_on import Mend

END = "END"  # of the file within the command
SHOWN = 12  # runs of a sweep, by name


@dataclass(frozen=True)
class Wish:
    """What the form says: a spec, or the sentence why it is none."""

    spec: Any = None
    problem: str = ""
    runs: tuple[specs.TrainSpec, ...] = ()
    left_out: tuple[str, ...] = ()
    found: Expansion | None = None  # of a sweep
    command: str = ""  # where it is shorter than the spec's own
    mend: Mend | None = None  # of the problem, where one button can


def n_images() -> dict[str, int]:
    """Return site → images of every readable store."""
    found = {}
    for site in Lab.here().sites():
        try:
            found[site] = len(cached.store(site))
        except CxrlabError:  # Sites says what is wrong with it
            continue
    return found


def cost_line(cost: Estimate) -> str:
    """Return time and disk in a line."""
    return f"about {words.duration(cost.seconds)}, {words.size(cost.n_bytes)}"


def differences(base: dict[str, Any], made: Any) -> list[tuple[str, str, str]]:
    """Return (field, before, now) of every field that differs from where the form began."""
    before = run_facts.flat(specs.build(base).model_dump(mode="json"))
    now = run_facts.flat(made.model_dump(mode="json"))
    names = dict.fromkeys([*now, *before])  # a table by label has a field a row
    changed = [name for name in names if before.get(name) != now.get(name)]
    return [(name, _short(before.get(name, "")), _short(now.get(name, ""))) for name in changed]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one.get("name", one)) if isinstance(one, dict) else str(one) for one in value)
    return str(value)


def draw(wish: Wish, base: dict[str, Any] | None) -> None:
    """Draw what will run, what it costs, how it differs, the same as a command, and Start."""
    st.subheader("What will run", anchor=False)
    if wish.problem:
        st.error(wish.problem, icon=":material/error:")
        if wish.mend is not None:
            st.caption("What differs from that run:")
            st.markdown("\n".join(f"- {one}" for one in wish.mend.differs))
            st.button(wish.mend.label, on_click=wish.mend.carry_out, key="mend", icon=":material/build:")
        st.button("Start", type="primary", disabled=True, key="start", icon=":material/play_arrow:")
        return
    cost = estimate(list(wish.runs), n_images(), Lab.here())
    st.markdown(
        f"**{words.count(len(wish.runs), 'run')}**, about **{words.duration(cost.seconds)}** "
        f"({words.duration(cost.low)} to {words.duration(cost.high)}), at most **{words.size(cost.n_bytes)}**",
        help="About: with every epoch. The range begins where all runs stop as early as they may and ends where this "
        "machine is busier than it was.",
    )
    if wish.found is not None and (n := len(wish.found.added)):
        st.caption(
            f"{n} of them {'is' if n == 1 else 'are'} added because others need {'it' if n == 1 else 'them'}."
        )
    st.caption(f"Time {cost.basis}.")
    if there := _done_already(wish):
        many = "All" if there == len(wish.runs) else f"{there} of {len(wish.runs)}"
        st.caption(f"{many} done already: what is done is not done again, so it takes less.")
    if wish.found is not None:
        st.caption(f"The first: {said_of(wish.runs[0])}")
        _members(wish.found)
    else:
        for run in wish.runs:
            st.caption(f"{words.TASKS[choose.task_of(run)].capitalize()}: {said_of(run)}")
    for sentence in wish.left_out:
        st.warning(f"Left out: {sentence}", icon=":material/info:")
    for sentence in dict.fromkeys(odd for run in wish.runs for odd in fitting.oddities(run)):
        st.warning(sentence, icon=":material/info:")
    marks.draw(site for run in wish.runs for site in (*run.view.source, *run.view.external))
    if base is not None:
        _draw_differences(differences(base, wish.spec))
    _start(wish)
    _as_command(wish)


def _done_already(wish: Wish) -> int:
    """Return how many of several runs are done in this lab; 0 for more than can be looked up while one types."""
    if not 1 < len(wish.runs) <= SHOWN:
        return 0
    done = 0
    for run in wish.runs:
        try:
            run_id = cached.completed(run).run_id
        except CxrlabError:  # it needs a run that is yet to be made
            continue
        done += Lab.here().run(run_id).spec.exists() and cached.status(run_id).state == "done"
    return done


def said_of(run: specs.TrainSpec) -> str:
    """Return a run in a sentence without a subject."""
    where = f", then scored at {words.listing(run.view.external)}" if run.view.external else ""
    return (
        f"{run.model.name}, {run.view.image_px} px, {words.count(run.training.epochs, 'epoch')} at "
        f"{words.listing(run.view.source)}{where}."
    )


def _members(found: Expansion) -> None:
    """Draw the runs of a sweep by name, with what each waits for."""
    of: dict[str, list[Cell]] = {}  # a line a setting, not a seed
    for cell in found.cells:
        of.setdefault(_setting(cell), []).append(cell)
    named = {cell.key: key for key, cells in of.items() for cell in cells}
    lines = []
    for key, cells in list(of.items())[:SHOWN]:
        after = words.listing(sorted({named[need] for need in cells[0].needs.values()}))
        seeds = f", {words.count(len(cells), 'seed')}" if len(cells) > 1 else ""
        waits = cells[0].added  # it may itself be no run that can be, where another waits too
        added = f", added: *{named.get(waits, _seedless(waits))}* needs it" if waits else ""
        lines.append(f"- {key}{seeds}{added}" + (f", after *{after}*" if after else ""))
    if len(of) > SHOWN:
        lines.append(f"- … and {words.count(len(of) - SHOWN, 'more', 'more')}")
    st.markdown("\n".join(lines))
    if found.same:
        st.caption(
            f"{words.count(len(found.same), 'more is', 'more are')} the same as one of these and run once."
        )
    if found.invalid:
        with st.expander(f"{words.count(len(found.invalid), 'run')} cannot be and will be left out"):
            st.markdown("\n".join(f"- {key}: {why}" for key, why in list(found.invalid.items())[:SHOWN]))


def _setting(cell: Cell) -> str:
    """Return a run's name without its seed."""
    if cell.added:  # it may be named after the one that waits for it
        return _seedless(cell.key)
    return expand.key_of(cell.arm, cell.values, 0, seeds=False)


def _seedless(key: str) -> str:
    return key.partition(" seed ")[0]


def _draw_differences(changed: list[tuple[str, str, str]]) -> None:
    if not changed:
        st.caption("As it began: nothing was changed.")
        return
    st.caption("Changed:")
    st.markdown(
        "\n".join(f"- `{name}`: {before or 'none'} → **{now or 'none'}**" for name, before, now in changed)
    )


def _start(wish: Wish) -> None:
    """Draw Start; once pressed, submit the job and go to where it can be watched."""
    known = _already(wish.spec)
    if known:
        st.caption(
            f"This {'sweep' if wish.found else 'run'} is in the lab already: {words.STATES[known]}. Starting it again leaves "
            "a done run as it is."
        )
    if st.button("Start", type="primary", key="start", icon=":material/play_arrow:"):
        lab = Lab.here()
        run_id = jobs.submit(lab, wish.spec) if wish.found is None else shelf.submit(lab, wish.spec)
        frame.go("runs", run=run_id)
    st.caption("It runs as a process of its own and goes on when this tab is closed.")


def _already(made: Any) -> str:
    whole = cached.completed(made)
    there = Lab.here().run(whole.run_id)
    return cached.status(whole.run_id).state if there.spec.exists() else ""


def command_of(made: Any, file: str) -> str:
    """Return the line that starts the same; where it names `file`, that file must hold the spec."""
    if made.kind == "study":
        external = f" --external {' '.join(map(shlex.quote, made.external))}" if made.external else ""
        return (
            f"python -m cxrlab study --source {shlex.quote(made.source)}{external} --preset {made.preset} --seed {made.seed}"
            + " --allow-overlap" * made.allow_overlap
        )
    return f"python -m cxrlab {'sweep' if made.kind == 'sweep' else 'run'} {shlex.quote(file)}"


def script_of(made: Any, file: str, command: str = "") -> str:
    """Return what does the same when it is pasted into a shell in this folder: the file, where one is needed, and the line.

    Args:
        made: the spec.
        file: what its file is called.
        command: a line that needs no file, where there is one.
    """
    # The shell may know of another lab, or of none.
    home = f"CXRLAB_HOME={shlex.quote(str(Lab.here().root))} " if os.environ.get("CXRLAB_HOME") else ""
    if command or (made.kind == "study" and made.preset in ("quick", "full")):
        return home + (command or command_of(made, file))
    line = f"python -m cxrlab run {shlex.quote(file)}" if made.kind == "study" else command_of(made, file)
    return f"cat > {shlex.quote(file)} <<'{END}'\n{text_of(made)}\n{END}\n{home}{line}"


def text_of(made: Any) -> str:
    """Return a spec as the file that a command reads."""
    return json.dumps(made.model_dump(mode="json"), indent=1)


def _as_command(wish: Wish) -> None:
    made = wish.spec
    name = f"{made.name}.json" if made.kind == "sweep" else "spec.json"
    with st.expander("The same as a command"):
        st.caption(
            "Copy it whole into a shell, in the folder of cxrlab: it starts the same, under the same name."
        )
        st.code(script_of(made, name, wish.command), language="bash", height=260, wrap_lines=True)
        line = f"python -m cxrlab run {name}"
        st.caption(f"Elsewhere: save the file, then `{line}`.")
        st.download_button(
            f"Save {name}", text_of(made), name, "application/json", key="spec-json", on_click="ignore"
        )
