import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from cxrlab import report
from cxrlab.errors import BadInput
from cxrlab.metrics import thresholds
from tests.planted_predictions import predictions


@pytest.fixture(scope="module")
def home():
    return predictions("home", home=True, n=6000)


@pytest.fixture(scope="module")
def tuned(home):
    return thresholds.tune(home)


@pytest.fixture(scope="module")
def away():
    """A worse site, an equal one, and one where Edema is nearly never absent."""
    worse, equal = predictions("worse", separation=0.5, re=0.4, seed=1), predictions("equal", n=6000, seed=2)
    rare = predictions("rare", n=100, seed=3)
    rare.table["y:Edema"] = np.where(np.arange(100) < 6, 0.0, 1.0)
    return [worse, equal, rare]


def test_home_is_judged_on_test_rows_and_an_external_site_on_all(home, away):
    assert report.judged(home).table["split"].unique().tolist() == ["test"]
    assert len(report.judged(away[0]).table) == 1000


def test_performance_is_scikit_learns_on_those_rows(home, tuned):
    table = report.performance(home, tuned).set_index("label")
    rows = report.judged(home)
    y_true, score = rows.y_true()[:, 0], rows.score()[:, 0]
    called = score >= tuned.of("Edema")
    edema = table.loc["Edema"]
    assert edema.auroc == pytest.approx(sk.roc_auc_score(y_true, score), abs=1e-12)
    assert edema.auprc == pytest.approx(sk.average_precision_score(y_true, score), abs=1e-12)
    assert edema.f1 == pytest.approx(sk.f1_score(y_true, called), abs=1e-12)
    assert edema.mcc == pytest.approx(sk.matthews_corrcoef(y_true, called), abs=1e-12)
    assert edema.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(y_true, called), abs=1e-12)
    assert (edema.n, edema.n_pos, edema.site) == (2000, y_true.sum(), "home")
    assert edema.n_patients == 1000
    macro = table.loc["macro"]
    assert macro.auroc == pytest.approx(table.auroc[:2].mean())
    assert macro.f1 == pytest.approx(table.f1[:2].mean())
    assert macro.labels == "Edema, Pneumonia"


def test_without_thresholds_their_numbers_are_undefined_with_the_reason(home):
    row = report.performance(home).iloc[0]
    assert np.isnan([row.f1, row.mcc, row.threshold]).all()
    assert row.why_threshold == "no threshold set was chosen"
    assert not np.isnan(row.auprc)


def test_a_label_that_a_site_lacks_keeps_its_row(tuned):
    site = predictions("x", n=200)
    site.table["y:Edema"] = np.nan
    table = report.performance(site, tuned)
    assert list(table["label"]) == ["Edema", "Pneumonia", "macro"]
    assert table["why_nan"][0] == "no annotated images"
    assert table["labels"][2] == "Pneumonia"
    assert "without Edema (no annotated images)" in table["note"][2]


def test_an_empty_site_is_undefined_everywhere(home):
    table = report.performance(home.only("external"))
    assert table["auroc"].isna().all()
    assert (table["why_nan"] != "").all()


def test_an_untrained_head_is_flagged_and_a_trained_one_is_not(home):
    untrained = report.performance(predictions(n=400, separation=0.0))
    assert report.looks_untrained(untrained)
    assert "untrained head" in untrained["note"].iloc[-1]
    assert not report.looks_untrained(report.performance(home))
    assert not report.looks_untrained(report.performance(home.only("external")))
    assert not report.looks_untrained(report.performance(predictions(n=24, separation=0.0)))  # too few to say


def test_scores_far_out_do_not_overflow(tuned):
    site = predictions(n=60)
    site.table["logit:Edema"] = np.where(site.table["y:Edema"] == 1, 900.0, -900.0)
    assert report.performance(site, tuned)["auroc"][0] == 1


def test_gaps_find_the_worse_site_and_are_silent_at_the_equal_one(home, away):
    table = report.gaps(home, away).set_index(["site", "label"])
    assert table.loc["worse", "verdict"].tolist() == ["worse"] * 3
    assert table.loc["equal", "verdict"].tolist() == ["no gap"] * 3
    rare = table.loc[("rare", "Edema")]
    assert rare.verdict == "cannot say"
    assert "negative patients at the external site" in rare.why
    assert (rare.n, rare.n_neg) == (100, 6)


def test_the_mean_gap_is_over_labels_firm_on_both_sides(home):
    site = predictions("x", n=2000)
    site.table["y:Edema"] = 0.0
    macro = report.gaps(home, [site]).set_index("label").loc["macro"]
    inside = report.performance(home).set_index("label")
    assert macro.labels == "Pneumonia"
    assert macro.internal == pytest.approx(inside.auroc["Pneumonia"])


def test_no_external_site_gives_an_empty_table_with_its_columns(home):
    table = report.gaps(home, [])
    assert len(table) == 0
    assert {"site", "label", "gap", "verdict"} <= set(table)


def test_reconstruction_finds_the_shifted_site_and_is_silent_at_the_equal_one(home, away):
    table = report.reconstruction(home, away).set_index("site")
    assert table["verdict"].to_dict() == {
        "home": "home", "worse": "shifted", "equal": "like home", "rare": "like home",
    }  # fmt: skip
    assert table.why_nan["home"] == "home is the reference"
    assert table.n["home"] == 2000
    assert table.low["worse"] > 0.5
    assert table.null_ks["worse"] < table.ks["worse"]


def test_reconstruction_never_reads_homes_training_rows(home, away):
    spoiled = predictions("home", home=True, n=6000)
    spoiled.table.loc[spoiled.table["split"] != "test", "re"] = 1e9
    pd.testing.assert_frame_equal(
        report.reconstruction(spoiled, away[:1]), report.reconstruction(home, away[:1])
    )


def test_a_site_without_errors_and_a_run_without_errors_say_so(home):
    silent = predictions("x", n=50)
    silent.table["re"] = np.nan
    row = report.reconstruction(home, [silent]).iloc[1]
    assert (row.verdict, row.why_nan) == ("cannot say", "no reconstruction errors in this site")
    del silent.table["re"]
    with pytest.raises(BadInput, match="choose an autoencoder's run"):
        report.reconstruction(home, [silent])


def test_a_planted_relation_of_errors_and_performance_is_found_and_three_sites_are_too_few(home):
    sites = [predictions(f"s{i}", n=3000, separation=2 - 0.3 * i, re=0.1 * i, seed=i) for i in range(1, 6)]
    errors = report.reconstruction(home, sites)
    performance = pd.concat([report.performance(one) for one in (home, *sites)])
    found = report.re_vs_performance(errors, performance, "macro")
    assert (found["n"], found["y"], found["verdict"]) == (6, "AUROC", "together")
    assert found["spearman"] == -1
    assert list(found["points"]) == ["site", "re", "value", "low", "high"]
    over_gaps = report.re_vs_performance(errors, report.gaps(home, sites[:3]), "Edema")
    assert (over_gaps["n"], over_gaps["y"], over_gaps["verdict"]) == (3, "gap", "too few sites")


def test_a_planted_copy_of_a_site_is_drawn_but_is_no_further_site_of_a_correlation(home):
    sites = [predictions(f"s{i}", n=800, separation=2 - 0.3 * i, re=0.1 * i, seed=i) for i in range(1, 6)]
    errors = report.reconstruction(home, sites)
    performance = pd.concat([report.performance(one) for one in (home, *sites)])
    plain = report.re_vs_performance(errors, performance, "macro")
    copies = {"s1": "home", "s3": "s2", "s4": "gone", "s5": "gone"}
    found = report.re_vs_performance(errors, performance, "macro", copies)
    assert found["repeats"] == ["s1", "s3", "s5"]
    assert (found["n"], found["verdict"]) == (3, "too few sites")
    pd.testing.assert_frame_equal(found["points"], plain["points"])
    assert plain["repeats"] == [] and plain["n"] == 6


def test_curves_keep_real_corners_and_their_ends(home):
    table = report.curves(home, "Edema")
    roc, pr = (table[table["kind"] == kind] for kind in ("roc", "pr"))
    assert len(roc) < 300
    assert len(pr) < 300
    assert (roc.x.iloc[0], roc.y.iloc[0], roc.x.iloc[-1], roc.y.iloc[-1]) == (0, 0, 1, 1)
    area = float(np.trapezoid(roc.y, roc.x))
    assert area == pytest.approx(report.performance(home)["auroc"][0], abs=0.003)
    counts = report.confusion(home, "Edema", roc.threshold.iloc[80])
    assert counts.sensitivity == pytest.approx(roc.y.iloc[80])
    assert len(report.curves(predictions(n=20, prevalence=0.0), "Edema")) == 0


def test_the_table_over_thresholds_is_the_confusion_at_each(home):
    table = report.by_threshold(home, "Edema", np.array([0.0, 0.3, 1.1]))
    for row in table.itertuples():
        counts = report.confusion(home, "Edema", row.threshold)
        assert (row.tp, row.fp, row.fn, row.tn) == (counts.tp, counts.fp, counts.fn, counts.tn)
        assert row.f1 == pytest.approx(counts.f1)
    assert len(report.by_threshold(home, "Edema")) > 100
    assert len(report.by_threshold(predictions(n=20, prevalence=0.0), "Edema")) == 0


def test_groups_name_every_row_given_and_leave_unknown_ones_blank(home):
    site = predictions(n=6)
    site.table["y:Edema"] = [1, 1, 0, 0, np.nan, 1]
    site.table["logit:Edema"] = [1, -1, 1, -1, 1, np.nan]
    assert report.groups(site, "Edema", 0.5).tolist() == ["TP", "FN", "FP", "TN", "", ""]
    assert report.groups(site, "Edema", np.nan).tolist() == [""] * 6


def test_a_threshold_that_does_not_travel_loses_f1_and_home_is_no_oracle(home):
    shifted = predictions("shifted", n=3000, seed=5)
    shifted.table["logit:Edema"] -= 2
    table = report.transfer(home, [shifted], "Edema").set_index(["tuned_at", "applied_at"])
    assert table.loc[("home", "shifted"), "loss"] > 0.1
    assert table.loc[("shifted", "shifted"), "loss"] == pytest.approx(0)
    assert table.loc[("home", "home"), "loss"] < 0.05
    assert table["oracle"].to_dict()[("home", "shifted")] is False
    assert table["oracle"].to_dict()[("shifted", "home")] is True
    empty = report.transfer(home, [predictions("none", n=50, prevalence=0.0)], "Edema")
    assert set(empty["why_nan"]) == {"", "no positive images", "no threshold from none: no positive images"}


def test_a_label_of_another_run_is_a_sentence_not_a_crash(home):
    with pytest.raises(BadInput, match="gave no scores of 'Hernia' at home; choose one of: Edema, Pneumonia"):
        report.curves(home, "Hernia")


def test_a_run_without_labels_gives_tables_without_labels(home, away):
    def errors_only(one):
        table = one.table.drop(columns=[c for c in one.table if c[:2] in ("y:", "lo")])
        return dataclasses.replace(one, table=table)

    table = report.performance(errors_only(home))
    assert table[["site", "label"]].values.tolist() == [["home", "macro"]]
    assert table["why_nan"][0]
    gaps = report.gaps(errors_only(home), [errors_only(away[0])])
    assert gaps["verdict"].tolist() == ["cannot say"]
    assert report.headline(gaps, "home").startswith("Trained at home")


def test_a_mean_over_labels_borrows_no_support():
    """Six normals at a site support no verdict, alone or averaged; a firm label beside them keeps its own."""
    home = predictions("home", home=True, n=1500, separation=4, labels=("Edema", "Pneumonia"))
    far = predictions("far", separation=0, seed=1, labels=("Edema", "Pneumonia"))
    few = far.table.copy()
    for label in ("Edema", "Pneumonia"):
        few.loc[few.index[few[f"y:{label}"] == 0][6:], f"y:{label}"] = np.nan
    starved = dataclasses.replace(far, table=few)
    macro = report.gaps(home, [starved]).set_index("label").loc["macro"]
    assert macro["verdict"] == "cannot say"
    assert "none of its labels" in macro["why"]
    assert np.isfinite(macro["gap"]), "the number is shown all the same"

    half = far.table.assign(**{"y:Edema": few["y:Edema"]})
    macro = report.gaps(home, [dataclasses.replace(far, table=half)]).set_index("label").loc["macro"]
    assert (macro["verdict"], macro["labels"]) == ("worse", "Pneumonia")
