"""Masked cross-entropy, by hand, against torch, and at its edges."""

import math

import numpy as np
import pytest
import torch

from cxrlab.losses.masked_bce import masked_bce, positive_weight


def test_by_hand_a_masked_row_counts_nothing():
    logit = torch.zeros(3, 2)
    target = torch.tensor([[1.0, math.nan], [0.0, math.nan], [math.nan, 1.0]])
    assert float(masked_bce(logit, target, torch.ones(2))) == pytest.approx(math.log(2))


def test_without_masks_it_is_torchs_own():
    torch.manual_seed(0)
    logit, target, weight = torch.randn(50, 4), torch.rand(50, 4).round(), torch.tensor([1.0, 2.0, 5.0, 0.5])
    peer = torch.nn.functional.binary_cross_entropy_with_logits(logit, target, pos_weight=weight)
    assert float(masked_bce(logit, target, weight)) == pytest.approx(float(peer), rel=1e-6)


def test_a_rarely_known_label_counts_as_much_as_the_others():
    logit = torch.tensor([[0.0, 3.0], [0.0, 0.0], [0.0, 0.0]])
    target = torch.tensor([[1.0, 0.0], [1.0, math.nan], [1.0, math.nan]])
    expected = (math.log(2) + math.log(1 + math.exp(3))) / 2
    assert float(masked_bce(logit, target, torch.ones(2))) == pytest.approx(expected)


def test_a_batch_that_knows_nothing_moves_nothing():
    logit = torch.randn(4, 2, requires_grad=True)
    loss = masked_bce(logit, torch.full((4, 2), math.nan), torch.ones(2))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logit.grad == 0).all()


def test_a_masked_row_gets_no_gradient():
    logit = torch.randn(2, 1, requires_grad=True)
    masked_bce(logit, torch.tensor([[1.0], [math.nan]]), torch.ones(1)).backward()
    assert logit.grad[1] == 0
    assert logit.grad[0] != 0


def test_the_positive_weight_is_capped():
    y = np.zeros((100, 2), np.float32)
    y[:25, 0], y[0, 1] = 1, 1
    y[50:60, 0] = np.nan
    assert positive_weight(y, balance=True).tolist() == [pytest.approx(65 / 25), 10.0]
    assert positive_weight(y, balance=False).tolist() == [1.0, 1.0]


def test_soft_targets_are_torchs_own_and_are_shifted_by_the_weight_like_hard_ones():
    torch.manual_seed(0)
    logit, target, weight = torch.randn(50, 3), torch.rand(50, 3), torch.tensor([1.0, 2.0, 5.0])
    peer = torch.nn.functional.binary_cross_entropy_with_logits(logit, target, pos_weight=weight)
    assert float(masked_bce(logit, target, weight)) == pytest.approx(float(peer), rel=1e-6)
    t, w = 0.7, 4.0
    best = torch.tensor([[math.log(w * t / (1 - t))]], requires_grad=True)
    masked_bce(best, torch.tensor([[t]]), torch.tensor([w])).backward()
    assert float(best.grad) == pytest.approx(0, abs=1e-6)


def test_the_positive_weight_counts_certain_rows_only():
    y = np.array([[1], [0], [0], [np.nan], [np.nan]], np.float32)
    assert positive_weight(y, balance=True).tolist() == [2.0]
