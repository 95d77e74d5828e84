"""Any network of timm by its name: built for grey images of the side asked, or refused with the side that works."""

import pytest
import torch

from cxrlab.errors import BadSpec, MissingInput, UnknownName
from cxrlab.explain import cam
from cxrlab.models import MODELS, firsts
from cxrlab.models.base import Plan, build, cam_layer, load_first_weights
from cxrlab.spec import ModelSpec


def plan(name, px=64, **model):
    return Plan(ModelSpec(name=name, **model), 2, px)


@pytest.mark.parametrize("px", [28, 64, 100])
@pytest.mark.parametrize(
    "name",
    [
        "timm:resnet10t",
        "timm:vit_tiny_patch16_224",
        "timm:swin_tiny_patch4_window7_224.ms_in1k",
        "timm:ghostnet_050",
    ],
)
def test_a_network_that_is_not_listed_is_built_by_its_name(name, px):
    with torch.device("meta"):
        net = build(plan(name, px)).eval()
        assert net(torch.empty(2, 1, px, px)).shape == (2, 2)
    parts = MODELS[name].parts(net)
    names = [*parts.backbone, *parts.head]
    for stored, _ in net.named_parameters():
        assert sum(stored == one or stored.startswith(f"{one}.") for one in names) == 1, stored
    assert len(parts.blocks) > 1


@pytest.mark.parametrize("name", ["timm:resnet10t", "timm:vit_tiny_patch16_224"])
def test_its_maps_have_places(name):
    net = build(plan(name)).eval()
    layer, grid = cam_layer(net, name, 64)
    _, maps = cam.maps_of(net, layer, torch.rand(2, 1, 64, 64))
    assert maps.shape == (2, 2, *grid)


def test_a_network_without_maps_of_places_says_so():
    name = "timm:swin_tiny_patch4_window7_224"
    assert "order that maps are read in" in MODELS[name].why_no_map
    with torch.device("meta"):
        net = build(plan(name))
    with pytest.raises(BadSpec, match="gives no heatmaps"):
        cam_layer(net, name, 64)


def test_a_transformer_whose_last_tokens_are_no_patches_has_no_maps():
    assert "not the image's places" in MODELS["timm:cait_xxs24_224"].why_no_map


def test_a_side_that_a_network_cannot_take_is_refused_with_the_smallest_that_it_takes():
    with pytest.raises(
        BadSpec, match=r"does not take images of 64 px; the smallest side that it takes is \d+ px"
    ):
        build(plan("timm:inception_v3", 64))


def test_building_it_draws_nothing_but_its_own_weights():
    torch.manual_seed(3)
    first = build(plan("timm:resnet10t"))
    torch.manual_seed(3)
    second = build(plan("timm:resnet10t"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", ["timm:resnet19", "timm:", "timm:hf-hub:some/one", "timm:local-dir:x"])
def test_a_name_that_timm_does_not_know_is_one_sentence(name):
    with pytest.raises(UnknownName, match="has no network named"):
        MODELS[name]


def test_a_tag_that_timm_does_not_know_is_one_sentence():
    with pytest.raises(UnknownName, match=r"no weights 'resnet18.mine'\. Known: .*resnet18.a1_in1k"):
        MODELS["timm:resnet18.mine"]


def test_it_is_no_entry_of_the_list():
    assert "timm:resnet10t" not in list(MODELS)


def test_hub_weights_without_a_tag_are_refused_because_defaults_move():
    model = ModelSpec(name="timm:resnet34", weights="hub")
    with pytest.raises(
        BadSpec, match=r"does not say which hub weights.*timm:NAME.TAG. Known: .*resnet34.a1_in1k"
    ):
        load_first_weights(build(plan("timm:resnet34")), model)


def test_its_licence_and_input_are_those_of_its_tag(monkeypatch):
    def no_network(*_args, **_named):
        raise OSError("no network")

    monkeypatch.setattr(firsts, "hf_hub_download", no_network)
    assert MODELS["timm:vit_base_patch16_224.augreg2_in21k_ft_in1k"].grey == (0.5, 0.5)

    def ask(name, **more):
        load_first_weights(torch.nn.Module(), ModelSpec(name=name, weights="hub", **more))

    with pytest.raises(BadSpec, match=r"under cc-by-nc-4\.0"):
        ask("timm:vit_base_patch16_224.mae")
    with pytest.raises(MissingInput, match="no network"):
        ask("timm:vit_base_patch16_224.mae", allow_noncommercial=True)
    with pytest.raises(MissingInput, match="no network"):
        ask("timm:resnet34.a1_in1k")
