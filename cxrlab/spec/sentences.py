"""What pydantic found wrong with a spec → a clause for a person: where, what was found, what was expected.

In:    one error of a ValidationError, the kinds of specs that there are.
Out:   text without a full stop.
Never: torch, files; whether a spec is right.
"""

import difflib
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from cxrlab.spec.sweep import NAME

BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text in quotes",
    "tuple_type": "a list in [ ]",
    "list_type": "a list in [ ]",
    "dict_type": "fields in { }",
    "model_type": "fields in { }",
    "model_attributes_type": "fields in { }",
}
PATTERNS = {
    NAME: "up to 40 lower-case letters, digits, '-', '_' and '.', a letter or digit first",
}
SHOWN = 60  # characters of a value that was found


def sentence(error: Any, kinds: Mapping[str, type[BaseModel]]) -> str:
    """Return where, found, expected.

    Args:
        error: as in ValidationError.errors().
        kinds: kind → the spec that its fields are of.
    """
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _kind(error, kinds)
    path = [str(part) for part in error["loc"]]
    kind = kinds.get(path[0]) if path else None
    where = ".".join(path[1:] if kind is not None else path)
    text = clause(error)
    if error["type"] == "extra_forbidden":
        text = f"no such field; {_near(path[-1], list(_fields_at(kind, path[1:-1])))}"
    return f"{where}: {text}" if where else text


def clause(error: Any) -> str:
    """Return what was found and what was expected, without where."""
    known, found, context = error["type"], _shown(error["input"]), error.get("ctx", {})
    if known == "missing":
        return "it is missing"
    if known in BOUNDS:
        key, words = BOUNDS[known]
        return f"found {found}; expected {words} {context[key]:g}"
    if known == "literal_error":
        near = difflib.get_close_matches(str(error["input"]), _quoted(context["expected"]), n=1)
        hint = f"did you mean {near[0]!r}? It is one of" if near else "expected"
        return f"found {found}; {hint} {context['expected']}"
    if known in EXPECTED:
        return f"found {found}; expected {EXPECTED[known]}"
    if known == "too_short":
        return f"found {context['actual_length']}; expected at least {context['min_length']}"
    if known == "string_pattern_mismatch":
        wanted = PATTERNS.get(context["pattern"], f"a text like {context['pattern']}")
        return f"found {found}; expected {wanted}"
    text = error["msg"].removeprefix("Value error, ")
    return text if known == "value_error" else f"{text} (found {found})"


def _kind(error: Any, kinds: Mapping[str, type[BaseModel]]) -> str:
    words = ", ".join(repr(kind) for kind in kinds)
    if error["type"] == "union_tag_not_found":
        return f'it does not say what it is; expected the key "kind" with one of {words}'
    said = str(error["ctx"]["tag"])
    near = difflib.get_close_matches(said, kinds, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"kind: found {said!r}; {hint}Known: {words}"


def _fields_at(model: Any, path: list[str]) -> Mapping[str, Any]:
    """Return the fields of the group that a path leads to; {} where there is none."""
    for name in path:
        fields = getattr(model, "model_fields", {})
        if name.isdigit():
            continue  # a place in a list of groups
        kind = fields[name].annotation if name in fields else None
        inside = [
            one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel)
        ]
        model = inside[0] if inside else None
    return getattr(model, "model_fields", {})


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(known)}"


def _quoted(text: str) -> list[str]:
    return [part for k, part in enumerate(text.split("'")) if k % 2]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
