"""Runs that must come first though nobody named them: a teacher, an autoencoder, a pretraining.

In:    the fields of a run of a sweep, the fields that name a run already.
Out:   what it waits for, and the fields of the run that gives it; a sentence where two runs do not fit each other.
Never: files of a lab, torch; which runs a sweep has (sweeps.expand).

A sweep says so by what it asks for: the policy 'self-trained' needs a teacher, a head on latents an autoencoder, and
strategy.start_from "@moco" a pretraining without labels.
"""

import copy
from collections.abc import Mapping
from typing import Any

from cxrlab import presets
from cxrlab import spec as specs
from cxrlab.choices import strategies
from cxrlab.errors import BadSpec
from cxrlab.learning import lineage, teacher
from cxrlab.spec.parts import ViewSpec

TEACHER, LATENTS, START = "teacher", "model.latents_of", "strategy.start_from"
# Field that names a run → the word that stands for one that is to be made first, and what this one is called.
WORDS = {TEACHER: "@teacher", LATENTS: "@autoencoder", START: "@moco"}
NAMES = {TEACHER: "teacher", LATENTS: "autoencoder", START: "pretraining"}
MARK = "@"
RECIPE = "quick"  # of cxrlab.presets: how an autoencoder or a pretraining is trained that nobody described
POLICY = "self-trained"


def waits_for(fields: Mapping[str, Any], named: Mapping[str, str]) -> list[str]:
    """Return the fields that are to name a run which has to come first and is not named yet.

    Args:
        fields: of a TrainSpec.
        named: fields that name a run of the sweep already.

    Raises:
        BadSpec: a field names a run by a word that nobody knows.
    """
    found = []
    for path, word in WORDS.items():
        said = value_at(fields, path)
        if isinstance(said, str) and said.startswith(MARK) and said != word:
            raise BadSpec(
                f"{path} {said!r} is no run; expected a run's name or, for {NAMES[path]} that the sweep makes first, {word!r}; "
                "another arm's run is named in the arm's 'needs'."
            )
        if path not in named and (said == word or (not said and _is_implied(path, fields))):
            found.append(path)
    return found


def _is_implied(path: str, fields: Mapping[str, Any]) -> bool:
    if path == LATENTS:
        return value_at(fields, "model.name") == "latent_head"
    if path != TEACHER or POLICY not in str(fields.get("view", "")):
        return False
    asked = copy.deepcopy(dict(fields))
    for needed in (LATENTS, START):
        if value_at(fields, needed) or (needed == LATENTS and _is_implied(LATENTS, fields)):
            put(asked, needed, "to-come")
    try:
        made = specs.build(asked)
    except BadSpec:  # whoever builds the run says why it cannot be
        return False
    return isinstance(made, specs.TrainSpec) and bool(teacher.learners(made))


def fields_of(path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the run that `path` is to name, for a run of `fields`.

    A teacher is the same run with uncertain labels masked. An autoencoder and a pretraining see the same images at the same
    homes, without labels, so what the run says of labels is left out; how they are trained is the lab's own recipe.
    """
    made = copy.deepcopy(dict(fields))
    if path == TEACHER:
        put(made, TEACHER, "")
        made["view"] = _masked(made["view"])
        return made
    task = "autoencoder" if path == LATENTS else strategies.CHOICES["moco"].fields["task"]
    known, given = (
        presets.training(RECIPE, presets.PRETRAINING if path == START else task),
        made.get("training", {}),
    )
    training = dict(known["training"])
    if path == START:
        training |= strategies.CHOICES["moco"].fields["training"]
    training["batch"] = min(training["batch"], given.get("batch", training["batch"]))
    view = {
        name: value
        for name, value in made.get("view", {}).items()
        if name not in ("uncertain", "uncertain_of")
    }
    model = made.get("model", {})
    if path == LATENTS:
        model = {"name": "autoencoder"} | {name: model[name] for name in ("latent_units",) if name in model}
    else:
        view["external"] = []
    kept = {name: made[name] for name in ("seed", "maps_per_group") if name in made}
    return {"kind": "train", "task": task, "view": view, "model": model, "training": training, **kept}


def _masked(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the view's fields with 'ignore' in place of 'self-trained', said as shortly as it can be."""
    default = ViewSpec.model_fields["uncertain"].default
    usual = view.get("uncertain", default)
    usual = "ignore" if usual == POLICY else usual
    own = {
        label: "ignore" if policy == POLICY else policy
        for label, policy in view.get("uncertain_of", {}).items()
    }
    return {**view, "uncertain": usual, "uncertain_of": {label: p for label, p in own.items() if p != usual}}


def gives(path: str, known: specs.TrainSpec, fields: Mapping[str, Any]) -> bool:
    """Return whether an autoencoder or a pretraining of the sweep may be what a run of `fields` waits for."""
    wanted = specs.build(fields_of(path, fields))
    if not isinstance(wanted, specs.TrainSpec) or known.task != wanted.task or known.seed != wanted.seed:
        return False
    here, there = known.view, wanted.view
    if (here.image_px, here.preprocess, here.official_split) != (
        there.image_px,
        there.preprocess,
        there.official_split,
    ):
        return False
    external = value_at(fields, "view.external") or ()
    if (
        path == START
    ):  # unlabelled images of other hospitals are what it is for, but for those it will be judged at
        return known.model == wanted.model and not set(here.source) & set(external)
    same = known.model.latent_units == wanted.model.latent_units
    return same and sorted(here.source) == sorted(there.source)


def check_fit(path: str, known: specs.TrainSpec, spec: specs.TrainSpec) -> None:
    """Raise BadSpec unless `spec` can go on from `known`, its teacher, its autoencoder or its start, once that is trained."""
    if path == TEACHER:
        teacher.check_fit(known, spec)
    elif path == START:
        lineage.check_fit(known, spec)
    elif path == LATENTS and known.task != "autoencoder":
        raise BadSpec(f"{spec.model.latents_of!r} is no autoencoder; name the run of one.")


def value_at(fields: Mapping[str, Any], path: str) -> Any:
    """Return a field of nested dicts by its dotted name; None where it is not said.

    >>> value_at({"model": {"name": "a"}}, "model.name"), value_at({}, "model.name")
    ('a', None)
    """
    here: Any = fields
    for name in path.split("."):
        if not isinstance(here, Mapping) or name not in here:
            return None
        here = here[name]
    return here


def put(fields: dict[str, Any], path: str, value: Any) -> None:
    """Set a field of nested dicts by its dotted name.

    Raises:
        BadSpec: something on the way is no group of fields.

    >>> fields = {"training": {"epochs": 2}}
    >>> put(fields, "training.loss", "focal"); fields
    {'training': {'epochs': 2, 'loss': 'focal'}}
    """
    *groups, last = path.split(".")
    for name in groups:
        fields = fields.setdefault(name, {})
        if not isinstance(fields, dict):
            raise BadSpec(f"{path}: {name!r} is no group of fields.")
    fields[last] = value
