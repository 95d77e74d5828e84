"""Caches of report's tables that several files or a choice go into.

In:    run ids, sites, labels, thresholds.
Out:   report's tables, computed once for the files behind them.
Never: torch; arithmetic (report does it).
"""

import numpy as np
import pandas as pd
import streamlit as st

from cxrlab import planted, report
from cxrlab.paths import Lab
from cxrlab.predictions import ABNORMAL
from cxrlab.ui import cached, marks

GRID = np.round(np.linspace(0, 1, 201), 3)  # as fine as the slider
DEFAULT = 0.5


def scored(run_id: str, sites: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `sites` that have scores of this run, in their order."""
    there = set(cached.scored_sites(run_id))
    return tuple(site for site in sites if site in there)


def _keys(run_id: str, sites: tuple[str, ...]) -> tuple[cached.Stamp, ...]:
    return tuple(cached.stamp(Lab.here().run(run_id).predictions(site)) for site in sites)


def performances(run_id: str, sites: tuple[str, ...], threshold_set: object | None) -> pd.DataFrame:
    """Return report.performance of every site, one under the other."""
    return pd.concat([cached.performance(run_id, site, threshold_set) for site in sites], ignore_index=True)


def points(run_id: str, home: str, sites: tuple[str, ...], label: str, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return one label's AUROC at each site with its verdict: site, value, low, high, n_pos, n_neg, verdict, why_nan."""
    table = performances(run_id, sites, None)
    table = table[table["label"] == label].rename(columns={"auroc": "value"})
    verdict = gaps[gaps["label"] == label].set_index("site")["verdict"] if len(gaps) else pd.Series(dtype=str)
    table["verdict"] = [("" if s == home else verdict.get(s, "")) for s in table["site"]]
    return table[["site", "value", "low", "high", "n_pos", "n_neg", "verdict", "why_nan"]].reset_index(
        drop=True
    )


def curves(run_id: str, sites: tuple[str, ...], label: str) -> pd.DataFrame:
    """Return report.curves of every site: site, kind, x, y, threshold."""
    return _curves(_keys(run_id, sites), run_id, sites, label)


@st.cache_data(max_entries=128, show_spinner=False)
def _curves(keys: tuple, run_id: str, sites: tuple[str, ...], label: str) -> pd.DataFrame:
    parts = [report.curves(cached.predictions(run_id, s), label).assign(site=s) for s in sites]
    return pd.concat(parts, ignore_index=True)


def by_threshold(run_id: str, site: str, label: str) -> pd.DataFrame:
    """Return report.by_threshold on the slider's grid."""
    return _by_threshold(_keys(run_id, (site,)), run_id, site, label)


@st.cache_data(max_entries=128, show_spinner=False)
def _by_threshold(keys: tuple, run_id: str, site: str, label: str) -> pd.DataFrame:
    return report.by_threshold(cached.predictions(run_id, site), label, GRID)


def confusions(run_id: str, sites: tuple[str, ...], label: str, threshold: float) -> pd.DataFrame:
    """Return site, tp, fp, fn, tn at one threshold; NaN when the threshold is undefined."""
    rows = []
    for site in sites:
        unknown = dict.fromkeys(("tp", "fp", "fn", "tn"), np.nan)
        known = np.isfinite(threshold)
        counts = (
            vars(report.confusion(cached.predictions(run_id, site), label, threshold)) if known else unknown
        )
        rows.append({"site": site, **counts})
    return pd.DataFrame(rows)


def confusion(run_id: str, site: str, label: str, threshold: float):
    """Return report.confusion (metrics.binary.Confusion) at a threshold that is known."""
    return report.confusion(cached.predictions(run_id, site), label, threshold)


def support(run_id: str, site: str, label: str) -> dict[str, object]:
    """Return the row of one label of report.performance: its counts and why it is undefined."""
    table = cached.performance(run_id, site, None)
    return table[table["label"] == label].iloc[0].to_dict()


def transfer(run_id: str, home: str, externals: tuple[str, ...], label: str) -> pd.DataFrame:
    """Return report.transfer of one label."""
    return _transfer(_keys(run_id, (home, *externals)), run_id, home, externals, label)


@st.cache_data(max_entries=128, show_spinner=False)
def _transfer(keys: tuple, run_id: str, home: str, externals: tuple[str, ...], label: str) -> pd.DataFrame:
    return report.transfer(
        cached.predictions(run_id, home), [cached.predictions(run_id, s) for s in externals], label
    )


def cuts(run_id: str, home: str, threshold_set) -> pd.DataFrame:
    """Return one row a label: the set's threshold with its interval, and F1 on home's test rows at it and at .5."""
    return _cuts(_keys(run_id, (home,)), repr(threshold_set), run_id, home, threshold_set)


@st.cache_data(max_entries=32, show_spinner=False)
def _cuts(keys: tuple, of_set: str, run_id: str, home: str, _threshold_set) -> pd.DataFrame:
    table = _threshold_set.table()
    scores = cached.predictions(run_id, home)
    table = table[table["label"].isin(scores.labels)].reset_index(drop=True)
    for column, of in (("f1_default", lambda row: DEFAULT), ("f1_tuned", lambda row: row["threshold"])):
        table[column] = [
            report.confusion(scores, row["label"], of(row)).f1 if np.isfinite(of(row)) else np.nan
            for row in table.to_dict("records")
        ]
    return table.sort_values("threshold", ascending=False, na_position="last").reset_index(drop=True)


def changed(run_id: str, site: str, label: str, a: float, b: float) -> pd.DataFrame:
    """Return the images that two thresholds call differently: image_id, row, score, y, group (at the second)."""
    return report.changed(cached.predictions(run_id, site), label, a, b)


def relation(
    autoencoder: str, run_id: str, home: str, externals: tuple[str, ...], label: str
) -> dict[str, object]:
    """Return report.re_vs_performance over the sites that both runs have scored; a planted copy is no site of its own."""
    sites = scored(autoencoder, scored(run_id, (home, *externals)))
    errors = cached.reconstruction(autoencoder, home, tuple(s for s in sites if s != home))
    copies = {
        site: of for site, header in marks.headers_of(sites).items() if (of := planted.origin_of(header))
    }
    return report.re_vs_performance(errors, performances(run_id, sites, None), label, copies)


def heads(runs: dict[str, str], home: str, sites: tuple[str, ...]) -> pd.DataFrame:
    """Return head, site, value, low, high, n_pos, n_neg, why_nan of several normal/abnormal runs."""
    parts = []
    for head, run_id in runs.items():
        table = performances(run_id, scored(run_id, sites), None)
        table = table[table["label"] == ABNORMAL].rename(columns={"auroc": "value"}).assign(head=head)
        parts.append(table[["head", "site", "value", "low", "high", "n_pos", "n_neg", "why_nan"]])
    return pd.concat(parts, ignore_index=True)


def at_one_point(
    heads: dict[str, str], flat_run: str, home: str, sites: tuple[str, ...], sensitivity: float
) -> pd.DataFrame:
    """Return report.operating_point of each normal/abnormal run, and of a findings model read as a gate.

    Args:
        heads: name → run id; the first gives the truth that the findings model is judged on.
        flat_run: the findings model's run id; "" for none.
        home: where all were trained.
        sites: home and the others.
        sensitivity: at which home's validation rows are cut.
    """
    models = {}
    for name, run_id in heads.items():
        there = [site for site in scored(run_id, sites) if site != home]
        models[name] = cached.predictions(run_id, home), [cached.predictions(run_id, site) for site in there]
    if flat_run and models:
        home_gate, gates = next(iter(models.values()))
        known = [gate for gate in gates if gate.site in scored(flat_run, sites)]
        models["the findings model, as a gate"] = (
            report.as_gate(cached.predictions(flat_run, home), home_gate),
            [report.as_gate(cached.predictions(flat_run, gate.site), gate) for gate in known],
        )
    return report.operating_point(models, ABNORMAL, "sensitivity", sensitivity)
