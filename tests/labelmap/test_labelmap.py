"""A site's own words become evidence for our labels, and the ledger says what became what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrlab import ingest, labelmap, store
from cxrlab.errors import BadInput, MissingInput, UnknownName
from cxrlab.labelmap import LabelMap, Rule, Said
from cxrlab.labels import SHARED, VOCABULARY, Evidence
from tests.labelmap.kit import kermany_folder

HEADER = "dataset,native,label,says,breadth,note\n"


def map_of(*rules):
    """A map of (native, label, says) or (native, label, says, breadth)."""
    return LabelMap(
        "x", tuple(Rule(*rule[:3], rule[3] if len(rule) > 3 else "narrow") for rule in rules), "narrow"
    )


def evidence_of(said, known):
    labels, evidence = labelmap.harmonise(said, known)
    return {name: evidence[:, k].tolist() for k, name in enumerate(labels)}


# What is in the project's own map


def test_no_row_of_the_map_is_there_twice_and_every_label_is_known():
    for dataset in labelmap.DATASETS:
        for breadth in ("narrow", "broad"):
            rules = labelmap.of(dataset, breadth).rules
            keys = [(rule.native.lower(), rule.label) for rule in rules]
            assert len(keys) == len(set(keys)), dataset
            assert {rule.label for rule in rules} <= {*VOCABULARY, ""}


@pytest.mark.parametrize(
    ("dataset", "lacks"),
    [
        ("chexpert", set()),
        ("nih", set()),
        ("chestmnist", set()),
        ("padchest", set()),
        ("vindr", set()),
        ("openi", set()),
        ("rsna", set(SHARED) - {"No Finding", "Pneumonia"}),
        ("kermany", set(SHARED) - {"No Finding", "Pneumonia"}),
        ("pneumoniamnist", set(SHARED) - {"No Finding", "Pneumonia"}),
        ("covid", set(SHARED) - {"No Finding", "Pneumonia"}),
        ("covid-radiography", set(SHARED) - {"No Finding", "Pneumonia"}),
    ],
)
def test_every_dataset_speaks_of_the_shared_labels_that_its_owners_annotate(dataset, lacks):
    assert set(SHARED) - {rule.label for rule in labelmap.of(dataset).rules} == lacks


def test_a_broad_map_has_every_label_of_the_narrow_one():
    for dataset in labelmap.DATASETS:
        narrow, broad = ({rule.label for rule in labelmap.of(dataset, b).rules} for b in ("narrow", "broad"))
        assert narrow <= broad


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("abnormal foreign body", "No Finding"),
        ("pericardial effusion", "Pleural Effusion"),
        ("pseudonodule", "Lung Lesion"),
        ("mediastinal mass", "Lung Lesion"),
        ("subcutaneous emphysema", "Emphysema"),
    ],
)
def test_a_padchest_word_that_holds_another_is_not_that_other(word, label):
    known = labelmap.of("padchest", "broad")
    assert label in {rule.label for rule in known.rules} and known.rules_of(word) == []


# Narrow, broad, and words


def test_a_broad_rule_replaces_the_narrow_one_of_the_same_word_and_label():
    narrow, broad = labelmap.of("covid-radiography"), labelmap.of("covid-radiography", "broad")
    said = labelmap.from_classes(["COVID", "Normal"])
    assert evidence_of(said, narrow)["Pneumonia"] == [-1, 0]
    assert evidence_of(said, broad)["Pneumonia"] == [1, 0]
    assert [rule.says for rule in broad.rules_of("COVID")] == ["positive", "negative"]
    assert evidence_of(said, narrow)["Lung Opacity"] == evidence_of(said, broad)["Lung Opacity"]


def test_capitals_and_spaces_do_not_matter_but_words_are_compared_whole():
    known = map_of(("Pleural  Effusion", "Pleural Effusion", "same"))
    said = labelmap.from_lists([[" pleural effusion "], ["PLEURAL EFFUSION"], ["effusion"], []], known)
    assert evidence_of(said, known)["Pleural Effusion"] == [1, 1, 0, 0]


def test_a_beginning_with_a_star_stands_for_every_word_without_a_rule_of_its_own():
    known = map_of(
        ("pneumonia*", "Pneumonia", "same"), ("pneumonia, old", "", "same"), ("*", "No Finding", "negative")
    )
    said = labelmap.from_classes(["Pneumonia/viral", "pneumonia", "pneumonia, old", "gout"])
    assert evidence_of(said, known) == {
        "No Finding": [-3, -3, -3, 0],
        "Pneumonia": [1, 1, -3, -3],
    }


def test_the_longest_beginning_counts():
    known = map_of(("pneumonia*", "Pneumonia", "positive"), ("pneumonia/asp*", "Lung Opacity", "positive"))
    said = labelmap.from_classes(["pneumonia/aspiration", "pneumonia/viral"])
    assert evidence_of(said, known) == {"Pneumonia": [-3, 1], "Lung Opacity": [1, -3]}


# Evidence


def test_of_several_words_for_one_label_the_strongest_counts():
    known = map_of(("a", "Edema", "same"), ("b", "Edema", "same"))
    codes = [[1, -1], [-1, 0], [0, -2], [-2, -3], [-3, -3], [-3, 1]]
    assert evidence_of(Said(("a", "b"), np.array(codes, np.int8)), known)["Edema"] == [1, -1, 0, -2, -3, 1]


@given(
    st.lists(st.lists(st.sampled_from([int(code) for code in Evidence]), min_size=4, max_size=4), min_size=1),
    st.permutations(range(4)),
)
def test_the_order_of_a_sites_words_changes_nothing(codes, order):
    known = map_of(
        ("a", "Edema", "same"),
        ("b", "Edema", "same"),
        ("c", "Edema", "uncertain"),
        ("d", "Edema", "negative"),
    )
    codes = np.array(codes, np.int8)
    natives = ("a", "b", "c", "d")
    wanted = evidence_of(Said(natives, codes), known)
    assert evidence_of(Said(tuple(natives[k] for k in order), codes[:, list(order)]), known) == wanted
    assert all(
        (code == 1) <= (1 in row[:2]) for code, row in zip(wanted["Edema"], codes.tolist(), strict=True)
    )


def test_a_word_that_says_one_thing_says_nothing_where_it_is_absent():
    known = map_of(("a", "Edema", "negative"), ("b", "Pneumonia", "uncertain"))
    said = Said(("a", "b"), np.array([[1, 1], [0, 0], [-1, -1], [-2, -3]], np.int8))
    assert evidence_of(said, known) == {"Pneumonia": [-1, -3, -3, -3], "Edema": [0, -3, -3, -3]}


def test_columns_keep_their_cells():
    known = map_of(("a", "Edema", "same"))
    said = labelmap.from_columns(["a", "other"], np.array([[1, 1], [0, 1], [-1, 1], [-2, 1]], np.int8))
    assert evidence_of(said, known) == {"Edema": [1, 0, -1, -2]}


def test_in_a_list_what_is_absent_is_negative_unless_nobody_looked():
    known = map_of(("a", "Edema", "same"), ("b", "Pneumonia", "same"))
    said = labelmap.from_lists([["a"], [], ["b", "c"]], known, np.array([True, False, True]))
    assert evidence_of(said, known) == {"Pneumonia": [0, -3, 1], "Edema": [1, -3, 0]}


def test_of_a_class_the_others_are_not_known():
    known = map_of(("sick", "Pneumonia", "same"), ("well", "No Finding", "same"))
    assert evidence_of(labelmap.from_classes(["sick", "well", "odd"]), known) == {
        "No Finding": [-3, 1, -3],
        "Pneumonia": [1, -3, -3],
    }


def test_labels_come_in_the_vocabularys_order():
    labels, _ = labelmap.harmonise(labelmap.from_lists([[]], labelmap.of("nih")), labelmap.of("nih"))
    assert list(labels) == [name for name in VOCABULARY if name in labels]


# The ledger


def lines(said, known):
    labels, evidence = labelmap.harmonise(said, known)
    return labelmap.ledger(said, known, labels, evidence)


def test_the_ledger_gives_images_and_shares_before_and_after():
    known = map_of(("nodule", "Lung Lesion", "same"), ("mass", "Lung Lesion", "same"), ("device", "", "same"))
    said = labelmap.from_lists([["nodule"], ["mass", "device"], [], ["nodule", "mass", "odd"]], known)
    of = {line["native"]: line for line in lines(said, known)}
    assert (of["nodule"]["images"], of["nodule"]["before"], of["nodule"]["after"]) == (2, 0.5, 0.75)
    assert (of["device"]["label"], of["device"]["images"], of["device"]["after"]) == ("", 1, None)
    assert of["odd"]["note"] == "not in the map" and of["odd"]["label"] == ""


def test_the_ledgers_shares_are_of_images_that_say_yes_or_no():
    known = map_of(("a", "Edema", "same"))
    said = Said(("a",), np.array([[1], [0], [-1], [-3], [-2]], np.int8))
    assert lines(said, known)[0]["before"] == pytest.approx(1 / 3)  # not of the doubtful and unknown ones
    nobody = Said(("a",), np.full((3, 1), -3, np.int8))
    assert lines(nobody, known)[0]["after"] is None


def test_the_commonest_word_comes_first_and_a_word_never_said_is_told_too():
    known = map_of(("a", "Edema", "same"), ("b", "Pneumonia", "same"), ("c*", "Mass", "same"))
    said = labelmap.from_lists([["b"], ["b"], []], known)
    assert [(line["native"], line["images"]) for line in lines(said, known)] == [("b", 2), ("a", 0)]


# Copies


def test_an_edited_copy_is_used_and_the_store_says_which(lab, tmp_path):
    path = tmp_path / "ours.csv"
    path.write_text(
        labelmap.copy("kermany").replace(
            "PNEUMONIA virus,Pneumonia,positive", "PNEUMONIA virus,Pneumonia,uncertain"
        )
    )
    raw = kermany_folder(tmp_path / "raw")
    done = ingest.ingest(lab, "kermany", raw, "ours", px=16, workers=1, options={"map": str(path)})
    opened = store.read(done.path)
    used = opened.header.preprocess["map"]
    assert used["origin"] == "ours.csv" and used["dataset"] == "kermany"
    assert used["digest"] == labelmap.of("kermany", str(path)).digest != labelmap.of("kermany").digest
    assert ["PNEUMONIA virus", "Pneumonia", "uncertain"] in used["rules"]
    viral = opened.rows["native_label"] == "PNEUMONIA virus"
    assert set(opened.evidence[viral, opened.header.labels.index("Pneumonia")]) == {-1}
    plain = store.read(ingest.ingest(lab, "kermany", raw, "theirs", px=16, workers=1).path)
    assert plain.header.preprocess["map"]["origin"] == "narrow" and plain.digest != opened.digest


def test_with_a_limit_the_ledger_counts_the_images_that_are_kept(lab, tmp_path):
    raw = kermany_folder(tmp_path / "raw")
    opened = store.read(ingest.ingest(lab, "kermany", raw, "few", px=16, workers=1, limit=5).path)
    images = {line["native"]: line["images"] for line in opened.header.ledger}
    assert sum(images.values()) == 5 == len(opened)


@pytest.mark.parametrize("dataset", labelmap.DATASETS)
def test_an_unedited_copy_is_the_map_itself(dataset, tmp_path):
    for breadth in ("narrow", "broad"):
        path = tmp_path / f"{breadth}.csv"
        path.write_text(labelmap.copy(dataset, breadth), encoding="utf-8")
        known = labelmap.of(dataset, breadth)
        assert labelmap.of(dataset, str(path)).digest == known.digest
        assert labelmap.of(dataset, str(path)).rules == known.rules


def test_a_copy_that_a_spreadsheet_saved_is_read(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbfDataset,Native,Label,Says\r\nnih, Effusion ,Pleural Effusion,same\r\n")
    assert labelmap.of("nih", str(path)).rules == (Rule("Effusion", "Pleural Effusion", "same", "narrow"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            HEADER + "nih,Hernia,Hernia,same,narrow,\nnih,Gout,Goutiness,same,,\n",
            r"mine\.csv, row 3, names the label 'Goutiness'",
        ),
        (
            HEADER + "nih,Effusion,Effusion,same,,\n",
            r"row 2, names the label 'Effusion'; did you mean 'Pleural Effusion'",
        ),
        (
            HEADER + "nih,Hernia,Hernia,maybe,,\n",
            r"mine\.csv says 'maybe', 'narrow' in row 2; expected one of same",
        ),
        (HEADER + "nih,Hernia,Hernia,same,wide,\n", r"mine\.csv says 'same', 'wide' in row 2"),
        (HEADER + "nih,,Hernia,same,,\n", r"mine\.csv names no dataset or no native label in row 2"),
        (HEADER + "kermany,NORMAL,No Finding,same,,\n", r"mine\.csv has no row for 'nih'"),
        ("native,label\nHernia,Hernia\n", r"mine\.csv lacks the column dataset, says"),
        ("", r"mine\.csv is not a table"),
        (HEADER, r"mine\.csv has no row for 'nih'"),
    ],
)
def test_a_wrong_copy_is_one_sentence_with_file_and_row(tmp_path, text, sentence):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=sentence) as told:
        labelmap.of("nih", str(path))
    assert "\n" not in str(told.value)


def test_a_copy_that_is_no_text_is_one_sentence(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"mine\.csv"):
        labelmap.of("nih", str(path))


def test_a_map_that_knows_none_of_the_sites_words_is_refused(lab, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + "kermany,SAIN,No Finding,same,,\n")
    with pytest.raises(
        BadInput, match=r"mine\.csv for 'kermany' has no label for any word that the site says \(NORMAL"
    ):
        ingest.ingest(
            lab, "kermany", kermany_folder(tmp_path / "raw"), "x", workers=1, options={"map": str(path)}
        )
    assert lab.sites() == []


def test_a_map_or_dataset_that_is_not_there_is_explained(tmp_path):
    with pytest.raises(MissingInput, match=r"copy one with `python -m cxrlab labels nih --out FILE`"):
        labelmap.of("nih", str(tmp_path / "none.csv"))
    with pytest.raises(UnknownName, match="no dataset 'nhi'"):
        labelmap.of("nhi")
