"""Caches behind the page that asks where to cut: sets by a rule, transfer, net benefit.

In:    run ids, sites, labels, rules.
Out:   report's tables, computed once for the files behind them.
Never: torch; arithmetic (report and metrics do it).
"""

import threading

import numpy as np
import pandas as pd
import streamlit as st

from cxrlab import report
from cxrlab.metrics import choosing
from cxrlab.metrics.rule_names import MAX_F1, YOUDEN, Rule
from cxrlab.metrics.thresholds import Threshold, ThresholdSet
from cxrlab.paths import Lab
from cxrlab.ui import cached

METHOD = "platt"  # keeps every rank, needs few images; the Generalization page compares it with others


def _keys(run_id: str, sites: tuple[str, ...]) -> tuple[cached.Stamp, ...]:
    return tuple(cached.stamp(Lab.here().run(run_id).predictions(site)) for site in sites if site)


def by_rule(run_id: str, home: str, rule: Rule, *, instead: bool) -> ThresholdSet:
    """Return choosing.tune_set of home's validation rows."""
    return _by_rule(_keys(run_id, (home,)), run_id, home, rule, instead)


@st.cache_resource(max_entries=64, show_spinner=False)
def _by_rule(keys: tuple, run_id: str, home: str, rule: Rule, instead: bool) -> ThresholdSet:
    return choosing.tune_set(cached.predictions(run_id, home), rule, instead=instead)


def nothing_tuned(run_id: str, site: str) -> ThresholdSet:
    """Return the set of a model whose home is not known: no label has a threshold, and each says why."""
    why = "the model's home is not known, so there are no validation rows"
    labels = {label: Threshold(why_nan=why) for label in cached.predictions(run_id, site).labels}
    return ThresholdSet("untuned", run_id, "no rule", "no rows", labels)


def transfer(
    run_id: str, home: str, externals: tuple[str, ...], label: str, made: ThresholdSet
) -> pd.DataFrame:
    """Return report.transfer of one label, tuned everywhere by the rule that made this set."""
    sites = tuple(s for s in externals if label in cached.predictions(run_id, s).labels)
    rule = Rule.parse(made.rule)
    # The plain set's own policy: max-F1, or the prevalence where positives are few.
    rule = None if rule is None or rule.kind == MAX_F1 else rule
    return _transfer(_keys(run_id, (home, *sites)), run_id, home, sites, label, rule)


@st.cache_data(max_entries=256, show_spinner=False)
def _transfer(
    keys: tuple, run_id: str, home: str, sites: tuple[str, ...], label: str, rule: Rule | None
) -> pd.DataFrame:
    there = [cached.predictions(run_id, site) for site in sites]
    return report.transfer(cached.predictions(run_id, home), there, label, rule)


def benefit(run_id: str, home: str, site: str, label: str) -> pd.DataFrame:
    """Return report.decision_curve at a site; recalibrated on home's validation rows where home is known."""
    return _benefit(_keys(run_id, (home, site)), run_id, home or site, site, label)


@st.cache_data(max_entries=256, show_spinner=False)
def _benefit(keys: tuple, run_id: str, home: str, site: str, label: str) -> pd.DataFrame:
    return report.decision_curve(
        cached.predictions(run_id, home), cached.predictions(run_id, site), label, METHOD
    )


@st.cache_resource(show_spinner=False)
def warm() -> threading.Thread:
    """Fetch, beside the page, what rules and recalibration need at their first click: a compiler's import is slow."""
    thread = threading.Thread(target=_fetch, daemon=True, name="cxrlab-warm-rules")
    thread.start()
    return thread


def _fetch() -> None:
    from cxrlab.metrics import calibration, rule_draws

    del calibration
    y, score, patient = np.array([0.0, 1.0]), np.array([0.2, 0.7]), np.array([0, 1])
    for kind in (MAX_F1, YOUDEN):  # the two kernels: compiled once a machine, read from disk afterwards
        rule_draws.draws_of(Rule(kind), y, score, patient, 1, 0)
