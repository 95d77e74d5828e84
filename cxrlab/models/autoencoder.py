"""A convolutional autoencoder with a tanh bottleneck.

In:    grey images (N, 1, H, W) float32 in [0, 1], H = W ≥ 28.
Out:   the same images rebuilt, and latents (N, latent_units) in (-1, 1).
Never: labels, losses.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional

from cxrlab.models.base import MODELS, Model, Parts, Plan

BOTTOM = 8  # halve until the grid has at most this many cells a side
WIDTHS = (32, 64, 128, 128, 192, 256, 256)  # channels after each halving; 1024 px needs seven


class Autoencoder(nn.Module):
    """Strided convolutions down, one linear layer to the latents and one back, transposed convolutions up.

    The output has no squashing: a saturated sigmoid learns the black surroundings slowly.
    """

    def __init__(self, image_px: int, latent_units: int) -> None:
        super().__init__()
        halvings, grid = 0, image_px
        while grid > BOTTOM:
            halvings, grid = halvings + 1, -(-grid // 2)
        self.image_px, self.grid = image_px, grid
        self.padded_px = grid * 2**halvings  # the smallest side that halves evenly
        widths = (1, *WIDTHS[:halvings])
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for before, width in itertools.pairwise(widths):
            down += [nn.Conv2d(before, width, 4, 2, 1), nn.BatchNorm2d(width), nn.LeakyReLU(0.1)]
            tail = [] if before == 1 else [nn.BatchNorm2d(before), nn.LeakyReLU(0.1)]
            up = [nn.ConvTranspose2d(width, before, 4, 2, 1), *tail, *up]
        flat = widths[-1] * grid * grid
        self.down = nn.Sequential(*down, nn.Flatten())
        self.to_latent = nn.Linear(flat, latent_units)
        self.from_latent = nn.Linear(latent_units, flat)
        self.up = nn.Sequential(nn.Unflatten(1, (widths[-1], grid, grid)), *up)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Return the latents, (N, latent_units) in (-1, 1), of (N, 1, image_px, image_px)."""
        more = self.padded_px - self.image_px
        if more:
            x = functional.pad(
                x, (more // 2, more - more // 2, more // 2, more - more // 2), mode="replicate"
            )
        return torch.tanh(self.to_latent(self.down(x)))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Return (N, 1, image_px, image_px) of (N, latent_units)."""
        out = self.up(functional.leaky_relu(self.from_latent(latents), 0.1))
        start = (self.padded_px - self.image_px) // 2
        return out[:, :, start : start + self.image_px, start : start + self.image_px]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the images rebuilt, (N, 1, image_px, image_px)."""
        return self.decode(self.encode(x))


def reconstruction_error(images: torch.Tensor, rebuilt: torch.Tensor) -> torch.Tensor:
    """Return the mean squared error of each image over all its pixels, (N,) float32; both in [0, 1] (N, 1, H, W)."""
    return (images.float() - rebuilt.float()).square().mean(dim=(1, 2, 3))


def _build(plan: Plan) -> Autoencoder:
    return Autoencoder(plan.image_px, plan.model.latent_units)


def _parts(net: nn.Module) -> Parts:
    blocks = [f"down.{i}" for i, layer in enumerate(net.down) if layer.state_dict()]
    # A halving is a convolution and its norm; what rebuilds the image stands where a classifier has its head.
    pairs = tuple(tuple(blocks[i : i + 2]) for i in range(0, len(blocks), 2))
    return Parts(stem=(), blocks=(*pairs, ("to_latent",)), head=("from_latent", "up"))


MODELS.add("autoencoder")(
    Model(
        name="autoencoder",
        tasks=("autoencoder",),
        build=_build,
        parts=_parts,
        why_no_map="it rebuilds images and has no label whose evidence a map could show.",
    )
)
