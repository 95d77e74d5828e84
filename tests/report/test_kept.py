"""Kept runs say what the rows say, and stay silent where they cannot."""

import numpy as np
import pytest

from cxrlab import report
from cxrlab.metrics.auroc import MACRO
from cxrlab.report import kept
from tests.report.test_comparison import model


def three(site="away", seed=3):
    return {f"m{i}": model(site, 0.5 + i, name=f"m{i}", seed=seed, noise=i) for i in range(3)}


@pytest.mark.parametrize("label", ["Edema", "Pneumonia", MACRO])
def test_kept_runs_give_the_panel_that_the_rows_give(label):
    runs = three()
    fast, slow = (
        kept.panel(list(runs), [kept.keep(one) for one in runs.values()], label),
        report.panel(runs, label),
    )
    assert (fast.names, fast.labels, fast.patients, fast.n_pos, fast.n_neg) == (
        slow.names, slow.labels, slow.patients, slow.n_pos, slow.n_neg,
    )  # fmt: skip
    np.testing.assert_allclose(fast.theta, slow.theta, rtol=1e-12)
    np.testing.assert_allclose(fast.covariance(), slow.covariance(), rtol=1e-5)
    assert fast.difference(0, 2).low == pytest.approx(slow.difference(0, 2).low, abs=1e-6)


def test_runs_judged_on_other_images_or_truths_are_left_to_the_rows():
    a, b = (kept.keep(one) for one in list(three().values())[:2])
    other_images = kept.keep(model("away", 1, name="x", n=1400, seed=3))
    changed = model("away", 1, name="y", seed=3)
    changed.table.loc[0, "y:Edema"] = 1 - changed.table.loc[0, "y:Edema"]
    other_truth = kept.keep(changed)
    assert kept.panel(["a", "b"], [a, b], "Edema") is not None
    assert kept.panel(["a", "x"], [a, other_images], "Edema") is None
    assert kept.panel(["a", "y"], [a, other_truth], "Edema") is None
    assert kept.panel(["a", "y"], [a, other_truth]) is None
    assert kept.panel(["a", "y"], [a, other_truth], "Pneumonia") is not None


def test_a_score_that_one_run_lacks_is_left_to_the_rows():
    whole, holed = model("away", 1, name="a", seed=3), model("away", 1, name="b", seed=3, noise=2)
    holed.table.loc[5, "logit:Edema"] = np.nan
    assert kept.panel(["a", "b"], [kept.keep(whole), kept.keep(holed)], "Edema") is None


def test_a_label_without_positives_has_a_reason():
    made = model("away", 1, name="a", seed=3)
    made.table["y:Edema"] = 0.0
    one = kept.keep(made)
    assert kept.panel(["a", "b"], [one, one], "Edema").why_nan == "fewer than two patients of a class"
    assert kept.panel(["a", "b"], [one, one]).labels == ("Pneumonia",)
