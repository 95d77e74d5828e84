"""The RSNA challenge: tables of boxes, ages that cannot be, and images that are NIH's."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import Evidence
from cxrlab.sites import SITES
from tests import fake_dicom

SITE = SITES["rsna"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
TRAIN = "stage_2_train_images"
UNKNOWN = Evidence.NOT_ANNOTATED


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def evidence(found, image):
    """(No Finding, Pneumonia, Lung Opacity)"""
    labels = [found.header.labels.index(name) for name in ("No Finding", "Pneumonia", "Lung Opacity")]
    return found.evidence[list(found.rows["image_id"]).index(image), labels].tolist()


def test_tables_of_one_row_a_box_give_one_row_an_image(raw):
    found = SITE.read(raw, "here", {})
    assert len(found.rows) == 8 and found.rows["image_id"].is_unique
    assert [line["images"] for line in found.header.ledger if line["native"] == "Lung Opacity"] == [3, 3, 3]


def test_not_normal_is_neither_normal_nor_pneumonia(raw):
    found = SITE.read(raw, "here", {})
    assert evidence(found, "0004-aa") == [0, 1, 1]
    assert evidence(found, "0004-ab") == [1, 0, 0]
    assert evidence(found, "0004-ac") == [0, 0, 0]


def test_without_the_class_list_nothing_says_what_is_normal(raw):
    (raw / "stage_2_detailed_class_info.csv").unlink()
    found = SITE.read(raw, "here", {})
    assert evidence(found, "0004-ab") == [UNKNOWN, 0, 0] and evidence(found, "0004-aa") == [0, 1, 1]


def test_ages_of_148_to_155_are_missing(raw):
    ages = SITE.read(raw, "here", {}).rows.set_index("image_id")["age_years"]
    assert np.isnan(ages["0004-ab"]) and np.isnan(ages["0004-ad"]) and ages["0004-aa"] == 51


def test_sex_and_view_come_from_the_header(raw):
    rows = SITE.read(raw, "here", {}).rows.set_index("image_id")
    assert (rows["sex"]["0004-aa"], rows["view"]["0004-ac"]) == ("F", "AP")


def test_patient_id_is_an_image_id_and_the_title_says_so(raw):
    found = SITE.read(raw, "here", {})
    assert (found.rows["patient_id"] == found.rows["image_id"]).all()
    assert "patients are not named" in found.header.title


@pytest.mark.parametrize("key", ["subset_img_id", "SOPInstanceUID"])
def test_the_mapping_gives_nihs_patients_as_the_nih_site_names_them(raw, key):
    make.mapping(raw, key)
    found = SITE.read(raw, "here", {})
    rows = found.rows.set_index("image_id")["patient_id"]
    assert rows["0004-aa"] == rows["0004-ab"] == "75" and rows["0004-ac"] == "12345"
    assert found.facts["nih_image"][0] == "00000075_001" and "patients" not in found.header.title


def test_a_mapping_of_some_images_is_said(raw):
    make.mapping(raw, n=3)
    found = SITE.read(raw, "here", {})
    assert "5 images without NIH patient" in found.header.title
    assert found.rows.set_index("image_id")["patient_id"]["0004-ae"] == "0004-ae"


def test_a_mapping_that_is_none_is_one_sentence(raw):
    path = raw / "pneumonia-challenge-dataset-mappings_2018.json"
    path.write_text("<html>")
    with pytest.raises(BadInput, match="is not JSON"):
        SITE.read(raw, "here", {})
    path.write_text("[1, 2]")
    with pytest.raises(BadInput, match="is not a list of rows"):
        SITE.read(raw, "here", {})


def test_boxes_are_fractions_and_stand_under_each_label_that_an_opacity_means(raw):
    boxes = SITE.read(raw, "here", {}).boxes
    assert set(boxes["label"]) == {"Pneumonia", "Lung Opacity"} and len(boxes) == 2 * 4
    first = boxes[(boxes["image_id"] == "0004-aa") & (boxes["label"] == "Pneumonia")].iloc[0]
    assert first[["x", "y", "w", "h"]].tolist() == [8 / 64, 16 / 64, 12 / 64, 24 / 64]


def test_test_images_have_no_labels_and_rows_may_have_no_image(raw):
    reasons = dict(SITE.read(raw, "here", {}).quarantine)
    assert "no labels of the test images" in reasons["stage_2_test_images/ffff-00.dcm"]
    assert reasons["0004-bc"] == "the table names it but there is no such image"


def test_rows_that_contradict_one_another_are_left_out(raw):
    with (raw / "stage_2_train_labels.csv").open("a") as opened:
        opened.write("0004-ab,1,1,5,5,1\n")
    with (raw / "stage_2_detailed_class_info.csv").open("a") as opened:
        opened.write("0004-ac,Normal\n")
    text = (raw / "stage_2_detailed_class_info.csv").read_text()
    (raw / "stage_2_detailed_class_info.csv").write_text(
        text.replace("0004-ae,Normal", "0004-ae,Lung Opacity")
    )
    reasons = dict(SITE.read(raw, "here", {}).quarantine)
    assert reasons[f"{TRAIN}/0004-ab.dcm"] == "its rows give both targets"
    assert reasons[f"{TRAIN}/0004-ac.dcm"] == "the class list gives it several classes"
    assert reasons[f"{TRAIN}/0004-ae.dcm"] == "its class and its target contradict each other"


def test_converted_images_are_accepted_and_keep_their_boxes(raw):
    for n, path in enumerate(sorted((raw / "stage_2_train_images").iterdir())):
        cv2.imwrite(str(path.with_suffix(".png")), fake_dicom.picture(n, 8, (32, 32)))
        path.unlink()
    found = SITE.read(raw, "here", {})
    assert len(found.rows) == 8 and (found.rows["sex"] == "").all()
    assert found.boxes["w"].max() == 16 / 1024  # on the published 1024 pixels


def test_a_word_that_the_challenge_does_not_have_is_refused(raw):
    path = raw / "stage_2_train_labels.csv"
    text = path.read_text()
    path.write_text(text.replace("0004-ab,,,,,0", "0004-ab,,,,,2"))
    with pytest.raises(BadInput, match="the Target '2' in row 4; expected 0 or 1"):
        SITE.read(raw, "here", {})
    path.write_text(text.replace("0004-aa,8.0", "0004-aa,wide"))
    with pytest.raises(BadInput, match="has 'wide' under 'x' in row 2; expected a number"):
        SITE.read(raw, "here", {})
    path.write_text(text)
    path = raw / "stage_2_detailed_class_info.csv"
    path.write_text(path.read_text().replace("0004-ab,Normal", "0004-ab,Fine"))
    with pytest.raises(BadInput, match="the class 'Fine' in row 4"):
        SITE.read(raw, "here", {})


def test_a_folder_without_its_table_says_what_is_expected(tmp_path):
    with pytest.raises(MissingInput, match=r"holds no stage_2_train_labels.csv; rsna expects"):
        SITE.read(tmp_path, "here", {})
