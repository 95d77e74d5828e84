"""What networks are for, which layer is drawn, what an autoencoder gives back."""

import pytest
import torch

from cxrlab import presets
from cxrlab.errors import BadSpec, UnknownName
from cxrlab.models import MODELS
from cxrlab.models.autoencoder import Autoencoder, reconstruction_error
from cxrlab.models.base import SMALLEST_GRID, Plan, build, cam_layer, load_first_weights
from cxrlab.spec import ModelSpec

# The rest keep the same promises in test_every_network.py.
CLASSIFIERS = ["densenet121", "resnet18", "small_cnn", "small_cnn3"]


def plan(name, px=32, labels=3):
    return Plan(ModelSpec(name=name), labels, px, inputs=16)


def test_forms_offer_exactly_the_networks_that_there_are():
    assert set(presets.NETWORKS) == set(MODELS)
    for task, names in presets.NETWORKS_OF.items():
        assert set(names) == {name for name, model in MODELS.items() if task in model.tasks}


@pytest.mark.parametrize("preset", ["demo", "quick", "full"])
@pytest.mark.parametrize("task", presets.TASKS)
def test_every_preset_names_a_network_that_does_its_task(preset, task):
    name = presets.training(preset, task)["model"]["name"]
    assert task.removesuffix("-latents") in MODELS[name].tasks


def test_an_unknown_preset_is_named():
    with pytest.raises(UnknownName, match="Known: demo, quick, full"):
        presets.training("fast", "labels")


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("px", [28, 33, 64])
def test_a_classifier_gives_a_logit_a_label_at_any_size(name, px):
    net = build(plan(name, px)).eval()
    assert net(torch.rand(2, 1, px, px)).shape == (2, 3)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("px", [28, 64, 224])
def test_the_map_layer_is_the_deepest_that_can_still_tell_places_apart(name, px):
    net = build(plan(name, px))
    layer, grid = cam_layer(net, name, px)
    names = MODELS[name].cam_layers(net)
    assert min(grid) >= SMALLEST_GRID
    for deeper in names[: names.index(layer)]:
        assert min(grids_of(net, deeper, px)) < SMALLEST_GRID


def grids_of(net, name, px):
    from cxrlab.models.base import grids

    return grids(net, [name], px)[name]


def test_at_full_size_maps_come_from_the_last_feature_map():
    assert cam_layer(build(plan("densenet121", 224)), "densenet121", 224) == (
        "backbone.features.norm5",
        (7, 7),
    )
    assert cam_layer(build(plan("resnet18", 224)), "resnet18", 224) == ("backbone.layer4", (7, 7))


@pytest.mark.parametrize("name", ["autoencoder", "latent_head"])
def test_a_network_without_maps_says_why(name):
    with pytest.raises(BadSpec, match="gives no heatmaps"):
        cam_layer(build(plan(name)), name, 32)


@pytest.mark.parametrize("px", [28, 29, 50, 64, 96, 224])
def test_an_autoencoder_rebuilds_any_size(px):
    net = Autoencoder(px, 16).eval()
    x = torch.rand(2, 1, px, px)
    assert net(x).shape == x.shape
    latents = net.encode(x)
    assert latents.shape == (2, 16)
    assert latents.abs().max() <= 1
    assert torch.equal(net.decode(latents), net(x))


def test_reconstruction_error_by_hand():
    x, rebuilt = torch.zeros(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    rebuilt[1, 0, 0, 0] = 1
    assert reconstruction_error(x, rebuilt).tolist() == [0.0, 0.25]


def test_a_network_without_first_weights_refuses_them():
    with pytest.raises(BadSpec, match="takes no first weights"):
        load_first_weights(build(plan("small_cnn")), ModelSpec(name="small_cnn", weights="hub"))
