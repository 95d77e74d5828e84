"""Each loss by hand on four numbers, and against an independent implementation."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, minimize_scalar
from sklearn.metrics import log_loss
from timm.loss import AsymmetricLossMultiLabel
from torchvision.ops import sigmoid_focal_loss

from cxrlab.losses import LOSSES
from cxrlab.losses.masked_bce import masked_bce
from tests.losses.kit import column, numbers, sigmoid, targets

Z = column(2.0, -1.0, 0.5, -3.0)
Y = column(1.0, 1.0, 0.0, 0.0)
P = [sigmoid(float(z)) for z in Z]


def value(name, logit, y, weight=None, **options):
    loss = LOSSES[name].make(options, y.shape[1])
    return float(loss(logit, y, torch.ones(y.shape[1]) if weight is None else weight))


def mean_of_labels(cells, y):
    known = ~y.isnan()
    return float(np.mean([float(cells[known[:, k], k].mean()) for k in range(y.shape[1])]))


# Cross-entropy ------------------------------------------------------------------------------------------------------


def test_bce_by_hand_and_by_the_function_of_the_same_name():
    expected = -(2 * math.log(P[0]) + 2 * math.log(P[1]) + math.log(1 - P[2]) + math.log(1 - P[3])) / 4
    assert value("bce", Z, Y, torch.tensor([2.0])) == pytest.approx(expected, rel=1e-6)
    y, logit, weight = targets(64, 14, masked=0.3), numbers(64, 14), torch.rand(14) * 9 + 1
    assert value("bce", logit, y, weight) == float(masked_bce(logit, y, weight))


def test_bce_is_scikit_learns_log_loss_label_by_label():
    y, logit = targets(200, 4, masked=0.3), numbers(200, 4)
    known = ~y.isnan()
    peer = [
        log_loss(y[known[:, k], k].numpy(), logit[known[:, k], k].double().sigmoid().numpy())
        for k in range(4)
    ]
    assert value("bce", logit, y) == pytest.approx(np.mean(peer), rel=1e-6)


def test_smoothing_by_hand():
    expected = (
        -sum(
            t * math.log(p) + (1 - t) * math.log(1 - p) for t, p in zip([0.9, 0.9, 0.1, 0.1], P, strict=True)
        )
        / 4
    )
    assert value("smoothed", Z, Y, smoothing=0.2) == pytest.approx(expected, rel=1e-6)
    assert value("smoothed", Z, Y, smoothing=0) == value("bce", Z, Y)


# Focal --------------------------------------------------------------------------------------------------------------


def test_focal_by_hand():
    right = [P[0], P[1], 1 - P[2], 1 - P[3]]
    expected = -sum((1 - p) ** 2 * math.log(p) for p in right) / 4
    assert value("focal", Z, Y) == pytest.approx(expected, rel=1e-6)
    assert value("focal", Z, Y, gamma=0) == pytest.approx(value("bce", Z, Y), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [-1.0, 0.25])
def test_focal_is_torchvisions_where_cells_are_known(gamma, alpha):
    y, logit = targets(100, 5, masked=0.3), 3 * numbers(100, 5)
    peer = sigmoid_focal_loss(logit, torch.nan_to_num(y), alpha=alpha, gamma=gamma, reduction="none")
    assert value("focal", logit, y, gamma=gamma, alpha=alpha) == pytest.approx(
        mean_of_labels(peer, y), rel=1e-5
    )


def test_focal_of_a_soft_target_is_least_at_the_target():
    z = torch.linspace(-4, 4, 801)
    values = [value("focal", one.view(1, 1), column(0.7)) for one in z]
    assert float(z[int(np.argmin(values))].sigmoid()) == pytest.approx(0.7, abs=0.005)


# Asymmetric ---------------------------------------------------------------------------------------------------------


def test_asymmetric_by_hand_a_negative_below_the_shift_is_free():
    q = P[2] - 0.05
    expected = -((1 - P[0]) * math.log(P[0]) + (1 - P[1]) * math.log(P[1]) + q**4 * math.log(1 - q)) / 4
    assert P[3] < 0.05
    assert value("asymmetric", Z, Y) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("negative", "positive", "shift"), [(4, 1, 0.05), (2, 0, 0.2), (0.5, 0.5, 0.0), (0, 0, 0.1)]
)
def test_asymmetric_is_timms_where_cells_are_known(negative, positive, shift):
    y, logit, weight = targets(100, 5, masked=0.3), 3 * numbers(100, 5), torch.rand(5) * 5 + 1
    peer = AsymmetricLossMultiLabel(negative, positive, shift, reduction="none", pos_weight=weight)(
        logit, torch.nan_to_num(y)
    )
    ours = value(
        "asymmetric", logit, y, weight, gamma_negative=negative, gamma_positive=positive, shift=shift
    )
    assert ours == pytest.approx(mean_of_labels(peer, y), rel=1e-5)


# AUC-margin ---------------------------------------------------------------------------------------------------------


def test_auc_margin_by_hand():
    a, b = (P[0] + P[1]) / 2, (P[2] + P[3]) / 2
    spread = ((P[0] - a) ** 2 + (P[1] - a) ** 2 + (P[2] - b) ** 2 + (P[3] - b) ** 2) / 2
    assert value("auc-margin", Z, Y) == pytest.approx(spread + (1 + b - a) ** 2, rel=1e-6)
    assert 0.05 + b - a < 0
    assert value("auc-margin", Z, Y, margin=0.05) == pytest.approx(spread, rel=1e-6)


@pytest.mark.parametrize("share", [0.08, 0.5])
def test_auc_margin_is_the_optimum_of_the_published_objective(share):
    """LibAUC's version 1, its a, b and α sought numerically, over p·(1 − p)."""
    s = numbers(64, 1).sigmoid().double().numpy()[:, 0]
    y = targets(64, 1, share=share).numpy()[:, 0]
    p = y.mean()

    def v1(a, b, alpha, margin=1.0):
        return (
            (1 - p) * np.mean((s - a) ** 2 * (y == 1))
            + p * np.mean((s - b) ** 2 * (y == 0))
            + 2 * alpha * (p * (1 - p) * margin + np.mean(p * s * (y == 0) - (1 - p) * s * (y == 1)))
            - p * (1 - p) * alpha**2
        )

    low = minimize(lambda ab: v1(ab[0], ab[1], 0.0), [0.5, 0.5], options={"gtol": 1e-12}).x
    alpha = minimize_scalar(
        lambda one: -v1(*low, one), bounds=(0, 10), method="bounded", options={"xatol": 1e-9}
    ).x
    peer = v1(*low, alpha) / (p * (1 - p))
    ours = value("auc-margin", torch.from_numpy(s).logit()[:, None], torch.from_numpy(y)[:, None])
    assert ours == pytest.approx(peer, abs=1e-6)


def test_auc_margin_remembers_a_kind_that_a_batch_lacks():
    loss, one = LOSSES["auc-margin"].make({"memory": 0.5}, 1), torch.ones(1)
    loss(column(2.0, -1.0), column(1.0, 0.0), one)
    a, b = sigmoid(2), sigmoid(-1)
    now = float(loss(column(0.0, 1.0), column(0.0, 0.0), one))
    s = [0.5, sigmoid(1)]
    b = (b + sum(s) / 2) / 2
    alpha = 1 + b - a
    expected = sum((x - b) ** 2 for x in s) / 2 + 2 * alpha * (1 + sum(s) / 2 - a) - alpha**2
    assert now == pytest.approx(expected, rel=1e-6)
    assert float(loss.mean_positive) == pytest.approx(a)
    assert float(loss.mean_negative) == pytest.approx(b)


def test_auc_margin_without_memory_leaves_out_a_label_of_one_kind():
    loss, one = LOSSES["auc-margin"].make({"memory": 0}, 1), torch.ones(1)
    loss(Z, Y, one)
    assert float(loss(column(0.0, 1.0), column(0.0, 0.0), one)) == 0


# Pairwise -----------------------------------------------------------------------------------------------------------


def by_loops(pairs, margin=1.0):
    costs = [max(0.0, margin - (i - j)) ** 2 for i, j in pairs]
    return sum(costs) / len(costs)


def test_pairwise_by_hand():
    # 2 over 0.5 and −3: nothing lacks; −1 over 0.5 lacks 2.5; −1 over −3: nothing.
    assert value("pairwise", Z, Y) == pytest.approx(2.5**2 / 4)


def test_pairwise_is_a_loop_over_all_pairs_of_known_cells():
    y, logit = targets(30, 3, masked=0.3), numbers(30, 3)
    labels = []
    for k in range(3):
        high, low = logit[y[:, k] == 1, k].tolist(), logit[y[:, k] == 0, k].tolist()
        labels.append(by_loops([(i, j) for i in high for j in low]))
    assert value("pairwise", logit, y) == pytest.approx(np.mean(labels), rel=1e-5)


def test_pairwise_compares_a_batch_with_the_latest_of_each_kind_and_never_the_queue_with_itself():
    loss, one = LOSSES["pairwise"].make({"queue": 3}, 1), torch.ones(1)
    highs, lows = [], []
    for seed in range(12):
        z, y = numbers(5, 1, seed=seed), targets(5, 1, seed=seed, share=0.2, masked=0.1)
        high, low = z[y == 1].tolist(), z[y == 0].tolist()
        pairs = [(i, j) for i in high for j in low + lows] + [(i, j) for i in highs for j in low]
        assert float(loss(z, y, one)) == pytest.approx(by_loops(pairs) if pairs else 0, rel=1e-5, abs=1e-7)
        highs, lows = (highs + high)[-3:], (lows + low)[-3:]
    assert len(highs) == 3
    assert loss.queued_positive[:, 0].tolist() == pytest.approx(highs)
    assert loss.queued_negative[:, 0].tolist() == pytest.approx(lows)


def test_a_lone_positive_learns_from_queued_negatives():
    loss, one = LOSSES["pairwise"].make(None, 1), torch.ones(1)
    loss(column(0.0, 1.0), column(0.0, 0.0), one)
    z = column(0.5).requires_grad_()
    loss(z, column(1.0), one).backward()
    assert float(z.grad) < 0
