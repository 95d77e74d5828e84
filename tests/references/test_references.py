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
    found = references.for_("kermany", "nih", "Pneumonia")
    assert found[["where", "auroc"]].to_numpy().tolist() == [["internal", 0.95], ["external", 0.54]]
    assert references.for_("nih", "chexpert", "Edema").query("where == 'external'")["auroc"].tolist() == [
        0.858
    ]


def test_nothing_is_offered_for_sites_that_nobody_published():
    assert references.for_("riverside", "nih").empty
    assert references.for_("nih", "riverside").empty
    assert references.for_("chexpert", "vindr", "Edema").empty
