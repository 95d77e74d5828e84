"""OpenI as its owners publish it and as Kaggle re-packs it."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.sites import SITES, openi

SITE = SITES["openi"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


@pytest.fixture
def kaggle(tmp_path):
    folder = tmp_path / "kaggle"
    make.fake_kaggle_folder(folder)
    return folder


def said(found, report):
    """Label → evidence of the first image of one report."""
    at = found.rows.index[found.rows["patient_id"] == f"CXR{report}"][0]
    return dict(zip(found.header.labels, found.evidence[at].tolist(), strict=True))


def by_image(found):
    return dict(zip(found.rows["image_id"].map(openi.image_key), found.evidence.tolist(), strict=True))


def reasons(found):
    return {Path(name).name: reason for name, reason in found.quarantine}


def test_curated_heads_count_and_automatic_ones_do_not(raw):
    found = SITE.read(raw, "o", {})
    assert said(found, 2)["Cardiomegaly"] == said(found, 2)["Atelectasis"] == 1
    assert said(found, 2)["Pneumothorax"] == 0 and said(found, 2)["No Finding"] == 0
    assert said(found, 1)["No Finding"] == 1 and sum(said(found, 1).values()) == 1
    assert found.rows["native_label"][2] == "Cardiomegaly/borderline;Pulmonary Atelectasis/base/left/mild"


def test_every_head_that_begins_with_pneumonia_is_one(raw):
    found = SITE.read(raw, "o", {})
    assert (
        said(found, 3)["Pneumonia"] == said(found, 7)["Pneumonia"] == 1 and said(found, 8)["Pneumonia"] == 0
    )
    ledger = {entry["native"]: entry["label"] for entry in found.header.ledger}
    assert ledger["Pneumonia, Aspiration"] == "Pneumonia"


def test_a_hydropneumothorax_is_a_pneumothorax_and_broadly_an_effusion(raw):
    narrow, broad = SITE.read(raw, "o", {}), SITE.read(raw, "o", {"map": "broad"})
    assert (said(narrow, 4)["Pneumothorax"], said(narrow, 4)["Pleural Effusion"]) == (1, 0)
    assert said(broad, 4)["Pleural Effusion"] == 1 and said(broad, 8)["Support Devices"] == 1


def test_no_indexing_and_bad_technical_quality_are_not_annotated(raw):
    found = SITE.read(raw, "o", {})
    assert set(said(found, 5).values()) == {-3}
    assert {name for name, code in said(found, 6).items() if code != -3} == {"Lung Lesion", "Nodule"}


def test_a_report_without_heads_is_not_annotated(raw):
    assert set(said(SITE.read(raw, "o", {}), 9).values()) == {-3}


def test_a_report_is_a_patient(raw):
    rows = SITE.read(raw, "o", {}).rows
    assert rows.groupby("patient_id").size()["CXR1"] == 2 and "a report counts as a patient" in SITE.title


def test_a_report_without_image_an_image_without_report_and_a_missing_image_are_said(raw):
    assert dict(SITE.read(raw, "o", {}).quarantine) == {
        "ecgen-radiology/10.xml": "the report has no image",
        "CXR11_11_IM-0067-1001": "the table names it but there is no such image",
        "images/CXR99_99_IM-9999-1001.png": "no table names this image",
    }


def test_without_projections_the_view_is_unknown_and_laterals_stay(raw):
    found = SITE.read(raw, "o", {})
    assert set(found.rows["view"]) == {""} and len(found.rows) == 11


def test_kaggles_pack_gives_the_same_evidence(raw, kaggle):
    found = SITE.read(kaggle, "o", {"views": "all"})
    shutil.rmtree(kaggle)
    wanted = SITE.read(raw, "o", {})
    assert by_image(found) == by_image(wanted)
    assert set(found.rows["patient_id"]) == set(wanted.rows["patient_id"])


def test_kaggles_laterals_are_left_out_and_frontals_are_neither_ap_nor_pa(kaggle):
    found = SITE.read(kaggle, "o", {})
    assert reasons(found)["1_IM-0001-4001.dcm.png"] == "lateral view; option views=all keeps it"
    assert set(found.rows["view"]) == {""} and set(found.facts["projection"]) == {"Frontal"}
    assert dict(found.quarantine)["report 10"] == "the report has no image"
    assert set(SITE.read(kaggle, "o", {"views": "all"}).rows["view"]) == {"", "LATERAL"}


def test_kaggles_projections_beside_the_xml_tell_the_views(raw, kaggle):
    shutil.copy(kaggle / "indiana_projections.csv", raw)
    shutil.rmtree(kaggle)
    found = SITE.read(raw, "o", {})
    assert set(found.facts["projection"]) == {"Frontal"} and len(found.rows) == 9
    assert reasons(found)["CXR1_1_IM-0001-4001.png"].startswith("lateral view")


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{k} "{f"&lol{k - 1 if k > 1 else str()};" * 10}">' for k in range(1, 10))
    + ']><eCitation><uId id="CXR1"/><parentImage id="&lol9;"/></eCitation>'
)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (LAUGHS.encode(), "declares a document type or entities and is not read"),
        (b'\n<!doctype x SYSTEM "file:///etc/passwd"><x/>', "declares a document type"),
        (LAUGHS.encode("utf-16"), "is no whole XML"),
        (LAUGHS.replace("?>", ' encoding="cp037"?>', 1).encode("cp037"), "is no whole XML"),
        (b"<eCitation><uId", "is no whole XML"),
        (b"\x00\x01", "is no whole XML"),
        (b"<x>" + b"a" * 2_000_000 + b"</x>", "more than the limit of 1,048,576"),
    ],
)
def test_a_billion_laughs_and_other_evil_reports_end_in_one_sentence(raw, data, sentence):
    (raw / "ecgen-radiology" / "1.xml").write_bytes(data)
    found = SITE.read(raw, "o", {})
    assert sentence in dict(found.quarantine)["ecgen-radiology/1.xml"]
    assert "CXR2" in set(found.rows["patient_id"]) and "CXR1" not in set(found.rows["patient_id"])
    shutil.rmtree(raw / "ecgen-radiology")
    (raw / "evil.xml").write_bytes(data)
    with pytest.raises(BadInput, match="none of the 1 reports"):
        SITE.read(raw, "o", {})


def test_a_folder_that_lacks_something_is_explained(raw, kaggle, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(MissingInput, match="holds no reports"):
        SITE.read(empty, "o", {})
    shutil.copytree(raw / "ecgen-radiology", empty / "ecgen-radiology")
    with pytest.raises(MissingInput, match="none of the images"):
        SITE.read(empty, "o", {})
    (kaggle / "indiana_projections.csv").unlink()
    with pytest.raises(MissingInput, match=r"but no indiana_projections\.csv"):
        SITE.read(kaggle, "o", {})
    (kaggle / "indiana_projections.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="lacks the columns uid, filename, projection"):
        SITE.read(kaggle, "o", {})
