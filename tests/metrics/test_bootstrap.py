import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxrlab.metrics import auroc, bootstrap, rules


def test_each_draw_is_scikit_learns_auroc_with_patient_counts_as_weights(random_rows, rng):
    for y_true, score in random_rows[:6]:
        patient = rng.integers(0, max(3, len(y_true) // 3), len(y_true))
        draws = bootstrap.auroc_draws(y_true, score, patient, 70, seed=3)  # more than one block
        codes = auroc.codes_of(patient)
        for b, counts in enumerate(bootstrap.patient_counts(codes.max() + 1, 70, seed=3)):
            weight = counts[codes].astype(float)
            if (weight * y_true).sum() and (weight * (1 - y_true)).sum():
                expected = roc_auc_score(y_true, score, sample_weight=weight)
                assert draws[b, 0] == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(draws[b, 0])


def test_masked_and_unscored_rows_are_left_out(random_rows):
    y_true, score = random_rows[0]
    patient = np.arange(len(y_true))
    hole = np.arange(len(y_true)) % 5 == 2
    masked = bootstrap.auroc_draws(np.where(hole, np.nan, y_true), score, patient, 20, seed=0)
    unscored = bootstrap.auroc_draws(y_true, np.where(hole, np.nan, score), patient, 20, seed=0)
    np.testing.assert_array_equal(masked, unscored)
    assert not np.array_equal(masked, bootstrap.auroc_draws(y_true, score, patient, 20, seed=0))


def test_a_seed_gives_the_same_draws_on_one_core_and_many_and_another_seed_others(random_rows, monkeypatch):
    y_true, score = random_rows[2]
    patient = np.arange(len(y_true)) // 2
    many = bootstrap.auroc_draws(y_true, score, patient, 200, seed=5)
    monkeypatch.setattr(bootstrap, "_cores", lambda: 1)
    np.testing.assert_array_equal(many, bootstrap.auroc_draws(y_true, score, patient, 200, seed=5))
    np.testing.assert_array_equal(many[:90], bootstrap.auroc_draws(y_true, score, patient, 90, seed=5))
    assert not np.array_equal(many, bootstrap.auroc_draws(y_true, score, patient, 200, seed=6))


def test_patients_are_drawn_like_with_replacement():
    counts = np.array(list(bootstrap.patient_counts(500, 400, seed=1))).astype(float)
    assert (counts.sum(axis=1) == 500).all()
    assert np.abs(counts.mean(axis=0) - 1).max() < 0.3  # every patient, the first and the last too
    assert counts.var() == pytest.approx(1 - 1 / 500, abs=0.02)
    assert abs(np.corrcoef(counts[:, 0], counts[:, 1])[0, 1]) < 0.15


def test_draws_without_a_class_are_undefined_and_counted():
    y_true, score = np.array([1.0, *[0] * 30]), np.arange(31.0)
    draws = bootstrap.auroc_draws(y_true, score, np.arange(31), 300, seed=0)
    low, high, undefined = bootstrap.interval_of(draws)
    assert 60 < undefined[0] < 160  # the one positive patient misses a draw with probability 1/e
    assert (low[0], high[0]) == (0, 0)
    nothing = bootstrap.auroc_draws(np.zeros(31), score, np.arange(31), 10, seed=0)
    assert np.isnan(nothing).all()
    assert np.isnan(bootstrap.interval_of(nothing)[0]).all()


def test_an_empty_table_gives_undefined_draws():
    assert np.isnan(bootstrap.auroc_draws(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), 5, seed=0)).all()


def test_the_compiled_max_f1_of_each_draw_is_the_plain_one(random_rows, rng):
    for y_true, score in random_rows[:8]:
        patient = np.unique(rng.integers(0, 1 + len(y_true) // 3, len(y_true)), return_inverse=True)[1]
        draws = bootstrap.best_f1_draws(y_true, score, patient, 70, seed=2)
        counts = bootstrap.patient_counts(patient.max() + 1, 70, seed=2)
        times = [one[patient] for one in counts]
        for found, cut in zip(draws, rules.resampled(y_true, score, times), strict=True):
            assert np.isnan(found) if cut is None else found == rules.pick_f1(cut)
