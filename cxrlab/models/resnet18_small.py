"""ResNet-18 for small images: nothing is halved before the first residual layer.

In:    grey images (N, 1, H, W) float32, normalised, 28 px and up; never stretched.
Out:   (N, plan.width) logits.
Never: first weights: published ones belong to the other stem.

ImageNet's stem (a 7 × 7 kernel of stride 2, then a pool of stride 2) leaves a quarter of the side; at 28 px the last layer
then has one place. Here a 3 × 3 kernel of stride 1 leaves all 28 × 28, and the last layer has 4 × 4: the ResNet-18 of the
MedMNIST benchmark at 28 px (Yang 2023, doi:10.1038/s41597-022-01721-8), after He 2016's networks for CIFAR. Unlike there, the
last norm of each block begins at zero (timm) and the head has the dropout of every classifier here.
"""

import timm
import torch
from torch import nn

from cxrlab.choices.networks import CLASSIFIES
from cxrlab.models.backbones import DROPOUT
from cxrlab.models.base import MODELS, Model, Plan

LAYERS = tuple(f"backbone.layer{i}" for i in (4, 3, 2, 1))


class ResNet18Small(nn.Module):
    """timm's ResNet-18 with a stem that keeps every pixel, then the head of every classifier."""

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        self.backbone = timm.create_model("resnet18", in_chans=1, num_classes=0, global_pool="avg")
        self.backbone.conv1 = nn.Conv2d(1, self.backbone.bn1.num_features, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.backbone.conv1.weight, mode="fan_out", nonlinearity="relu")  # as timm's
        self.backbone.maxpool = nn.Identity()
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(self.backbone.num_features, n_outputs))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, 512) of (N, 1, H, W)."""
        return self.backbone(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, n_outputs) of (N, 1, H, W)."""
        return self.head(self.embed(x))


def _build(plan: Plan) -> nn.Module:
    return ResNet18Small(plan.width)


MODELS.add("resnet18_small")(
    Model(name="resnet18_small", tasks=CLASSIFIES, build=_build, cam_layers=lambda _: LAYERS)
)
