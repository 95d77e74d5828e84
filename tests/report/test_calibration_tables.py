import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from cxrlab import report
from cxrlab.metrics import decomposition, thresholds
from cxrlab.metrics.thresholds import Threshold, ThresholdSet
from tests.planted_predictions import predictions


def said(site, *, home=False, n=12000, seed=0, stretch=1.0, offset=0.0, base=-1.0):
    """A site whose scores are right but for `stretch` and `offset` of the log odds."""
    made = predictions(site, n=n, home=home, seed=seed, labels=("Edema",))
    rng = np.random.default_rng(seed + 1)
    z = rng.normal(base, 1.2, n)
    made.table["y:Edema"] = (rng.random(n) < expit(z)).astype(float)
    made.table["logit:Edema"] = stretch * z + offset
    return made


def test_scores_that_are_too_sure_are_mended_by_a_temperature_and_right_ones_stay():
    home = said("home", home=True, stretch=2.0)
    table = report.calibration(home, home, "Edema").set_index("method")
    assert table.slope["none"] == pytest.approx(0.5, abs=0.06)
    assert table.slope["platt"] == pytest.approx(1, abs=0.12)
    assert table.ece["platt"] < 0.5 * table.ece["none"] and table.brier["platt"] < table.brier["none"]
    assert table.skill["platt"] > table.skill["none"]
    fine = said("home", home=True)
    table = report.calibration(fine, fine, "Edema").set_index("method")
    assert np.ptp(table.brier) < 0.004 and abs(table.intercept["none"]) < 0.1


def test_an_intercept_mends_an_offset_that_a_temperature_cannot():
    home = said("home", home=True, offset=1.0)
    table = report.calibration(home, home, "Edema").set_index("method")
    assert table.intercept["none"] == pytest.approx(-1, abs=0.12)
    assert abs(table.intercept["intercept"]) < 0.12 < 0.5 * abs(table.intercept["temperature"])


def test_what_was_mended_at_home_need_not_be_right_elsewhere():
    home, away = said("home", home=True), said("away", seed=4, offset=1.0)
    at_home = report.calibration(home, home, "Edema").set_index("method")
    there = report.calibration(home, away, "Edema").set_index("method")
    assert there.ece["platt"] > 3 * at_home.ece["platt"]
    assert there.fit_pos["platt"] == at_home.fit_pos["platt"]


def test_the_fit_never_sees_the_rows_that_are_judged():
    home = said("home", home=True, n=900)
    before = report.calibration(home, home, "Edema").set_index("method")
    flipped = said("home", home=True, n=900)
    test = flipped.table["split"] == "test"
    flipped.table.loc[test, "y:Edema"] = 1 - flipped.table.loc[test, "y:Edema"]
    here, there = (report.calibration(one, home, "Edema").set_index("method") for one in (home, flipped))
    assert here.brier.equals(before.brier) and there.brier.equals(here.brier)


def test_a_home_without_positives_to_fit_on_says_so():
    home = said("home", home=True, n=900)
    home.table.loc[home.table["split"] == "val", "y:Edema"] = 0.0
    table = report.calibration(home, home, "Edema").set_index("method")
    assert not np.isnan(table.brier["none"]) and np.isnan(table.brier["platt"])
    assert "0 positive" in table.why_nan["platt"]
    assert set(report.reliability(home, home, "Edema")["method"]) == {"none"}
    assert set(report.decision_curve(home, home, "Edema")["method"]) == {"none"}


def test_reliability_bins_hold_what_was_seen():
    home = said("home", home=True)
    table = report.reliability(home, home, "Edema", ("none",))
    assert ((table.low <= table.said) & (table.said <= table.high)).mean() > 0.8
    assert table.n.sum() == (home.table["split"] == "test").sum() and len(table) <= 15


def test_the_decision_curve_lies_above_treating_all_or_none_for_a_model_that_knows():
    home = said("home", home=True)
    table = report.decision_curve(home, home, "Edema")
    middle = table[(table.method == "platt") & table.threshold.between(0.2, 0.5)]
    assert (middle.model > np.maximum(middle.treat_all, 0)).all()


def test_losses_sum_exactly_and_name_what_was_planted():
    home = predictions("home", home=True, n=9000, separation=2.0)
    worse = predictions("worse", n=6000, separation=1.0, seed=1)
    rarer = predictions("rarer", n=20000, separation=2.0, prevalence=0.05, seed=2)
    table = report.decomposition(home, [worse, rarer], thresholds.tune(home), ("Edema",)).set_index("site")
    assert (table.ranking + table.transfer + table.prevalence).to_numpy() == pytest.approx(
        table.loss.to_numpy()
    )
    assert table.ranking["worse"] > 0.1 and abs(table.prevalence["worse"]) < 0.05
    assert table.prevalence["rarer"] > 0.1 and abs(table.ranking["rarer"]) < 0.05
    lacking = predictions("x", labels=("Pneumonia",))
    why = report.decomposition(home, [lacking], thresholds.tune(home), ("Edema",)).why_nan[0]
    assert why == "not scored at x"
    assert set(decomposition.Decomposition.__dataclass_fields__) <= set(table.columns)


def test_at_one_prevalence_sites_that_differ_in_nothing_else_agree():
    one = predictions("one", n=20000, separation=1.5)
    rare = predictions("rare", n=40000, separation=1.5, prevalence=0.05, seed=3)
    table = report.standardised([one, rare], "Edema", 0.3).set_index("site")
    assert table.auprc["rare"] < 0.6 * table.auprc["one"]
    assert table.auprc_at["rare"] == pytest.approx(table.auprc_at["one"], abs=0.03)
    assert table.ppv_at["rare"] == pytest.approx(table.ppv_at["one"], abs=0.03)
    assert table.f1_at["one"] == pytest.approx(table.f1["one"])
    nothing = predictions("none", prevalence=0.0)
    assert report.standardised([one, nothing], "Edema").why_nan.tolist() == ["", "no positive images"]


def test_models_meet_at_one_operating_point():
    runs = {
        name: (
            predictions("home", home=True, n=6000, separation=gap),
            [predictions("x", separation=gap, seed=3)],
        )
        for name, gap in (("flat", 1.0), ("hierarchical", 2.0))
    }
    table = report.operating_point(runs, "Edema", "specificity", 0.9).set_index(["name", "site"])
    assert table.loc[("flat", "home"), "specificity"] == pytest.approx(0.9, abs=0.03)
    assert (
        table.loc[("hierarchical", "home"), "sensitivity"] > table.loc[("flat", "home"), "sensitivity"] + 0.2
    )
    empty = {"x": (predictions("home", home=True, prevalence=0.0), [])}
    assert report.operating_point(empty, "Edema").why_nan[0] == "home's validation rows lack a class"


def test_an_undefined_threshold_gives_reasons():
    home = predictions("home", home=True)
    cut = ThresholdSet("x", "r", "", "", {"Edema": Threshold(why_nan="none")})
    assert report.decomposition(home, [home], cut, ("Edema",)).why_nan[0] == "home has no threshold"


def test_worth_is_the_longest_run_that_beats_both():
    curve = pd.DataFrame({"method": "platt", "threshold": [0.1, 0.2, 0.3, 0.4, 0.9], "treat_all": [0.3, 0, 0, 0, 0],
                          "treat_none": 0.0, "model": [0.2, 0.1, 0.1, 0.0, 0.1]})  # fmt: skip
    assert report.worth(curve, "platt") == (0.2, 0.3)
    assert np.isnan(report.worth(curve.assign(model=-1.0), "platt")).all()
