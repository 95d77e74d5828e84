"""Sentences of Generalization: computed, and silent where nothing is known."""

import numpy as np
import pandas as pd
import pytest

from cxrlab import report
from cxrlab.metrics import thresholds
from cxrlab.ui import told
from tests.planted_predictions import predictions


@pytest.fixture
def home():
    return predictions("home", home=True)


def test_a_loss_names_its_largest_part_first(home):
    worse = predictions("away", separation=0.3, seed=4)
    table = report.decomposition(home, [worse], thresholds.tune(home), ("Edema",))
    said = told.losses(table, "home", "Edema")
    parts = said.split(": ", 1)[1]
    assert "falls from" in said and parts.index("by ranking") < parts.index("by the threshold")


def test_a_loss_that_cannot_be_said_has_its_reason(home):
    away = predictions("away", seed=4)
    away.table["y:Edema"] = 0.0
    said = told.losses(report.decomposition(home, [away], thresholds.tune(home), ("Edema",)), "home", "Edema")
    assert "Nothing can be said" in said and "no positive" in said


def test_groups_without_a_difference_claim_none_and_a_planted_one_is_named():
    here = predictions("here", n=3000, separation=1.5)
    here.table["sex"] = np.where(np.arange(3000) // 2 % 2 == 0, "F", "M")
    assert "no group" in told.groups(report.subgroups(here, "Edema", by=["sex"]), "here", "Edema")
    men = here.table["sex"] == "M"
    here.table.loc[men, "logit:Edema"] = np.random.default_rng(1).normal(size=men.sum())
    assert "differs from that of the rest for sex" in told.groups(
        report.subgroups(here, "Edema", by=["sex"]), "here", "Edema"
    )


def test_only_pairs_with_the_finding_are_asked_for_and_it_stands_on_the_left(home):
    table = report.co_errors(home, thresholds.tune(home), "Pneumonia")
    assert ((table["label"] == "Pneumonia") | (table["other"] == "Pneumonia")).all()
    assert told.mistake_rows(table, "Pneumonia")["mistake"].str.startswith("Pneumonia").all()


def test_a_model_without_a_home_is_told_site_by_site():
    table = report.performance(predictions("clinic"))
    said = told.without_home(table, "import-x")
    assert "there are no gaps" in said and "At *clinic* (n = 1,000)" in said
    empty = pd.concat([table.assign(auroc=np.nan, why_nan="no positive images")])
    assert "undefined (no positive images)" in told.without_home(empty, "import-x")


def test_a_head_that_was_never_trained_is_called_so_and_a_trained_one_is_not(home):
    assert told.untrained(report.performance(home), "home") == ""
    chance = predictions("home", home=True, separation=0.0, n=3000)
    assert "never trained" in told.untrained(report.performance(chance), "home")
