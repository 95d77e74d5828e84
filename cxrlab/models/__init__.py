"""The networks that a spec can name."""

from cxrlab.models import autoencoder, backbones, latent_head
from cxrlab.models.base import MODELS

__all__ = ["MODELS", "autoencoder", "backbones", "latent_head"]
