"""How often an epoch shows an image: once, or as often as its rarest finding asks."""

import numpy as np
import pytest
import torch

from cxrlab.choices.sampling import CHOICES
from cxrlab.errors import BadSpec, UnknownName
from cxrlab.sampling import expected_draws, order_of

NAN = np.nan


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rare(n=2000, seed=0):
    """Return (n, 3): half, 5 % and 1 % positive, a tenth masked."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 3)) < (0.5, 0.05, 0.01)).astype(np.float32)
    y[rng.random((n, 3)) < 0.1] = NAN
    return y


def test_plain_is_the_permutation_that_runs_always_had():
    y = rare(500)
    assert torch.equal(order_of("plain", y, generator(7), 500), torch.randperm(500, generator=generator(7)))


def test_plain_needs_no_labels_and_shows_nobody_twice():
    order = order_of("plain", np.empty((40, 0), np.float32), generator())
    assert sorted(order.tolist()) == list(range(40))


@pytest.mark.parametrize("name", list(CHOICES))
def test_an_order_depends_on_its_generator_alone(name):
    y = rare()
    once, again, other = (order_of(name, y, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert once.dtype == torch.int64
    assert len(once) == len(y)
    assert 0 <= int(once.min()) <= int(once.max()) < len(y)


def test_by_hand_each_finding_and_the_rows_without_one_have_an_equal_part():
    y = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 0], [0, NAN], [NAN, NAN], [0, 0]], np.float32)
    times = expected_draws(y, 12, most=100)
    assert times == pytest.approx([4 / 3, 4 / 3, 4 / 3, 4, 1, 1, 1, 1])


def test_a_row_with_several_findings_counts_as_its_rarest():
    y = np.array([[1, 1], [1, 0], [1, 0], [1, 0]], np.float32)
    assert expected_draws(y, 7, most=100) == pytest.approx([4, 1, 1, 1])


def test_a_lone_positive_is_not_shown_for_ever():
    y = np.zeros((1000, 1), np.float32)
    y[3] = 1
    times = expected_draws(y, 1000, most=10)
    assert times[3] == pytest.approx(10)
    assert times.sum() == pytest.approx(1000)
    assert np.delete(times, 3) == pytest.approx(990 / 999)


@pytest.mark.parametrize("most", [1.0, 1.5, 3.0, 1000.0])
def test_nobody_comes_up_more_often_than_allowed_and_nobody_is_left_out(most):
    times = expected_draws(rare(), 500, most)
    assert times.sum() == pytest.approx(500)
    assert times.max() <= most * 500 / 2000 * (1 + 1e-9)
    assert times.min() > 0


def test_rare_findings_come_up_more_often_than_in_plain_sampling():
    y = rare()
    plain, balanced = (np.nanmean(y[order_of(name, y, generator()).numpy()] == 1, axis=0) for name in CHOICES)
    assert balanced[2] > 5 * plain[2]
    assert balanced[1] > 2 * plain[1]
    assert balanced[0] < 1.5 * plain[0]


def test_findings_that_are_equally_frequent_are_left_as_they_are():
    y = np.repeat(np.eye(4, 3, dtype=np.float32), 50, axis=0)  # three findings and rows without one, 50 each
    assert expected_draws(y, 200, most=10) == pytest.approx(np.ones(200))


def test_nothing_to_balance_and_an_unknown_way_are_sentences():
    with pytest.raises(BadSpec, match="needs labels"):
        order_of("balanced", np.empty((40, 0), np.float32), generator())
    with pytest.raises(BadSpec, match="most"):
        order_of("balanced", rare(), generator(), options={"most": 0.5})
    with pytest.raises(UnknownName):
        order_of("balancd", rare(), generator())
