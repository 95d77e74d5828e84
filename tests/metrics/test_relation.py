import numpy as np
import pytest
from scipy import stats

from cxrlab.metrics import relation


def test_three_sites_are_too_few_and_say_so():
    found = relation.measure(np.array([1.0, 2, 3]), np.array([3.0, 2, 1]))
    assert found.verdict == "too few sites"
    assert found.sentence.startswith("Too few sites: with 3 the smallest p that can come out is 0.33")
    assert np.isnan(found.p_pearson)
    assert found.pearson == pytest.approx(-1)


def test_four_sites_in_perfect_order_are_still_no_proof():
    found = relation.measure(np.arange(4.0), np.arange(4.0))
    assert found.p_spearman == pytest.approx(1 / 12)
    assert found.verdict == "no relation shown"


def test_six_sites_in_perfect_order_go_together_and_random_ones_do_not(rng):
    assert relation.measure(np.arange(6.0), -(np.arange(6.0) ** 2)).verdict == "together"
    calls = [relation.measure(rng.normal(size=6), rng.normal(size=6)).verdict for _ in range(200)]
    assert calls.count("together") < 20


def test_ten_sites_use_random_orders_and_a_seed_repeats_them(rng):
    x, y = rng.normal(size=10), rng.normal(size=10)
    first, second = relation.measure(x, y, seed=1), relation.measure(x, y, seed=1)
    assert first == second
    assert first.p_pearson == pytest.approx(stats.pearsonr(x, y).pvalue, abs=0.05)


def test_unknown_and_constant_values_do_not_make_a_relation():
    found = relation.measure(np.array([1.0, 2, np.nan, 4]), np.array([1.0, 2, 3, 4]))
    assert (found.n, found.verdict) == (3, "too few sites")
    flat = relation.measure(np.ones(5), np.arange(5.0))
    assert flat.verdict == "no relation shown"
    assert np.isnan(flat.pearson)
    assert relation.measure(np.array([]), np.array([])).verdict == "too few sites"


def test_p_is_scipys_and_never_below_the_smallest_that_is_stated(rng):
    for n in (4, 5, 6):
        x, y = rng.normal(size=(2, n)) ** 3
        ours = relation.measure(x, y)
        theirs = stats.permutation_test(
            (x,), lambda a, y=y: np.corrcoef(a, y)[0, 1], permutation_type="pairings", n_resamples=np.inf
        )
        assert ours.p_pearson == pytest.approx(theirs.pvalue, abs=1e-12)
        assert ours.p_pearson >= ours.smallest_p - 1e-12
        assert ours.spearman == pytest.approx(stats.spearmanr(x, y).statistic)
