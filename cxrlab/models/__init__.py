"""The networks that a spec can name."""

from cxrlab.models import any_timm, autoencoder, backbones, hierarchical, latent_head, resnet18_small, small
from cxrlab.models.base import MODELS

__all__ = [
    "MODELS",
    "any_timm",
    "autoencoder",
    "backbones",
    "hierarchical",
    "latent_head",
    "resnet18_small",
    "small",
]
