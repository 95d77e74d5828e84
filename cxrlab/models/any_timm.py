"""Any other network of timm: `timm:NAME` or `timm:NAME.TAG`.

In:    a name that timm knows.
Out:   a network plug-in, tried out without memory: which sides it takes, where its maps are.
Never: a network that cannot take a grey image of the size asked.
"""

import functools
import inspect
from dataclasses import replace
from functools import partial

import timm
import torch
from torch import nn

from cxrlab.choices.networks import CLASSIFIES, TIMM
from cxrlab.errors import BadSpec, UnknownName
from cxrlab.models import firsts, places
from cxrlab.models.backbones import MultiLabelNet, Shape, map_layers, stretched_px
from cxrlab.models.base import MODELS, Model, Plan, grids

# Sides that a network which refuses the one asked is tried at, to name the smallest.
SIDES = (32, 64, 96, 112, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)
MULTIPLES = (1, 4, 8, 16, 14, 32, 64)
# What timm's builders raise for an argument or a side that does not suit them.
REFUSALS = (
    RuntimeError,
    ValueError,
    TypeError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NotImplementedError,
)


def model(name: str) -> Model:
    """Return the plug-in `timm:NAME[.TAG]`.

    Raises:
        UnknownName: timm has no such network, or no such tag of it.
    """
    tag = name.removeprefix(TIMM)
    if not timm.is_model(tag):
        near = timm.list_models(f"*{tag.partition('.')[0]}*")[:5]
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise UnknownName(
            f"timm {timm.__version__} has no network named {tag!r}{hint}. Take one of timm.list_models()."
        )
    network = tag.partition(".")[0]
    try:
        firsts.cfg_of(tag)
    except RuntimeError as error:  # timm's for a tag that it does not know
        known = ", ".join(timm.list_pretrained(f"{network}.*")[:8]) or "none"
        raise UnknownName(f"timm {timm.__version__} has no weights {tag!r}. Known: {known}.") from error

    def build(plan: Plan) -> nn.Module:
        shape = shape_at(tag, plan.image_px)
        return MultiLabelNet(tag, plan.width, plan.image_px, shape, plan.model.colours)

    why = why_no_map(tag)
    return Model(
        name=name,
        tasks=CLASSIFIES,
        build=build,
        cam_layers=(lambda _: ()) if why else map_layers,
        why_no_map=why,
        load=partial(firsts.load, tag=tag),
        grey=firsts.grey_of(firsts.cfg_of(tag)),
    )


@functools.lru_cache(maxsize=256)
def shape_at(tag: str, image_px: int) -> Shape:
    """Return how to build the network for an image side, the side stretched as little as it takes.

    Raises:
        BadSpec: it does not take this side, or no grey image; names the smallest side that it takes.
    """
    if (found := _fitting(tag, image_px)) is not None:
        return found
    smallest = next((px for px in SIDES if _fitting(tag, px) is not None), 0)
    if smallest:
        raise BadSpec(
            f"the network {TIMM + tag!r} does not take images of {image_px} px; the smallest side that it takes is "
            f"{smallest} px. Set the image side to that, or choose another network."
        )
    raise BadSpec(
        f"the network {TIMM + tag!r} takes no single grey image of {SIDES[0]} to {SIDES[-1]} px; choose another network."
    )


@functools.lru_cache(maxsize=1024)
def _fitting(tag: str, image_px: int) -> Shape | None:
    shape = Shape(pooled=_takes_average(tag))
    if _is_sized(tag):
        shape = replace(shape, sized=True)
    patch = _patch_px(tag)
    # An image is stretched by a quarter at most: more would be another image.
    sides = [m for m in MULTIPLES if m % patch == 0 or m == 1 == patch] or [patch]
    for multiple in sides:
        if stretched_px(image_px, multiple) > max(32, 1.25 * image_px):
            continue
        if _runs(tag, image_px, replace(shape, multiple=multiple)):
            return replace(shape, multiple=multiple)
    return None


def _runs(tag: str, image_px: int, shape: Shape) -> bool:
    """Whether the network, built so, gives one row of numbers an image; tried on tensors without storage."""
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]), torch.no_grad():
            out = MultiLabelNet(tag, 3, image_px, shape).eval()(torch.empty(2, 1, image_px, image_px))
    except REFUSALS:
        return False
    return out.shape == (2, 3)


@functools.cache
def _bare(tag: str) -> nn.Module:
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return timm.create_model(tag, in_chans=1, num_classes=0)


def _is_sized(tag: str) -> bool:
    return (
        bool(firsts.cfg_of(tag).fixed_input_size)
        and "img_size" in inspect.signature(type(_bare(tag))).parameters
    )


def _takes_average(tag: str) -> bool:
    """Convolutional networks are pooled by the average; a transformer that was trained on its class token keeps it."""
    return not hasattr(_bare(tag), "num_prefix_tokens")


def _patch_px(tag: str) -> int:
    patch = getattr(getattr(_bare(tag), "patch_embed", None), "patch_size", 1)
    return int(patch[0] if isinstance(patch, tuple | list) else patch or 1)


@functools.cache
def why_no_map(tag: str) -> str:
    """Return why no maps can be read from the network; "" when they can."""
    bare = _bare(tag)
    if hasattr(bare, "num_prefix_tokens"):
        return places.why_no_grid(bare) or _why_no_tokens(tag)
    if getattr(bare, "output_fmt", "NCHW") != "NCHW" or not getattr(bare, "feature_info", None):
        return "its layers do not keep an image's places and channels in the order that maps are read in."
    px = int(firsts.cfg_of(tag).input_size[-1])
    return "" if _maps_are_places(bare, px) else "the layers that timm names in it give no maps of places."


def _why_no_tokens(tag: str) -> str:
    """Return why the last norm's tokens are not the image's patches after the prefix; "" when they are (tried out)."""
    px = int(firsts.cfg_of(tag).input_size[-1])
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            net = MultiLabelNet(tag, 3, px, shape_at(tag, px))
        found = grids(net, map_layers(net), px)
    except (*REFUSALS, BadSpec):
        return "the tokens of its last layer are not the image's places."
    return "" if found else "its last layer is not passed on the way to the answer."


def _maps_are_places(bare: nn.Module, px: int) -> bool:
    seen: dict[str, tuple[int, ...]] = {}
    named = {info["module"]: info["num_chs"] for info in bare.feature_info if info["module"]}

    def note(name: str, out: object) -> None:
        seen[name] = tuple(out.shape) if isinstance(out, torch.Tensor) else ()

    try:
        hooks = [
            bare.get_submodule(name).register_forward_hook(lambda _m, _a, out, name=name: note(name, out))
            for name in named
        ]
        with torch.no_grad():
            bare.eval()(torch.empty(1, 1, px, px, device="meta"))
        for hook in hooks:
            hook.remove()
    except REFUSALS:
        return False
    return bool(named) and all(
        len(seen.get(name, ())) == 4 and seen[name][1] == channels for name, channels in named.items()
    )


MODELS.families[TIMM] = model
