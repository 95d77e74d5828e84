"""What torchvision names otherwise than timm says here what it said there, or is refused with the reason."""

from functools import lru_cache

import pytest
import torch
import torchvision
from torch import nn

from cxrlab.errors import BadInput
from cxrlab.models import foreign, torchvision_names, weightfile
from cxrlab.models.base import Plan, build, load_first_weights
from cxrlab.models.foreign import Wish
from cxrlab.spec import ModelSpec

K = 3
MEAN, STD = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in foreign.IMAGENET)
TWINS = [
    ("efficientnet_b0", "efficientnet_b0", 64),
    ("efficientnet_b4", "efficientnet_b4", 64),
    ("timm:efficientnetv2_s", "efficientnet_v2_s", 96),
    ("mobilenetv3_large", "mobilenet_v3_large", 64),
    ("timm:mobilenetv3_small_100", "mobilenet_v3_small", 64),
    ("convnext_small", "convnext_small", 64),
    ("timm:regnety_032", "regnet_y_3_2gf", 64),
    ("vit_b16", "vit_b_16", 224),
    ("timm:swin_tiny_patch4_window7_224", "swin_t", 224),
    ("resnext101", "resnext101_32x8d", 64),
]


def pictures(n, px, seed):
    """Grey images that differ in what they show: the signal of noise alone dies on the way through a random network."""
    draw = torch.Generator().manual_seed(seed)
    coarse = nn.functional.interpolate(torch.rand(n, 1, 4, 4, generator=draw), size=(px, px), mode="bicubic")
    return (0.8 * coarse + 0.2 * torch.rand(n, 1, px, px, generator=draw)).clamp(0, 1)


def coloured(images):
    return (images.expand(-1, 3, -1, -1) - MEAN) / STD


@lru_cache(maxsize=2)  # the largest has 350 MB
def torchvisions(name, px):
    """Random in every number that counts; batch norms hold what they saw on pictures, so that the signal stays alive."""
    torch.manual_seed(0)
    still = {"stochastic_depth_prob": 0.0} if name.startswith("efficientnet") else {}
    net = getattr(torchvision.models, name)(num_classes=K, **still)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.normal_(0, (2 / module.weight[0].numel()) ** 0.5, generator=draw)
            if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
                module.weight.uniform_(0.5, 1.5, generator=draw)
                module.momentum = 1.0
        for key, value in net.named_parameters():
            if key.endswith(("layer_scale", "pos_embedding", "class_token", "bias_table")):
                value.uniform_(0.2, 1, generator=draw)
            if key.endswith("bias"):
                value.normal_(0, 0.1, generator=draw)
        [module for module in net.modules() if isinstance(module, nn.Linear)][-1].weight.normal_(
            0, 0.1, generator=draw
        )
        if any(isinstance(module, nn.BatchNorm2d) for module in net.modules()):
            net.train()(coloured(pictures(16, px, 3)))
    return net.eval()


def given(net, path, prefix="", **more):
    torch.save({"state_dict": {prefix + key: t for key, t in net.state_dict().items()} | more}, path)
    return weightfile.read(path).tensors


def imported(name, px, tensors):
    return foreign.load(ModelSpec(name=name), px, tensors, "theirs.pth", Wish((True,) * K))


def first(name, px, path):
    model = ModelSpec(name=name, weights=str(path))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = build(Plan(model, K, px)).eval()
    return net, load_first_weights(net, model)


@pytest.mark.parametrize(("name", "theirs", "px"), TWINS)
def test_a_classifier_says_what_it_said_in_torchvision(name, theirs, px, tmp_path):
    net = torchvisions(theirs, px)
    whole = imported(name, px, given(net, tmp_path / "w.pth", "module."))
    images = pictures(3, px, 2)
    with torch.no_grad():
        then, now = net(coloured(images)), whole.net((images - whole.grey[0]) / whole.grey[1])
    assert then.std(dim=0).min() > 0.02  # it tells the pictures apart
    torch.testing.assert_close(now, then, rtol=0, atol=1e-4)
    tables = sum(
        key.endswith("relative_position_index") for key in net.state_dict()
    )  # Swin's; timm counts them anew
    assert whole.counts.loaded == len(net.state_dict()) - tables and whole.counts.unexpected == tables


@pytest.mark.parametrize(
    ("name", "theirs", "px"),
    [twin for twin in TWINS if not twin[1].startswith(("resnext", "vit", "swin", "efficientnet_b4"))],
)
def test_first_weights_give_the_features_that_they_gave_in_torchvision(name, theirs, px, tmp_path):
    there = torchvisions(theirs, px)
    given(there, tmp_path / "w.pth", "model.", **{"criterion.weight": torch.ones(K)})
    net, loaded = first(name, px, tmp_path / "w.pth")
    assert loaded.missing == 0 and loaded.unexpected >= 3  # the head's two, the criterion's one
    last, seen = [module for module in there.modules() if isinstance(module, nn.Linear)][-1], []
    hook = last.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    images = pictures(3, px, 2)
    with torch.no_grad():
        there(images.expand(-1, 3, -1, -1))
        now = net.embed(images)
    hook.remove()
    torch.testing.assert_close(now, seen[0], rtol=1e-4, atol=2e-4)


def test_a_file_without_its_wrapper_and_with_another_head_is_known_too(tmp_path):
    net = torchvisions("mobilenet_v3_small", 64)
    tensors = given(net, tmp_path / "w.pth")
    tensors["readout.weight"], tensors["readout.bias"] = (
        tensors.pop(f"classifier.3.{part}") for part in ("weight", "bias")
    )
    whole = imported("timm:mobilenetv3_small_100", 64, tensors)
    images = pictures(3, 64, 2)
    with torch.no_grad():
        now = whole.net((images - whole.grey[0]) / whole.grey[1])
        torch.testing.assert_close(now, net(coloured(images)), rtol=0, atol=1e-4)


def test_the_old_names_of_a_transformer_s_two_layers_are_read(tmp_path):
    """Files of torchvision's first vision transformers say linear_1 and linear_2; torchvision itself renames them."""
    with torch.device("meta"):
        keys = torchvision.models.vit_b_16().state_dict()
    old = {
        key.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): torch.zeros(t.shape)
        for key, t in keys.items()
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_1.weight" in old
    torch.save(old, tmp_path / "w.pth")
    _, loaded = first("vit_b16", 224, tmp_path / "w.pth")
    assert (loaded.missing, loaded.unexpected) == (0, 2)


@pytest.mark.parametrize(
    ("name", "theirs", "px", "sentence"),
    [
        ("efficientnetv2_s", "efficientnet_v2_s", 96, "pads its convolutions unevenly.*name timm:efficientnetv2_s"),
        ("timm:tf_mobilenetv3_large_100", "mobilenet_v3_large", 64, "name timm:mobilenetv3_large_100"),
        ("timm:swin_tiny_patch4_window7_224", "swin_t", 256, "into other windows; use the side"),
        ("regnety_4gf", "regnet_y_3_2gf", 64, "torchvision's RegNet, which has no 4GF; its regnet_y_3_2gf is timm:regnety_032"),
        ("efficientnet_b4", "efficientnet_b0", 64, "has the keys of torchvision's EfficientNet"),
        ("timm:convnext_tiny", "convnext_small", 64, "72 layers more than the network has .* larger one"),
        ("resnet18", "mobilenet_v3_small", 64, r"holds \d+ of the 120 tensors .* keys of torchvision's MobileNetV3"),
    ],
)  # fmt: skip
def test_a_network_that_would_say_something_else_is_refused_with_the_reason(
    name, theirs, px, sentence, tmp_path
):
    net = torchvisions(theirs, 224 if theirs == "swin_t" else px)
    tensors = given(net, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=sentence):
        imported(name, px, tensors)
    with pytest.raises(BadInput, match=sentence):
        first(name, px, tmp_path / "w.pth")


def test_a_transformer_of_other_patches_is_refused(tmp_path):
    """Timm would resample the kernel of 32 px to 16 px, and the positions with it."""
    with torch.device("meta"):
        keys = torchvision.models.vit_b_32().state_dict()
    torch.save({key: torch.zeros(t.shape) for key, t in keys.items()}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=r"148 of the 150 tensors .*torchvision's ViT"):
        first("vit_b16", 224, tmp_path / "w.pth")


def family(title):
    return next(one for one in torchvision_names.FAMILIES if one.title == title)


@pytest.mark.parametrize(
    ("layer", "title", "sentence"),
    [
        (nn.GELU(), "ViT", ""),
        (nn.Tanh(), "ViT", "computes with Tanh"),
        (nn.LayerNorm(4, eps=1e-6), "ViT", ""),
        (nn.LayerNorm(4, eps=1e-5), "ViT", "adds 1e-05 to the variances of its layer norms, not 1e-06"),
        (nn.Softmax(-1), "Swin", ""),
    ],
)
def test_equal_names_and_shapes_are_not_enough(layer, title, sentence):
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), layer)
    if not sentence:
        return torchvision_names.check_same(net, family(title), {}, "w.pth")
    with pytest.raises(BadInput, match=sentence):
        torchvision_names.check_same(net, family(title), {}, "w.pth")


def test_torn_keys_of_a_known_family_are_a_sentence(tmp_path):
    whole = torchvisions("mobilenet_v3_small", 64).state_dict()
    mark = family("MobileNetV3").mark
    for torn in (
        {mark: whole[mark]},
        {mark: torch.tensor(1.0), "features.1.block.1.0.weight": torch.rand(2)},
        {key: torch.tensor(1.0) for key in whole},
        {key.replace("block.1", "block.77777"): value for key, value in whole.items()},
        {one.mark: torch.tensor(1.0) for one in torchvision_names.FAMILIES},
    ):
        torch.save(torn, tmp_path / "w.pth")
        for name in ("timm:mobilenetv3_small_100", "efficientnet_b0"):
            with pytest.raises(BadInput, match=r"holds .* tensors of the backbone"):
                first(name, 64, tmp_path / "w.pth")
