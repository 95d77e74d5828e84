"""A folder of one's own: with a table, or with one folder a class."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrlab import ingest, store
from cxrlab.errors import BadInput, MissingInput
from cxrlab.paths import Lab
from cxrlab.sites import SITES

SITE = SITES["folder"]
EFFUSION = {"label:Pleural Effusion": "effusion seen"}
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def class_folders(folder, *names):
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name / f"{k}.png"), np.arange(2500, dtype=np.uint8).reshape(50, 50))


def test_usual_column_names_are_known_and_others_are_said(raw):
    found = SITE.read(raw, "own", EFFUSION)
    assert found.header.labels == ("No Finding", "Pleural Effusion", "Pneumonia")
    rows = found.rows
    assert rows["patient_id"].tolist() == ["p1", "p1", "p2", "b/3.png"]  # no patient said: the image is one
    assert rows["sex"].tolist() == ["F", "F", "M", ""]
    assert rows["age_years"][:2].tolist() == [61, 61] and rows["age_years"][2:].isna().all()
    assert rows["view"].tolist() == ["PA", "AP", "LATERAL", ""]
    assert rows["split_hint"].tolist() == ["train", "train", "val", "test"]


def test_cells_are_kept_as_evidence(raw):
    found = SITE.read(raw, "own", EFFUSION)
    assert found.evidence.tolist() == [[0, 0, 1], [0, -2, 1], [-2, 1, 0], [0, 0, -1]]


def test_equal_names_in_two_folders_are_two_images(raw):
    found = SITE.read(raw, "own", {})
    assert found.rows["image_id"].is_unique
    assert found.rows["source_file"].tolist()[:3] == ["a/1.png", "a/2.png", "b/1.png"]


def test_a_missing_image_is_never_answered_with_another_patients(tmp_path):
    class_folders(tmp_path, "p1", "p2")
    (tmp_path / "p2" / "1.png").rename(tmp_path / "p2" / "0.png")
    (tmp_path / "p2" / "0.png").unlink()
    (tmp_path / "labels.csv").write_text("image,Edema\np1/0.png,1\np2/0.png,0\n../p1/0.png,0\n")
    found = SITE.read(tmp_path, "own", {})
    assert found.rows["source_file"].tolist() == ["p1/0.png"]
    assert [name for name, _ in found.quarantine] == ["p2/0.png", "../p1/0.png"]


def test_rows_without_image_and_images_without_row_are_said(raw):
    assert dict(SITE.read(raw, "own", {}).quarantine) == {
        "gone.png": "the table names it but there is no such image",
        "b/stray.png": "the table does not name it",
    }


def test_a_label_outside_the_vocabulary_is_a_clear_sentence(raw):
    with pytest.raises(BadInput, match=r"'Effusion'; did you mean 'Pleural Effusion'\?"):
        SITE.read(raw, "own", {"label:Effusion": "effusion seen"})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image": "nope"}, "lacks the column nope"),
        ({"label:Edema": "nope"}, "lacks the column nope"),
        ({"label:Edema": "Age"}, "'61' in the column 'Age'; expected 1, 0, -1 or blank"),
    ],
)
def test_a_wrong_column_is_explained(raw, options, sentence):
    with pytest.raises(BadInput, match=sentence):
        SITE.read(raw, "own", options)


def test_of_several_tables_one_must_be_chosen(raw):
    (raw / "other.csv").write_text("x\n1\n")
    with pytest.raises(BadInput, match="several tables"):
        SITE.read(raw, "own", {})
    assert len(SITE.read(raw, "own", {"table": "labels.csv"}).rows) == 4
    with pytest.raises(MissingInput, match="no table"):
        SITE.read(raw, "own", {"table": "../../labels2.csv"})


def test_a_table_without_known_labels_or_image_is_explained(raw):
    (raw / "labels.csv").write_text("file,score\na/1.png,1\n")
    with pytest.raises(BadInput, match="none is named like a finding"):
        SITE.read(raw, "own", {})
    (raw / "labels.csv").write_text("x,Edema\na/1.png,1\n")
    with pytest.raises(BadInput, match="name the image file"):
        SITE.read(raw, "own", {})


def test_class_folders_say_no_more_than_their_names(tmp_path):
    class_folders(tmp_path, "train/NORMAL", "train/pneumonia", "test/Pleural_Effusion")
    found = SITE.read(tmp_path, "own", {})
    of = dict(zip(found.rows["native_label"], found.evidence.tolist(), strict=True))
    assert found.header.labels == ("No Finding", "Pleural Effusion", "Pneumonia")
    assert of == {"NORMAL": [1, 0, 0], "pneumonia": [0, -3, 1], "Pleural_Effusion": [0, 1, -3]}
    assert set(found.rows["split_hint"]) == {"train", "test"}


def test_a_class_folder_outside_the_vocabulary_must_be_translated(tmp_path):
    class_folders(tmp_path, "normal", "COVID")
    with pytest.raises(BadInput, match="'COVID'"):
        SITE.read(tmp_path, "own", {})
    found = SITE.read(tmp_path, "own", {"class:COVID": "Pneumonia"})
    assert found.header.labels == ("No Finding", "Pneumonia")


MAP = (
    "dataset,native,label,says,breadth,note\n"
    "folder,Herzvergrößerung,Cardiomegaly,same,narrow,\n"
    "folder,o.B.,No Finding,same,,\n"
    "folder,Erguss,Pleural Effusion,same,,\n"
    "folder,Stauung,,same,,another matter\n"
)


def test_columns_of_any_name_work_through_a_map_of_ones_own(raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "haus.csv"
    path.write_text(MAP)
    (raw / "labels.csv").write_text(
        "file,Herzvergrößerung,O.B.,erguss,Stauung,Pneumonia\na/1.png,1,0,,1,1\na/2.png,-1,0,1,0,1\nb/1.png,0,1,0,0,1\n"
    )
    found = SITE.read(raw, "own", {"map": str(path)})
    assert found.header.labels == ("No Finding", "Cardiomegaly", "Pleural Effusion")  # the map alone decides
    assert found.evidence.tolist() == [[0, 1, -2], [0, -1, 1], [1, 0, 0]]
    ledger = {(entry["native"], entry["label"]): entry for entry in found.header.ledger}
    assert ledger["Stauung", ""]["images"] == 1 and ledger["Stauung", ""]["note"] == "another matter"
    assert ledger["Herzvergrößerung", "Cardiomegaly"]["before"] == 0.5
    assert found.label_map.to_json()["origin"] == "haus.csv"


def test_class_folders_of_any_name_work_through_a_map_of_ones_own(tmp_path):
    class_folders(tmp_path / "raw", "train/gesund", "train/Lungenentzündung", "x/gesund")
    path = tmp_path / "haus.csv"
    path.write_text(
        "dataset,native,label,says\nfolder,Gesund,No Finding,positive\nfolder,Gesund,Pneumonia,negative\n"
        "folder,Lungenentzündung,Pneumonia,positive\n"
    )
    found = SITE.read(tmp_path / "raw", "own", {"map": str(path)})
    assert found.evidence.tolist() == [[-3, 1], [1, 0], [1, 0]]
    class_folders(tmp_path / "raw", "fremd")
    with pytest.raises(BadInput, match="add a row with the native word 'fremd'"):
        SITE.read(tmp_path / "raw", "own", {"map": str(path)})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"map": "narrow"}, "own images have no narrow label map; give the path of one"),
        ({"map": "MAP", **EFFUSION}, "both say what a label means"),
        (
            {"map": "MAP"},
            r"lacks the columns Herzvergrößerung, o\.B\., Erguss, Stauung that the label map haus\.csv names",
        ),
    ],
)
def test_a_map_that_cannot_be_used_is_explained(raw, tmp_path_factory, options, sentence):
    path = tmp_path_factory.mktemp("map") / "haus.csv"
    path.write_text(MAP)
    with pytest.raises(BadInput, match=sentence):
        SITE.read(raw, "own", {key: str(path) if value == "MAP" else value for key, value in options.items()})


def test_a_folder_without_images_is_explained(tmp_path):
    with pytest.raises(MissingInput, match="holds no images"):
        SITE.read(tmp_path, "own", {})


def test_names_of_own_patients_can_be_hidden(tmp_path):
    raw = tmp_path / "Muster Klinik"
    raw.mkdir()
    for i in range(4):
        cv2.imwrite(
            str(raw / f"Mueller_{i}.png"), np.random.default_rng(i).integers(0, 255, (40, 40), np.uint8)
        )
    rows = [f"Mueller_{i}.png,Hans Mueller {i},{i % 2}" for i in range(4)]
    (raw / "labels.csv").write_text("\n".join(["image,patient,Pneumonia", *rows]) + "\n")
    done = ingest.ingest(
        Lab(tmp_path / "lab"), "folder", raw, "own", px=32, workers=1, options={"names": "hide"}
    )
    data = done.path.read_bytes()
    assert b"Mueller" not in data and b"Muster" not in data
    opened = store.read(done.path)
    assert opened.rows["patient_id"].nunique() == 4
