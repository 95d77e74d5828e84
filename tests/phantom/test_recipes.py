"""Recipes are hospitals: the same for ever, each unlike the other where it should be."""

import functools

import numpy as np
import pytest
from scipy.stats import ks_2samp

from cxrlab import phantom
from cxrlab.errors import BadInput, UnknownName
from cxrlab.labels import NO_FINDING, SHARED, Evidence
from cxrlab.phantom import population
from cxrlab.views import split_of


@functools.cache
def pictures(recipe, n=80, seed=0):
    return [phantom.draw(recipe, i, seed=seed) for i in range(n)]


@functools.cache
def stories(recipe, n):
    return [population.visit(phantom.RECIPES[recipe], 0, i) for i in range(n)]


def lung_grey(recipe):
    """Return the mean grey of each picture's lungs."""
    return [d.image[d.masks["lungs"]].mean() for d in pictures(recipe)]


def test_a_picture_depends_on_recipe_seed_and_index_alone():
    first = phantom.draw("south", 7, seed=4)
    phantom.draw("coast", 1)
    again = phantom.draw("south", 7, seed=4)
    assert np.array_equal(first.image, again.image)
    assert first.facts == again.facts and first.evidence == again.evidence
    assert all(np.array_equal(first.masks[name], again.masks[name]) for name in phantom.MASKS)


def test_another_seed_index_or_recipe_is_another_picture():
    base = phantom.draw("north", 3, seed=0).image
    for other in (phantom.draw("north", 3, seed=1), phantom.draw("north", 4), phantom.draw("north-twin", 3)):
        assert (other.image != base).mean() > 0.5


def test_a_smaller_picture_is_the_same_picture():
    large, small = phantom.draw("north", 5), phantom.draw("north", 5, px=56)
    assert small.image.shape == (56, 56) and small.masks["lungs"].shape == (56, 56)
    shrunk = large.image.reshape(56, 4, 56, 4).mean(axis=(1, 3))
    assert np.abs(small.image - shrunk).max() <= 1


@pytest.mark.parametrize("recipe", phantom.RECIPES)
def test_every_recipe_gives_grey_pictures_with_every_mask(recipe):
    for drawn in pictures(recipe)[:10]:
        assert drawn.image.shape == (phantom.SIZE, phantom.SIZE) and drawn.image.dtype == np.uint8
        assert drawn.image.std() > 20 and 40 < drawn.image.mean() < 200
        assert tuple(drawn.masks) == phantom.MASKS
        assert all(mask.dtype == bool for mask in drawn.masks.values())
        assert tuple(drawn.evidence) == SHARED
        assert drawn.facts["sex"] in ("F", "M") and drawn.facts["view"] in ("PA", "AP")


def test_the_twin_is_like_home_and_the_others_are_not():
    home = lung_grey("north")
    assert ks_2samp(home, lung_grey("north-twin")).statistic < 0.25
    assert ks_2samp(home, lung_grey("south")).statistic > 0.5
    # Contrast over the whole picture tells all of them apart.
    spread = {recipe: [d.image.std() for d in pictures(recipe)] for recipe in phantom.RECIPES}
    assert ks_2samp(spread["north"], spread["north-twin"]).statistic < 0.25
    for other in ("children", "south", "coast"):
        assert ks_2samp(spread["north"], spread[other]).statistic > 0.25


def test_findings_of_a_patient_with_none_are_none_and_the_labeller_says_so():
    for story in stories("north", 400):
        said = story.evidence
        if said[NO_FINDING] == Evidence.POSITIVE:
            assert not any(said[label] in (Evidence.POSITIVE, Evidence.UNCERTAIN) for label in SHARED[1:])
        if any(said[label] == Evidence.POSITIVE for label in SHARED[1:]):
            assert said[NO_FINDING] == Evidence.NEGATIVE


def test_uncertainty_is_for_subtle_findings():
    unsure = [
        f.severity
        for story in stories("north", 1600)
        for f in story.findings
        if story.evidence[f.label] == Evidence.UNCERTAIN
    ]
    assert len(unsure) > 20 and max(unsure) < population.SUBTLE


def test_home_has_enough_of_everything_in_its_test_part():
    site, recipe, n = phantom.DEMO[0]
    test = [s.evidence for s in stories(recipe, n) if split_of(s.facts["patient_id"], site) == "test"]
    for label in SHARED:
        positive = sum(said[label] == Evidence.POSITIVE for said in test)
        negative = sum(said[label] == Evidence.NEGATIVE for said in test)
        assert positive >= 25, label
        assert negative >= 100, label


def test_a_bedside_picture_means_a_sick_heart_at_home_only():
    def share(recipe, sick):
        chosen = [
            s.body.ap
            for s in stories(recipe, 1600)
            if sick == any(f.label in ("Edema", "Pleural Effusion") for f in s.findings)
        ]
        return np.mean(chosen)

    assert share("north", True) > share("north", False) + 0.3
    assert abs(share("south", True) - share("south", False)) < 0.1


def test_a_site_that_never_looks_says_so():
    assert {s.evidence["Lung Lesion"] for s in stories("children", 50)} == {Evidence.NOT_ANNOTATED}


def test_visits_of_one_patient_share_the_body_and_the_chronic_findings():
    by_patient = {}
    for story in stories("north", 400):
        by_patient.setdefault(story.facts["patient_id"], []).append(story)
    again = [visits for visits in by_patient.values() if len(visits) > 1]
    assert 0.15 < len(again) / len(by_patient) < 0.4 and max(map(len, again)) == 3
    for visits in again:
        assert len({(s.body.half_width, s.facts["sex"], s.body.wobble) for s in visits}) == 1
        assert len({s.facts["study_id"] for s in visits}) == len(visits)
        for label in population.CHRONIC:
            seeds = {f.seed for s in visits for f in s.findings if f.label == label}
            assert len(seeds) <= 1


def test_labels_come_together_as_illnesses_do():
    truth = np.array(
        [[label in {f.label for f in s.findings} for label in SHARED] for s in stories("north", 1600)]
    )
    of = {label: truth[:, k] for k, label in enumerate(SHARED)}
    assert of["Cardiomegaly"][of["Edema"]].mean() > 3 * of["Cardiomegaly"][~of["Edema"]].mean()
    assert of["Consolidation"][of["Pneumonia"]].mean() > 3 * of["Consolidation"][~of["Pneumonia"]].mean()


def test_the_demo_names_known_recipes_and_home_first():
    assert phantom.DEMO[0][1] == "north" and len(phantom.DEMO) == 4
    assert len({site for site, _, _ in phantom.DEMO}) == 4
    assert all(recipe in phantom.RECIPES for _, recipe, _ in phantom.DEMO)


def test_an_unknown_recipe_is_a_sentence(tmp_path):
    with pytest.raises(UnknownName, match="no phantom recipe named 'nowhere'"):
        phantom.write_raw(tmp_path, "nowhere", 3)
    with pytest.raises(BadInput, match="at least 1"):
        phantom.write_raw(tmp_path, "north", 0)
    assert list(tmp_path.iterdir()) == []
