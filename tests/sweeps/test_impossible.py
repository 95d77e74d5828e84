"""What cannot be is one sentence with exit 2, before anything starts, and leaves nothing behind."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cxrlab import spec, store
from cxrlab.__main__ import main
from cxrlab.labels import SHARED, Evidence
from cxrlab.sweeps import expand
from tests.jobs.kit import write_store
from tests.sweeps.impossible import BASE, RUNS, SWEEPS, TRAIN, WORDS, arm, sweep


@pytest.fixture
def sites(lab):
    """home, east, west; a twin of home; a home that is all ill, one where a finding never changes, one of all findings."""
    for k, site in enumerate(("home", "east", "west")):
        write_store(lab, site, seed=k)
    write_store(lab, "wide", n=80, labels=SHARED, seed=5)
    write_store(lab, "same", labels=("Edema",), seed=6)
    write_store(lab, "ill", labels=("No Finding", "Pneumonia", "Edema"), seed=7)
    change(lab, "same", lambda evidence: np.full_like(evidence, Evidence.POSITIVE))
    change(
        lab,
        "ill",
        lambda evidence: np.stack([evidence[:, 0] * 0, evidence[:, 1] * 0 + 1, evidence[:, 2]], axis=1),
    )
    twin = store.read(lab.store("home"))
    store.write(
        lab.store("twin"),
        replace(twin.header, site="twin"),
        twin.rows,
        twin.evidence,
        twin.images(np.arange(len(twin))),
    )
    return lab


def change(lab, site, of):
    there = store.read(lab.store(site))
    rows, images = there.rows, there.images(np.arange(len(there)))
    store.write(lab.store(site), there.header, rows, of(np.asarray(there.evidence)), images)


def written(tmp_path, value):
    path = tmp_path / "asked.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def refused(lab, capsys, words, said):
    """Carry the words out and see that one sentence comes of it, and nothing else."""
    before = sorted(lab.root.rglob("*"))
    assert main(words) == 2
    told = capsys.readouterr()
    check_sentence(told.err, said)
    assert told.out == ""
    folders = [path for path in sorted(lab.root.rglob("*")) if path not in before]
    left = [
        path for path in folders if lab.runs in (path, *path.parents) or lab.sweeps in (path, *path.parents)
    ]
    assert not left, left
    assert lab.run_ids() == []


def check_sentence(told, said):
    assert told.endswith("\n") and told.count("\n") == 1, told
    assert (
        20 < len(told) < 1300
        and "Traceback" not in told
        and "pydantic" not in told
        and "Input should" not in told
    )
    assert re.search(said, told), told


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_cannot_be(sites, capsys, tmp_path, name):
    value, said = RUNS[name]
    refused(sites, capsys, ["run", written(tmp_path, value)], said)


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_that_cannot_be(sites, capsys, tmp_path, name):
    value, said = SWEEPS[name]
    refused(sites, capsys, ["sweep", written(tmp_path, value)], said)


@pytest.mark.parametrize("name", WORDS)
def test_words_that_ask_for_what_cannot_be(sites, capsys, tmp_path, name):
    words, said = WORDS[name]
    files = {"RUN": lambda: written(tmp_path, TRAIN), "SWEEP": lambda: written(tmp_path, sweep())}
    refused(sites, capsys, [files[word]() if word in files else word for word in words], said)


def test_what_these_tables_hold_is_many_and_what_they_change_can_be(sites, tmp_path, capsys):
    assert len(RUNS) + len(SWEEPS) + len(WORDS) >= 100
    assert main(["sweep", written(tmp_path, sweep()), "--dry-run"]) == 0
    spec.build(TRAIN)


@pytest.mark.parametrize("name", ["a million runs", "more runs than atoms", "a million seeds"])
def test_of_a_million_runs_not_one_is_built(sites, tmp_path, capsys, monkeypatch, name):
    def built(*args):
        raise AssertionError("a run was built")

    monkeypatch.setattr(expand, "_all", built)
    value, said = SWEEPS[name]
    refused(sites, capsys, ["sweep", written(tmp_path, value)], said)


def test_two_arms_that_are_one_run_are_run_once_and_said(sites, capsys, tmp_path):
    path = written(tmp_path, sweep(arms=[arm(), arm("b", training__optimizer="adamw")]))
    assert main(["sweep", path, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "b: the same run as a" in told and "1 run:" in told


@pytest.mark.parametrize(
    ("words", "what"),
    [(["run", "RUN"], "this run"), (["sweep", "SWEEP"], "the 3 runs of this sweep"), (["study", "--source", "wide", "--external", "east"], "runs of this study")],
)  # fmt: skip
def test_more_than_the_disk_holds_is_refused_before_anything_is_written(
    sites, capsys, tmp_path, monkeypatch, words, what
):
    """The disk is as full as it is said to be: only its free bytes are made up."""
    usage = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(path)._replace(free=1000))
    files = {
        "RUN": lambda: written(tmp_path, TRAIN),
        "SWEEP": lambda: written(tmp_path, sweep(seeds=[0, 1, 2])),
    }
    words = [files[word]() if word in files else word for word in words]
    refused(sites, capsys, words, f"{what}( that are missing)? may fill .*B free; ask for fewer")


def test_two_thousand_large_networks_are_too_much_for_a_real_disk(sites, capsys, tmp_path):
    """Nothing is made up here: two thousand checkpoints of DenseNet-161 and what resuming needs are most of a terabyte."""
    value = sweep(
        seeds=list(range(2000)),
        base={**BASE, "model": {"name": "vit_b16"}, "view": {**BASE["view"], "image_px": 32}},
    )
    free = shutil.disk_usage(sites.root).free
    if free > 2.5e12:
        pytest.skip(f"this disk has {free / 1e12:.1f} TB free")
    refused(sites, capsys, ["sweep", written(tmp_path, value)], "the 2000 runs of this sweep.* may fill")
