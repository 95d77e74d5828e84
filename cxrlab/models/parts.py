"""Where a network's stem, blocks and head are: what fine-tuning may move.

In:    a network.
Out:   Parts: module and parameter names, disjoint, together all parameters.
Never: optimizers; which part is trained (a strategy's).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

CONTAINERS = (nn.Sequential, nn.ModuleList)


@dataclass(frozen=True)
class Parts:
    """Names of modules, or of parameters that belong to no smaller module, in the order in which an image meets them.

    A block is everything from one feature map to the next: ResNet's layer4, DenseNet's denseblock4 with the norm after
    it, one layer of a transformer. What follows the last block belongs to it.
    """

    stem: tuple[str, ...]
    blocks: tuple[tuple[str, ...], ...]
    head: tuple[str, ...]

    @property
    def backbone(self) -> tuple[str, ...]:
        """All but the head."""
        return (*self.stem, *(name for block in self.blocks for name in block))

    @property
    def last_block(self) -> tuple[str, ...]:
        """The block before the head."""
        return self.blocks[-1]

    def trained(self, layers: str) -> tuple[str, ...]:
        """Return the names that move under StrategySpec.layers: "all", "last-block" (and the head) or "head"."""
        return {
            "all": (*self.backbone, *self.head),
            "last-block": (*self.last_block, *self.head),
            "head": self.head,
        }[layers]

    def is_in(self, name: str, layers: str) -> bool:
        """Return whether the parameter or buffer `name` moves under StrategySpec.layers."""
        return any(name == one or name.startswith(f"{one}.") for one in self.trained(layers))


def of_timm(net: nn.Module) -> Parts:
    """Return the parts of a network with a timm `backbone` and a `head`.

    Its feature maps (feature_info) end its blocks. Up to the first map it is stem, unless that map is an element of a
    list of blocks (`stages.0`), which then is the first block.
    """
    backbone = net.backbone
    ends = [info["module"] for info in getattr(backbone, "feature_info", ()) if info["module"]]
    segments: list[list[str]] = [[]]
    for unit in _units(backbone, "", ends):
        # A map inside of a unit is taken where its last activation begins: what stands before has made it.
        if any(end.startswith(f"{unit}.") for end in ends) and segments[-1]:
            segments.append([])
        segments[-1].append(unit)
        if unit in ends:
            segments.append([])
    segments = [segment for segment in segments if _has_state(backbone, segment)]
    first, rest = segments[0], segments[1:]
    stem, blocks = (
        (first[:-1], [first[-1:], *rest]) if first[-1].rpartition(".")[2].isdigit() else (first, rest)
    )
    if len(blocks) > 1 and not any(unit in ends or _holds(unit, ends) for unit in blocks[-1]):
        blocks[-2:] = [blocks[-2] + blocks[-1]]
    loose = [name for name, _ in backbone.named_parameters(recurse=False)]
    return Parts(
        stem=tuple(f"backbone.{name}" for name in (*loose, *_only_state(backbone, stem))),
        blocks=tuple(
            tuple(f"backbone.{name}" for name in _only_state(backbone, block)) for block in blocks or [[]]
        ),
        head=("head",),
    )


def _units(module: nn.Module, at: str, ends: list[str]) -> Iterator[str]:
    """Yield the names of children in order, lists in whose inside a map ends by their elements."""
    for name, child in module.named_children():
        full = f"{at}.{name}" if at else name
        inside = any(end.startswith(f"{full}.") for end in ends)
        if (inside and isinstance(child, CONTAINERS)) or (not ends and isinstance(child, CONTAINERS)):
            yield from _units(child, full, ends)
        else:
            yield full


def _holds(unit: str, ends: list[str]) -> bool:
    return any(end.startswith(f"{unit}.") for end in ends)


def _has_state(backbone: nn.Module, units: list[str]) -> bool:
    return bool(_only_state(backbone, units))


def _only_state(backbone: nn.Module, units: list[str]) -> list[str]:
    return [unit for unit in units if backbone.get_submodule(unit).state_dict()]
