"""A whole classifier from a file: somebody else's backbone and head → one of our networks that says the same.

In:    a network's name, tensors by the names that somebody else gave them, what a person says of the outputs.
Out:   our network, filled whole; how many keys met; the grey values that it expects.
Never: files, licences, labels; a network that is filled only in part, or that answers something else.
"""

from dataclasses import dataclass
from typing import Literal

import timm
import torch
from torch import nn

from cxrlab.choices.networks import CHOICES, TIMM, is_gated
from cxrlab.errors import BadInput, BadSpec
from cxrlab.models import adapt
from cxrlab.models.base import MODELS, Plan, build
from cxrlab.spec import ModelSpec

Colours = Literal["auto", "keep", "sum", "average"]
# Of ImageNet, which nearly every network for three colours was trained with. Source: torchvision.models, timm.data.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
REMEDY = "Name the network that the file is of with --network; timm:NAME is any of timm's."
ALIKE = 1e-3  # of the largest answer: what rounding leaves between two ways to add up the same network
LOSSES = ("criterion", "loss", "loss_fn", "loss_function")  # what Lightning modules save beside their network


@dataclass(frozen=True)
class Wish:
    """What a person says of the file.

    used: (K,) whether the file's output is used, in its order.
    softmax: of two outputs that exclude one another, what counts is their difference.
    colours: how a first layer for three colours meets a grey image.
    mean, std: of the input between 0 and 1, one for all colours or one a colour; (): not said.
    """

    used: tuple[bool, ...]
    softmax: bool = False
    colours: Colours = "auto"
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True)
class Whole:
    """A network that says what the file's said."""

    net: nn.Module
    model: ModelSpec
    counts: adapt.Counts
    grey: tuple[float, float]  # mean and deviation that are taken off the one grey channel that comes in
    mean: tuple[float, ...]  # as the file's network had it, one a colour
    std: tuple[float, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Head:
    weight: torch.Tensor  # (K, features) float32
    bias: torch.Tensor  # (K,) float32
    names: tuple[str, ...]


def load(model: ModelSpec, image_px: int, given: dict[str, torch.Tensor], source: str, wish: Wish) -> Whole:
    """Build the network `model` and fill it, backbone and head, from `given`.

    Args:
        model: its colours are found here.
        image_px: side of the images that it is to see.
        given: any names.
        source: named in sentences.
        wish: see Wish.

    Raises:
        BadSpec: the network is one of this lab's own, or does not take this side.
        BadInput: backbone or head are not in the file whole; it has other outputs than said; its grey values are not
            known, or not one a colour.
    """
    if MODELS[model.name].load is None or is_gated(model):
        raise BadSpec(
            f"the network {model.name!r} is this lab's own, and only a checkpoint of this lab holds it; name one of timm's."
        )

    def bare(colours: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):  # random first weights, all replaced
            return build(
                Plan(model.model_copy(update={"colours": colours}), sum(wish.used), image_px, n_heads=1)
            )

    net, met, n_colours = bare(3), None, 3
    try:
        met = adapt.meet(net.backbone, given, source, remedy=REMEDY)
    except BadInput:  # one for a single colour, or not this network: then this says why
        net, n_colours = bare(1), 1
        met = adapt.meet(net.backbone, given, source, remedy=REMEDY)
    head = _head(met, net.head[-1].in_features, source, wish)
    _check_as_timm(model, net, met, head, n_colours)
    mean, std, notes = _grey_values(wish, n_colours, source)
    flat = len(set(mean)) == len(set(std)) == 1
    keeps = n_colours == 3 and (wish.colours == "keep" or (wish.colours == "auto" and not flat))
    if keeps:
        net.colours.mean.copy_(torch.tensor(mean).expand(3))
        net.colours.std.copy_(torch.tensor(std).expand(3))
        notes.append("its three colours are kept, each fed the grey image normalised as there: exact")
    elif n_colours == 3:
        net, averaged = bare(1), wish.colours == "average"
        met = adapt.meet(net.backbone, given, source, "mean" if averaged else "sum", REMEDY)
        notes.append(_folded(averaged=averaged, flat=flat))
    net.backbone.load_state_dict({**net.backbone.state_dict(), **met.fits})
    with torch.no_grad():
        net.head[-1].weight.copy_(_asked(head.weight, wish))
        net.head[-1].bias.copy_(_asked(head.bias, wish))
    loaded = len(met.fits) + len(head.names)
    left = [name for name in (*met.beside, *met.outside) if name not in head.names]
    if left:
        notes.append(f"left over: {_some(left)}")
    grey = (0.0, 1.0) if keeps else (sum(mean) / len(mean), sum(std) / len(std))
    counts = adapt.Counts(loaded, 0, max(0, len(given) - loaded))
    return Whole(net.eval(), net_spec(model, 3 if keeps else 1), counts, grey, mean, std, tuple(notes))


def net_spec(model: ModelSpec, colours: int) -> ModelSpec:
    """Return `model` with as many colours."""
    return model.model_copy(update={"colours": colours})


def _check_as_timm(model: ModelSpec, net: nn.Module, met: adapt.Met, head: _Head, n_colours: int) -> None:
    """Raise BadSpec where timm's own network with these weights answers something else: it pools in another way, say."""
    tag = CHOICES[model.name].tag if model.name in CHOICES else model.name.removeprefix(TIMM)
    how = {"in_chans": n_colours, "num_classes": len(head.weight)}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            whole = timm.create_model(tag, img_size=net.side, **how)
        except TypeError:  # it takes images of any side, so it is not told one
            whole = timm.create_model(tag, **how)
        last = whole.get_classifier()
        inside = last.modules() if isinstance(last, nn.Module) else ()
        layers = [module for module in inside if isinstance(module, nn.Linear | nn.Conv2d)]
        if len(layers) == 1 and layers[0].bias is not None:
            whole.load_state_dict(met.fits, strict=False)
            layers[0].weight.copy_(head.weight.view_as(layers[0].weight))
            layers[0].bias.copy_(head.bias)
            image = torch.rand(2, 1, net.side, net.side, generator=torch.Generator().manual_seed(0))
            net.backbone.load_state_dict({**net.backbone.state_dict(), **met.fits})
            there = whole.eval()(image.expand(-1, n_colours, -1, -1))
            here = net.eval().embed(image) @ head.weight.T + head.bias
            if float((there - here).abs().max()) <= ALIKE * max(1.0, float(there.abs().max())):
                return
    raise BadSpec(
        f"the network {model.name!r} answers otherwise here than timm's own with the same weights, which ends in another way; "
        "import its scores instead: `python -m cxrlab import-scores`."
    )


def _head(met: adapt.Met, features: int, source: str, wish: Wish) -> _Head:
    """Find the one linear layer behind the backbone among what is left of the file."""
    left = {**met.outside, **met.beside}
    layers = [
        name
        for name in left
        if name.endswith("weight") and name.partition(".")[0] not in LOSSES and left[name].ndim
    ]
    if not layers:
        raise BadInput(
            f"{source} holds the backbone ({met.counts.loaded} tensors) and no head; save the network with its "
            "classification head, or use the file as first weights (model.weights) of a training."
        )
    name, weight = layers[0], left[layers[0]]
    if len(layers) > 1 or weight.flatten(1).shape[1:] != (features,):
        shapes = [f"{layer} {tuple(left[layer].shape)}" for layer in layers]
        raise BadInput(
            f"the head of {source} has {len(layers)} layers ({_some(shapes)}); expected one linear layer on the backbone's "
            f"{features} features. Import its scores instead: `python -m cxrlab import-scores`."
        )
    n, k = len(weight), len(wish.used)
    if n != k:
        raise BadInput(
            f"{source} answers {n} labels, you named {k}; name all of them in the file's order, '-' for one that is not used."
        )
    second = f"{name.removesuffix('weight')}bias"
    bias = left.get(second, torch.zeros(n))
    if bias.shape != (n,) or not all(bool(torch.isfinite(t).all()) for t in (weight, bias)):
        raise BadInput(
            f"{source}: the head's bias has the shape {tuple(bias.shape)} for {n} outputs, or its numbers are not finite; "
            "use another file."
        )
    names = (name, second) if second in left else (name,)
    return _Head(weight.flatten(1).float(), bias.float(), names)


def _asked(rows: torch.Tensor, wish: Wish) -> torch.Tensor:
    """Return the rows of the outputs that are used, as logits of their own.

    Of a softmax over two, p1 = sigmoid(z1 - z0): one linear layer again.
    """
    return (rows - rows.flip(0) if wish.softmax else rows)[torch.tensor(wish.used)]


def _grey_values(
    wish: Wish, n_colours: int, source: str
) -> tuple[tuple[float, ...], tuple[float, ...], list[str]]:
    mean, std, notes = wish.mean, wish.std, []
    if not mean and not std and n_colours == 3:
        mean, std = IMAGENET
        notes.append("its grey values are taken for ImageNet's, as nothing else was said (--mean, --std)")
    if not mean or not std:
        raise BadInput(
            f"{source} takes one grey channel, and nothing says which mean and deviation its images had; say --mean and --std "
            "of grey between 0 and 1 (torchxrayvision's -1024 to 1024: --mean 0.5 --std 0.00048828125)."
        )
    wrong = {len(mean), len(std)} - {1, n_colours}
    if wrong or min(std) <= 0:
        raise BadInput(
            f"--mean {' '.join(map(str, mean))} --std {' '.join(map(str, std))} cannot be: {source} has "
            f"{n_colours} colour{'s' * (n_colours > 1)}, so say one number each, or {n_colours}; deviations are above 0."
        )
    return mean, std, notes


def _folded(*, averaged: bool, flat: bool) -> str:
    how = "the mean" if averaged else "the sum"
    if flat and not averaged:
        return "its first kernel's three colours became one, their sum: exact for a grey image"
    why = (
        "a grey image in three colours gives their sum"
        if averaged
        else "its colours had different grey values"
    )
    return f"its first kernel's three colours became one, {how}: not exact, since {why}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
