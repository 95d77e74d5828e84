"""The ieee8023 collection, current and older."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.sites import SITES
from cxrlab.sites.covid import said_of

SITE = SITES["covid"]


@pytest.fixture
def raw(tmp_path):
    spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.fake_raw_folder(tmp_path)
    return tmp_path


def evidence_of(finding, known=None):
    known = known or labelmap.of("covid")
    return labelmap.harmonise(said_of([finding, "No Finding"], known), known)[1][0].tolist()


def test_only_frontal_radiographs_are_kept_and_the_rest_is_explained(raw):
    found = SITE.read(raw, "covid", {})
    assert found.rows["source_file"].tolist() == [
        f"images/{n}" for n in ("a.jpg", "b.jpeg", "c.png", "d.png", "e.png", "f.png")
    ]
    assert dict(found.quarantine) == {
        "images/g.png": "view L, not frontal",
        "images/h.png": "modality CT, no radiograph",
        "gone.png": "the table names it but there is no such image",
    }


def test_a_view_that_is_not_said_stays_empty(raw):
    rows = SITE.read(raw, "covid", {}).rows
    assert rows["view"].tolist() == ["PA", "AP", "", "", "AP", "PA"]


def test_evidence_is_never_invented(raw):
    found = SITE.read(raw, "covid", {})
    assert found.evidence.tolist() == [[0, 1], [0, 1], [1, 0], [0, -3], [-3, -3], [0, -3]]


@pytest.mark.parametrize(
    "finding", ["SARS", "Pneumocystis", "E.Coli", "Mycoplasma Bacterial Pneumonia", "MERS-CoV", "Lipoid"]
)
def test_the_older_flat_spelling_of_a_pneumonia_counts(finding):
    assert evidence_of(finding) == [0, 1]


def test_an_older_table_with_other_capitals_and_fewer_columns_is_read(raw):
    new = pd.read_csv(raw / "metadata.csv", dtype=str, keep_default_na=False)
    old = new[["patientid", "finding", "view", "filename"]].rename(columns={"patientid": "Patientid"})
    old = old[~new["modality"].eq("CT")]
    old.to_csv(raw / "metadata.csv", index=False)
    found = SITE.read(raw, "covid", {})
    assert len(found.rows) == 6 and found.rows["age_years"].isna().all()


def test_a_missing_column_or_file_is_explained(raw, tmp_path_factory):
    with pytest.raises(MissingInput, match=r"metadata\.csv"):
        SITE.read(tmp_path_factory.mktemp("empty"), "covid", {})
    (raw / "metadata.csv").write_text("patientid,view,filename\n1,PA,a.jpg\n")
    with pytest.raises(BadInput, match="lacks the column finding"):
        SITE.read(raw, "covid", {})


def test_every_native_finding_is_in_the_ledger(raw):
    ledger = SITE.read(raw, "covid", {}).header.ledger
    assert {entry["native"] for entry in ledger} >= {"ARDS", "todo", "COVID-19", "Tuberculosis"}
    assert {e["native"] for e in ledger if e["note"].startswith("another disease")} == {
        "ARDS",
        "Tuberculosis",
    }


@pytest.mark.parametrize(
    ("finding", "evidence"),
    [
        ("Pneumonia/Viral/COVID-19", [0, 1]),  # hierarchical
        ("Pneumonia/Lipoid", [0, 1]),
        ("COVID-19, ARDS", [0, 1]),  # flat
        ("No Finding, ARDS", [0, -3]),  # "none" beside a disease is none no more
        ("Tuberculosis", [0, -3]),
        ("no  finding", [1, 0]),
        ("Unknown", [-3, -3]),
        ("", [-3, -3]),
    ],
)
def test_a_finding_hierarchical_or_flat_says_what_it_says(finding, evidence):
    assert evidence_of(finding) == evidence


def test_an_edited_map_changes_what_counts_as_pneumonia(raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("map") / "mine.csv"
    text = labelmap.copy("covid").replace(
        "covid,pneumonia/*,Pneumonia,positive", "covid,pneumonia/*,,positive"
    )
    path.write_text(text + "covid,tuberculosis,Pneumonia,positive,narrow,\n")
    found = SITE.read(raw, "covid", {"map": str(path)})
    # The hierarchical COVID-19 says nothing of pneumonia now, the flat one still does, tuberculosis does.
    assert found.evidence[:, found.header.labels.index("Pneumonia")].tolist() == [-3, 1, 0, -3, -3, 1]
    assert found.label_map.origin == "mine.csv"


def test_the_real_folder_is_read(realdata):
    found = SITE.read(realdata / "covid", "covid", {})
    assert len(found.rows) == 470 and found.rows["patient_id"].nunique() == 292
    assert (found.evidence == -3).all(axis=1).sum() == 61
