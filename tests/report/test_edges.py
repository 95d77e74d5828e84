"""Every table of the number pages on sites that are awkward: reasons instead of numbers, and never an error."""

import warnings

import numpy as np
import pytest

from cxrlab import report
from cxrlab.metrics.thresholds import Threshold, ThresholdSet
from tests.planted_predictions import predictions


def edit(column, value):
    def change(site):
        site.table[column] = value
        return site

    return change


AWKWARD = {
    "no positives": edit("y:Edema", 0.0),
    "no negatives": edit("y:Edema", 1.0),
    "one positive": lambda site: edit("y:Edema", (np.arange(len(site.table)) == 2).astype(float))(site),
    "constant scores": edit("logit:Edema", 0.3),
    "no scores": edit("logit:Edema", np.nan),
    "no truths": edit("y:Edema", np.nan),
    "one patient": edit("patient_id", "p"),
    "ten rows": lambda site: site.where(np.arange(len(site.table)) < 10),
    "no rows": lambda site: site.where(np.zeros(len(site.table), bool)),
    "certain": edit("logit:Edema", np.where(np.arange(600) % 2, 800.0, -800.0)),
    "nobody said": lambda site: edit("age_years", np.nan)(edit("sex", "")(edit("view", "")(site))),
}


def awkward(name, site="away", home=False):
    return AWKWARD[name](predictions(site, n=600, home=home, seed=1))


CUT = ThresholdSet("x", "r", "by hand", "", {label: Threshold(0.4) for label in ("Edema", "Pneumonia")})


@pytest.mark.parametrize("name", AWKWARD)
def test_tables_of_one_site_answer(name):
    there = awkward(name)
    there.table["group:device"] = np.where(np.arange(len(there.table)) % 3, "x", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.subgroups(there, "Edema", 0.4)
        report.co_errors(there, CUT)
        report.roc_band(there, "Edema", draws=20)
        report.pr_band(there, "Edema", draws=20)
        report.changed(there, "Edema", 0.2, 0.6)
        report.by_threshold(there, "Edema")
        noise = report.label_noise(there, "Edema", {"r": there.table["y:Pneumonia"].to_numpy()})
        table = report.standardised([there], "Edema", 0.4, prevalence=0.1)
        matrix = report.train_test_matrix([report.condense(there)])
    if name in ("no positives", "no negatives", "no truths", "no rows", "no scores"):
        assert table.why_nan[0] and noise.why_nan[0]
    if name in ("one patient", "no rows"):
        assert np.isnan(matrix.auroc[0]) and matrix.why_nan[0]


@pytest.mark.parametrize("name", AWKWARD)
def test_tables_of_home_and_away_answer(name):
    fine = {"home": predictions("home", n=600, home=True), "away": predictions("away", n=600)}
    for home, there in ((fine["home"], awkward(name)), (awkward(name, "home", home=True), fine["away"])):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = report.calibration(home, there, "Edema")
            report.reliability(home, there, "Edema")
            report.decision_curve(home, there, "Edema")
            losses = report.decomposition(home, [there], CUT)
            report.operating_point({"m": (home, [there])}, "Edema")
            cells = [report.condense(home), report.condense(there)]
            matrix = report.train_test_matrix(cells, "Edema")
            report.efficiency_vs_gap(matrix, {})
            report.seeds(matrix, {"run": "run"})
        assert (found.brier.notna() | (found.why_nan != "")).all()
        assert (losses.loss.notna() | (losses.why_nan != "")).all()
        assert matrix.auroc.notna().sum() + (matrix.why_nan != "").sum() == 2


@pytest.mark.parametrize("name", [name for name in AWKWARD if name not in ("no rows",)])
def test_comparisons_answer(name):
    a, b = awkward(name), awkward(name)
    b.table["logit:Pneumonia"] += np.random.default_rng(0).normal(size=len(b.table))
    for label in ("Edema", "macro"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            panel = report.panel({"a": a, "b": b}, label)
            table = report.compare_panels(panel, {"away": panel})
            report.rank_runs(panel, {"away": panel}, draws=50)
        assert (table.difference.notna() | (table.why_nan != "")).all()


def test_images_that_change_side_are_those_between_two_thresholds():
    site = predictions("s", home=True)
    for a, b, groups in ((0.2, 0.5, {"FN", "TN"}), (0.5, 0.2, {"TP", "FP"})):
        table = report.changed(site, "Edema", a, b)
        assert table["score"].between(0.2, 0.5).all() and set(table["group"]) == groups
        judged = report.judged(site)
        assert table["group"].value_counts().to_dict() == {
            name: int(
                (
                    (report.groups(judged, "Edema", b) == name) & (report.groups(judged, "Edema", a) != name)
                ).sum()
            )
            for name in groups
        }
        assert (site.table.set_index("image_id").loc[table["image_id"], "split"] == "test").all()
