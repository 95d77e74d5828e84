"""A job in words: what it does, how fast, how long; and how it ended."""

import math

import pytest

from cxrlab.jobs import Status
from cxrlab.ui import live


def test_a_running_job_says_stage_steps_rate_and_time_left():
    said = live.said(Status("running", "train", 30, 120, 2.0, 45.0))
    assert said == "train · 30 of 120 · 2 a second · 45 s left"


def test_a_studys_own_clock_goes_before_its_stages():
    now = Status("running", "classifier: train", 3, 12, 0.5, 18.0, numbers={"all_seconds_left": 300.0})
    assert "5 min left" in live.said(now)


def test_a_slow_job_says_how_many_a_minute():
    assert live.rate(0.05) == "3.0 a minute"


def test_a_failed_job_says_its_reason_as_it_was_written():
    assert live.said(Status("failed", reason="ValueError: NaN in LungNet")) == "ValueError: NaN in LungNet"


def test_unknown_times_are_left_out():
    assert live.said(Status("running", "read", 0, 0)) == "read"


@pytest.mark.parametrize(("state", "share"), [("done", 1.0), ("running", 0.25)])
def test_the_bar_is_a_share(state, share):
    assert live.share(Status(state, "train", 3, 12)) == share


def test_a_stage_without_steps_has_an_empty_bar():
    assert live.share(Status("running", "read", 0, 0)) == 0
    assert math.isnan(live.seconds_left(Status("running", "read", 0, 0)))
