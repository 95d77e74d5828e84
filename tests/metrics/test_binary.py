import numpy as np
import pytest
from sklearn import metrics as sk

from cxrlab.metrics import binary


def test_numbers_at_a_threshold_are_right_by_hand():
    counts = binary.confusion(np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1, 0.2]), 0.5)
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (1, 1, 1, 2)
    assert (counts.sensitivity, counts.specificity, counts.ppv) == (0.5, 2 / 3, 0.5)
    assert counts.f1 == 0.5


def test_a_score_at_the_threshold_is_positive():
    assert binary.confusion(np.array([1.0]), np.array([0.5]), 0.5).tp == 1


def test_numbers_are_scikit_learns(random_rows, rng):
    for y_true, score in random_rows:
        weight = rng.random(len(y_true))
        called = score >= 0.4
        counts = binary.confusion(y_true, score, 0.4, weight)
        if called.all() or not called.any():
            continue
        w = {"sample_weight": weight}
        assert counts.mcc == pytest.approx(sk.matthews_corrcoef(y_true, called, **w), abs=1e-12)
        assert counts.f1 == pytest.approx(sk.f1_score(y_true, called, **w), abs=1e-12)
        assert counts.balanced_accuracy == pytest.approx(
            sk.balanced_accuracy_score(y_true, called, **w), abs=1e-12
        )
        assert counts.ppv == pytest.approx(sk.precision_score(y_true, called, **w), abs=1e-12)


def test_average_precision_is_scikit_learns(random_rows):
    for y_true, score in random_rows:
        expected = sk.average_precision_score(y_true, score)
        assert binary.average_precision(y_true, score) == pytest.approx(expected, abs=1e-12)


def test_where_scikit_learn_says_zero_or_one_for_a_missing_class_we_say_why_not():
    counts = binary.confusion(np.zeros(10), np.zeros(10), 0.5)
    for name in ("mcc", "balanced_accuracy", "f1", "sensitivity"):
        assert np.isnan(getattr(counts, name))
        assert counts.why_nan(name) == "no positive images"
    assert np.isnan(binary.average_precision(np.zeros(10), np.arange(10.0)))
    assert np.isnan(binary.average_precision(np.ones(10), np.arange(10.0)))


def test_a_model_that_never_says_yes_has_no_ppv_and_no_mcc_but_an_f1_of_zero():
    counts = binary.confusion(np.array([0, 1] * 5), np.zeros(10), 0.5)
    assert np.isnan([counts.ppv, counts.mcc]).all()
    assert counts.why_nan("mcc") == "no image is called positive"
    assert (counts.f1, counts.sensitivity, counts.why_nan("f1")) == (0, 0, "")


def test_an_undefined_threshold_calls_nothing():
    with pytest.raises(ValueError, match="undefined threshold"):
        binary.confusion(np.array([0, 1]), np.array([0.1, 0.9]), np.nan)


def test_standardised_numbers_are_those_of_a_resampled_site(rng):
    y_true = (rng.random(4000) < 0.1).astype(float)
    score = rng.normal(size=4000) + y_true
    counts = binary.confusion(y_true, score, 0.5)
    weight = np.where(y_true == 1, 0.3 / y_true.mean(), 0.7 / (1 - y_true.mean()))
    expected = binary.confusion(y_true, score, 0.5, weight)
    standard = binary.at_prevalence(counts, 0.3)
    assert standard.ppv == pytest.approx(expected.ppv)
    assert standard.f1 == pytest.approx(expected.f1)
    assert standard.sensitivity == pytest.approx(counts.sensitivity)
    assert np.isnan(binary.at_prevalence(binary.confusion(np.zeros(3), np.zeros(3), 0.5), 0.3).f1)


def test_average_precision_at_another_prevalence_is_that_of_a_reweighted_site(random_rows):
    for y_true, score in random_rows[:6]:
        weight = np.where(y_true == 1, 0.4 / y_true.mean(), 0.6 / (1 - y_true.mean()))
        expected = sk.average_precision_score(y_true, score, sample_weight=weight)
        assert binary.average_precision(y_true, score, prevalence=0.4) == pytest.approx(expected, abs=1e-12)
