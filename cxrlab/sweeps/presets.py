"""Study presets: plain files that say a question, the runs that answer it, and what they need.

In:    presets_of_studies/<name>.json; which site of a lab plays which role.
Out:   a Preset; bound to sites, a SweepSpec, in full or in miniature.
Never: torch; values of its own: everything that decides a number stands in the file.

In a file, a text that begins with @ stands for something of the lab: @home and every other role for its sites, @labels
for the findings that every site that is trained on can teach.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from cxrlab import files, studies
from cxrlab import spec as specs
from cxrlab.choices import networks
from cxrlab.errors import BadInput, BadSpec
from cxrlab.jobs import request
from cxrlab.labels import SHARED
from cxrlab.paths import Lab
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen
from cxrlab.sweeps import expand

FOLDER = Path(__file__).parent.parent / "presets_of_studies"
MARK, LABELS = "@", "@labels"


class Role(Frozen):
    """What a site is in a study."""

    what: str = Field(title="What it is")
    trains: bool = Field(False, title="Trained on")
    many: bool = Field(False, title="Several sites")
    optional: bool = Field(False, title="May be left empty")
    example: str = Field("", title="For example")


class Needs(Frozen):
    """What a full run takes."""

    images: str = Field(title="Images")
    gpu_hours: float = Field(
        gt=0, title="GPU hours", description="Roughly, on one GPU of a data centre; not measured."
    )
    data: str = Field(title="Data")


class Miniature(Frozen):
    """What is different in miniature."""

    base: dict[str, Any] = Field(default_factory=dict, title="Base")
    axes: dict[str, tuple[Any, ...]] = Field(default_factory=dict, title="Axes")
    arms: tuple[str, ...] = Field((), title="Arms that stay", description="Empty: all of them.")
    set: dict[str, dict[str, Any]] = Field(default_factory=dict, title="Arm → what it sets besides")
    arm_axes: dict[str, dict[str, tuple[Any, ...]]] = Field(default_factory=dict, title="Arm → its axes")
    seeds: tuple[int, ...] = Field((0,), title="Seeds")


class Preset(Frozen):
    """One study as its file says it."""

    name: str
    title: str = Field(title="Title")
    question: str = Field(title="Question")
    sources: tuple[str, ...] = Field(title="Sources")
    roles: dict[str, Role] = Field(title="Roles")
    needs: Needs = Field(title="What a full run needs")
    sweep: dict[str, Any] = Field(title="Fields of a SweepSpec")
    miniature: Miniature = Field(title="In miniature")


def names() -> list[str]:
    """Return the names of the presets, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def read(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        UnknownName: there is none; the text has the nearest name and all that are known.
        BadInput: its file is damaged.
    """
    known: Registry[Path] = Registry("study preset")
    for path in FOLDER.glob("*.json"):
        known.add(path.stem)(path)
    path = known[name]
    try:
        return Preset(name=name, **files.read_json(path))
    except (ValidationError, TypeError) as error:
        raise BadInput(f"{path.name} is no study preset ({error}).") from error


def bind(
    lab: Lab,
    preset: Preset,
    sites: Mapping[str, Sequence[str]],
    *,
    mini: bool = False,
    seeds: Sequence[int] = (),
    allow_overlap: bool = False,
) -> specs.SweepSpec:
    """Return the preset's sweep over sites of a lab.

    Args:
        lab: where the sites' stores are.
        preset: which study.
        sites: role → the sites that play it.
        mini: tiny images, few epochs, few arms: to see that everything works.
        seeds: instead of the file's.
        allow_overlap: see ViewSpec.

    Raises:
        BadSpec: a role is unknown, has no site or too many, or its sites share no finding that can be taught.
        MissingInput, BadStore: a site has no store, or a damaged one.
    """
    _check_roles(preset, sites)
    fields = copy.deepcopy(preset.sweep)
    if mini:
        _make_small(fields, preset.miniature)
    words = {f"{MARK}{role}": list(sites.get(role, ())) for role in preset.roles}
    trained = [site for role, known in preset.roles.items() if known.trains for site in sites.get(role, ())]
    words[LABELS] = list(_teachable(lab, trained))
    made = _filled(fields, words)
    base = made.setdefault("base", {})
    everywhere = [request.open_store(lab, site) for some in sites.values() for site in some]
    view = base.setdefault("view", {})
    # Enlarging what is stored smaller would invent a shift.
    view["image_px"] = max(
        28, min(view.get("image_px", 224), *(min(there.image_shape) for there in everywhere))
    )
    if allow_overlap:
        view["allow_overlap"] = True
    batch = base.setdefault("training", {}).get("batch", 32)
    base["training"]["batch"] = max(2, min(batch, *(request.n_training(lab, (site,)) for site in trained)))
    size = "-mini" if mini else ""
    made |= {
        "kind": "sweep",
        "name": f"{preset.name}{size}",
        "title": preset.title,
        "question": preset.question,
    }
    if seeds:
        made["seeds"] = list(seeds)
    sweep = specs.build(made)
    if not isinstance(sweep, specs.SweepSpec):
        raise BadSpec(f"the preset {preset.name!r} makes no sweep.")
    return sweep


def _check_roles(preset: Preset, sites: Mapping[str, Sequence[str]]) -> None:
    unknown = [role for role in sites if role not in preset.roles]
    if unknown:
        raise BadSpec(
            f"{preset.name!r} has no role {unknown[0]!r}; its roles are: {', '.join(preset.roles)}."
        )
    for role, known in preset.roles.items():
        here = sites.get(role, ())
        if not here and not known.optional:
            raise BadSpec(
                f"{preset.name!r} needs a site as {role} ({known.what}); name one with {option_of(role)}."
            )
        if len(here) > 1 and not known.many:
            raise BadSpec(f"{preset.name!r} takes one site as {role}; found {', '.join(here)}.")
    named = [site for some in sites.values() for site in some]
    if twice := sorted({site for site in named if named.count(site) > 1}):
        raise BadSpec(f"{twice[0]!r} has two roles in {preset.name!r}; a site plays one.")


def option_of(role: str) -> str:
    """Return how a role is said on the command line.

    >>> option_of("home"), option_of("photos")
    ('--home SITE', '--role photos=SITE')
    """
    return f"--{role} SITE" if role in ("home", "external") else f"--role {role}=SITE"


def _teachable(lab: Lab, trained: Sequence[str]) -> tuple[str, ...]:
    """Return the shared labels that each of the sites that are trained on has enough patients of."""
    each = [set(studies.learnable(request.open_store(lab, site))) for site in trained]
    labels = tuple(label for label in SHARED if all(label in known for known in each))
    if not labels:
        raise BadSpec(
            f"no shared finding has {studies.FEWEST_PATIENTS} positive and {studies.FEWEST_PATIENTS} negative patients to "
            f"train on at {' and at '.join(trained)}; choose larger sites."
        )
    return labels


def _make_small(fields: dict[str, Any], mini: Miniature) -> None:
    """Change a preset's fields to its miniature's, in place."""
    _merge(fields.setdefault("base", {}), mini.base)
    if mini.axes:
        fields["axes"] = copy.deepcopy(dict(mini.axes))
    fields["seeds"] = list(mini.seeds)
    arms = fields.get("arms", [])
    if mini.arms:
        arms = fields["arms"] = [arm for arm in arms if arm["name"] in mini.arms]
    for arm in arms:
        arm["set"] = {**_smaller(arm.get("set", {}), mini.base), **mini.set.get(arm["name"], {})}
        if arm["name"] in mini.arm_axes:
            arm["axes"] = copy.deepcopy(mini.arm_axes[arm["name"]])


def _smaller(said: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Return what an arm sets, without sizes that the miniature sets for all, so that no arm stays large."""
    sizes = {f"training.{field}" for field in ("epochs", "batch")} & {
        f"{group}.{field}" for group, fields in base.items() if isinstance(fields, dict) for field in fields
    }
    return {
        path: value
        for path, value in said.items()
        if path not in sizes and (path, value) != ("model.weights", "hub")
    }


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = copy.deepcopy(value)


def _filled(value: Any, words: Mapping[str, list[str]]) -> Any:
    """Return a value with each word of the lab in place: in a list spliced, as a key by its one site."""
    if isinstance(value, Mapping):
        return {_key(name, words): _filled(one, words) for name, one in value.items()}
    if isinstance(value, list | tuple):
        out: list[Any] = []
        for one in value:
            out += words[one] if isinstance(one, str) and one in words else [_filled(one, words)]
        return out
    return value


def _key(name: str, words: Mapping[str, list[str]]) -> str:
    if name not in words:
        return name
    if len(words[name]) != 1:
        raise BadSpec(f"{name} stands for one site here; found {', '.join(words[name]) or 'none'}.")
    return words[name][0]


def usual(lab: Lab, preset: Preset, home: str = "") -> dict[str, list[str]]:
    """Return sites of a lab for the preset's roles, home's first: what a form begins with; a role may stay empty."""
    left = lab.sites()
    if home in left:
        left = [home, *(site for site in left if site != home)]
    chosen: dict[str, list[str]] = {}
    for role, known in preset.roles.items():
        if not known.many:
            chosen[role] = left[:1]
            left = left[1:]
    return {role: chosen.get(role, left if known.many else []) for role, known in preset.roles.items()}


def count(preset: Preset) -> int:
    """Return how many runs the full study is, whatever the sites."""
    return expand.count(_unbound(preset))


def weights_of(preset: Preset) -> list[str]:
    """Return the first weights, NAME.TAG, that the full study takes from the hub; [] when it starts from random ones."""
    anywhere = {f"{MARK}{role}": [role] for role in preset.roles} | {LABELS: list(SHARED)}
    sweep = _unbound(preset.model_copy(update={"sweep": _filled(preset.sweep, anywhere)}))
    models = [cell.spec.model for cell in expand.expand(sweep).cells if cell.spec.model.weights == "hub"]
    models = [networks.disease_of(model) if networks.is_gated(model) else model for model in models]
    return list(dict.fromkeys(networks.CHOICES[model.name].tag for model in models))


def _unbound(preset: Preset) -> specs.SweepSpec:
    made = specs.build({"kind": "sweep", "name": preset.name, **preset.sweep})
    if not isinstance(made, specs.SweepSpec):
        raise BadSpec(f"the preset {preset.name!r} makes no sweep.")
    return made
