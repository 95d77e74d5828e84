"""Changes of every strength, as recipes: how far each kind of change may go.

In:    images (N, 1, H, W) float32 in [0, 1] and a CPU generator.
Out:   AUGMENT: name → f(images, generator), the same shape and range.
Never: vertical flips, quarter turns, and left for right (but in 'light-flip', whose name says so); labels, normalisation.

An image's changes are one row of one block of draws, so they depend on the generator and its place in the batch, not on
the batch's size: a batch in parts, with one generator through all of them, is changed as the whole batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from cxrlab.augment.light import BRIGHTNESS, CONTRAST, EXPOSURE, ROTATION, SHIFT, ZOOM, affine, expose, light
from cxrlab.augment.texture import even_boxes, grain, sharpen
from cxrlab.registry import Registry

Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
KNOTS = 4  # a side, of a bending field: a cubic has four


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How far each change may go, either way; 0 leaves it out."""

    rotation: float = ROTATION  # radians
    shift: float = SHIFT  # of the side
    widen: float = ZOOM  # an image may show so much more than it has, its border repeated
    narrow: float = ZOOM  # … or so much less: a crop
    exposure: float = EXPOSURE  # natural logarithm of gamma
    contrast: float = CONTRAST
    brightness: float = BRIGHTNESS
    bend: float = 0.0  # of the side
    soften: float = 0.0  # share of a softened image, 0 to 1
    sharpen: float = 0.0  # how much of its difference to a softened image is added
    grain: float = 0.0  # standard deviation of noise, of full scale
    boxes: int = 0  # at most so many
    box: float = 0.0  # longest side, of the image's
    mirror: bool = False  # every other image, left for right

    @property
    def draws(self) -> dict[str, int]:
        """Kind of change → random numbers an image."""
        return {
            "base": 7,
            "mirror": int(self.mirror),
            "bend": 2 * KNOTS * KNOTS if self.bend else 0,
            "edges": int(bool(self.soften or self.sharpen)),
            "grain": 2 if self.grain else 0,
            "boxes": 5 * self.boxes,
        }


def change(images: torch.Tensor, generator: torch.Generator, recipe: Recipe) -> torch.Tensor:
    """Move, bend, expose, soften or sharpen, roughen, cover: in this order, as far as the recipe goes.

    Args:
        images: (N, 1, H, W) float32 in [0, 1], on any device.
        generator: on the CPU, so that every device draws the same changes.
        recipe: how far.

    Returns:
        (N, 1, H, W) float32 in [0, 1], on the device of `images`.
    """
    sizes = recipe.draws
    drawn = torch.rand(len(images), sum(sizes.values()), generator=generator)  # (N, D) in [0, 1)
    part = dict(zip(sizes, drawn.split(list(sizes.values()), dim=1), strict=True))
    grid = _grid(images, part, recipe)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    base = part["base"] * 2 - 1
    gamma = torch.exp(base[:, 4] * recipe.exposure)
    out = expose(moved, gamma, 1 + base[:, 5] * recipe.contrast, base[:, 6] * recipe.brightness)
    if sizes["edges"]:
        either = part["edges"][:, 0] * 2 - 1
        out = sharpen(out, torch.where(either < 0, either * recipe.soften, either * recipe.sharpen))
    if sizes["grain"]:
        strength, seed = part["grain"].unbind(dim=1)
        out = grain(out, strength * recipe.grain, (seed * 2**24).long())
    if sizes["boxes"]:
        out = even_boxes(out, part["boxes"].view(len(images), recipe.boxes, 5), recipe.box)
    return out


def _grid(images: torch.Tensor, part: dict[str, torch.Tensor], recipe: Recipe) -> torch.Tensor:
    """Return (N, H, W, 2), where each pixel comes from."""
    base = part["base"] * 2 - 1
    zoom = 1 + torch.where(base[:, 1] > 0, base[:, 1] * recipe.widen, base[:, 1] * recipe.narrow)
    theta = affine(base[:, 0] * recipe.rotation, zoom, base[:, 2:4] * 2 * recipe.shift)
    if recipe.mirror:
        theta[:, 0] *= torch.where(part["mirror"] < 0.5, -1.0, 1.0)
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    if recipe.bend:
        knots = (part["bend"] * 2 - 1).view(-1, 2, KNOTS, KNOTS).to(images.device) * (2 * recipe.bend)
        down, across = (_bezier(side).to(images.device) for side in images.shape[-2:])
        grid = grid + (down @ knots @ across.mT).permute(0, 2, 3, 1)
    return grid


def _bezier(side: int) -> torch.Tensor:
    """Return (side, KNOTS), the cubic Bernstein polynomials: between knots smooth, and nowhere beyond them."""
    t = (torch.arange(side)[:, None] + 0.5) / side
    return torch.cat([math.comb(3, k) * t**k * (1 - t) ** (3 - k) for k in range(KNOTS)], dim=1)


def none(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the images themselves."""
    return images


RECIPES: dict[str, Recipe] = {
    "medium": Recipe(
        shift=0.08, widen=0.15, narrow=0.15, exposure=0.35, contrast=0.25, brightness=0.1, soften=0.5, sharpen=0.5,
        grain=0.02,
    ),
    "strong": Recipe(
        rotation=math.radians(15), shift=0.1, widen=0.2, narrow=0.2, exposure=0.4, contrast=0.3, brightness=0.12,
        bend=0.03, soften=1.0, sharpen=1.0, grain=0.03, boxes=2, box=0.12,
    ),
    "contrast": Recipe(widen=0.1, narrow=0.2, exposure=0.4, contrast=0.3, brightness=0.12),
    "light-flip": Recipe(mirror=True),
}  # fmt: skip
AUGMENT: Registry[Augment] = Registry("augmentation")
AUGMENT.add("none")(none)
AUGMENT.add("light")(light)
for _name, _recipe in RECIPES.items():
    AUGMENT.add(_name)(partial(change, recipe=_recipe))
