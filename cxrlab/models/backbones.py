"""Classifiers: a backbone of timm, then one head a label.

In:    grey images (N, 1, H, W) float32, normalised.
Out:   (N, L) logits, or (N, 3L) of a three-way head; as many times over as there are heads.
Never: targets, losses, files of a lab; weights that did not load whole.

The head is dropout, then one linear layer: L independent logistic regressions on the pooled features. Labels exclude
one another in no way, so there is a sigmoid a label and no softmax over labels. A three-way head has three numbers a
label (negative, positive, uncertain) in the place of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import timm
import torch
from torch import nn
from torch.nn import functional

from cxrlab.choices.networks import CHOICES, CLASSIFIES, IMAGENET_GREY
from cxrlab.models import firsts, places
from cxrlab.models.adapt import Kernel
from cxrlab.models.base import MODELS, Model, Plan

DROPOUT = 0.2
SMALLEST_PX = 32  # these backbones halve five times


@dataclass(frozen=True)
class Shape:
    """What timm must be told to build one of its networks for our images."""

    multiple: int = 1  # sides that this does not divide are stretched up to the next that it does
    sized: bool = False  # built for one image side: a transformer's position embeddings
    pooled: bool = True  # by the average of its last map; False: in its own way
    maps: tuple[str, ...] = ()  # layers for maps, deepest first, where feature_info ends with another


class Colours(nn.Module):
    """One grey channel as three, each normalised as its own; they are only repeated until mean and std are set."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 3, H, W) of (N, 1, H, W)."""
        return (x - self.mean.view(1, 3, 1, 1)) / self.std.view(1, 3, 1, 1)


class MultiLabelNet(nn.Module):
    """A timm backbone with pooling, dropout and one linear layer."""

    def __init__(
        self,
        tag: str,
        n_outputs: int,
        image_px: int,
        shape: Shape = Shape(),  # frozen
        colours: int = 1,
    ) -> None:
        super().__init__()
        self.side = stretched_px(image_px, shape.multiple)
        how = {"img_size": self.side} if shape.sized else {}
        how |= {"global_pool": "avg"} if shape.pooled else {}
        self.colours = Colours() if colours == 3 else None
        self.backbone = timm.create_model(tag, in_chans=colours, num_classes=0, **how)
        self.multiple = shape.multiple
        self.map_layers = tuple(f"backbone.{name}" for name in shape.maps)
        if not shape.pooled and not places.why_no_grid(self.backbone):
            self.map_layers = (f"backbone.{places.show_grid(self.backbone)}",)
        features = getattr(self.backbone, "head_hidden_size", None) or self.backbone.num_features
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(features, n_outputs))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, features) of (N, 1, H, W)."""
        side = stretched_px(x.shape[-1], self.multiple)
        if x.shape[-1] != side:
            # Stretched, not padded: a map's cells then still cover the image evenly.
            x = functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
        return self.backbone(x if self.colours is None else self.colours(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, n_outputs) of (N, 1, H, W)."""
        return self.head(self.embed(x))


def stretched_px(image_px: int, multiple: int) -> int:
    """Return the side that a network sees of an image side.

    >>> stretched_px(28, 1), stretched_px(100, 16), stretched_px(224, 16)
    (32, 112, 224)
    """
    return max(SMALLEST_PX, -(-image_px // multiple) * multiple)


def map_layers(net: MultiLabelNet) -> Sequence[str]:
    """Return the layers that maps can be read from, deepest first."""
    if net.map_layers:
        return net.map_layers
    # feature_info ends with the last spatial map before pooling; checked for every network registered here.
    return tuple(
        f"backbone.{info['module']}" for info in reversed(net.backbone.feature_info) if info["module"]
    )


_EFFICIENT = ("bn2", "blocks.4", "blocks.2", "blocks.1", "blocks.0")  # bn2: after the last convolution
# What a name needs beyond its tag. Each layer's output is one 4-D tensor through which everything passes.
SHAPES: dict[str, Shape] = {
    "efficientnetv2_s": Shape(maps=_EFFICIENT),
    "efficientnet_b0": Shape(maps=_EFFICIENT),
    "efficientnet_b4": Shape(maps=_EFFICIENT),
    "dpn68b": Shape(maps=tuple(f"features.conv{at}" for at in ("5_bn_ac", "4_12", "3_4", "2_3"))),
    "dpn92": Shape(maps=tuple(f"features.conv{at}" for at in ("5_bn_ac", "4_20", "3_4", "2_3"))),
    "tresnet_m": Shape(multiple=4),  # its stem folds 4 × 4 pixels into channels
    # A block of the middle begins with an activation beside its shortcut, so the block before it is read.
    "xception": Shape(maps=("act4", "block11", "block2", "block1", "act2")),
    "vit_b16": Shape(multiple=16, sized=True, pooled=False),
}
_KERNELS: dict[str, Kernel] = {"resnet18_grey": "mean"}


def model_of(
    name: str, tag: str, shape: Shape, kernel: Kernel = "sum", grey: tuple[float, float] = IMAGENET_GREY
) -> Model:
    """Return the plug-in of a timm network."""

    def build(plan: Plan) -> nn.Module:
        return MultiLabelNet(tag, plan.width, plan.image_px, shape, plan.model.colours)

    return Model(
        name=name,
        tasks=CLASSIFIES,
        build=build,
        cam_layers=map_layers,
        load=partial(firsts.load, tag=tag, kernel=kernel),
        grey=grey,
    )


for _name, _choice in CHOICES.items():
    if _choice.tag:
        _kernel = _KERNELS.get(_name, "sum")
        MODELS.add(_name)(model_of(_name, _choice.tag, SHAPES.get(_name, Shape()), _kernel, _choice.grey))
