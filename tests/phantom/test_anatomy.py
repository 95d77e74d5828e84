"""A phantom is built like a person."""

import functools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cxrlab.phantom import physics, population
from cxrlab.phantom.findings import Finding
from cxrlab.phantom.recipes import CHILDREN, NORTH


@functools.cache
def standing(recipe_name, n=12):
    recipe = {"north": NORTH, "children": CHILDREN}[recipe_name]
    bodies = [population.visit(recipe, 1, i).body for i in range(4 * n)]
    return [replace(body, ap=False, leads=0) for body in bodies[::4]]


def width(mask):
    columns = np.nonzero(mask.any(axis=0))[0]
    return columns[-1] - columns[0] + 1


def ratio(shadow):
    """Return the cardiothoracic ratio as a reader measures it: widest heart over widest chest."""
    return width(shadow.masks["heart"]) / width(shadow.masks["lungs"])


def test_a_large_heart_is_wider_than_half_the_chest_and_a_normal_one_is_not():
    for body in standing("north"):
        assert ratio(physics.cast(body)) < 0.52
        for severity in (0.2, 0.6, 1.0):
            assert ratio(physics.cast(body, (Finding("Cardiomegaly", severity),))) > 0.5


def test_a_heart_grows_with_severity():
    ratios = [
        ratio(physics.cast(standing("north")[0], (Finding("Cardiomegaly", s),))) for s in (0.1, 0.5, 0.9)
    ]
    assert ratios == sorted(ratios) and ratios[-1] - ratios[0] > 0.08


@pytest.mark.parametrize("who", ["north", "children"])
def test_there_are_two_lungs_and_they_lie_inside_the_body(who):
    for body in standing(who):
        shadow = physics.cast(body)
        lungs = shadow.masks["lungs"].astype(np.uint8)
        areas = sorted(cv2.connectedComponentsWithStats(lungs)[2][1:, cv2.CC_STAT_AREA])[::-1]
        assert len(areas) >= 2 and areas[1] > 0.4 * areas[0]
        assert sum(areas[2:]) < 0.01 * sum(areas)
        assert shadow.body[shadow.masks["lungs"]].min() > 0.99
        assert not (shadow.masks["lungs"] & shadow.masks["heart"]).any()


def test_lungs_are_darker_than_the_heart_and_the_heart_than_the_spine():
    for body in standing("north"):
        shadow = physics.cast(body)
        lungs, heart = shadow.depth[shadow.masks["lungs"]].mean(), shadow.depth[shadow.masks["heart"]].mean()
        assert lungs + 0.5 < heart
        assert shadow.depth[shadow.body == 0].max() == 0


def test_the_right_dome_is_the_higher_one_as_a_rule():
    higher = [body.dome[0] < body.dome[1] for body in standing("north", 40)]
    assert np.mean(higher) > 0.8


def test_children_have_rounder_chests_and_larger_hearts():
    def measures(who):
        shadows = [physics.cast(body) for body in standing(who)]
        rows = [np.nonzero(s.masks["lungs"].any(axis=1))[0] for s in shadows]
        tall = [r[-1] - r[0] + 1 for r in rows]
        wide = [width(s.masks["lungs"]) for s in shadows]
        return np.mean(np.array(wide) / tall), np.mean([ratio(s) for s in shadows])

    (round_adult, heart_adult), (round_child, heart_child) = measures("north"), measures("children")
    assert heart_child > heart_adult + 0.02
    assert round_child > round_adult


def test_a_larger_body_lets_less_through():
    body = standing("north")[0]
    thin, large = (physics.cast(replace(body, depth_cm=cm)).depth.mean() for cm in (18.0, 28.0))
    assert large > thin
