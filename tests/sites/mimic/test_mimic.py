"""MIMIC-CXR-JPG, each quirk of its files by name."""

import gzip
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import CHEXPERT, Evidence
from cxrlab.sites import SITES

SITE = SITES["mimic"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
POSITIVE, NEGATIVE, UNCERTAIN, BLANK, NEVER = (
    1,
    0,
    -1,
    int(Evidence.NOT_MENTIONED),
    int(Evidence.NOT_ANNOTATED),
)
METADATA = "mimic-cxr-2.0.0-metadata.csv.gz"


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "mimic"
    folder.mkdir()
    make.fake_raw_folder(folder)
    return folder


def read(raw, **options):
    return SITE.read(raw, "mimic", options)


def said(found, image_id):
    at = int(np.flatnonzero(found.rows["image_id"] == image_id)[0])
    return dict(zip(found.header.labels, found.evidence[at].tolist(), strict=True))


def row(found, image_id):
    return found.rows.set_index("image_id").loc[image_id]


def fact(found, image_id, name):
    return found.facts[name][found.rows["image_id"] == image_id].item()


def change(path, old, new):
    text = gzip.decompress(path.read_bytes()).decode()
    assert old in text
    path.write_bytes(gzip.compress(text.replace(old, new).encode()))


def reasons_of(found):
    return {Path(name).stem: reason for name, reason in found.quarantine}


def test_the_order_of_the_labels_is_not_chexperts_so_columns_are_selected_by_name(raw):
    assert [name for name in make.LABELS.split(",")] != list(CHEXPERT)
    one = said(read(raw), "0a3b31ed")
    assert one["Atelectasis"] == NEGATIVE and one["Cardiomegaly"] == one["Pneumonia"] == POSITIVE
    assert one["Edema"] == BLANK


def test_labels_join_on_subject_and_study(raw):
    found = read(raw)
    assert said(found, "02aa804e")["No Finding"] == POSITIVE and said(found, "02aa804e")["Edema"] == BLANK
    assert said(found, "2a2277a9")["No Finding"] == BLANK and said(found, "2a2277a9")["Edema"] == POSITIVE
    # A row of the right study but of another patient says nothing of this one.
    change(raw / "mimic-cxr-2.0.0-chexpert.csv.gz", "10000032,50414267", "10000033,50414267")
    assert set(said(read(raw), "02aa804e").values()) == {NEVER}


def test_labels_of_two_studies_of_one_patient_are_never_mixed(raw):
    for table in ("chexpert", "metadata"):
        path = raw / f"mimic-cxr-2.0.0-{table}.csv.gz"
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        before = read(raw)
        path.write_bytes(gzip.compress("\n".join([lines[0], *reversed(lines[1:])]).encode()))
        after = read(raw)
        for name in before.rows["image_id"]:
            assert said(before, name) == said(after, name)


def test_a_study_without_a_label_row_is_not_annotated(raw):
    found = read(raw)
    assert set(said(found, "d8bd5dcf").values()) == {NEVER} and fact(found, "d8bd5dcf", "labeller") == ""


def test_a_label_row_with_all_cells_blank_is_not_mentioned(raw):
    assert set(said(read(raw), "8959e402").values()) == {BLANK}


def test_no_finding_is_never_negative_or_uncertain(raw):
    found = read(raw)
    none = found.evidence[:, found.header.labels.index("No Finding")]
    assert set(none.tolist()) == {POSITIVE, BLANK, NEVER}


def test_both_views_of_a_study_have_its_labels(raw):
    found = read(raw, views="all")
    assert said(found, "02aa804e") == said(found, "174413ec")


def test_chexpert_and_negbio_labels_differ_and_the_labeller_is_recorded(raw):
    found = read(raw)
    assert said(found, "e084de3b")["Pneumonia"] == UNCERTAIN
    assert "CheXpert labels" in found.header.title
    found = read(raw, labels="negbio")
    assert said(found, "e084de3b")["Pneumonia"] == NEGATIVE
    assert "NegBio labels" in found.header.title
    assert fact(found, "e084de3b", "labeller") == "NegBio on the report"


def test_a_labeller_whose_table_is_absent_is_explained(raw):
    (raw / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    with pytest.raises(MissingInput, match="labels=negbio"):
        read(raw)
    assert len(read(raw, labels="negbio").rows) == 8


def test_the_official_split_is_kept_and_validate_is_val(raw):
    hints = read(raw).rows.set_index("image_id")["split_hint"]
    assert hints["02aa804e"] == "train" and hints["d8bd5dcf"] == "val" and hints["096052b7"] == "test"
    (raw / "mimic-cxr-2.0.0-split.csv.gz").unlink()
    assert set(read(raw).rows["split_hint"]) == {""}


def test_the_split_joins_on_the_image_not_on_the_rows_order(raw):
    path = raw / "mimic-cxr-2.0.0-split.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    before = read(raw).rows
    path.write_bytes(gzip.compress("\n".join([lines[0], *sorted(lines[1:])]).encode()))
    assert read(raw).rows.equals(before)


def test_lateral_and_ll_stay_out_unless_wanted(raw):
    reasons = reasons_of(read(raw))
    assert "views=all" in reasons["174413ec"] and "views=all" in reasons["68b5c4b1"]
    found = read(raw, views="all")
    assert {"174413ec", "68b5c4b1", "1b2c3d4e"} <= set(found.rows["image_id"])
    assert row(found, "68b5c4b1")["view"] == "LATERAL" and row(found, "1b2c3d4e")["view"] == ""


def test_a_blank_view_position_is_kept_as_unknown(raw):
    assert row(read(raw), "e084de3b")["view"] == ""


def test_rare_view_positions_are_named(raw):
    found = read(raw)
    assert row(found, "0a3b31ed")["view"] == "AP" and fact(found, "0a3b31ed", "projection") == "AP LLD"
    assert reasons_of(found)["1b2c3d4e"] == "view RLO, not frontal; option views=all keeps it"


def test_sex_and_age_join_from_mimic_iv_where_it_lies_there(raw):
    found = read(raw)
    one = row(found, "02aa804e")
    assert one["sex"] == "F" and one["age_years"] == 52
    assert row(found, "5f5f5f5f")["sex"] == "" and np.isnan(row(found, "5f5f5f5f")["age_years"])
    (raw / "patients.csv.gz").unlink()
    found = read(raw)
    assert set(found.rows["sex"]) == {""} and found.rows["age_years"].isna().all()


def test_anchor_age_0_is_missing(raw):
    one = row(read(raw), "d8bd5dcf")
    assert np.isnan(one["age_years"]) and one["sex"] == "F"


def test_shifted_dates_give_the_age_at_the_study(raw):
    found = read(raw)
    assert row(found, "2a2277a9")["age_years"] == 53  # a year after the anchor year
    assert row(found, "8959e402")["age_years"] == 57
    change(raw / METADATA, ",21870823,", ",,")
    assert row(read(raw), "8959e402")["age_years"] == 52


def test_anchor_age_91_is_everyone_over_89(raw):
    found = read(raw)
    assert row(found, "0a3b31ed")["age_years"] == 91
    assert fact(found, "0a3b31ed", "age_note") == "over 89 in the anchor year"


def test_mimic_iv_can_lie_elsewhere_and_its_hosp_folder_is_found(raw):
    table = raw / "patients.csv.gz"
    text = gzip.decompress(table.read_bytes())
    table.unlink()
    (raw / "hosp").mkdir()
    (raw / "hosp" / "patients.csv").write_bytes(text)
    assert row(read(raw), "02aa804e")["sex"] == "F"
    shutil.move(raw / "hosp", raw.parent / "hosp")
    assert row(read(raw), "02aa804e")["sex"] == ""
    found = read(raw, patients=str(raw.parent / "hosp" / "patients.csv"))
    assert row(found, "02aa804e")["sex"] == "F"
    with pytest.raises(MissingInput, match=r"hosp/patients\.csv\.gz"):
        read(raw, patients=str(raw.parent / "nowhere.csv"))


def test_patients_of_another_release_are_refused_not_ignored(raw):
    change(raw / "patients.csv.gz", "\n1000", "\n7000")
    with pytest.raises(BadInput, match="knows none of these patients"):
        read(raw)


def test_tables_may_be_gunzipped(raw):
    before = read(raw)
    for path in raw.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    after = read(raw)
    assert after.rows.equals(before.rows) and np.array_equal(after.evidence, before.evidence)


def test_the_labelled_test_set_has_no_subject_and_says_airspace_opacity(raw):
    make.write_test_labels(raw)
    found = read(raw)
    one = said(found, "096052b7")
    assert one["Cardiomegaly"] == one["Support Devices"] == POSITIVE
    assert one["Lung Opacity"] == NEGATIVE  # the report's labeller said 1
    assert fact(found, "096052b7", "labeller") == "radiologists, labelled test set"
    assert "Airspace Opacity" in {line["native"] for line in found.header.ledger}
    assert fact(found, "8959e402", "labeller") == "CheXpert labeller on the report"
    found = read(raw, test_labels="labeller")
    assert said(found, "096052b7")["Lung Opacity"] == POSITIVE


def test_files_may_lie_deeper_and_as_png_and_only_a_part_of_them(raw):
    shutil.move(raw / "files", raw / "physionet.org" / "files")
    one = next(raw.rglob("02aa804e.jpg"))
    one.rename(one.with_suffix(".png"))
    for path in raw.rglob("*.jpg"):
        if path.stem in ("5f5f5f5f", "0a3b31ed"):
            path.unlink()
    found = read(raw)
    assert len(found.rows) == 6 and row(found, "02aa804e")["source_file"].endswith(".png")
    assert sum("no such image" in reason for _, reason in found.quarantine) == 3


def test_an_image_that_no_table_names_is_said(raw):
    make.chexpert.write_picture(raw / "files/p10/p10000032/s1/abcdabcd.jpg", 3)
    assert ("files/p10/p10000032/s1/abcdabcd.jpg", "no table names this image") in read(raw).quarantine


def test_numbers_that_a_spreadsheet_turned_into_fractions_still_join(raw):
    change(raw / "mimic-cxr-2.0.0-chexpert.csv.gz", "10000032,50414267", "10000032.0,50414267.0")
    assert said(read(raw), "02aa804e")["No Finding"] == POSITIVE


def test_a_second_label_row_of_a_study_is_said_and_not_mixed_in(raw):
    path = raw / "mimic-cxr-2.0.0-chexpert.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode() + "10000032,50414267," + "1.0," * 13 + "1.0\n"
    path.write_bytes(gzip.compress(text.encode()))
    found = read(raw)
    assert said(found, "02aa804e")["Edema"] == BLANK
    assert any("second row of labels" in reason for _, reason in found.quarantine)


def test_an_odd_cell_leaves_out_the_images_of_its_study_alone(raw):
    change(raw / "mimic-cxr-2.0.0-chexpert.csv.gz", "0.0,1.0,,,,,,,,,,1.0,,", "maybe,1.0,,,,,,,,,,1.0,,")
    reasons = reasons_of(read(raw))
    assert reasons["0a3b31ed"] == "Atelectasis is 'maybe'; expected 1, 0, -1 or blank"


def test_only_the_image_without_a_label_row_is_a_sentence(raw):
    for path in raw.rglob("*.jpg"):
        if path.stem != "d8bd5dcf":
            path.unlink()
    with pytest.raises(BadInput, match="has a row of labels"):
        read(raw)


def test_without_metadata_the_split_list_names_the_images_and_no_view_is_known(raw):
    (raw / METADATA).unlink()
    found = read(raw)
    assert len(found.rows) == 11 and set(found.rows["view"]) == {""}


def test_a_folder_without_tables_or_images_is_explained(raw, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingInput, match="metadata"):
        SITE.read(empty, "x", {})
    shutil.rmtree(raw / "files")
    with pytest.raises(MissingInput, match="none lies in"):
        read(raw)


def test_a_cut_off_table_is_a_sentence(raw):
    path = raw / METADATA
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="fetch it again"):
        read(raw)
