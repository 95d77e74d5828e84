import json

import numpy as np
import pytest
from sklearn import metrics as sk

from cxrlab.errors import BadInput, MissingInput
from cxrlab.metrics import rules, thresholds
from tests.planted_predictions import predictions


def test_best_f1_is_the_maximum_of_scikit_learns_curve_and_is_reached(random_rows):
    for y_true, score in random_rows:
        threshold, f1 = thresholds.best_f1(y_true, score)
        precision, recall, _ = sk.precision_recall_curve(y_true, score)
        curve = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
        assert f1 == pytest.approx(curve.max(), abs=1e-12)
        assert sk.f1_score(y_true, score >= threshold) == pytest.approx(f1, abs=1e-12)


def test_best_f1_needs_both_classes_and_leaves_masked_rows_out():
    assert np.isnan(thresholds.best_f1(np.zeros(5), np.arange(5.0))).all()
    assert np.isnan(thresholds.best_f1(np.ones(5), np.arange(5.0))).all()
    y_true, score = np.array([0, 1, np.nan, 1]), np.array([0.1, 0.8, 0.99, np.nan])
    assert thresholds.best_f1(y_true, score) == (0.8, 1.0)


def test_constant_scores_have_one_cut():
    assert thresholds.best_f1(np.array([0, 1, 0, 1]), np.full(4, 0.3)) == (0.3, pytest.approx(2 / 3))


def test_target_rules_are_met_and_not_overshot(random_rows):
    for y_true, score in random_rows:
        for target in (0.5, 0.9, 1.0):
            at = rules.apply(rules.pick_sensitivity(target), y_true, score)
            assert (score[y_true == 1] >= at).mean() >= target
            higher = score[score > at]
            if len(higher):
                assert (score[y_true == 1] >= higher.min()).mean() < target
            at = rules.apply(rules.pick_specificity(target), y_true, score)
            assert (score[y_true == 0] < at).mean() >= target


def test_youden_is_the_best_of_all_thresholds(random_rows):
    for y_true, score in random_rows:

        def index(at, y_true=y_true, score=score):
            return (score[y_true == 1] >= at).mean() - (score[y_true == 0] >= at).mean()

        best = max(index(at) for at in np.unique(score))
        assert index(rules.apply(rules.pick_youden, y_true, score)) == pytest.approx(best)


def test_prevalence_matching_calls_as_many_positive_as_are():
    y_true, score = np.array([0, 0, 1, 0, 1, 0]), np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert (score >= rules.apply(rules.pick_prevalence, y_true, score)).sum() == 2


def test_a_cost_rule_needs_only_costs():
    assert rules.at_cost(1, 4) == 0.2


def test_tuning_reads_validation_rows_only():
    home = predictions(home=True, n=3000)
    tuned = thresholds.tune(home, seed=0)
    table = home.table.copy()
    elsewhere = (table["split"] != "val").to_numpy()
    table.loc[elsewhere, "logit:Edema"] = 50.0
    table.loc[elsewhere, "y:Edema"] = 1.0
    spoiled = type(home)(table, *list(vars(home).values())[1:])
    assert thresholds.tune(spoiled, seed=0).labels["Edema"] == tuned.labels["Edema"]
    assert tuned.tuned_on == f"{home.site} val"
    one = tuned.labels["Edema"]
    assert one.low <= one.threshold <= one.high
    assert one.rule == "max-f1"


def test_under_thirty_positives_max_f1_is_refused_and_prevalence_matched():
    home = predictions(home=True, n=300, prevalence=0.1)
    one = thresholds.tune(home).labels["Edema"]
    assert one.rule == "prevalence"
    assert one.why_rule == f"{one.n_pos} positive images are too few for max-F1 (at least 30)"
    assert not np.isnan(one.threshold)


def test_no_positive_or_no_validation_row_means_no_threshold():
    empty = thresholds.tune(predictions(home=True, n=300, prevalence=0.0)).labels["Edema"]
    assert np.isnan(empty.threshold)
    assert empty.why_nan == "no positive images"
    external = thresholds.tune(predictions(n=100))
    assert external.labels["Edema"].why_nan == "no annotated images"
    assert np.isnan(external.of("Edema"))
    assert external.why_not("Hernia") == "no threshold was tuned for this label"


def test_the_interval_of_a_threshold_is_wider_with_fewer_patients():
    few, many = (thresholds.tune(predictions(home=True, n=n)).labels["Edema"] for n in (900, 9000))
    assert many.high - many.low < few.high - few.low


def test_a_set_reads_back_as_it_was_written_and_undefined_is_null(tmp_path):
    home = predictions(home=True, n=900)
    home.table["y:Pneumonia"] = 0.0
    tuned = thresholds.tune(home, seed=2, name="mine")
    thresholds.write(tmp_path / "t.json", tuned)
    text = json.loads((tmp_path / "t.json").read_text())
    assert text["format"] == "cxrlab-thresholds"
    assert text["labels"]["Pneumonia"]["threshold"] is None
    assert thresholds.read(tmp_path / "t.json").table().equals(tuned.table())


HEAD = '"format": "cxrlab-thresholds", "version": 1, "name": "x", "run": "r", "rule": "m", "tuned_on": "t"'


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": "cxrlab-thresholds", "version": 2}',
        '{"format": "cxrlab-thresholds", "version": 1, "name": "x"}',
        f'{{{HEAD}, "labels": {{"Edema": {{"threshold": "high"}}}}}}',
        f'{{{HEAD}, "labels": {{"Edema": 0.5}}}}',
    ],
)
def test_a_file_that_is_no_set_is_refused_with_a_sentence(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"t\.json"):
        thresholds.read(path)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(MissingInput, match="no thresholds at"):
        thresholds.read(tmp_path / "none.json")


def test_the_cuts_of_a_resample_are_those_of_its_rows(random_rows, rng):
    for y_true, score in random_rows[:8]:
        times = rng.integers(0, 3, len(y_true)).astype(np.uint8)
        [resample] = rules.resampled(y_true, score, [times])
        plain = rules.cuts(np.repeat(y_true, times), np.repeat(score, times))
        for pick in (rules.pick_f1, rules.pick_youden, rules.pick_prevalence, rules.pick_sensitivity(0.8)):
            assert pick(resample) == pick(plain)
    assert list(rules.resampled(np.array([0, 1.0]), np.array([0.1, 0.2]), [np.array([2, 0])])) == [None]


def test_max_f1_at_another_prevalence_is_that_of_a_reweighted_site(rng):
    y_true = (rng.random(3000) < 0.3).astype(float)
    score = rng.normal(size=3000) + 1.5 * y_true
    rare = rules.apply(rules.pick_f1_at_prevalence(0.05), y_true, score)
    assert rare > rules.best_f1(y_true, score)[0]
    same = rules.apply(rules.pick_f1_at_prevalence(y_true.mean()), y_true, score)
    assert same == rules.best_f1(y_true, score)[0]
    assert np.isnan(rules.apply(rules.pick_f1, np.zeros(4), np.arange(4.0)))


def test_a_rate_needs_no_truths():
    assert rules.at_rate(np.array([0.1, 0.2, 0.3, np.nan, 0.4]), 0.5) == 0.3
    assert np.isnan(rules.at_rate(np.array([np.nan]), 0.5))
