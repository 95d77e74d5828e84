"""A sweep names its runs, each once; what cannot be is named with its reason."""

import pytest

from cxrlab import spec
from cxrlab.errors import BadSpec
from cxrlab.sweeps import expand, values
from cxrlab.sweeps.expand import MOST

BASE = {"view": {"source": ["home"], "labels": ["Pneumonia"]}, "model": {"name": "small_cnn"}}


def sweep(**fields):
    return spec.build({"kind": "sweep", "name": "x", "base": BASE, **fields})


def test_a_grid_is_every_value_with_every_other_and_every_seed():
    found = expand.expand(
        sweep(axes={"training.loss": ["bce", "focal"], "training.epochs": [1, 2, 3]}, seeds=[0, 1])
    )
    assert len(found.cells) == 12
    assert len({one.run_id for one in found.specs}) == 12
    last = found.cells[-1]
    assert (last.spec.training.loss, last.spec.training.epochs, last.spec.seed) == ("focal", 3, 1)


def test_a_list_takes_one_of_each_in_turn():
    found = expand.expand(
        sweep(how="list", axes={"training.loss": ["bce", "focal"], "training.epochs": [1, 2]})
    )
    assert [(one.training.loss, one.training.epochs) for one in found.specs] == [("bce", 1), ("focal", 2)]
    with pytest.raises(BadSpec, match=r"all need as many; found training.loss: 2, training.epochs: 1"):
        sweep(how="list", axes={"training.loss": ["bce", "focal"], "training.epochs": [1]})


def test_a_million_runs_are_refused_in_one_sentence_and_nothing_is_built():
    thousand = list(range(1, 1001))
    asked = sweep(axes={"training.epochs": thousand, "training.patience": thousand})
    with pytest.raises(BadSpec, match=rf"names 1,000,000 runs; at most {MOST:,} can be asked for at once"):
        expand.expand(asked)


def test_two_words_for_one_run_are_run_once():
    found = expand.expand(sweep(arms=[{"name": "a"}, {"name": "b", "set": {"training.optimizer": "adamw"}}]))
    assert [cell.key for cell in found.cells] == ["a"]
    assert found.same == {"b": "a"}


def test_what_cannot_be_is_named_with_its_reason_and_refused_unless_left_out():
    found = expand.expand(sweep(axes={"training.loss": ["bce", "focl"]}))
    assert list(found.invalid) == ["training.loss=focl"]
    with pytest.raises(BadSpec, match=r"1 of 2 runs cannot be: training.loss=focl: .*did you mean 'focal'"):
        expand.refuse(found, skip_invalid=False)
    expand.refuse(found, skip_invalid=True)


def test_a_run_that_needs_another_stands_behind_it_and_names_it():
    arms = [
        {"name": "baseline"},
        {"name": "tuned", "set": {"strategy.images": 50}, "needs": {"strategy.start_from": "baseline"}},
    ]
    found = expand.expand(sweep(arms=arms, seeds=[0, 1]))
    assert [cell.key for cell in found.cells] == [
        "baseline seed 0",
        "baseline seed 1",
        "tuned seed 0",
        "tuned seed 1",
    ]
    assert found.cells[3].needs == {"strategy.start_from": "baseline seed 1"}
    whole = found.cells[3].with_runs({"baseline seed 1": "labels-done"})
    assert whole.strategy.start_from == "labels-done"


def test_what_needs_a_run_that_cannot_be_cannot_be():
    arms = [
        {"name": "a", "set": {"training.loss": "x"}},
        {"name": "b", "needs": {"strategy.start_from": "a"}},
    ]
    assert "needs 'a'" in expand.expand(sweep(arms=arms)).invalid["b"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"arms": [{"name": "b", "needs": {"teacher": "a"}}]}, "does not stand before it"),
        ({"arms": [{"name": "a"}, {"name": "a"}]}, "two arms are named 'a'"),
        ({"axes": {"seed": [1, 2]}}, "name seeds in the field 'seeds'"),
        ({"axes": {"training.epochs": []}}, "has no values"),
        ({"seeds": [1, 1]}, "each once"),
        ({"name": "../x"}, "name: found '../x'; expected up to 40 lower-case letters"),
    ],
)
def test_a_sweep_that_contradicts_itself_is_one_sentence(fields, said):
    with pytest.raises(BadSpec, match=said):
        sweep(**fields)


def test_a_field_that_no_run_has_is_a_reason_not_a_crash():
    found = expand.expand(sweep(axes={"training.rate": [1], "training.epochs.x": [2]}))
    assert len(found.invalid) == 1


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("1e-3..1e-5 log 3", "training.learning_rate", "runs backwards"),
        ("0..1 log 3", "training.learning_rate", "begins above 0"),
        ("0.1..0.5", "training.learning_rate", "says no step"),
        ("fast", "training.learning_rate", "no number or range"),
        ("1.5", "training.epochs", "no whole number"),
        ("1..1000000", "training.epochs", "at most"),
        ("", "training.epochs", "no value"),
    ],
)
def test_what_cannot_be_read_as_values_is_one_sentence(text, field, said):
    with pytest.raises(BadSpec, match=said):
        values.parse(text, values.fields()[field])
