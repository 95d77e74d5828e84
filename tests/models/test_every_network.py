"""Every registered network keeps the same promises; a new one is tested by being registered."""

import gc

import pytest
import timm
import torch

from cxrlab import checkpoint
from cxrlab.checkpoint import Checkpoint, Selection
from cxrlab.choices.networks import CHOICES, FREE, HIERARCHICAL, TIMM, known, why_not
from cxrlab.errors import BadSpec
from cxrlab.explain import cam
from cxrlab.inputs import InputSpec
from cxrlab.learning.efficiency import count_forward_flops, count_parameters
from cxrlab.models import MODELS, firsts
from cxrlab.models.base import Plan, build, cam_layer, grids
from cxrlab.models.timing import for_timing
from cxrlab.spec import ModelSpec
from cxrlab.spec import build as spec_of

SMALLEST_PX = 28  # of any spec
HEAVY = 22  # million parameters: drawing and writing these once more is left out
CLASSIFIERS = [name for name, model in MODELS.items() if "labels" in model.tasks]
EVERY = [*CLASSIFIERS, *(name for name in MODELS if name not in CLASSIFIERS)]
HUB = [name for name in CLASSIFIERS if CHOICES[name].tag]


def plan(name, px=SMALLEST_PX, labels=2, **more):
    latents = 8 if name == "latent_head" else 0
    own = {"disease": "small_cnn3"} if name == HIERARCHICAL else {}
    model = ModelSpec(name=name, latents_of="x" * bool(latents), latent_units=8, options=own)
    return Plan(model, labels, px, latents, **more)


def image(name, n=2, px=SMALLEST_PX):
    generator = torch.Generator().manual_seed(3)
    return (
        torch.rand(n, 8, generator=generator)
        if name == "latent_head"
        else torch.rand(n, 1, px, px, generator=generator)
    )


def meta(name, px=224, labels=14):
    with torch.device("meta"):
        return build(plan(name, px, labels))


def drawn(name, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(plan(name))


@pytest.fixture(scope="module", params=EVERY)
def name(request):
    """One network after the other, so that each is drawn once."""
    return request.param


@pytest.fixture(scope="module")
def net(name):
    yield drawn(name)
    gc.collect()


@pytest.fixture(scope="module")
def weightless(name):
    """The same at full size with 14 labels, on tensors without storage."""
    return meta(name)


def test_the_list_for_forms_and_the_registry_have_the_same_networks_and_tasks():
    assert set(CHOICES) == set(MODELS)
    for name, choice in CHOICES.items():
        assert MODELS[name].tasks == choice.tasks
        assert MODELS[name].grey == choice.grey
        # What lies behind a gate has weights of its own.
        assert bool(MODELS[name].load) == bool(choice.tag) or MODELS[name].gated


def test_a_network_learns_one_step_at_the_smallest_side_and_says_what_it_promised(name, net):
    net.train()
    x = image(name)
    out = net(x)
    if name == "autoencoder":
        assert out.shape == x.shape
    else:
        assert out.shape == (2, 2)
        assert net.eval()(x).shape == (2, 2)
        net.train()
    out.square().mean().backward()
    gradients = [p.grad for p in net.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(g.abs().max() > 0 for g in gradients)
    net.zero_grad(set_to_none=True)


@pytest.mark.parametrize("name", CLASSIFIERS, indirect=True)
def test_a_classifier_is_its_head_on_what_it_embeds(name, net):
    net.eval()
    with torch.no_grad():
        x = image(name)
        assert torch.equal(net.head(net.embed(x)), net(x))
        assert net.embed(x).ndim == 2


@pytest.mark.parametrize("name", CLASSIFIERS, indirect=True)
@pytest.mark.parametrize("px", [33, 64, 100])
def test_a_classifier_takes_any_side_and_as_many_heads_as_asked(name, px):
    if MODELS[name].gated:
        with pytest.raises(BadSpec, match="one number of each label"):
            build(plan(name, px, n_heads=3, head="three-way"))
        return
    with torch.device("meta"):
        net = build(plan(name, px, n_heads=3, head="three-way")).eval()
        assert net(torch.empty(2, 1, px, px)).shape == (2, 3 * 2 * 3)


def test_stem_blocks_and_head_are_apart_and_together_everything(name, weightless):
    parts = MODELS[name].parts(weightless)
    names = [*parts.backbone, *parts.head]
    assert len(names) == len(set(names))
    for stored in weightless.state_dict():
        inside = [one for one in names if stored == one or stored.startswith(f"{one}.")]
        assert len(inside) == 1, (stored, inside)
        assert parts.is_in(stored, "all")
    own = [stored for stored, _ in weightless.named_parameters()]
    head = [stored for stored in own if parts.is_in(stored, "head")]
    last = [stored for stored in own if parts.is_in(stored, "last-block")]
    assert head
    assert set(head) < set(last)
    assert all(parts.blocks)
    if name != "latent_head":
        assert set(last) < set(own)


@pytest.mark.parametrize("name", CLASSIFIERS, indirect=True)
def test_a_map_is_drawn_from_one_layer_through_which_everything_passes(name, net):
    net.eval()
    names = MODELS[name].cam_layers(net)
    assert names
    layer, grid = cam_layer(net, name, SMALLEST_PX)
    x = image(name)
    with torch.no_grad():
        plain = net(x)
    said, maps = cam.maps_of(net, layer, x)
    assert maps.shape == (2, 2, *grid)
    assert torch.isfinite(maps).all()
    torch.testing.assert_close(said, plain, rtol=1e-4, atol=1e-5)
    # A transformer's patches reach its class token, and a gate speaks, beside this layer too.
    if name == "vit_b16" or MODELS[name].gated:
        return
    # With the layer's output gone nothing of the image is left.
    hook = net.get_submodule(layer).register_forward_hook(lambda _m, _a, out: torch.zeros_like(out))
    with torch.no_grad():
        blind = net(x)
    hook.remove()
    torch.testing.assert_close(blind[0], blind[1])


@pytest.mark.parametrize("name", CLASSIFIERS, indirect=True)
def test_at_full_size_every_map_layer_has_its_places(name, weightless):
    names = MODELS[name].cam_layers(weightless)
    found = grids(weightless, names, 224)
    sides = [found[one][0] for one in names]
    assert sides == sorted(sides)
    assert 7 <= sides[0] <= 56


def test_a_transformers_places_are_where_they_were_in_the_image():
    net = build(plan("vit_b16", 64)).eval()
    layer, grid = cam_layer(net, "vit_b16", 64)
    assert grid == (4, 4)
    with torch.no_grad():
        net.backbone.pos_embed.zero_()
        for block in net.backbone.blocks:  # tokens stay where they are
            block.attn.proj.weight.zero_()
            block.attn.proj.bias.zero_()
    x = torch.zeros(1, 1, 64, 64)
    x[:, :, 16:32, 48:64] = 1.0  # row 1, column 3 of the grid
    seen = []
    hook = net.get_submodule(layer).register_forward_hook(lambda _m, _a, out: seen.append(out))
    with torch.no_grad():
        net(x)
    hook.remove()
    other = (seen[0] - seen[0][:, :, :1, :1]).abs().amax(dim=1)[0] > 1e-4
    assert other.nonzero().tolist() == [[1, 3]]


def test_the_same_seed_makes_the_same_network_and_a_checkpoint_keeps_it(name, net, tmp_path):
    first = {key: value.clone() for key, value in net.state_dict().items()}
    if CHOICES[name].millions > HEAVY:
        assert list(first) == list(meta(name, labels=2).state_dict())
        return
    twin = drawn(name).state_dict()
    # What a step in train mode moved is no weight.
    moved = ("running_mean", "running_var", "num_batches_tracked")
    assert all(torch.equal(value, twin[key]) for key, value in first.items() if not key.endswith(moved))
    task = "normal" if name == "latent_head" else MODELS[name].tasks[0]
    fields = {"kind": "train", "task": task, "view": {"source": ["a"], "image_px": 32, "labels": ["Edema"]}}
    spec = spec_of({**fields, "model": {**plan(name).model.model_dump()}})
    held = Checkpoint(
        spec, InputSpec(SMALLEST_PX, 0.5, 0.25), ("Edema", "Consolidation"), Selection("last", 0.5, 1, 1), (0.0, 0.0), {},
        latents=plan(name).inputs, tensors=first,
    )  # fmt: skip
    checkpoint.write(tmp_path / "c.safetensors", held)
    back = checkpoint.network(checkpoint.read(tmp_path / "c.safetensors"), torch.device("cpu"))
    assert all(torch.equal(value, back.state_dict()[key]) for key, value in first.items())


@pytest.mark.parametrize("name", HUB, indirect=True)
def test_the_list_says_what_timm_says(name, weightless):
    choice, cfg = CHOICES[name], firsts.cfg_of(CHOICES[name].tag)
    assert choice.tag in timm.list_pretrained(f"{choice.tag.partition('.')[0]}.*")
    assert choice.licence == cfg.license
    assert choice.grey == firsts.grey_of(cfg)
    assert choice.licence in choice.sentence
    assert bool(choice.warn) == (choice.licence not in FREE)
    assert count_parameters(weightless) / 1e6 == pytest.approx(choice.millions, abs=0.06)
    assert count_forward_flops(plan(name, 224, 14)) / 1e9 == pytest.approx(choice.gflop, abs=0.06)
    assert weightless.multiple == choice.multiple


@pytest.mark.parametrize("which", ["repvgg_b0", "resnet18"])
def test_what_is_timed_says_the_same_and_is_another_network(which):
    net = drawn(which).eval()
    timed = for_timing(net)
    x = image(which)
    with torch.no_grad():
        torch.testing.assert_close(timed(x), net(x), rtol=1e-3, atol=1e-4)
    assert timed is not net
    assert (count_parameters(timed) < count_parameters(net)) == (which == "repvgg_b0")
    assert not timed.training


def test_the_networks_of_old_runs_draw_the_same_weights_from_the_same_seed():
    for name in ("densenet121", "resnet18"):
        torch.manual_seed(7)
        backbone = timm.create_model(name, in_chans=1, num_classes=0, global_pool="avg")
        head = torch.nn.Sequential(torch.nn.Dropout(0.2), torch.nn.Linear(backbone.num_features, 2))
        before = {f"backbone.{k}": v for k, v in backbone.state_dict().items()}
        before |= {f"head.{k}": v for k, v in head.state_dict().items()}
        torch.manual_seed(7)
        now = build(plan(name)).state_dict()
        assert list(now) == list(before)
        assert all(torch.equal(now[key], value) for key, value in before.items())
        x = torch.rand(2, 1, 64, 64)
        net = build(plan(name)).eval()
        net.load_state_dict(before)
        assert torch.equal(net(x), head.eval()(backbone.eval()(x)))


def test_a_form_is_told_what_cannot_be_before_anything_is_built():
    def said(task="labels", **fields):
        return why_not(ModelSpec(**fields), task)

    assert said() == ""
    assert said(name="timm:resnet34") == ""
    assert "no network named 'densenet12'" in said(name="densenet12")
    assert "does not do the task 'autoencoder'" in said("autoencoder", name="resnet18")
    assert "the task 'autoencoder' does not" in said("autoencoder", name="timm:resnet34")
    assert "takes no first weights" in said(name="small_cnn", weights="hub")
    assert "cc-by-nc-4.0" in said(name="convnextv2_tiny", weights="hub")
    assert said(name="convnextv2_tiny", weights="hub", allow_noncommercial=True) == ""
    assert said(name="convnextv2_tiny") == ""
    assert known("resnet18")
    assert known("timm:x")
    assert not known(TIMM)
