"""Shifts, rotations, zoom and exposure: small changes that a radiograph could have had anyway, on the device.

In:    images (N, 1, H, W) float32 in [0, 1] and a CPU generator, or what it drew.
Out:   the same shape and range.
Never: flips (the heart is on the left), labels, normalisation.

`light` is what this lab's runs have always had; its numbers are a promise.
"""

import math

import torch
from torch.nn import functional

ROTATION = math.radians(10)
SHIFT = 0.06  # of the side
ZOOM = 0.1
EXPOSURE = 0.25  # natural logarithm of gamma
CONTRAST = 0.2
BRIGHTNESS = 0.08


def light(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shift, rotate, zoom, expose; one batched resampling.

    Args:
        images: (N, 1, H, W) float32 in [0, 1], on any device.
        generator: on the CPU, so that every device draws the same changes.

    Returns:
        (N, 1, H, W) float32 in [0, 1], on the device of `images`.
    """
    draw = torch.rand(len(images), 7, generator=generator) * 2 - 1  # (N, 7) in [-1, 1)
    theta = affine(draw[:, 0] * ROTATION, 1 + draw[:, 1] * ZOOM, draw[:, 2:4] * 2 * SHIFT)
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return expose(moved, torch.exp(draw[:, 4] * EXPOSURE), 1 + draw[:, 5] * CONTRAST, draw[:, 6] * BRIGHTNESS)


def affine(angle: torch.Tensor, zoom: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Return (N, 2, 3) for affine_grid: where each pixel comes from; both axes alike, so that a disc stays a disc.

    Args:
        angle: (N,) radians.
        zoom: (N,), above 1 shows more than the image.
        offset: (N, 2) x and y, in half sides: grid_sample's coordinates run from -1 to 1.
    """
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = torch.stack((cos, -sin, offset[:, 0], sin, cos, offset[:, 1]), dim=1)
    return rows.reshape(len(angle), 2, 3)


def expose(
    images: torch.Tensor, gamma: torch.Tensor, contrast: torch.Tensor, brightness: torch.Tensor
) -> torch.Tensor:
    """Return the images with another exposure, each (N,) on the CPU; in [0, 1]."""
    gamma, contrast, brightness = (
        value.to(images.device).view(-1, 1, 1, 1) for value in (gamma, contrast, brightness)
    )
    exposed = images.clamp(0, 1) ** gamma
    return ((exposed - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
