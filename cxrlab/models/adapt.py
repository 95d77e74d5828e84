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

# Torchvision's first DenseNets named their layers norm.1; it renamed them to norm1, timm with it.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
# What trainings put in front of every name.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.", "encoder.")
_COUNTERS = "num_batches_tracked"  # BatchNorm's; nothing that we use depends on it
Kernel = Literal["sum", "mean"]


@dataclass(frozen=True)
class Counts:
    """How the keys of a file and of a backbone met."""

    loaded: int
    missing: int
    unexpected: int


def fill(net: nn.Module, given: dict[str, torch.Tensor], source: str, kernel: Kernel = "sum") -> Counts:
    """Copy every tensor of the backbone from `given`, or raise and leave it as it was.

    A grey image is three equal channels, so the sum of a kernel over its colours gives in one channel what the three
    gave; "mean" gives a third of it.

    Args:
        net: has a timm `backbone` for one channel.
        given: any names; a head's tensors may be there or not.
        source: named in sentences.
        kernel: how the first kernel's colours become one.

    Raises:
        BadInput: a tensor of the backbone is missing, has another shape, or is not finite; several networks fit.
    """
    backbone = net.backbone
    own = backbone.state_dict()
    fits = _fitting(own, _named(backbone, own, given, source, kernel))
    if any(not name.endswith(_COUNTERS) for name in own.keys() - fits.keys()):
        converted = _converted(backbone, _unwrapped(given), kernel)
        fits = max(fits, _fitting(own, converted), key=len)
    missing = [name for name in own if name not in fits and not name.endswith(_COUNTERS)]
    counts = Counts(len(fits), len(missing), max(0, len(given) - len(fits)))
    if missing:
        raise BadInput(
            f"{source} holds {counts.loaded} of the {len(own)} tensors of the backbone ({counts.missing} missing, the "
            f"first is {missing[0]!r}; {counts.unexpected} unexpected); expected all of them. "
            "Use weights of the same network, or 'none'."
        )
    sick = next((name for name, value in fits.items() if not bool(torch.isfinite(value).all())), "")
    if sick:
        raise BadInput(f"{source}: {sick!r} holds numbers that are not finite; use another file.")
    backbone.load_state_dict({**own, **fits})
    return counts


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
) -> dict[str, torch.Tensor]:
    """Return `given` by our names where only a prefix differs: found by where the first kernel is."""
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
    if whole:
        return readings[whole[0]]
    return max(readings.values(), key=lambda reading: len(_fitting(own, reading)), default=given)


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
    convert = getattr(sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return {}
    try:
        return _grey(backbone, convert(dict(given), backbone), kernel)
    # What timm's converters meet in a file of another network; the keys are counted then, and the file refused.
    except (KeyError, ValueError, RuntimeError, TypeError, IndexError, AttributeError, AssertionError):
        return {}
