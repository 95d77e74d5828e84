"""What a gate and a disease network say together: a probability, and an order that holding back cannot upset."""

import numpy as np
import pytest
import torch

from cxrlab.errors import BadInput, BadSpec
from cxrlab.models import MODELS, gating
from cxrlab.models.base import Plan, build, load_first_weights
from cxrlab.models.hierarchical import plans_of
from cxrlab.spec import ModelSpec

DISEASE = torch.tensor([[2.0, -1.0], [-3.0, 0.5], [40.0, -40.0]])
GATE = torch.tensor([1.0, -0.5, 30.0])


def small(labels=3, **options):
    own = {"disease": "small_cnn3", **options}
    return Plan(ModelSpec(name="hierarchical", options=own), labels, 32, head="gated")


def test_a_finding_is_as_likely_as_the_image_is_abnormal_times_the_finding_given_that():
    gate, disease = GATE.double().sigmoid(), DISEASE.double().sigmoid()
    expected = gate[:, None] * (gating.FLOOR + (1 - gating.FLOOR) * disease)
    out = gating.joined(DISEASE, GATE)
    torch.testing.assert_close(out[:, :2].double().sigmoid(), expected, rtol=1e-5, atol=1e-7)
    assert torch.equal(out[:, 2], GATE)


def test_no_finding_is_the_gate_turned_round():
    out = gating.joined(DISEASE, GATE, none=1)
    assert torch.equal(out[:, 1], -GATE)
    assert torch.equal(out[:, 0], gating.joined(DISEASE, GATE)[:, 0])
    assert gating.none_of(("Edema", "No Finding")) == 1
    assert gating.none_of(("Edema",)) is None


def test_what_is_held_back_stands_below_all_that_passed_in_the_order_of_the_gate():
    generator = torch.Generator().manual_seed(0)
    gate = 6 * torch.randn(500, generator=generator)
    disease = 12 * torch.randn(500, 2, generator=generator)
    passed = gate >= 0.3
    out = gating.joined(disease, gate, 1, passed)
    assert torch.isfinite(out).all()
    assert out[~passed, 0].max() <= out[passed, 0].min()
    assert out[~passed, 1].min() > out[passed, 1].max()
    order = gate[~passed].argsort()
    assert (out[~passed, 0][order].diff() >= 0).all()
    changed = gating.joined(torch.where(passed[:, None], disease, 99.0), gate, 1, passed)
    assert torch.equal(out, changed), "what the disease network would have said of them does not count"


def test_extreme_logits_stay_numbers_with_numbers_as_gradients():
    gate = torch.tensor([-90.0, 90.0, 0.0], requires_grad=True)
    disease = torch.tensor([[90.0], [-90.0], [0.0]], requires_grad=True)
    out = gating.joined(disease, gate)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(gate.grad).all() and torch.isfinite(disease.grad).all()


def test_gate_and_disease_network_share_nothing_and_hold_nothing_back_until_tuned():
    net = build(small())
    x = torch.rand(3, 1, 32, 32)
    out = net(x)
    (gradient,) = torch.autograd.grad(out[:, -1].sum(), net.disease.parameters(), allow_unused=True)[:1]
    assert gradient is None or gradient.abs().max() == 0
    assert net.passes(out[:, -1]).all()
    net.cut.fill_(float(out[:, -1].detach().sort().values[1]))
    assert net.passes(out[:, -1]).sum() == 2


def test_each_part_is_built_for_its_own_labels_and_any_classifier_will_do():
    plans = plans_of(small(4, gate="small_cnn3", disease="resnet18"))
    assert (plans["gate"].n_labels, plans["disease"].n_labels) == (1, 3)
    assert build(small(4, gate="small_cnn3", disease="resnet18"))(torch.rand(2, 1, 32, 32)).shape == (2, 4)
    with pytest.raises(BadSpec, match="of one finding at least"):
        plans_of(small(1))


def test_first_weights_are_the_disease_networks(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(1)
    given = build(Plan(ModelSpec(name="resnet18"), 2, 32)).backbone.state_dict()
    save_file({k: v.contiguous() for k, v in given.items()}, tmp_path / "w.safetensors")
    plan = small(3, disease="resnet18")
    model = plan.model.model_copy(update={"weights": str(tmp_path / "w.safetensors")})
    net = build(plan)
    loaded = load_first_weights(net, model)
    assert torch.equal(net.disease.backbone.conv1.weight, given["conv1.weight"])
    assert (loaded.mean, loaded.std) == MODELS["resnet18"].grey
    with pytest.raises((BadSpec, BadInput), match="takes no first weights"):
        load_first_weights(build(small()), small().model.model_copy(update={"weights": "hub"}))


def test_probabilities_are_calibrated_when_both_are():
    rng = np.random.default_rng(3)
    n = 200_000
    gate, disease = rng.normal(0, 2, n), rng.normal(0, 2, n)
    abnormal = rng.random(n) < 1 / (1 + np.exp(-gate))
    found = abnormal & (rng.random(n) < 1 / (1 + np.exp(-disease)))
    out = gating.joined(
        torch.tensor(disease, dtype=torch.float32)[:, None], torch.tensor(gate, dtype=torch.float32)
    )
    assert abs(out[:, 0].sigmoid().mean().item() - found.mean()) < 0.004
