from cxrlab import references
from cxrlab.labels import VOCABULARY


def test_every_row_is_a_number_of_a_known_label_with_its_source():
    table = references.table()
    assert list(table.columns) == list(references.COLUMNS)
    assert table["auroc"].between(0.5, 1).all() and set(table["label"]) <= set(VOCABULARY)
    assert table.notna().all(axis=None)
    assert not table.duplicated(["train", "test", "label", "source", "model"]).any()


def test_rows_that_contradict_their_own_source_are_not_there():
    table = references.table()
    theirs = table[table["source"].str.startswith("Pooch")]
    assert not ((theirs["test"] == "nih") & (theirs["train"] != "nih")).any()


def test_what_fits_two_sites_comes_with_home_beside_it():
    found = references.beside("kermany", ["kermany", "nih"], "Pneumonia")
    assert found[["site", "auroc"]].to_numpy().tolist() == [["kermany", 0.95], ["nih", 0.54]]
    assert references.beside("nih", ["chexpert"], "Edema")["auroc"].tolist() == [0.858]


def test_without_a_home_models_trained_anywhere_are_offered():
    anywhere = references.beside("", ["chexpert"], "Edema")
    assert anywhere["train"].nunique() > 1 and set(anywhere["site"]) == {"chexpert"}


def test_nothing_is_offered_for_sites_that_nobody_published():
    assert references.beside("riverside", ["nih"], "Pneumonia").empty
    assert references.beside("nih", ["riverside"], "Pneumonia").empty
    assert references.beside("chexpert", ["vindr"], "Edema").empty
