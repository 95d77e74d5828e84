"""Optimizers beside independent implementations of the same, on a fixed problem, to 1e-6.

torch.optim (AdamW, Adam, RMSprop, Muon), the authors' schedulefree, timm (Lion, Adan, MARS); SOAP beside the paper's
algorithm written out below. In single precision, as the lab trains; written-out ones in double precision.
"""

import copy

import pytest
import schedulefree
import timm.optim
import torch
from torch import nn

from cxrlab.choices.optimizers import CHOICES
from cxrlab.errors import BadSpec
from cxrlab.models import MODELS
from cxrlab.models.base import Plan, build
from cxrlab.optimizers import muon, schedules
from cxrlab.spec import ModelSpec
from tests.optimizers import problems

NEAR, STEPS = 1e-6, 30
DECAY = 0.05


def groups_of(net, decay=DECAY):
    return [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


def walk(net, optimizers, x, y, steps, loss=nn.functional.mse_loss):
    for a, b in problems.batches(x, y, steps):
        loss(net(a), b).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()


def beside(name, reference, options=None, learning_rate=2e-3, dtype=torch.float32):
    """Return how far ours ends from the reference, and how far ours has come."""
    net, (x, y) = problems.smooth(dtype), problems.points(dtype)
    start, other = copy.deepcopy(net), copy.deepcopy(net)
    problems.walk(problems.drive(name, net, options, learning_rate, DECAY), x, y, STEPS)
    walk(other, reference(other, learning_rate), x, y, STEPS)
    return problems.furthest(net, other), problems.furthest(net, start)


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_adam_is_the_lab_s_own_of_before_bit_for_bit(name, kind):
    """The loop as it was: groups of matrices and vectors, fused, the rate set before each step."""
    net, (x, y) = problems.conv_net(), problems.images()
    other = copy.deepcopy(net)
    driver = problems.drive(name, net, learning_rate=1e-3, weight_decay=1e-2)
    plain = kind(groups_of(other, 1e-2), lr=1e-3, fused=True)
    for k, (a, b) in enumerate(problems.batches(x, y, 12)):
        rate = schedules.SCHEDULES["cosine"].rate(None, 1e-3, k, 12)
        driver.set_rate(rate)
        ours = driver.step(problems.closure_of(net, a, b, problems.bce))
        for group in plain.param_groups:
            group["lr"] = rate
        loss = problems.bce(other(a), b)
        plain.zero_grad(set_to_none=True)
        loss.backward()
        plain.step()
        assert torch.equal(ours, loss.detach())
    pairs = zip(net.state_dict().values(), other.state_dict().values(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    assert [len(group["params"]) for group in driver.groups] == [len(g["params"]) for g in plain.param_groups]


REFERENCES = {
    "adamw": lambda net, rate: [torch.optim.AdamW(groups_of(net), rate, foreach=False, fused=False)],
    "adam": lambda net, rate: [torch.optim.Adam(groups_of(net), rate, foreach=False, fused=False)],
    "rmsprop": lambda net, rate: [torch.optim.RMSprop(groups_of(net), rate, foreach=False)],
    "lion": lambda net, rate: [timm.optim.Lion(groups_of(net), rate, foreach=False)],
    "adan": lambda net, rate: [timm.optim.Adan(groups_of(net), rate, no_prox=False, foreach=False)],
}


@pytest.mark.parametrize("name", REFERENCES)
def test_it_equals_its_reference(name):
    apart, come = beside(name, REFERENCES[name])
    assert apart < NEAR
    assert come > 1e-2


def test_adan_s_other_decay_equals_timm_s():
    apart, _ = beside(
        "adan", lambda net, rate: [timm.optim.Adan(groups_of(net), rate, no_prox=True)], {"proximal": False}
    )
    proximal, _ = beside("adan", lambda net, rate: [timm.optim.Adan(groups_of(net), rate, no_prox=True)])
    assert apart < NEAR < proximal


def test_schedule_free_equals_its_authors_and_so_does_a_warm_up_by_the_loop():
    net, (x, y) = problems.smooth(), problems.points()
    other, rate, rise = copy.deepcopy(net), 5e-3, 8
    driver = problems.drive("schedule-free-adamw", net, None, rate, DECAY)
    theirs = schedulefree.AdamWScheduleFree(groups_of(other), rate, warmup_steps=rise)
    theirs.train()
    options = {"warm_up": rise / STEPS}
    for k, (a, b) in enumerate(problems.batches(x, y, STEPS)):
        driver.set_rate(schedules.SCHEDULES["none"].rate(options, rate, k, STEPS))
        driver.step(problems.closure_of(net, a, b))
        walk(other, [theirs], a, b, 1)  # one batch of eight rows is walked in another order, all of it
        if k in (0, rise, STEPS - 1):
            assert problems.furthest(net, other) < NEAR
            driver.eval(), theirs.eval()
            assert problems.furthest(net, other) < NEAR
            driver.train(), theirs.train()


def test_muon_equals_torch_s_on_hidden_matrices_and_adamw_on_the_rest():
    def reference(net, rate):
        hidden = [layer.weight for layer in net.layers[1:-1]]
        rest = [p for p in net.parameters() if id(p) not in {id(h) for h in hidden}]
        muon = torch.optim.Muon(hidden, rate, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
        groups = [
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": DECAY},
            {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return [muon, torch.optim.AdamW(groups, rate)]

    apart, come = beside("muon", reference)
    assert apart < NEAR
    assert come > 1e-2


def test_muon_takes_a_kernel_as_the_matrix_of_its_flattened_inputs():
    """torch's Muon refuses kernels; fed the flattened gradient it must agree."""
    net, (x, y) = problems.conv_net(), problems.images()
    kernel, seen = net.body[0].weight, []
    driver = problems.drive("muon", net, None, 1e-2, DECAY)
    flat = nn.Parameter(kernel.detach().reshape(6, -1).clone())
    theirs = torch.optim.Muon([flat], 1e-2, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")

    def closure(a, b):
        loss = problems.bce(net(a), b)
        loss.backward()
        seen.append(kernel.grad.detach().reshape(6, -1).clone())  # before Nesterov writes over it
        return loss.detach()

    for a, b in problems.batches(x, y, 10):
        driver.step(lambda a=a, b=b: closure(a, b))
        flat.grad = seen[-1]
        theirs.step()
    assert float((kernel.detach().reshape(6, -1) - flat.detach()).abs().max()) < NEAR


@pytest.mark.parametrize("name", [name for name in MODELS if name != "latent_head"])
def test_muon_leaves_first_and_last_layer_norms_embeddings_and_biases_to_adamw(name):
    """Which layer comes first and last is seen in a forward pass; the plug-in goes by order and names."""
    with torch.device("meta"):
        net = build(Plan(ModelSpec(name=name), 3, 224)).eval()
        walked = []
        for layer in net.modules():
            if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
                layer.register_forward_hook(lambda m, args, out: walked.append((m, args[0].shape[1])))
        net(torch.zeros(2, 1, 224, 224))
    see_the_image = {id(m.weight) for m, channels in walked if channels == 1 and m is not walked[-1][0]}
    ends = see_the_image | {id(walked[0][0].weight), id(walked[-1][0].weight)}
    ends |= {
        id(p) for key, p in net.named_parameters() if ".head." in f".{key}"
    }  # a head may have several layers
    of = [{id(p) for p in group["params"]} for group in muon.groups_of(net, CHOICES["muon"].read(), DECAY)]
    layers = {id(m.weight) for m, _ in walked}
    assert of[0] == layers - ends
    assert of[1] == {id(p) for p in net.parameters() if p.ndim > 1} - of[0]
    assert of[2] == {id(p) for p in net.parameters() if p.ndim <= 1}


def test_muon_refuses_a_network_without_hidden_weights():
    net = build(Plan(ModelSpec(name="latent_head", latents_of="x"), 2, 32, inputs=16))
    with pytest.raises(BadSpec, match="would be AdamW under another name; use 'adamw'"):
        problems.drive("muon", net)


def test_mars_equals_timm_s_from_its_second_step_on():
    """timm leaves the gradient's change out of the first step; the authors and we take the gradient before it for zero."""
    net, (x, y) = problems.smooth(), problems.points()
    options = {"beta1": 0.95, "beta2": 0.99}
    driver = problems.drive("mars", net, options, 2e-3, DECAY)
    problems.walk(driver, x[:8], y[:8], 1)
    other = copy.deepcopy(net)
    theirs = timm.optim.Mars(groups_of(other), 2e-3, betas=(0.95, 0.99), betas_1d=(0.9, 0.95))
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        ours = {key: t.clone() for key, t in driver.optimizer.state[p].items()}
        theirs.state[q] = {"step": 1, **ours}
    problems.walk(driver, x, y, STEPS)
    walk(other, [theirs], x, y, STEPS)
    assert problems.furthest(net, other) < NEAR


def test_mars_begins_from_a_gradient_of_zero_and_cuts_it_to_length_one():
    """By hand. 4.1.0 also adds 1e-15 under the root, which no gradient here is small enough to feel."""
    net, (x, y) = problems.smooth(torch.float64), problems.points(torch.float64)
    start = copy.deepcopy(net)
    a, b = x[:8], y[:8] * 30
    nn.functional.mse_loss(start(a), b).backward()
    driver = problems.drive("mars", net, None, 2e-3, 0.0)
    assert max(float(p.grad.norm()) for p in start.parameters() if p.ndim > 1) > 1
    driver.step(problems.closure_of(net, a, b))
    for p, q in zip(net.parameters(), start.parameters(), strict=True):
        g = q.grad
        if p.ndim > 1:
            g = g * (1 + 0.025 * 0.95 / 0.05)
            g = g / max(1.0, float(g.norm()))
            expected = q - 2e-3 * g / ((g * g).sqrt() + 1e-8)
            assert torch.allclose(driver.optimizer.state[p]["exp_avg"], 0.05 * g, atol=1e-9)
        else:
            expected = q - 2e-3 * g / (g.abs() + 1e-8)
        assert float((p.detach() - expected.detach()).abs().max()) < NEAR


class TextbookSoap:
    """Vyas 2024, algorithm 3, a set of eigenvectors a side: M and the statistics as they are, V in the turned space.

    4.1.0 departs nowhere in formula; it computes QR in single precision whatever the weights' own, and so does this.
    """

    def __init__(self, weight, rate, beta, eps, every, decay, largest):
        self.w, self.rate, self.beta, self.eps, self.every, self.decay = weight, rate, beta, eps, every, decay
        self.t, self.m, self.v = 0, torch.zeros_like(weight), torch.zeros_like(weight)
        self.sides = [side for side, size in enumerate(weight.shape) if size <= largest]
        self.statistics = {side: 0.0 for side in self.sides}

    def turn(self, tensor, back=False):
        for side in self.sides:
            q = self.q[side] if back else self.q[side].T
            tensor = torch.movedim(torch.tensordot(q, tensor, dims=([1], [side])), 0, side)
        return tensor

    def step(self, g):
        t, beta = self.t, self.beta
        if t:
            self.m = beta * self.m + (1 - beta) * g
            self.v = beta * self.v + (1 - beta) * self.turn(g) ** 2
            rate = self.rate * (1 - beta**t) ** 0.5 / (1 - beta**t)
            self.w = self.w - rate * self.turn(self.turn(self.m) / (self.v.sqrt() + self.eps), back=True)
            self.w = self.w * (1 - self.rate * self.decay)
        for side in self.sides:
            flat = torch.movedim(g, side, 0).reshape(g.shape[side], -1)
            self.statistics[side] = beta * self.statistics[side] + (1 - beta) * flat @ flat.T
        if t == 0:
            self.q = {side: torch.linalg.eigh(s)[1].flip(1) for side, s in self.statistics.items()}
        elif t % self.every == 0:
            for side, s in self.statistics.items():
                power = s @ self.q[side]
                order = (self.q[side] * power).sum(dim=0).argsort(descending=True)
                self.v = self.v.index_select(side, order)
                self.q[side] = torch.linalg.qr(power[:, order].float())[0].to(power)
        self.t += 1


class Weights(nn.Module):
    """A square, a kernel, and a matrix with one side too long; no side leaves an eigenvector to rounding."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(4)
        shapes = (6, 6), (6, 5, 3, 3), (7, 3)
        self.all = nn.ParameterList(torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)


def test_soap_equals_the_paper_s_algorithm():
    net = Weights()
    driver = problems.drive("soap", net, {"every": 4, "largest": 6}, 2e-3, DECAY)
    textbook = [TextbookSoap(w.detach().clone(), 2e-3, 0.95, 1e-8, 4, DECAY, 6) for w in net.all]
    generator = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        # The same gradients for both, so that rounding does not feed on itself.
        gradients = [torch.randn(w.shape, generator=generator, dtype=torch.float64) for w in net.all]

        def closure(gradients=gradients):
            for w, g in zip(net.all, gradients, strict=True):
                w.grad = g.clone()
            return torch.zeros(())

        driver.step(closure)
        for one, g in zip(textbook, gradients, strict=True):
            one.step(g)
    assert [one.sides for one in textbook] == [[0, 1], [0, 1, 2, 3], [1]]
    for w, one in zip(net.all, textbook, strict=True):
        assert float((w.detach() - one.w).abs().max()) < NEAR


def test_soap_s_first_step_only_looks():
    net, (x, y) = problems.smooth(), problems.points()
    before = problems.weights(net)
    problems.walk(problems.drive("soap", net), x, y, 1)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
