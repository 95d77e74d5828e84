"""What a plug-in lets one set can be said in a run's spec, and reaches the plug-in when the run trains.

Options are taken from the rooms' lists: adding one adds its test.
"""

from typing import Literal, get_args, get_origin

import pytest

from cxrlab import files, ingest, phantom, spec, train
from cxrlab.choices import Choice, fitting, networks, strategies
from cxrlab.errors import BadSpec
from cxrlab.paths import Lab
from cxrlab.progress import Progress

# Field of a run → the room that names its plug-ins, and the field with their own options ("": there is none).
SAID = {
    f"training.{field}": (
        fitting.room(field),
        f"training.{field}_options" if f"{field}_options" in spec.TrainingSpec.model_fields else "",
    )
    for field in fitting.ROOMS
} | {"model.name": (networks.CHOICES, "model.options")}
WITH_OPTIONS = [
    (field, name)
    for field, (room, _) in SAID.items()
    for name, choice in room.items()
    if choice.options.model_fields
]
HOME = "north"


def other(choice, name):
    """Return a value of an option that is not its default."""
    info, start = choice.options.model_fields[name], getattr(choice.options(), name)
    if info.annotation is bool:
        return not start
    if get_origin(info.annotation) is Literal:
        return next(value for value in get_args(info.annotation) if value != start)
    if info.annotation is str:
        return next(value for value in ("small_cnn3", "densenet121") if value != start)  # a network's name
    for value in (start * 0.5, start * 1.5, start + 0.1, start + 1, start - 1, 0.5):
        said = int(value) if info.annotation is int else float(value)
        try:
            if said != start:
                choice.read({name: said})
                return said
        except BadSpec:
            continue
    raise AssertionError(f"say in this test another value of {name!r}")


def changed(choice):
    return {name: other(choice, name) for name in choice.options.model_fields}


def built(path, name, options_path, options):
    fields = {
        "kind": "train",
        "view": {
            "source": [HOME],
            "labels": ["No Finding", "Atelectasis", "Pleural Effusion"],
            "image_px": 32,
        },
        "model": {"name": "small_cnn"},
        "training": {"epochs": 1, "batch": 16, "learning_rate": 1e-3},
        "maps_per_group": 0,
    }
    for where, value in ((path, name), (options_path, options)):
        group, field = where.split(".")
        fields[group][field] = value
    return spec.build(fields)


def heard(monkeypatch):
    """Return what each plug-in's options were whenever they were asked for."""
    seen, read = [], Choice.read

    def noted(choice, given=None):
        made = read(choice, given)
        seen.append((choice.name, made.model_dump(mode="json")))
        return made

    monkeypatch.setattr(Choice, "read", noted)
    return seen


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("options"))
    phantom.write_raw(lab.root / "raw", HOME, 64, seed=1)
    ingest.ingest(lab, "phantom", lab.root / "raw", HOME, px=32, workers=1)
    return lab


def trained(lab, wanted):
    run = lab.run(wanted.run_id)
    files.write_text(run.spec, spec.dumps(wanted) + "\n")
    train.fit(wanted, lab, run, Progress(), "cpu")


def test_a_room_whose_plug_ins_have_options_has_a_field_that_says_them():
    silent = [(path, name) for path, name in WITH_OPTIONS if not SAID[path][1]]
    assert not silent, f"no field of the spec says the options of {silent}"
    said = {name for name, choice in strategies.CHOICES.items() if choice.options.model_fields}
    assert said == {"moco"}  # strategy.moco_options; another strategy's options need a field of their own


@pytest.mark.parametrize(("path", "name"), WITH_OPTIONS, ids=lambda value: value)
def test_an_option_makes_another_run_and_reaches_its_plug_in(hospital, path, name, monkeypatch):
    choice, options_path = SAID[path][0][name], SAID[path][1]
    options = changed(choice)
    wanted = built(path, name, options_path, options)
    assert wanted.run_id != built(path, name, options_path, {}).run_id
    seen = heard(monkeypatch)
    trained(hospital, wanted)
    reached = [said for of, said in seen if of == name]
    assert reached and all(said == choice.read(options).model_dump(mode="json") for said in reached)


def test_mocos_options_make_another_run_and_reach_it(hospital, monkeypatch):
    choice = strategies.CHOICES["moco"]
    options, fields = (
        changed(choice),
        {"kind": "train", "task": "moco", "view": {"source": [HOME], "image_px": 32}},
    )
    fields |= {"model": {"name": "small_cnn"}, "training": {"epochs": 1, "batch": 16, "augment": "contrast"}}
    plain, wanted = (spec.build({**fields, "strategy": {"moco_options": said}}) for said in ({}, options))
    assert plain.run_id != wanted.run_id
    seen = heard(monkeypatch)
    trained(hospital, wanted)
    assert choice.read(options).model_dump(mode="json") in [said for of, said in seen if of == "moco"]
