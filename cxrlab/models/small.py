"""Small classifiers of our own, for quick runs and small grey images.

In:    grey images (N, 1, H, W) float32, normalised.
Out:   (N, plan.width) logits.
Never: first weights, targets, losses.
"""

import torch
from torch import nn

from cxrlab.choices.networks import CLASSIFIES
from cxrlab.models.base import MODELS, Model, Parts, Plan

DROPOUT = 0.2


class SmallCnn(nn.Module):
    """Four blocks of two 3×3 convolutions with batch norm, halving between blocks, then the same head."""

    WIDTHS = (24, 48, 96, 160)

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        before, blocks = 1, []
        for width in self.WIDTHS:
            blocks.append(nn.Sequential(*_convolution(before, width), *_convolution(width, width)))
            before = width
        self.blocks = nn.ModuleList(blocks)
        self.halve = nn.MaxPool2d(2)
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(before, n_outputs))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 160) of (N, 1, H, W)."""
        for i, block in enumerate(self.blocks):
            x = block(self.halve(x) if i else x)
        return x.mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, n_outputs) of (N, 1, H, W)."""
        return self.head(self.embed(x))


class SmallCnn3(nn.Module):
    """Three blocks of one 3×3 convolution with batch norm, halved after each; 4×4 places, a hidden layer, dropout."""

    WIDTHS = (32, 64, 128)
    PLACES = 4  # a side; 64 px leave 8 × 8, averaged in fours, so that the hidden layer knows where
    HIDDEN = 128

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        before, blocks = 1, []
        for width in self.WIDTHS:
            blocks.append(nn.Sequential(*_convolution(before, width)))
            before = width
        self.blocks = nn.ModuleList(blocks)
        self.halve = nn.MaxPool2d(2)
        self.places = nn.Sequential(nn.AdaptiveAvgPool2d(self.PLACES), nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(before * self.PLACES**2, self.HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(self.HIDDEN, n_outputs),
        )

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 2048) of (N, 1, H, W)."""
        for block in self.blocks:
            x = self.halve(block(x))
        return self.places(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, n_outputs) of (N, 1, H, W)."""
        return self.head(self.embed(x))


def _convolution(before: int, width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()


def _layers(net: nn.Module) -> tuple[str, ...]:
    return tuple(f"blocks.{i}" for i in reversed(range(len(net.blocks))))


def _parts(net: nn.Module) -> Parts:
    return Parts(stem=(), blocks=tuple((f"blocks.{i}",) for i in range(len(net.blocks))), head=("head",))


def _add(name: str, kind: type[SmallCnn] | type[SmallCnn3]) -> None:
    def build(plan: Plan) -> nn.Module:
        return kind(plan.width)

    MODELS.add(name)(Model(name=name, tasks=CLASSIFIES, build=build, cam_layers=_layers, parts=_parts))


_add("small_cnn", SmallCnn)
_add("small_cnn3", SmallCnn3)
