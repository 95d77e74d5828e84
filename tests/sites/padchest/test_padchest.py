"""PadChest and its quirks."""

import gzip
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import decode
from cxrlab.sites import SITES, padchest

SITE = SITES["padchest"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
TABLE = padchest.TABLE


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def said(found, key):
    """Label → evidence of one image of the fake."""
    at = found.rows.index[found.rows["image_id"] == make.IDS[key]].item()
    return dict(zip(found.header.labels, found.evidence[at].tolist(), strict=True))


def row(found, key):
    return found.rows[found.rows["image_id"] == make.IDS[key]].iloc[0]


def reasons(found):
    return {Path(file).name.removesuffix(".png"): reason for file, reason in found.quarantine}


def test_labels_with_leading_spaces_and_empty_items_are_read(raw):
    evidence = said(SITE.read(raw, "p", {}), "spaces")
    assert (evidence["Pneumonia"], evidence["Pleural Effusion"]) == (1, 1)
    assert evidence["No Finding"] == 0 and evidence["Cardiomegaly"] == 0


def test_words_are_compared_whole_never_by_substring(raw):
    evidence = said(SITE.read(raw, "p", {}), "substring")
    assert set(evidence.values()) == {0}  # neither normal, effusion, nodule, mass nor emphysema


def test_the_owners_tree_rolls_up_by_exact_name_narrow_and_broad(raw):
    narrow, broad = SITE.read(raw, "p", {}), SITE.read(raw, "p", {"map": "broad"})
    assert said(narrow, "child")["Atelectasis"] == 1 and said(narrow, "child")["Lung Lesion"] == 0
    assert said(broad, "child")["Lung Lesion"] == 1
    assert said(narrow, "negative")["Edema"] == 0 and said(broad, "negative")["Edema"] == 1
    assert said(narrow, "positive")["Pneumothorax"] == said(narrow, "positive")["Pleural Effusion"] == 1
    assert "Support Devices" in broad.header.labels and "Support Devices" not in narrow.header.labels


def test_a_row_without_labels_is_not_annotated(raw):
    assert set(said(SITE.read(raw, "p", {}), "nolabels").values()) == {-3}


@pytest.mark.parametrize("cell", ["nan", "NaN", "None", "[]", "['', ' ']"])
def test_every_spelling_of_no_labels_is_not_annotated(raw, cell):
    path = raw / TABLE
    path.write_text(path.read_text().replace("\"['normal']\"", f'"{cell}"', 1))
    assert set(said(SITE.read(raw, "p", {}), "normal").values()) == {-3}


def test_exclude_is_left_out_and_said_unless_it_is_asked_for(raw):
    assert (
        reasons(SITE.read(raw, "p", {}))[make.IDS["exclude"]]
        == "labelled 'exclude'; the option drop keeps it"
    )
    found = SITE.read(raw, "p", {"drop": "none"})
    evidence = said(found, "exclude")
    assert evidence["No Finding"] == -3 and evidence["Pneumonia"] == -2
    found = SITE.read(raw, "p", {"drop": "exclude, unchanged"})
    assert make.IDS["unchanged"] in reasons(found) and make.IDS["suboptimal"] not in reasons(found)


def test_suboptimal_study_and_unchanged_are_facts_of_the_row(raw):
    found = SITE.read(raw, "p", {})
    remarks = dict(zip(found.rows["image_id"], found.facts["remarks"], strict=True))
    assert remarks[make.IDS["suboptimal"]] == "suboptimal study"
    assert remarks[make.IDS["unchanged"]] == remarks[make.IDS["old-unchanged"]] == "unchanged"
    assert remarks[make.IDS["normal"]] == ""


def test_only_devices_or_remarks_say_nothing_of_no_finding(raw):
    found = SITE.read(raw, "p", {})
    assert [said(found, key)["No Finding"] for key in ("device", "suboptimal", "old-unchanged")] == [
        -3,
        -3,
        -3,
    ]
    assert said(found, "device")["Pneumonia"] == 0
    assert said(found, "unchanged")["No Finding"] == 0  # a finding is there


def test_beside_unchanged_an_absent_finding_was_not_mentioned(raw):
    found = SITE.read(raw, "p", {})
    assert said(found, "unchanged")["Cardiomegaly"] == 1 and said(found, "unchanged")["Pneumonia"] == -2
    assert said(found, "old-unchanged")["Pneumonia"] == -2


def test_a_torn_list_is_left_out_and_said(raw):
    assert reasons(SITE.read(raw, "p", {}))[make.IDS["torn"]] == "the labels are no list of words"


@pytest.mark.parametrize(
    "cell",
    ["__import__('os').system('true')", "[1, 2]", "{'a': 1}", "[" * 5000, "['a'" + ", 'a'" * 9000 + "]"],
)
def test_a_cell_of_labels_is_never_run(cell):
    assert padchest.parse(cell) is None


def test_the_appendix_of_bad_files_is_skipped_in_both_spellings(raw):
    assert len(padchest.bad_files()) == 26
    assert list(padchest.bad_files().values()).count(padchest.WHY_BAD["missing"]) == 11
    assert reasons(SITE.read(raw, "p", {}))[make.BAD] == padchest.WHY_BAD["reported"]
    path = raw / TABLE
    path.write_text(path.read_text().replace(make.BAD, make.BAD.replace(" ", "")))
    assert reasons(SITE.read(raw, "p", {}))[make.BAD] == padchest.WHY_BAD["reported"]


def test_a_name_with_spaces_around_its_hyphens_is_found_without_them(raw):
    path = raw / "images" / "0" / (make.IDS["normal"] + ".png")
    path.rename(path.with_name(path.name.replace("-", " - ")))
    assert (
        row(SITE.read(raw, "p", {}), "normal")["source_file"] == f"images/0/{path.name.replace('-', ' - ')}"
    )


def test_physician_and_model_labels_are_told_apart(raw):
    found = SITE.read(raw, "p", {})
    assert set(found.facts["labeller"]) == {"Physician", "RNN_model"}
    found = SITE.read(raw, "p", {"labeller": "physician"})
    assert set(found.facts["labeller"]) == {"Physician"}
    assert "not by a physician" in reasons(found)[make.IDS["spaces"]]


def test_the_projection_counts_before_the_view_position(raw):
    path = raw / TABLE
    path.write_text(path.read_text().replace('"","PA"', '"LATERAL","PA"', 1))
    found = SITE.read(raw, "p", {})
    assert row(found, "normal")["view"] == "PA"
    assert row(found, "unchanged")["view"] == "PA"  # no projection: POSTEROANTERIOR
    assert row(found, "spaces")["view"] == "AP"  # AP_horizontal is an AP of a lying patient
    assert found.facts["projection"][found.rows["image_id"] == make.IDS["spaces"]].item() == "AP_horizontal"


def test_lateral_and_costal_views_stay_out_unless_all_are_asked_for(raw):
    why = reasons(SITE.read(raw, "p", {}))
    assert why[make.IDS["lateral"]] == "lateral view; option views=all keeps it"
    assert why[make.IDS["costal"]] == "view COSTAL, not frontal; option views=all keeps it"
    found = SITE.read(raw, "p", {"views": "all"})
    assert row(found, "lateral")["view"] == "LATERAL" and row(found, "costal")["view"] == ""
    assert row(SITE.read(raw, "p", {}), "nolabels")["view"] == ""  # unknown is kept


def test_age_is_the_year_of_study_less_the_year_of_birth_where_both_can_be(raw):
    found = SITE.read(raw, "p", {})
    ages = [row(found, key)["age_years"] for key in ("normal", "substring", "child")]
    assert ages == [54, 83, 4]
    # Blank, born in 2052, born in 1850.
    assert np.isnan([row(found, key)["age_years"] for key in ("suboptimal", "unchanged", "nolabels")]).all()


def test_a_sex_other_than_m_and_f_is_other_or_unknown(raw):
    found = SITE.read(raw, "p", {})
    assert [row(found, key)["sex"] for key in ("normal", "child", "suboptimal", "unchanged")] == [
        "M",
        "F",
        "O",
        "",
    ]


def test_children_are_marked(raw):
    found = SITE.read(raw, "p", {})
    assert found.facts["pediatric"][found.rows["image_id"] == make.IDS["child"]].item() == "PED"


def test_ids_of_38_digits_stay_whole(raw):
    found = SITE.read(raw, "p", {})
    assert row(found, "normal")["patient_id"] == "8" * 38 and row(found, "spaces")["patient_id"] == "8" * 38


def test_a_report_with_a_line_break_does_not_tear_the_table(raw):
    assert "\nsegunda linea" in (raw / TABLE).read_text()
    assert len(SITE.read(raw, "p", {}).rows) + len(SITE.read(raw, "p", {}).quarantine) == len(make.ROWS) + 1


def test_a_gzipped_table_and_flat_images_are_read_too(raw, tmp_path_factory):
    flat = tmp_path_factory.mktemp("flat")
    (flat / "images-224").mkdir()
    for path in (raw / "images").rglob("*.png"):
        shutil.copy(path, flat / "images-224" / path.name)
    with gzip.open(flat / f"{TABLE}.gz", "wb") as opened:
        opened.write((raw / TABLE).read_bytes())
    found, wanted = SITE.read(flat, "p", {}), SITE.read(raw, "p", {})
    assert found.rows["image_id"].tolist() == wanted.rows["image_id"].tolist()
    assert np.array_equal(found.evidence, wanted.evidence)


def test_of_two_copies_the_one_in_the_rows_own_folder_is_taken(raw):
    copy = raw / "images" / "9" / (make.IDS["normal"] + ".png")
    copy.parent.mkdir()
    shutil.copy(raw / "images" / "0" / copy.name, copy)
    shutil.copy(raw / "images" / "0" / copy.name, raw / "images" / copy.name)
    found = SITE.read(raw, "p", {})
    assert row(found, "normal")["source_file"] == f"images/0/{copy.name}"
    assert dict(found.quarantine)[f"images/9/{copy.name}"] == "a second copy of the same image"


def test_files_that_are_missing_or_that_no_row_names_are_said(raw):
    why = reasons(SITE.read(raw, "p", {}))
    assert why[make.IDS["gone"]] == "the table names it but there is no such image"
    assert why["stray"] == "no table names this image"


def test_sixteen_bits_of_which_twelve_are_used_do_not_stay_dark(raw):
    found = SITE.read(raw, "p", {})
    image = SITE.image(raw, row(found, "normal")["source_file"])
    assert image.dtype == np.uint16 and image.max() < 4096
    small = decode.fit(image, 32)
    assert small.min() < 10 and small.max() > 245


def test_a_monochrome1_picture_is_turned_over_only_where_its_corners_are_bright(raw):
    found = SITE.read(raw, "p", {})
    negative, positive, plain = (row(found, key)["source_file"] for key in ("negative", "positive", "normal"))
    assert negative.endswith("#MONOCHROME1") and positive.endswith("#MONOCHROME1") and "#" not in plain
    for name in (negative, positive, plain):
        image = SITE.image(raw, name).astype(float)
        assert image[:8, :8].mean() < image[:, 30:34].mean()  # air dark, spine bright
    file = raw / negative.removesuffix("#MONOCHROME1")
    shutil.copy(file, raw / plain)  # not marked: never touched
    assert np.array_equal(SITE.image(raw, plain), decode.read(file))
    assert found.facts["photometric"].tolist().count("MONOCHROME1") == 2


def test_every_word_is_in_the_ledger_also_those_that_the_map_lacks(raw):
    ledger = {entry["native"]: entry for entry in SITE.read(raw, "p", {}).header.ledger}
    assert ledger["breast mass"]["note"] == "not in the map" and ledger["breast mass"]["images"] == 1
    assert ledger["unchanged"]["label"] == "" and ledger["unchanged"]["images"] == 2


def test_every_word_of_the_map_is_in_the_trees_spelling():
    natives = {rule.native for rule in labelmap.of("padchest", "broad").rules}
    assert {"atelectasis basal", "air bronchogram", "dai", "apical pleural thickening"} <= natives
    assert not {"effusion", "pneumoperitoneum"} & natives


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"labeller": "robot"}, "the option labeller is 'robot'; expected all or physician"),
        ({"drop": "normal"}, "the option drop names 'normal'; expected none, or some of exclude"),
        ({"views": "oblique"}, "the option views is 'oblique'"),
    ],
)
def test_a_wrong_option_is_explained(raw, options, sentence):
    with pytest.raises(BadInput, match=sentence):
        SITE.read(raw, "p", options)


def test_a_folder_without_its_table_or_images_is_explained(raw, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(MissingInput, match="holds no PADCHEST"):
        SITE.read(empty, "p", {})
    shutil.copy(raw / TABLE, empty / TABLE)
    with pytest.raises(MissingInput, match="none lies in"):
        SITE.read(empty, "p", {})
    (empty / TABLE).write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="has none of the columns"):
        SITE.read(empty, "p", {})
    (empty / TABLE).write_text("ImageID,Labels\n1,2\n")
    with pytest.raises(BadInput, match="lacks the column PatientID"):
        SITE.read(empty, "p", {})
