"""What runs cost: size, operations, time, memory, with their units and what they were measured on.

In:    run ids.
Out:   a table and a sentence on the device.
Never: numbers of different machines side by side without saying so.
"""

import pandas as pd
import streamlit as st

from cxrlab.facts import run_facts
from cxrlab.paths import Lab
from cxrlab.ui import cached, run_curves, run_words, words
from cxrlab.ui.figures import base


def draw(run_id: str) -> None:
    """Draw what one run cost, or each run of a study or sweep."""
    if cached.run_spec(run_id).kind in ("study", "sweep"):
        several(run_curves.names([run_id]))
        return
    found = cached.efficiency(run_id)
    if not found:
        trained = run_words.is_training_known(cached.run_spec(run_id))
        base.empty(
            "it is measured when training has ended." if trained else "its training was not measured here."
        )
        return
    rows = run_words.costs(found) | {"Disk": words.size(run_facts.disk(Lab.here().run(run_id)))}
    st.table(
        pd.DataFrame({"what": list(rows), "value": list(rows.values())}),
        hide_index=True,
        alt="Cost of the run",
    )
    st.caption(run_words.taken_on(found))
    for note in found.get("notes", ()):
        st.caption(str(note))


def several(names: dict[str, str]) -> None:
    """Draw what several runs cost, a row a run. `names`: run → name."""
    known = {run: found for run in names if (found := cached.efficiency(run))}
    if not known:
        base.empty("it is measured when training has ended.")
        return
    base.table(
        pd.DataFrame([run_words.cost_row(names[run], found) for run, found in known.items()]),
        "costs",
        columns={"run": st.column_config.TextColumn(width=240)},
        alt="What each run cost",
    )
    devices = {(found["device"], found["training_precision"]) for found in known.values()}
    if len(devices) > 1:
        st.caption(
            f"Measured on {words.listing(sorted({device for device, _ in devices}))}, not all in the same precision: times, speeds "
            "and memory of different machines or precisions do not compare the networks; parameters and FLOP do."
        )
    else:
        st.caption(run_words.taken_on(next(iter(known.values()))))
