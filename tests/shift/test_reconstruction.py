import numpy as np
import pytest
from scipy import stats

from cxrlab.metrics import auroc
from cxrlab.shift import reconstruction


def test_distances_are_scipys_with_and_without_ties():
    rng = np.random.default_rng(0)
    for digits in (12, 1):
        home, other = np.round(rng.lognormal(size=300), digits), np.round(rng.lognormal(0.3, 1, 170), digits)
        found = reconstruction.distances(home, other)
        assert found.ks == pytest.approx(stats.ks_2samp(home, other).statistic, abs=1e-12)
        assert found.w1 == pytest.approx(stats.wasserstein_distance(home, other), abs=1e-12)
        assert found.w1_iqr == pytest.approx(found.w1 / stats.iqr(home))
        truth = np.repeat([0.0, 1.0], [300, 170])
        assert found.auroc == pytest.approx(auroc.auroc(truth, np.append(home, other)), abs=1e-12)


def test_an_empty_side_is_undefined_and_a_constant_home_has_no_scale():
    assert np.isnan(reconstruction.distances(np.array([]), np.ones(3)).ks)
    flat = reconstruction.distances(np.ones(9), np.full(4, 2.0))
    assert (flat.ks, flat.w1, flat.auroc) == (1, 1, 1)
    assert np.isnan(flat.w1_iqr)


def test_home_against_itself_rarely_exceeds_its_own_null_and_a_shift_does():
    rng = np.random.default_rng(1)
    beyond = []
    for _ in range(60):
        home, same = rng.lognormal(size=400), rng.lognormal(size=200)
        null = reconstruction.null(home, np.arange(400), 200, rng)
        beyond.append(reconstruction.distances(home, same).ks > null.ks)
    assert np.mean(beyond) < 0.15
    assert reconstruction.distances(home, same * 1.8).ks > null.ks
    assert null.n == 200


def test_the_null_keeps_patients_whole():
    """Images of one patient are alike, so parts of home differ more than as many lone images would."""
    rng = np.random.default_rng(2)
    patient = np.repeat(np.arange(60), 10)
    re = rng.normal(size=60)[patient] + 0.1 * rng.normal(size=600)
    whole = reconstruction.null(re, patient, 300, np.random.default_rng(0))
    torn = reconstruction.null(re, np.arange(600), 300, np.random.default_rng(0))
    assert whole.ks > 1.5 * torn.ks


def test_too_few_patients_have_no_null_and_say_why():
    null = reconstruction.null(np.ones(30), np.repeat(["a", "b"], 15), 30, np.random.default_rng(0))
    assert np.isnan(null.ks)
    assert "2 patients" in null.why_nan


def test_psi_is_small_without_shift_and_large_with_one():
    rng = np.random.default_rng(3)
    home, other = rng.normal(size=5000), rng.normal(size=5000)
    assert reconstruction.psi(home, other) < 5 * 9 * 2 / 5000
    assert reconstruction.psi(home, other + 1) > 0.5
    assert np.isnan(reconstruction.psi(home, np.array([])))


def test_quantiles_leave_unknown_errors_out():
    assert reconstruction.summary(np.array([1.0, np.nan, 3.0]))["median"] == 2
    assert np.isnan(reconstruction.summary(np.array([np.nan]))["q95"])
