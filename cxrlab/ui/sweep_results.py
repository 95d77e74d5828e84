"""What came out of a sweep, on the page of runs.

In:    a sweep's run.
Out:   its question, a figure and a table, over seeds or by run; what was left out.
Never: numbers of its own (sweeps.results, report.sweep_table).
"""

import pandas as pd
import streamlit as st

from cxrlab import files
from cxrlab.paths import Lab
from cxrlab.report import sweep_table
from cxrlab.sweeps import results
from cxrlab.ui import cached, marks, words
from cxrlab.ui.figures import base

OVER_SEEDS, BY_RUN = "Over seeds", "By run"


def draw(run_id: str) -> None:
    """Draw the results of a sweep, as far as they have come."""
    lab, sweep = Lab.here(), cached.run_spec(run_id)
    marks.draw(sweep.data)
    if sweep.question:
        st.markdown(f"**{sweep.title}.** {sweep.question}")
    by_run = results.table(lab, sweep, _numbers)
    table = sweep_table.over_seeds(by_run)
    if sweep_table.HOME not in table or not table[sweep_table.SEEDS].any():
        base.empty("no run has been scored at home yet.")
    elif len(table) <= _most():
        _figure(table, by_run, run_id)
    how = st.segmented_control(
        "Table",
        [OVER_SEEDS, BY_RUN],
        default=OVER_SEEDS,
        required=True,
        key="sweep-table",
        bind="query-params",
    )
    shown = by_run if how == BY_RUN else table.drop(columns="said", errors="ignore")
    numbers = [name for name in shown if name.split(" ")[0] in (sweep_table.HOME, "at", "gap")]
    shown = shown.drop(columns=[name for name in numbers if shown[name].isna().all()])  # one seed has no sd
    base.table(
        shown,
        f"sweep-{run_id}",
        columns={name: st.column_config.NumberColumn(format="%.3f") for name in numbers if name in shown},
        alt="Results of the sweep",
    )
    st.caption(
        "home and at: AUROC, mean over labels; of a site that was trained on, its test rows. gap: home minus there over the labels that both support; positive is worse "
        "there. sd: over seeds, how much training again moves the number; it is no interval over patients."
    )
    _left_out(run_id)


def _most() -> int:
    from cxrlab.ui.figures import sweeps as figures

    return figures.MOST


def _figure(table: pd.DataFrame, by_run: pd.DataFrame, run_id: str) -> None:
    from cxrlab.ui.figures import sweeps as figures

    numbers = sweep_table.numbers_of(by_run)
    setting = [name for name in by_run if name not in (*sweep_table.FACTS, *numbers)]
    table["said"] = [_said(row, setting) for row in table.to_dict("records")]
    shown = table.dropna(subset=[sweep_table.HOME])
    n = int(by_run[sweep_table.HOME].notna().sum())
    base.show(
        figures.settings(shown),
        f"sweep-{run_id}-figure",
        data=table,
        caption=f"{words.count(n, 'run')} of {len(by_run)}; home's test rows and all rows elsewhere; bars: sd over seeds.",
        alt=f"AUROC at home and elsewhere of {words.count(len(shown), 'setting')}",
    )


def _said(row: dict, setting: list[str]) -> str:
    """Return a setting's name: its arm, and what it varies besides."""
    said = [
        str(row[name]) if name == results.ARM else f"{name.rpartition('.')[2]} {row[name]}"
        for name in setting
        if row[name] != ""
    ]
    return ", ".join(said) or "as given"


def _numbers(run_id: str) -> dict[str, float]:
    run = Lab.here().run(run_id)
    return _measured(
        run_id, tuple(cached.stamp(run.predictions(site)) for site in cached.scored_sites(run_id))
    )


@st.cache_data(max_entries=4000, show_spinner=False)
def _measured(run_id: str, of: tuple[cached.Stamp, ...]) -> dict[str, float]:
    return results.measured(Lab.here(), run_id)


def _left_out(run_id: str) -> None:
    children = Lab.here().run(run_id).children
    left_out = files.read_json(children)["left_out"] if children.exists() else {}
    if left_out:
        with st.expander(f"Left out: {words.count(len(left_out), 'run')}"):
            st.markdown("\n".join(f"- {key}: {why}" for key, why in left_out.items()))
