"""The paediatric pneumonia set, as Kaggle and Mendeley pack it."""

import importlib.util
from pathlib import Path

import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.sites import SITES

SITE = SITES["kermany"]


@pytest.fixture
def raw(tmp_path):
    spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.fake_raw_folder(tmp_path)
    return tmp_path


def test_the_archive_that_holds_everything_twice_is_read_once(raw):
    found = SITE.read(raw, "g", {})
    assert len(found.rows) == 11 and found.rows["image_id"].is_unique
    reasons = [reason for _, reason in found.quarantine]
    assert sum("second copy" in reason for reason in reasons) == 3
    assert sum("no patient" in reason for reason in reasons) == 1


def test_shadow_files_of_a_mac_are_not_images(raw):
    found = SITE.read(raw, "g", {})
    assert not any(
        "__MACOSX" in name for name in [*found.rows["source_file"], *(f for f, _ in found.quarantine)]
    )


def test_person_1_of_train_and_person_1_of_test_are_two_children(raw):
    rows = SITE.read(raw, "g", {}).rows
    of = rows.groupby("patient_id")["source_file"].count().to_dict()
    assert of["person1"] == 2 and of["test-person1"] == 2
    assert of["IM-0115"] == 2 and of["NORMAL2-IM-1427"] == 1 and of["1135262"] == 1
    assert (rows.groupby("patient_id")["split_hint"].nunique() == 1).all()


def test_only_the_two_labels_that_were_looked_for_are_annotated(raw):
    found = SITE.read(raw, "g", {})
    assert found.header.labels == ("No Finding", "Pneumonia")
    normal = found.rows["native_label"] == "NORMAL"
    assert found.evidence[normal].tolist() == [[1, 0]] * normal.sum()
    assert found.evidence[~normal].tolist() == [[0, 1]] * (~normal).sum()
    assert {"NORMAL", "PNEUMONIA bacteria", "PNEUMONIA virus"} <= set(found.rows["native_label"])


def test_the_title_says_that_the_patients_are_children():
    assert "children aged 1–5 years" in SITE.title


@pytest.mark.parametrize("below", ["chest_xray", "chest_xray/chest_xray", "chest_xray/chest_xray/train"])
def test_any_folder_of_the_archive_will_do(raw, below):
    rows = SITE.read(raw / below, "g", {}).rows
    assert set(rows.loc[rows["patient_id"] == "person1", "split_hint"]) == {"train"}


def test_a_folder_without_classes_is_explained(tmp_path):
    (tmp_path / "stray.png").write_bytes(b"x")
    with pytest.raises(BadInput, match="no image below NORMAL or PNEUMONIA"):
        SITE.read(tmp_path, "g", {})
    with pytest.raises(MissingInput, match="kermany expects"):
        SITE.read(tmp_path / "nowhere", "g", {})


def test_the_real_folder_has_the_published_patients(realdata):
    rows = SITE.read(realdata / "guangzhou", "g", {}).rows
    assert (len(rows), rows["patient_id"].nunique()) == (1566, 1202)
