"""Every cache of the pages: what was read from disk, keyed on path and time of writing.

In:    names of sites and runs.
Out:   the same objects as long as their files stay the same; they are shared between sessions: read only.
Never: torch; pickling of big tables (cache_resource hands out the object itself).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cxrlab import files
from cxrlab import predictions as predictions_file
from cxrlab import spec as specs
from cxrlab.errors import MissingInput
from cxrlab.paths import Lab
from cxrlab.predictions import Predictions

Stamp = tuple[str, int]


def stamp(path: Path) -> Stamp:
    """Return the path and its time of writing: the key of everything that was read from it.

    Raises:
        MissingInput: there is no such file.
    """
    try:
        return str(path), path.stat().st_mtime_ns
    except FileNotFoundError as error:
        raise MissingInput(
            f"no file at {path}; the run may not have come that far, or was removed."
        ) from error


# What lies in the lab ---------------------------------------------------------------------------------------------


def store(site: str):  # cxrlab.store is imported when first needed: h5py is slow to load
    """Return the open store of `site` (store.Store)."""
    path = Lab.here().store(site)
    if not path.exists():
        raise MissingInput(f"no store at {path}; import the site on Sites or with `python -m cxrlab ingest`.")
    return _store(stamp(path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _store(key: Stamp):
    from cxrlab import store as store_file

    return store_file.read(Path(key[0]))


def image(site: str, row: int) -> np.ndarray:
    """Return one image of a site, (H, W) uint8. Raises MissingInput for row -1: scores from elsewhere without images."""
    if row < 0:  # -1 would be the last image of the store
        raise MissingInput(
            f"no image of this row of {site}: its scores were imported. Ingest the site under this name and import the "
            "scores again with --replace; images are found by their names."
        )
    return store(site).image(int(row))


def as_seen(run_id: str, site: str):
    """Return the store with the images that a run's network sees, and what was done to them; "" when nothing was.

    Where those images are not there (any more), the site's own store and None: what is drawn is not what was seen.
    """
    from cxrlab import variants

    own, trained = store(site), run_spec(run_id)
    recipe = variants.recipe_of_run(Lab.here(), trained) if trained.kind in ("train", "brought") else None
    if recipe is None:
        return own, ""
    path = Lab.here().derived_store(site, recipe.key(own.digest))
    if not path.exists():
        return own, None
    return _store(stamp(path)), recipe.words


def run_spec(run_id: str):
    """Return the spec of a run: TrainSpec, BroughtSpec, ScoreSpec, StudySpec, SweepSpec or ImportSpec."""
    return _spec(stamp(Lab.here().run(run_id).spec))


@st.cache_resource(max_entries=256, show_spinner=False)
def _spec(key: Stamp):
    return specs.read(Path(key[0]))


def predictions(run_id: str, site: str) -> Predictions:
    """Return the scores of a run at a site."""
    return _predictions(stamp(Lab.here().run(run_id).predictions(site)))


# About 50 MB each at 100,000 rows and 14 labels: a study of four runs at six sites, and no more.
@st.cache_resource(max_entries=24, show_spinner=False)
def _predictions(key: Stamp) -> Predictions:
    return predictions_file.read(Path(key[0]))


def scored_sites(run_id: str) -> list[str]:
    """Return the sites that have scores of this run, sorted."""
    return sorted(path.stem for path in Lab.here().run(run_id).predictions_folder.glob("*.parquet"))


def maps(run_id: str, site: str):
    """Return the maps of a run at a site (explain.mapfile.Maps)."""
    return _maps(stamp(Lab.here().run(run_id).maps(site)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _maps(key: Stamp):
    from cxrlab.explain import mapfile

    return mapfile.read(Path(key[0]))


def latents(run_id: str, site: str) -> np.ndarray:
    """Return an autoencoder's latents, (N, units) float32, rows as the predictions."""
    return _latents(stamp(Lab.here().run(run_id).latents(site)))


@st.cache_resource(max_entries=16, show_spinner=False)
def _latents(key: Stamp) -> np.ndarray:
    return np.load(key[0], allow_pickle=False)


def reconstructions(run_id: str, site: str) -> dict[str, np.ndarray]:
    """Return the best and worst pairs of an autoencoder: images, rebuilt, re, image_id, kind, row."""
    return _reconstructions(stamp(Lab.here().run(run_id).reconstructions(site)))


@st.cache_resource(max_entries=16, show_spinner=False)
def _reconstructions(key: Stamp) -> dict[str, np.ndarray]:
    with np.load(key[0], allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def efficiency(run_id: str) -> dict[str, Any]:
    """Return what training cost; {} before it has ended."""
    path = Lab.here().run(run_id).efficiency
    return files.read_json(path) if path.exists() else {}


def status(run_id: str):
    """Return the state of a run (jobs.Status), read from its folder now: never cached."""
    from cxrlab import jobs

    return jobs.status(Lab.here().run(run_id))


# Threshold sets ---------------------------------------------------------------------------------------------------


def thresholds(run_id: str):
    """Return the set tuned at the end of a run (metrics.thresholds.ThresholdSet), or None before that."""
    path = Lab.here().run(run_id).thresholds
    return _thresholds(stamp(path)) if path.exists() else None


def threshold_sets(run_id: str) -> dict[str, Path]:
    """Return the sets that can be used with a run, name → file: its own first, then those that a person saved."""
    lab = Lab.here()
    own = lab.run(run_id).thresholds
    found = {"tuned": own} if own.exists() else {}
    for path in sorted(lab.threshold_sets.glob("*.json")):
        if files.read_json(path).get("run") == run_id:
            found[path.stem] = path
    return found


def threshold_set(path: Path):
    """Return the threshold set in a file."""
    return _thresholds(stamp(path))


@st.cache_resource(max_entries=64, show_spinner=False)
def _thresholds(key: Stamp):
    from cxrlab.metrics import thresholds as thresholds_file

    return thresholds_file.read(Path(key[0]))


# Tables of report.py, keyed on the files behind them ----------------------------------------------------------------


def performance(run_id: str, site: str, threshold_set=None) -> pd.DataFrame:
    """Return report.performance of a run at a site. At home: its test rows."""
    key = stamp(Lab.here().run(run_id).predictions(site))
    # A set is a frozen value: its repr is its contents. The leading underscore below keeps it out of the hash.
    return _performance(key, home_of(run_id), repr(threshold_set), threshold_set)


@st.cache_data(max_entries=256, show_spinner=False)
def _performance(key: Stamp, home: tuple[str, ...], of_set: str, _threshold_set: object) -> pd.DataFrame:
    from cxrlab import report

    scores = _predictions(key)
    if scores.site in home:
        scores = scores.only("test")
    return report.performance(scores, _threshold_set)


def gaps(run_id: str, home: str, externals: tuple[str, ...], margin: float = 0.05) -> pd.DataFrame:
    """Return report.gaps: home's test rows against each external site that has scores; no rows without a home."""
    run, there = Lab.here().run(run_id), scored_sites(run_id)
    if home not in there:
        from cxrlab.report.gaps import COLUMNS

        return pd.DataFrame(columns=list(COLUMNS))
    keys = tuple(stamp(run.predictions(site)) for site in externals if site in there)
    return _gaps(stamp(run.predictions(home)), keys, margin)


@st.cache_data(max_entries=64, show_spinner=False)
def _gaps(home: Stamp, externals: tuple[Stamp, ...], margin: float) -> pd.DataFrame:
    from cxrlab import report

    internal = _predictions(home).only("test")
    return report.gaps(internal, [_predictions(key) for key in externals], margin=margin)


def reconstruction(run_id: str, home: str, externals: tuple[str, ...]) -> pd.DataFrame:
    """Return report.reconstruction of an autoencoder: one row a site, home's test rows as the reference."""
    run, there = Lab.here().run(run_id), scored_sites(run_id)
    keys = tuple(stamp(run.predictions(site)) for site in externals if site in there)
    return _reconstruction(stamp(run.predictions(home)), keys)


@st.cache_data(max_entries=64, show_spinner=False)
def _reconstruction(home: Stamp, externals: tuple[Stamp, ...]) -> pd.DataFrame:
    from cxrlab import report

    return report.reconstruction(_predictions(home), [_predictions(key) for key in externals])


def headline(gaps_table: pd.DataFrame, home: str, label: str | None = None) -> str:
    """Return report.headline: one or two sentences of computed facts."""
    from cxrlab import report

    if not home:
        return (
            "Where this model was trained is not known, so there are no gaps: only how it does at each site."
        )
    return report.headline(gaps_table, home, label)


# What a form asks of the stores, which is slow to answer for big sites -----------------------------------------------


def outline(study):
    """Return studies.outline of a StudySpec. Raises as that does."""
    return _outline(
        study, specs.dumps(study), store_stamps((study.source, *study.external)), len(Lab.here().run_ids())
    )


@st.cache_resource(max_entries=64, show_spinner=False)
def _outline(_study, of: str, stores: tuple[Stamp, ...], n_runs: int):
    from cxrlab import studies

    return studies.outline(_study, Lab.here())


def completed(made):
    """Return jobs' request.complete of a spec: with its stores' digests, or the sentence why it cannot run."""
    if made.kind == "sweep":
        names = tuple(Lab.here().sites())
    else:
        names = (
            (made.source, *made.external)
            if made.kind == "study"
            else (*made.view.source, *made.view.external)
        )
    return _completed(made, specs.dumps(made), store_stamps(names), len(Lab.here().run_ids()))


@st.cache_resource(max_entries=64, show_spinner=False)
def _completed(_made, of: str, stores: tuple[Stamp, ...], n_runs: int):
    from cxrlab.jobs import request

    return request.complete(Lab.here(), _made, wait=False)


def learnable(site: str) -> tuple[str, ...]:
    """Return studies.learnable: the labels that a home can teach."""
    return _learnable(stamp(Lab.here().store(site)))


@st.cache_resource(max_entries=64, show_spinner=False)
def _learnable(key: Stamp) -> tuple[str, ...]:
    from cxrlab import studies

    return studies.learnable(_store(key))


def store_stamps(sites: tuple[str, ...]) -> tuple[Stamp, ...]:
    """Return the stamps of the sites' stores; one that is not there is left to whoever needs it."""
    paths = [Lab.here().store(site) for site in sites]
    return tuple(stamp(path) for path in paths if path.exists())


def home_of(run_id: str) -> tuple[str, ...]:
    """Return the sites that a run trained on; none where nobody said."""
    from cxrlab import studies

    return studies.homes_of(run_spec(run_id))


def policy_of(run_id: str) -> str:
    """Return studies.policy_of a run, with the sites that were scored though home knows them."""
    from cxrlab import studies
    from cxrlab.leaks import memory

    return studies.policy_of(run_spec(run_id), memory.caption(Lab.here().run(run_id)))


def overlaps_allowed(run_ids: tuple[str, ...]) -> list[str]:
    """Return a sentence for each overlap with home that somebody allowed in these runs."""
    from cxrlab.leaks import memory

    found = [one for run_id in run_ids for one in memory.allowed(Lab.here().run(run_id))]
    return list(dict.fromkeys(f"{one.external}: {one.says}." for one in found))


def json_of(run_id: str) -> str:
    """Return a run's spec as indented JSON, to read and to copy."""
    return json.dumps(run_spec(run_id).model_dump(mode="json"), indent=1)
