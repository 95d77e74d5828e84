"""No store tells who a patient is; the lab's owner can still find the file."""

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrlab import ingest, privacy, store
from cxrlab.errors import BadInput, MissingInput
from cxrlab.intake import imports, origin
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.sites import SITES
from cxrlab.store import BOX_COLUMNS

spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "sites" / "dicom" / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
TABLE = {"table": "labels of Gruber.csv"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("Gruber-Erika-export")
    make.fake_raw_folder(folder)
    return folder


@pytest.fixture(scope="module")
def made(raw, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    ingest.ingest(lab, "dicom", raw, "here", px=48, options=TABLE, workers=1)
    return lab


def told_by(data, secrets):
    """Which secrets stand in the bytes, in any of the usual encodings, in capitals or not."""
    data = data.lower()
    ways = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
    return [text for text in secrets if any(text.lower().encode(way) in data for way in ways)]


def test_no_value_of_a_person_can_be_found_in_the_bytes_of_a_store(raw, made):
    secrets = [*make.secrets(), raw.name]
    assert len(secrets) > 900
    assert told_by(made.store("here").read_bytes(), secrets) == []


def test_the_search_would_have_found_them(raw, made, monkeypatch, tmp_path):
    """The same folder read as if it were public: the test above must be able to fail."""
    monkeypatch.setattr(type(SITES["dicom"]), "private", False)
    open_lab = Lab(tmp_path / "open")
    ingest.ingest(open_lab, "dicom", raw, "here", px=48, options=TABLE, workers=1)
    found = told_by(open_lab.store("here").read_bytes(), make.secrets())
    assert {"Gruber", "MRN-0-88", "1.2.826.0.1.1.1003", "labels of Gruber"} <= set(found)


def test_nothing_else_of_a_finished_ingest_names_a_person_but_the_private_table_and_the_origin(raw, made):
    secrets = [*make.secrets(), raw.name]
    files = [path for path in made.root.rglob("*") if path.is_file()]
    told = {path.relative_to(made.root).as_posix() for path in files if told_by(path.read_bytes(), secrets)}
    assert told == {"private/here.csv", "sources/here.json"}


def test_one_patient_has_one_name_in_a_lab_and_another_elsewhere(raw, made, tmp_path):
    other = Lab(tmp_path / "other")
    for lab, site in ((made, "again"), (other, "here")):
        ingest.ingest(lab, "dicom", raw, site, px=32, workers=1)
    here, again, there = (
        store.read(lab.store(site)).rows for lab, site in ((made, "here"), (made, "again"), (other, "here"))
    )
    assert list(here["patient_id"]) == list(again["patient_id"])
    assert not set(here["patient_id"]) & set(there["patient_id"])
    behind = [privacy.file_behind(made, "here", name).name for name in here["source_file"]]
    of = dict(zip(behind, here["patient_id"], strict=True))
    assert of["Gruber-0.dcm"] == of["Gruber-1.dcm"] != of["Okonkwo-2.dcm"]
    assert here["patient_id"].str.fullmatch("[0-9a-f]{20}").all() and here["image_id"].is_unique


def test_ages_above_89_become_90(made):
    ages = store.read(made.store("here")).rows["age_years"]
    assert ages.max() == 90 and 93 not in set(ages) and ages.min() == 1.5


def test_the_lab_finds_the_file_behind_a_name(raw, made):
    opened = store.read(made.store("here"))
    real = privacy.file_behind(made, "here", opened.rows["source_file"][0])
    assert real.is_file() and real.is_relative_to(raw)
    left_out = opened.quarantine["file"][0]
    assert left_out.endswith(".dcm")
    name = origin.real_name(made, "here", origin.read(made, "here"), left_out)
    assert (raw / name).is_file()
    with pytest.raises(MissingInput, match="does not know the name"):
        privacy.file_behind(made, "here", "0123.dcm")


def test_the_private_table_is_its_owners_alone_and_goes_with_the_site(raw, tmp_path):
    lab = Lab(tmp_path / "lab")
    ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)
    for path in (lab.private_table("here"), lab.salt):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ingest.remove(lab, "here")
    assert not lab.private_table("here").exists() and lab.salt.exists()
    with pytest.raises(MissingInput, match="no longer knows"):
        privacy.file_behind(lab, "here", "a.dcm")


def test_a_cut_tie_stays_cut_and_asking_again_does_nothing(raw, tmp_path):
    lab = Lab(tmp_path / "lab")
    first = ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)
    lab.private_table("here").unlink()
    again = ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)
    assert again.already and again.digest == first.digest and not lab.private_table("here").exists()


def test_an_interrupted_ingest_is_taken_up_and_gives_the_same_store(raw, tmp_path):
    class Pulled(Progress):
        def stage(self, name, of=0):
            if name == "write":
                raise KeyboardInterrupt
            super().stage(name, of)

    lab = Lab(tmp_path / "lab")
    with pytest.raises(KeyboardInterrupt):
        ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1, progress=Pulled())
    assert not lab.store("here").exists()
    done = ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)
    whole = ingest.ingest(lab, "dicom", raw, "whole", px=32, workers=1)
    assert done.n_resumed == 10 and done.digest == whole.digest
    assert not list(lab.stores.glob("*.staging"))


def test_with_another_salt_it_is_another_store(raw, tmp_path):
    lab = Lab(tmp_path / "lab")
    ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)
    lab.salt.unlink()
    with pytest.raises(BadInput, match="other data or settings"):
        ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)


def test_processes_that_start_at_once_agree_on_the_salt(tmp_path):
    code = (
        "import sys, pathlib; from cxrlab import privacy; from cxrlab.paths import Lab;"
        "print(privacy.salt(Lab(pathlib.Path(sys.argv[1]))).hex())"
    )
    root = Path(__file__).parent.parent
    env = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code, str(tmp_path / "lab")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) for _ in range(4)]
    said = {process.communicate(timeout=60)[0].strip() for process in started}
    assert len(said) == 1 and len(said.pop()) == 64


def test_a_damaged_salt_is_a_sentence_and_is_not_written_over(lab):
    lab.root.mkdir(parents=True)
    lab.salt.write_bytes(b"half")
    with pytest.raises(BadInput, match="holds 4 bytes; expected 32"):
        privacy.salt(lab)
    assert lab.salt.read_bytes() == b"half"


def test_boxes_follow_their_image():
    names = privacy.Pseudonyms(bytes(32))
    rows = pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["p", "p"], "study_id": ["s", ""],
                         "source_file": ["Gruber/a.dcm", "b.4711"], "age_years": [89.0, np.nan]})  # fmt: skip
    boxes = pd.DataFrame([("b", "Mass", 0, 0, 1, 1)], columns=list(BOX_COLUMNS))
    hidden = privacy.hide(names, rows, boxes, [("Gruber.png", "broken")])
    assert hidden.boxes["image_id"][0] == hidden.rows["image_id"][1] != hidden.rows["image_id"][0]
    assert list(hidden.rows["study_id"]) == [names.of("study", "s"), ""]
    assert hidden.rows["age_years"][0] == 89 and np.isnan(hidden.rows["age_years"][1])
    # 4711 is no suffix of an image: it may be the last part of a number.
    assert hidden.rows["source_file"][0].endswith(".dcm") and "." not in hidden.rows["source_file"][1]
    assert hidden.quarantine == [(names.file("Gruber.png"), "broken")]
    assert list(rows["patient_id"]) == ["p", "p"]


def test_an_import_that_fails_names_nobody_in_its_log(lab, tmp_path, capsys):
    raw = tmp_path / "Gruber Erika"
    raw.mkdir()
    (raw / "Gruber.dcm").write_bytes(b"Erika Gruber: no DICOM at all " * 20)
    run = lab.importing("here")
    run.folder.mkdir(parents=True)
    run.spec.write_text(json.dumps({"dataset": "dicom", "raw": str(raw), "site": "here"}))
    assert imports.main("here") == 2
    said = json.loads(run.end.read_text())["reason"] + capsys.readouterr().out
    assert "the raw folder can be used" in said and "Gruber" not in said and "Erika" not in said
