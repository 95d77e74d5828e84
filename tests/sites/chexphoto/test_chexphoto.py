"""CheXphoto, each quirk of its files by name."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.sites import SITES

SITE = SITES["chexphoto"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def read(raw, **options):
    return SITE.read(raw, "chexphoto", options)


def test_natural_and_synthetic_kinds_and_their_devices_are_facts_of_a_row(raw):
    found = read(raw)
    pairs = set(zip(found.facts["kind"], found.facts["device"], strict=True))
    assert pairs == {
        ("natural", "iphone"),
        ("natural", "nokia"),
        ("natural", "oneplus"),
        ("natural", "film"),
        ("synthetic", "digital"),
        ("synthetic", "photographic"),
    }
    assert all(
        fact in name for fact, name in zip(found.facts["device"], found.rows["source_file"], strict=True)
    )


def test_patient_ids_are_chexperts_so_that_photographs_are_seen_to_leak(raw):
    photos = read(raw).rows
    (raw / "home").mkdir()
    make.chexpert.fake_raw_folder(raw / "home")
    home = SITES["chexpert"].read(raw / "home", "home", {}).rows
    assert set(photos["patient_id"]) <= set(home["patient_id"])
    assert set(photos["study_id"]) <= set(home["study_id"])


def test_photographs_of_one_radiograph_with_several_devices_are_several_images_of_one_study(raw):
    rows = read(raw).rows
    of = rows[rows["study_id"] == "patient64541_study1"]
    assert len(of) == 4 and of["image_id"].is_unique and set(of["split_hint"]) == {"val"}


def test_a_png_is_found_though_the_table_says_jpg(raw):
    rows = read(raw).rows
    of = rows["image_id"] == "synthetic_digital_patient00002_study2_view1_frontal"
    assert rows["source_file"][of].item().endswith("view1_frontal.png")


def test_slashes_renamed_in_the_header_are_understood(raw):
    assert "AP_PA" in (raw / make.TOP / "train.csv").read_text().splitlines()[0]
    rows = read(raw).rows
    assert rows["view"][rows["split_hint"] == "train"].tolist() == ["AP", "AP", "PA", "PA"]


def test_colour_photographs_become_grey(raw):
    rows = read(raw).rows
    source = rows["source_file"][rows["source_file"].str.contains(make.COLOURED)].item()
    image = SITE.image(raw, source)
    assert image.shape == (48, 60) and image.dtype == np.uint8


def test_a_lateral_photograph_stays_out_unless_wanted(raw):
    assert any("views=all" in reason for _, reason in read(raw).quarantine)
    assert (read(raw, views="all").rows["view"] == "LATERAL").sum() == 1


def test_age_0_is_missing_and_blanks_stay_blank(raw):
    found = read(raw)
    of = found.rows["image_id"] == "natural_nokia_patient00002_study1_view1_frontal"
    assert np.isnan(found.rows["age_years"][of].item())
    assert found.evidence[of, found.header.labels.index("Pneumonia")].item() == -2
    assert found.evidence[of, found.header.labels.index("Cardiomegaly")].item() == -1


def test_one_kind_or_one_device_can_be_asked_for(raw):
    assert set(read(raw, kind="natural").facts["kind"]) == {"natural"}
    found = read(raw, kind="synthetic/digital")
    assert set(found.facts["device"]) == {"digital"} and len(found.rows) == 2
    assert all("option kind" in reason for _, reason in found.quarantine if "lateral" not in reason)
    with pytest.raises(BadInput, match="no image of chexphoto is left"):
        read(raw, kind="polaroid")


def test_a_film_or_nokia_folder_of_another_name_counts_as_the_device(raw):
    top = raw / make.TOP
    for part in ("train", "valid"):
        table = top / "train.csv" if part == "train" else top / "valid" / "valid.csv"
        table.write_text(table.read_text().replace("natural/nokia", "natural/nokia10k/day 2"))
    (top / "train/natural/nokia").rename(top / "train/natural/nokia10k")
    inner = top / "train/natural/nokia10k/day 2"
    inner.mkdir()
    for patient in ("patient00001", "patient00002"):
        (top / "train/natural/nokia10k" / patient).rename(inner / patient)
    assert "nokia10k/day 2" in set(read(raw).facts["device"])


def test_where_only_the_valid_part_lies_it_is_read(raw):
    (raw / make.TOP / "train.csv").unlink()
    found = read(raw)
    assert set(found.rows["split_hint"]) == {"val"} and len(found.rows) == 4
    assert sum(reason == "no table names this image" for _, reason in found.quarantine) == 5


def test_the_same_patient_under_two_devices_keeps_its_own_row(raw):
    table = raw / make.TOP / "train.csv"
    lines = table.read_text().splitlines()
    lines[2] = lines[2].replace(",1.0,", ",,")
    table.write_text("\n".join(lines) + "\n")
    found = read(raw)
    none = found.evidence[:, found.header.labels.index("No Finding")]
    by = dict(zip(found.rows["image_id"], none.tolist(), strict=True))
    assert by["natural_iphone_patient00001_study1_view1_frontal"] == 1
    assert by["natural_nokia_patient00001_study1_view1_frontal"] == -2


def test_chexperts_own_folder_is_not_taken_for_photographs_nor_the_other_way_round(raw):
    (raw / "home").mkdir()
    make.chexpert.fake_raw_folder(raw / "home")
    with pytest.raises(BadInput, match="Is it CheXpert"):
        SITE.read(raw / "home", "x", {})
    with pytest.raises(BadInput, match="read it as chexphoto"):
        SITES["chexpert"].read(raw / make.TOP, "x", {})


def test_a_folder_without_tables_or_images_is_explained(raw):
    empty = raw / "empty"
    empty.mkdir()
    with pytest.raises(MissingInput, match="no table"):
        SITE.read(empty, "x", {})
    (empty / "train.csv").write_text((raw / make.TOP / "train.csv").read_text())
    with pytest.raises(MissingInput, match="none of them"):
        SITE.read(empty, "x", {})
