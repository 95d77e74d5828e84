"""Two shares of the same images: the difference has an interval that holds, also where the shares are equal."""

import numpy as np
import pytest

from cxrlab.metrics import share


def test_by_hand_without_correlation_it_is_the_two_wilson_intervals_put_together():
    a, b = np.array([1, 1, 0, 0.0]), np.array([1, 0, 1, 0.0])
    (p, low_p, high_p), (q, low_q, high_q) = (share.of_patients(hit, np.arange(4)) for hit in (a, b))
    expected = (p - q, p - q - np.hypot(p - low_p, high_q - q), p - q + np.hypot(high_p - p, q - low_q))
    assert share.difference(a, b, np.arange(4)) == pytest.approx(expected)


def test_equal_hits_differ_by_nothing_yet_are_not_known_to_for_ever():
    hit = np.r_[np.ones(19), 0.0]
    found, low, high = share.difference(hit, hit, np.arange(20))
    assert found == 0 and low < 0 < high
    assert high - low < 0.3
    assert np.isnan(share.difference(np.empty(0), np.empty(0), np.empty(0, int))).all()


def test_twins_count_once():
    rng = np.random.default_rng(0)
    a, b = rng.random(60) < 0.8, rng.random(60) < 0.6
    once = share.difference(a, b, np.arange(60))
    twice = share.difference(np.repeat(a, 2), np.repeat(b, 2), np.repeat(np.arange(60), 2))
    assert twice == pytest.approx(once)


@pytest.mark.parametrize(("p", "q", "together"), [(0.9, 0.9, 0.8), (0.95, 0.85, 0.5), (0.7, 0.7, 0.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(p, q, together):
    rng = np.random.default_rng(7)
    hits, n = 0, 60
    for _ in range(600):
        u = rng.random(n)
        v = np.where(rng.random(n) < together, u, rng.random(n))
        _, low, high = share.difference(u < p, v < q, np.arange(n))
        hits += low <= p - q <= high
    assert hits / 600 > 0.93
