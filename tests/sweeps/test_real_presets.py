"""Study presets in miniature, really trained: each run a process of its own, at phantom hospitals."""

import json

import numpy as np
import pytest

from cxrlab import ingest, jobs, phantom, predictions, spec, studies
from cxrlab.__main__ import main
from cxrlab.jobs import process, request, state
from cxrlab.paths import Lab
from cxrlab.sweeps import plan, results, shelf

N_IMAGES = {"north": 220, "coast": 220, "south": 110}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    """A lab with three phantom hospitals of 32 px; no job survives the module."""
    lab = Lab(tmp_path_factory.mktemp("presets") / "lab")
    for site, n in N_IMAGES.items():
        raw = lab.root / "raw" / site
        phantom.write_raw(raw, site, n, seed=1)
        ingest.ingest(lab, "phantom", raw, site, px=32, workers=1)
    yield lab
    for run_id in lab.run_ids():
        job = state.read_job(lab.run(run_id))
        if job is not None and job.who is not None:
            assert process.end(job.who, grace=0.1)


@pytest.fixture(autouse=True)
def here(hospitals, monkeypatch):
    monkeypatch.setenv("CXRLAB_HOME", str(hospitals.root))
    monkeypatch.setenv("CXRLAB_SLOTS", "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def carried_out(lab, capsys, *words):
    """Carry a sweep out as a student does, and return its rows and its runs by their place in it."""
    status = main(["sweep", *words, "--by-run", "--json"])
    said = capsys.readouterr()
    assert status == 0, said.err
    made = json.loads(said.out)
    rows = {row.get("arm") or row["run"]: row for row in made["table"]}
    return made, rows, jobs.children(lab.run(made["run"]))


def began(run):
    return state.read_job(run).started


def test_uncertainty_teaches_itself_from_the_masked_arm(hospitals, capsys):
    made, rows, ids = carried_out(
        hospitals, capsys, "--preset", "uncertainty", "--home", "north", "--external", "south", "--mini"
    )
    assert list(rows) == ["ignore", "ones-lsr", "self-trained"]
    assert all(row["state"] == "done" and 0 < row["home"] < 1 for row in rows.values())
    assert all(np.isfinite(row["at south"]) for row in rows.values())
    taught = spec.read(hospitals.run(ids["self-trained"]).spec)
    assert taught.teacher == ids["ignore"]
    assert (
        began(hospitals.run(ids["self-trained"]))
        > state.read_end(hospitals.run(ids["ignore"]))["ended"] - 0.01
    )
    # Uncertain evidence is there to be taught, and what is said differs from what the teacher says.
    scores = [
        predictions.read(hospitals.run(ids[arm]).predictions("south")).logit()
        for arm in ("ignore", "self-trained")
    ]
    assert np.abs(scores[0] - scores[1]).max() > 0
    # Asked again, nothing is trained again.
    before = {one: hospitals.run(one).checkpoint.stat().st_mtime_ns for one in ids.values()}
    again, _, _ = carried_out(
        hospitals, capsys, "--preset", "uncertainty", "--home", "north", "--external", "south", "--mini"
    )
    assert again["run"] == made["run"]
    assert {one: hospitals.run(one).checkpoint.stat().st_mtime_ns for one in ids.values()} == before


def test_photos_go_on_from_digital_and_from_a_pretraining(hospitals, capsys, tmp_path):
    """Four of its ten runs: saved to a file, and arms taken out of it as a person would."""
    path = tmp_path / "photos.json"
    words = [
        "--preset",
        "photos",
        "--home",
        "north",
        "--role",
        "photos=coast",
        "--external",
        "south",
        "--mini",
    ]
    assert main(["sweep", *words, "--save", str(path)]) == 0
    capsys.readouterr()
    fields = json.loads(path.read_text())
    kept = ("baseline", "frozen", "moco", "moco-fine-tuned")
    fields["arms"] = [arm for arm in fields["arms"] if arm["name"] in kept]
    path.write_text(json.dumps(fields))
    _, rows, ids = carried_out(hospitals, capsys, str(path))
    assert tuple(rows) == kept and all(row["state"] == "done" for row in rows.values())
    for arm, start in (("frozen", "baseline"), ("moco-fine-tuned", "moco")):
        made = spec.read(hospitals.run(ids[arm]).spec)
        assert made.strategy.start_from == ids[start]
        assert np.isfinite(rows[arm]["home"]) and np.isfinite(rows[arm]["at south"])
    assert rows["moco"]["home"] is None  # a pretraining says nothing of an image


@pytest.mark.parametrize(
    ("name", "arms"),
    [
        ("hierarchical-vs-flat", ["flat", "hierarchical"]),
        ("adult-to-child", ["autoencoder", "densenet", "on-latents"]),
        ("grey-64", None),
        ("chexpert-external", None),
        ("losses", ["bce", "focal", "auc-margin"]),
        ("optimizers", ["adamw", "lion", "sam"]),
        ("preprocessing", ["plain", "clahe", "zscore"]),
    ],
)
def test_a_preset_is_trained_in_miniature(hospitals, capsys, name, arms):
    _, rows, ids = carried_out(
        hospitals, capsys, "--preset", name, "--home", "north", "--external", "south", "--mini"
    )
    assert arms is None or list(rows) == arms
    for key, run_id in ids.items():
        run = hospitals.run(run_id)
        assert jobs.status(run).state == "done"
        assert predictions.read(run.predictions("south")).table["split"].eq("external").all(), key


def test_self_training_needs_no_word_about_its_teacher(hospitals, capsys, tmp_path):
    labels = list(studies.learnable(request.open_store(hospitals, "south")))
    base = {
        "view": {"source": ["south"], "external": ["coast"], "labels": labels, "image_px": 32},
        "model": {"name": "small_cnn"},
        "training": {"epochs": 1, "batch": 16},
        "maps_per_group": 0,
    }
    arms = [{"name": "taught", "set": {"view.uncertain": "self-trained"}},
            {"name": "pretrained", "set": {"strategy.start_from": "@moco"}}]  # fmt: skip
    path = tmp_path / "taught.json"
    path.write_text(json.dumps({"kind": "sweep", "name": "taught", "base": base, "arms": arms}))
    made = shelf.read(path)
    found = plan.outline(hospitals, made)
    assert [cell.key for cell in found.added] == ["teacher of taught", "pretraining of pretrained"]
    _, rows, ids = carried_out(hospitals, capsys, str(path))
    assert [row["state"] for row in rows.values()] == ["done"] * 4
    teacher = spec.read(hospitals.run(ids["teacher of taught"]).spec)
    assert teacher.view.uncertain == "ignore" and teacher.view.labels == tuple(labels)
    assert spec.read(hospitals.run(ids["taught"]).spec).teacher == ids["teacher of taught"]
    assert (
        spec.read(hospitals.run(ids["pretrained"]).spec).strategy.start_from
        == ids["pretraining of pretrained"]
    )
    table = results.table(hospitals, made)
    assert set(table["arm"]) == set(ids)  # what was added is shown as itself, never averaged into another arm
