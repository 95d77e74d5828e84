"""Every study preset says its question and what it needs, and its miniature can run on any sites that play its roles."""

import json

import pytest

from cxrlab.__main__ import main
from cxrlab.choices.optimizers import CHOICES
from cxrlab.errors import BadSpec, UnknownName
from cxrlab.labels import SHARED
from cxrlab.sweeps import expand, plan, presets
from tests.jobs.kit import write_store

NAMES = presets.names()
EXPECTED = {
    "adult-to-child", "chexpert-external", "uncertainty", "optimizers", "losses", "preprocessing", "photos",
    "hierarchical-vs-flat", "grey-64",
}  # fmt: skip


@pytest.fixture
def four(lab):
    """Four sites that annotate every shared finding."""
    for k, site in enumerate(("north", "coast", "south", "kids")):
        write_store(lab, site, n=160, labels=SHARED, seed=k)
    return lab


def bound(lab, name, **more):
    preset = presets.read(name)
    return presets.bind(lab, preset, presets.usual(lab, preset, "north"), **more)


def test_the_studies_of_the_field_are_there():
    assert set(NAMES) == EXPECTED


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_its_question_its_sources_and_what_a_full_run_needs(name):
    one = presets.read(name)
    assert one.question.endswith("?") and one.sources and one.needs.images and one.needs.data
    assert presets.count(one) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_miniature_is_runs_that_can_be(name, four):
    sweep = bound(four, name, mini=True)
    found = plan.outline(four, sweep)
    assert not found.invalid
    assert 2 <= len(found.cells) <= 10
    assert {one.view.image_px for one in found.specs} == {32}
    assert max(one.training.epochs for one in found.specs) <= 4
    assert plan.cost(four, found).seconds < 300
    assert sweep.name == f"{name}-mini"


@pytest.mark.parametrize("name", NAMES)
def test_the_full_study_is_runs_that_can_be_or_says_that_the_sites_are_small(name, four):
    found = plan.outline(four, bound(four, name))
    small = [
        why
        for why in found.invalid.values()
        if "asks for" in why and "training images and there are too few" in why
    ]
    assert len(small) == len(found.invalid)
    assert bool(small) == (name == "photos")  # the only one with label budgets
    assert len(found.cells) + len(found.same) + len(small) == presets.count(presets.read(name))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_full_run_needs_is_said_on_the_command_line_and_its_miniature_is_minutes(name, four, capsys):
    """Sites by role, images, GPU hours, first weights: what a person must have before pressing start."""
    assert main(["sweep", "--presets", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}[name]
    assert listed["needs"]["gpu_hours"] > 0 and listed["needs"]["data"] and listed["needs"]["images"]
    assert listed["runs"] == presets.count(presets.read(name))
    assert all(role["what"] and role["example"] for role in listed["roles"].values())
    said = presets.weights_of(presets.read(name))
    assert listed["needs"]["weights"] == said
    full = bound(four, name)
    assert bool(said) == any(cell.spec.model.weights == "hub" for cell in expand.expand(full).cells)
    mini = expand.expand(bound(four, name, mini=True))
    assert {cell.spec.model.weights for cell in mini.cells} == {"none"}  # nothing to fetch
    cost = plan.cost(four, mini)
    assert 0 < cost.low < cost.seconds < cost.high < 900 and 0 < cost.n_bytes < 2e9
    assert cost.basis


def test_optimizers_start_where_their_own_room_says():
    for arm in presets.read("optimizers").sweep["arms"]:
        known = CHOICES[arm["name"]]
        assert arm["set"]["training.learning_rate"] == known.learning_rate
        assert arm["set"]["training.weight_decay"] == known.weight_decay


def test_what_is_needed_is_found_by_its_arm(four):
    found = plan.outline(four, bound(four, "uncertainty", mini=True))
    taught = next(cell for cell in found.cells if cell.arm == "self-trained")
    assert taught.needs == {"teacher": "ignore"}
    assert taught.spec.view.uncertain == "self-trained"


def test_seeds_can_be_said(four):
    assert len(plan.outline(four, bound(four, "grey-64", mini=True, seeds=[0, 1, 2])).cells) == 6


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'losses'"):
        presets.read("loses")


@pytest.mark.parametrize(
    ("sites", "said"),
    [
        ({"external": ["coast"]}, "needs a site as home .*--home SITE"),
        ({"home": ["north"], "film": ["coast"]}, "has no role 'film'"),
        ({"home": ["north", "coast"], "external": ["south"]}, "takes one site as home"),
        ({"home": ["north"], "external": ["north"]}, "has two roles"),
    ],
)
def test_roles_that_do_not_fit_are_one_sentence(four, sites, said):
    with pytest.raises(BadSpec, match=said):
        presets.bind(four, presets.read("losses"), sites, mini=True)


def test_a_home_that_can_teach_nothing_is_one_sentence(lab):
    write_store(lab, "tiny", n=20, labels=SHARED)
    write_store(lab, "other", n=160, labels=SHARED, seed=1)
    with pytest.raises(BadSpec, match="no shared finding has 10 positive"):
        presets.bind(lab, presets.read("losses"), {"home": ["tiny"], "external": ["other"]}, mini=True)


def test_a_preset_is_plain_text_that_a_person_can_change(tmp_path):
    for path in presets.FOLDER.glob("*.json"):
        fields = json.loads(path.read_text(encoding="utf-8"))
        assert set(fields) == {"title", "question", "sources", "roles", "needs", "sweep", "miniature"}
