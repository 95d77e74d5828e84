"""Rules by name: what they choose, their interval, and when max-F1 is refused."""

import numpy as np
import pandas as pd
import pytest

from cxrlab.errors import BadInput
from cxrlab.metrics import bootstrap, choosing, rule_draws, rules
from cxrlab.metrics.rule_names import KINDS, Rule
from cxrlab.predictions import Predictions

VALUES = {"sensitivity": 0.9, "specificity": 0.9, "cost": 5.0}
ALL = [Rule(kind, VALUES.get(kind, 0.0)) for kind in KINDS]


def drawn(n=600, seed=0, share=0.2, digits=2):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(float)
    return y, np.round(rng.beta(2, 5, n) + 0.25 * y, digits).clip(0, 1), rng.integers(0, n // 2, n)


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_the_compiled_draws_are_the_plain_rule_on_the_same_resamples(rule):
    y, s, patient = drawn()
    patient = np.unique(patient, return_inverse=True)[1]
    counts = bootstrap.patient_counts(patient.max() + 1, 70, 3)
    pick = rules.pick_of(rule)
    plain = np.array([pick(cut) for cut in rules.resampled(y, s, (one[patient] for one in counts))])
    found = rule_draws.draws_of(rule, y, s, patient, 70, 3)
    # Equal cuts may be told apart by a score that the draw lacks: what they call must be the same.
    assert np.mean(np.isclose(found, plain)) > 0.95
    assert np.nanmax(np.abs(found - plain)) < 0.05


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_the_interval_holds_the_threshold_and_narrows_with_patients(rule):
    few, many = drawn(400, 1, 0.3, 6), drawn(20_000, 1, 0.3, 6)
    a, b = (choosing.tune_label(*rows[:2], rows[2], rule) for rows in (few, many))
    assert b.low <= b.threshold <= b.high
    assert (b.high - b.low) < (a.high - a.low)


def test_a_sensitivity_is_reached_and_no_higher_cut_reaches_it():
    y, s, patient = drawn(2000)
    at = choosing.tune_label(y, s, patient, Rule("sensitivity", 0.9), draws=0).threshold
    assert (s[y == 1] >= at).mean() >= 0.9
    assert (s[y == 1] >= at + 0.005).mean() < 0.9


def test_dearer_misses_lower_the_cut():
    y, s, patient = drawn(2000, digits=6)
    cheap, dear = (choosing.tune_label(y, s, patient, Rule("cost", c), draws=0).threshold for c in (1, 20))
    assert dear < cheap


def test_max_f1_is_refused_under_thirty_positives_and_other_rules_are_not():
    y, s, patient = drawn(300, share=0.05)
    assert 0 < y.sum() < 30
    refused = choosing.tune_label(y, s, patient, Rule("max-f1"))
    assert np.isnan(refused.threshold) and "too few for max-F1" in refused.why_nan
    assert np.isfinite(choosing.tune_label(y, s, patient, Rule("prevalence")).threshold)


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_a_class_that_is_absent_leaves_no_threshold(rule):
    _, s, patient = drawn(100)
    for y in (np.zeros(100), np.full(100, np.nan)):
        found = choosing.tune_label(y, s, patient, rule)
        assert np.isnan(found.threshold) and found.why_nan


def test_constant_scores_have_one_cut_that_no_specificity_reaches():
    y, _, patient = drawn(500)
    s = np.full(500, 0.3)
    assert choosing.tune_label(y, s, patient, Rule("max-f1")).threshold == 0.3
    found = choosing.tune_label(y, s, patient, Rule("specificity", 0.9))
    assert np.isnan(found.threshold) and found.why_nan == "no score reaches specificity 0.9"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("best"), "no rule named"),
        (Rule("sensitivity", 1.0), "between 0 and 1"),
        (Rule("cost", 0), "more than 0"),
    ],
)
def test_a_rule_that_cannot_be_is_a_sentence(rule, words):
    with pytest.raises(BadInput, match=words):
        rules.pick_of(rule)


def home(n=900):
    rng = np.random.default_rng(2)
    split = rng.choice(["train", "val", "test"], n)
    common, rare = (rng.random(n) < 0.3).astype(float), (rng.random(n) < 0.03).astype(float)
    table = pd.DataFrame({
        "image_id": np.arange(n).astype(str), "row": -1, "patient_id": np.arange(n).astype(str), "split": split,
        "age_years": np.nan, "sex": "", "view": "", "y:Edema": common, "logit:Edema": rng.normal(0, 1, n) + common,
        "y:Hernia": rare, "logit:Hernia": rng.normal(0, 1, n) + rare,
    })  # fmt: skip
    return Predictions(table, "run", "home", "", "", "0", True)


def test_a_set_reads_validation_rows_only_and_refuses_or_matches_as_asked():
    scores = home()
    made = choosing.tune_set(scores, Rule("max-f1"))
    assert np.isfinite(made.of("Edema")) and np.isnan(made.of("Hernia"))
    assert made.rule == "max-f1" and made.tuned_on == "home val"
    spoiled = scores.table.assign(
        **{"logit:Edema": scores.table["logit:Edema"].where(scores.table["split"] == "val", 9)}
    )
    again = choosing.tune_set(Predictions(spoiled, "run", "home", "", "", "0", True), Rule("max-f1"))
    assert again.labels["Edema"] == made.labels["Edema"]
    matched = choosing.tune_set(scores, Rule("max-f1"), instead=True).labels["Hernia"]
    assert matched.rule == "prevalence" and "too few" in matched.why_rule and np.isfinite(matched.threshold)


@pytest.mark.parametrize("rule", ALL, ids=str)
def test_a_rule_is_read_back_from_its_name(rule):
    assert Rule.parse(str(rule)) == rule
    assert Rule.parse("by hand") is None and Rule.parse("sensitivity high") is None
