"""Caches of what the Shift page shows beside report's tables: densities, the latent map, pairs of reconstructions.

In:    a run, home, sites.
Out:   tables that were computed once for the files behind them.
Never: torch; arithmetic (cxrlab.shift does it).
"""

import numpy as np
import pandas as pd
import streamlit as st

from cxrlab.errors import BadInput
from cxrlab.paths import Lab
from cxrlab.shift import density, latents
from cxrlab.ui import cached, overlay, words

MOST = 300  # images a site on the latent map
SHOWN = 2  # rows of two pairs, best and worst each
SIDE = 168  # pixels of each picture of a triptych


def errors_of(run_id: str, site: str, home: str) -> pd.DataFrame:
    """Return the rows of a site that count for its reconstruction error: home's test rows, all rows elsewhere."""
    scores = cached.predictions(run_id, site)
    return (scores.only("test") if site == home else scores).table


def densities(run_id: str, home: str, sites: tuple[str, ...]) -> pd.DataFrame:
    """Return site, re, height, beyond, n: binned densities of reconstruction error."""
    run = Lab.here().run(run_id)
    return _densities(tuple(cached.stamp(run.predictions(s)) for s in sites), run_id, home, sites)


@st.cache_data(max_entries=32, show_spinner=False)
def _densities(keys: tuple, run_id: str, home: str, sites: tuple[str, ...]) -> pd.DataFrame:
    groups = {site: errors_of(run_id, site, home)["re"].to_numpy() for site in sites}
    return density.binned(groups).rename(columns={"group": "site", "middle": "re"})


def latent_map(run_id: str, home: str, sites: tuple[str, ...]) -> tuple[pd.DataFrame, tuple[float, float]]:
    """Return (site, x, y, row of the store) of a sample of images, and home's variance along both axes.

    Raises:
        BadInput: home has too few latents.
    """
    run = Lab.here().run(run_id)
    there = tuple(site for site in sites if run.latents(site).exists())
    if home not in there:
        raise BadInput(f"run {run_id} has no latents at {home}; score {home} again.")
    return _latent_map(tuple(cached.stamp(run.latents(s)) for s in there), run_id, home, there)


@st.cache_data(max_entries=16, show_spinner="Projecting latents…")
def _latent_map(
    keys: tuple, run_id: str, home: str, sites: tuple[str, ...]
) -> tuple[pd.DataFrame, tuple[float, float]]:
    shown, rows = {}, {}
    for site in sites:
        table = cached.predictions(run_id, site).table
        keep = (table["split"] == "test").to_numpy() if site == home else np.ones(len(table), bool)
        shown[site] = cached.latents(run_id, site)[keep]
        rows[site] = table["row"].to_numpy()[keep]
    points, fitted = latents.chart(shown[home], shown, np.random.default_rng(0), MOST)
    points["row"] = [rows[site][i] for site, i in zip(points["site"], points["index"], strict=True)]
    return points[["site", "x", "y", "row"]], (float(fitted.shares[0]), float(fitted.shares[1]))


def pairs(run_id: str, site: str) -> pd.DataFrame:
    """Return place, image_id, row, re, kind of the reconstructions that were kept, best first, then worst."""
    kept = cached.reconstructions(run_id, site)
    table = pd.DataFrame({name: kept[name] for name in ("image_id", "row", "re", "kind")})
    table["place"] = np.arange(len(table))
    return table


def with_pairs(run_id: str, sites: tuple[str, ...]) -> list[str]:
    """Return those of `sites` whose best and worst reconstructions were kept."""
    run = Lab.here().run(run_id)
    return [site for site in sites if run.reconstructions(site).exists()]


def triptych(run_id: str, site: str, place: int, top: float) -> bytes:
    """Return input, reconstruction and error side by side, PNG; the strongest colour is an error of `top` (0 to 1)."""
    return _triptych(
        cached.stamp(Lab.here().run(run_id).reconstructions(site)), run_id, site, int(place), top
    )


@st.cache_data(max_entries=300, show_spinner=False)
def _triptych(key: cached.Stamp, run_id: str, site: str, place: int, top: float) -> bytes:
    kept = cached.reconstructions(run_id, site)
    return overlay.png(overlay.triptych(kept["images"][place], kept["rebuilt"][place], 2 * SIDE, top))


def strongest_error(run_id: str, site: str) -> float:
    """Return the error (0 to 1) that is drawn strongest for all pairs of a site: the 99th percentile over them."""
    return _strongest(cached.stamp(Lab.here().run(run_id).reconstructions(site)), run_id, site)


@st.cache_data(max_entries=64, show_spinner=False)
def _strongest(key: cached.Stamp, run_id: str, site: str) -> float:
    kept = cached.reconstructions(run_id, site)
    apart = np.abs(kept["images"].astype(np.float32) - kept["rebuilt"].astype(np.float32)) / 255
    return float(np.quantile(apart, 0.99)) if apart.size else float("nan")


def quantile_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return report.reconstruction in words: one row a site, home first."""
    rows = table.to_dict("records")

    def against_home(key: str) -> list[str]:
        return [
            "reference" if r["verdict"] == "home" else words.number(r[key], 2, r["why_nan"]) for r in rows
        ]

    quantiles = {"5 %": "q05", "25 %": "q25", "median": "median", "75 %": "q75", "95 %": "q95"}
    areas = [words.interval(r["auroc_vs_home"], r["low"], r["high"], r["why_nan"]) for r in rows]
    return pd.DataFrame(
        {
            "site": [r["site"] for r in rows],
            "images": [words.count(r["n"]) for r in rows],
            **{
                name: [words.number(r[key], 4, r["why_nan"]) for r in rows] for name, key in quantiles.items()
            },
            "AUROC against home": [
                "reference" if r["verdict"] == "home" else a for r, a in zip(rows, areas, strict=True)
            ],
            "KS": against_home("ks"),
            "W₁ / IQR of home": against_home("w1_iqr"),
            "verdict": [r["verdict"] for r in rows],
        }
    )
