"""First weights: whole or not at all, counted, grey as their colours were, under a licence that is said."""

import contextlib

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from cxrlab import checkpoint
from cxrlab.checkpoint import Checkpoint, Selection
from cxrlab.choices.networks import CHOICES
from cxrlab.errors import BadInput, BadSpec, MissingInput
from cxrlab.inputs import InputSpec
from cxrlab.models import firsts, weightfile
from cxrlab.models.base import Loaded, Plan, build, load_first_weights
from cxrlab.paths import Lab
from cxrlab.spec import ModelSpec
from cxrlab.spec import build as spec_of

HUB = [name for name, choice in CHOICES.items() if choice.tag]
SOME = [
    "densenet121",
    "tresnet_m",
    "repvgg_b0",
    "convnext_small",
    "mobilenetv3_large",
    "vit_b16",
    "dpn68b",
    "xception",
]


def plan(name, px=32, labels=3, **model):
    return Plan(ModelSpec(name=name, **model), labels, px)


def load(name, path, px=32, shelf=None, **model):
    wanted = plan(name, px, weights=str(path), **model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = build(wanted).eval()
    return net, load_first_weights(net, wanted.model, shelf)


def colour_net(name, classes=10, px=None):
    """A network of timm for colour images with a head of its own, as published weights are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = timm.create_model(
            CHOICES[name].tag, num_classes=classes, **({"img_size": px} if px else {})
        ).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return net


def resnet_file(path, **more):
    tensors = {**colour_net("resnet18").state_dict(), **more}
    tensors = {name: t.contiguous() for name, t in tensors.items() if t is not None}
    (save_file if path.suffix == ".safetensors" else torch.save)(tensors, path)
    return tensors


@pytest.mark.parametrize("name", SOME)
def test_a_grey_image_gives_what_its_three_equal_channels_gave(name, tmp_path):
    theirs = colour_net(name)
    px = 224 if name == "vit_b16" else 64
    save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, tmp_path / "w.safetensors")
    net, loaded = load(name, tmp_path / "w.safetensors", px)
    assert loaded.missing == 0
    assert loaded.unexpected > 0  # their head
    mean, std = CHOICES[name].grey
    grey = (torch.rand(2, 1, px, px) - mean) / std
    with torch.no_grad():
        expected = theirs.forward_head(theirs.forward_features(grey.repeat(1, 3, 1, 1)), pre_logits=True)
        found = net.embed(grey)
    scale = float(expected.abs().max())
    assert float((found - expected).abs().max()) <= 6e-6 * max(1.0, scale)


def test_an_averaged_kernel_gives_a_third(tmp_path):
    given = resnet_file(tmp_path / "w.safetensors")["conv1.weight"]
    net, _ = load("resnet18_grey", tmp_path / "w.safetensors")
    torch.testing.assert_close(net.backbone.conv1.weight, given.mean(dim=1, keepdim=True))
    net, _ = load("resnet18", tmp_path / "w.safetensors")
    torch.testing.assert_close(net.backbone.conv1.weight, given.sum(dim=1, keepdim=True))


def test_grey_weights_are_taken_as_they_are(tmp_path):
    grey = torch.rand(64, 1, 7, 7)
    resnet_file(tmp_path / "w.safetensors", **{"conv1.weight": grey})
    net, _ = load("resnet18", tmp_path / "w.safetensors")
    assert torch.equal(net.backbone.conv1.weight, grey)


def test_local_weights_load_whole_and_are_counted(tmp_path):
    given = resnet_file(tmp_path / "w.safetensors")
    net, loaded = load("resnet18", tmp_path / "w.safetensors")
    assert (loaded.source, loaded.loaded, loaded.missing, loaded.unexpected) == (
        "w.safetensors",
        len(given) - 2,
        0,
        2,
    )
    assert len(loaded.digest) == 64
    assert torch.equal(net.backbone.layer4[1].conv2.weight, given["layer4.1.conv2.weight"])
    said = str(loaded)
    assert "120 tensors loaded, 0 missing, 2 unexpected" in said
    assert "no licence stated" in said


def test_weights_that_do_not_load_whole_are_refused_and_nothing_is_filled(tmp_path):
    resnet_file(tmp_path / "w.safetensors", **{"layer3.0.conv1.weight": None})
    wanted = plan("resnet18", weights=str(tmp_path / "w.safetensors"))
    net = build(wanted)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(BadInput, match=r"1 missing, the first is 'layer3.0.conv1.weight'; 2 unexpected"):
        load_first_weights(net, wanted.model)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_tensor_of_another_shape_is_missing(tmp_path):
    resnet_file(tmp_path / "w.safetensors", **{"layer3.0.conv1.weight": torch.rand(2, 2)})
    with pytest.raises(BadInput, match=r"1 missing, the first is 'layer3.0.conv1.weight'"):
        load("resnet18", tmp_path / "w.safetensors")


def test_weights_of_another_network_are_refused(tmp_path):
    resnet_file(tmp_path / "w.safetensors")
    for name in ("densenet121", "convnext_small", "vit_b16", "resnet50"):
        with pytest.raises(BadInput, match="Use weights of the same network, or 'none'"):
            load(name, tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("name", "larger", "first"),
    [
        ("resnet50", "resnet101", "layer3.6.conv1.weight"),
        ("resnet18", "resnet34", "layer1.2.conv1.weight"),
        ("timm:convnext_tiny", "convnext_small", "stages.2.blocks.9.conv_dw.weight"),
        ("resnet50", "seresnet50", "layer1.0.se.fc1.weight"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
def test_a_larger_network_is_not_cut_short(tmp_path, name, larger, first, prefix):
    """It has every tensor of the smaller one, by name and shape."""
    with torch.device("meta"):
        theirs = timm.create_model(larger).state_dict()
    torch.save({prefix + key: torch.zeros(t.shape) for key, t in theirs.items()}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=rf"{first}.*it is of a larger one.*Use weights of the same network"):
        load(name, tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resnet18", "layer5.0.conv1.weight"),  # a stage more
        ("densenet121", "features.denseblock5.denselayer1.conv1.weight"),
        ("vit_b16", "blocks.12.attn.qkv.weight"),
        ("vit_b16", "dist_token"),  # DeiT's, distilled: it answers from two tokens
        ("xception", "block13.rep.1.conv1.weight"),
    ],
)
def test_one_layer_more_inside_the_backbone_is_one_too_many(tmp_path, name, key):
    tensors = {f"net.{k}": v for k, v in colour_net(name).state_dict().items()}
    torch.save(tensors | {f"net.{key}": torch.ones(1, 1, 768)}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=rf"holds 1 layer more than the network has \({key}\)"):
        load(name, tmp_path / "w.pth", 224 if name == "vit_b16" else 32)


def test_what_trainings_add_beside_the_backbone_is_no_larger_network(tmp_path):
    """Heads of any name and depth, projections, decoders, losses, counters: everything but the stages' own layers."""
    beside = [
        "fc.0.weight", "fc.2.weight", "head.weight", "heads.0.1.weight", "classifier.1.weight", "last_linear.weight",
        "readout.weight", "projector.0.weight", "predictor.3.weight", "decoder.blocks.0.conv1.weight", "attention.0.weight",
        "fc2.0.weight", "bn2.weight", "layer_norm.0.weight", "queue", "mask_token", "criterion.weight", "ema.decay",
        "fpn.layer_blocks.0.0.weight",
    ]  # fmt: skip
    for prefix in ("", "module.", "module.encoder_q."):
        tensors = {prefix + k: v for k, v in colour_net("resnet18").state_dict().items()}
        more = {prefix + key: torch.ones(3, 3) for key in beside if key != "fc.weight"}
        torch.save(tensors | more | {"queue_ptr": torch.zeros(1)}, tmp_path / "w.pth")
        _, loaded = load("resnet18", tmp_path / "w.pth")
        assert (loaded.missing, loaded.unexpected) == (0, 2 + len(more) + 1)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    resnet_file(tmp_path / "w.safetensors", **{"bn1.weight": torch.full((64,), torch.nan)})
    with pytest.raises(BadInput, match=r"'bn1\.weight' holds numbers that are not finite"):
        load("resnet18", tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "module.backbone.", "module.densenet121.", "net.features_of."]
)
def test_a_training_s_prefix_is_found_whatever_it_is(tmp_path, prefix):
    given = colour_net("densenet121").state_dict()
    named = {prefix + name: value for name, value in given.items()} | {"loss.pos_weight": torch.ones(14)}
    torch.save({"epoch": 3, "state_dict": named, "best": 0.8}, tmp_path / "w.pth")
    net, loaded = load("densenet121", tmp_path / "w.pth")
    assert loaded.missing == 0
    assert loaded.unexpected == 3  # classifier's two, the loss's one
    last = "features.denseblock4.denselayer16.conv2.weight"
    assert torch.equal(net.backbone.state_dict()[last], given[last])


def test_torchvision_s_old_densenet_names_are_read(tmp_path):
    given = colour_net("densenet121").state_dict()
    old = {}
    for name, value in given.items():
        for kind in ("norm", "conv"):
            for k in "12":
                name = name.replace(f".{kind}{k}.", f".{kind}.{k}.") if "denselayer" in name else name
        old[f"module.densenet121.{name}"] = value
    assert "module.densenet121.features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "chexnet.pth.tar")
    net, loaded = load("densenet121", tmp_path / "chexnet.pth.tar")
    assert loaded.missing == 0
    assert torch.equal(
        net.backbone.state_dict()["features.denseblock1.denselayer1.norm1.weight"],
        given["features.denseblock1.denselayer1.norm1.weight"],
    )


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("resnet18", "resnet18"), ("densenet121", "densenet121"), ("resnext101", "resnext101_32x8d")],
)
def test_torchvision_s_state_dict_fits(tmp_path, name, theirs):
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        given = getattr(torchvision.models, theirs)()
    given = {k: torch.zeros(v.shape, dtype=v.dtype) for k, v in given.state_dict().items()}
    torch.save(given, tmp_path / "w.pth")
    _, loaded = load(name, tmp_path / "w.pth")
    assert (loaded.missing, loaded.unexpected) == (0, 2)


def test_its_authors_names_of_convnext_are_read(tmp_path):
    given = colour_net("convnext_small").state_dict()
    fb = {}
    for name, value in given.items():
        name = (
            name.replace("stem.", "downsample_layers.0.")
            .replace("stages.", "stages.")
            .replace("head.fc", "head")
        )
        name = name.replace("head.norm", "norm").replace(".blocks.", ".").replace(".conv_dw.", ".dwconv.")
        name = name.replace(".mlp.fc1.", ".pwconv1.").replace(".mlp.fc2.", ".pwconv2.")
        parts = name.split(".")
        if len(parts) > 2 and parts[2] == "downsample":
            name = ".".join(["downsample_layers", parts[1], *parts[3:]])
        fb[name] = value
    torch.save({"model": fb}, tmp_path / "w.pth")
    net, loaded = load("convnext_small", tmp_path / "w.pth")
    assert loaded.missing == 0
    last = "stages.3.blocks.2.mlp.fc2.weight"
    assert torch.equal(net.backbone.state_dict()[last], given[last])


def test_two_networks_in_one_file_are_not_guessed_between(tmp_path):
    given = colour_net("resnet18").state_dict()
    both = {f"{who}.{name}": value for who in ("student", "teacher") for name, value in given.items()}
    torch.save(both, tmp_path / "w.pth")
    with pytest.raises(BadInput, match=r"holds 2 networks that fit, under 'student.', 'teacher.'"):
        load("resnet18", tmp_path / "w.pth")


def test_position_embeddings_are_resampled_to_the_image_side(tmp_path):
    theirs = colour_net("vit_b16")
    with torch.no_grad():  # a slope from left to right
        theirs.pos_embed[0, 1:] = torch.linspace(0, 1, 14).repeat(14)[:, None]
    save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, tmp_path / "w.safetensors")
    net, loaded = load("vit_b16", tmp_path / "w.safetensors", px=64)
    assert loaded.missing == 0
    grid = net.backbone.pos_embed[0, 1:, 0].reshape(4, 4).detach()
    assert torch.allclose(grid, grid[:1].expand(4, 4), atol=1e-5)
    assert (grid[0].diff() > 0.1).all()
    assert torch.equal(net.backbone.pos_embed[:, :1], theirs.pos_embed[:, :1])


# Files ---------------------------------------------------------------------------------------------------------------


def test_a_missing_or_broken_weights_file_is_one_sentence(tmp_path):
    with pytest.raises(MissingInput, match=r"give 'none', 'hub' or the path"):
        load("resnet18", tmp_path / "none.safetensors")
    whole = tmp_path / "whole.pth"
    resnet_file(whole)
    bad = tmp_path / "w.pth"
    for content in (
        b"",
        b"PK",
        b"\x80\x02}",
        b"not weights",
        whole.read_bytes()[:-1000],
        whole.read_bytes()[:300],
    ):
        bad.write_bytes(content)
        with pytest.raises(BadInput, match=r"not a readable|damaged"):
            load("resnet18", bad)


def test_a_file_with_flipped_bytes_is_a_sentence_or_whole(tmp_path):
    whole = tmp_path / "whole.pth"
    torch.save({"state_dict": {"conv1.weight": torch.rand(4, 3, 3, 3)}, "epoch": 1}, whole)
    content, rng = whole.read_bytes(), np.random.default_rng(0)
    bad = tmp_path / "w.pth"
    for _ in range(150):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 3):
            damaged[at] = int(rng.integers(256))
        bad.write_bytes(bytes(damaged))
        with contextlib.suppress(BadInput):
            assert weightfile.read(bad).tensors


def test_a_file_cannot_run_code(tmp_path):
    class Runs:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"state_dict": colour_net("resnet18").state_dict(), "x": Runs()}, tmp_path / "w.pth")
    with pytest.raises(
        BadInput,
        match=r"holds more than tensors: the Python object print, .*torch.save\(network.state_dict\(\), path\)",
    ):
        load("resnet18", tmp_path / "w.pth")


def test_a_tensor_that_claims_more_than_it_holds_is_refused(tmp_path):
    huge = torch.zeros(1).expand(1, 10**9, 768)
    torch.save({"pos_embed": huge}, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="'pos_embed' is not stored whole"):
        load("vit_b16", tmp_path / "w.pth")


def test_a_file_without_names_is_refused(tmp_path):
    for value in ([torch.rand(2)], torch.rand(3), {"a": 1}, {3: torch.rand(1)}):
        torch.save(value, tmp_path / "w.pth")
        with pytest.raises(BadInput, match="holds no tensors by name"):
            load("resnet18", tmp_path / "w.pth")


# Hub and licences ----------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch):
    def no_network(*_args, **_named):
        raise LocalEntryNotFoundError("[Errno 101] Network is unreachable")

    monkeypatch.setattr(firsts, "hf_hub_download", no_network)
    monkeypatch.setattr(firsts, "download_cached_file", no_network)


@pytest.mark.parametrize(
    ("name", "file"),
    [("resnet18", "resnet18.tv_in1k.safetensors"), ("xception", "legacy_xception.tf_in1k.pth")],
)
def test_without_a_network_the_sentence_names_the_file_and_where_to_put_it(offline, tmp_path, name, file):
    lab = Lab(tmp_path)
    with pytest.raises(
        MissingInput, match=r"Network is unreachable.*fetch https://.*put it at .*weights 'none'"
    ) as caught:
        load(name, "hub", shelf=lab.hub_weights)
    assert str(lab.hub_weights(file)) in str(caught.value)
    # Done as told, it works.
    lab.hub_weights(file).parent.mkdir()
    tensors = {k: v.contiguous() for k, v in colour_net(name).state_dict().items()}
    (save_file if file.endswith("s") else torch.save)(tensors, lab.hub_weights(file))
    _, loaded = load(name, "hub", shelf=lab.hub_weights)
    assert loaded.source == file
    assert loaded.licence == CHOICES[name].licence
    assert (loaded.mean, loaded.std) == CHOICES[name].grey


def test_unfree_weights_are_refused_unless_allowed_and_then_named(offline, tmp_path):
    with pytest.raises(BadSpec, match=r"under cc-by-nc-4.0.*set model.allow_noncommercial"):
        load("convnextv2_tiny", "hub")
    with pytest.raises(MissingInput):  # past the licence
        load("convnextv2_tiny", "hub", allow_noncommercial=True)


def test_no_other_file_name_makes_unfree_weights_free(tmp_path):
    save_file(
        {k: v.contiguous() for k, v in colour_net("convnextv2_tiny").state_dict().items()},
        tmp_path / "mine.safetensors",
    )
    with pytest.raises(BadSpec, match=r"cc-by-nc-4\.0"):
        load("convnextv2_tiny", tmp_path / "mine.safetensors")
    _, loaded = load("convnextv2_tiny", tmp_path / "mine.safetensors", allow_noncommercial=True)
    assert loaded.licence == "cc-by-nc-4.0"


def our_checkpoint(path, licence, values="fixed"):
    net = build(plan("resnet18"))
    spec = spec_of({"kind": "train", "task": "labels", "view": {"source": ["a"], "labels": ["Edema"]}})
    checkpoint.write(
        path,
        Checkpoint(
            spec, InputSpec(32, 0.3, 0.2, values=values), ("Edema",), Selection("last", 0.5, 1, 1), (0.0,), {},
            weights=Loaded("x", licence=licence), tensors=net.state_dict(),
        ),
    )  # fmt: skip
    return net


def test_one_of_our_checkpoints_brings_its_licence_and_its_input(tmp_path):
    path = tmp_path / "c.safetensors"
    theirs = our_checkpoint(path, "apache-2.0")
    net, loaded = load("resnet18", path)
    assert torch.equal(net.backbone.layer1[0].conv1.weight, theirs.backbone.layer1[0].conv1.weight)
    assert not torch.equal(net.head[1].weight, theirs.head[1].weight)  # another task's
    assert (loaded.licence, loaded.mean, loaded.std) == ("apache-2.0", 0.3, 0.2)
    our_checkpoint(path, "cc-by-nc-4.0", values="minmax")
    with pytest.raises(BadSpec, match=r"cc-by-nc-4\.0"):
        load("resnet18", path)
    _, loaded = load("resnet18", path, allow_noncommercial=True)
    assert (loaded.mean, loaded.std) == (None, None)


def test_where_weights_came_from_stays_in_the_checkpoint(tmp_path):
    resnet_file(tmp_path / "w.safetensors")
    _, loaded = load("resnet18", tmp_path / "w.safetensors")
    spec = spec_of({"kind": "train", "task": "labels", "view": {"source": ["a"], "labels": ["Edema"]}})
    made = Checkpoint(
        spec, InputSpec(32, 0.3, 0.2), ("Edema",), Selection("last", 0.5, 1, 1), (0.0,), {}, weights=loaded
    )
    checkpoint.write(tmp_path / "c.safetensors", made)
    assert checkpoint.read(tmp_path / "c.safetensors").weights == loaded


@pytest.mark.parametrize("name", HUB)
def test_every_pinned_tag_says_where_its_file_is(offline, name):
    with pytest.raises(MissingInput, match=r"fetch https://\S+ .*weights 'none'") as caught:
        load_first_weights(torch.nn.Module(), ModelSpec(name=name, weights="hub", allow_noncommercial=True))
    assert CHOICES[name].tag in str(caught.value)
