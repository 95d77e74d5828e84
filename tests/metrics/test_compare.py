import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cxrlab.metrics import auroc, bootstrap, compare

LABEL = ["Edema"]


def two_models(study, rng, patients=300, noise=1.0, truth=0.85):
    y_true, score, patient = study(rng, patients, 0.3, truth)
    worse = score + noise * rng.normal(size=len(score))
    return tuple(auroc.measure(y_true, s, patient, LABEL) for s in (score, worse))


def test_a_paired_difference_has_the_standard_error_of_a_paired_bootstrap(study, rng):
    y_true, score, patient = study(rng, 600, 0.3, 0.85)
    other = score + rng.normal(size=len(score))
    a, b = (auroc.measure(y_true, s, patient, LABEL) for s in (score, other))
    row = compare.paired(a, b).iloc[0]
    draws = bootstrap.auroc_draws(
        np.column_stack([y_true] * 2), np.column_stack([score, other]), patient, 2000, 3
    )
    assert row.se == pytest.approx((draws[:, 0] - draws[:, 1]).std(), rel=0.07)
    assert row.difference == pytest.approx(a.theta[0] - b.theta[0])


def test_pairing_finds_what_independent_intervals_cannot(study, rng):
    a, b = two_models(study, rng, 300, noise=0.7)
    row = compare.paired(a, b).iloc[0]
    single = pd.concat([auroc.table_of(a), auroc.table_of(b)])
    assert row.low > 0
    assert single.low.iloc[0] < single.high.iloc[1]


def test_models_that_differ_by_chance_only_are_rarely_told_apart(study, rng):
    p = []
    for _ in range(300):
        y_true, score, patient = study(rng, 120, 0.3, 0.85)
        a, b = (
            auroc.measure(y_true, score + 0.5 * rng.normal(size=len(score)), patient, LABEL) for _ in "ab"
        )
        p.append(compare.paired(a, b).p[0])
    assert 0.015 <= np.mean(np.array(p) < 0.05) <= 0.085


def test_the_same_model_twice_differs_by_nothing(study, rng):
    a, _ = two_models(study, rng)
    row = compare.paired(a, a).iloc[0]
    assert (row.difference, row.low, row.high, row.p) == (0, 0, 0, 1)


def test_models_on_other_rows_are_refused(study, rng):
    (a, _), (c, _) = two_models(study, rng), two_models(study, rng)
    with pytest.raises(ValueError, match="same rows"):
        compare.paired(a, c)
    holes = np.where(np.arange(len(a.y_true)) < 5, np.nan, 0.0)
    b_short = auroc.measure(a.y_true[:, 0], holes, a.patient, LABEL)
    with pytest.raises(ValueError, match="both_scored"):
        compare.paired(a, b_short)
    left, right = compare.both_scored(np.array([1.0, np.nan, 2]), np.array([np.nan, 1.0, 3]))
    assert np.isnan(left).tolist() == np.isnan(right).tolist() == [True, True, False]


def test_a_label_undefined_in_both_says_so_and_macro_goes_on(study, rng):
    y_true, score, patient = study(rng, 200, 0.3, 0.85)
    both = np.column_stack([y_true, np.zeros(len(y_true))])
    a, b = (
        auroc.measure(both, np.column_stack([s, s]), patient, ["Edema", "Hernia"])
        for s in (score, score + rng.normal(size=len(score)))
    )
    table = compare.paired(a, b).set_index("label")
    assert table.why_nan["Hernia"].startswith("undefined")
    assert table.difference["macro"] == pytest.approx(table.difference["Edema"])


def test_the_model_that_loses_more_on_the_way_is_found_and_equal_losses_are_not(study, rng):
    home = two_models(study, rng, 800, noise=0.2)
    y_true, score, patient = study(rng, 800, 0.3, 0.85)
    fragile = auroc.measure(y_true, score + 2.5 * rng.normal(size=len(score)), patient, LABEL)
    sturdy = auroc.measure(y_true, score, patient, LABEL)
    found = compare.gap_difference(home[0], home[1], sturdy, fragile, "Edema")
    assert found.high < 0
    assert found.p < 0.01
    there = auroc.measure(y_true, score + 0.2 * rng.normal(size=len(score)), patient, LABEL)
    assert compare.gap_difference(home[0], home[1], sturdy, there, "Edema").p > 0.01


def test_the_partial_auroc_is_scikit_learns(random_rows):
    for y_true, score in random_rows:
        for most in (0.1, 0.37, 1.0):
            expected = roc_auc_score(y_true, score, max_fpr=most)
            assert compare.partial_auroc(y_true, score, most) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(compare.partial_auroc(np.zeros(3), np.arange(3.0), 0.1))
