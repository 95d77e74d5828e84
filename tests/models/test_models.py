"""Every network of the registry keeps the same promises."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cxrlab import presets
from cxrlab.errors import BadInput, BadSpec, MissingInput, UnknownName
from cxrlab.models import MODELS
from cxrlab.models.autoencoder import Autoencoder, reconstruction_error
from cxrlab.models.base import SMALLEST_GRID, Loaded, Plan, build, cam_layer, load_first_weights
from cxrlab.spec import ModelSpec

CLASSIFIERS = [name for name, model in MODELS.items() if "labels" in model.tasks]


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


def backbone_file(path, channels=3, drop=None):
    """Write weights of ResNet-18 as an ImageNet file has them: three input channels and a head of its own."""
    torch.manual_seed(1)
    tensors = dict(build(plan("resnet18")).backbone.state_dict())
    first = tensors["conv1.weight"]
    tensors["conv1.weight"] = torch.rand(first.shape[0], channels, *first.shape[2:])
    tensors["fc.weight"] = torch.rand(10, 512)
    if drop:
        del tensors[drop]
    save_file(tensors, path)
    return tensors


def test_local_weights_load_whole_and_are_counted(tmp_path):
    given = backbone_file(tmp_path / "w.safetensors")
    model = ModelSpec(name="resnet18", weights=str(tmp_path / "w.safetensors"))
    net = build(Plan(model, 3, 32))
    report = load_first_weights(net, model)
    assert report == Loaded("w.safetensors", loaded=len(given) - 1, missing=0, unexpected=1)
    assert torch.equal(net.backbone.layer4[1].conv2.weight, given["layer4.1.conv2.weight"])
    grey = torch.rand(1, 1, 32, 32)
    colour = torch.nn.functional.conv2d(grey.repeat(1, 3, 1, 1), given["conv1.weight"], stride=2, padding=3)
    np.testing.assert_allclose(net.backbone.conv1(grey).detach(), colour, rtol=1e-4)


def test_weights_that_do_not_load_whole_are_refused(tmp_path):
    backbone_file(tmp_path / "w.safetensors", drop="layer3.0.conv1.weight")
    model = ModelSpec(name="resnet18", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(BadInput, match=r"1 missing, the first is 'layer3.0.conv1.weight'"):
        load_first_weights(build(Plan(model, 3, 32)), model)


def test_weights_of_another_network_are_refused(tmp_path):
    backbone_file(tmp_path / "w.safetensors")
    model = ModelSpec(name="densenet121", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(BadInput, match="Use weights of the same network, or 'none'"):
        load_first_weights(build(Plan(model, 3, 32)), model)


def test_a_missing_or_broken_weights_file_is_one_sentence(tmp_path):
    net = build(plan("resnet18"))
    with pytest.raises(MissingInput, match=r"give 'none', 'hub' or the path"):
        load_first_weights(net, ModelSpec(name="resnet18", weights=str(tmp_path / "none.safetensors")))
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(BadInput, match=r"not a readable .safetensors file"):
        load_first_weights(net, ModelSpec(name="resnet18", weights=str(tmp_path / "w.safetensors")))


def test_without_a_network_the_hub_is_one_sentence_with_the_remedy(monkeypatch, tmp_path):
    from cxrlab.models import backbones

    def no_network(*_args, **_named):
        raise ConnectionError("[Errno 101] Network is unreachable")

    monkeypatch.setattr(backbones, "hf_hub_download", no_network)
    with pytest.raises(MissingInput, match=r"Network is unreachable.*use weights 'none' or the path"):
        load_first_weights(build(plan("resnet18")), ModelSpec(name="resnet18", weights="hub"))


def test_a_network_without_first_weights_refuses_them():
    with pytest.raises(BadSpec, match="takes no first weights"):
        load_first_weights(build(plan("small_cnn")), ModelSpec(name="small_cnn", weights="hub"))
