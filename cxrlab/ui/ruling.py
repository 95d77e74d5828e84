"""The rule that cuts: the set of the study bar, or another rule tried on the same validation rows.

In:    the study bar, a run.
Out:   the threshold set that the page shows.
Never: tuning (metrics.choosing does it).
"""

import re

import streamlit as st

from cxrlab.metrics import rule_names
from cxrlab.metrics.rule_names import Rule
from cxrlab.metrics.thresholds import ThresholdSet
from cxrlab.ui import asked_cuts, choose, words

AS_SET = "as in the set"
RULES = {
    AS_SET: "",
    "largest F1": rule_names.MAX_F1,
    "Youden": rule_names.YOUDEN,
    "sensitivity of at least": rule_names.SENSITIVITY,
    "specificity of at least": rule_names.SPECIFICITY,
    "least cost": rule_names.COST,
    "as many as there are": rule_names.PREVALENCE,
}
HELP = (
    "Every rule tries every distinct score of home's validation rows. Youden: the largest sensitivity + specificity. "
    "Least cost: of misses and false alarms. As many as there are: calls as many images positive as are (prevalence)."
)
AIM, COST = 0.9, 10.0


def chosen(study: choose.Study, run_id: str, site: str) -> ThresholdSet:
    """Draw the choice of a rule and return the set that it gives; `site` stands in where no home is known."""
    if study.threshold_set is None:
        return asked_cuts.nothing_tuned(run_id, site)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = RULES[
            st.selectbox("Cut by", list(RULES), key="rule", bind="query-params", width=230, help=HELP)
        ]
        if not kind:
            return study.threshold_set
        rule = Rule(kind, _value(kind))
        made = asked_cuts.by_rule(run_id, study.home, rule, instead=False)
        refused = [label for label, one in made.labels.items() if one.n_pos and one.n_neg and one.why_nan]
        if kind == rule_names.MAX_F1 and refused:
            instead = st.toggle(
                f"Match the prevalence for {words.count(len(refused), 'finding')} that it refuses", key="instead",
                bind="query-params", help="With few positives the largest F1 is noise: "
                f"{words.listing(refused)}. As many images are called positive as are.",
            )  # fmt: skip
            if instead:
                return asked_cuts.by_rule(run_id, study.home, rule, instead=True)
    return made


def _value(kind: str) -> float:
    if kind == rule_names.COST:
        return st.number_input(
            "False alarms that one miss is worth", 0.1, 1000.0, COST, 1.0, key="aim_cost", bind="query-params", width=230
        )  # fmt: skip
    if kind in rule_names.AIMED:
        return st.number_input(
            "At least",
            0.01,
            0.99,
            AIM,
            0.01,
            format="%.2f",
            key=f"aim_{kind}",
            bind="query-params",
            width=120,
        )
    return 0.0


def tag(made: ThresholdSet, study: choose.Study) -> str:
    """Return what tells the sliders of this set from those of another; "" for the run's own and for none."""
    if study.threshold_set is None:
        return ""
    # The study bar calls the run's own set "tuned", whatever name its file holds.
    name = st.session_state.get("cuts", "tuned") if made is study.threshold_set else made.rule
    return "" if name == "tuned" else re.sub(r"[^a-z0-9]+", "_", name.lower())
