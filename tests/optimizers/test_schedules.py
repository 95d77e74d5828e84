"""Rates by hand, beside torch's own, and beside what this lab's runs have always had."""

import math

import pytest
import torch

from cxrlab.choices.schedules import CHOICES
from cxrlab.errors import BadSpec
from cxrlab.optimizers import SCHEDULES


def rates(name, steps, options=None, peak=1.0, values=()):
    return [SCHEDULES[name].rate(options, peak, k, steps, values) for k in range(steps)]


def rate_of_before(peak, step, of):
    """The lab's only schedule until it had several; runs of then must come out the same."""
    rise = max(1, round(of * 0.05))
    if step < rise:
        return peak * (step + 1) / rise
    along = (step - rise) / max(1, of - rise)
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


@pytest.mark.parametrize("of", [1, 7, 20, 333])
def test_the_cosine_is_the_lab_s_own_bit_for_bit(of):
    assert rates("cosine", of, peak=1e-3) == [rate_of_before(1e-3, k, of) for k in range(of)]


def test_a_cosine_by_hand():
    assert rates("cosine", 5, {"warm_up": 0, "floor": 0}) == pytest.approx(
        [(1 + math.cos(math.pi * k / 5)) / 2 for k in range(5)]
    )


def test_a_warm_up_rises_in_a_straight_line():
    for name in SCHEDULES:
        assert rates(name, 40, {"warm_up": 0.1}, peak=0.8)[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8])


def test_no_warm_up_begins_at_the_peak():
    for name in SCHEDULES:
        assert rates(name, 40, {"warm_up": 0})[0] == 1.0


def test_steps_fall_at_thirds():
    assert rates("step", 9, {"warm_up": 0}) == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])
    for of in (3, 30, 99, 300):
        assert rates("step", of, {"warm_up": 0}).count(1.0) == of // 3
    assert rates("step", 10, {"warm_up": 0.2, "drops": 1, "factor": 0.5})[1:] == [
        1,
        1,
        1,
        1,
        1,
        0.5,
        0.5,
        0.5,
        0.5,
    ]


def test_constant_is_constant():
    assert set(rates("none", 30, {"warm_up": 0}, values=[0.5] * 30)) == {1.0}


def plateau(values, lower=False, **options):
    read = {"warm_up": 0, "wait": 2, "factor": 0.1, **options}
    return SCHEDULES["plateau"].rate(read, 1.0, 50, 100, values, lower)


def test_a_plateau_reacts_to_a_standstill_and_to_nothing_else():
    assert plateau([]) == 1.0
    assert plateau([0.6, 0.7, 0.8, 0.9]) == 1.0
    assert plateau([0.8, 0.7, 0.7]) == 1.0  # two are borne
    assert plateau([0.8, 0.7, 0.7, 0.7]) == pytest.approx(0.1)
    assert plateau([0.8, 0.7, 0.7, 0.7, 0.9, 0.8, 0.8]) == pytest.approx(0.1)
    assert plateau([0.8] * 7) == pytest.approx(0.01)
    assert plateau([0.8] * 100) == 1e-4  # the floor
    assert plateau([0.8, 0.8, math.nan, 0.8]) == pytest.approx(0.1)
    assert plateau([0.8, 0.5, 0.4, 0.3], lower=True) == 1.0
    assert plateau([0.3, 0.5, 0.4, 0.3], lower=True) == pytest.approx(0.1)


@pytest.mark.parametrize("lower", [False, True])
def test_a_plateau_is_torch_s(lower):
    generator = torch.Generator().manual_seed(3)
    values = (torch.rand(60, generator=generator) * 0.1 + 0.8).tolist()
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "min" if lower else "max", factor=0.5, patience=3, threshold=1e-4
    )
    for k, value in enumerate(values):
        theirs.step(value)
        ours = plateau(values[: k + 1], lower, factor=0.5, wait=3, floor=0)
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"])
    assert ours < 0.1


def test_a_rate_depends_on_where_the_training_stands_and_on_nothing_it_did_before():
    for name in SCHEDULES:
        forward = [SCHEDULES[name].rate(None, 1.0, k, 50, [0.5] * (k // 5)) for k in range(50)]
        backward = [SCHEDULES[name].rate(None, 1.0, k, 50, [0.5] * (k // 5)) for k in reversed(range(50))]
        assert forward == backward[::-1]


def test_no_rate_is_zero_or_above_the_peak_by_default():
    for name in SCHEDULES:
        assert all(0 < rate <= 1 for rate in rates(name, 77, values=[0.5] * 9))


def test_wrong_options_end_in_one_sentence():
    with pytest.raises(BadSpec, match="'plateau': no option named 'patience', known: warm_up, factor, wait"):
        rates("plateau", 3, {"patience": 3})
    with pytest.raises(BadSpec, match=r"warm_up: .*at most 0\.5"):
        rates("cosine", 3, {"warm_up": 0.9})
    with pytest.raises(BadSpec, match="expected CosineOptions"):
        rates("cosine", 3, CHOICES["step"].read())
