"""What a gate spares and loses: an easy gate spares the normal images, a useless one is called useless."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from cxrlab import report
from cxrlab.errors import BadInput
from cxrlab.metrics.rule_names import Rule
from cxrlab.predictions import ABNORMAL
from cxrlab.report.gating import FLOOR, Cost
from tests.planted_predictions import predictions

COST = Cost(
    gate_flops=1.0,
    disease_flops=20.0,
    flat_flops=20.0,
    gate_seconds=2.0,
    disease_seconds=20.0,
    flat_seconds=20.0,
)
CUT, AIM = Rule("sensitivity", 0.95), Rule("sensitivity", 0.9)


def disease(site="home", *, home=True, seed=0, n=3000, prevalence=0.15):
    return predictions(site, home=home, seed=seed, n=n, prevalence=prevalence, separation=4.0)


def gate_of(flat, separation, seed=9):
    """A gate on the images of `flat`: abnormal is who has a finding."""
    y = flat.y_true().max(axis=1)
    rng = np.random.default_rng(seed)
    said = separation * (y - 0.5) + rng.normal(size=len(y))
    facts = [c for c in flat.table if not c.startswith(("y:", "logit:"))]
    table = flat.table[facts].assign(**{f"y:{ABNORMAL}": y, f"logit:{ABNORMAL}": said})
    return dataclasses.replace(flat, table=table, run_id="gate")


def compared(separation, aim=AIM, cost=COST):
    flats = disease(), disease("away", home=False, seed=5)
    gates = [gate_of(flat, separation, seed) for seed, flat in enumerate(flats)]
    found = report.cut_gate(gates[0], CUT)
    made = [report.apart(gate, flat, found.threshold) for gate, flat in zip(gates, flats, strict=True)]
    saved = report.saved(made, {"home": cost, "away": cost})
    points = report.at_one_point((flats[0], [flats[1]]), (made[0], made[1:]), aim)
    return saved, points, report.says(saved, points), made


def test_an_easy_gate_spares_the_normal_images_and_loses_nothing():
    saved, points, says, _ = compared(12.0)
    assert saved["specificity"].min() > 0.99 and saved["sensitivity"].min() > 0.9
    normal = saved["n_neg"] / (saved["n_neg"] + saved["n_pos"])
    np.testing.assert_allclose(saved["share"], normal, atol=0.05)
    np.testing.assert_allclose(saved["spared_flops"], saved["share"] - 1 / 20)
    np.testing.assert_allclose(saved["spared_seconds"], saved["share"] - 2 / 20)
    assert (points["verdict"] != report.hierarchy.LOSES).all()
    assert f"spares {saved['spared_flops'][1]:.0%} of the operations" in says[1]
    assert "it loses" not in says[1]


def test_a_useless_gate_spares_nothing_or_loses_and_the_report_says_so():
    saved, _, _, _ = compared(0.0)
    assert saved["share"].max() < 0.1 and saved["spared_flops"].max() < 0.05
    dear = dataclasses.replace(COST, gate_flops=10.0)
    saved, _, says, _ = compared(0.0, cost=dear)
    assert (saved["spared_flops"] < 0).all()
    assert "spares nothing: with its own operations" in says[1]
    _, lost, said, _ = compared(-3.0, Rule("specificity", 0.8))
    assert lost["verdict"].eq("loses").any() or lost["why_nan"].ne("").all()
    assert "it loses" in said[1] or "not all can be compared" in said[1]


def test_a_gate_that_holds_back_too_many_positives_puts_the_aim_out_of_reach():
    flat = disease()
    gate = gate_of(flat, 1.0)
    made = report.apart(gate, flat, 0.7)
    points = report.at_one_point((flat, []), (made, []), Rule("sensitivity", 0.95))
    assert points["difference"].isna().all()
    assert points["why_nan"].str.contains("out of reach").all()
    saved = report.saved([made], {"home": COST})
    assert "not all can be compared: the gate holds back" in report.says(saved, points)[0]


def test_held_back_is_below_all_that_passed_and_the_rest_keeps_its_order():
    _, _, _, made = compared(2.0)
    one = made[0]
    flat = disease()
    said, was = one.predictions.logit(), flat.logit()
    assert 0 < one.held.sum() < len(one.held)
    for k in range(2):
        assert said[one.held, k].max() < said[~one.held, k].min()
        order = np.argsort(was[~one.held, k])
        assert (np.diff(said[~one.held, k][order]) >= 0).all()
        score = FLOOR + (1 - FLOOR) * expit(was[~one.held, k])
        np.testing.assert_allclose(expit(said[~one.held, k]), score)
    gate = one.gate.logit()[one.held, 0]
    assert (np.diff(said[one.held, 0][np.argsort(gate)]) >= 0).all()


def test_no_finding_is_turned_round_and_not_compared():
    flat = predictions("home", home=True, labels=("No Finding", "Edema"))
    gate = gate_of(flat, 3.0)
    made = report.apart(gate, flat, 0.5)
    said = made.predictions.logit()[:, 0]
    assert said[made.held].min() > said[~made.held].max()
    points = report.at_one_point((flat, []), (made, []), AIM)
    assert set(points["label"]) == {"Edema"}


def test_the_operating_point_is_chosen_on_homes_validation_rows():
    _, points, _, made = compared(6.0)
    flat = disease()
    val = flat.only("val")
    y, s = val.y_true()[:, 0], val.score()[:, 0]
    cut = points.loc[points["label"] == "Edema", "threshold_flat"].iloc[0]
    assert (s[y == 1] >= cut).mean() >= 0.9 > (s[y == 1] > cut).mean()
    tilted = made[0].predictions.table.copy()
    tilted.loc[tilted["split"] == "test", "y:Edema"] = 1 - tilted.loc[tilted["split"] == "test", "y:Edema"]
    moved = dataclasses.replace(made[0], predictions=dataclasses.replace(made[0].predictions, table=tilted))
    again = report.at_one_point((flat, []), (moved, []), AIM)
    assert again.loc[again["label"] == "Edema", "threshold_gated"].iloc[0] == pytest.approx(
        points.loc[points["label"] == "Edema", "threshold_gated"].iloc[0]
    )


def test_a_joint_network_is_held_back_where_its_own_cut_says():
    flat = disease()
    gate = gate_of(flat, 4.0)
    table = flat.table.assign(**{c: gate.table[c] for c in (f"y:{ABNORMAL}", f"logit:{ABNORMAL}")})
    one = report.jointly(dataclasses.replace(flat, table=table), 0.25)
    assert np.array_equal(one.held, gate.logit()[:, 0] < 0.25)
    assert one.predictions.labels == flat.labels and one.gate.labels == (ABNORMAL,)
    assert not report.jointly(dataclasses.replace(flat, table=table), None).held.any()


def test_a_gate_of_one_kind_is_refused_with_a_sentence():
    flat = disease()
    gate = gate_of(flat, 3.0)
    gate.table[f"y:{ABNORMAL}"] = 1.0
    with pytest.raises(BadInput, match=r"cannot be cut .* no negative images"):
        report.cut_gate(gate, CUT)
    with pytest.raises(BadInput, match="name a run of the task 'normal'"):
        report.cut_gate(flat, CUT)


def test_at_a_site_of_one_kind_the_gate_has_no_specificity_but_holds_back_all_the_same():
    flat, there = disease(), disease("away", home=False, seed=5)
    gate, other = gate_of(flat, 3.0), gate_of(there, 3.0)
    other.table[f"y:{ABNORMAL}"] = 1.0
    found = report.cut_gate(gate, CUT)
    saved = report.saved([report.apart(other, there, found.threshold)], {"away": COST}).iloc[0]
    assert np.isnan(saved["specificity"]) and saved["why_nan"] == "no negative images"
    assert saved["share"] > 0


def test_costs_that_nobody_measured_are_unknown_not_zero():
    saved, _, says, _ = compared(12.0, cost=Cost())
    assert saved["spared_flops"].isna().all()
    assert "what that spares was not measured" in says[0]


def test_only_images_that_both_scored_count():
    flat = disease()
    gate = gate_of(flat, 3.0)
    gate = dataclasses.replace(gate, table=gate.table.iloc[500:])
    one = report.apart(gate, flat, 0.5)
    assert len(one.held) == len(one.predictions.table) == len(one.gate.table) == 2500
    points = report.at_one_point((flat, []), (one, []), AIM)
    assert points["n"].max() < 2500
    strangers = dataclasses.replace(gate, table=gate.table.assign(image_id="x"))
    with pytest.raises((BadInput, pd.errors.MergeError)):
        report.apart(strangers, flat, 0.5)
