"""Every augmentation: within its bounds, each image its own, and left stays left unless the name says otherwise."""

import math

import numpy as np
import pytest
import torch

from cxrlab.augment import AUGMENT, RECIPES
from cxrlab.choices.augmentations import CHOICES

NAMES = [name for name in AUGMENT if name != "none"]
UPRIGHT = [name for name in NAMES if "flip" not in name]
PX = 64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(n=6, px=PX):
    return torch.rand(n, 1, px, px, generator=generator(99))


def dots(n, x, y, radius=3.0, ground=0.3):
    """Return n equal pictures with a bright dot at (x, y), shares of the side."""
    ys, xs = torch.meshgrid(*[(torch.arange(PX) + 0.5) / PX] * 2, indexing="ij")
    dot = torch.exp(-((xs - x) ** 2 + (ys - y) ** 2) * PX**2 / (2 * radius**2))
    return (ground + (0.9 - ground) * dot).expand(n, 1, PX, PX).clone()


def peaks(images):
    """Return (n, 2), x and y of the brightest place of a softened picture, shares of the side."""
    soft = torch.nn.functional.avg_pool2d(images, 5, stride=1, padding=2, count_include_pad=False)
    at = soft.flatten(1).argmax(dim=1)
    return torch.stack([at % PX, at // PX], dim=1).add(0.5).div(PX)


def test_a_form_knows_exactly_the_augmentations_that_there_are():
    assert set(CHOICES) == set(AUGMENT)


@pytest.mark.parametrize("name", NAMES)
def test_shape_range_and_input_stay(name):
    x = noise()
    kept, out = x.clone(), AUGMENT[name](x, generator())
    assert out.shape == x.shape
    assert out.dtype == torch.float32
    assert 0 <= out.min() <= out.max() <= 1
    assert torch.equal(x, kept)
    assert out.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("px", [28, 31, 224])
def test_any_side_goes(name, px):
    assert AUGMENT[name](noise(2, px), generator()).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_generator_gives_the_same_pictures_and_each_image_its_own(name):
    x = noise(1).repeat(3, 1, 1, 1)
    once, again, other = (AUGMENT[name](x, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert not torch.equal(once[0], once[1])
    assert not torch.equal(once[1], once[2])


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_in_parts_is_changed_as_the_whole(name):
    x, draws = noise(9), generator(4)
    parts = torch.cat([AUGMENT[name](part, draws) for part in x.split([2, 1, 6])])
    assert torch.allclose(parts, AUGMENT[name](x, generator(4)), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_torchs_own_random_numbers_are_left_alone(name):
    before = torch.random.get_rng_state()
    AUGMENT[name](noise(), generator())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("name", UPRIGHT)
@pytest.mark.parametrize(("x", "y"), [(0.25, 0.5), (0.75, 0.5), (0.5, 0.25), (0.5, 0.75)])
def test_a_marker_stays_on_its_side(name, x, y):
    """Neither mirrored, nor upside down, nor turned by a quarter."""
    found = peaks(AUGMENT[name](dots(300, x, y), generator()))
    axis, at = (0, x) if x != 0.5 else (1, y)
    assert ((found[:, axis] < 0.5) == (at < 0.5)).all()


def test_only_the_name_that_says_so_mirrors_and_it_does_so_to_every_other_image():
    found = peaks(AUGMENT["light-flip"](dots(400, 0.25, 0.3), generator()))
    assert float((found[:, 0] > 0.5).float().mean()) == pytest.approx(0.5, abs=0.08)
    assert (found[:, 1] < 0.5).all()
    assert [name for name, recipe in RECIPES.items() if recipe.mirror] == ["light-flip"]


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_moves_further_than_the_recipe_says(name):
    recipe, x, y = RECIPES[name], 0.7, 0.35
    found = peaks(AUGMENT[name](dots(300, x, y), generator()))
    if recipe.mirror:
        found[:, 0] = torch.where(found[:, 0] < 0.5, 1 - found[:, 0], found[:, 0])
    from_centre = math.hypot(x - 0.5, y - 0.5)
    # Seen from the picture: a place that is looked up at z times its distance lands at 1/z of it.
    widest = 1 / (1 - recipe.narrow)
    stretched = from_centre * (widest - 1)
    turned = 2 * from_centre * widest * math.sin(recipe.rotation / 2)
    most = stretched + turned + math.sqrt(2) * widest * (recipe.shift + recipe.bend) + 1.5 / PX
    moved = torch.hypot(found[:, 0] - x, found[:, 1] - y)
    assert float(moved.max()) <= most
    assert float(moved.max()) > 0.4 * most


@pytest.mark.parametrize("name", ["light", "contrast", "light-flip"])
def test_greys_keep_their_order_where_neither_noise_nor_edges_are_changed(name):
    ramp = torch.linspace(0, 1, PX).view(1, 1, 1, PX).expand(20, 1, PX, PX)
    middle = AUGMENT[name](ramp, generator())[:, 0, PX // 2]
    steps = middle.diff(dim=1)
    rising = (steps.mean(dim=1, keepdim=True) > 0).float() * 2 - 1
    assert (steps * rising >= -1e-6).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_stronger_recipe_changes_more_and_none_drowns_the_picture(name):
    """A disc of tissue is still told from its surroundings."""
    x = dots(200, 0.5, 0.5, radius=12, ground=0.2)
    out = AUGMENT[name](x, generator())
    inside, outside = out[..., 28:36, 28:36].mean(dim=(1, 2, 3)), out[..., :6, :].mean(dim=(1, 2, 3))
    assert (inside - outside > 0.1).all()


def test_the_names_are_in_order_of_strength():
    x = dots(200, 0.4, 0.45, radius=8)
    changed = [
        float((AUGMENT[name](x, generator()) - x).abs().mean())
        for name in ("none", "light", "medium", "strong")
    ]
    assert changed == sorted(changed)
    assert changed[0] == 0 < changed[1]
    assert np.all(np.diff(changed) > 0.005)


def test_views_for_contrast_keep_a_small_lesion():
    """Neither blurred away, nor cut off, nor covered: MoCo must not learn that an image without it is the same."""
    recipe = RECIPES["contrast"]
    assert (recipe.soften, recipe.sharpen, recipe.grain, recipe.boxes, recipe.bend) == (0, 0, 0, 0, 0)
    out = AUGMENT["contrast"](dots(300, 0.35, 0.6, radius=1.2), generator())
    contrast = out.amax(dim=(1, 2, 3)) - out.flatten(1).median(dim=1).values
    assert float(contrast.min()) > 0.1
    inside = dots(300, 0.2, 0.2, radius=1.2)
    out = AUGMENT["contrast"](inside, generator(1))
    assert float((out.amax(dim=(1, 2, 3)) - out.flatten(1).median(dim=1).values).min()) > 0.1
