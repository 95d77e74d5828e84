"""Caches of what Generalization measures: one small table a run, site and finding, keyed on the files behind it.

In:    run ids, sites, labels, threshold sets.
Out:   report's tables; runs in the few megabytes that putting them side by side takes.
Never: torch; arithmetic (report does it); rows of more runs than are on the screen.
"""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrlab import predictions as predictions_file
from cxrlab import report
from cxrlab.errors import BadInput
from cxrlab.metrics.auroc import MACRO
from cxrlab.metrics.panel import Panel
from cxrlab.paths import Lab
from cxrlab.predictions import Predictions
from cxrlab.report import kept
from cxrlab.ui import asked, cached

NONE = "none"
FEW_DRAWS = 100  # of bands at large sites: a band as narrow as theirs needs no more
LARGE = 50_000


def _keys(run_id: str, sites: tuple[str, ...]) -> tuple[cached.Stamp, ...]:
    return tuple(cached.stamp(Lab.here().run(run_id).predictions(site)) for site in sites)


# One run ------------------------------------------------------------------------------------------------------------


def bands(run_id: str, sites: tuple[str, ...], label: str) -> pd.DataFrame:
    """Return report.bands.both_bands of a few sites: site, kind, x, y, low, high."""
    parts = [_band(key, run_id, site, label) for key, site in zip(_keys(run_id, sites), sites, strict=True)]
    return pd.concat(parts, ignore_index=True)


@st.cache_data(max_entries=256, show_spinner=False)
def _band(key: cached.Stamp, run_id: str, site: str, label: str) -> pd.DataFrame:
    scores = cached.predictions(run_id, site)
    draws = FEW_DRAWS if len(scores.table) > LARGE else report.bands.DRAWS
    return report.bands.both_bands(scores, label, draws).assign(site=site)


def confusions(run_id: str, sites: tuple[str, ...], label: str, threshold: float) -> pd.DataFrame:
    """Return asked.confusions, kept."""
    return _confusions(_keys(run_id, sites), run_id, sites, label, threshold)


@st.cache_data(max_entries=256, show_spinner=False)
def _confusions(
    keys: tuple, run_id: str, sites: tuple[str, ...], label: str, threshold: float
) -> pd.DataFrame:
    return asked.confusions(run_id, sites, label, threshold)


def losses(run_id: str, home: str, externals: tuple[str, ...], label: str, threshold_set) -> pd.DataFrame:
    """Return report.decomposition of one label."""
    keys = _keys(run_id, (home, *externals))
    return _losses(keys, repr(threshold_set), run_id, home, externals, label, threshold_set)


@st.cache_data(max_entries=128, show_spinner=False)
def _losses(
    keys: tuple, of_set: str, run_id: str, home: str, externals: tuple, label: str, _set
) -> pd.DataFrame:
    there = [cached.predictions(run_id, site) for site in externals]
    return report.decomposition(cached.predictions(run_id, home), there, _set, (label,))


def at_one_prevalence(run_id: str, sites: tuple[str, ...], label: str, threshold: float) -> pd.DataFrame:
    """Return report.standardised at the first site's prevalence."""
    return _at_one_prevalence(_keys(run_id, sites), run_id, sites, label, threshold)


@st.cache_data(max_entries=128, show_spinner=False)
def _at_one_prevalence(keys: tuple, run_id: str, sites: tuple, label: str, threshold: float) -> pd.DataFrame:
    return report.standardised([cached.predictions(run_id, site) for site in sites], label, threshold)


def _fitted_at(run_id: str, home: str, site: str) -> Predictions:
    """Return what recalibrations are fitted on; without a home nothing is, and only "none" may be asked for."""
    return cached.predictions(run_id, home or site)


def calibration(run_id: str, home: str, site: str, label: str, methods: tuple[str, ...]) -> pd.DataFrame:
    """Return report.calibration at one site."""
    keys = _keys(run_id, (home or site, site))
    return pd.concat([_calibration(keys, run_id, home, site, label, m) for m in methods], ignore_index=True)


@st.cache_data(max_entries=512, show_spinner=False)
def _calibration(keys: tuple, run_id: str, home: str, site: str, label: str, method: str) -> pd.DataFrame:
    fitted, here = _fitted_at(run_id, home, site), cached.predictions(run_id, site)
    return report.calibration(fitted, here, label, (method,))


def reliability(run_id: str, home: str, site: str, label: str, methods: tuple[str, ...]) -> pd.DataFrame:
    """Return report.reliability at one site."""
    return _reliability(_keys(run_id, (home or site, site)), run_id, home, site, label, methods)


@st.cache_data(max_entries=256, show_spinner=False)
def _reliability(keys: tuple, run_id: str, home: str, site: str, label: str, methods: tuple) -> pd.DataFrame:
    fitted, here = _fitted_at(run_id, home, site), cached.predictions(run_id, site)
    return report.reliability(fitted, here, label, methods)


def subgroups(run_id: str, site: str, label: str, threshold: float) -> pd.DataFrame:
    """Return report.subgroups at one site."""
    return _subgroups(_keys(run_id, (site,)), run_id, site, label, threshold)


@st.cache_data(max_entries=128, show_spinner=False)
def _subgroups(keys: tuple, run_id: str, site: str, label: str, threshold: float) -> pd.DataFrame:
    return report.subgroups(cached.predictions(run_id, site), label, threshold)


def co_errors(run_id: str, site: str, label: str, threshold_set) -> pd.DataFrame:
    """Return report.co_errors at one site, pairs with one label."""
    return _co_errors(_keys(run_id, (site,)), repr(threshold_set), run_id, site, label, threshold_set)


@st.cache_data(max_entries=64, show_spinner=False)
def _co_errors(keys: tuple, of_set: str, run_id: str, site: str, label: str, _set) -> pd.DataFrame:
    return report.co_errors(cached.predictions(run_id, site), _set, label)


def readers(run_id: str, sites: tuple[str, ...]) -> dict[str, list[str]]:
    """Return label → the sites where somebody else, too, says whether it is there."""
    found: dict[str, list[str]] = {}
    for site in sites:
        for labels in cached.predictions(run_id, site).readers.values():
            for label in labels:
                found.setdefault(label, []).append(site)
    return {label: list(dict.fromkeys(there)) for label, there in found.items()}


def label_noise(run_id: str, sites: tuple[str, ...], label: str) -> pd.DataFrame:
    """Return report.label_noise of every site that has another reader of `label`, with `site`."""
    return _label_noise(_keys(run_id, sites), run_id, sites, label)


@st.cache_data(max_entries=64, show_spinner=False)
def _label_noise(keys: tuple, run_id: str, sites: tuple[str, ...], label: str) -> pd.DataFrame:
    parts = [report.label_noise(cached.predictions(run_id, site), label).assign(site=site) for site in sites]
    return pd.concat(parts, ignore_index=True)


def run_at(run_id: str, site: str) -> kept.Kept:
    """Return a run at a site, measured once. Its rows are read and let go."""
    return _run_at(cached.stamp(Lab.here().run(run_id).predictions(site)))


@st.cache_resource(max_entries=144, show_spinner="Measuring a run that was not compared before…")
def _run_at(key: cached.Stamp) -> kept.Kept:
    return kept.keep(predictions_file.read(Path(key[0])))


def panel(runs: tuple[str, ...], site: str, label: str) -> Panel:
    """Return the runs side by side at one site. Raises BadInput where they share nothing."""
    made = kept.panel(runs, [run_at(run_id, site) for run_id in runs], label)
    if made is None:  # other images or truths: the rows decide what they share
        made = report.panel({run_id: cached.predictions(run_id, site) for run_id in runs}, label)
    return made


def pairs(runs: tuple[str, ...], home: str, externals: tuple[str, ...], label: str) -> pd.DataFrame:
    """Return report.compare_panels; `home` "" leaves home and gaps out."""
    return _compared(_all_keys(runs, home, externals), runs, home, externals, label, "pairs")


def ranks(runs: tuple[str, ...], home: str, externals: tuple[str, ...], label: str) -> pd.DataFrame:
    """Return report.rank_runs; `home` "" leaves home and gaps out."""
    return _compared(_all_keys(runs, home, externals), runs, home, externals, label, "ranks")


def _all_keys(runs: tuple[str, ...], home: str, externals: tuple[str, ...]) -> tuple:
    return tuple(_keys(run_id, (*filter(None, (home,)), *externals)) for run_id in runs)


@st.cache_data(max_entries=128, show_spinner=False)
def _compared(keys: tuple, runs: tuple, home: str, externals: tuple, label: str, what: str) -> pd.DataFrame:
    inside = panel(runs, home, label) if home else None
    outside = {}
    for site in externals:
        try:
            outside[site] = panel(runs, site, label)
        except BadInput:  # nothing in common there; the other sites still compare
            continue
    make = report.compare_panels if what == "pairs" else report.rank_runs
    return make(inside, outside)


def matrix(runs: tuple[str, ...], label: str = MACRO) -> pd.DataFrame:
    """Return report.train_test_matrix of runs at every site that they have scored."""
    places = tuple((run_id, site) for run_id in runs for site in cached.scored_sites(run_id))
    keys = tuple(_keys(run_id, (site,)) for run_id, site in places)
    return _matrix(keys, places, label)


@st.cache_data(max_entries=64, show_spinner=False)
def _matrix(keys: tuple, places: tuple[tuple[str, str], ...], label: str) -> pd.DataFrame:
    return report.train_test_matrix([run_at(run_id, site).condensed for run_id, site in places], label)
