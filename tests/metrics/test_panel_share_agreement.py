import numpy as np
import pytest

from cxrlab.metrics import agreement, influence, panel, share


def measured(score, y, patient):
    return influence.measure(y, score, patient, ["a", "b"])


def test_a_panel_of_one_model_has_the_variance_of_that_model():
    rng = np.random.default_rng(0)
    y, patient = (rng.random((300, 2)) < 0.3).astype(float), np.repeat(np.arange(150), 2)
    one = measured(rng.normal(size=(300, 2)) + y, y, patient)
    for j, label in enumerate(("a", "b")):
        found = panel.panel(["m"], [one], label)
        assert found.spread(0) == pytest.approx(influence.spread(one.phi[:, j], y[:, j], one.patient))
        assert found.covariance()[0, 0] == pytest.approx(found.spread(0)[0])
        low, high = found.ends(0)
        assert low < one.theta[j] < high
    mean = panel.panel(["m"], [one])
    se, carriers = influence.spread_of_mean(one.phi.mean(axis=1), one.patient)
    assert mean.spread(0) == pytest.approx((se**2, carriers))


def test_models_of_other_rows_are_refused():
    y = np.array([[0, 0], [1, 1], [0, 1], [1, 0.0]])
    one = measured(y, y, np.arange(4))
    with pytest.raises(ValueError, match="same rows"):
        panel.panel(["m", "n"], [one, measured(y, 1 - y, np.arange(4))])
    assert panel.panel(["m", "n"], [one, one]).difference(0, 1).p == 1


def test_a_share_with_one_image_a_patient_is_wilsons_and_twins_count_once():
    hit = np.array([1, 0, 0, 1, 0, 0, 0, 0.0])
    assert share.of_patients(hit, np.arange(8))[1:] == pytest.approx(share.wilson(0.25, 8))
    twice = share.of_patients(np.repeat(hit, 2), np.repeat(np.arange(8), 2))
    assert twice[1:] == pytest.approx(share.wilson(0.25, 8), abs=1e-12)
    assert np.isnan(share.of_patients(np.empty(0), np.empty(0, int))).all()
    assert share.of_patients(np.ones(6), np.repeat([0, 1, 2], 2))[1] == pytest.approx(share.wilson(1, 3)[0])


def test_kappa_by_hand_and_independent_judgements_do_not_go_together():
    first = np.array([1, 1, 1, 0, 0, 0, 0, 0, np.nan, 1])
    second = np.array([1, 1, 0, 0, 0, 0, 0, 1, 1, np.nan])
    found = agreement.measure(first, second, np.arange(10))
    assert (found.both, found.first_only, found.second_only, found.neither) == (2, 1, 1, 4)
    chance = 9 / 64 + 25 / 64
    assert found.kappa == pytest.approx((6 / 8 - chance) / (1 - chance))
    rng = np.random.default_rng(0)
    p = [
        agreement.correlation(
            1.0 * (rng.random(200) < 0.3), 1.0 * (rng.random(200) < 0.3), np.repeat(np.arange(100), 2)
        )[1]
        for _ in range(300)
    ]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09


def test_a_judgement_that_never_varies_has_no_kappa():
    found = agreement.measure(np.zeros(5), np.array([0, 1, 0, 1, 0.0]), np.arange(5))
    assert np.isnan(found.kappa) and "first judgement is always the same" in found.why_nan
    assert (
        agreement.measure(np.full(3, np.nan), np.zeros(3), np.arange(3)).why_nan
        == "no image is judged by both"
    )
