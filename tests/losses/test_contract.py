"""What every loss keeps: masks, edges, precision, gradients, its state, and that it teaches."""

import math

import pytest
import torch

from cxrlab.choices.losses import CHOICES, misfit
from cxrlab.errors import BadRun, BadSpec
from cxrlab.losses import LOSSES
from cxrlab.metrics.auroc import auroc
from tests.losses.kit import NAN, numbers, targets

every_loss = pytest.mark.parametrize("name", list(LOSSES))
REMEMBERING = [name for name in LOSSES if list(LOSSES[name].make(None, 1).buffers())]


def made(name, n_labels=3, **options):
    return LOSSES[name].make(options, n_labels)


def test_a_form_knows_exactly_the_losses_that_there_are():
    assert set(CHOICES) == set(LOSSES)
    assert all(CHOICES[name].name == name for name in CHOICES)


@every_loss
def test_a_masked_cell_gets_no_gradient_and_its_logit_changes_nothing(name):
    y, weight = targets(24, 3, masked=0.4), torch.tensor([1.0, 3.0, 7.0])
    hidden = y.isnan()
    values = []
    for seed in (1, 2):
        logit = torch.where(hidden, 5 * numbers(24, 3, seed=seed), numbers(24, 3)).requires_grad_()
        loss = made(name)(logit, y, weight)
        loss.backward()
        values.append(float(loss.detach()))
        assert (logit.grad[hidden] == 0).all()
        assert (logit.grad[~hidden] != 0).float().mean() > 0.5
    assert values[0] == values[1] > 0


@every_loss
@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf])
def test_a_masked_logit_that_is_no_number_does_no_harm(name, wild):
    y = targets(12, 3, masked=0.3)
    logit = torch.where(y.isnan(), torch.tensor(wild), numbers(12, 3)).requires_grad_()
    loss = made(name)(logit, y, torch.ones(3))
    loss.backward()
    assert loss.isfinite()
    assert logit.grad.isfinite().all()


@every_loss
def test_a_batch_that_knows_nothing_costs_nothing_and_moves_nothing(name):
    logit = numbers(4, 3).requires_grad_()
    loss = made(name)(logit, torch.full((4, 3), NAN), torch.ones(3))
    loss.backward()
    assert float(loss.detach()) == 0
    assert (logit.grad == 0).all()


@every_loss
@pytest.mark.parametrize("only", [0.0, 1.0, NAN])
def test_a_label_of_one_kind_is_a_number_and_leaves_the_other_labels_as_they_are(name, only):
    y = targets(16, 3)
    y[:, 1] = only
    loss, logit = made(name), numbers(16, 3).requires_grad_()
    value = loss(logit, y, torch.ones(3))
    value.backward()
    assert value.isfinite()
    assert logit.grad.isfinite().all()
    if math.isnan(only) or not CHOICES[name].apart:  # there is nothing to learn of it, so it is left out
        rest = made(name, 2)(logit.detach()[:, [0, 2]], y[:, [0, 2]], torch.ones(2))
        assert float(value.detach()) == pytest.approx(float(rest), rel=1e-6)
        assert (logit.grad[:, 1] == 0).all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_full(name, dtype):
    logit, y = numbers(32, 3).to(dtype), targets(32, 3, masked=0.2)
    half, full = (made(name)(z, y, torch.ones(3)) for z in (logit, logit.float()))
    with torch.autocast("cpu", torch.bfloat16):
        inside = made(name)(logit, y, torch.ones(3))
    assert half.dtype == torch.float32
    assert half == full == inside


@every_loss
def test_logits_as_large_as_a_network_can_say_them_give_finite_losses_and_gradients(name):
    logit = torch.tensor([60000.0, -60000.0, 120.0, -120.0, 17.0, 0.0]).repeat(2)[:, None].requires_grad_()
    y = torch.tensor([1.0] * 6 + [0.0] * 6)[:, None]
    loss = made(name, 1)(logit, y, torch.ones(1))
    loss.backward()
    assert loss.isfinite()
    assert logit.grad.isfinite().all()


@every_loss
def test_its_gradient_is_the_slope_of_its_value(name):
    y, weight = targets(9, 2, masked=0.2), torch.tensor([1.0, 3.0])
    logit = numbers(9, 2, dtype=torch.float64).requires_grad_()
    loss = made(name, 2).eval()
    assert torch.autograd.gradcheck(lambda z: loss(z, y, weight), logit, eps=1e-6, atol=1e-7)


@every_loss
def test_soft_targets_are_used_or_left_out_as_masked(name):
    y = targets(40, 2)
    y[:10] = torch.rand(10, 2, generator=torch.Generator().manual_seed(3)) * 0.8 + 0.1
    logit = numbers(40, 2).requires_grad_()
    value = made(name, 2)(logit, y, torch.ones(2))
    value.backward()
    if LOSSES[name].soft:
        assert (logit.grad[:10] != 0).all()
    else:
        rest = made(name, 2)(logit.detach()[10:], y[10:], torch.ones(2))
        assert float(value.detach()) == pytest.approx(float(rest), rel=1e-6)
        assert (logit.grad[:10] == 0).all()


@every_loss
def test_a_weight_on_positives_shifts_logits_by_its_log_where_the_loss_says_so(name):
    """One logit for 30 positives and 70 negatives: where does the loss leave it, with and without a weight?"""
    if not CHOICES[name].weighs:
        logit, y = numbers(20, 1), targets(20, 1)
        assert made(name, 1)(logit, y, torch.ones(1)) == made(name, 1)(logit, y, torch.tensor([5.0]))
        return
    y = torch.tensor([1.0] * 30 + [0.0] * 70)[:, None]

    def best(weight):
        z, loss = torch.zeros(1, dtype=torch.float64, requires_grad=True), made(name, 1)
        descent = torch.optim.LBFGS([z], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

        def closure():
            descent.zero_grad()
            value = loss(z.expand(100)[:, None], y, torch.tensor([weight]))
            value.backward()
            return value

        descent.step(closure)
        return float(z.detach())

    shifted = best(5.0) - best(1.0)
    assert (abs(shifted - math.log(5)) < 1e-3) == LOSSES[name].calibrated
    assert shifted > 0.1


@every_loss
@pytest.mark.parametrize("smallest", [2, 7, 100])
def test_the_losses_of_a_batch_in_parts_add_up_to_its_own_where_cells_stand_apart(name, smallest):
    y, logit, weight = targets(40, 3, masked=0.5), numbers(40, 3), torch.tensor([1.0, 2.0, 3.0])
    of, loss = (~y.isnan()).sum(dim=0), made(name)
    parts = zip(logit.split(smallest), y.split(smallest), strict=True)
    total = sum(float(loss(z, t, weight, of)) for z, t in parts)
    whole = float(made(name)(logit, y, weight))
    if CHOICES[name].apart or smallest >= 40:
        assert total == pytest.approx(whole, rel=1e-5)
    assert math.isfinite(total)


@every_loss
def test_it_teaches_a_rare_label_and_a_label_with_gaps(name):
    """Two labels that a line can tell, one of them with 6 % positives: AUROC rises from a half to nearly one."""
    x = numbers(600, 5, seed=1)
    truth = torch.stack([x[:, 0] + 0.3 * x[:, 1] > 1.6, x[:, 2] > 0], dim=1).float()
    y = truth.clone()
    y[::3, 1] = NAN
    net, loss = torch.nn.Linear(5, 2), made(name, 2)
    with torch.no_grad():
        net.weight.fill_(0.1)
        net.bias.zero_()
    descent = torch.optim.Adam(net.parameters(), lr=0.02)
    order = torch.Generator().manual_seed(0)
    for _ in range(12):
        for rows in torch.randperm(600, generator=order).split(24):
            descent.zero_grad()
            loss(net(x[rows]), y[rows], torch.tensor([4.0, 1.0])).backward()
            descent.step()
    score = net(x).detach().numpy()
    assert [auroc(truth[:, k].numpy(), score[:, k]) > 0.97 for k in (0, 1)] == [True, True]


@pytest.mark.parametrize("name", REMEMBERING)
def test_what_it_remembers_is_saved_with_a_run_and_goes_on_bit_for_bit(name):
    batches = [(numbers(8, 3, seed=i), targets(8, 3, seed=i, share=0.15, masked=0.2)) for i in range(8)]
    whole = made(name)
    said = [whole(z, t, torch.ones(3)) for z, t in batches]
    first, second = made(name), made(name)
    for z, t in batches[:4]:
        first(z, t, torch.ones(3))
    second.load_state_dict({key: value.clone() for key, value in first.state_dict().items()})
    again = [second(z, t, torch.ones(3)) for z, t in batches[4:]]
    assert torch.equal(torch.stack(again), torch.stack(said[4:]))
    fresh = made(name)
    assert not torch.equal(
        torch.stack([fresh(z, t, torch.ones(3)) for z, t in batches[4:]]), torch.stack(said[4:])
    )


@pytest.mark.parametrize("name", REMEMBERING)
def test_in_eval_mode_it_remembers_nothing_new(name):
    loss = made(name)
    loss(numbers(8, 3), targets(8, 3), torch.ones(3))
    before = {key: value.clone() for key, value in loss.state_dict().items()}
    loss.eval()
    loss(numbers(8, 3, seed=5), targets(8, 3, seed=5), torch.ones(3))
    torch.testing.assert_close(loss.state_dict(), before, rtol=0, atol=0, equal_nan=True)


@every_loss
def test_logits_of_another_width_are_a_sentence(name):
    with pytest.raises(BadRun, match="expected one a target"):
        made(name, 1)(numbers(4, 3), targets(4, 1), torch.ones(1))


def test_options_out_of_range_or_of_another_loss_are_sentences():
    for name, options in (
        ("focal", {"gamma": -1}),
        ("focal", {"alpha": -0.5}),
        ("asymmetric", {"shift": 0.9}),
        ("auc-margin", {"memory": 1.0}),
        ("pairwise", {"queue": -1}),
        ("smoothed", {"smoothing": 1.0}),
        ("bce", {"gamma": 2}),
    ):
        with pytest.raises(BadSpec, match=next(iter(options))):
            LOSSES[name].make(options, 2)


def test_a_loss_that_does_not_go_with_the_targets_is_a_sentence():
    assert [name for name in LOSSES if LOSSES[name].three_way] == ["bce"]
    for name in LOSSES:
        assert bool(misfit(name, three_way=True, soft=False)) != LOSSES[name].three_way
        assert bool(misfit(name, three_way=False, soft=True)) != LOSSES[name].soft
        assert misfit(name, three_way=False, soft=False) == ""
