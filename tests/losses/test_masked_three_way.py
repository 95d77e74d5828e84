"""Cross-entropy of three classes, by hand, against torch, and what a weight on positives does to it."""

import math

import pytest
import torch

from cxrlab.losses.masked_bce import masked_bce
from cxrlab.losses.masked_three_way import masked_three_way
from cxrlab.models.heads import logit_of

NAN = math.nan
ALL = torch.tensor([True, True])


def test_by_hand_each_class_costs_its_own_log_and_a_masked_row_nothing():
    out = torch.log(torch.tensor([[0.5, 0.2, 0.3, 0.1, 0.1, 0.8], [0.5, 0.2, 0.3, 0.4, 0.3, 0.3]]))
    target = torch.tensor([[1.0, 2.0], [0.0, NAN]])
    expected = (-(math.log(0.2) + math.log(0.5)) / 2 - math.log(0.8)) / 2
    assert float(masked_three_way(out, target, torch.ones(2), ALL)) == pytest.approx(expected, rel=1e-6)


def test_without_masks_it_is_torchs_own_for_each_label():
    torch.manual_seed(0)
    out, target = torch.randn(60, 6), torch.randint(0, 3, (60, 2)).float()
    peer = sum(
        torch.nn.functional.cross_entropy(out[:, 3 * k : 3 * k + 3], target[:, k].long()) for k in (0, 1)
    )
    assert float(masked_three_way(out, target, torch.ones(2), ALL)) == pytest.approx(
        float(peer) / 2, rel=1e-6
    )


def test_a_label_under_another_policy_has_the_binary_loss_of_the_difference():
    torch.manual_seed(0)
    out, weight = torch.randn(40, 6), torch.tensor([1.0, 3.0])
    target = torch.stack([torch.randint(0, 3, (40,)).float(), torch.rand(40)], dim=1)
    target[:5, 1] = NAN
    both = masked_three_way(out, target, weight, torch.tensor([True, False]))
    first = masked_three_way(out[:, :3], target[:, :1], weight[:1], torch.tensor([True]))
    second = masked_bce(logit_of(out, "three-way", 2)[:, 1:], target[:, 1:], weight[1:])
    assert float(both) == pytest.approx(float(first + second) / 2, rel=1e-6)


def test_a_weight_on_positives_shifts_the_logit_by_its_log_however_many_are_uncertain():
    target = torch.tensor([0.0] * 60 + [1.0] * 10 + [2.0] * 30)[:, None]
    z = torch.zeros(3, requires_grad=True)
    descent = torch.optim.LBFGS([z], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        descent.zero_grad()
        value = masked_three_way(z.expand(100, 3), target, torch.tensor([6.0]), torch.tensor([True]))
        value.backward()
        return value

    descent.step(loss)
    assert float((z[1] - z[0]).detach()) == pytest.approx(math.log(10 / 60) + math.log(6), abs=1e-3)


def test_a_batch_that_knows_nothing_moves_nothing():
    out = torch.randn(4, 6, requires_grad=True)
    loss = masked_three_way(out, torch.full((4, 2), NAN), torch.ones(2), ALL)
    loss.backward()
    assert float(loss.detach()) == 0
    assert (out.grad == 0).all()


def test_a_masked_output_that_is_no_number_does_no_harm_and_gets_no_gradient():
    out, target = (
        torch.randn(4, 6, generator=torch.Generator().manual_seed(0)),
        torch.tensor([[1.0, NAN]] * 4),
    )
    out[:, 3:] = NAN
    out.requires_grad_()
    loss = masked_three_way(out, target, torch.ones(2), ALL)
    loss.backward()
    assert loss.isfinite()
    assert (out.grad[:, 3:] == 0).all()
    assert (out.grad[:, :3] != 0).all()


def test_the_losses_of_a_batch_in_parts_add_up_to_its_own():
    draw = torch.Generator().manual_seed(0)
    out, target = torch.randn(30, 6, generator=draw), torch.randint(0, 3, (30, 2), generator=draw).float()
    target[torch.rand(30, 2, generator=draw) < 0.4] = NAN
    of, weight = (~target.isnan()).sum(dim=0), torch.tensor([2.0, 1.0])
    parts = zip(out.split(7), target.split(7), strict=True)
    total = sum(float(masked_three_way(z, t, weight, ALL, of)) for z, t in parts)
    assert total == pytest.approx(float(masked_three_way(out, target, weight, ALL)), rel=1e-5)
