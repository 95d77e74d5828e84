import numpy as np
import pytest

from cxrlab import report
from cxrlab import spec as specs
from cxrlab.errors import BadInput
from cxrlab.metrics import auroc, bootstrap, compare
from cxrlab.report import matrix
from tests.planted_predictions import predictions


def model(site, separation, *, name, home=False, n=1500, seed=0, noise=1):
    """A model at a site: the same rows for every model, its own errors, which its models share by half."""
    made = predictions(site, n=n, separation=0.0, home=home, seed=seed)
    rng, shared = np.random.default_rng(1000 + noise), np.random.default_rng(seed + 77)
    for label in made.labels:
        y = made.table[f"y:{label}"].to_numpy()
        error = (shared.normal(size=n) + rng.normal(size=n)) / np.sqrt(2)
        made.table[f"logit:{label}"] = error + separation * y
    return type(made)(made.table, name, site, "spec", "store", "0", True)


def study(*separations):
    """Runs of (separation at home, separation away), and one external site."""
    return {
        f"m{i}": (
            model("home", here, name=f"m{i}", home=True, noise=i),
            [model("away", there, name=f"m{i}", seed=9, noise=20 + i)],
        )
        for i, (here, there) in enumerate(separations)
    }


def test_a_better_run_is_found_at_home_and_away_and_a_larger_loss_too():
    table = report.compare_runs(study((1.5, 1.4), (1.5, 0.4))).set_index("what")
    assert abs(table.difference["home"]) < 0.03 and table.p["home"] > 0.05
    assert table.low["external"] > 0 and table.p_holm["external"] < 0.001
    assert table.difference["gap"] < 0 and table.high["gap"] < 0  # m0 loses less
    assert table.loc["gap", "value_b"] > table.loc["gap", "value_a"]
    assert table.labels["home"] == "Edema, Pneumonia"


def test_equal_runs_differ_in_one_study_of_twenty():
    found = [
        report.compare_panels(None, {"s": report.panel({
            n: model("s", 1.0, name=n, n=300, seed=seed, noise=1000 * seed + k) for k, n in enumerate("ab")
        }, "Edema")}).p[0]
        for seed in range(120)
    ]  # fmt: skip
    assert 0.01 < np.mean(np.array(found) < 0.05) < 0.11


def test_pairs_agree_with_the_two_model_comparison():
    runs = study((1.5, 1.0), (1.2, 1.0), (1.0, 0.5))
    rows = {name: report.judged(home) for name, (home, _) in runs.items()}
    measured = {
        name: auroc.measure(one.y_true(), one.logit(), one.table["patient_id"].to_numpy(), one.labels)
        for name, one in rows.items()
    }
    for label in ("Edema", "macro"):
        ours = report.compare_panels(
            report.panel({name: home for name, (home, _) in runs.items()}, label), {}
        )
        assert ours[["a", "b"]].to_numpy().tolist() == [["m0", "m1"], ["m0", "m2"], ["m1", "m2"]]
        for row in ours.itertuples():
            peer = compare.paired(measured[row.a], measured[row.b]).set_index("label").loc[label]
            assert [row.difference, row.low, row.high, row.p, row.se] == pytest.approx(
                [peer.difference, peer.low, peer.high, peer.p, peer.se], rel=1e-9
            )


def test_the_difference_of_gaps_agrees_with_the_two_model_one():
    runs = study((1.5, 1.0), (1.2, 1.0))
    of = {}
    for name, (home, (away,)) in runs.items():
        for where, one in (("home", report.judged(home)), ("away", away)):
            of[name, where] = auroc.measure(
                one.y_true(), one.logit(), one.table["patient_id"].to_numpy(), one.labels
            )
    peer = compare.gap_difference(
        of["m0", "home"], of["m1", "home"], of["m0", "away"], of["m1", "away"], "Edema"
    )
    ours = report.compare_runs(runs, "Edema").set_index("what").loc["gap"]
    assert [ours.difference, ours.low, ours.high, ours.p] == pytest.approx(
        [peer.value, peer.low, peer.high, peer.p]
    )


def test_runs_meet_on_the_images_that_both_scored_where_both_hold_the_same_truth():
    a, b = model("s", 1.0, name="a"), model("s", 1.0, name="b", noise=2)
    b = b.where(np.arange(1500) >= 100)
    shuffled = type(b)(
        b.table.sample(frac=1, random_state=1).reset_index(drop=True), "b", "s", "", "", "0", True
    )
    shuffled.table.loc[:9, "y:Edema"] = 1 - shuffled.table.loc[:9, "y:Edema"]
    one, two = report.together([a, shuffled])
    assert one.table["image_id"].tolist() == two.table["image_id"].tolist()
    assert len(one.table) == 1400 and one.table["y:Edema"].isna().sum() == 10
    panel = report.panel({"a": a, "b": shuffled}, "Edema")
    assert panel.n_pos + panel.n_neg == 1390


def test_what_cannot_be_compared_is_said():
    a = model("s", 1.0, name="a")
    with pytest.raises(BadInput, match="1 runs cannot be compared"):
        report.panel({"a": a})
    with pytest.raises(BadInput, match="at one site"):
        report.panel({"a": a, "b": model("t", 1.0, name="b")})
    with pytest.raises(BadInput, match="no scores of 'Mass'"):
        report.panel({"a": a, "b": a}, "Mass")
    runs = study((1, 1), (1, 1))
    runs["m1"] = (model("elsewhere", 1.0, name="m1", home=True), runs["m1"][1])
    with pytest.raises(BadInput, match="runs of one home"):
        report.compare_runs(runs)


def test_a_label_without_positives_gives_reasons_not_numbers():
    a, b = model("s", 1.0, name="a"), model("s", 1.0, name="b", noise=2)
    for one in (a, b):
        one.table["y:Edema"] = 0.0
    panel = report.panel({"a": a, "b": b}, "Edema")
    table = report.compare_panels(None, {"s": panel})
    assert np.isnan(table.difference[0]) and "fewer than two patients" in table.why_nan[0]
    ranks = report.rank_runs(None, {"s": panel})
    assert ranks["rank"].isna().all() and "fewer than two" in ranks.why_nan[0]
    assert report.panel({"a": a, "b": b}).labels == ("Pneumonia",)


def test_the_same_run_twice_has_no_difference_and_no_doubt():
    a = model("s", 1.0, name="a")
    row = report.compare_panels(None, {"s": report.panel({"a": a, "b": a})}).iloc[0]
    assert (row.difference, row.low, row.high, row.p) == (0, 0, 0, 1)


def test_ranks_name_a_clear_winner_and_stay_open_between_equals():
    runs = study((2.0, 0.5), (1.0, 1.5), (1.0, 1.5))
    at = {name: there for name, (_, (there,)) in runs.items()}
    home = report.panel({name: here for name, (here, _) in runs.items()})
    table = report.rank_runs(home, {"away": report.panel(at)}).set_index(["what", "site", "name"])
    best = table.loc[("internal", "", "m0")]
    assert (best["rank"], best.rank_low, best.rank_high) == (1, 1, 1) and best["first"] > 0.99
    assert table.loc[("external", "away", "m0"), "rank"] == 3 and table.loc[("gap", "", "m0"), "rank"] == 3
    others = table.loc[[("internal", "", "m1"), ("internal", "", "m2")]]
    assert set(others.rank_low) == {2} and set(others.rank_high) == {3}


def test_the_joint_draws_have_the_spread_of_the_patient_bootstrap():
    runs = {name: model("s", 1.2, name=name, n=800, noise=k) for k, name in enumerate("ab")}
    panel = report.panel(runs, "Edema")
    y = runs["a"].y_true()[:, [0, 0]]
    score = np.column_stack([one.logit()[:, 0] for one in runs.values()])
    drawn = bootstrap.auroc_draws(y, score, runs["a"].table["patient_id"].to_numpy(), 2000, 0)
    assert panel.covariance() == pytest.approx(np.cov(drawn.T), rel=0.15)


# The matrix ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells():
    made = []
    for name, home, other in (("a", "east", "west"), ("b", "west", "east")):
        made.append(report.condense(model(home, 1.6, name=name, home=True, n=4000, seed=1)))
        made.append(report.condense(model(other, 0.8, name=name, n=2000, seed=2)))
    return made


def test_the_matrix_has_every_run_at_every_site_with_its_gap(cells):
    table = report.train_test_matrix(cells)
    assert table[["run", "train_site", "site", "is_home"]].to_numpy().tolist() == [
        ["a", "east", "east", True], ["a", "east", "west", False],
        ["b", "west", "west", True], ["b", "west", "east", False],
    ]  # fmt: skip
    assert table.verdict.tolist() == ["", "worse", "", "worse"]
    assert table.gap[1] == pytest.approx(table.auroc[0] - table.auroc[1])


def test_a_cell_is_what_performance_and_gaps_say(cells):
    here, there = (
        model("east", 1.6, name="a", home=True, n=4000, seed=1),
        model("west", 0.8, name="a", n=2000, seed=2),
    )
    for label in ("Edema", "macro"):
        table = report.train_test_matrix(cells, label)
        single = report.performance(here).set_index("label").loc[label]
        assert [table.auroc[0], table.low[0], table.high[0]] == pytest.approx(
            [single.auroc, single.low, single.high], rel=1e-3
        )
        gap = report.gaps(here, [there]).set_index("label").loc[label]
        assert [table.gap[1], table.gap_low[1], table.gap_high[1]] == pytest.approx(
            [gap.gap, gap.low, gap.high], abs=2e-4
        )
        assert table.verdict[1] == gap.verdict


def test_means_are_over_labels_that_every_cell_supports(cells):
    lacking = model("north", 1.0, name="a", seed=4)
    lacking.table["y:Edema"] = np.nan
    table = report.train_test_matrix([*cells, report.condense(lacking)])
    assert set(table.labels) == {"Pneumonia"}
    alone = report.train_test_matrix([*cells, report.condense(lacking)], "Edema").set_index(["run", "site"])
    assert alone.loc[("a", "north"), "why_nan"] == "no annotated images"
    assert alone.loc[("a", "north"), "verdict"] == "cannot say"


def test_a_run_without_a_home_has_numbers_and_no_gap():
    table = report.train_test_matrix([report.condense(model("s", 1.0, name="vendor"))])
    assert table.train_site[0] == matrix.NOT_KNOWN and table.auroc[0] > 0.6
    assert np.isnan(table.gap[0]) and table.verdict[0] == ""
    assert report.train_test_matrix([]).empty


def test_cost_is_set_beside_the_gap_and_too_few_runs_relate_to_nothing(cells):
    costs = {"a": {"parameters": 7e6, "seconds": 10.0, "inference": {"images_per_s": 50.0, "p50_ms": 3.0}}}
    table, relations = report.efficiency_vs_gap(report.train_test_matrix(cells), costs)
    assert table.parameters[0] == 7e6 and np.isnan(table.parameters[1]) and table.images_per_s[0] == 50
    assert table.gap[0] > 0.05 and table.n_sites.tolist() == [1, 1]
    assert relations["parameters"].verdict == "too few sites"


def test_seeds_have_their_own_spread_beside_that_of_patients():
    made = [report.condense(model("s", 1.2, name=f"r{k}", home=True, noise=k)) for k in range(3)]
    table = report.train_test_matrix(made, "Edema")
    found = report.seeds(table, {"r0": "r0", "r1": "r0", "r2": "r0"}).iloc[0]
    assert found.seeds == 3 and found["mean"] == pytest.approx(table.auroc.mean())
    assert found.sd == pytest.approx(table.auroc.std()) and found.low < found.least <= found.most < found.high
    assert np.isnan(report.seeds(table, {"r0": "r0"}).sd[0])


def test_runs_that_differ_in_their_seed_only_are_one_group():
    view = {"source": ["a"], "labels": ["Edema"]}
    of = {
        name: specs.build({"kind": "train", "view": view, "seed": seed, "training": {"epochs": epochs}})
        for name, seed, epochs in (("x", 0, 5), ("y", 1, 5), ("z", 0, 6))
    }
    of["s"] = specs.ScoreSpec(run="x", sites=("b",))
    assert report.seed_groups(of) == {"x": "x", "y": "x", "z": "z"}


def test_each_seed_may_build_on_a_run_of_its_own_seed():
    view = {"source": ["a"], "labels": ["Edema"]}
    of = {
        f"start{seed}": specs.build({"kind": "train", "view": view, "seed": seed, "data": {"a": "store"}})
        for seed in (0, 1)
    }
    for seed in (0, 1, 2):
        start = {"strategy": {"start_from": f"start{seed}", "layers": "head"}}
        data = {"a": "store", f"start:start{seed}": f"weights {seed}"}
        of[f"tuned{seed}"] = specs.build({"kind": "train", "view": view, "seed": seed, "data": data, **start})
    grouped = report.seed_groups(of)
    assert grouped["start1"] == "start0" and grouped["tuned1"] == "tuned0"
    assert grouped["tuned2"] == "tuned2", "its start is not among these, so it may be anything"
    other = of["tuned1"].model_copy(update={"data": {"a": "another store", "start:start1": "weights 1"}})
    assert report.seed_groups({**of, "tuned1": other})["tuned1"] == "tuned1"
