"""A sweep's table: planted numbers come out, seeds become mean ± sd, and what is missing stays missing."""

import numpy as np
import pandas as pd
import pytest

from cxrlab.report import gaps, performance, sweep_table
from tests.planted_predictions import predictions


def test_a_runs_numbers_are_the_reports_own():
    home, away = predictions("home", home=True, n=3000), predictions("away", separation=0.5, seed=1)
    found = sweep_table.measure([home], [away])
    assert found["home"] == found["at home"] == performance(home).iloc[-1]["auroc"]
    assert found["at away"] == performance(away).iloc[-1]["auroc"]
    assert found["gap away"] == gaps(home, [away]).iloc[-1]["gap"] > 0.1


def test_no_planted_gap_is_no_gap():
    home, twin = predictions("home", home=True, n=6000), predictions("twin", n=6000, seed=2)
    assert abs(sweep_table.measure([home], [twin])["gap twin"]) < 0.03


def test_several_homes_are_a_mean_and_each_has_its_own_column():
    one, two = (
        predictions("one", home=True, n=3000),
        predictions("two", home=True, n=3000, separation=1.0, seed=3),
    )
    found = sweep_table.measure([one, two], [])
    assert found["home"] == pytest.approx((found["at one"] + found["at two"]) / 2)
    assert found["at one"] > found["at two"] + 0.05


def test_a_run_without_labels_has_no_numbers():
    assert sweep_table.measure([predictions("home", home=True, labels=())], []) == {}


def table():
    rows = [
        ("sam", 0, "a", "done", 0.8, 0.1),
        ("sam", 1, "b", "done", 0.9, 0.3),
        ("lion", 0, "", "", np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "run", "state", "home", "gap away"])


def test_over_seeds_is_mean_and_sd_with_n_minus_one():
    made = sweep_table.over_seeds(table()).set_index("arm")
    assert made.loc["sam", "home"] == pytest.approx(0.85)
    assert made.loc["sam", "home sd"] == pytest.approx(np.std([0.8, 0.9], ddof=1))
    assert made.loc["sam", "gap away"] == pytest.approx(0.2)
    assert made.loc["sam", "seeds"] == 2


def test_a_setting_that_is_not_there_yet_keeps_its_row_without_a_number():
    made = sweep_table.over_seeds(table()).set_index("arm")
    assert made.loc["lion", "seeds"] == 0 and np.isnan(made.loc["lion", "home"])
    one = sweep_table.over_seeds(table().iloc[:1]).iloc[0]
    assert one["seeds"] == 1 and np.isnan(one["home sd"])


def test_the_only_home_of_every_run_is_not_said_twice():
    rows = pd.DataFrame({"home": [0.8, np.nan], "at north": [0.8, np.nan], "at east": [0.7, np.nan]})
    assert list(sweep_table.without_repeats(rows)) == ["home", "at east"]
    mixed = pd.DataFrame({"home": [0.8, 0.6], "at north": [0.8, 0.7]})
    assert list(sweep_table.without_repeats(mixed)) == ["home", "at north"]
