"""A gate in front of the findings model: what it spares, and what it loses at the same operating point.

In:    a Look; runs that say normal or abnormal, runs whose network has a gate.
Out:   the sentences of report.says, the tables under them.
Never: arithmetic on results; a gate tuned here.
"""

import pandas as pd
import streamlit as st

from cxrlab import gates
from cxrlab.choices.networks import is_gated
from cxrlab.errors import CxrlabError
from cxrlab.metrics.rule_names import SENSITIVITY, Rule
from cxrlab.paths import Lab
from cxrlab.ui import cached, choose, words
from cxrlab.ui.figures import base

TITLE = "Gate"
CUTS = (".90", ".95", ".99")
AIMS = (".80", ".90", ".95")


def has_gate(run_id: str) -> bool:
    """Return whether a run's network holds images back."""
    spec = cached.run_spec(run_id)
    return spec.kind == "train" and is_gated(spec.model)


def before(heads: dict[str, str], disease: str, aim: str) -> None:
    """Put each normal/abnormal run before the findings model: what would be spared, and what lost.

    Args:
        heads: name → run id.
        disease: the findings model's run id.
        aim: the sensitivity of the operating point, as shown.
    """
    st.subheader("Gate first", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.segmented_control("Gate", list(heads), default=next(iter(heads)), required=True, key="gate",
                                    bind="query-params")  # fmt: skip
        cut = st.segmented_control("Gate keeps a sensitivity of", CUTS, default=".95", required=True, key="gate-cut",
                                   bind="query-params", help="Its threshold: the highest at which this share of home's abnormal "
                                   "validation images passes.")  # fmt: skip
    _shown(lambda: _apart(_stamps(heads[name], disease), heads[name], disease, float(cut), float(aim)),
           (heads[name], disease))  # fmt: skip


def own(look) -> None:
    """Show what a network's own gate spares, beside a network without one of the same home."""
    known = choose.shown_runs()
    flat = [name for name, spec in known.items()
            if choose.task_of(spec) == "labels" and choose.home_of(spec) == choose.home_of(known[look.run_id])
            and spec.kind == "train" and not is_gated(spec.model) and cached.scored_sites(name)]  # fmt: skip
    if not flat:
        st.info(
            "To see what the gate loses, train a network without one at the same home, and score the same sites."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        beside = st.selectbox(
            "Beside", flat, key="flat", bind="query-params", help="A network without a gate."
        )
        aim = st.segmented_control("Both cut at a sensitivity of", AIMS, default=".90", required=True, key="gate-aim",
                                   bind="query-params", help="On home's validation rows.")  # fmt: skip
    _shown(
        lambda: _jointly(_stamps(look.run_id, beside), look.run_id, beside, float(aim)), (look.run_id, beside)
    )


def _shown(compare, runs: tuple[str, str]) -> None:
    try:
        found = compare()
    except CxrlabError as error:
        st.info(str(error))
        return
    st.markdown("  \n".join(found.sentences))
    base.table(saved_rows(found.saved), "gate-saved", alt="What the gate holds back and spares, site by site")
    base.table(
        point_rows(found.points), "gate-points", alt="Sensitivity and specificity with and without the gate"
    )
    st.caption(
        f"Runs {words.listing([f'`{run}`' for run in runs])}. Gate cut by {found.rule}, both compared at {found.aim}, on home's "
        f"validation rows; what is held back is called negative. Intervals: 95 per cent over patients. {' '.join(found.notes)}"
    )


def _stamps(*runs: str) -> tuple[cached.Stamp, ...]:
    return tuple(
        cached.stamp(Lab.here().run(run).predictions(site))
        for run in runs
        for site in cached.scored_sites(run)
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _apart(keys: tuple, gate: str, disease: str, cut: float, aim: float):
    return gates.apart(Lab.here(), gate, disease, Rule(SENSITIVITY, cut), Rule(SENSITIVITY, aim))


@st.cache_data(max_entries=64, show_spinner=False)
def _jointly(keys: tuple, joint: str, flat: str, aim: float):
    return gates.jointly(Lab.here(), joint, flat, Rule(SENSITIVITY, aim))


def saved_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.saved in words."""
    rows = table.to_dict("records")

    def spread(name: str, ends: str = "") -> list[str]:
        low, high = f"{ends or name}_low", f"{ends or name}_high"
        return [words.interval(r[name], r[low], r[high], r["why_nan"] or "not measured") for r in rows]

    return pd.DataFrame(
        {
            "site": [r["site"] for r in rows],
            "images": [words.count(r["n"]) for r in rows],
            "held back": spread("share"),
            "operations spared": spread("spared_flops", "spared"),
            "seconds spared": [words.number(r["spared_seconds"], 2, "not measured") for r in rows],
            "gate's sensitivity": spread("sensitivity"),
            "gate's specificity": spread("specificity"),
        }
    )


def point_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.at_one_point in words."""
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "site": [r["site"] for r in rows],
            "finding": [r["label"] for r in rows],
            "": [r["measure"] for r in rows],
            "without gate": [words.number(r["flat"], 2, r["why_nan"]) for r in rows],
            "with gate": [words.number(r["gated"], 2, r["why_nan"]) for r in rows],
            "difference": [words.interval(r["difference"], r["low"], r["high"], r["why_nan"]) for r in rows],
            "verdict": [r["verdict"] for r in rows],
            "images": [words.count(r["n"]) for r in rows],
        }
    )
