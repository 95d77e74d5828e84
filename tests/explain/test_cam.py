"""Maps against another library, by hand, and on pictures whose evidence has a known place."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM, HiResCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from cxrlab.errors import BadSpec
from cxrlab.explain import cam
from cxrlab.models.base import Plan, build, cam_layer
from cxrlab.models.heads import logit_of
from cxrlab.spec import ModelSpec
from tests import planted

PEERS = {"grad-cam": GradCAM, "hirescam": HiResCAM, "layercam": LayerCAM}


def scaled(maps):
    """Return maps as the grad-cam package scales them: each from 0 to 1 (its own 1e-7 included)."""
    low = maps.min(axis=(1, 2), keepdims=True)
    moved = maps - low
    return moved / (1e-7 + moved.max(axis=(1, 2), keepdims=True))


@pytest.mark.parametrize("name", ["densenet121", "resnet18"])
def test_our_maps_are_those_of_the_grad_cam_package(name):
    torch.manual_seed(3)
    net = build(Plan(ModelSpec(name=name), 3, 64)).eval()
    x = torch.rand(2, 1, 64, 64)
    layer, grid = cam_layer(net, name, 64)
    assert grid == (8, 8)
    for method, peer in PEERS.items():
        _, ours = cam.maps_of(net, layer, x, method=method)
        with peer(model=net, target_layers=[net.get_submodule(layer)]) as theirs:
            for k in range(3):
                theirs(input_tensor=x, targets=[ClassifierOutputTarget(k)] * 2)
                # Before its resampling to the picture's size: activations and gradients as it saw them.
                activation = theirs.activations_and_grads.activations[0].numpy()
                gradient = theirs.activations_and_grads.gradients[0].numpy()
                raw = theirs.get_cam_image(x, None, None, activation, gradient, False)
                np.testing.assert_allclose(
                    scaled(ours[:, k].numpy()), scaled(np.maximum(raw, 0)), atol=2e-4, err_msg=f"{method} {k}"
                )


def test_by_hand_grad_cam_weighs_channels_by_their_mean_gradient():
    activation = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]]])
    gradient = torch.tensor([[[[1.0, 1.0], [1.0, 1.0]], [[-8.0, 0.0], [0.0, 0.0]]]])
    # Mean gradients 1 and -2: 1·A0 - 2·A1 = [[-1, 2], [3, 2]]; negatives are cut.
    assert cam.grad_cam(activation, gradient).tolist() == [[[0.0, 2.0], [3.0, 2.0]]]
    assert cam.hires_cam(activation, gradient).tolist() == [[[0.0, 2.0], [3.0, 4.0]]]
    assert cam.layer_cam(activation, gradient).tolist() == [[[1.0, 2.0], [3.0, 4.0]]]


class Silent(nn.Module):
    """A network whose logit falls with everything it sees."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 2, 1)
        nn.init.constant_(self.body.weight, 1)
        nn.init.constant_(self.body.bias, 0)

    def forward(self, x):
        return -self.body(x).mean(dim=(2, 3))


def test_a_map_without_evidence_stays_zero_and_its_share_is_undefined():
    _, maps = cam.maps_of(Silent().eval(), "body", torch.ones(2, 1, 8, 8))
    assert (maps == 0).all()
    assert torch.isnan(cam.share_inside(maps[:, 0], torch.ones(2, 8, 8, dtype=torch.bool))).all()


def test_a_stronger_picture_has_a_stronger_map():
    net = Silent().eval()
    nn.init.constant_(net.body.weight, -1)
    x = torch.stack([torch.ones(1, 8, 8), 2 * torch.ones(1, 8, 8)])
    _, maps = cam.maps_of(net, "body", x)
    assert maps[1].sum() == pytest.approx(2 * float(maps[0].sum()))


def test_the_network_is_left_as_it_was():
    torch.manual_seed(0)
    net = build(Plan(ModelSpec(name="small_cnn"), 2, 32)).eval()
    x = torch.rand(2, 1, 32, 32)
    before = net(x).detach()
    logit, maps = cam.maps_of(net, "blocks.3", x)
    assert torch.equal(logit, before)
    assert torch.equal(net(x), before)
    assert maps.shape == (2, 2, 4, 4)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_an_unknown_layer_or_method_is_one_sentence():
    net = build(Plan(ModelSpec(name="small_cnn"), 1, 32)).eval()
    with pytest.raises(BadSpec, match="no layer 'nowhere'"):
        cam.maps_of(net, "nowhere", torch.rand(1, 1, 32, 32))
    with pytest.raises(BadSpec, match="Known: grad-cam"):
        cam.maps_of(net, "blocks.3", torch.rand(1, 1, 32, 32), method="x-ray")
    with pytest.raises(BadSpec, match="no single spatial output"):
        cam.maps_of(net, "head", torch.rand(1, 1, 32, 32))


class Tiny(nn.Module):
    """Three convolutions and a linear head: small enough to train in a second."""

    def __init__(self):
        super().__init__()
        layers = []
        for before, width in ((1, 8), (8, 16), (16, 16)):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers[:-1])
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.body(x).mean(dim=(2, 3)))


def squares():
    """Return pictures with a bright square (the finding) and, by another coin, a dark one; and where they are."""
    pictures, has, bright = planted.images(120, seed=2)
    _, has_dark, dark = planted.images(120, seed=3)
    for i in np.flatnonzero(has_dark):
        top, left = dark[i]
        pictures[i, top : top + planted.SIDE, left : left + planted.SIDE] = 0
    return pictures, has, bright, dark, np.flatnonzero(has & has_dark)


def trained(pictures, y):
    torch.manual_seed(2)
    net = Tiny()
    descent = torch.optim.Adam(net.parameters(), 1e-2)
    x, y = torch.from_numpy(pictures).float()[:, None] / 255 - 0.4, torch.from_numpy(y).float()[:, None]
    for _ in range(80):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x), y)
        descent.zero_grad()
        loss.backward()
        descent.step()
    return net.eval()


def maps_at(net, pictures, which):
    x = torch.from_numpy(pictures[which]).float()[:, None] / 255 - 0.4
    return cam.maps_of(net, "body", x)[1][:, 0]


def enrichment(maps, corners):
    """Return the share of map energy on the squares over their share of the area; 1: it looks anywhere."""
    cell = planted.PX // maps.shape[-1]
    masks = torch.zeros_like(maps)
    for mask, corner in zip(masks, corners, strict=True):
        (top, left), (bottom, right) = corner // cell, -(-(corner + planted.SIDE) // cell)
        mask[top:bottom, left:right] = 1
    return float(torch.nanmean(cam.share_inside(maps, masks) / masks.mean(dim=(1, 2))))


def test_the_map_lies_on_the_planted_square_and_not_on_another_that_means_nothing():
    pictures, has, bright, dark, which = squares()
    maps = maps_at(trained(pictures, has), pictures, which)
    assert enrichment(maps, bright[which]) > 2.5
    assert enrichment(maps, dark[which]) < 1


def test_a_network_taught_coins_has_weak_maps_because_nothing_is_rescaled():
    pictures, has, _, _, which = squares()
    coin = np.random.default_rng(9).permutation(np.arange(len(has)) % 2)
    taught, blind = (maps_at(trained(pictures, y), pictures, which).sum() for y in (has, coin))
    assert blind < 0.2 * taught


def test_a_three_way_heads_map_is_of_the_difference_between_positive_and_negative():
    torch.manual_seed(2)
    three = build(Plan(ModelSpec(name="small_cnn"), 2, 32, head="three-way")).eval()
    two = build(Plan(ModelSpec(name="small_cnn"), 2, 32)).eval()
    tensors = three.state_dict()
    for name in ("head.1.weight", "head.1.bias"):
        of = tensors[name].unflatten(0, (2, 3))
        tensors[name] = of[:, 1] - of[:, 0]
    two.load_state_dict(tensors)
    x = torch.rand(3, 1, 32, 32)
    expected_logit, expected = cam.maps_of(two, "blocks.3", x)
    logit, maps = cam.maps_of(three, "blocks.3", x, says=lambda out: logit_of(out, "three-way", 2))
    torch.testing.assert_close(logit, expected_logit, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)
    assert expected.sum() > 0
