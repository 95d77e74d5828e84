"""ChestX-ray14 in both releases."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.sites import SITES, nih, tables

SITE = SITES["nih"]


@pytest.fixture
def raw(tmp_path):
    spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.fake_raw_folder(tmp_path)
    return tmp_path


def evidence(found, image_id, label):
    return found.evidence[found.rows["image_id"] == image_id, found.header.labels.index(label)].item()


def test_labels_are_split_at_bars_and_absent_ones_are_negative(raw):
    found = SITE.read(raw, "nih", {})
    assert set(np.unique(found.evidence)) == {0, 1}
    assert evidence(found, "00000001_000", "Cardiomegaly") == 1
    assert evidence(found, "00000001_000", "Emphysema") == 1
    assert evidence(found, "00000001_000", "No Finding") == 0
    assert evidence(found, "00000002_000", "Pleural Thickening") == 1
    assert evidence(found, "00000003_000", "Pleural Effusion") == 1
    assert evidence(found, "00000001_001", "No Finding") == 1
    assert found.evidence[(found.rows["image_id"] == "00000001_001")].sum() == 1


def test_a_mass_or_a_nodule_is_a_lung_lesion(raw):
    found = SITE.read(raw, "nih", {})
    said = [evidence(found, name, "Lung Lesion") for name in ("00000002_000", "00000003_000", "00000004_000")]
    assert said == [1, 1, 0]


def test_a_file_is_found_though_the_table_says_another_suffix_and_folder(raw):
    rows = SITE.read(raw, "nih", {}).rows
    assert (
        rows.loc[rows["image_id"] == "00000002_000", "source_file"].item()
        == "images_001/images/00000002_000.jpg"
    )


def test_a_row_without_image_is_left_out_and_said(raw):
    found = SITE.read(raw, "nih", {})
    assert found.quarantine == [("00000006_000.png", "the table names it but there is no such image")]


def test_an_age_above_120_is_unknown(raw):
    rows = SITE.read(raw, "nih", {}).rows.set_index("image_id")
    assert np.isnan(rows.loc["00000003_000", "age_years"]) and rows.loc["00000004_000", "age_years"] == 0


def test_the_header_with_unquoted_commas_stands_over_eleven_fields(raw):
    header = (raw / "Data_Entry_2017_v2020.csv").read_text().splitlines()[0]
    assert "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]" in header and '"' not in header
    entries = nih.read_entries(raw / "Data_Entry_2017_v2020.csv")
    assert list(entries.columns) == list(nih.COLUMNS) and len(nih.COLUMNS) == 11
    assert entries.loc[0, ["view", "width", "height", "spacing_y"]].tolist() == [
        "PA",
        "2682",
        "2749",
        "0.143",
    ]


def test_an_rgba_file_is_one_grey_image(raw):
    assert cv2.imread(str(raw / "images_002/images/00000003_000.png"), cv2.IMREAD_UNCHANGED).shape[2] == 4
    assert SITE.image(raw, "images_002/images/00000003_000.png").shape == (64, 64)


def test_no_finding_is_said_not_to_be_normal(raw):
    ledger = {entry["native"]: entry for entry in SITE.read(raw, "nih", {}).header.ledger}
    assert "not the same as normal" in ledger["No Finding"]["note"]
    assert ledger["No Finding"]["images"] == 1 and ledger["Effusion"]["label"] == "Pleural Effusion"


def test_a_box_header_of_nine_fields_over_six_values_and_its_infiltrate_are_understood(raw):
    path = raw / "BBox_List_2017.csv"
    assert path.read_text().splitlines()[0].count(",") == 8
    path.write_text(path.read_text() + "00000003_000.png,Nodule,0,0,1024,512,,,\n")
    boxes = SITE.read(raw, "nih", {}).boxes.set_index("image_id")["label"]
    assert boxes["00000005_000"] == "Infiltration"
    assert boxes["00000003_000"].tolist() == ["Nodule", "Lung Lesion"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"h\n00000001_000.png,Gout,1,2,3,4\n", "has a box of 'Gout'"),
        (b"h\n00000001_000.png,Mass,1,2,3,four\n", "has a box that is not four numbers"),
        (b"h\n00000001_000.png,Mass\xf9,1,2,3,4\n", "has a box of 'Massù'"),
        (b"h\n" + b"x" * 200_000, "is no table"),
    ],
)
def test_a_damaged_box_list_is_one_sentence(raw, data, sentence):
    (raw / "BBox_List_2017.csv").write_bytes(data)
    with pytest.raises(BadInput, match=sentence):
        SITE.read(raw, "nih", {})


def test_an_edited_map_is_used_for_labels_and_boxes(raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "mine.csv"
    kept = [
        line
        for line in labelmap.copy("nih").splitlines()
        if "Lung Lesion" not in line and "Hernia" not in line
    ]
    path.write_text("\n".join(kept) + "\n")
    found = SITE.read(raw, "nih", {"map": str(path)})
    assert not {"Lung Lesion", "Hernia"} & set(found.header.labels)
    assert {e["native"]: e["note"] for e in found.header.ledger}["Hernia"] == "not in the map"


def test_boxes_are_fractions_of_images_that_are_here(raw):
    boxes = SITE.read(raw, "nih", {}).boxes
    assert boxes.iloc[0].tolist() == ["00000001_000", "Cardiomegaly", 0.25, 0.5, 0.125, 0.0625]
    assert boxes.iloc[1]["label"] == "Infiltration" and len(boxes) == 2


def test_the_owners_split_is_kept_as_a_hint(raw):
    rows = SITE.read(raw, "nih", {}).rows.set_index("image_id")
    assert (
        rows.loc["00000001_000", "split_hint"] == "train" and rows.loc["00000003_000", "split_hint"] == "test"
    )


def test_the_2017_release_has_an_empty_12th_column_and_ages_like_058Y(raw):
    path = raw / "Data_Entry_2017_v2020.csv"
    header, *lines = path.read_text().splitlines()
    ages = ["058Y", "018M", "003D", "411Y", "", "058Y", "058Y"]
    old = [
        ",".join([*line.split(",")[:4], age, *line.split(",")[5:], ""])
        for line, age in zip(lines, ages, strict=True)
    ]
    path.unlink()
    (raw / "Data_Entry_2017.csv").write_text("\n".join([header + ",", *old]) + "\n")
    found = SITE.read(raw, "nih", {})
    assert found.rows["age_years"][:2].tolist() == [58, 1.5]
    assert found.rows["age_years"][2] == pytest.approx(3 / 365.25, rel=1e-5)
    assert found.rows["age_years"][3:5].isna().all()
    assert found.rows["view"].tolist()[:2] == ["PA", "AP"]


def test_patients_written_with_and_without_zeros_are_one(raw):
    path = raw / "Data_Entry_2017_v2020.csv"
    path.write_text(
        path.read_text().replace(
            "00000001_001.png,No Finding,0,1,", "00000001_001.png,No Finding,0,00000001,"
        )
    )
    rows = SITE.read(raw, "nih", {}).rows
    assert rows["patient_id"][:2].tolist() == ["1", "1"]


def test_a_label_that_the_set_does_not_have_is_refused(raw):
    path = raw / "Data_Entry_2017_v2020.csv"
    path.write_text(path.read_text().replace("Hernia", "Gout"))
    with pytest.raises(BadInput, match=r"'Gout' in row 5"):
        SITE.read(raw, "nih", {})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b,c\n1,2,3\n", "expected 'Image Index"),
        ("", "expected 'Image Index"),
        ("Image Index,Finding Labels,x\n", "has no rows"),
        ("Image Index,Finding Labels,x\n00000001_000.png,Hernia\n", "cut off"),
    ],
)
def test_a_table_of_something_else_is_explained(tmp_path, text, sentence):
    path = tmp_path / "Data_Entry_2017.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=sentence):
        nih.read_entries(path)


def test_a_folder_without_its_table_or_images_is_explained(raw, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(MissingInput, match=r"Data_Entry_2017_v2020\.csv"):
        SITE.read(empty, "nih", {})
    (empty / "Data_Entry_2017_v2020.csv").write_text((raw / "Data_Entry_2017_v2020.csv").read_text())
    with pytest.raises(MissingInput, match="none lies in"):
        SITE.read(empty, "nih", {})


def test_a_table_cannot_point_outside_its_folder(raw):
    index = tables.ImageIndex(tables.list_images(raw))
    assert index.find("../../../etc/passwd") is None
    assert index.find("/etc/hostname") is None


def test_the_real_folder_is_read(realdata):
    found = SITE.read(realdata / "nih", "nih", {})
    assert len(found.rows) == 621 and found.quarantine == []
    assert found.evidence[:, found.header.labels.index("Pneumonia")].sum() == 32
