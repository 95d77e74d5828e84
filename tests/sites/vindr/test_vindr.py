"""VinDr-CXR: three readers' votes, two layouts, boxes on images of any size."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import Evidence
from cxrlab.sites import SITES
from tests import fake_dicom

SITE = SITES["vindr"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


@pytest.fixture
def kaggle(tmp_path):
    make.kaggle(tmp_path)
    return tmp_path


def cell(found, image, label, table=None):
    table = found.evidence if table is None else table
    return int(table[list(found.rows["image_id"]).index(image), found.header.labels.index(label)])


def test_a_finding_is_positive_when_most_readers_saw_it(raw):
    found = SITE.read(raw, "here", {})
    assert cell(found, "000a", "Cardiomegaly") == 1 and cell(found, "000a", "Cardiomegaly", found.votes) == 2
    assert cell(found, "000a", "Pneumonia") == 0 and cell(found, "000a", "Pneumonia", found.votes) == 1


def test_the_vote_can_be_any_or_all(raw):
    some, every = SITE.read(raw, "here", {"votes": "any"}), SITE.read(raw, "here", {"votes": "all"})
    assert cell(some, "000a", "Pneumonia") == 1 and cell(every, "000a", "Cardiomegaly") == 0
    assert cell(every, "000d", "Edema") == 1
    with pytest.raises(BadInput, match="votes is 'most'; choose one of majority, any, all"):
        SITE.read(raw, "here", {"votes": "most"})


def test_when_any_reader_counts_an_image_is_normal_only_if_all_say_so(raw):
    found = SITE.read(raw, "here", {"votes": "any"})
    assert cell(found, "000e", "Pleural Effusion") == 1 and cell(found, "000e", "No Finding") == 0
    assert cell(found, "000c", "No Finding") == 1
    assert cell(SITE.read(raw, "here", {}), "000e", "No Finding") == 1


def test_two_readers_who_name_one_finding_differently_agree_on_our_label(raw):
    found = SITE.read(raw, "here", {})
    assert cell(found, "000b", "Lung Lesion") == 1 and cell(found, "000b", "Lung Lesion", found.votes) == 2


def test_a_second_row_of_one_reader_is_no_second_vote(raw):
    found = SITE.read(raw, "here", {"votes": "all"})
    assert cell(found, "000a", "Cardiomegaly", found.votes) == 2
    assert found.facts["readers"][list(found.rows["image_id"]).index("000a")] == "3"


def test_cells_may_be_floats_and_blank_cells_are_no_vote(raw):
    found = SITE.read(raw, "here", {})
    # One of the two who filled the cell in: no majority. The third says nothing of emphysema.
    assert cell(found, "000d", "Emphysema") == 0 and cell(found, "000d", "Emphysema", found.votes) == 1
    text = (raw / "annotations" / "image_labels_train.csv").read_text()
    (raw / "annotations" / "image_labels_train.csv").write_text(text.replace("1.0", "yes", 1))
    with pytest.raises(
        BadInput, match=r"image_labels_train.csv has 'yes' under .* in row 2; expected 0, 1 or blank"
    ):
        SITE.read(raw, "here", {})


def test_the_test_tables_consensus_has_no_votes(raw):
    found = SITE.read(raw, "here", {})
    assert cell(found, "0010", "Pleural Thickening") == 1
    assert cell(found, "0010", "Pleural Thickening", found.votes) == -1
    at = list(found.rows["image_id"]).index("0010")
    assert found.facts["readers"][at] == "consensus of 5" and found.rows["split_hint"][at] == "test"


def test_other_disease_and_other_diseases_are_one(raw):
    found = SITE.read(raw, "here", {})
    assert [name for name in found.said.natives if name.startswith("Other d")] == ["Other diseases"]
    assert "Other diseases" in found.rows["native_label"][list(found.rows["image_id"]).index("0012")]


def test_columns_are_found_by_name_in_any_order(raw):
    path = raw / "annotations" / "image_labels_train.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    before = SITE.read(raw, "here", {})
    path.write_text("\n".join(",".join(reversed(line)) for line in lines) + "\n")
    after = SITE.read(raw, "here", {})
    assert np.array_equal(before.evidence, after.evidence) and before.header.labels == after.header.labels


def test_boxes_are_fractions_of_each_files_own_size(raw):
    boxes = SITE.read(raw, "here", {}).boxes
    heart = boxes[(boxes["image_id"] == "000a") & (boxes["label"] == "Cardiomegaly")]
    # The image is 40 wide and 60 high; the second box is cut at the image's side.
    assert sorted(map(tuple, heart[["x", "y", "w", "h"]].to_numpy())) == [
        (0.25, 0.5, 0.5, 0.25), (pytest.approx(0.3), 0.5, pytest.approx(0.7), 0.25)]  # fmt: skip
    assert set(boxes["label"]) == {"Cardiomegaly", "Lung Lesion", "Pleural Thickening"}


def test_boxes_that_the_vote_did_not_carry_are_left_out(raw):
    assert "Atelectasis" not in set(SITE.read(raw, "here", {}).boxes["label"])
    assert "Atelectasis" in set(SITE.read(raw, "here", {"votes": "any"}).boxes["label"])


def test_each_image_is_its_own_patient_and_the_title_says_so(raw):
    found = SITE.read(raw, "here", {})
    assert (
        found.rows["patient_id"] == found.rows["image_id"]
    ).all() and "no patients are named" in found.header.title


def test_sex_and_age_are_often_missing_and_impossible_ages_always(raw):
    rows = SITE.read(raw, "here", {}).rows.set_index("image_id")
    assert (rows["sex"]["000a"], rows["age_years"]["000a"], rows["sex"]["000d"]) == ("M", 61, "")
    assert np.isnan(rows["age_years"]["000c"]) and np.isnan(rows["age_years"]["000d"])
    assert set(rows["view"]) == {"PA"}


def test_monochrome1_and_jpeg_2000_come_out_with_bone_bright(raw):
    for n, (image, (size, bits, _, facts)) in enumerate(make.FILES.items()):
        shown = SITE.image(raw, f"{'test' if image in make.AGREED else 'train'}/{image}.dicom")
        wanted = fake_dicom.picture(n, bits, size).astype(float)
        wanted = -wanted if facts.get("PhotometricInterpretation") else wanted
        assert np.corrcoef(shown.ravel(), wanted.ravel())[0, 1] > 0.95
    facts = SITE.read(raw, "here", {}).facts
    assert {"MONOCHROME1", "MONOCHROME2"} == set(facts["polarity"]) and {"12", "14"} == set(
        facts["bits_stored"]
    )


def test_rows_without_file_and_files_without_row_are_said(raw):
    reasons = dict(SITE.read(raw, "here", {}).quarantine)
    assert reasons == {
        "00aa": "the table names it but there is no such image",
        "train/00ff.dicom": "no table names it",
    }


def test_kaggles_reader_who_saw_nothing_beside_others_still_counts(kaggle):
    found = SITE.read(kaggle, "here", {})
    # Two nodules of one reader are one vote of three, though no other reader has a row.
    assert cell(found, "000d", "Lung Lesion") == 0 and cell(found, "000d", "Lung Lesion", found.votes) == 1
    assert cell(found, "000a", "Cardiomegaly") == 1
    assert found.facts["readers"].unique().tolist() == ["3"]


def test_kaggle_has_fourteen_classes_and_the_others_are_not_there(kaggle):
    labels = SITE.read(kaggle, "here", {}).header.labels
    assert not {"Edema", "Pneumonia", "Emphysema", "Fracture"} & set(labels)
    assert {"Cardiomegaly", "No Finding", "Lung Lesion"} <= set(labels)


def test_kaggles_no_finding_has_no_box_and_is_normal(kaggle):
    found = SITE.read(kaggle, "here", {})
    assert cell(found, "000c", "No Finding") == 1 and cell(found, "000c", "No Finding", found.votes) == 3
    assert "000c" not in set(found.boxes["image_id"])
    row = found.evidence[list(found.rows["image_id"]).index("000c")]
    assert (row == Evidence.POSITIVE).sum() == 1 and (row == Evidence.NEGATIVE).sum() == len(row) - 1


def test_kaggles_test_images_have_no_labels_and_are_left_out(kaggle):
    reasons = dict(SITE.read(kaggle, "here", {}).quarantine)
    assert "no labels of Kaggle's test images" in reasons["test/0010.dicom"]


def test_a_class_that_kaggle_does_not_have_is_refused(kaggle):
    with (kaggle / "train.csv").open("a") as opened:
        opened.write("000d,Broken heart,15,R8,1,1,2,2\n")
    with pytest.raises(BadInput, match="the class 'Broken heart' in row"):
        SITE.read(kaggle, "here", {})


def test_converted_images_lose_their_boxes_unless_the_original_sizes_are_there(kaggle):
    for path in list(kaggle.rglob("*.dicom")):
        cv2.imwrite(str(path.with_suffix(".png")), (fake_dicom.picture(1, 8)))
        path.unlink()
    found = SITE.read(kaggle, "here", {})
    assert found.boxes.empty and "boxes of 4 converted images left out" in found.header.source
    (kaggle / "train_meta.csv").write_text("image_id,dim0,dim1\n000a,60,40\n")
    found = SITE.read(kaggle, "here", {})
    assert set(found.boxes["image_id"]) == {"000a"} and found.boxes["h"].max() == 0.25


def test_a_folder_without_its_tables_says_what_is_expected(tmp_path):
    make.write_image(tmp_path / "train" / "000a.dicom", "000a", 0)
    with pytest.raises(MissingInput, match=r"holds no image_labels_train.csv and no train.csv of Kaggle"):
        SITE.read(tmp_path, "here", {})
