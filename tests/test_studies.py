"""Which runs a study needs, and what becomes of them; the runs are real processes with a stub for a network."""

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from cxrlab import jobs, progress, studies
from cxrlab import spec as specs
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.jobs import clock as clock_room
from cxrlab.jobs import conductor, process, state
from cxrlab.jobs.clock import Clock
from tests.jobs import kit
from tests.jobs.kit import train_spec, wait_for, write_store

stub = kit.stub


def study_spec(**fields):
    return specs.build({"kind": "study", "source": "home", "external": ["east", "west"], **fields})


def test_a_study_is_a_classifier_an_autoencoder_and_two_normal_heads(stub):
    planned = studies.plan(study_spec(), stub)
    assert [studies.task_of(spec) for spec in planned] == [
        "labels",
        "autoencoder",
        "normal",
        "normal-latents",
    ]
    labels, autoencoder, _, head = planned
    assert labels.view.labels == ("No Finding", "Pneumonia") and labels.model.name == "densenet121"
    assert head.model.latents_of == autoencoder.run_id
    for spec in planned:
        assert set(spec.data) == {"home", "east", "west"} and spec.view.external == ("east", "west")
        assert spec.view.image_px == 32  # the stores' side: nothing is enlarged
    assert planned == studies.plan(study_spec(), stub)


def test_the_preset_decides_size_and_epochs(stub):
    quick, full = (studies.plan(study_spec(preset=name), stub)[0] for name in ("quick", "full"))
    assert quick.training.epochs < full.training.epochs and quick.run_id != full.run_id


def test_labels_without_enough_patients_are_left_out(stub):
    write_store(stub, "tiny", n=12, labels=("Pneumonia",))
    with pytest.raises(MissingInput, match="no store for the site 'nowhere'"):
        studies.outline(study_spec(source="tiny", external=["nowhere"]), stub)
    outline = studies.outline(study_spec(source="tiny", external=["east"]), stub)
    assert list(outline.specs) == ["autoencoder"]
    assert set(outline.left_out) == {"labels", "normal", "normal-latents"}
    assert "tiny has no shared label with 10 positive" in outline.left_out["labels"]


def test_a_label_that_all_have_is_not_learnable(stub):
    write_store(stub, "one-sided", n=200, labels=("Edema", "Pneumonia"))
    there = studies.request.open_store(stub, "one-sided")
    assert studies.learnable(there) == ("Pneumonia", "Edema")
    everywhere = there.evidence.copy()
    everywhere[:, 0] = 1
    assert studies.learnable(replace(there, evidence=everywhere)) == ("Pneumonia",)


def test_a_home_that_is_also_external_is_refused():
    with pytest.raises(BadSpec, match="both home and external"):
        study_spec(external=["home"])


def test_a_study_carries_out_its_runs_and_tells_what_is_left(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "8")
    run = stub.run(jobs.submit(stub, study_spec()))
    now = wait_for(run, "done", "failed", "lost", seconds=60)
    assert now.state == "done", now.reason
    children = jobs.children(run)
    assert list(children) == ["labels", "autoencoder", "normal", "normal-latents"]
    assert all(jobs.status(stub.run(child)).state == "done" for child in children.values())
    lines = progress.read(run.progress)
    left = [line["all_seconds_left"] for line in lines if "all_seconds_left" in line]
    assert left and np.isfinite(left).all() and left[-1] < left[0]
    assert {"classifier: train", "autoencoder: train"} <= {line["stage"] for line in lines}
    (study,) = studies.study_runs(stub)
    assert (study.run_id, study.home, study.externals) == (run.run_id, "home", ("east", "west"))
    assert study.runs == children and set(study.states.values()) == {"done"} and study.preset == "quick"
    ended = {child: jobs.status(stub.run(child)).ended for child in children.values()}
    jobs.submit(stub, study_spec())
    assert ended == {child: jobs.status(stub.run(child)).ended for child in children.values()}


def test_a_run_that_fails_stops_only_those_that_need_it(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_BREAKS", "autoencoder")
    run = stub.run(jobs.submit(stub, study_spec()))
    now = wait_for(run, "done", "failed", "lost", seconds=60)
    assert now.state == "failed"
    assert "autoencoder failed: this network cannot learn; choose another." in now.reason
    assert "on latents needs the autoencoder" in now.reason
    states = {task: studies.study_runs(stub)[0].states.get(task) for task in studies.NAMES}
    assert states == {"labels": "done", "autoencoder": "failed", "normal": "done", "normal-latents": None}
    monkeypatch.delenv("CXRLAB_STUB_BREAKS")
    jobs.resume(stub, run.run_id)
    assert wait_for(run, "done", "failed", seconds=60).state == "done"


def test_cancelling_a_study_ends_its_runs_too(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    run = stub.run(jobs.submit(stub, study_spec()))
    until = time.monotonic() + 30
    while not jobs.children(run) and time.monotonic() < until:
        time.sleep(0.05)
    child = stub.run(jobs.children(run)["labels"])
    while not child.spec.exists() and time.monotonic() < until:
        time.sleep(0.05)
    wait_for(child, "running")
    assert jobs.status(run).state == "running"  # one slot, and the study does not hold it
    assert jobs.cancel(run).state == "cancelled"
    assert jobs.status(child).state == "cancelled"
    assert all(process.identity_of(state.read_job(one).pid) is None for one in (run, child))


def test_a_killed_study_resumes_and_its_run_went_on_meanwhile(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "40")
    run = stub.run(jobs.submit(stub, study_spec()))
    until = time.monotonic() + 30
    while len(stub.run_ids()) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(state.read_job(run).pid, signal.SIGKILL)
    assert wait_for(run, "lost").reason
    child = stub.run(jobs.children(run)["labels"])
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "1")
    jobs.resume(stub, run.run_id)
    assert wait_for(run, "done", "failed", seconds=60).state == "done"
    assert child.log.read_text().count("begins, process") == 1


def test_runs_that_nobody_bundled_are_grouped_by_their_sites(stub):
    first = jobs.submit(stub, train_spec(), executor="inline")
    other = jobs.submit(stub, train_spec(external=("east",)), executor="inline")
    found = {study.externals: study for study in studies.study_runs(stub)}
    assert found["east", "west"].runs == {"labels": first} and found["east",].runs == {"labels": other}
    assert all(study.run_id == "" and study.state == "done" for study in found.values())


def test_a_damaged_run_folder_does_not_hide_the_others(stub):
    jobs.submit(stub, train_spec(), executor="inline")
    bad = stub.run("bad")
    bad.folder.mkdir()
    bad.spec.write_text("{")
    assert len(studies.study_runs(stub)) == 1


def test_the_time_left_follows_the_speed_that_was_measured(monkeypatch):
    at = [0.0]
    monkeypatch.setattr(clock_room.time, "monotonic", lambda: at[0])
    work = {"labels": studies.Work(1000, 0, 3), "autoencoder": studies.Work(1000, 0, 3)}
    clock = Clock(work, unit_seconds=0.01)
    clock.see("labels", jobs.Status("running", "train", 0, 100))
    assert 20 <= clock.seconds_left() <= 40  # 2,000 units at a hundredth, and two starts
    at[0] = 50.0
    clock.see("labels", jobs.Status("running", "train", 50, 100))
    assert (
        80 < clock.seconds_left() < 160
    )  # this machine takes ten times as long: 1,500 units at about a tenth
    beside = Clock(work, unit_seconds=0.01, lanes=2)
    assert beside.seconds_left() == pytest.approx(16, abs=1), "two lanes halve it"


def test_drawing_tells_what_is_left_from_the_first_line(tmp_path):
    into = progress.Progress(tmp_path / "progress.jsonl", every=0.0)
    drawing = conductor.Drawing(into, images_left=200, later=100.0)
    drawing.site = "north"
    drawing.stage("read")
    drawing.stage("decode", 200)
    drawing.step(200)
    lines = progress.read(into.path)
    assert lines[0]["stage"] == "draw north: read" and lines[1]["all_seconds_left"] == 102.0
    assert 100 <= lines[-1]["all_seconds_left"] < 102 and lines[-1]["done"] == 200
