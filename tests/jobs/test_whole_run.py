"""One run with nothing replaced: trained, scored, tuned and drawn by a detached process, then read by each reader."""

import os
import signal

import pytest

from cxrlab import checkpoint, jobs, predictions
from cxrlab import spec as specs
from cxrlab.explain import mapfile
from cxrlab.jobs import process, state
from cxrlab.metrics import thresholds
from tests.jobs.kit import wait_for, write_store


@pytest.mark.slow
def test_a_killed_run_resumes_and_leaves_what_every_reader_can_read(lab, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for k, site in enumerate(("home", "east")):
        write_store(lab, site, seed=k)
    spec = specs.build(
        {
            "kind": "train",
            "view": {"source": ["home"], "external": ["east"], "labels": ["Pneumonia"], "image_px": 32},
            "model": {"name": "small_cnn"},
            "training": {"epochs": 3, "batch": 16},
            "maps_per_group": 2,
        }
    )
    run = lab.run(jobs.submit(lab, spec))
    os.kill(wait_for(run, "running").pid, signal.SIGKILL)
    assert wait_for(run, "lost")
    jobs.resume(lab, run.run_id)
    now = wait_for(run, "done", "failed", "lost", seconds=180)
    assert now.state == "done", jobs.log_tail(run)
    assert checkpoint.read(run.checkpoint).labels == ("Pneumonia",)
    for site, splits in (("home", {"train", "val", "test"}), ("east", {"external"})):
        scored = predictions.read(run.predictions(site))
        assert len(scored.table) == 60 and set(scored.table["split"]) == splits
        assert mapfile.read(run.maps(site)).run_id == run.run_id
    assert set(thresholds.read(run.thresholds).labels) == {"Pneumonia"}
    before = run.predictions("east").stat().st_mtime_ns
    assert process.wait_gone(state.read_job(run).who, 10)
    run.end.unlink()  # as if it had been killed just before its last word
    jobs.resume(lab, run.run_id)
    wait_for(run, "done", seconds=60)
    assert run.predictions("east").stat().st_mtime_ns == before
