"""Phantom radiographs: made-up chests whose findings are known.

In:    a recipe (a made-up hospital), a seed, an index.
Out:   a frontal chest X-ray, its masks, facts and evidence; the same for ever for the same three.
Never: stores, targets, models.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cxrlab import files
from cxrlab.errors import BadInput, UnknownName
from cxrlab.labels import SHARED, Evidence
from cxrlab.phantom import acquisition, physics, population
from cxrlab.phantom.brush import SIZE
from cxrlab.phantom.population import Recipe
from cxrlab.phantom.recipes import DEMO, RECIPES

__all__ = ["DEMO", "MASKS", "RECIPES", "SIZE", "Drawn", "Recipe", "draw", "recipe_of", "resize", "write_raw"]

MASKS = ("lungs", "heart", *SHARED[1:])


@dataclass(frozen=True)
class Drawn:
    """One phantom radiograph."""

    image: np.ndarray  # (px, px) uint8, bone bright
    masks: dict[str, np.ndarray]  # "lungs", "heart" and each finding's label → (px, px) bool
    facts: dict[str, Any]  # patient_id, study_id, sex, age_years, view, native_label
    evidence: dict[str, Evidence]  # label → what the labeller wrote, in the order of labels.SHARED


def recipe_of(recipe: str | Recipe) -> Recipe:
    """Return a recipe by name, or the recipe given.

    Raises:
        UnknownName: there is none of that name.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise UnknownName(f"no phantom recipe named {recipe!r}; known: {', '.join(RECIPES)}.")
    return RECIPES[recipe]


def draw(recipe: str | Recipe, i: int, px: int = SIZE, seed: int = 0) -> Drawn:
    """Return image `i` of the hospital `recipe`; it depends on nothing but these arguments.

    Every picture is made at SIZE pixels and then resized, so that another `px` is the same picture.
    """
    recipe = recipe_of(recipe)
    story = population.visit(recipe, seed, i)
    shadow = physics.cast(story.body, story.findings)
    rng = population.stream(recipe, seed, "exposure", i)
    image = acquisition.expose(shadow, recipe.acquisition, story.body.ap, rng)
    # Every picture has every mask, so that a store can hold them; an absent finding's is empty.
    none = np.zeros((SIZE, SIZE), bool)
    masks = {name: shadow.masks.get(name, none) for name in MASKS}
    return resize(Drawn(image, masks, story.facts, story.evidence), px)


def resize(drawn: Drawn, px: int) -> Drawn:
    """Return the same picture and masks at `px` pixels a side."""
    if px == len(drawn.image):
        return drawn
    how = cv2.INTER_AREA if px < len(drawn.image) else cv2.INTER_LINEAR
    masks = {
        name: cv2.resize(mask.astype(np.uint8) * 255, (px, px), interpolation=how) > 127
        for name, mask in drawn.masks.items()
    }
    return replace(drawn, image=cv2.resize(drawn.image, (px, px), interpolation=how), masks=masks)


def write_raw(folder: Path, recipe: str, n: int, seed: int = 0) -> None:
    """Write a raw folder of `n` images that the site plug-in `phantom` reads: one small file, drawn when read.

    Raises:
        UnknownName: no such recipe.
        BadInput: n is below 1.
    """
    recipe_of(recipe)
    if n < 1:
        raise BadInput(f"{n} phantom images were asked for; ask for at least 1.")
    files.write_json(folder / "phantom.json", {"recipe": recipe, "n": n, "seed": seed})
