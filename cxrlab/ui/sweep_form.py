"""Many runs at once: which fields of a run are varied, over which values, with which seeds.

In:    the lab's sites; the form of one network; what a person types.
Out:   a Wish that holds a SweepSpec and its runs.
Never: which values make sense: the spec says so, run by run.
"""

import copy
import json
import re
from dataclasses import replace
from typing import Any

import streamlit as st
from pydantic.fields import FieldInfo

from cxrlab import spec as specs
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.paths import Lab
from cxrlab.spec.sweep import NAME
from cxrlab.sweeps import ahead, expand, plan, values
from cxrlab.sweeps.expand import Expansion
from cxrlab.ui import cached, choose, forms, going_on, launching, words
from cxrlab.ui.will_run import Wish

HOW = {"grid": "Grid", "list": "In step"}
# Fields that name a run: what stands for none, and for one that the sweep makes first, in people's words.
BEFORE = {
    ahead.START: {"": "nothing before", "@moco": "pretraining without labels, made first"},
    ahead.LATENTS: {"": "none", "@autoencoder": "an autoencoder, made first"},
}
MOCO = (
    "The pretraining (MoCo) sees the same images at home without their labels; it is a run of its own for every seed, and "
    "the network goes on from it."
)
NAMED, SEEDS = (specs.SweepSpec.model_fields[name] for name in ("name", "seeds"))


def draw(sites: list[str], rerun: str = "") -> tuple[Wish, dict[str, Any] | None]:
    """Draw the sweep builder above the form of what all runs have in common.

    Returns:
        What they say, and the fields of the sweep that a rerun began with; None where it began with none.
    """
    known = cached.run_spec(rerun) if rerun else None
    known = known if known is not None and known.kind == "sweep" else None
    key = f"sweep-{rerun}" if known else "sweep"
    with st.container(border=True, key="group-sweep"):
        st.markdown("**What is varied**", help="Each value is a run of its own; all else is as below.")
        name = st.text_input("Name", known.name if known else "sweep", key=f"{key}-name", persist_state="session",
                             help=specs.SweepSpec.model_fields["name"].description)  # fmt: skip
        arms = _arms(known, key) if known and known.arms else ()
        axes, wrong = _axes(key, known)
        left, right = st.columns([2, 3])
        with left:
            start = ", ".join(map(str, known.seeds)) if known else "0"
            seeds = st.text_input("Seeds", start, key=f"{key}-seeds", persist_state="session",
                                  help=f"{SEEDS.description} Write 0, 1, 2 or 0..4.")  # fmt: skip
        with right:
            how = st.segmented_control("Combined", list(HOW), default=known.how if known else "grid", required=True,
                                       key=f"{key}-how", format_func=HOW.get, persist_state="session",
                                       help="Grid: every value with every other. In step: the first of each field, "
                                       "then the second of each.")  # fmt: skip
        skip = st.toggle("Leave out what cannot be", value=bool(known and known.skip_invalid), key=f"{key}-skip",
                         persist_state="session", help=specs.SweepSpec.model_fields["skip_invalid"].description)  # fmt: skip
    with st.expander("What all runs have in common", icon=":material/tune:"):
        fields, start_fields, form = launching.network_fields(sites, rerun)
    began = {**known.model_dump(mode="json"), "data": {}} if known else None
    numbers: tuple[Any, ...] = ()
    try:
        numbers = values.parse(seeds, specs.TrainSpec.model_fields["seed"])
    except BadSpec as error:
        wrong = wrong or f"Seeds: {error}"
    if not re.fullmatch(NAME, name):
        wrong = f"Name: {name!r} cannot be one; {NAMED.description[0].lower()}{NAMED.description[1:]}"
    if wrong := wrong or launching.unsaid(fields):
        return Wish(problem=wrong), began
    try:
        more = {"arms": arms, "title": known.title, "question": known.question} if known else {}
        made = specs.build(
            {
                "kind": "sweep",
                "name": name,
                "how": how,
                "base": _changed(known.base, start_fields, fields) if known else _plain(fields, axes),
                "axes": axes,
                "seeds": numbers,
                "skip_invalid": skip,
                **more,
            }
        )
    except CxrlabError as error:
        return Wish(problem=_worded(str(error))), began
    wish = wish_of(made)
    if wish.problem and ahead.START not in axes:
        wish = replace(wish, mend=going_on.mend(fields, form))
    return wish, began


def _arms(known: specs.SweepSpec, key: str) -> tuple[dict[str, Any], ...]:
    """Draw which arms of a sweep are kept; what each sets stays as it was."""
    of = {arm.name: arm for arm in known.arms}
    kept = st.multiselect("Arms", list(of), default=list(of), key=f"{key}-arms", persist_state="session",
                          help="Each sets its own fields over what all runs have in common.")  # fmt: skip
    return tuple(arm.model_dump(mode="json") for name, arm in of.items() if name in kept)


def _changed(base: dict[str, Any], start: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return a sweep's base with what a person changed in the form, and nothing else: left alone, it is the same sweep."""
    changed = copy.deepcopy(base)
    start, now = json.loads(json.dumps(start)), json.loads(json.dumps(now))
    for path, value in _leaves(now):
        if value != _at(start, path):
            expand.put(changed, ".".join(path), value)
    return changed


def _leaves(fields: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return (path, value) of every field; a table of options is one value."""
    found = []
    for name, value in fields.items():
        if name in ("data", "seed", "kind"):
            continue
        is_group = isinstance(value, dict) and name in ("view", "model", "training", "strategy", "preprocess")
        found += _leaves(value, (*path, name)) if is_group else [((*path, name), value)]
    return found


def _at(fields: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        fields = fields.get(name, {}) if isinstance(fields, dict) else {}
    return fields


def _worded(problem: str) -> str:
    """Return a problem in the words of this form."""
    problem = problem.replace("with --skip-invalid", "by the switch 'Leave out what cannot be'")
    return forms.titled(problem, launching.GROUPS)


def wish_of(made: specs.SweepSpec, command: str = "") -> Wish:
    """Return a sweep with its runs, or the sentence why it cannot be."""
    try:
        found = _outline(made, made.model_dump_json(), cached.store_stamps(tuple(Lab.here().sites())))
        expand.refuse(found, skip_invalid=made.skip_invalid)
    except CxrlabError as error:
        return Wish(problem=_worded(str(error)))
    return Wish(made, runs=tuple(found.specs), found=found, command=command)


@st.cache_resource(max_entries=32, show_spinner=False)
def _outline(_made: specs.SweepSpec, of: str, stores: tuple[cached.Stamp, ...]) -> Expansion:
    return plan.outline(Lab.here(), _made, wait=False)


def _axes(key: str, start: specs.SweepSpec | None) -> tuple[dict[str, tuple[Any, ...]], str]:
    """Draw which fields are varied and over what; return field → values, and the first sentence of what is wrong."""
    known = values.fields()
    chosen = st.multiselect(
        "Fields",
        list(known),
        default=[path for path in start.axes if path in known] if start else ["training.learning_rate"],
        format_func=lambda path: _named(path, known[path]),
        key=f"{key}-fields",
        persist_state="session",
        help="Any field of a run. Sites are chosen below.",
    )
    # Fields that no form varies (tables of shares, sites) stay as they were.
    axes = {path: some for path, some in start.axes.items() if path not in known} if start else {}
    wrong = ""
    if axes:
        st.caption(f"Varied as before: {words.listing(list(axes))}.")
    if chosen:
        st.caption(f"Values: {values.HINT}.")
    for path in chosen:
        try:
            axes[path] = _values(path, known[path], key, start.axes.get(path, ()) if start else ())
        except BadSpec as error:
            wrong = wrong or f"{_named(path, known[path])}: {error}"
    return axes, wrong


def _named(path: str, info: FieldInfo) -> str:
    group = path.split(".")[-2].capitalize()
    return f"{group}: {forms.label_of(path.rpartition('.')[2], info)}"


def _values(path: str, info: FieldInfo, key: str, start: tuple[Any, ...]) -> tuple[Any, ...]:
    label, key = _named(path, info), f"{key}-of-{path}"
    if path in BEFORE:
        return _before(path, label, info, key, start)
    room, few = forms.room_of(info), values.options_of(info)
    if room is not None or few is not None:
        options = few if few is not None else list(room)
        named = {name: choice.title for name, choice in room.items()} if room is not None else {}
        options = list(dict.fromkeys([*options, *start]))
        said = st.multiselect(
            label,
            options,
            default=list(start),
            format_func=lambda one: str(named.get(one, one)),
            accept_new_options=path == "model.name",
            help=info.description,
            key=key,
            persist_state="session",
        )
        if not said:
            raise BadSpec("no value was chosen.")
        return tuple(said)
    default = forms.default_of(info)
    if not start:
        start = (default,) if default is not None else ()
    shown = ", ".join(f"{one:g}" if isinstance(one, int | float) else str(one) for one in start)
    text = st.text_input(label, shown, help=f"{info.description or ''} Write {values.HINT}.", key=key,
                         persist_state="session")  # fmt: skip
    return values.parse(text, info)


def _before(path: str, label: str, info: FieldInfo, key: str, start: tuple[Any, ...]) -> tuple[Any, ...]:
    """Draw the runs that a run can begin with: none, one that the sweep makes first, one of the lab."""
    said = BEFORE[path]
    task = "autoencoder" if path == ahead.LATENTS else None
    there = [run_id for run_id, run in choose.networks().items() if task in (None, run.task)]
    chosen = st.multiselect(
        label,
        list(dict.fromkeys([*said, *there, *start])),
        default=list(start or said),
        format_func=lambda one: said.get(one, one),
        help=info.description,
        key=key,
        persist_state="session",
    )
    if ahead.WORDS[ahead.START] in chosen:
        st.caption(MOCO)
    if not chosen:
        raise BadSpec("no value was chosen.")
    return tuple(chosen)


def _plain(fields: dict[str, Any], axes: dict[str, Any]) -> dict[str, Any]:
    """Return a form's fields as JSON values, without those that are varied and without options of what is."""
    base = copy.deepcopy(json.loads(json.dumps(fields)))
    for key in ("data", "seed", "kind"):
        base.pop(key, None)
    for path in axes:
        group, _, name = path.rpartition(".")
        inside = base
        for part in group.split("."):
            inside = inside.get(part, {})
        inside.pop(name, None)
        inside.pop(f"{name}_options", None)  # another plug-in would refuse them
        if path == "model.name":
            inside.pop("options", None)
    return base
