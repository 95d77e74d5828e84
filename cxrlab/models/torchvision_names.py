"""Torchvision's names of a network's tensors → timm's, where the two name the same network differently.

In:    a timm backbone, tensors by the names that somebody else gave them.
Out:   the same tensors by timm's names, which say there what they said in torchvision's network.
Never: a guess: a family is known by its keys, and a network that computes otherwise with the same weights is refused.

DenseNets, ResNets and ResNeXts have the same names in both. Heads keep the file's names: they are found by their shape.
Source: torchvision.models 0.29 and timm 1.0.31, each family below compared by the logits of random networks.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from cxrlab.errors import BadInput

Tensors = dict[str, torch.Tensor]
Lines = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]


@dataclass(frozen=True)
class Family:
    """How torchvision builds one family of networks.

    mark: a key that every network of it has, and none of another family.
    rename: (the file's tensors, the backbone's names) → the file's names by timm's.
    activations: the classes of those that it computes with.
    eps: what its norms add to a variance, found from the file's tensors.
    hint: where to find what timm has under another name.
    """

    title: str
    mark: str
    rename: Callable[[Tensors, list[str]], dict[str, str]]
    activations: frozenset[str]
    eps: Callable[[Tensors], float]
    hint: str = ""


def translated(backbone: nn.Module, given: Tensors) -> tuple[Tensors, Family | None]:
    """Return `given` with the names and shapes that timm has, and the family; unchanged where it is in no such layout.

    A norm with another eps than torchvision's has it made good in the variance: of running_var + eps only the sum counts.
    That is exact for a network that is evaluated; a training that goes on from it estimates its variances anew.

    Args:
        backbone: timm's.
        given: any names, torchvision's behind any prefix.
    """
    own = backbone.state_dict()
    for family in FAMILIES:
        marks = [name for name in given if name == family.mark or name.endswith(f".{family.mark}")]
        if not marks or family.mark in own:
            continue
        renamed = dict(given)
        for prefix in (name.removesuffix(family.mark) for name in marks):
            inside = {name.removeprefix(prefix): t for name, t in given.items() if name.startswith(prefix)}
            eps = family.eps(inside)
            for name, now in family.rename(inside, list(own)).items():
                renamed.pop(prefix + name, None)
                renamed[prefix + now] = _as_in(backbone, own, now, inside[name], eps)
        return renamed, family
    return given, None


def check_same(backbone: nn.Module, family: Family, given: Tensors, source: str) -> None:
    """Raise BadInput where the backbone, filled whole, would not say what torchvision's network said.

    Equal names and shapes do not make equal networks: paddings, activations and the eps of a layer norm have neither.

    Args:
        backbone: timm's.
        family: of the file.
        given: the file's, translated.
        source: named in sentences.
    """
    tag = (getattr(backbone, "pretrained_cfg", None) or {}).get("architecture", "")
    modules = list(backbone.modules())
    others = {type(m).__name__ for m in modules if _is_activation(m)} - family.activations
    norms = {m.eps for m in modules if isinstance(m, nn.LayerNorm)} - {family.eps({})}
    # Ports from TensorFlow pad more on the right and below.
    if any(isinstance(m, Conv2dSame) for m in modules):
        even = tag.removeprefix("tf_")
        there = f"name timm:{even}." if even != tag and timm.is_model(even) else "use its own weights."
        why = f"pads its convolutions unevenly, torchvision's evenly; {there}"
    elif others:
        why = f"computes with {', '.join(sorted(others))}; use its own weights, or the network that the file is of."
    elif norms:
        why = f"adds {min(norms):g} to the variances of its layer norms, not {family.eps({}):g}; use its own weights."
    elif not _windows_fit(backbone, given):
        why = "divides images of this side into other windows; use the side that the file was trained at, 224 px as a rule."
    else:
        return
    raise BadInput(
        f"{source} is of torchvision's {family.title}: the network {tag!r} has its shapes and answers otherwise, since it {why}"
    )


def _windows_fit(backbone: nn.Module, given: Tensors) -> bool:
    """Whether Swin's windows divide all its maps: where they do not, timm makes them smaller or pads in another order."""
    rows = {len(value) for name, value in given.items() if name.endswith("bias_table") and value.ndim}
    grid = getattr(getattr(backbone, "patch_embed", None), "grid_size", (0, 0))
    # A table has a row for each offset between two places of a window: (2 w - 1)².
    sides = {max(1, (math.isqrt(n) + 1) // 2) for n in rows}
    stages = range(len(getattr(backbone, "layers", ())))
    return all(cells % (w * 2**stage) == 0 for w in sides for stage in stages for cells in grid)


def _is_activation(module: nn.Module) -> bool:
    kind = type(module)
    # A softmax is attention's own, in whatever way the attention is written.
    return "activation" in kind.__module__ and not isinstance(module, nn.Softmax | nn.MultiheadAttention)


def _as_in(backbone: nn.Module, own: Tensors, name: str, value: torch.Tensor, eps: float) -> torch.Tensor:
    mine = own.get(name)
    if mine is None:
        return value
    # A scale kept as (C, 1, 1), a linear layer that timm has as a convolution of one pixel.
    if value.shape != mine.shape and value.squeeze().shape == mine.squeeze().shape:
        value = value.reshape(mine.shape)
    if name.endswith(".running_var"):
        norm = backbone.get_submodule(name.removesuffix(".running_var"))
        if norm.eps != eps:
            value = (value.double() + eps - norm.eps).float()
    return value


# Tables: where a name begins, then each line on what follows -----------------------------------------------------


@dataclass(frozen=True)
class _Table:
    starts: Lines  # the first that fits; a name that none fits stays: a head's
    rests: Lines

    def __call__(self, tensors: Tensors, _own: list[str]) -> dict[str, str]:
        names = {}
        for name in tensors:
            start = next((line for line in self.starts if re.match(line[0], name)), None)
            if start:
                names[name] = re.sub(*start, name, count=1)
                for line in self.rests:
                    names[name] = re.sub(*line, names[name])
        return names


_CONVNEXT = _Table(
    (
        (r"^features\.0\.", "stem."),
        *((rf"^features\.{2 * s}\.", f"stages.{s}.downsample.") for s in (1, 2, 3)),
        *((rf"^features\.{2 * s + 1}\.", f"stages.{s}.blocks.") for s in (0, 1, 2, 3)),
        (r"^classifier\.0\.", "head.norm."),
    ),
    (
        (r"\.block\.0\.", ".conv_dw."),
        (r"\.block\.2\.", ".norm."),
        (r"\.block\.3\.", ".mlp.fc1."),
        (r"\.block\.5\.", ".mlp.fc2."),
        (r"\.layer_scale$", ".gamma"),
    ),
)
_REGNET = _Table(
    (
        (r"^stem\.0\.", "stem.conv."),
        (r"^stem\.1\.", "stem.bn."),
        (
            r"^trunk_output\.block\d\.block(\d)-(\d{1,3})\.",
            lambda found: f"s{found[1]}.b{int(found[2]) + 1}.",
        ),
    ),
    (
        (r"\.proj\.0\.", ".downsample.conv."),
        (r"\.proj\.1\.", ".downsample.bn."),
        (r"\.f\.se\.", ".se."),
        *((rf"\.f\.{letter}\.0\.", f".conv{n}.conv.") for n, letter in enumerate("abc", 1)),
        *((rf"\.f\.{letter}\.1\.", f".conv{n}.bn.") for n, letter in enumerate("abc", 1)),
    ),
)
_VIT = _Table(
    (
        (r"^class_token$", "cls_token"),
        (r"^encoder\.pos_embedding$", "pos_embed"),
        (r"^conv_proj\.", "patch_embed.proj."),
        (r"^encoder\.ln\.", "norm."),
        (r"^encoder\.layers\.encoder_layer_(\d+)\.", r"blocks.\1."),
    ),
    (
        (r"\.ln_([12])\.", r".norm\1."),
        (r"\.self_attention\.in_proj_", ".attn.qkv."),  # queries, keys, values one below another, in both
        (r"\.self_attention\.out_proj\.", ".attn.proj."),
        (r"\.mlp\.(0|linear_1)\.", ".mlp.fc1."),  # linear_1, linear_2: in files of 2022
        (r"\.mlp\.(3|linear_2)\.", ".mlp.fc2."),
    ),
)
_SWIN = _Table(
    (
        (r"^features\.0\.0\.", "patch_embed.proj."),
        (r"^features\.0\.2\.", "patch_embed.norm."),
        *((rf"^features\.{2 * s}\.", f"layers.{s}.downsample.") for s in (1, 2, 3)),
        *((rf"^features\.{2 * s + 1}\.", f"layers.{s}.blocks.") for s in (0, 1, 2, 3)),
    ),
    (
        (r"\.mlp\.0\.", ".mlp.fc1."),
        (r"\.mlp\.3\.", ".mlp.fc2."),
    ),
)


# Inverted residuals: which convolution is which depends on what else the block has -------------------------------

_CONVS = {
    (1, False): ("conv",),
    (2, True): ("conv_dw", "conv_pw"),  # nothing to expand
    (2, False): ("conv_exp", "conv_pwl"),  # expansion and depthwise convolution fused into one
    (3, False): ("conv_pw", "conv_dw", "conv_pwl"),
}


def _of_block(tensors: Tensors, block: str) -> dict[str, str]:
    """Return what the names inside a block begin with → what timm's do; {} for one that is none."""
    steps = sorted(
        {int(found[1]) for name in tensors if (found := re.match(rf"{re.escape(block)}(\d{{1,3}})\.", name))}
    )
    convs = [k for k in steps if f"{block}{k}.0.weight" in tensors]
    first = tensors[f"{block}{convs[0]}.0.weight"] if convs else torch.empty(0)
    is_deep = first.ndim == 4 and first.shape[1] == 1 and len(convs) == 2
    starts = {}
    for n, (k, conv) in enumerate(zip(convs, _CONVS.get((len(convs), is_deep), ()), strict=False), 1):
        starts |= {f"{block}{k}.0.": f"{conv}.", f"{block}{k}.1.": f"bn{n}."}
    for k in (k for k in steps if k not in convs):
        starts |= {f"{block}{k}.fc1.": "se.conv_reduce.", f"{block}{k}.fc2.": "se.conv_expand."}
    return starts


def _renamed(tensors: Tensors, starts: dict[str, str]) -> dict[str, str]:
    ordered = sorted(starts, key=len, reverse=True)
    found = {name: next((s for s in ordered if name.startswith(s)), "") for name in tensors}
    return {name: starts[start] + name.removeprefix(start) for name, start in found.items() if start}


def _blocks(tensors: Tensors, pattern: str) -> list[re.Match[str]]:
    """Return a match a block, in their order; its groups are numbers."""
    found = {match[0]: match for name in tensors if (match := re.match(pattern, name))}
    return sorted(found.values(), key=lambda match: tuple(map(int, match.groups())))


def _efficientnet(tensors: Tensors, _own: list[str]) -> dict[str, str]:
    starts = {"features.0.0.": "conv_stem.", "features.0.1.": "bn1."}
    blocks = _blocks(tensors, r"features\.(\d{1,3})\.(\d{1,3})\.block\.")
    for at in blocks:
        place = f"blocks.{int(at[1]) - 1}.{at[2]}."
        starts |= {start: place + name for start, name in _of_block(tensors, at[0]).items()}
    last = int(blocks[-1][1]) + 1
    starts |= {f"features.{last}.0.": "conv_head.", f"features.{last}.1.": "bn2."}
    return _renamed(tensors, starts)


def _mobilenet(tensors: Tensors, own: list[str]) -> dict[str, str]:
    # Torchvision counts the blocks through, timm by stages; its last stage is the convolution before pooling.
    places = list(dict.fromkeys(match[0] for name in own if (match := re.match(r"blocks\.\d+\.\d+\.", name))))
    blocks = _blocks(tensors, r"features\.(\d{1,3})\.block\.")
    starts = {"features.0.0.": "conv_stem.", "features.0.1.": "bn1.", "classifier.0.": "conv_head."}
    for at, place in zip(blocks, places, strict=False):
        starts |= {start: place + name for start, name in _of_block(tensors, at[0]).items()}
    if len(places) == len(blocks) + 1:
        last = int(blocks[-1][1]) + 1
        starts |= {f"features.{last}.0.": f"{places[-1]}conv.", f"features.{last}.1.": f"{places[-1]}bn1."}
    return _renamed(tensors, starts)


def _eps_of_efficientnet(tensors: Tensors) -> float:
    """1e-3 for B5 to B7 and V2, 1e-5 for the others; they differ by their width, V2 by a fused first block."""
    first = tensors.get("features.1.0.block.0.0.weight", torch.empty(0, 1))
    head = tensors.get("features.8.0.weight", torch.empty(0))  # B4 ends with 1792 channels, B5 with 2048
    is_fused = first.ndim == 4 and first.shape[1] > 1
    return 1e-3 if is_fused or (head.ndim == 4 and len(head) >= 2048) else 1e-5


def _always(eps: float) -> Callable[[Tensors], float]:
    return lambda _: eps


FAMILIES = (
    Family("EfficientNet", "features.1.0.block.0.0.weight", _efficientnet, frozenset({"SiLU", "Sigmoid"}),
           _eps_of_efficientnet),
    Family("MobileNetV3", "features.1.block.0.0.weight", _mobilenet, frozenset({"Hardswish", "Hardsigmoid", "ReLU"}),
           _always(1e-3)),
    Family("ConvNeXt", "features.1.0.layer_scale", _CONVNEXT, frozenset({"GELU"}), _always(1e-6)),
    Family("RegNet", "trunk_output.block1.block1-0.f.a.0.weight", _REGNET,
           frozenset({"ReLU", "Sigmoid"}), _always(1e-5),
           "which has no 4GF; its regnet_y_3_2gf is timm:regnety_032, its regnet_y_8gf timm:regnety_080_tv"),
    Family("ViT", "encoder.layers.encoder_layer_0.self_attention.in_proj_weight", _VIT,
           frozenset({"GELU"}), _always(1e-6)),
    Family("Swin", "features.1.0.attn.relative_position_bias_table", _SWIN, frozenset({"GELU"}),
           _always(1e-5)),
)  # fmt: skip
