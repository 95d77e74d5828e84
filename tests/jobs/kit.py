"""Real processes that do next to nothing, and small stores for them to read."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrlab import jobs, store
from cxrlab import spec as specs
from cxrlab.choices.networks import CHOICES, TIMM
from cxrlab.jobs import process, state

STUB = Path(__file__).parent / "stub"


def write_store(lab, site, n=60, labels=("No Finding", "Pneumonia"), seed=0, synthetic=True):
    """A small store: row i belongs to patient i, every other one is ill."""
    ill = (np.arange(n) % 2).astype(np.int8)
    columns = {"No Finding": 1 - ill}
    findings = [label for label in labels if label != "No Finding"]
    for k, label in enumerate(
        findings
    ):  # of several, each is every second ill patient's: none is the same as being ill
        columns[label] = ill * ((np.arange(n) // 2 + k) % 2) if len(findings) > 2 else ill
    evidence = np.stack([columns[label] for label in labels], axis=1).astype(np.int8)
    rows = pd.DataFrame(
        {c: [""] * n if kind == "str" else np.zeros(n) for c, kind in store.ROW_COLUMNS.items()}
    )
    rows["image_id"] = [f"{site}-{i}" for i in range(n)]
    rows["patient_id"] = [f"p{i}" for i in range(n)]
    images = np.random.default_rng(seed).integers(0, 255, (n, 32, 32), dtype=np.uint8)
    images[ill == 1, 8:16, 8:16] = 250
    header = store.Header(site, site.title(), "made for a test", labels, synthetic=synthetic)
    store.write(lab.store(site), header, rows, evidence, images)


@pytest.fixture
def stub(lab, monkeypatch):
    """A lab with three small sites whose jobs are real processes without a network; none survives the test."""
    monkeypatch.setenv("PYTHONPATH", f"{STUB}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "1")
    monkeypatch.setenv("CXRLAB_SLOTS", "1")
    for k, site in enumerate(("home", "east", "west")):
        write_store(lab, site, seed=k)
    yield lab
    for run_id in lab.run_ids():
        job = state.read_job(lab.run(run_id))
        if job is not None and job.who is not None:
            assert process.end(job.who, grace=0.1)


def train_spec(network="small_cnn", seed=0, external=("east", "west")):
    return specs.build(
        {
            "kind": "train",
            "view": {"source": ["home"], "external": list(external), "labels": ["Pneumonia"], "image_px": 32},
            # The stub's own words for what a run does are nobody's networks, so they go as timm's.
            "model": {"name": network if network in CHOICES else f"{TIMM}{network}"},
            "seed": seed,
        }
    )


def wait_for(run, *states, seconds=30):
    """Return the run's status once it is in one of `states`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = jobs.status(run)
        if now.state in states:
            return now
        time.sleep(0.02)
    raise AssertionError(f"{run.run_id} is {jobs.status(run)}, not {states}; log:\n{jobs.log_tail(run)}")
