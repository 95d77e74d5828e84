"""How runs learned: loss and the value that chose the epoch, by epoch.

In:    run ids; of a study or sweep, its runs.
Out:   two figures a rule of choosing, each run by a name that tells it from the others.
Never: a run left out without a word.
"""

import re

import pandas as pd
import streamlit as st

from cxrlab import jobs
from cxrlab.facts import run_facts
from cxrlab.paths import Lab
from cxrlab.ui import cached, run_words, standings, words
from cxrlab.ui.figures import base


def children(run_id: str) -> dict[str, str]:
    """Return the runs of a study or sweep that were begun: what each is to it → run id."""
    lab = Lab.here()
    return {key: run for key, run in jobs.children(lab.run(run_id)).items() if lab.run(run).spec.exists()}


def names(run_ids: list[str]) -> dict[str, str]:
    """Return run → name of every run to be drawn: those that were chosen, or those of a chosen study or sweep."""
    parts = {run_id: children(run_id) for run_id in run_ids}
    alone = {run_id: cached.run_spec(run_id) for run_id in run_ids if not parts[run_id]}
    short = standings.short_names({run_id: spec for run_id, spec in alone.items() if spec.kind == "train"})
    found: dict[str, str] = {}
    for run_id in run_ids:
        for key, child in parts[run_id].items():  # a study and one of its runs may both be ticked
            found.setdefault(child, setting(words.TASKS.get(key, key)))
        if not parts[run_id]:
            found.setdefault(run_id, short.get(run_id, run_id))
    return found


def setting(key: str) -> str:
    """Return a run's name within a sweep without the groups of its fields.

    >>> setting("sam training.learning_rate=0.001 seed 1")
    'sam learning_rate 0.001 seed 1'
    """
    return re.sub(r"(?:\w+\.)+(\w+)=", r"\1 ", key)


def draw(run_ids: list[str]) -> None:
    """Draw loss and the value that chose the epoch."""
    from cxrlab.ui.figures import runs as figures

    known = {run: name for run, name in names(run_ids).items() if cached.run_spec(run).kind == "train"}
    if not known:
        base.empty(_why_none(run_ids))
        return
    by_rule: dict[str, list[str]] = {}  # an error and an AUROC share no axis
    for run_id in known:
        by_rule.setdefault(run_facts.rule_of(cached.run_spec(run_id)), []).append(run_id)
    for rule, ids in by_rule.items():
        _pair(rule, ids, known, figures)


def _pair(rule: str, ids: list[str], known: dict[str, str], figures) -> None:
    lab = Lab.here()
    table = pd.concat(
        [run_facts.history(lab.run(run_id)).assign(run=run_id) for run_id in ids[: figures.MOST]]
    )
    if table.empty:
        base.empty(f"the first epoch of {words.listing([known[one] for one in ids])} has not ended.")
        return
    if len(ids) > figures.MOST:
        st.caption(
            f"The first {figures.MOST} of {words.count(len(ids), 'run')} are drawn; choose others above to see theirs."
        )
    left, right = st.columns(2, gap="large")
    last = all(cached.run_spec(one).training.select == "last" for one in ids)
    kept = "the last epoch's weights are kept" if last else "the weights of the best epoch are kept"
    notes = {"loss": "on home's training rows; losses of different kinds are not to be compared", "val": kept}
    alone = f" Of {known[ids[0]]}." if len(ids) == 1 < len(known) else ""  # one line has no legend
    for column, value, title in ((left, "loss", "training loss"), (right, "val", rule)):
        with column:
            base.show(
                figures.curves(table, value, title, known),
                f"curve-{value}-{rule.replace(' ', '-')}",
                data=table.assign(name=table["run"].map(known)),
                caption=f"{title[0].upper()}{title[1:]} at home by epoch; {notes[value]}.{alone}",
                alt=f"{title} by epoch of {words.listing([known[one] for one in ids[: figures.MOST]])}",
            )


def _why_none(run_ids: list[str]) -> str:
    if all(run_words.is_training_known(cached.run_spec(run_id)) for run_id in run_ids):
        return "none of its runs has begun."
    return "nothing was trained here, so there is nothing to watch learning."
