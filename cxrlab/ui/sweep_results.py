"""What came out of a sweep, on the page of runs.

In:    a sweep's run.
Out:   its question, a figure and a table, over seeds or by run; what was left out.
Never: numbers of its own (sweeps.results, report.sweep_table).
"""

import pandas as pd
import streamlit as st

from cxrlab import files
from cxrlab.paths import Lab
from cxrlab.report import sweep_lead, sweep_table
from cxrlab.sweeps import results
from cxrlab.ui import cached, marks, standings, words
from cxrlab.ui.figures import base

GAP_WIDTH = 215  # px of "−.018 [−.051, .014] ? cannot say"
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
    else:
        table["said"] = [_said(row, _settings(by_run)) for row in table.to_dict("records")]
        _who_leads(table, by_run)
        if len(table) <= _most():
            _figure(table, by_run, run_id)
        _side_by_side(table, by_run, run_id)
    how = st.segmented_control(
        "Table",
        [OVER_SEEDS, BY_RUN],
        default=OVER_SEEDS,
        required=True,
        key="sweep-table",
        bind="query-params",
    )
    shown = by_run if how == BY_RUN else table.drop(columns="said", errors="ignore")
    shown = folded(shown)
    numbers = [name for name in sweep_table.numbers_of(shown) if pd.api.types.is_numeric_dtype(shown[name])]
    columns = {name: st.column_config.NumberColumn(format="%.3f") for name in numbers if name in shown}
    # The first rows may have no gap to measure a column's width by.
    gaps = [name for name in shown if str(name).startswith(sweep_table.GAP) and name not in columns]
    columns |= {name: st.column_config.TextColumn(width=GAP_WIDTH) for name in gaps}
    base.table(
        shown,
        f"sweep-{run_id}",
        columns=columns,
        alt="Results of the sweep",
    )
    st.caption(
        "home and at: AUROC, mean over labels; of a site that was trained on, its test rows. gap: home minus there over the labels that both support; positive is worse "
        "there; its 95 per cent interval over patients and its verdict beside it. sd: over seeds, how much training again moves the number; it is no interval over patients. "
        "None: not scored there, or trained there."
    )
    _left_out(run_id)


def folded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a sweep's table as a reader wants it: a gap, its interval and its verdict in one column; no empty columns."""
    shown = table.copy()
    for name in [one for one in sweep_table.numbers_of(table) if f"{one}{sweep_table.SAYS}" in table]:
        ends = [f"{name}{end}" for end in (sweep_table.LOW, sweep_table.HIGH, sweep_table.SAYS)]
        shown[name] = [
            f"{words.interval(gap, low, high, places=3)} {words.verdict(says)}"
            if words.is_known(gap)
            else None
            for gap, low, high, says in table[[name, *ends]].itertuples(index=False)
        ]
        shown = shown.drop(columns=ends)
    empty = [name for name in sweep_table.numbers_of(shown) if shown[name].isna().all()]  # one seed has no sd
    if sweep_table.WHY in shown and not shown[sweep_table.WHY].astype(bool).any():
        empty.append(sweep_table.WHY)
    return shown.drop(columns=empty)


def _most() -> int:
    from cxrlab.ui.figures import sweeps as figures

    return figures.MOST


def _figure(table: pd.DataFrame, by_run: pd.DataFrame, run_id: str) -> None:
    from cxrlab.ui.figures import sweeps as figures

    shown = table.dropna(subset=[sweep_table.HOME])
    n = int(by_run[sweep_table.HOME].notna().sum())
    bars = "bars: sd over seeds" if (shown[sweep_table.SEEDS] > 1).any() else "one seed a setting, so no bars"
    base.show(
        figures.settings(shown),
        f"sweep-{run_id}-figure",
        data=table,
        caption=f"{words.count(n, 'run')} of {len(by_run)}; home's test rows and all rows elsewhere; {bars}.",
        alt=f"AUROC at home and elsewhere of {words.count(len(shown), 'setting')}",
    )


def _who_leads(table: pd.DataFrame, by_run: pd.DataFrame) -> None:
    """Say which setting leads at home, where home is one place."""
    scored = by_run[by_run[sweep_table.HOME].notna()]
    homes = {cached.home_of(run_id) for run_id in scored[sweep_table.RUN]}
    if len(homes) > 1:
        st.markdown(sweep_lead.SEVERAL_HOMES)
    elif found := sweep_lead.lead(table):
        st.markdown(standings.sweep(table, found))
    st.caption(standings.ORACLE)


def _settings(by_run: pd.DataFrame) -> list[str]:
    """Return the columns that say what was varied."""
    return sweep_table.setting_of(by_run)


def _side_by_side(table: pd.DataFrame, by_run: pd.DataFrame, run_id: str) -> None:
    """Draw the settings as lines over what was varied and what came out, where several fields were varied."""
    from cxrlab.ui.figures import runs as figures

    varied = [name for name in _settings(by_run) if name != results.ARM]
    numbers = [name for name in sweep_table.numbers_of(by_run) if not name.startswith(sweep_table.GAP)]
    shown = table.dropna(subset=[sweep_table.HOME]).reset_index(drop=True)
    if len(varied) < 2 or len(varied) > figures.AXES or len(shown) < figures.LEAST:
        return
    drawn = shown[[*varied, *numbers]].assign(run=shown["said"])
    base.show(
        figures.parallel(drawn, {}),
        f"sweep-{run_id}-side-by-side",
        data=drawn,
        caption="One line a setting, mean over its seeds, from what was set (above) to what came out (below): AUROC, mean over "
        "labels; darker: better at home.",
        alt=f"{words.count(len(shown), 'setting')} as lines over the fields that were varied and their AUROC",
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
