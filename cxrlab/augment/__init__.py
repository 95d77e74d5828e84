"""The changes of images in training that a spec can name: f(images, generator) → images, on the device."""

from cxrlab.augment.changes import AUGMENT, RECIPES, Augment, Recipe
from cxrlab.augment.light import light

__all__ = ["AUGMENT", "RECIPES", "Augment", "Recipe", "light"]
