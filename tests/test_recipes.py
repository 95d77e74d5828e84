"""A recipe in docs/recipes is a spec that can be carried out as it stands."""

from pathlib import Path

import pytest

from cxrlab import spec
from cxrlab.choices import augmentations, losses, optimizers, sampling, schedules
from cxrlab.choices.networks import why_not
from cxrlab.models.base import Plan, build

RECIPES = sorted((Path(__file__).parent.parent / "docs" / "recipes").glob("*.json"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_nothing_that_there_is_not(path):
    recipe = spec.read(path)
    assert isinstance(recipe, spec.TrainSpec)
    assert why_not(recipe.model, recipe.task) == ""
    training = recipe.training
    optimizers.CHOICES[training.optimizer].read(training.optimizer_options)
    schedules.CHOICES[training.schedule].read(training.schedule_options)
    losses.CHOICES[training.loss].read(training.loss_options)
    assert training.sampling in set(sampling.CHOICES)
    assert training.augment in set(augmentations.CHOICES)
    build(Plan(recipe.model, len(recipe.view.labels), recipe.view.image_px))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_written_as_a_person_would_change_it(path):
    recipe = spec.read(path)
    assert spec.build(recipe.model_dump(mode="json")) == recipe
    assert not recipe.data, "a recipe is for anyone's copy of the data: store digests come at submission"


def test_the_recipe_for_pneumoniamnist_is_chosen_without_its_test_images():
    recipe = spec.read(next(path for path in RECIPES if path.stem == "pneumoniamnist"))
    assert recipe.view.official_split
    assert recipe.view.image_px == 28
    assert recipe.model.weights == "none"
    assert recipe.training.select.startswith("val-")
