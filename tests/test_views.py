"""Rows, targets and splits: what is asked of a store, decided late."""

import numpy as np
import pandas as pd
import pytest

from cxrlab import store, views
from cxrlab.errors import BadSpec

LABELS = ("No Finding", "Pneumonia", "Edema")


def opened(n=6, evidence=None, hints=None, patients=None, site="here"):
    rows = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(n)],
            "patient_id": patients or [f"p{k // 2}" for k in range(n)],
            "split_hint": hints or [""] * n,
        }
    )
    evidence = np.zeros((n, len(LABELS)), np.int8) if evidence is None else np.array(evidence, np.int8)
    header = store.Header(site, "t", "s", LABELS)
    return store.Store(None, header, "d", rows, evidence, pd.DataFrame(), store.empty_boxes(), (), (8, 8))


def test_a_patient_is_in_one_split_only():
    seen = views.view(opened(200), LABELS, external=False)
    of = pd.Series(seen.split).groupby(seen.facts["patient_id"]).nunique()
    assert (of == 1).all() and set(seen.split) == {"train", "val", "test"}


def test_a_split_never_moves_when_rows_are_added():
    few, many = (views.view(opened(n), LABELS, external=False) for n in (20, 200))
    assert many.split[:20].tolist() == few.split.tolist()


def test_splits_are_about_70_10_and_20_per_cent():
    split = pd.Series([views.split_of(str(k), "here") for k in range(20_000)]).value_counts(normalize=True)
    assert split["train"] == pytest.approx(0.7, abs=0.015)
    assert split["val"] == pytest.approx(0.1, abs=0.01)
    assert split["test"] == pytest.approx(0.2, abs=0.012)


def test_equal_patient_numbers_of_two_hospitals_fall_independently():
    same = np.mean([views.split_of(str(k), "a") == views.split_of(str(k), "b") for k in range(5000)])
    assert same == pytest.approx(0.7**2 + 0.1**2 + 0.2**2, abs=0.03)


def test_an_external_site_has_no_training_rows():
    assert set(views.view(opened(), LABELS, external=True).split) == {"external"}


def test_the_official_split_is_used_when_it_is_whole_and_clean():
    hints = ["train", "train", "val", "val", "test", "test"]
    seen = views.view(opened(hints=hints), LABELS, external=False, official_split=True)
    assert seen.split.tolist() == hints


def test_an_official_split_with_gaps_or_a_patient_in_two_parts_is_refused():
    with pytest.raises(BadSpec, match="no official split for 5 rows"):
        views.view(opened(hints=["train"] + [""] * 5), LABELS, external=False, official_split=True)
    with pytest.raises(BadSpec, match="the patient 'p0' is in 2 parts"):
        views.view(opened(hints=["train", "test"] * 3), LABELS, external=False, official_split=True)


def test_truth_masks_uncertain_evidence_and_follows_the_blank_policy_of_each_label():
    evidence = [[0, -1, -2], [-2, -2, -1], [1, -3, 0]]
    seen = views.view(
        opened(3, evidence), LABELS, external=True, blank="ignore", blank_of={"Edema": "negative"}
    )
    nan = np.nan
    np.testing.assert_array_equal(
        seen.y_true, np.array([[0, nan, 0], [nan, nan, nan], [1, nan, 0]], np.float32)
    )
    assert (seen.evidence == np.array(evidence)).all()


def test_labels_come_in_the_order_asked_for_and_a_foreign_one_is_masked():
    evidence = [[0, 1, 0]] * 6
    seen = views.view(opened(evidence=evidence), ("Edema", "Hernia", "Pneumonia"), external=True)
    assert seen.labels == ("Edema", "Hernia", "Pneumonia")
    assert (
        (seen.y_true[:, 0] == 0).all()
        and np.isnan(seen.y_true[:, 1]).all()
        and (seen.y_true[:, 2] == 1).all()
    )


def test_only_keeps_rows_targets_and_facts_together():
    evidence = [[0, k % 2, 0] for k in range(6)]
    seen = views.view(opened(evidence=evidence), LABELS, external=True)
    kept = seen.only(seen.y_true[:, 1] == 1)
    assert len(kept) == 3 and kept.rows.tolist() == [1, 3, 5]
    assert kept.facts["image_id"].tolist() == ["i1", "i3", "i5"] and (kept.y_true[:, 1] == 1).all()
