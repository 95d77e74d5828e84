"""A sweep outlives its conductor, a run that diverges, and a wish to stop: real processes, killed for real."""

import json
import os
import signal

import numpy as np
import pytest

from cxrlab import jobs, spec
from cxrlab.__main__ import main
from cxrlab.jobs import process, state
from cxrlab.sweeps import shelf
from tests.jobs.kit import wait_for, write_store

BASE = {
    "view": {"source": ["home"], "external": ["east"], "labels": ["Pneumonia"], "image_px": 32},
    "model": {"name": "small_cnn"},
    "training": {"batch": 16},
    "maps_per_group": 0,
}

# As in tests/learning/test_loop.py: steps of RMSprop at a rate of 1 drive fp16 beyond its largest number.
DIVERGES = {
    "training.learning_rate": 1.0,
    "training.optimizer": "rmsprop",
    "training.precision": "fp16",
    "training.epochs": 12,
    "training.patience": 12,
}


def sweep(**fields):
    return spec.build({"kind": "sweep", "name": "x", "base": BASE, **fields})


@pytest.fixture
def file(tmp_path):
    def written(made):
        path = tmp_path / "x.json"
        path.write_text(json.dumps(made.model_dump(mode="json")))
        return str(path)

    return written


def beginnings(lab, run_id):
    """Return how often a run's work was begun by any process."""
    return lab.run(run_id).log.read_text().count(f"{run_id} begins")


def test_a_sweep_whose_process_was_killed_goes_on_when_asked_again_and_trains_nothing_twice(
    stub, monkeypatch, file, capsys
):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "12")
    asked = sweep(seeds=[0, 1, 2, 3])
    run = stub.run(shelf.submit(stub, asked))
    conductor = wait_for(run, "running").pid
    while not any(jobs.status(stub.run(one)).state == "done" for one in stub.run_ids() if one != run.run_id):
        wait_for(run, "running")
    os.kill(conductor, signal.SIGKILL)
    wait_for(run, "lost")
    begun = [one for one in jobs.children(run).values() if stub.run(one).spec.exists()]
    assert 1 < len(begun) < 4  # one is done, one is at work, not all were begun
    assert any(jobs.status(stub.run(one)).is_alive for one in begun)  # a run outlives its conductor
    assert main(["sweep", file(asked), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == run.run_id
    ids = jobs.children(run)
    assert len(ids) == 4 and len(stub.run_ids()) == 5
    for one in ids.values():
        assert jobs.status(stub.run(one)).state == "done"
        assert beginnings(stub, one) == 1
        assert stub.run(one).log.read_text().count("fit begins at step 0") == 1


def test_a_run_that_was_killed_with_its_sweep_goes_on_where_it_stood(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "40")
    asked = sweep(seeds=[0, 1])
    run = stub.run(shelf.submit(stub, asked))
    conductor = wait_for(run, "running").pid
    while not (
        (ids := jobs.children(run))
        and (first := stub.run(next(iter(ids.values())))).spec.exists()
        and first.last.exists()
        and first.last.read_text() > "3"
    ):
        wait_for(run, "running")
    os.kill(conductor, signal.SIGKILL)
    os.kill(wait_for(first, "running").pid, signal.SIGKILL)
    wait_for(run, "lost")
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "40")
    shelf.submit(stub, asked)
    wait_for(run, "done", seconds=60)
    lines = [line for line in first.log.read_text().splitlines() if line.startswith("fit begins")]
    assert len(lines) == 2 and lines[0].endswith(" 0") and not lines[1].endswith(" 0")


def test_cancelling_from_the_shell_ends_the_runs_of_a_sweep(stub, monkeypatch, capsys):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "400")
    run = stub.run(shelf.submit(stub, sweep(seeds=[0, 1, 2])))
    wait_for(run, "running")
    while not (ids := [one for one in stub.run_ids() if one != run.run_id]):
        wait_for(run, "running")
    working = wait_for(stub.run(ids[0]), "running").pid
    who = process.identity_of(working)
    assert main(["runs", "cancel", run.run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"run": run.run_id, "state": "cancelled"}]
    assert who is not None and not process.is_alive(who)
    assert {jobs.status(stub.run(one)).state for one in stub.run_ids()} == {"cancelled"}
    # Asked again, it goes on.
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "1")
    assert shelf.submit(stub, sweep(seeds=[0, 1, 2])) == run.run_id
    wait_for(run, "done", seconds=60)


@pytest.mark.slow
def test_an_arm_that_diverges_leaves_the_others_and_the_table_says_why(lab, monkeypatch, file, capsys):
    """Really trained: a learning rate of 1 under an optimizer that does not tame it blows the weights up."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CXRLAB_SLOTS", "2")
    for k, site in enumerate(("home", "east")):
        write_store(lab, site, seed=k)
    wild = {"name": "wild", "set": DIVERGES}
    after = {"name": "after", "set": {"strategy.images": 20}, "needs": {"strategy.start_from": "wild"}}
    asked = sweep(arms=[wild, after, {"name": "tame", "set": {"training.epochs": 2}}])
    assert main(["sweep", file(asked), "--json"]) == 2
    said = capsys.readouterr()
    assert "wild: failed: the loss became" in said.err and "after: it needs 'wild'" in said.err
    rows = {row["arm"]: row for row in json.loads(said.out)["table"]}
    assert rows["wild"]["seeds"] == 0 and "failed: the loss became" in rows["wild"]["why"]
    assert rows["after"]["why"] == "seed 0 not begun"
    assert rows["tame"]["seeds"] == 1 and np.isfinite(rows["tame"]["home"]) and rows["tame"]["why"] == ""
    assert main(["sweep", "x", "--table"]) == 0
    told = capsys.readouterr().out
    assert "not there: wild seed 0" in told and "lower the learning rate" in told
    for run_id in lab.run_ids():
        job = state.read_job(lab.run(run_id))
        assert job.who is None or process.wait_gone(job.who, 20)
