"""What the training loop may rely on, whichever optimizer was chosen: one file a plug-in, and these find it by themselves."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from cxrlab.choices.optimizers import CHOICES
from cxrlab.choices.schedules import CHOICES as SCHEDULE_CHOICES
from cxrlab.errors import BadRun, BadSpec
from cxrlab.optimizers import OPTIMIZERS, SCHEDULES
from tests.optimizers import problems
from tests.optimizers.problems import ALL, SHARP

# Options that make the rare event of an optimizer happen within a few steps.
BRISK = {"soap": {"every": 3}, "looksam": {"every": 3}}


def test_a_form_knows_every_optimizer_and_schedule_and_no_other():
    assert set(CHOICES) == set(OPTIMIZERS)
    assert set(SCHEDULE_CHOICES) == set(SCHEDULES)


@pytest.mark.parametrize("name", ALL)
def test_the_form_s_costs_are_the_driver_s(name):
    net, (x, y) = problems.conv_net(), problems.images()
    driver, calls = problems.drive(name, net), []
    for _ in range(10):
        inner = problems.closure_of(net, x, y, problems.bce)
        driver.step(lambda inner=inner: calls.append(1) or inner())
    assert len(calls) / 10 == CHOICES[name].passes
    assert driver.scheduled == CHOICES[name].needs_scheduling
    assert driver.takes_scaler == (name not in SHARP)


def test_forms_need_no_torch():
    code = "import sys, cxrlab.choices.optimizers, cxrlab.choices.schedules; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("choice", [*CHOICES.values(), *SCHEDULE_CHOICES.values()], ids=lambda c: c.name)
def test_every_option_has_a_title_a_sentence_and_bounds(choice):
    assert choice.title
    assert choice.sentence.endswith(".")
    for name, known in choice.options.model_fields.items():
        assert known.title, name
        assert known.description.endswith("."), name
        assert known.annotation is bool or known.metadata, f"{name} has no bounds"


@pytest.mark.parametrize("name", ALL)
def test_it_descends_a_convex_bowl(name):
    net = (
        nn.Sequential(nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 3))
        if name == "muon"
        else nn.Linear(5, 3)
    )
    net = problems.filled(net)
    x, _ = problems.points()
    y = x @ torch.linspace(-1, 1, 15).view(5, 3)
    driver = problems.drive(name, net, weight_decay=0.0)
    losses = problems.walk(driver, x, y, 150)
    assert sum(losses[-10:]) < 0.25 * sum(losses[:10])


@pytest.mark.parametrize("name", ALL)
def test_it_trains_a_net_with_batch_norm(name):
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net)
    losses = problems.walk(driver, x, y, 40, problems.bce)
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("done", [0, 1, 4])
def test_a_run_cut_off_anywhere_goes_on_bit_for_bit(name, done, tmp_path):
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net, BRISK.get(name))
    driver.clip_norm = 1.0
    problems.walk(driver, x, y, done, problems.bce)
    other, tensors, facts = problems.through_files(tmp_path, net, driver)
    resumed = problems.drive(name, other, BRISK.get(name))
    resumed.clip_norm = 1.0
    resumed.load(tensors, facts)
    for each in (driver, resumed):
        each.set_rate(0.5 * problems.rate_of(name))
        problems.walk(each, x, y, 9, problems.bce)
    pairs = zip(net.state_dict().items(), other.state_dict().values(), strict=True)
    assert [key for (key, ours), theirs in pairs if not torch.equal(ours, theirs)] == []
    told = driver.tensors(), resumed.tensors()
    assert all(torch.equal(told[0][key], told[1][key]) for key in told[0])
    assert driver.facts() == resumed.facts()


@pytest.mark.parametrize("name", ALL)
def test_a_state_keeps_its_memory_layout(name, tmp_path):
    """Files hold contiguous tensors; a sum over another layout may round differently."""
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net, BRISK.get(name))
    problems.walk(driver, x, y, 4, problems.bce)
    other, tensors, facts = problems.through_files(tmp_path, net, driver)
    resumed = problems.drive(name, other)
    resumed.load(tensors, facts)
    ours, theirs = driver.tensors(), resumed.tensors()
    assert set(ours) == set(theirs)
    assert {k: t.stride() for k, t in ours.items()} == {k: t.stride() for k, t in theirs.items()}


@pytest.mark.parametrize("name", ALL)
def test_scales_and_offsets_do_not_decay(name):
    net = problems.conv_net()
    driver = problems.drive(name, net, weight_decay=0.5)
    vectors = {id(p) for p in net.parameters() if p.ndim <= 1}
    seen = [id(p) for group in driver.groups for p in group["params"]]
    assert sorted(seen) == sorted(id(p) for p in net.parameters())
    for group in driver.groups:
        flat = {id(p) in vectors for p in group["params"]}
        assert flat <= {True} or flat <= {False}
        assert group["weight_decay"] == (0.0 if flat == {True} else 0.5)
    # And by deed: with no gradient at all, only matrices shrink.
    still = problems.weights(net)
    for _ in range(3):
        driver.step(lambda: sum(p.sum() * 0 for p in net.parameters()).backward() or torch.zeros(()))
    for key, p in net.named_parameters():
        assert torch.equal(p, still[key]) == (p.ndim <= 1), key


@pytest.mark.parametrize("name", ALL)
def test_a_gradient_of_zero_breaks_nothing(name):
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net, BRISK.get(name))
    for k in range(8):
        driver.step(lambda k=k: ((problems.bce(net(x), y) * (k % 2)).backward()) or torch.zeros(()))
    assert all(torch.isfinite(p).all() for p in net.parameters())


@pytest.mark.parametrize("name", ALL)
def test_a_rate_of_almost_nothing_moves_no_weight(name):
    """Coming back from uphill must not round: p + e − e is not p."""
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net, {"rho_min": 0.05} if name == "gsam" else None, weight_decay=0.0)
    driver.set_rate(1e-30)
    before = [p.detach().clone() for p in net.parameters()]
    problems.walk(driver, x, y, 3, problems.bce)
    moved = [float((p.detach() - q).abs().max()) for p, q in zip(net.parameters(), before, strict=True)]
    assert max(moved) < 1e-25  # weights that were exactly zero have gone that far


@pytest.mark.parametrize("name", ALL)
def test_a_group_keeps_its_share_of_the_rate(name):
    driver = problems.drive(name, problems.conv_net(), learning_rate=1e-2)
    driver.set_rate(1e-3)
    assert [group["lr"] for group in driver.groups] == [1e-3] * len(driver.groups)


@pytest.mark.parametrize("name", ALL)
def test_the_loss_is_the_one_before_the_step(name):
    net, (x, y) = problems.conv_net(), problems.images()
    expected = problems.bce(copy.deepcopy(net)(x), y)
    assert torch.equal(
        problems.drive(name, net).step(problems.closure_of(net, x, y, problems.bce)), expected.detach()
    )


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_left_hanging_on_the_network(name):
    net, (x, y) = problems.conv_net(), problems.images()
    before = [(set(vars(m)), len(m._forward_hooks), len(m._backward_hooks)) for m in net.modules()]
    momentum = [m.momentum for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    driver = problems.drive(name, net)
    problems.walk(driver, x, y, 3, problems.bce)
    driver.eval()
    driver.train()
    assert before == [(set(vars(m)), len(m._forward_hooks), len(m._backward_hooks)) for m in net.modules()]
    assert momentum == [m.momentum for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(m.track_running_stats for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert all(p._backward_hooks is None for p in net.parameters())


@pytest.mark.parametrize("name", ALL)
def test_batch_norm_sees_a_batch_once(name):
    net, (x, y) = problems.conv_net(), problems.images()
    plain = copy.deepcopy(net)
    plain(x)
    problems.drive(name, net).step(problems.closure_of(net, x, y, problems.bce))
    for (key, ours), theirs in zip(net.named_buffers(), plain.buffers(), strict=True):
        assert torch.equal(ours, theirs), key


@pytest.mark.parametrize("name", ALL)
def test_no_gradient_that_is_followed_is_longer_than_asked(name):
    net, (x, y) = problems.smooth(), problems.points()
    driver, norms = problems.drive(name, net), []
    driver.clip_norm = 1e-3
    last = driver.base if name in SHARP else driver.optimizer  # whoever moves the weights

    def note(*_):
        norms.append(float(nn.utils.get_total_norm([p.grad for p in net.parameters()])))

    last.register_step_pre_hook(note)
    problems.walk(driver, x, y, 8)
    assert len(norms) == 8
    assert max(norms) <= 1e-3 * (1 + 1e-5)
    assert min(norms) > 0.9e-3


# SOAP is left out: it turns by eigenvectors of which a rank-deficient gradient leaves some to rounding.
@pytest.mark.parametrize("name", [n for n in ALL if n != "soap"])
def test_a_gradient_a_thousand_times_too_long_makes_the_same_step(name):
    nets = []
    for factor in (1.0, 1000.0):
        net, (x, y) = problems.smooth(), problems.points()
        driver = problems.drive(name, net)
        driver.clip_norm = 1e-3
        problems.walk(driver, x, y, 6, lambda out, y, f=factor: f * nn.functional.mse_loss(out, y))
        nets.append(net)
    assert problems.furthest(*nets) < 1e-5


@pytest.mark.parametrize("name", [n for n in ALL if n not in SHARP])
def test_a_loss_scaler_changes_no_step_and_skips_infinite_ones(name):
    net, (x, y) = problems.smooth(), problems.points()
    plain, scaled = (problems.drive(name, n) for n in (copy.deepcopy(net), net))
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=1000)
    for driver in (plain, scaled):
        driver.clip_norm = 0.5

    def closure(out_of=1.0):
        loss = nn.functional.mse_loss(net(x), y) * out_of
        scaler.scale(loss).backward()
        return loss.detach()

    for _ in range(4):
        plain.step(problems.closure_of(plain.net, x, y))
        scaled.step(closure, scaler)
    assert problems.furthest(plain.net, net) < 1e-6
    before = problems.weights(net)
    scaled.step(lambda: closure(float("inf")), scaler)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert scaler.get_scale() == 128.0


@pytest.mark.parametrize("name", ALL)
def test_what_it_remembers_is_what_the_form_says(name):
    """State ÷ parameters; SOAP's and Muon's depend on the network's shapes (measured on DenseNet-121)."""
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(name, net)
    problems.walk(driver, x, y, 6, problems.bce)
    size = sum(p.numel() for p in net.parameters())
    held = sum(t.numel() for t in driver.tensors().values() if t.ndim) / size
    if name == "muon":
        assert 1.0 < held < 1.5
    elif name == "soap":
        assert held > 2.0
    else:
        assert held == pytest.approx(CHOICES[name].state, abs=0.01)


@pytest.mark.parametrize("name", ALL)
def test_a_state_of_another_optimizer_or_network_is_refused(name):
    driver = problems.drive(name, problems.conv_net())
    other = problems.drive("adam" if name == "adamw" else "adamw", problems.conv_net())
    with pytest.raises(BadRun, match="saved state is of the optimizer"):
        driver.load(other.tensors(), other.facts())
    smaller = problems.drive(name, problems.smooth())
    with pytest.raises(BadRun, match="of another network"):
        driver.load(smaller.tensors(), smaller.facts())


def test_a_state_with_a_lost_tensor_is_refused():
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive("soap", net)
    problems.walk(driver, x, y, 2, problems.bce)
    tensors, facts = driver.tensors(), driver.facts()
    lost = next(name for name in tensors if ".Q." in name)
    del tensors[lost]
    with pytest.raises(BadRun, match="lacks the tensor"):
        driver.load(tensors, facts)


def test_wrong_options_end_in_one_sentence():
    net = problems.smooth()
    cases = [
        ("adamw", {"beta1": 1.0}, "'adamw': beta1: found 1.0; expected less than 1"),
        ("lion", {"betas": (0.9, 0.99)}, "'lion': no option named 'betas', known: beta1, beta2"),
        ("gsam", {"rho": 0.01, "rho_min": 0.02}, r"rho_min is 0.02, above rho \(0.01\)"),
        ("wsam", {"gamma": 1.0}, "'wsam': gamma: found 1.0; expected at most 0.99"),
        ("soap", {"every": 0}, "'soap': every: found 0; expected at least 1"),
        ("sam", CHOICES["adamw"].read(), "was given AdamOptions; expected SamOptions"),
    ]
    for name, options, text in cases:
        with pytest.raises(BadSpec, match=text):
            problems.drive(name, net, options)
    for rate in (-1e-3, float("nan"), float("inf")):
        with pytest.raises(BadSpec, match="the learning rate is"):
            problems.drive("adamw", net, learning_rate=rate)
    with pytest.raises(BadSpec, match="the weight decay is -1"):
        problems.drive("adamw", net, weight_decay=-1)
    with pytest.raises(BadSpec, match="every weight of the network is frozen"):
        problems.drive("adamw", net.requires_grad_(False))


@pytest.mark.parametrize("name", ALL)
def test_frozen_weights_stay_where_they_are(name):
    net, (x, y) = problems.conv_net(), problems.images()
    net.stem.requires_grad_(False)
    driver = problems.drive(name, net)
    before = problems.weights(net.stem)
    problems.walk(driver, x, y, 4, problems.bce)
    for key, value in net.stem.named_parameters():
        assert torch.equal(value, before[key])
