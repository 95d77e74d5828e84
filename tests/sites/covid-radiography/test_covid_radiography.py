"""The COVID-19 Radiography Database, newer with masks and older without."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrlab import ingest, store
from cxrlab.errors import BadInput
from cxrlab.sites import SITES

SITE = SITES["covid-radiography"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def of_class(found):
    evidence = [dict(zip(found.header.labels, line, strict=True)) for line in found.evidence.tolist()]
    return dict(zip(found.rows["native_label"], evidence, strict=True))


def test_the_four_folders_say_what_their_names_say(raw):
    evidence = of_class(SITE.read(raw, "c", {}))
    assert evidence["Normal"] == {"No Finding": 1, "Pneumonia": 0, "Lung Opacity": 0}
    assert evidence["Viral Pneumonia"] == {"No Finding": 0, "Pneumonia": 1, "Lung Opacity": -3}
    assert evidence["Lung_Opacity"] == {"No Finding": 0, "Pneumonia": 1, "Lung Opacity": 1}


def test_a_positive_swab_is_doubtful_pneumonia_and_broadly_pneumonia(raw):
    narrow, broad = SITE.read(raw, "c", {}), SITE.read(raw, "c", {"map": "broad"})
    assert of_class(narrow)["COVID"] == {"No Finding": -1, "Pneumonia": -1, "Lung Opacity": -3}
    assert of_class(broad)["COVID"] == {"No Finding": 0, "Pneumonia": 1, "Lung Opacity": -3}


def test_masks_are_no_images_and_a_file_of_no_class_is_said(raw):
    found = SITE.read(raw, "c", {})
    assert len(found.rows) == 12 and not found.rows["source_file"].str.contains("masks").any()
    assert found.quarantine == [(f"{make.TOP}/stray.png", "not below a folder of one of the four classes")]


def test_the_lung_masks_lie_in_the_store_beside_their_images(raw, lab):
    done = ingest.ingest(lab, "covid-radiography", raw, "c", px=20, workers=1)
    opened = store.read(done.path)
    assert opened.mask_names == ("lungs",) and store.check(done.path) == []
    names = opened.rows["image_id"].tolist()
    mask = opened.mask("lungs", names.index("Normal-1")) > 0
    wanted = np.zeros((20, 20), bool)
    wanted[5:15, 2:8], wanted[5:15, 12:18] = True, True  # 40 pixels become 20; a half-covered pixel is lung
    assert np.array_equal(mask, wanted)
    assert not (opened.mask("lungs", names.index("Normal-3")) > 0).any()  # no mask of it was given


def test_a_damaged_mask_leaves_the_image_out_with_its_reason(raw, lab):
    path = raw / make.TOP / "COVID" / "masks" / "COVID-1.png"
    path.write_bytes(path.read_bytes()[:60])
    done = ingest.ingest(lab, "covid-radiography", raw, "c", px=20, workers=1)
    reasons = dict(store.read(done.path).quarantine.to_numpy().tolist())
    assert reasons[f"{make.TOP}/COVID/images/COVID-1.png"].startswith(
        "its lung mask cannot be used: the PNG is cut off"
    )


def test_an_older_flat_release_without_masks_is_read(tmp_path):
    for k, kind in enumerate(("COVID-19", "NORMAL", "Viral Pneumonia")):
        for i in (1, 2):
            make.write(tmp_path / kind / f"{kind} ({i}).png", k, i)
    found = SITE.read(tmp_path, "c", {})
    assert found.mask_names == () and len(found.rows) == 6
    assert set(found.rows["native_label"]) == {"COVID", "Normal", "Viral Pneumonia"}


def test_equal_names_in_two_classes_are_two_images(tmp_path):
    for k, kind in enumerate(("COVID", "Normal")):
        make.write(tmp_path / kind / "images" / "1.png", k, 1)
    assert SITE.read(tmp_path, "c", {}).rows["image_id"].tolist() == ["COVID/1", "Normal/1"]


def test_an_archive_unpacked_twice_is_read_once(raw):
    path = raw / "again" / "COVID" / "images" / "COVID-1.png"
    make.write(path, 0, 1)
    found = SITE.read(raw, "c", {})
    assert len(found.rows) == 12
    assert "a second copy of the same file name in the same class" in dict(found.quarantine).values()


def test_no_patient_is_named_so_an_image_is_one_and_the_title_says_so(raw):
    rows = SITE.read(raw, "c", {}).rows
    assert rows["patient_id"].is_unique and "an image counts as a patient" in SITE.title


def test_a_folder_without_classes_is_explained(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 20), np.uint8))
    with pytest.raises(BadInput, match="holds no image below a folder of a class"):
        SITE.read(tmp_path, "c", {})
