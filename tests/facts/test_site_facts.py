"""What a site holds: counts that must add up, intervals that must not pretend."""

import numpy as np
import pytest

from cxrlab import store
from cxrlab.facts import site_facts
from tests import fake_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = fake_lab.Lab(tmp_path_factory.mktemp("lab"))
    for site in fake_lab.N_IMAGES:
        fake_lab.write_store(lab, site, np.random.default_rng(3))
    return lab


def test_evidence_counts_add_up_to_the_images(lab):
    read = store.read(lab.store(fake_lab.HOME))
    counts = site_facts.evidence_counts(read)
    assert (counts.groupby("label")["images"].sum() == len(read)).all()


def test_a_label_that_a_site_lacks_is_not_annotated_and_its_prevalence_undefined(lab):
    read = store.read(lab.store(fake_lab.LAKEVIEW))
    counts = site_facts.evidence_counts(read, (fake_lab.ABSENT,))
    assert counts.set_index("evidence")["images"]["not annotated"] == len(read)
    row = site_facts.prevalence(read, (fake_lab.ABSENT,)).iloc[0]
    assert np.isnan(row["prevalence"])
    assert row["why_nan"]


def test_prevalence_finds_what_was_planted(lab):
    read = store.read(lab.store(fake_lab.HOME))
    table = site_facts.prevalence(read).set_index("label")
    for label, planted in fake_lab.PREVALENCE.items():
        if label != "No Finding":
            # uncertain images take some of the negatives away
            assert table.loc[label, "low"] - 0.02 < planted < table.loc[label, "high"] + 0.02, label


def test_an_interval_of_one_image_a_patient_is_wilsons():
    value, low, high = site_facts.share_interval(np.r_[np.ones(10), np.zeros(30)], np.arange(40))
    assert value == 0.25
    assert low == pytest.approx(0.1419, abs=2e-4)  # Wilson 1927 for 10 of 40
    assert high == pytest.approx(0.4019, abs=2e-4)


def test_copies_of_an_image_do_not_narrow_an_interval():
    y, patient = np.r_[np.ones(10), np.zeros(30)], np.arange(40)
    once = site_facts.share_interval(y, patient)
    thrice = site_facts.share_interval(np.tile(y, 3), np.tile(patient, 3))
    assert thrice == pytest.approx(once)


def test_an_interval_of_agreeing_images_has_width():
    value, low, high = site_facts.share_interval(np.zeros(30), np.arange(30))
    assert (value, low) == (0, 0)
    assert 0.05 < high < 0.2


def test_no_images_have_no_share():
    assert np.isnan(site_facts.share_interval(np.array([]), np.array([]))).all()


def test_cooccurrence_is_one_on_its_diagonal(lab):
    table = site_facts.cooccurrence(store.read(lab.store(fake_lab.HOME)))
    same = table[table["given"] == table["also"]]
    assert (same["share"] == 1).all()


def test_filters_find_exactly_their_rows(lab):
    read = store.read(lab.store(fake_lab.HOME))
    found = site_facts.find(read, site_facts.Wanted("Pneumonia", "positive"))
    assert (read.evidence[found, read.header.labels.index("Pneumonia")] == 1).all()
    parts = [len(site_facts.find(read, site_facts.Wanted(split=split))) for split in ("train", "val", "test")]
    assert sum(parts) == len(read)


def test_a_ledger_says_what_was_left_out(lab):
    table = site_facts.ledger(store.read(lab.store(fake_lab.HOME)).header.ledger)
    assert "left out" in set(table["label"])


def test_a_site_without_ages_and_sexes_says_so(lab):
    read = store.read(lab.store(fake_lab.HOME))
    rows = read.rows.assign(age_years=np.nan, sex="")
    bare = type(read)(**{**vars(read), "rows": rows})
    found = site_facts.summary(bare)
    assert np.isnan([found.age_median, found.female]).all()
    assert found.age_known == 0
    assert site_facts.ages(bare)["share"].isna().all()


def test_every_filter_keeps_only_what_it_names(lab):
    read = store.read(lab.store(fake_lab.HOME))
    women = site_facts.find(read, site_facts.Wanted(sex="F"))
    assert len(women) and set(read.rows["sex"].iloc[women]) == {"F"}
    young = site_facts.find(read, site_facts.Wanted(age=(0, 40)))
    assert read.rows["age_years"].iloc[young].max() <= 40
    name = read.rows["image_id"][7]
    assert 7 in site_facts.find(read, site_facts.Wanted(said=name.upper()))
    assert not len(site_facts.find(read, site_facts.Wanted(said="no such image anywhere")))


def test_shares_of_a_fact_add_up(lab):
    table = site_facts.shares(store.read(lab.store(fake_lab.HOME)), "sex")
    assert table["share"].sum() == pytest.approx(1)
