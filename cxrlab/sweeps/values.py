"""A list or range as a person types it → the values of an axis.

In:    text, and the field that it is for.
Out:   values of the field's kind; one sentence for what cannot be read.
Never: which values make sense (the spec says so, run by run).
"""

import math
import re
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from cxrlab import spec as specs
from cxrlab.errors import BadSpec
from cxrlab.spec.parts import Frozen

HINT = "1, 2, 4 or 0..4 or 0.1..0.5 step 0.1 or 1e-5..1e-2 log 4"
MOST = 200  # values of one axis
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\s*\.\.\s*({NUMBER})(?:\s+(step|log)\s+({NUMBER}))?", re.IGNORECASE)
GROUPS: dict[str, type[Frozen]] = {
    "view": specs.ViewSpec,
    "view.preprocess": specs.PreprocessSpec,
    "model": specs.ModelSpec,
    "training": specs.TrainingSpec,
    "strategy": specs.StrategySpec,
}
# A run each: naming them as axis would be another way to say what the sweep says already.
NO_AXES = (
    "view.source",
    "view.external",
    "view.preprocess",
    "view.uncertain_of",
    "view.blank_of",
    "model.options",
)


def fields() -> dict[str, FieldInfo]:
    """Return every field that a form can vary, dotted name → what the spec says of it."""
    found = {}
    for group, model in GROUPS.items():
        for name, info in model.model_fields.items():
            path = f"{group}.{name}"
            if path not in NO_AXES and get_origin(info.annotation) not in (dict, tuple):
                found[path] = info
    return found


def options_of(info: FieldInfo) -> list[Any] | None:
    """Return the few values that a field can have; None for numbers and texts."""
    if info.annotation is bool:
        return [False, True]
    return list(get_args(info.annotation)) if get_origin(info.annotation) is Literal else None


def parse(text: str, info: FieldInfo) -> tuple[Any, ...]:
    """Return the values that `text` names.

    Args:
        text: values with commas between, or a range; see HINT.
        info: the field; its kind decides what a word is.

    Raises:
        BadSpec: it names none, too many, or something that is not of the field's kind.

    >>> batch, rate = (fields()[f"training.{name}"] for name in ("batch", "learning_rate"))
    >>> parse("16, 32", batch), parse("1..3", batch), parse("1e-4..1e-2 log 3", rate)
    ((16, 32), (1, 2, 3), (0.0001, 0.001, 0.01))
    """
    text = text.strip()
    if info.annotation not in (int, float):
        return _distinct([part.strip() for part in text.split(",") if part.strip()])
    is_whole = info.annotation is int
    values: list[float] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = RANGE.fullmatch(part)
        values += _range(part, match, is_whole) if match else [_number(part)]
    if is_whole and (broken := next((v for v in values if v != int(v)), None)) is not None:
        raise BadSpec(f"{broken:g} is no whole number; {info.title or 'this field'} counts.")
    return _distinct([int(v) if is_whole else v for v in values])


def _number(part: str) -> float:
    if not re.fullmatch(NUMBER, part, re.IGNORECASE):
        raise BadSpec(f"{part!r} is no number or range; write {HINT}.")
    return float(part)


def _range(part: str, match: re.Match[str], is_whole: bool) -> list[float]:
    low, high, how, by = float(match[1]), float(match[2]), (match[3] or "").lower(), match[4]
    if high < low:
        raise BadSpec(f"{part!r} runs backwards; write the smaller number first.")
    if how == "log":
        n = int(float(by))
        if low <= 0 or n < 2:
            raise BadSpec(f"{part!r}: a logarithmic range begins above 0 and has at least 2 values.")
        _check_count(n)
        ends = math.log10(low), math.log10(high)
        values = [10 ** (ends[0] + (ends[1] - ends[0]) * k / (n - 1)) for k in range(n)]
        return [float(f"{v:.3g}") for v in values]
    step = float(by) if by else 1.0
    if step <= 0 or (not by and not is_whole):
        raise BadSpec(f"{part!r} says no step; write {HINT}.")
    n = int((high - low) / step + 1e-9) + 1
    _check_count(n)
    return [float(f"{low + k * step:.10g}") for k in range(n)]


def _distinct(values: list[Any]) -> tuple[Any, ...]:
    if not values:
        raise BadSpec(f"no value was named; write {HINT}.")
    _check_count(len(values))
    return tuple(dict.fromkeys(values))


def _check_count(n: int) -> None:
    if n > MOST:
        raise BadSpec(f"{n:,} values of one field; at most {MOST} can be varied at once.")
