"""A hospital's own DICOM files: what is a radiograph of a chest, whose it is, and which row of a table is about it."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrlab import ingest, store
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import Evidence
from cxrlab.sites import SITES, headers
from tests import fake_dicom

SITE = SITES["dicom"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    make.fake_raw_folder(folder)
    return folder


@pytest.fixture
def raw(folder, tmp_path):
    return Path(shutil.copytree(folder, tmp_path / "raw"))


def by_image(found):
    return found.rows.set_index("image_id")


def sop(k):
    return f"1.2.826.0.1.1.{1000 + k}"


def test_a_file_is_dicom_by_its_bytes_with_or_without_suffix(folder):
    names = headers.list_dicom(folder)
    assert "Haddad_Erika/exam 9/Haddad-9" in names and "Gruber broken.dcm" in names
    assert not {"DICOMDIR", "notes about Gruber.txt", "labels of Gruber.csv"} & set(names)


def test_a_file_without_preamble_is_read(tmp_path):
    for k in range(2):
        fake_dicom.write(tmp_path / f"IMG{k}", fake_dicom.picture(k), preamble=False, Modality="CR",
                         SOPInstanceUID=f"1.2.{k}", StudyInstanceUID=f"1.3.{k}", PatientID=f"P{k}")  # fmt: skip
    found = SITE.read(tmp_path, "here", {})
    assert list(found.rows["patient_id"]) == ["P0", "P1"]
    assert SITE.image(tmp_path, "IMG0").shape == (56, 48)


@pytest.mark.parametrize("why", [why for why, _ in make.LEFT_OUT])
def test_what_is_no_single_chest_radiograph_is_left_out_with_a_reason(folder, why):
    assert [reason for _, reason in SITE.read(folder, "here", {}).quarantine if why in reason]


def test_a_reason_names_no_word_of_a_header_that_is_not_in_a_closed_list(folder):
    assert not [r for _, r in SITE.read(folder, "here", {}).quarantine if "GRUBER" in r.upper()]


def test_a_file_that_is_only_named_dicom_is_left_out(folder):
    reasons = dict(SITE.read(folder, "here", {}).quarantine)
    assert reasons["Gruber broken.dcm"] == "the file is no DICOM, or its beginning is lost"


@pytest.mark.parametrize(
    ("option", "k"),
    [
        ({"views": "all"}, 10),
        ({"modalities": "DX, CT"}, 11),
        ({"body": "any"}, 13),
        ({"burned_in": "keep"}, 15),
    ],
)
def test_an_option_keeps_what_its_reason_says(folder, option, k):
    assert sop(k) not in by_image(SITE.read(folder, "here", {})).index
    assert sop(k) in by_image(SITE.read(folder, "here", option)).index


def test_a_word_that_is_no_choice_is_refused(folder):
    for option in (
        {"views": "lateral"},
        {"burned_in": "yes"},
        {"body": "hand"},
        {"key": "name"},
        {"unlabelled": "x"},
    ):
        with pytest.raises(BadInput, match="choose"):
            SITE.read(folder, "here", option)


def test_the_table_is_matched_by_accession_number(folder):
    found = SITE.read(folder, "here", {})
    rows, labels = by_image(found), found.header.labels
    assert len(rows) == 10 and labels == ("No Finding", "Cardiomegaly", "Pneumonia")
    at = list(rows.index).index(sop(3))
    assert list(found.evidence[at]) == [Evidence.NEGATIVE, Evidence.UNCERTAIN, Evidence.NOT_MENTIONED]


@pytest.mark.parametrize("key", ["SOPInstanceUID", "file", "stem", "StudyInstanceUID"])
def test_the_key_may_be_the_instance_the_file_or_the_study(raw, key):
    told = {
        k: {"file": f"{make.NAMES[row[0]]}-{k}{row[6].get('suffix', '.dcm')}", "stem": f"{make.NAMES[row[0]]}-{k}"}.get(key)
        or make.phi(k, row[0])[key]
        for k, row in enumerate(make.ROWS)
    }  # fmt: skip
    table = pd.DataFrame({"image": told.values(), "Pneumonia": [k % 2 for k in told]})
    table.to_csv(raw / "labels of Gruber.csv", index=False)
    found = SITE.read(raw, "here", {})
    assert len(found.rows) == 10
    assert [int(i.rsplit(".", 1)[1]) % 2 for i in found.rows["image_id"]] == list(found.evidence[:, 0])


def test_one_row_about_a_study_is_about_all_its_images(tmp_path):
    for k in range(3):
        fake_dicom.write(tmp_path / f"{k}.dcm", fake_dicom.picture(k), SOPInstanceUID=f"1.2.{k}", StudyInstanceUID="1.3",
                         PatientID="P", Modality="DX")  # fmt: skip
    (tmp_path / "a.csv").write_text("StudyInstanceUID,Edema\n1.3,1\n")
    assert SITE.read(tmp_path, "here", {}).evidence.tolist() == [[1], [1], [1]]


def test_instances_whose_numbers_begin_alike_are_not_mixed_up(tmp_path):
    for k in (4, 5):
        fake_dicom.write(tmp_path / f"1.2.840.{k}", fake_dicom.picture(k), SOPInstanceUID=f"1.2.840.{k}", Modality="DX",
                         StudyInstanceUID=f"1.3.{k}", PatientID=f"P{k}")  # fmt: skip
    (tmp_path / "a.csv").write_text("file,Edema\n1.2.840.5,1\n1.2.840.6,1\n1.2.840.4,0\n")
    found = SITE.read(tmp_path, "here", {})
    assert dict(zip(found.rows["image_id"], found.evidence[:, 0], strict=True)) == {
        "1.2.840.4": 0,
        "1.2.840.5": 1,
    }
    assert found.quarantine == [("1.2.840.6", "the table names it but there is no such image")]


def test_rows_about_nothing_and_images_without_row_are_said(folder):
    reasons = dict(SITE.read(folder, "here", {}).quarantine)
    assert reasons["ACC-of-Gruber-404"] == "the table names it but there is no such image"
    assert reasons["ACC00009931"] == "a second row for the same image"
    assert reasons["Yamada_Erika/exam 18/Yamada-18.dcm"] == "the table does not name it"


def test_images_without_row_can_be_kept_and_are_annotated_for_nothing(folder):
    found = SITE.read(folder, "here", {"unlabelled": "keep"})
    at = list(found.rows["image_id"]).index(sop(18))
    assert len(found.rows) == 11 and (found.evidence[at] == Evidence.NOT_ANNOTATED).all()


def test_a_table_that_fits_no_file_is_one_sentence(raw):
    (raw / "labels of Gruber.csv").write_text("image,Edema\nnothing,1\n")
    with pytest.raises(BadInput, match="fits a DICOM file by sop or file or accession or study"):
        SITE.read(raw, "here", {})


def test_without_a_table_nothing_is_known_and_nothing_is_refused(raw, lab):
    (raw / "labels of Gruber.csv").unlink()
    done = ingest.ingest(lab, "dicom", raw, "here", px=32, workers=1)
    opened = store.read(done.path)
    assert done.n_images == 11 and (opened.evidence == Evidence.NOT_ANNOTATED).all()
    assert "no table" in opened.header.ledger[0]["note"] and store.check(done.path) == []


def test_ages_are_read_as_dicom_writes_them_or_counted_from_dates(folder):
    ages = by_image(SITE.read(folder, "here", {}))["age_years"]
    assert ages[sop(0)] == 61 and ages[sop(4)] == 1.5
    assert ages[sop(3)] == 66  # 1953-03-11 to 2019-04-17
    assert ages[sop(7)] == 62  # 155Y is no age; the dates are


def test_the_view_may_be_a_coded_word(tmp_path):
    code = fake_dicom.pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "R-10206", "SRT", "antero-posterior"
    fake_dicom.write(tmp_path / "a.dcm", fake_dicom.picture(0), Modality="DX", ViewCodeSequence=[code])
    assert SITE.read(tmp_path, "here", {}).rows["view"][0] == "AP"


def test_a_word_for_nobody_is_not_one_patient(folder):
    found = SITE.read(folder, "here", {})
    rows = by_image(found)
    assert rows["patient_id"][sop(8)] != rows["patient_id"][sop(9)]
    assert "2 images name no patient" in found.header.title
    assert rows["patient_id"][sop(0)] == rows["patient_id"][sop(1)] == "MRN-0-88"


def test_the_tables_word_on_a_person_comes_before_the_headers(raw):
    (raw / "labels of Gruber.csv").write_text(
        f"image,Edema,sex,age,view,split,patient\n{sop(0)},1,F,33,AP,valid,P-1\n{sop(1)},0,,,,,\n"
    )
    rows = by_image(SITE.read(raw, "here", {}))
    said = ["patient_id", "sex", "age_years", "view", "split_hint"]
    assert list(rows.loc[sop(0), said]) == ["P-1", "F", 33, "AP", "val"]
    assert list(rows.loc[sop(1), said]) == ["MRN-0-88", "M", 62, "AP", ""]


def test_facts_of_a_header_are_words_of_closed_lists(folder):
    found = SITE.read(folder, "here", {})
    facts = found.facts.set_index(found.rows["image_id"])
    assert facts["manufacturer"][sop(3)] == "Fujifilm" and facts["manufacturer"][sop(6)] == "other"
    assert facts["window"][sop(1)] == "window 2000/3000" and facts["polarity"][sop(2)] == "MONOCHROME1"
    assert set(facts["orientation"]) == {"L/F"} and facts["compression"][sop(1)].startswith("JPEG 2000")


def test_every_depth_and_compression_gives_the_picture_that_was_written(folder):
    for name in SITE.read(folder, "here", {}).rows["source_file"]:
        k = int(name.split("exam ")[1].split("/")[0])
        bits, inverse = make.ROWS[k][4], "PhotometricInterpretation" in make.ROWS[k][6]
        wanted = fake_dicom.picture(k, bits).astype(float)
        wanted = -wanted if inverse else wanted
        assert np.corrcoef(SITE.image(folder, name).ravel(), wanted.ravel())[0, 1] > 0.95


def test_a_folder_without_dicom_says_what_is_expected(tmp_path):
    (tmp_path / "a.txt").write_text("no")
    with pytest.raises(MissingInput, match="holds no DICOM files; dicom expects"):
        SITE.read(tmp_path, "here", {})


def test_a_public_radiograph_is_read(realdata):
    found = SITE.read(realdata / "format_samples" / "dicom", "here", {})
    assert len(found.rows) == 1 and [reason for _, reason in found.quarantine] == [
        "a second copy of the same image"
    ]
    assert found.rows["age_years"][0] == 62 and found.rows["view"][0] == "PA"
