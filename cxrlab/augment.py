"""Small changes that a radiograph could have had anyway, each image its own, on the device.

In:    images (N, 1, H, W) float32 in [0, 1] and a CPU generator.
Out:   the same shape and range.
Never: flips (the heart is on the left), labels, normalisation.
"""

import math
from collections.abc import Callable

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
    n = len(images)
    draw = torch.rand(n, 7, generator=generator) * 2 - 1  # (N, 7) in [-1, 1)
    angle, zoom = draw[:, 0] * ROTATION, 1 + draw[:, 1] * ZOOM
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    # Offsets are in half sides: grid_sample's coordinates run from -1 to 1.
    rows = torch.stack((cos, -sin, draw[:, 2] * 2 * SHIFT, sin, cos, draw[:, 3] * 2 * SHIFT), dim=1)
    theta = rows.reshape(n, 2, 3).to(images.device)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    gamma, contrast, brightness = (
        value.to(images.device).view(n, 1, 1, 1)
        for value in (torch.exp(draw[:, 4] * EXPOSURE), 1 + draw[:, 5] * CONTRAST, draw[:, 6] * BRIGHTNESS)
    )
    exposed = moved.clamp(0, 1) ** gamma
    return ((exposed - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


AUGMENT: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "none": lambda images, generator: images,
    "light": light,
}
