"""A sweep's table: planted numbers come out, seeds become mean ± sd, and what is missing stays missing."""

import numpy as np
import pandas as pd
import pytest

from cxrlab.report import gaps, performance, sweep_lead, sweep_table
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


def over_three_seeds(separation, n=3000, home_n=6000):
    """A setting of three seeds: home and a site away whose classes lie `separation` apart (home's: 2)."""
    rows = []
    for seed in range(3):
        home = predictions("home", home=True, n=home_n, seed=10 + seed)
        away = predictions("away", separation=separation, n=n, seed=20 + seed)
        rows.append(
            {
                "arm": "a",
                "seed": seed,
                "run": f"r{seed}",
                "state": "done",
                "why": "",
                **sweep_table.measure([home], [away]),
            }
        )
    return pd.DataFrame(rows)


def test_a_planted_gap_is_worse_with_an_interval_that_holds_it_and_none_is_no_gap():
    planted, silent = (sweep_table.over_seeds(over_three_seeds(s)).iloc[0] for s in (0.5, 2.0))
    # Phi(separation / sqrt 2): 0.921 at home, 0.638 there.
    assert planted["gap away low"] < 0.921 - 0.638 < planted["gap away high"]
    assert planted["gap away low"] > 0 and planted["gap away says"] == "worse" and planted["seeds"] == 3
    assert silent["gap away low"] < 0 < silent["gap away high"] and silent["gap away says"] == "no gap"


def test_a_site_too_small_to_say_anything_says_so():
    row = sweep_table.over_seeds(over_three_seeds(0.5, n=24)).iloc[0]
    assert row["gap away says"] == "cannot say" and np.isfinite(row["gap away"])


def test_the_interval_of_a_mean_over_seeds_is_no_narrower_than_the_patients_allow():
    """More seeds of the same patients are not more patients."""
    table = over_three_seeds(1.0)
    width = table["gap away high"] - table["gap away low"]
    row = sweep_table.over_seeds(table).iloc[0]
    assert row["gap away high"] - row["gap away low"] == pytest.approx(width.mean())
    sure, unsure = (
        table.assign(**{"gap away says": "worse"}),
        table.assign(**{"gap away says": ["worse", "worse", "no gap"]}),
    )
    assert sweep_table.over_seeds(sure).iloc[0]["gap away says"] == "worse"
    assert sweep_table.over_seeds(unsure).iloc[0]["gap away says"] == "cannot say"


def test_a_run_that_is_not_there_has_its_reason_in_the_row_of_its_setting():
    rows = over_three_seeds(1.0).assign(why=["", "failed: the loss is NaN", ""])
    rows.loc[1, ["home", "gap away"]] = np.nan
    made = sweep_table.over_seeds(rows).iloc[0]
    assert made["seeds"] == 2 and made["why"] == "seed 1 failed: the loss is NaN"
    assert sweep_table.setting_of(rows) == sweep_table.setting_of(sweep_table.over_seeds(rows)) == ["arm"]


def test_nobody_leads_by_how_it_does_elsewhere():
    """Two arms alike at home, one far better away: no lead; the better at home leads though it is worse away."""

    def arms(home, away):
        rows = [
            {
                "arm": arm,
                "seed": k,
                "run": "r",
                "state": "done",
                "why": "",
                "home": h + step,
                "at away": a + step,
                "gap away": h - a,
            }
            for arm, h, a in zip("ab", home, away, strict=True)
            for k, step in enumerate((-0.01, 0.0, 0.01))
        ]
        return sweep_table.over_seeds(pd.DataFrame(rows))

    alike = sweep_lead.lead(arms((0.80, 0.801), (0.9, 0.6)))
    assert not alike.is_clear
    table = arms((0.9, 0.8), (0.5, 0.95))
    ahead = sweep_lead.lead(table)
    assert ahead.is_clear and table.loc[ahead.first, "arm"] == "a"
    without = table.drop(columns=[name for name in table if "away" in name])
    assert sweep_lead.lead(without) == ahead
