"""The verb `leaks`, and what it finds in real radiographs."""

import json

import numpy as np
import pytest

from cxrlab import ingest, store
from cxrlab.__main__ import main
from cxrlab.leaks import survey
from tests.leaks import kit


@pytest.fixture
def two_sites(lab):
    pictures = kit.drawn("north", 30, 0)
    kit.write(lab, "east", pictures)
    kit.write(
        lab, "west", np.concatenate([kit.drawn("south", 30, 1), pictures[:4], pictures[:2]]), dataset="nih"
    )
    return lab


def told(capsys, *sites):
    assert main(["leaks", *sites, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_pair_of_sites_is_told(two_sites, capsys):
    said = told(capsys)
    (row,) = said["between"]
    assert (row["a"], row["b"], row["n_copies_a"], row["n_copies_b"]) == ("east", "west", 4, 6)
    assert row["kin"] == "" and not row["patients_comparable"]
    assert {(a, b) for a, b, _ in row["pairs"]} >= {(f"east-{i}", f"west-{30 + i}") for i in range(4)}


def test_copies_under_other_patients_names_are_counted_and_their_splits_named(two_sites, capsys):
    assert main(["leaks", "west"]) == 0
    text = capsys.readouterr().out
    assert "west: 2 pairs of near-duplicates under different patients' names" in text and "west-34" in text
    within = told(capsys, "west")["within"][0]
    expected = {f"west-p{i}": kit_split(f"west-p{i}") for i in (30, 31, 34, 35)}
    for pair in within["pairs"]:
        assert (pair["split"], pair["other_split"]) == (
            expected[pair["patient"]],
            expected[pair["other_patient"]],
        )
    assert within["n_across"] == sum(pair["split"] != pair["other_split"] for pair in within["pairs"])


def kit_split(patient):
    from cxrlab import views

    return views.split_of(patient, "west")


def test_a_site_without_copies_says_so(two_sites, capsys):
    assert main(["leaks", "east", "west"]) == 0
    assert "east: no image under two patients' names among 30" in capsys.readouterr().out


def test_an_unknown_site_is_a_sentence(two_sites, capsys):
    assert main(["leaks", "nowhere"]) == 2
    assert "no site 'nowhere'" in capsys.readouterr().err


def test_an_empty_lab_has_nothing_to_compare(lab, capsys):
    assert main(["leaks"]) == 0
    assert "nothing to compare" in capsys.readouterr().out


def test_guangzhous_pneumonias_are_found_in_pneumoniamnist_at_28_pixels(realdata, lab):
    """Its train and val parts are the same images, its test part is not: the truth is known."""
    ingest.ingest(lab, "kermany", realdata / "guangzhou", "guangzhou", px=96, limit=300, workers=2)
    ingest.ingest(lab, "medmnist", realdata / "medmnist", "small", px=28, workers=1)
    big, small = (store.read(lab.store(site)) for site in ("guangzhou", "small"))
    found = survey.between(lab, big, small)
    sick = {
        name
        for name, label in zip(big.rows["image_id"], big.rows["native_label"], strict=True)
        if "PNEU" in label
    }
    found_sick = {a for a, _, _ in found.pairs} & sick
    assert len(found_sick) >= 0.97 * len(sick)
    assert not any(b.startswith("test") for _, b, _ in found.pairs)
    label = dict(
        zip(
            small.rows["image_id"],
            small.evidence[:, small.header.labels.index("Pneumonia")] == 1,
            strict=True,
        )
    )
    assert all(label[b] == (a in sick) for a, b, _ in found.pairs)
    assert "PneumoniaMNIST is the Guangzhou set" in found.kin


def test_the_covid_collection_holds_known_copies_and_nothing_of_nih(realdata, lab):
    for site in ("covid", "nih"):
        ingest.ingest(lab, site, realdata / site, site, px=128, workers=2)
    covid, nih = store.read(lab.store("covid")), store.read(lab.store("nih"))
    assert survey.between(lab, covid, nih).pairs == ()
    pairs = {frozenset((one.image, one.other)) for one in survey.within(lab, covid).pairs}
    assert frozenset(("4-x-day8.jpg", "extubation-8.jpg")) in pairs and 10 <= len(pairs) <= 20
    assert survey.within(lab, nih).pairs == ()
