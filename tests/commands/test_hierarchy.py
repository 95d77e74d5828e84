"""`hierarchy` puts a gate before a disease model out of two finished runs, and refuses what does not fit."""

import json

import pytest

from cxrlab import predictions
from cxrlab.__main__ import main
from cxrlab.paths import Lab
from cxrlab.predictions import ABNORMAL
from tests import fake_lab


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return fake_lab.build(tmp_path_factory.mktemp("hierarchy"))


@pytest.fixture
def runs(built, monkeypatch):
    monkeypatch.setenv("CXRLAB_HOME", str(built.root))
    names = built.run_ids()
    return {
        "labels": next(n for n in names if n.startswith("labels-")),
        "normal": next(n for n in names if n.startswith("normal-small")),
        "latents": next(n for n in names if n.startswith("normal-latent")),
        "autoencoder": next(n for n in names if n.startswith("autoencoder-")),
    }


def test_two_finished_runs_are_put_one_before_the_other(runs, capsys):
    assert main(["hierarchy", "--gate", runs["normal"], "--disease", runs["labels"]]) == 0
    text = capsys.readouterr().out
    assert "Gate cut by sensitivity 0.95, models compared at sensitivity 0.9" in text
    assert "At lakeview the gate holds back" in text
    assert "Pneumonia" in text


def test_the_figures_as_json_are_the_tables(runs, capsys):
    asked = [
        "hierarchy",
        "--gate",
        runs["normal"],
        "--disease",
        runs["labels"],
        "--aim",
        "specificity .9",
        "--json",
    ]
    assert main(asked) == 0
    value = json.loads(capsys.readouterr().out)
    assert [row["site"] for row in value["saved"]] == [fake_lab.HOME, *fake_lab.EXTERNALS]
    assert {row["measure"] for row in value["points"]} == {"sensitivity", "specificity"}
    assert value["operating_point"] == "specificity 0.9"
    # The two runs of this lab cost the same an image: a gate as dear as what it spares.
    assert all(row["spared_flops"] == pytest.approx(row["share"] - 1) for row in value["saved"])
    assert not {row["label"] for row in value["points"]} & {"No Finding", ABNORMAL}


def test_a_gate_on_latents_pays_for_its_autoencoder(runs, capsys):
    assert main(["hierarchy", "--gate", runs["latents"], "--disease", runs["labels"], "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert any("autoencoder" in note for note in value["notes"])
    assert all(row["spared_flops"] == pytest.approx(row["share"] - 2) for row in value["saved"])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "name --gate and --disease"),
        (["--gate", "normal", "--flat", "labels"], "name --gate and --disease"),
        (["--gate", "labels", "--disease", "labels"], "name a run of the task 'normal'"),
        (["--gate", "normal", "--disease", "autoencoder"], "no finding in common"),
        (["--gate", "normal", "--disease", "normal"], "no finding in common"),
        (["--joint", "labels", "--flat", "labels"], "has no gate"),
        (["--gate", "normal", "--disease", "labels", "--cut", "often"], "is no rule"),
        (["--gate", "normal", "--disease", "labels", "--cut", "sensitivity"], "is no rule"),
        (
            ["--gate", "normal", "--disease", "labels", "--aim", "youden"],
            "at one sensitivity or one specificity",
        ),
        (["--gate", "normal", "--disease", "labels", "--cut", "sensitivity 2"], "between 0 and 1"),
        (["--gate", "nobody", "--disease", "labels"], "no run named 'nobody'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_one_sentence(runs, capsys, asked, said):
    assert main(["hierarchy", *(runs.get(word, word) for word in asked)]) == 2
    told = capsys.readouterr()
    assert said in told.err and not told.out


def test_a_gate_whose_validation_rows_are_of_one_kind_is_refused(runs, capsys, tmp_path, monkeypatch):
    lab = fake_lab.build(tmp_path)
    monkeypatch.setenv("CXRLAB_HOME", str(lab.root))
    path = Lab(tmp_path).run(runs["normal"]).predictions(fake_lab.HOME)
    said = predictions.read(path)
    said.table[f"y:{ABNORMAL}"] = 1.0
    predictions.write(path, said)
    assert main(["hierarchy", "--gate", runs["normal"], "--disease", runs["labels"]]) == 2
    assert "no negative images" in capsys.readouterr().err
