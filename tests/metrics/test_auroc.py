import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from cxrlab.metrics import auroc, bootstrap, influence

LABELS = ["Edema", "Pneumonia"]


def one(y_true, score, patient=None, label="Edema"):
    patient = np.arange(len(y_true)) if patient is None else patient
    return auroc.by_label(
        np.asarray(y_true, float), np.asarray(score, float), np.asarray(patient), [label]
    ).iloc[0]


def brute(y_true, score):
    """AUROC and DeLong's variance by comparing every positive with every negative."""
    pos, neg = score[y_true == 1], score[y_true == 0]
    wins = (pos[:, None] > neg) + 0.5 * (pos[:, None] == neg)
    v10, v01 = wins.mean(axis=1), wins.mean(axis=0)
    return wins.mean(), v10.var(ddof=1) / len(pos) + v01.var(ddof=1) / len(neg)


def test_auroc_is_right_by_hand():
    assert auroc.auroc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
    assert auroc.auroc(np.array([0, 1, 1]), np.array([0.5, 0.5, 0.9])) == 0.75


def test_auroc_is_scikit_learns(random_rows):
    for y_true, score in random_rows:
        assert auroc.auroc(y_true, score) == pytest.approx(sk.roc_auc_score(y_true, score), abs=1e-12)


def test_a_weighted_auroc_is_scikit_learns(random_rows, rng):
    for y_true, score in random_rows:
        weight = rng.random(len(y_true))
        expected = sk.roc_auc_score(y_true, score, sample_weight=weight)
        assert auroc.auroc(y_true, score, weight) == pytest.approx(expected, abs=1e-12)


def test_delongs_variance_is_that_of_all_pairs(random_rows):
    for y_true, score in random_rows:
        theta, variance = brute(y_true, score)
        assert auroc.auroc(y_true, score) == pytest.approx(theta, abs=1e-12)
        assert auroc.delong_variance(y_true, score) == pytest.approx(variance, abs=1e-10)


def test_one_image_a_patient_gives_delongs_standard_error(random_rows):
    for y_true, score in random_rows:
        assert one(y_true, score).se ** 2 == pytest.approx(auroc.delong_variance(y_true, score), rel=1e-12)


def test_the_influence_of_all_rows_sums_to_zero(random_rows):
    for y_true, score in random_rows:
        assert influence.of_rows(y_true, score)[1].sum() == pytest.approx(0, abs=1e-12)


def test_the_clustered_standard_error_is_that_of_a_patient_bootstrap_and_delongs_is_too_small(study, rng):
    y_true, score, patient = study(rng, 1500, 0.2, 0.8)
    row = one(y_true, score, patient)
    draws = bootstrap.auroc_draws(y_true[:, None], score[:, None], patient, 3000, seed=1)
    assert row.se == pytest.approx(draws.std(), rel=0.05)
    assert np.sqrt(auroc.delong_variance(y_true, score)) < 0.85 * row.se


def test_the_standard_error_knows_patients_with_images_of_both_classes(rng):
    """What makes one patient's positives score high lifts the patient's negatives too, and cancels in part."""
    patient = np.repeat(np.arange(400), 6)
    y_true = (rng.random(2400) < 0.4).astype(float)
    score = 0.95 * rng.normal(size=400)[patient] + 0.3 * rng.normal(size=2400) + 0.7 * y_true
    row = one(y_true, score, patient)
    draws = bootstrap.auroc_draws(y_true, score, patient, 3000, seed=1)
    assert row.se == pytest.approx(draws.std(), rel=0.06)


def test_intervals_of_rare_findings_with_a_high_auroc_still_cover(study, rng):
    """theta ± 1.96 se covers .86 here, and a normal quantile on log odds .90 (bench coverage, 25 positives)."""
    table = pd.DataFrame([one(*study(rng, 200, 0.1, 0.95)) for _ in range(500)])
    assert 0.925 <= ((table.low <= 0.95) & (table.high >= 0.95)).mean() <= 0.99


def test_intervals_cover_the_truth_as_often_as_they_say(study, rng):
    """The full table is `bench coverage`; here 400 studies, whose share has a standard error of .011."""
    for patients, prevalence, truth in ((200, 0.2, 0.8), (300, 0.2, 0.96)):
        tables = []
        for _ in range(400):
            y_true, score, patient = study(rng, patients, prevalence, truth)
            tables.append(one(y_true, score, patient))
        table = pd.DataFrame(tables)
        covered = (table.low <= truth) & (truth <= table.high)
        assert 0.92 <= covered.mean() <= 0.98


def test_rows_copied_under_the_same_patient_change_nothing_but_as_new_patients_they_narrow(study, rng):
    y_true, score, patient = study(rng, 150, 0.3, 0.8)
    once, twice = one(y_true, score, patient), one(np.tile(y_true, 2), np.tile(score, 2), np.tile(patient, 2))
    assert (twice.auroc, twice.low, twice.high) == pytest.approx((once.auroc, once.low, once.high), abs=1e-12)
    fooled = one(np.tile(y_true, 2), np.tile(score, 2), np.append(patient, patient + patient.max() + 1))
    assert fooled.high - fooled.low < 0.8 * (once.high - once.low)


def test_a_label_without_positives_is_undefined_not_a_number():
    row = one([0, 0, 0], [0.1, 0.2, 0.3])
    assert np.isnan([row.auroc, row.low, row.high]).all()
    assert row.why_nan == "no positive images"
    assert (row.n_pos, row.n_neg) == (0, 3)
    assert one([1, 1], [0.1, 0.2]).why_nan == "no negative images"
    assert one([np.nan, np.nan], [0.1, 0.2]).why_nan == "no annotated images"


def test_one_positive_gives_a_number_with_a_hopeless_interval():
    row = one([0] * 200 + [1], [*np.linspace(0, 1, 200), 0.9])
    assert row.auroc == pytest.approx(0.9, abs=0.01)
    assert row.low < 0.1
    assert row.high == 1
    assert row.note == "1 positive patient"


def test_all_ties_are_a_half_and_never_certain():
    row = one([0, 1] * 20, [0.5] * 40)
    assert row.auroc == 0.5
    assert row.low < 0.35
    assert row.high > 0.65


def test_a_perfect_order_is_not_certain():
    few = one([0] * 5 + [1] * 5, np.arange(10))
    many = one([0] * 500 + [1] * 500, np.arange(1000))
    assert few.auroc == many.auroc == many.high == 1
    assert few.low == pytest.approx(0.025 ** (1 / 5))
    assert 0.98 < many.low < 1


def test_one_swapped_pair_on_few_patients_is_not_certain_either():
    score = np.arange(1005.0)
    score[1000] = 998.5
    assert one([0] * 1000 + [1] * 5, score).low < 0.6


def test_one_patient_gives_no_interval():
    row = one([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], ["a"] * 4)
    assert row.auroc == 0.75
    assert np.isnan([row.low, row.high, row.se]).all()


def test_a_row_without_a_score_is_left_out_and_counted():
    row = one([0, 0, 1, 1, 1], [0.1, 0.4, 0.35, 0.8, np.nan])
    assert (row.auroc, row.n_pos, row.n_unscored) == (0.75, 2, 1)
    silent = one([0, 1], [np.nan, np.nan])
    assert silent.why_nan == "the model gave no score"
    assert one([0, 1], [0.3, np.nan]).why_nan == "no positive images with a score (1 without)"


def test_a_missing_patient_id_is_a_patient_of_its_own():
    assert list(auroc.codes_of(np.array(["a", None, "a", None], object))) == [0, 1, 0, 2]


def test_ten_rows_are_enough_for_a_number():
    row = one([0] * 6 + [1] * 4, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.35, 0.7, 0.8, 0.9])
    assert row.auroc == pytest.approx(21 / 24)
    assert row.note == "4 positive patients and 6 negative patients"


def test_infinite_scores_have_a_rank():
    assert one([0, 0, 1, 1], [-np.inf, 0, 1, np.inf]).auroc == 1


def test_truths_outside_zero_and_one_are_refused():
    with pytest.raises(ValueError, match="other than 0, 1 and NaN"):
        one([0, 2], [0.1, 0.2])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit together"):
        auroc.by_label(np.zeros((3, 2)), np.zeros((3, 1)), np.arange(3), LABELS)


def test_the_macro_row_averages_labels_and_says_which_it_left_out(study, rng):
    y_true, score, patient = study(rng, 200, 0.3, 0.8)
    other = np.where(np.arange(len(y_true)) % 7 == 0, 1.0, 0.0)
    none = np.zeros(len(y_true))
    measured = auroc.measure(
        np.column_stack([y_true, other, none]), np.column_stack([score] * 3), patient, [*LABELS, "Hernia"]
    )
    row, single = auroc.macro(measured), auroc.table_of(measured)
    assert row["auroc"] == pytest.approx(single["auroc"][:2].mean())
    assert row["labels"] == "Edema, Pneumonia"
    assert row["note"] == "without Hernia (no positive images)"


def test_the_macro_standard_error_is_that_of_a_patient_bootstrap(study, rng):
    y_true, score, patient = study(rng, 600, 0.3, 0.8)
    both_y = np.column_stack([y_true, rng.permutation(y_true)])
    both_s = np.column_stack([score, score + rng.normal(size=len(score))])
    row = auroc.macro(auroc.measure(both_y, both_s, patient, LABELS))
    draws = bootstrap.auroc_draws(both_y, both_s, patient, 2000, seed=4).mean(axis=1)
    assert row["se"] == pytest.approx(draws.std(), rel=0.06)


def test_no_usable_label_makes_macro_undefined():
    row = auroc.macro(auroc.measure(np.zeros((4, 1)), np.ones((4, 1)), np.arange(4), ["Edema"]))
    assert np.isnan(row["auroc"])
    assert row["why_nan"]


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(float, st.shared(st.integers(1, 30), key="n"), elements=st.sampled_from([0.0, 1.0, np.nan])),
    hnp.arrays(
        float, st.shared(st.integers(1, 30), key="n"), elements=st.sampled_from([0, 1, 2, np.nan, np.inf])
    ),
    hnp.arrays(int, st.shared(st.integers(1, 30), key="n"), elements=st.integers(0, 5)),
)
def test_a_number_is_in_range_inside_its_interval_or_says_why_not(y_true, score, patient):
    row = one(y_true, score, patient)
    if np.isnan(row.auroc):
        assert row.why_nan
        assert np.isnan(row.low)
    else:
        assert not row.why_nan
        assert 0 <= row.auroc <= 1
        assert np.isnan(row.low) or row.low <= row.auroc + 1e-12
        assert np.isnan(row.high) or row.high >= row.auroc - 1e-12
        assert row.low != row.high


def test_a_label_with_a_handful_of_positives_does_not_make_the_mean_unknowable():
    rng = np.random.default_rng(5)
    y = (rng.random((400, 3)) < 0.3).astype(float)
    y[:, 2] = 0
    y[:4, 2] = 1
    score = rng.normal(size=y.shape) + 2 * y
    measured = auroc.measure(y, score, np.arange(400), ["Edema", "Pneumonia", "Hernia"])
    mean = auroc.macro(measured)
    assert mean["labels"] == "Edema, Pneumonia"
    assert mean["note"] == "without Hernia (4 positive patients)"
    assert mean["high"] - mean["low"] < 0.15
    alone = auroc.measure(y[:, 2:], score[:, 2:], np.arange(400), ["Hernia"])
    assert auroc.macro(alone)["labels"] == "Hernia", "where no label is firm, the defined ones are averaged"
