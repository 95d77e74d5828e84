"""Sharpness-aware minimisation beside its papers' formulas, written out here, and what its second pass must not touch.

Where pytorch_optimizer 4.1.0 departs from a paper and we follow it:
    F-SAM    takes the mean gradient out before the present one is in it (as the authors' code; the paper: after);
             its first step takes out nothing.
    LookSAM  splits and scales each tensor's gradient by itself (the paper: all weights' at once).
Where it departs and we do not follow:
    LookSAM  runs a second pass at the unmoved weights in the steps between; here there is none.
    GSAM     has a default rho of 2 by its scheduler; here rho and its least value are options, and it needs no schedule.
    GSAM, WSAM come back by subtracting, which rounds; here copies are put back.
    WSAM     clips the gradient uphill alone; here both.
    All      switch batch norm off by a momentum of zero: the second pass is still counted as a batch, and an exception
             leaves the switch thrown and an attribute on the layer.
"""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from cxrlab.errors import BadSpec
from tests.optimizers import problems
from tests.optimizers.problems import SHARP

STEPS, RATE, DECAY, NEAR = 20, 3e-3, 0.05, 1e-6


class Textbook:
    """AdamW on a gradient that a formula gives; vectors of all weights are lists of tensors."""

    def __init__(self, net, formula):
        self.net, self.formula, self.k, self.memory = net, formula, 0, {}
        self.w = list(net.parameters())
        groups = [
            {"params": [p for p in self.w if p.ndim > 1], "weight_decay": DECAY},
            {"params": [p for p in self.w if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, RATE, foreach=False, fused=False)

    def gradient(self, x, y, moved=None):
        """The gradient at the weights, or at the weights + moved."""
        moved = moved or [torch.zeros_like(w) for w in self.w]
        names = [name for name, _ in self.net.named_parameters()]
        at = [(w.detach() + e).requires_grad_() for w, e in zip(self.w, moved, strict=True)]
        out = torch.func.functional_call(self.net, dict(zip(names, at, strict=True)), (x,))
        return list(torch.autograd.grad(functional.mse_loss(out, y), at))

    def uphill(self, g, rho, adaptive):
        """Foret 2021, eq. 2; Kwon 2021, eq. 6 with eta = 0."""
        size = [w.detach().abs() if adaptive else torch.ones_like(w) for w in self.w]
        norm = sum(float(((s * a) ** 2).sum()) for s, a in zip(size, g, strict=True)) ** 0.5
        return [rho * s * s * a / norm for s, a in zip(size, g, strict=True)]

    def step(self, x, y, rate):
        for group in self.adamw.param_groups:
            group["lr"] = rate
        g, after = self.formula(self, x, y, rate)
        for w, a in zip(self.w, g, strict=True):
            w.grad = a.clone()
        self.adamw.step()
        with torch.no_grad():
            for w, a in zip(self.w, after or g, strict=True):
                w.sub_(rate * a if after else 0.0)
        self.k += 1


def dot(a, b):
    return float(sum((p * q).sum() for p, q in zip(a, b, strict=True)))


def sam(rho, adaptive=False):
    def formula(book, x, y, rate):
        return book.gradient(x, y, book.uphill(book.gradient(x, y), rho, adaptive)), None

    return formula


def gsam(rho, least, alpha, adaptive=False):
    """Zhuang 2022, algorithm 1: the gradient uphill, less alpha of what of the gradient here is orthogonal to it."""

    def formula(book, x, y, rate):
        g = book.gradient(x, y)
        up = book.gradient(x, y, book.uphill(g, least + (rho - least) * rate / RATE, adaptive))
        along = dot(g, up) / dot(up, up)
        return [u - alpha * (a - along * u) for a, u in zip(g, up, strict=True)], None

    return formula


def wsam(rho, gamma, decouple, adaptive=False):
    """Yue 2023, algorithm 1: AdamW on g, then the weighted sharpness; or both in one gradient."""
    weight = gamma / (1 - gamma)

    def formula(book, x, y, rate):
        g = book.gradient(x, y)
        up = book.gradient(x, y, book.uphill(g, rho, adaptive))
        sharp = [weight * (u - a) for a, u in zip(g, up, strict=True)]
        return (g, sharp) if decouple else ([a + s for a, s in zip(g, sharp, strict=True)], None)

    return formula


def looksam(rho, every, alpha):
    """Liu 2022, algorithm 1, a tensor at a time."""

    def formula(book, x, y, rate):
        g = book.gradient(x, y)
        if book.k % every == 0:
            up = book.gradient(x, y, book.uphill(g, rho, False))
            book.memory = {
                i: u - (u * a).sum() / (a * a).sum() * a for i, (a, u) in enumerate(zip(g, up, strict=True))
            }
            return up, None
        return [a + alpha * a.norm() / book.memory[i].norm() * book.memory[i] for i, a in enumerate(g)], None

    return formula


def fsam(rho, sigma, decay):
    """Li 2024, algorithm 1, with the mean of the steps before."""

    def formula(book, x, y, rate):
        g, mean = book.gradient(x, y), book.memory
        way = [a - sigma * mean[i] if mean else a for i, a in enumerate(g)]
        book.memory = {i: decay * mean[i] + (1 - decay) * a if mean else a for i, a in enumerate(g)}
        return book.gradient(x, y, book.uphill(way, rho, False)), None

    return formula


CASES = {
    "sam": ("sam", {}, sam(0.05)),
    "sam far": ("sam", {"rho": 0.5}, sam(0.5)),
    "asam": ("sam", {"rho": 0.5, "adaptive": True}, sam(0.5, True)),
    "gsam": ("gsam", {}, gsam(0.05, 0.01, 0.4)),
    "gsam adaptive": ("gsam", {"rho": 1.0, "rho_min": 0.2, "adaptive": True}, gsam(1.0, 0.2, 0.4, True)),
    "wsam": ("wsam", {}, wsam(0.05, 0.9, True)),
    "wsam coupled": ("wsam", {"decouple": False, "gamma": 0.7}, wsam(0.05, 0.7, False)),
    "wsam adaptive": ("wsam", {"rho": 0.5, "adaptive": True}, wsam(0.5, 0.9, True, True)),
    "looksam": ("looksam", {"every": 3}, looksam(0.1, 3, 0.7)),
    "fsam": ("fsam", {}, fsam(0.05, 1.0, 0.9)),
    "fsam half": ("fsam", {"sigma": 0.5, "decay": 0.6}, fsam(0.05, 0.5, 0.6)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_equals_the_paper_s_formula(case):
    name, options, formula = CASES[case]
    net, (x, y) = problems.smooth(torch.float64), problems.points(torch.float64)
    book = Textbook(copy.deepcopy(net), formula)
    driver = problems.drive(name, net, options, RATE, DECAY)
    start = copy.deepcopy(net)
    for k, (a, b) in enumerate(problems.batches(x, y, STEPS)):
        rate = RATE * (1 - k / STEPS)
        driver.set_rate(rate)
        driver.step(problems.closure_of(net, a, b))
        book.step(a, b, rate)
    assert problems.furthest(net, book.net) < NEAR
    assert problems.furthest(net, start) > 1e-2
    plain = Textbook(start, sam(0.0))  # and the formula is felt: AdamW alone ends elsewhere
    for k, (a, b) in enumerate(problems.batches(x, y, STEPS)):
        plain.step(a, b, RATE * (1 - k / STEPS))
    assert problems.furthest(net, plain.net) > 100 * NEAR


def test_wsam_at_one_half_and_coupled_is_sam():
    nets = []
    for name, options in (("sam", {}), ("wsam", {"gamma": 0.5, "decouple": False})):
        net, (x, y) = problems.smooth(), problems.points()
        problems.walk(problems.drive(name, net, options), x, y, 10)
        nets.append(net)
    assert problems.furthest(*nets) < NEAR


def calls_of(name, steps, options=None):
    """How often the closure was called a step, and what `second` said."""
    net, (x, y) = problems.conv_net(), problems.images()
    driver, calls = problems.drive(name, net, options), []
    for k in range(steps):
        inner = problems.closure_of(net, x, y, problems.bce)

        def closure(k=k, inner=inner):
            calls.append((k, driver.second))
            return inner()

        driver.step(closure)
    return calls


@pytest.mark.parametrize("name", SHARP)
def test_the_second_pass_says_that_it_is_one(name):
    assert calls_of(name, 1) == [(0, False), (0, True)]


def test_looksam_looks_only_when_it_looks():
    calls = calls_of("looksam", 7, {"every": 3})
    assert [k for k, second in calls if second] == [0, 3, 6]
    assert [k for k, second in calls if not second] == list(range(7))


@pytest.mark.parametrize("name", SHARP)
def test_a_closure_that_fails_uphill_leaves_the_weights_where_they_were(name):
    """Out of memory in the second pass is answered by smaller micro-batches and the same step again."""
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net, {"every": 2} if name == "looksam" else None)
    problems.walk(driver, x, y, 2, problems.bce)
    before, inner = (
        [p.detach().clone() for p in net.parameters()],
        problems.closure_of(net, x, y, problems.bce),
    )

    def fails():
        if driver.second:
            assert any(not torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
            raise MemoryError("planted")
        return inner()

    with pytest.raises(MemoryError, match="planted"):
        driver.step(fails)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
    assert all(m.track_running_stats for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert not driver.second
    driver.step(inner)
    assert all(torch.isfinite(p).all() for p in net.parameters())


@pytest.mark.parametrize("name", SHARP)
def test_a_loss_scaler_is_refused(name):
    net = problems.smooth()
    driver = problems.drive(name, net)
    assert not driver.takes_scaler
    with pytest.raises(BadSpec, match="a loss scaler can unscale only one; train in bf16 or fp32"):
        driver.step(lambda: torch.zeros(()), torch.amp.GradScaler("cpu"))


@pytest.mark.parametrize("name", SHARP)
def test_micro_batches_add_up_in_both_passes(name):
    """The closure is the whole effective batch: two halves of it make the same step as one whole."""
    whole, (x, y) = problems.smooth(torch.float64), problems.points(torch.float64)
    halves = copy.deepcopy(whole)
    one, two = problems.drive(name, whole), problems.drive(name, halves)

    def in_halves():
        losses = [functional.mse_loss(halves(x[i::2]), y[i::2]) / 2 for i in (0, 1)]
        for loss in losses:
            loss.backward()
        return sum(losses).detach()

    for _ in range(4):
        one.step(problems.closure_of(whole, x, y))
        two.step(in_halves)
    assert problems.furthest(whole, halves) < 1e-9


@pytest.mark.parametrize("name", SHARP)
def test_uphill_the_batch_is_still_normalised_by_itself(name):
    """Freezing statistics is not eval mode: the second gradient comes through the batch's own mean."""
    net, (x, y) = problems.conv_net(), problems.images()
    norm, seen = net.stem[1], []
    driver = problems.drive(name, net)
    handle = norm.register_forward_hook(
        lambda m, _, out: seen.append((driver.second, out.detach().mean((0, 2, 3))))
    )
    driver.step(problems.closure_of(net, x, y, problems.bce))
    handle.remove()
    assert [second for second, _ in seen] == [False, True]
    assert float(seen[1][1].abs().max()) < 0.2  # of the scale's and offset's moves uphill
    assert int(norm.num_batches_tracked) == 1
