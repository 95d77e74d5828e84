"""Findings change the picture where they are, as they do in people, and the more so the worse they are."""

import functools

import numpy as np
import pytest

from cxrlab.labels import SHARED
from cxrlab.phantom import physics, population
from cxrlab.phantom.findings import EFFECTS, Finding
from cxrlab.phantom.recipes import NORTH

FINDINGS = SHARED[1:]
SEVERITIES = (0.25, 0.55, 0.95)
SIDE = {"Cardiomegaly": 0, "Edema": 0}
BRIGHTENS = ("Pleural Effusion", "Consolidation", "Pneumonia", "Edema", "Lung Lesion")


@functools.cache
def person(number):
    """A standing adult, without findings."""
    i = [i for i in range(60) if not population.visit(NORTH, 0, i).body.ap][number]
    return population.visit(NORTH, 0, i).body


@functools.cache
def shadow(number, *findings):
    return physics.cast(person(number), findings)


def change(number, label, severity, seed=5):
    """Return where and by how much one finding deepens or thins the shadow."""
    ill = shadow(number, Finding(label, severity, SIDE.get(label, -1), seed))
    return ill.depth - shadow(number).depth, ill.masks[label]


def test_every_shared_finding_has_an_effect():
    assert set(EFFECTS) == set(FINDINGS)


@pytest.mark.parametrize("label", FINDINGS)
@pytest.mark.parametrize("number", range(3))
def test_a_finding_changes_the_picture_most_inside_its_mask(label, number):
    for severity in SEVERITIES:
        changed, mask = change(number, label, severity)
        assert mask.sum() > 20
        assert np.abs(changed[mask]).mean() > 3 * np.abs(changed[~mask]).mean()


@pytest.mark.parametrize("label", FINDINGS)
@pytest.mark.parametrize("number", range(3))
def test_a_worse_finding_changes_the_picture_more(label, number):
    amounts = [np.abs(change(number, label, severity)[0]).sum() for severity in SEVERITIES]
    assert amounts[0] < amounts[1] < amounts[2]
    areas = [change(number, label, severity)[1].sum() for severity in SEVERITIES]
    assert areas[0] <= areas[1] <= areas[2]


@pytest.mark.parametrize("label", FINDINGS)
def test_a_finding_of_no_severity_changes_nothing(label):
    nothing = shadow(0, Finding(label, 0.0, SIDE.get(label, 1), 5))
    assert np.array_equal(nothing.depth, shadow(0).depth)
    assert not nothing.masks.get(label, np.zeros(1)).any()


@pytest.mark.parametrize("label", BRIGHTENS)
@pytest.mark.parametrize("number", range(3))
def test_an_opacity_brightens(label, number):
    changed, mask = change(number, label, 0.6)
    assert changed[mask].mean() > 0.1


@pytest.mark.parametrize("number", range(3))
def test_an_effusion_blunts_its_own_costophrenic_angle_only(number):
    changed, _ = change(number, "Pleural Effusion", 0.25)
    lungs = shadow(number).masks["lungs"]
    rows, columns = np.nonzero(lungs)
    low = rows > np.quantile(rows, 0.93)
    right, left = low & (columns < 112), low & (columns > 112)
    assert changed[rows[right], columns[right]].mean() > 0.2
    assert abs(changed[rows[left], columns[left]]).max() == 0


@pytest.mark.parametrize("number", range(3))
def test_a_pneumothorax_darkens_and_takes_the_vessels_away(number):
    changed, rim = change(number, "Pneumothorax", 0.6)
    assert changed[rim].mean() < -0.15
    assert rim[:, 112:].sum() == 0


def test_findings_can_be_together_and_keep_their_own_masks():
    both = shadow(1, Finding("Pleural Effusion", 0.4, -1, 1), Finding("Lung Lesion", 0.5, 1, 2))
    assert both.masks["Pleural Effusion"][:, :112].any() and not both.masks["Pleural Effusion"][:, 125:].any()
    assert both.masks["Lung Lesion"][:, 112:].any()


def test_where_a_finding_lies_is_decided_by_its_seed():
    places = [np.argwhere(change(0, "Lung Lesion", 0.4, seed)[1]).mean(axis=0) for seed in range(6)]
    assert np.std(places, axis=0).min() > 3
    assert np.array_equal(change(0, "Pneumonia", 0.4, 3)[0], change(0, "Pneumonia", 0.4, 3)[0])
