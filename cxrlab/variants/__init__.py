"""Stores whose images went through a crop, a shape or a contrast: made once, found again, removable.

In:    an open store, a run's ViewSpec, the stores of its home sites.
Out:   `stores/derived/<site>-<key>.h5`; which of them a lab keeps and which runs use them.
Never: torch; targets; values scaled for a network (inputs.py).

A variant's key is a digest of the store it was made from, of what is done to the images, and, where grey values are
standardised to home, of home's stores: the landmarks follow from those, so a spec alone finds its variants. Landmarks
are also kept in the variant and in the checkpoint, and a variant with others is made again.
"""

from cxrlab.variants.making import existing, fitted, opened
from cxrlab.variants.recipe import Recipe, recipe_of, words_of
from cxrlab.variants.shelf import Variant, as_seen, listed, recipe_of_run, remove, remove_of, users

__all__ = [
    "Recipe",
    "Variant",
    "as_seen",
    "existing",
    "fitted",
    "listed",
    "opened",
    "recipe_of",
    "recipe_of_run",
    "remove",
    "remove_of",
    "users",
    "words_of",
]
