import numpy as np
import pytest

from cxrlab import report
from cxrlab.errors import BadInput
from cxrlab.metrics import auroc, thresholds
from cxrlab.metrics.thresholds import Threshold, ThresholdSet
from tests.planted_predictions import predictions


def mixed(n=4000, seed=0, harm=0.0, **more):
    """A site of both sexes, two devices and all ages; `harm` is taken from the separation of the old device."""
    made = predictions("s", n=n, seed=seed, separation=1.5, **more)
    rng = np.random.default_rng(seed + 5)
    table = made.table
    patient = np.arange(n) // 2
    table["sex"] = np.array(["F", "M", ""])[rng.integers(0, 3, n // 2)][patient]
    table["age_years"] = rng.uniform(1, 95, n // 2)[patient]
    table["group:device"] = np.array(["old", "new"])[rng.integers(0, 2, n)]
    table.loc[:3, "group:device"] = ""
    for label in made.labels:
        hit = (table[f"y:{label}"] == 1) & (table["group:device"] == "old")
        table.loc[hit, f"logit:{label}"] -= harm
    return made


def test_a_group_that_does_worse_is_found():
    table = report.subgroups(mixed(harm=1.0), "Edema").set_index(["by", "group"])
    old = table.loc[("device", "old")]
    assert old.difference < -0.1 and old.difference_high < 0 and old.p_holm < 1e-6
    assert table.loc[("device", "new"), "difference"] == pytest.approx(-old.difference, abs=0.001)
    rest = table.drop(index="device", level="by")
    assert (rest.p_holm.dropna() > 0.05).all()


def test_no_group_is_named_where_all_are_alike():
    least = [report.subgroups(mixed(n=1500, seed=seed), "Edema")["p_holm"].min() for seed in range(40)]
    assert np.mean(np.array(least) < 0.05) < 0.13


def test_a_groups_numbers_are_those_of_its_rows_alone():
    site = mixed()
    row = report.subgroups(site, "Edema", 0.3, by=["sex"]).set_index("group").loc["F"]
    female = site.where((site.table["sex"] == "F").to_numpy())
    y, s = female.y_true()[:, 0], female.score()[:, 0]
    assert row.auroc == pytest.approx(auroc.auroc(y, s)) and row.n == len(y)
    assert row.sensitivity == pytest.approx((s[y == 1] >= 0.3).mean())
    assert row.specificity == pytest.approx((s[y == 0] < 0.3).mean())
    assert row.sensitivity_low < row.sensitivity < row.sensitivity_high
    assert row.called_positive == pytest.approx((s >= 0.3).mean())


def test_ages_come_in_order_and_what_is_not_said_last():
    site = mixed()
    site.table.loc[:9, "age_years"] = np.nan
    table = report.subgroups(site, "Edema", by=["age band", "sex"])
    assert table[table["by"] == "age band"]["group"].tolist() == [
        "0–17",
        "18–39",
        "40–59",
        "60–79",
        "80+",
        "not said",
    ]
    silent = table[table["group"] == "not said"]
    assert silent["difference"].isna().all()


def test_a_small_group_is_flagged_and_gets_no_verdict():
    site = mixed(n=400)
    site.table["group:ward"] = np.where(np.arange(400) < 12, "tiny", "large")
    tiny = report.subgroups(site, "Edema", by=["ward"]).set_index("group").loc["tiny"]
    assert tiny.small and "patient" in tiny.note and np.isnan(tiny.p)


def test_without_a_threshold_its_numbers_are_undefined_and_one_valued_properties_are_left_out():
    site = predictions("s")
    assert report.subgroups(site, "Edema").empty
    with pytest.raises(BadInput, match="no property 'device'; it has: age band, sex, view"):
        report.subgroups(site, "Edema", by=["device"])
    table = report.subgroups(mixed(), "Edema", by=["sex"])
    assert table[["sensitivity", "specificity", "called_positive"]].isna().all(axis=None)


def test_mistakes_that_come_together_are_found_and_others_not():
    site = predictions("s", n=6000, separation=1.5)
    rng = np.random.default_rng(1)
    site.table["y:Mass"] = (rng.random(6000) < 0.3).astype(float)
    # Mass is missed where Edema is: what is hard about an image is hard for both.
    hard = site.table["logit:Edema"] - 1.5 * site.table["y:Edema"]
    site.table["logit:Mass"] = 0.7 * hard + 0.5 * rng.normal(size=6000) + 1.5 * site.table["y:Mass"]
    cut = ThresholdSet("x", "r", "by hand", "", {label: Threshold(0.35) for label in site.labels})
    table = report.co_errors(site, cut).set_index(["label", "kind", "other", "other_kind"])
    both = table.loc[("Edema", "FN", "Mass", "FN")]
    assert both.ratio > 1.3 and both.p_holm < 1e-6 and both.phi > 0.2
    y, s = site.y_true(), site.score()
    wrong = (y[:, 0] == 1) & (y[:, 2] == 1) & (s[:, 0] < 0.35) & (s[:, 2] < 0.35)
    assert both.both == wrong.sum()
    alone = table.xs("Pneumonia", level="other")
    assert (alone.p_holm > 0.05).all()


def test_mistakes_of_too_few_patients_are_no_correlation():
    site = predictions("s", n=40)
    table = report.co_errors(site, ThresholdSet("x", "r", "", "", {k: Threshold(0.5) for k in site.labels}))
    assert table["phi"].isna().any() and (table["why_nan"][table["phi"].isna()] != "").all()
    assert report.co_errors(site, ThresholdSet("x", "r", "", "", {})).empty


def test_a_home_counts_its_test_rows_only():
    site = mixed(home=True)
    table = report.subgroups(site, "Edema", thresholds.tune(site).of("Edema"), by=["sex"])
    assert table["n"].sum() == (site.table["split"] == "test").sum()
