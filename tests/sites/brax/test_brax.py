"""BRAX, each quirk of its files by name."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.sites import SITES, brax

SITE = SITES["brax"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
TABLE = "master_spreadsheet_update.csv"


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def read(raw, **options):
    return SITE.read(raw, "brax", options)


def row(found, image_id):
    return found.rows.set_index("image_id").loc[image_id]


def said(found, image_id):
    at = int(np.flatnonzero(found.rows["image_id"] == image_id)[0])
    return dict(zip(found.header.labels, found.evidence[at].tolist(), strict=True))


def fact(found, image_id, name):
    return found.facts[name][found.rows["image_id"] == image_id].item()


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_age_is_a_group_of_five_years_and_85_or_more_is_85(raw):
    found = read(raw)
    assert row(found, "image-001-1")["age_years"] == 85
    assert fact(found, "image-001-1", "age_note") == "85 or more"
    assert row(found, "image-002-1")["age_years"] == 45 and row(found, "image-003-1")["age_years"] == 50
    assert np.isnan(row(found, "image-004-1")["age_years"])


def test_sex_o_is_kept(raw):
    assert read(raw).rows["sex"].value_counts().to_dict() == {"F": 6, "M": 1, "O": 1}


def test_trailing_characters_behind_the_png_path_are_cut_where_the_path_as_written_is_not_there(raw):
    found = read(raw)
    for image in make.TRAILING:
        assert row(found, image)["source_file"].endswith(f"{image}.png")


def test_seven_trailing_characters_without_a_suffix_are_cut(raw):
    change(raw / TABLE, "image-002-1.png", "image-002-1ABCDEFG")
    assert len(read(raw).rows) == 8
    assert any(name.endswith("image-002-1.png") for name in read(raw).rows["source_file"])


def test_a_whole_name_is_never_shortened_into_another_images(raw):
    """`image-012-1-00.png` without its last seven characters is `image-012-1`, which is another row's image."""
    text = (raw / TABLE).read_text().splitlines()
    last = text[-1].replace("image-012-1", "image-012-1-00")
    (raw / TABLE).write_text("\n".join([*text[:-1], last, text[-1]]) + "\n")
    found = read(raw)
    assert ("images/id_b3/Study_b.5/Series_b.6/image-012-1-00.png", brax.fourteen.ABSENT) in found.quarantine
    assert row(found, "image-012-1")["source_file"].endswith("image-012-1.png")


def test_a_dicom_is_read_where_no_png_lies(raw):
    found = read(raw)
    source = row(found, make.DICOM_ALONE)["source_file"]
    assert source.startswith("Anonymized_DICOMs/") and SITE.image(raw, source).shape == (48, 60)


def test_png_or_dicom_can_be_preferred(raw):
    one = make.ROWS[0]
    make.write_dicom(raw / "Anonymized_DICOMs" / "/".join(one[:3]) / f"{one[3]}.dcm")
    assert row(read(raw), one[3])["source_file"].endswith(".png")
    assert row(read(raw, images="dicom"), one[3])["source_file"].endswith(".dcm")


def test_a_folder_of_dicoms_alone_is_read(raw):
    shutil.rmtree(raw / "images")
    found = read(raw)
    assert len(found.rows) == 1 and found.rows["source_file"][0].endswith(".dcm")


def test_a_sixteen_bit_png_keeps_its_depth(raw):
    source = row(read(raw), "image-009-1")["source_file"]
    assert SITE.image(raw, source).dtype == np.uint16


def test_the_spreadsheet_of_version_1_0_has_another_name(raw):
    before = read(raw).rows
    (raw / TABLE).rename(raw / "master_spreadsheet.csv")
    assert read(raw).rows.equals(before)
    shutil.copy(raw / "master_spreadsheet.csv", raw / TABLE)
    change(raw / TABLE, "id_a2,F", "id_a2,M")
    assert row(read(raw), "image-002-1")["sex"] == "M"


def test_columns_are_selected_by_name_because_their_order_is_not_known(raw):
    before = read(raw)
    lines = [line.split(",") for line in (raw / TABLE).read_text().splitlines()]
    (raw / TABLE).write_text("\n".join(",".join(reversed(line)) for line in lines) + "\n")
    after = read(raw)
    assert after.rows.equals(before.rows) and np.array_equal(after.evidence, before.evidence)
    one = said(after, "image-003-1")
    assert one["Lung Lesion"] == 1 and one["Lung Opacity"] == -2 and one["Pneumonia"] == -1


def test_laterals_and_oblique_views_stay_out_and_a_blank_view_is_kept(raw):
    found = read(raw)
    reasons = {name.rsplit("/", 1)[-1]: reason for name, reason in found.quarantine}
    for image in ("image-001-2", "image-008-1"):  # L and RL
        assert "lateral" in reasons[f"{image}.png"]
    assert "view RLO" in reasons["image-006-1.png"] and "view LT-DECUB" in reasons["image-007-1.png"]
    assert row(found, "image-004-1")["view"] == "" and row(found, "image-005-1")["view"] == "AP"
    assert len(read(raw, views="all").rows) == 12


def test_manufacturer_and_projection_are_facts_and_there_is_no_split(raw):
    found = read(raw)
    assert fact(found, "image-001-1", "manufacturer") == "Vendor0"
    assert fact(found, "image-005-1", "projection") == "AP LLD"
    assert set(found.rows["split_hint"]) == {""}


def test_the_accession_number_is_the_study(raw):
    assert row(read(raw), "image-001-1")["study_id"] == "000"
    change(raw / TABLE, "id_a1,M,85 or more,000,", "id_a1,M,85 or more,,")
    assert row(read(raw), "image-001-1")["study_id"] == "Study_1.1"


def test_image_names_that_are_not_unique_get_their_folders(raw):
    change(raw / TABLE, "image-002-1", "image-001-1")
    old = raw / "images/id_a2/Study_2.1/Series_2.2/image-002-1.png"
    old.rename(old.with_name("image-001-1.png"))
    found = read(raw)
    assert found.rows["image_id"].is_unique and len(found.rows) == 8
    assert "id_a2_study_2.1_series_2.2_image-001-1" in set(found.rows["image_id"])


def test_an_image_that_no_row_means_is_said(raw):
    make.chexpert.write_picture(raw / "images/id_zz/Study_1/Series_1/image-9.png", 3)
    assert ("images/id_zz/Study_1/Series_1/image-9.png", "no table names this image") in read(raw).quarantine


def test_a_label_column_that_is_not_there_is_said_and_without_any_the_table_is_refused(raw):
    change(raw / TABLE, ",Edema,", ",Oedema,")
    found = read(raw)
    assert (TABLE, "no column Edema: not annotated in its rows") in found.quarantine
    assert "Edema" not in found.header.labels
    lines = [line.split(",") for line in (raw / TABLE).read_text().splitlines()]
    (raw / TABLE).write_text("\n".join(",".join(line[:7] + line[21:]) for line in lines) + "\n")
    with pytest.raises(BadInput, match="no column of a finding"):
        read(raw)


def test_a_folder_without_the_spreadsheet_or_images_is_explained(raw, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingInput, match="master_spreadsheet_update"):
        SITE.read(empty, "x", {})
    (empty / TABLE).write_text((raw / TABLE).read_text())
    with pytest.raises(MissingInput, match="none lies in"):
        SITE.read(empty, "x", {})
