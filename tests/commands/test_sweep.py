"""`sweep`: what would run is said first, what cannot is one sentence, and figures come as JSON."""

import json

import pytest

from cxrlab.__main__ import main
from cxrlab.labels import SHARED
from cxrlab.sweeps import presets
from tests.jobs import kit
from tests.jobs.kit import write_store

stub = kit.stub
BASE = {
    "view": {"source": ["home"], "external": ["east"], "labels": ["Pneumonia"], "image_px": 32},
    "model": {"name": "small_cnn"},
}


@pytest.fixture
def file(tmp_path):
    """Write a sweep and return its path as text."""

    def written(**fields):
        path = tmp_path / "both.json"
        path.write_text(json.dumps({"kind": "sweep", "name": "both", "base": BASE, **fields}))
        return str(path)

    return written


def test_a_dry_run_says_runs_time_and_disk_and_starts_nothing(stub, file, capsys):
    assert (
        main(["sweep", file(axes={"training.loss": ["bce", "focal"]}, seeds=[0, 1]), "--dry-run", "--json"])
        == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert len(said["runs"]) == 4 and said["seconds"] > 0 and said["bytes"] > 0 and said["basis"]
    assert stub.run_ids() == []


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (
            {"training.epochs": list(range(1, 1001)), "training.patience": list(range(1, 1001))},
            "names 1,000,000 runs",
        ),
        ({"training.loss": ["focl", "bce"]}, "1 of 2 runs cannot be"),
        ({"view.labels": [["Hernia"]]}, "does not annotate Hernia"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_2(stub, file, capsys, axes, said):
    for more in ([], ["--dry-run"]):
        assert main(["sweep", file(axes=axes), *more]) == 2
        assert said in (error := capsys.readouterr().err) and error.count("\n") == 1
    assert stub.run_ids() == []


def test_a_sweep_prints_its_table_and_is_found_again_by_its_name(stub, file, capsys):
    asked = file(axes={"training.loss": ["bce", "focal", "focl"]}, seeds=[0, 1])
    assert main(["sweep", asked, "--skip-invalid", "--json"]) == 0
    done = capsys.readouterr()
    rows = json.loads(done.out)["table"]
    assert [row["training.loss"] for row in rows] == ["bce", "focal"]
    assert [row["seeds"] for row in rows] == [2, 2] and "home sd" in rows[0]
    assert "left out: training.loss=focl seed 0" in done.err
    n = len(stub.run_ids())
    assert main(["sweep", "both", "--table", "--by-run", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["table"]) == 4
    assert main(["sweep", "both", "--no-wait", "--json"]) == 0
    assert len(stub.run_ids()) == n


def test_a_preset_is_bound_to_sites_by_their_roles(lab, capsys, tmp_path):
    for k, site in enumerate(("north", "film", "east")):
        write_store(lab, site, n=160, labels=SHARED, seed=k)
    words = ["--preset", "photos", "--home", "north", "--role", "photos=film", "--external", "east", "--mini"]
    assert main(["sweep", *words, "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    tuned = next(one for one in said["runs"] if one["key"] == "fine-tuned")
    assert tuned["needs"] == {"strategy.start_from": "baseline"}
    assert main(["sweep", *words, "--save", str(tmp_path / "mine.json")]) == 0
    capsys.readouterr()
    assert main(["sweep", str(tmp_path / "mine.json"), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a sweep's file or a preset"),
        (["--preset", "loses", "--home", "a"], "did you mean 'losses'"),
        (["--preset", "losses", "--home", "a", "--role", "film"], "says no site"),
        (["nothing.json"], "no spec at nothing.json"),
        (["nothing"], "no sweep named 'nothing'"),
    ],
)
def test_a_wrong_call_is_one_sentence(lab, capsys, words, said):
    assert main(["sweep", *words]) == 2
    assert said in capsys.readouterr().err


def test_presets_are_listed_with_their_questions(lab, capsys):
    assert main(["sweep", "--presets", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == presets.names()
    assert all(one["question"] for one in listed)


def test_what_stands_beneath_a_table_names_the_leader_at_home_alone_and_no_leader_of_two_homes(
    stub, file, capsys
):
    """The stub's numbers are the same whatever is trained: nobody may lead."""
    assert (
        main(
            [
                "sweep",
                file(arms=[{"name": "a"}, {"name": "b", "set": {"training.loss": "focal"}}], seeds=[0, 1]),
            ]
        )
        == 0
    )
    told = capsys.readouterr()
    assert "it cannot be told which is better. External sites have no say in that." in told.out
    assert "4 runs: about" in told.err
    moved = {"view.source": ["west"], "view.external": ["east"]}
    asked = file(
        arms=[
            {"name": "a"},
            {"name": "b", "set": moved},
            {"name": "c", "set": {"training.optimizer": "adamw"}},
        ]
    )
    assert main(["sweep", asked]) == 0
    told = capsys.readouterr()
    assert "different homes" in told.out and "ahead" not in told.out
    assert "c: the same run as a, carried out once" in told.err
