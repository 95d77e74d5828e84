"""Many runs at once: which fields of a run are varied, over which values, with which seeds.

In:    the lab's sites; the form of one network; what a person types.
Out:   a Wish that holds a SweepSpec and its runs.
Never: which values make sense: the spec says so, run by run.
"""

import copy
import json
from typing import Any

import streamlit as st
from pydantic.fields import FieldInfo

from cxrlab import spec as specs
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.paths import Lab
from cxrlab.sweeps import expand, plan, values
from cxrlab.sweeps.expand import Expansion
from cxrlab.ui import cached, forms, launching
from cxrlab.ui.will_run import Wish

HOW = {"grid": "Grid", "list": "In step"}
SEEDS = specs.SweepSpec.model_fields["seeds"]


def draw(sites: list[str], rerun: str = "") -> Wish:
    """Draw the sweep builder above the form of what all runs have in common; return what they say."""
    with st.container(border=True, key="group-sweep"):
        st.markdown("**What is varied**", help="Each value is a run of its own; all else is as below.")
        name = st.text_input("Name", "sweep", key="sweep-name", persist_state="session",
                             help=specs.SweepSpec.model_fields["name"].description)  # fmt: skip
        axes, wrong = _axes()
        left, right = st.columns([2, 3])
        with left:
            seeds = st.text_input("Seeds", "0", key="sweep-seeds", persist_state="session",
                                  help=f"{SEEDS.description} Write 0, 1, 2 or 0..4.")  # fmt: skip
        with right:
            how = st.segmented_control("Combined", list(HOW), default="grid", required=True, key="sweep-how",
                                       format_func=HOW.get, persist_state="session",
                                       help="Grid: every value with every other. In step: the first of each field, "
                                       "then the second of each.")  # fmt: skip
        skip = st.toggle("Leave out what cannot be", key="sweep-skip", persist_state="session",
                         help=specs.SweepSpec.model_fields["skip_invalid"].description)  # fmt: skip
    with st.expander("What all runs have in common", icon=":material/tune:"):
        fields, _ = launching.network_fields(sites, rerun)
    if wrong:
        return Wish(problem=wrong)
    try:
        made = specs.build(
            {
                "kind": "sweep",
                "name": name,
                "how": how,
                "base": _plain(fields, axes),
                "axes": axes,
                "seeds": values.parse(seeds, specs.TrainSpec.model_fields["seed"]),
                "skip_invalid": skip,
            }
        )
    except CxrlabError as error:
        return Wish(problem=str(error))
    return wish_of(made)


def wish_of(made: specs.SweepSpec, command: str = "") -> Wish:
    """Return a sweep with its runs, or the sentence why it cannot be."""
    try:
        found = _outline(made, made.model_dump_json(), cached.store_stamps(tuple(Lab.here().sites())))
        expand.refuse(found, skip_invalid=made.skip_invalid)
    except CxrlabError as error:
        return Wish(
            problem=str(error).replace("with --skip-invalid", "by the switch 'Leave out what cannot be'")
        )
    return Wish(made, runs=tuple(found.specs), found=found, command=command)


@st.cache_resource(max_entries=32, show_spinner=False)
def _outline(_made: specs.SweepSpec, of: str, stores: tuple[cached.Stamp, ...]) -> Expansion:
    return plan.outline(Lab.here(), _made, wait=False)


def _axes() -> tuple[dict[str, tuple[Any, ...]], str]:
    """Draw which fields are varied and over what; return field → values, and the first sentence of what is wrong."""
    known = values.fields()
    chosen = st.multiselect(
        "Fields",
        list(known),
        default=["training.learning_rate"],
        format_func=lambda path: _named(path, known[path]),
        key="sweep-fields",
        persist_state="session",
        help="Any field of a run. Sites are chosen below.",
    )
    axes, wrong = {}, ""
    if chosen:
        st.caption(f"Values: {values.HINT}.")
    for path in chosen:
        try:
            axes[path] = _values(path, known[path])
        except BadSpec as error:
            wrong = wrong or f"{_named(path, known[path])}: {error}"
    return axes, wrong


def _named(path: str, info: FieldInfo) -> str:
    group = path.split(".")[-2].capitalize()
    return f"{group}: {forms.label_of(path.rpartition('.')[2], info)}"


def _values(path: str, info: FieldInfo) -> tuple[Any, ...]:
    label, key = _named(path, info), f"sweep-of-{path}"
    room, few = forms.room_of(info), values.options_of(info)
    if room is not None or few is not None:
        options = few if few is not None else list(room)
        named = {name: choice.title for name, choice in room.items()} if room is not None else {}
        said = st.multiselect(
            label,
            options,
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
    start = f"{default:g}" if isinstance(default, int | float) else str(default or "")
    text = st.text_input(label, start, help=f"{info.description or ''} Write {values.HINT}.", key=key,
                         persist_state="session")  # fmt: skip
    return values.parse(text, info)


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
