"""Light augmentation: small, each image its own, the same for the same generator, never a flip."""

import math

import torch
from torch.nn import functional

from cxrlab.augment import AUGMENT, light


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_same_generator_gives_the_same_pictures_and_each_image_its_own():
    x = torch.rand(1, 1, 24, 24).repeat(3, 1, 1, 1)
    once, again, other = light(x, generator()), light(x, generator()), light(x, generator(1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert not torch.equal(once[0], once[1])


def test_range_shape_and_input_stay():
    x = torch.rand(4, 1, 24, 24)
    kept = x.clone()
    out = light(x, generator())
    assert out.shape == x.shape
    assert out.dtype == torch.float32
    assert 0 <= out.min() <= out.max() <= 1
    assert torch.equal(x, kept)


def test_the_heart_stays_on_its_side():
    """A picture bright on its right half is never turned over or upside down."""
    x = torch.zeros(200, 1, 32, 32)
    x[..., 16:] = 1
    out = light(x, generator())
    assert (out[..., 24:].mean(dim=(1, 2, 3)) > out[..., :8].mean(dim=(1, 2, 3)) + 0.3).all()


def test_shapes_keep_their_proportions():
    """Rotated, a disc is a disc: shift, rotation and zoom act alike on both axes."""
    ys, xs = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    x = (((ys - 31.5) ** 2 + (xs - 31.5) ** 2) < 12**2).float()[None, None].repeat(50, 1, 1, 1)
    out = (light(x, generator()) > 0.5).float()
    high, wide = out.amax(dim=3).sum(dim=(1, 2)), out.amax(dim=2).sum(dim=(1, 2))
    assert ((high - wide).abs() <= 2).all()


def test_none_changes_nothing():
    x = torch.rand(2, 1, 8, 8)
    assert AUGMENT["none"](x, generator()) is x


def as_it_was_first_written(images, generator):
    """The first release's, kept here word for word: runs name these numbers."""
    n = len(images)
    draw = torch.rand(n, 7, generator=generator) * 2 - 1
    angle, zoom = draw[:, 0] * math.radians(10), 1 + draw[:, 1] * 0.1
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = torch.stack((cos, -sin, draw[:, 2] * 2 * 0.06, sin, cos, draw[:, 3] * 2 * 0.06), dim=1)
    theta = rows.reshape(n, 2, 3).to(images.device)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    gamma, contrast, brightness = (
        value.to(images.device).view(n, 1, 1, 1)
        for value in (torch.exp(draw[:, 4] * 0.25), 1 + draw[:, 5] * 0.2, draw[:, 6] * 0.08)
    )
    exposed = moved.clamp(0, 1) ** gamma
    return ((exposed - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def test_light_is_bit_for_bit_what_runs_always_had():
    for n, px, seed in ((1, 28, 0), (7, 64, 1), (32, 96, 2)):
        x = torch.rand(n, 1, px, px, generator=generator(9))
        assert torch.equal(AUGMENT["light"](x, generator(seed)), as_it_was_first_written(x, generator(seed)))
