import numpy as np
import pytest

from cxrlab import report
from cxrlab.predictions import ABNORMAL
from tests.planted_predictions import predictions


@pytest.fixture
def gate():
    return predictions("home", home=True, labels=(ABNORMAL,))


def test_a_flat_model_is_asked_by_its_no_finding_turned_round(gate):
    flat = predictions("home", home=True, labels=("No Finding", "Edema"), seed=3)
    flat.table["logit:No Finding"] = -gate.table[f"logit:{ABNORMAL}"]
    same = report.as_gate(flat, gate)
    assert np.allclose(same.logit(), gate.logit()) and np.array_equal(same.y_true(), gate.y_true())
    table = report.operating_point({"gate": (gate, []), "flat": (same, [])}, ABNORMAL, "sensitivity", 0.9)
    assert table["specificity"].nunique() == 1, "the same scores give the same point"


def test_without_no_finding_its_surest_finding_counts(gate):
    flat = predictions("home", home=True, labels=("Edema", "Pneumonia"))
    said = report.as_gate(flat, gate).logit()[:, 0]
    assert np.array_equal(said, flat.logit().max(axis=1))


def test_a_better_flat_model_is_found_better_at_the_same_sensitivity(gate):
    flat = predictions("home", home=True, labels=("No Finding",), seed=3)
    truth = gate.table[f"y:{ABNORMAL}"]
    flat.table["logit:No Finding"] = -(6 * truth + np.random.default_rng(0).normal(size=len(truth)))
    table = report.operating_point(
        {"gate": (gate, []), "flat": (report.as_gate(flat, gate), [])}, ABNORMAL, "sensitivity", 0.9
    ).set_index("name")
    assert table.loc["flat", "specificity"] > table.loc["gate", "specificity"] + 0.1


def test_only_images_that_both_scored_count(gate):
    flat = predictions("home", home=True, n=400, labels=("No Finding",))
    assert len(report.as_gate(flat, gate).table) == 400
