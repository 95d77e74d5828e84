import numpy as np
import pandas as pd
import pytest

from cxrlab import report
from cxrlab.metrics import auroc, rules
from cxrlab.report import bands
from tests.planted_predictions import predictions


def test_the_curve_is_the_exact_one_and_lies_in_its_band():
    site = predictions("s", separation=1.5)
    roc, pr = report.roc_band(site, "Edema"), report.pr_band(site, "Edema")
    for table in (roc, pr):
        assert (
            len(table) <= 200 and (table.low <= table.y + 0.02).all() and (table.y <= table.high + 0.02).all()
        )
    y, s = site.y_true()[:, 0], site.score()[:, 0]
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(auroc.auroc(y, s), abs=0.004)
    assert (np.diff(roc.y) >= 0).all() and roc.x.iloc[[0, -1]].tolist() == [0, 1]
    at_half = pr[np.isclose(pr.x, 0.5)].iloc[0]
    cut = rules.cuts(y, s)
    first = np.argmax(cut.sensitivity >= 0.5)
    assert at_half.y == pytest.approx(cut.tp[first] / (cut.tp + cut.fp)[first])


def test_the_band_covers_the_true_curve_as_often_as_it_says():
    """Two images a patient with the same score and truth: treating them as independent would be too narrow."""
    from scipy.stats import norm

    inside = []
    for seed in range(60):
        site = predictions("s", n=600, separation=1.5, seed=seed, labels=("Edema",))
        for column in ("y:Edema", "logit:Edema"):
            site.table[column] = np.repeat(site.table[column].to_numpy()[::2], 2)
        table = report.roc_band(site, "Edema", draws=100, seed=seed)
        truth = norm.cdf(1.5 + norm.ppf(np.clip(table.x, 1e-9, 1 - 1e-9)))
        middle = table.x.between(0.1, 0.6)
        inside.append(((table.low <= truth) & (truth <= table.high))[middle].mean())
    assert 0.88 <= np.mean(inside) <= 0.99


def test_chance_has_chance_in_its_band():
    site = predictions("s", separation=0.0)
    roc = report.roc_band(site, "Edema")
    assert ((roc.low <= roc.x) & (roc.x <= roc.high)).mean() > 0.8


def test_ties_and_edges_make_no_error():
    site = predictions("s", n=60)
    site.table["logit:Edema"] = 0.0
    assert report.roc_band(site, "Edema").y.to_numpy() == pytest.approx(bands.AT)
    site.table["y:Edema"] = 0.0
    assert report.roc_band(site, "Edema").empty and report.pr_band(site, "Edema").empty
    few = predictions("s", n=10, seed=1)
    few.table["y:Edema"] = [1.0] + [0.0] * 9
    table = report.roc_band(few, "Edema")
    assert len(table) == 101 and table.y.notna().all()


def test_the_same_seed_draws_the_same_band():
    site = predictions("s", n=200)
    assert report.roc_band(site, "Edema").equals(report.roc_band(site, "Edema"))


def test_both_bands_at_once_are_those_asked_for_one_by_one():
    here = predictions(n=600)
    both = report.bands.both_bands(here, "Edema", 50)
    for kind, alone in (("roc", report.roc_band), ("pr", report.pr_band)):
        part = both[both["kind"] == kind].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, alone(here, "Edema", 50))
