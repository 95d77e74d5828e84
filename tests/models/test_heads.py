"""What a network's numbers come to: one logit a label."""

import pytest
import torch

from cxrlab import policies
from cxrlab.errors import BadRun
from cxrlab.models import heads
from cxrlab.models.base import Plan, build
from cxrlab.spec import ModelSpec


def test_a_three_way_heads_score_is_p1_over_p0_plus_p1():
    z = torch.randn(7, 6)
    p = z.reshape(7, 2, 3).softmax(dim=-1)
    expected = p[..., 1] / (p[..., 0] + p[..., 1])
    torch.testing.assert_close(heads.logit_of(z, "three-way", 2).sigmoid(), expected)


def test_a_binary_heads_numbers_are_its_logits():
    z = torch.randn(7, 3)
    assert heads.logit_of(z, "binary", 3) is z


@pytest.mark.parametrize(("head", "width"), [("binary", 6), ("three-way", 2), ("three-way", 4)])
def test_outputs_of_another_width_are_refused(head, width):
    with pytest.raises(BadRun, match=r"expected \d of a .* head for 2 labels"):
        heads.logit_of(torch.zeros(1, width), head, 2)


def test_the_third_class_is_the_one_that_targets_name():
    assert heads.UNCERTAIN == policies.UNCERTAIN_CLASS


@pytest.mark.parametrize("name", ["densenet121", "resnet18", "small_cnn", "latent_head"])
@pytest.mark.parametrize(("head", "width"), [("binary", 2), ("three-way", 6)])
def test_every_classifier_can_have_either_head(name, head, width):
    inputs = 5 if name == "latent_head" else 0
    x = torch.rand(2, 5) if inputs else torch.rand(2, 1, 32, 32)
    net = build(Plan(ModelSpec(name=name, latents_of="x" * inputs), 2, 32, inputs, head)).eval()
    assert net(x).shape == (2, width)
