"""Names and shapes of weights from elsewhere → those of one of our backbones.

In:    a network with a timm backbone, tensors by the names that somebody else gave them.
Out:   the backbone filled, whole, and how many keys were loaded, missing, unexpected.
Never: files, licences; a backbone that is filled only in part: it would give plausible nonsense.
"""

import re
import sys
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from cxrlab.errors import BadInput
from cxrlab.models import torchvision_names

# Torchvision's first DenseNets named their layers norm.1; it renamed them to norm1, timm with it.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
# What trainings put in front of every name.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.", "encoder.")
_COUNTERS = "num_batches_tracked"  # BatchNorm's; nothing that we use depends on it
# Where heads lie, by the names that timm and torchvision give them; all else beside a backbone's tensors may be more of it.
HEADS = ("head", "heads", "classifier", "fc", "last_linear")
_TOKENS = ("cls_token", "dist_token", "reg_token")  # a transformer's own; a mask_token is its training's
Kernel = Literal["sum", "mean"]


@dataclass(frozen=True)
class Counts:
    """How the keys of a file and of a backbone met."""

    loaded: int
    missing: int
    unexpected: int


@dataclass(frozen=True)
class Met:
    """What of a file is a backbone's, by the backbone's names, and what is left of it.

    `beside` is what lies where the backbone's tensors lie, by the names that those have there; `outside` is the rest, by
    the file's names.
    """

    fits: dict[str, torch.Tensor]
    beside: dict[str, torch.Tensor]
    outside: dict[str, torch.Tensor]
    counts: Counts


def fill(net: nn.Module, given: dict[str, torch.Tensor], source: str, kernel: Kernel = "sum") -> Counts:
    """Copy every tensor of the backbone from `given`, or raise and leave it as it was.

    Args:
        net: has a timm `backbone` for one channel or three.
        given: any names; a head's tensors may be there or not.
        source: named in sentences.
        kernel: how the first kernel's colours become one, where the backbone takes one.

    Raises:
        BadInput: see `meet`.
    """
    met = meet(net.backbone, given, source, kernel)
    net.backbone.load_state_dict({**net.backbone.state_dict(), **met.fits})
    return met.counts


def meet(
    backbone: nn.Module,
    given: dict[str, torch.Tensor],
    source: str,
    kernel: Kernel = "sum",
    remedy: str = "Use weights of the same network, or 'none'.",
) -> Met:
    """Find every tensor of a backbone in `given`.

    A grey image is three equal channels, so the sum of a kernel over its colours gives in one channel what the three
    gave; "mean" gives a third of it.

    Args:
        backbone: timm's, for one channel or three.
        given: any names; a head's tensors may be there or not.
        source: named in sentences.
        kernel: how the first kernel's colours become one, where the backbone takes one.
        remedy: what a person is told to do where it does not fit.

    Raises:
        BadInput: a tensor of the backbone is missing, has another shape, or is not finite; several networks fit; it is of
            a larger network, or of one that computes otherwise.
    """
    own = backbone.state_dict()
    n_given = len(given)
    given, family = torchvision_names.translated(backbone, given)
    named, outside = _named(backbone, own, given, source, kernel)
    fits = _fitting(own, named)
    if any(not name.endswith(_COUNTERS) for name in own.keys() - fits.keys()):
        converted = _converted(backbone, _unwrapped(given), kernel)
        if len(better := _fitting(own, converted)) > len(fits):
            named, outside, fits = converted, {}, better
    missing = [name for name in own if name not in fits and not name.endswith(_COUNTERS)]
    counts = Counts(len(fits), len(missing), max(0, n_given - len(fits)))
    if missing:
        if family:
            hint = f", {family.hint}" if family.hint else ""
            remedy = f"The file has the keys of torchvision's {family.title}{hint}. {remedy}"
        raise BadInput(
            f"{source} holds {counts.loaded} of the {len(own)} tensors of the backbone ({counts.missing} missing, the "
            f"first is {missing[0]!r}; {counts.unexpected} unexpected); expected all of them. {remedy}"
        )
    beside = {name: value for name, value in named.items() if name not in fits}
    if more := _more(fits, beside):
        raise BadInput(
            f"{source} holds {len(more)} layer{'s' * (len(more) > 1)} more than the network has ({_some(more)}): it is of a larger "
            f"one. {remedy}"
        )
    if family:
        torchvision_names.check_same(backbone, family, given, source)
    sick = next((name for name, value in fits.items() if not bool(torch.isfinite(value).all())), "")
    if sick:
        raise BadInput(f"{source}: {sick!r} holds numbers that are not finite; use another file.")
    return Met(fits, beside, outside, counts)


def _more(fits: dict[str, torch.Tensor], beside: dict[str, torch.Tensor]) -> list[str]:
    """Return the names of what is left of a file and is more of the network itself.

    ResNet-101 has every tensor of ResNet-50, by name and shape, and would load whole into it: cut short in the middle, it
    says nothing that it was trained to. What a training adds lies beside the network's own parts: heads, projections,
    decoders, losses, whatever they are called. So a layer is more of the network that lies inside one of its parts
    (layer3.22. where there is layer3.; DenseNet's features.), or in one that counts on (block13. after block12.).
    """
    tops = {name.partition(".")[0] for name in fits if "." in name} - set(HEADS)
    stages = {name.partition(".")[0] for name in fits if name.count(".") > 1} - set(HEADS)
    counted = {_uncounted(stage) for stage in stages if stage != _uncounted(stage)}
    more = []
    for name in beside:
        top = name.partition(".")[0]
        is_stage = name.count(".") > 1 and top != _uncounted(top) and _uncounted(top) in counted
        if name in _TOKENS or (name.endswith(".weight") and (top in tops or is_stage)):
            more.append(name)
    return more


def _uncounted(name: str) -> str:
    return name.rstrip("0123456789")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _fitting(own: dict[str, torch.Tensor], given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name: value
        for name, value in given.items()
        if name in own
        and value.shape == own[name].shape
        and value.is_floating_point() == own[name].is_floating_point()
    }


def _named(
    backbone: nn.Module,
    own: dict[str, torch.Tensor],
    given: dict[str, torch.Tensor],
    source: str,
    kernel: Kernel,
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return `given` by our names where only a prefix differs, and what has another: found by where the first kernel is."""
    given = {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in given.items()}
    first = next(name for name, value in own.items() if value.ndim == 4)
    prefixes = [name.removesuffix(first) for name in given if name == first or name.endswith(f".{first}")]
    readings = {}
    for prefix in prefixes:
        inside = {name.removeprefix(prefix): t for name, t in given.items() if name.startswith(prefix)}
        readings[prefix] = _grey(backbone, inside, kernel)
    whole = [prefix for prefix, reading in readings.items() if _is_whole(own, reading)]
    if len(whole) > 1:
        raise BadInput(
            f"{source} holds {len(whole)} networks that fit, under {', '.join(repr(p) for p in whole[:4])}; "
            "save the one that is meant alone."
        )
    best = max(whole or readings, key=lambda prefix: len(_fitting(own, readings[prefix])), default=None)
    if best is None:
        return given, {}
    return readings[best], {name: value for name, value in given.items() if not name.startswith(best)}


def _is_whole(own: dict[str, torch.Tensor], given: dict[str, torch.Tensor]) -> bool:
    fits = _fitting(own, given)
    return all(name in fits or name.endswith(_COUNTERS) for name in own)


def _grey(backbone: nn.Module, given: dict[str, torch.Tensor], kernel: Kernel) -> dict[str, torch.Tensor]:
    """Return `given` with the colours of its first kernels made one."""
    cfg = getattr(backbone, "pretrained_cfg", None) or {}
    firsts = cfg.get("first_conv") or ()
    own, changed = backbone.state_dict(), {}
    for layer in (firsts,) if isinstance(firsts, str) else firsts:
        name = f"{layer}.weight"
        mine, theirs = own.get(name), given.get(name)
        if mine is None or theirs is None or mine.ndim != 4 or theirs.ndim != 4:
            continue
        outs, ins = mine.shape[:2]
        if theirs.shape[:2] != (outs, 3 * ins):
            continue
        # Stems that fold pixels into channels keep a pixel's three colours side by side.
        colours = theirs.float().reshape(outs, ins, 3, *theirs.shape[2:])
        changed[name] = colours.sum(dim=2) if kernel == "sum" else colours.mean(dim=2)
    return {**given, **changed}


def _unwrapped(given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return `given` without what a training put in front of all names."""
    while given:
        wrapper = next((w for w in _WRAPPERS if all(name.startswith(w) for name in given)), "")
        if not wrapper:
            break
        given = {name.removeprefix(wrapper): value for name, value in given.items()}
    return given


def _converted(
    backbone: nn.Module, given: dict[str, torch.Tensor], kernel: Kernel
) -> dict[str, torch.Tensor]:
    """Return `given` as timm reads it: its authors' names, position embeddings resampled to this image side."""
    patch = "patch_embed.proj.weight"
    mine, theirs = backbone.state_dict().get(patch), given.get(patch)
    if mine is not None and theirs is not None and theirs.ndim == 4 and theirs.shape[2:] != mine.shape[2:]:
        return {}  # timm would resample the patches' kernel as well: ViT-B/32 is no ViT-B/16
    convert = getattr(sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return {}
    try:
        return _grey(backbone, convert(dict(given), backbone), kernel)
    # What timm's converters meet in a file of another network; the keys are counted then, and the file refused.
    except (KeyError, ValueError, RuntimeError, TypeError, IndexError, AttributeError, AssertionError):
        return {}
