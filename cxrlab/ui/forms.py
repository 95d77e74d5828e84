"""Forms drawn from specs: a field's title, help, bounds, unit and default are the spec's own, never typed again.

In:    a pydantic model, starting values, choices for fields that name things of the lab.
Out:   plain values that spec.build checks.
Never: what a field means; a default of its own.
"""

import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

import annotated_types
import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cxrlab.choices import Choice
from cxrlab.registry import Registry

SIDE_BY_SIDE = 4  # more options than this break into several lines of a narrow column


@dataclass(frozen=True)
class Look:
    """What the caller knows and the spec does not.

    choices: field → options, for names of sites, labels, networks and runs; of a table, the names that can have a row.
    words: field → (option → words).
    notes: field → (option → a sentence under it).
    hidden: fields that are neither asked nor returned.
    open: fields that name a plug-in where a person may also type a name that no list has.
    """

    choices: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: dict[str, dict[str, str]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


def draw(
    model: type[BaseModel], values: dict[str, Any], key: str, look: Look | None = None
) -> dict[str, Any]:
    """Draw every field of `model` and return what the form says now.

    Args:
        model: one group of a spec.
        values: starting values by field; a field that is absent starts at the spec's default.
        key: prefix of the widgets' keys. Another key is another form: its widgets start from `values` anew.
        look: see Look.

    Returns:
        field → plain value; not yet checked against the other fields.
    """
    look = look or Look()
    # A plug-in's own options are drawn under its name.
    own = {options_field(name, model) for name, info in model.model_fields.items() if room_of(info)}
    shown = {name: info for name, info in model.model_fields.items() if name not in (*look.hidden, *own)}
    said: dict[str, Any] = {}

    def ask(names: dict[str, FieldInfo]) -> None:
        for name, info in names.items():
            if room_of(info):
                said.update(_plug_in(model, name, values, key, look))
            else:
                said[name] = one(name, info, values.get(name, default_of(info)), f"{key}.{name}", look)

    ask({name: info for name, info in shown.items() if not is_advanced(info)})
    folded = {name: info for name, info in shown.items() if is_advanced(info)}
    if folded:
        with st.expander("Advanced"):
            ask(folded)
    return said


def room_of(info: FieldInfo) -> Registry[Choice] | None:
    """Return what a field can name, where it names a plug-in."""
    room = (info.json_schema_extra or {}).get("room")
    return import_module(f"cxrlab.choices.{room}").CHOICES if room else None


def options_field(name: str, model: type[BaseModel]) -> str:
    """Return the field that holds the own options of the plug-in that `name` names; "" where there is none."""
    fields = model.model_fields
    return next((one for one in (f"{name}_options", "options" * (name == "name")) if one in fields), "")


def _plug_in(
    model: type[BaseModel], name: str, values: dict[str, Any], key: str, look: Look
) -> dict[str, Any]:
    """Draw a choice of plug-ins with a sentence, and the chosen one's own options; return both fields."""
    info, inside = model.model_fields[name], options_field(name, model)
    known, start = room_of(info), values.get(name, default_of(info))
    names = list(dict.fromkeys([*look.choices.get(name, known), start]))
    chosen = st.selectbox(
        label_of(name, info),
        names,
        index=names.index(start),
        format_func=lambda option: known[option].title if option in known else option,
        accept_new_options=name in look.open,
        help=info.description,
        key=f"{key}.{name}",
        persist_state="session",
    )
    said: dict[str, Any] = {name: chosen}
    choice = known.get(chosen)
    if choice is not None:
        st.caption(choice.sentence + (f" :orange[{choice.warn}]" if choice.warn else ""))
    if inside:
        given = dict(values.get(inside) or {}) if chosen == start else {}
        said[inside] = own_options(choice, given, f"{key}.{name}") if choice is not None else given
    return said


def own_options(choice: Choice, given: dict[str, Any], key: str) -> dict[str, Any]:
    """Draw a plug-in's own options in a popover; return those that differ from its defaults."""
    if not choice.options.model_fields:
        return {}
    n = len(given)
    label = f"{choice.title}'s own options" + (f" ({n} changed)" if n else "")
    said: dict[str, Any] = {}
    with st.popover(label, type="tertiary", icon=":material/tune:"):
        for name, info in choice.options.model_fields.items():
            start = given.get(name, default_of(info))
            if room_of(info):
                said |= _plug_in(choice.options, name, {name: start}, f"{key}.{choice.name}", Look())
            else:
                said[name] = one(name, info, start, f"{key}.{choice.name}.{name}", Look())
    defaults = choice.options().model_dump(mode="json")
    return {name: value for name, value in said.items() if value != defaults[name]}


def is_advanced(info: FieldInfo) -> bool:
    """Return whether a field is folded away."""
    return bool((info.json_schema_extra or {}).get("advanced"))


def must_name(info: FieldInfo) -> bool:
    """Return whether a field names things and must name at least one."""
    return any(isinstance(rule, annotated_types.MinLen) and rule.min_length > 0 for rule in info.metadata)


def titled(sentence: str, groups: dict[str, type[BaseModel]]) -> str:
    """Return a sentence with dotted fields replaced by what the form calls them.

    >>> from cxrlab import spec
    >>> titled("leave strategy.heads at 'shared'.", {"strategy": spec.StrategySpec})
    "leave 'Heads' at 'shared'."
    """

    def named(match: re.Match[str]) -> str:
        fields = groups[match[1]].model_fields
        return f"'{label_of(match[2], fields[match[2]])}'" if match[2] in fields else match[0]

    return re.sub(rf"\b({'|'.join(groups)})\.(\w+)(?!\.?\w)", named, sentence)


def default_of(info: FieldInfo) -> Any:
    """Return the spec's default, None for a field that has none."""
    return None if info.is_required() else info.get_default(call_default_factory=True)


def bounds_of(info: FieldInfo) -> tuple[float | None, float | None, bool]:
    """Return (least, most, whether the least itself is excluded); a most that is excluded is the next number below."""
    least = most = None
    open_below = False
    for rule in info.metadata:
        if isinstance(rule, annotated_types.Ge):
            least = rule.ge
        elif isinstance(rule, annotated_types.Gt):
            least, open_below = rule.gt, True
        elif isinstance(rule, annotated_types.Le):
            most = rule.le
        elif isinstance(rule, annotated_types.Lt):
            most = rule.lt - (1 if info.annotation is int else 1e-8)
    return least, most, open_below


def label_of(name: str, info: FieldInfo) -> str:
    """Return a field's title with its unit."""
    unit = (info.json_schema_extra or {}).get("unit")
    title = info.title or name.replace("_", " ").capitalize()
    return f"{title}, {unit}" if unit else title


def one(name: str, info: FieldInfo, value: Any, key: str, look: Look) -> Any:
    """Draw one field by its type and return its value."""
    more = {"help": info.description, "key": key, "persist_state": "session"}
    label, kind = label_of(name, info), info.annotation
    said = look.words.get(name, {})

    def worded(option: object) -> str:
        return str(said.get(option, option))

    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _group(kind, label, value, key, look)
    if get_origin(kind) is dict:
        return _table(name, label, info, dict(value or {}), key, look)
    if kind is bool:
        return st.toggle(label, value=bool(value), **more)
    if get_origin(kind) is Literal:
        options = list(get_args(kind))
        if len(options) > SIDE_BY_SIDE:
            return st.selectbox(label, options, index=options.index(value), format_func=worded, **more)
        return st.segmented_control(label, options, default=value, required=True, format_func=worded, **more)
    if get_origin(kind) is tuple:
        options = list(dict.fromkeys([*look.choices.get(name, []), *(value or ())]))
        return tuple(st.multiselect(label, options, default=list(value or ()), format_func=worded, **more))
    if name in look.choices:
        options = list(dict.fromkeys([*look.choices[name], *([value] if value else [])]))
        place = options.index(value) if value in options else 0
        chosen = st.selectbox(label, options, index=place, format_func=worded, **more)
        if chosen in look.notes.get(name, {}):
            st.caption(look.notes[name][chosen])
        return chosen
    if kind is int:
        least, most, _ = bounds_of(info)
        return int(st.number_input(label, _int(least), _int(most), int(value), step=1, **more))
    if kind is float:
        return _float(label, info, float(value), more)
    return st.text_input(label, value=value or "", **more)


def _group(model: type[BaseModel], label: str, value: Any, key: str, look: Look) -> dict[str, Any]:
    """Draw the fields of a group within a group under its title."""
    start = value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value or {})
    _, _, rest = (model.__doc__ or "").partition(":")
    with st.container(border=True, key=f"{key}-group"):
        st.markdown(f"**{label}**", help=rest.strip().capitalize() or None)
        return draw(model, start, key, look)


def _table(
    name: str, label: str, info: FieldInfo, value: dict[str, Any], key: str, look: Look
) -> dict[str, Any]:
    """Draw name → one of a few words, or a number: which names have a row, then the value of each."""
    kind, said = get_args(info.annotation)[1], look.words.get(name, {})
    names = list(dict.fromkeys([*look.choices.get(name, []), *value]))
    more = {"persist_state": "session"}
    rows = st.multiselect(label, names, default=list(value), help=info.description, key=key, **more)
    if kind is float:
        return {
            row: st.number_input(row, 0.0, None, float(value.get(row, 0)), 0.05, "%g", f"{key}.{row}", **more)
            for row in rows
        }
    options, chosen = list(get_args(kind)), {}
    for row in rows:
        place = options.index(value[row]) if value.get(row) in options else 0
        chosen[row] = st.selectbox(
            row, options, index=place, format_func=lambda one: said.get(one, one), key=f"{key}.{row}", **more
        )
    return chosen


def _int(bound: float | None) -> int | None:
    return None if bound is None else int(bound)


def _float(label: str, info: FieldInfo, value: float, more: dict[str, Any]) -> float:
    least, most, open_below = bounds_of(info)
    step = 10.0 ** int(f"{value:e}".split("e")[1]) if value else 0.01  # of the value's own size
    if open_below and least is not None:
        least += 1e-8  # an excluded bound cannot be said to a number field; nothing smaller is of use
    return st.number_input(
        label,
        None if least is None else float(least),
        None if most is None else float(most),
        value,
        step=step,
        format="%g",
        **more,
    )
