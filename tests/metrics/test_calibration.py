import numpy as np
import pytest
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from cxrlab.errors import UnknownName
from cxrlab.metrics import auroc, calibration


@pytest.fixture
def calibrated(rng):
    score = expit(rng.normal(-1, 1.5, 20_000))
    return (rng.random(len(score)) < score).astype(float), score


def test_scores_that_mean_what_they_say_measure_so(calibrated):
    found = calibration.measure(*calibrated)
    assert found.ece < 0.015
    assert found.slope == pytest.approx(1, abs=0.05)
    assert found.intercept == pytest.approx(0, abs=0.05)
    assert found.skill > 0.2


def test_scores_that_are_too_sure_or_too_high_are_found(calibrated):
    y_true, score = calibrated
    z = calibration.log_odds(score)
    assert calibration.measure(y_true, expit(2 * z)).slope == pytest.approx(0.5, abs=0.03)
    assert calibration.measure(y_true, expit(z + 1)).intercept == pytest.approx(-1, abs=0.06)


def test_brier_and_slope_are_scikit_learns(calibrated):
    y_true, score = (values[:3000] for values in calibrated)
    found = calibration.measure(y_true, score)
    assert found.brier == pytest.approx(brier_score_loss(y_true, score), abs=1e-12)
    z = calibration.log_odds(score)[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(z, y_true)
    assert found.slope == pytest.approx(model.coef_[0, 0], abs=1e-4)


def test_ece_is_that_of_scikit_learns_quantile_bins(calibrated):
    y_true, score = (values[:3000] for values in calibrated)
    seen, said = calibration_curve(y_true, score, n_bins=15, strategy="quantile")
    assert calibration.measure(y_true, score).ece == pytest.approx(np.abs(seen - said).mean(), abs=2e-3)


def test_reliability_bins_have_equal_mass_keep_ties_and_widen_with_alike_patients(calibrated):
    y_true, score = calibrated
    alone = calibration.reliability(y_true, score, np.arange(len(score)))
    assert len(alone) == 15
    assert alone.n.max() - alone.n.min() <= 1
    assert ((alone.low < alone.seen) & (alone.seen < alone.high)).all()
    tied = calibration.reliability(y_true, np.round(score), np.arange(len(score)))
    assert sorted(tied.said) == [0, 1]
    fives = np.arange(len(score)) // 5
    alike = calibration.reliability(np.repeat(y_true[::5], 5), np.repeat(score[::5], 5), fives)
    as_if = calibration.reliability(
        np.repeat(y_true[::5], 5), np.repeat(score[::5], 5), np.arange(len(score))
    )
    assert (alike.high - alike.low).mean() > 1.8 * (as_if.high - as_if.low).mean()


def test_edges_are_undefined_with_a_reason():
    none = calibration.measure(np.array([]), np.array([]))
    assert np.isnan(none.ece)
    assert none.why_nan == "no annotated images"
    negative = calibration.measure(np.zeros(50), np.linspace(0, 0.5, 50))
    assert negative.why_nan == "no positive images"
    assert np.isnan([negative.slope, negative.skill]).all()
    assert negative.brier > 0
    parted = calibration.measure(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert "separates" in parted.why_nan
    flat = calibration.measure(np.array([0, 1, 0, 1]), np.full(4, 0.5))
    assert "all scores are equal" in flat.why_nan
    assert len(calibration.reliability(np.array([np.nan]), np.array([0.5]), np.array(["a"]))) == 0


@pytest.mark.parametrize("name", list(calibration.RECALIBRATIONS))
def test_a_recalibration_fitted_at_home_mends_new_rows_of_home(name, rng):
    def rows():
        z = rng.normal(-1, 1.5, 8000)
        spoiled = z + 1 if name == "intercept" else 3 * z
        return (rng.random(8000) < expit(z)).astype(float), expit(spoiled)

    y_true, score = rows()
    mend = calibration.fit(name, y_true, score)
    y_new, new = rows()
    before, after = calibration.measure(y_new, new), calibration.measure(y_new, mend(new))
    assert after.brier < before.brier
    assert after.ece < before.ece / 2
    if name != "isotonic":
        assert auroc.auroc(y_new, mend(new)) == pytest.approx(auroc.auroc(y_new, new), abs=1e-12)
    assert np.isnan(mend(np.array([np.nan]))).all()


def test_temperature_cannot_mend_another_prevalence_and_an_intercept_can(rng):
    z = rng.normal(0, 1.5, 20_000)
    y_true = (rng.random(20_000) < expit(z - 2)).astype(float)
    score = expit(z)
    after = {
        name: abs(calibration.measure(y_true, calibration.fit(name, y_true, score)(score)).intercept)
        for name in ("temperature", "intercept")
    }
    assert after["intercept"] < 0.01
    assert after["temperature"] > 0.5


def test_isotonic_is_scikit_learns(calibrated):
    y_true, score = (values[:2000] for values in calibrated)
    expected = IsotonicRegression(out_of_bounds="clip").fit(score, y_true)
    probe = np.linspace(0, 1, 500)
    np.testing.assert_allclose(
        calibration.fit("isotonic", y_true, score)(probe), expected.predict(probe), atol=1e-9
    )


def test_separable_rows_still_recalibrate_to_finite_scores():
    y_true, score = np.array([0, 0, 1, 1.0]), np.array([0.1, 0.2, 0.8, 0.9])
    assert np.isfinite(calibration.fit("platt", y_true, score)(score)).all()


def test_nothing_is_fitted_without_both_classes_and_unknown_names_are_explained():
    assert calibration.fit("platt", np.zeros(5), np.full(5, 0.2)) is None
    with pytest.raises(UnknownName, match="did you mean 'isotonic'"):
        calibration.fit("isotonik", np.array([0, 1.0]), np.array([0.2, 0.7]))
