"""`labels` prints the map and writes copies to edit; `ingest --map` uses one."""

import json

import pytest

from cxrlab import labelmap, store
from cxrlab.__main__ import main
from tests.labelmap.kit import kermany_folder


def test_without_a_dataset_every_dataset_and_every_label_space_is_listed(capsys):
    assert main(["labels"]) == 0
    said = capsys.readouterr().out
    assert all(
        name in said for name in (*labelmap.DATASETS, "shared-9", "chexpert-14", "nih-14", "competition-5")
    )
    assert main(["labels", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [line["dataset"] for line in facts["datasets"]] == list(labelmap.DATASETS)
    assert facts["spaces"]["competition-5"][0] == "Atelectasis"


def test_a_datasets_map_is_printed_narrow_and_broad(capsys):
    assert main(["labels", "padchest"]) == 0
    narrow = capsys.readouterr().out
    assert "lobar atelectasis" in narrow and "kerley lines" not in narrow and "(left out)" in narrow
    assert main(["labels", "padchest", "--breadth", "broad", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {
        "native": "kerley lines",
        "label": "Edema",
        "says": "same",
        "breadth": "broad",
        "note": "",
    } in facts["rules"]
    assert facts["digest"] == labelmap.of("padchest", "broad").digest


def test_an_importer_is_shown_the_map_that_it_uses(capsys):
    assert main(["labels", "mimic", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dataset"] == "chexpert"


def test_a_copy_is_written_edited_and_used(lab, tmp_path, capsys):
    path = tmp_path / "ours.csv"
    assert main(["labels", "kermany", "--out", str(path)]) == 0
    assert f"--map {path}" in capsys.readouterr().out
    path.write_text(path.read_text().replace("NORMAL,Pneumonia,negative", "NORMAL,Pneumonia,uncertain"))
    raw = kermany_folder(tmp_path / "raw")
    words = [
        "ingest",
        "kermany",
        str(raw),
        "--site",
        "ours",
        "--size",
        "16",
        "--workers",
        "1",
        "--map",
        str(path),
    ]
    assert main(words) == 0
    opened = store.read(lab.store("ours"))
    assert opened.header.preprocess["map"]["origin"] == "ours.csv"
    assert -1 in opened.evidence[:, opened.header.labels.index("Pneumonia")]


def test_a_copy_never_overwrites_an_edited_one(tmp_path, capsys):
    path = tmp_path / "ours.csv"
    path.write_text("mine")
    assert main(["labels", "nih", "--out", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err and path.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["labels", "nhi"], "did you mean 'nih'?"),
        (["labels", "medmnist"], "ask for chestmnist or pneumoniamnist"),
        (["labels", "folder"], "folder has no label map of its own"),
        (["labels", "--out", "x.csv"], "--out x.csv needs a dataset"),
        (["ingest", "phantom", ".", "--site", "x", "--map", "broad"], "phantom has no option 'map'"),
        (["ingest", "nih", ".", "--site", "x", "--map", "none.csv"], "no label map at none.csv"),
        (
            ["ingest", "nih", ".", "--site", "x", "--map", "broad", "--option", "map=narrow"],
            "give one of them",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_2(lab, capsys, words, sentence):
    assert main(words) == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1


def test_a_dry_run_shows_the_ledger_with_shares(lab, tmp_path, capsys):
    raw = kermany_folder(tmp_path / "raw")
    assert main(["ingest", "kermany", str(raw), "--site", "x", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "before" in said and "0.400" in said and "None" not in said
