"""ResNet-18 for small images: the published benchmark's network at 28 px."""

import pytest
import torch

from cxrlab.choices.networks import CHOICES
from cxrlab.learning.efficiency import count_forward_flops, count_parameters
from cxrlab.models.base import Plan, build, cam_layer, grids
from cxrlab.spec import ModelSpec

NAME = "resnet18_small"


def plan(px=28, labels=1, name=NAME):
    return Plan(ModelSpec(name=name), labels, px)


def test_no_pixel_is_lost_before_the_first_layer_and_sixteen_places_are_left_after_the_last():
    net = build(plan())
    layers = [f"backbone.layer{i}" for i in (1, 2, 3, 4)]
    seen = grids(net, layers, 28)
    assert [seen[name] for name in layers] == [(28, 28), (14, 14), (7, 7), (4, 4)]
    own = build(plan(name="resnet18"))
    assert grids(own, ["backbone.layer4"], 28)["backbone.layer4"] == (1, 1)


def test_it_has_the_published_networks_parameters():
    # BasicBlock × (2, 2, 2, 2), widths 64 to 512, one grey channel, 3 × 3 stem, one output: counted by hand.
    stem = 64 * 9 + 128
    wide = [(64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    blocks = sum(
        9 * before * width + 9 * width * width + 4 * width + (before * width + 2 * width) * (before != width)
        for before, width in wide
    )
    assert count_parameters(build(plan())) == stem + blocks + 512 + 1


def test_the_list_says_what_it_costs():
    choice = CHOICES[NAME]
    assert count_parameters(build(plan(224, 14))) / 1e6 == pytest.approx(choice.millions, abs=0.06)
    assert count_forward_flops(plan(224, 14)) / 1e9 == pytest.approx(choice.gflop, abs=0.06)
    assert count_forward_flops(plan(28, 14)) / 1e9 == pytest.approx(0.9, abs=0.06)
    ratio = count_forward_flops(plan(28)) / count_forward_flops(plan(28, name="resnet18"))
    assert ratio == pytest.approx(13, abs=0.5)


def test_a_map_of_a_28_pixel_image_is_drawn_from_seven_cells_a_side():
    assert cam_layer(build(plan()), NAME, 28) == ("backbone.layer3", (7, 7))


def test_its_first_weights_are_drawn_as_wide_as_the_other_layers():
    torch.manual_seed(3)
    kernel = build(plan()).backbone.conv1.weight.detach()
    assert kernel.shape == (64, 1, 3, 3)
    assert float(kernel.std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.1)  # He 2015, fan out
