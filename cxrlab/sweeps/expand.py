"""A sweep → its runs, each with a name, and a reason for each that cannot be.

In:    a SweepSpec.
Out:   cells in the order in which they can be carried out; equal ones once.
Never: torch, files of a lab: what only the stores can say is asked in sweeps.plan.
"""

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cxrlab import spec as specs
from cxrlab.errors import BadSpec
from cxrlab.spec.sweep import Arm

MOST = 2_000  # runs of one sweep: at a minute each, a day and a half
SHOWN = 3  # impossible runs in a sentence


@dataclass(frozen=True)
class Cell:
    """One run of a sweep."""

    key: str  # "sam training.learning_rate=0.001 seed 1": arm, values, seed
    arm: str
    values: dict[str, Any]  # axis → value
    seed: int
    fields: dict[str, Any]  # of a TrainSpec, without the names of runs that it needs
    needs: dict[str, str]  # field → key of the cell whose run it names
    spec: (
        specs.TrainSpec
    )  # where it needs a run, with the name that this would have were its data not looked at

    def with_runs(self, run_ids: Mapping[str, str]) -> specs.TrainSpec:
        """Return the spec with the runs that it needs, key of a cell → run id. Raises BadSpec as specs.build."""
        fields = copy.deepcopy(self.fields)
        for path, key in self.needs.items():
            put(fields, path, run_ids[key])
        return _trained(specs.build(fields))


@dataclass(frozen=True)
class Expansion:
    """What comes of a sweep."""

    cells: tuple[Cell, ...]  # one that is needed stands before those that need it
    invalid: dict[str, str] = field(default_factory=dict)  # key → why it cannot be
    same: dict[str, str] = field(default_factory=dict)  # key → key of the cell that is the same run

    @property
    def specs(self) -> list[specs.TrainSpec]:
        """The runs' specs, in order."""
        return [cell.spec for cell in self.cells]


def count(sweep: specs.SweepSpec) -> int:
    """Return how many runs a sweep names, equal and impossible ones too; nothing is built."""
    return sum(_combinations(sweep, arm) for arm in _arms(sweep)) * len(sweep.seeds)


def _combinations(sweep: specs.SweepSpec, arm: Arm) -> int:
    lengths = [len(values) for values in sweep.axes.values()]
    shared = max(lengths, default=1) if sweep.how == "list" else math.prod(lengths)
    return shared * math.prod(len(values) for values in arm.axes.values())


def _arms(sweep: specs.SweepSpec) -> tuple[Arm, ...]:
    return sweep.arms or (Arm(name="run"),)


def expand(sweep: specs.SweepSpec) -> Expansion:
    """Return every run of `sweep`.

    Raises:
        BadSpec: there are more than MOST; nothing is built then.
    """
    asked = count(sweep)
    if asked > MOST:
        raise BadSpec(
            f"the sweep {sweep.name!r} names {asked:,} runs; at most {MOST:,} can be asked for at once. Name fewer values or "
            "seeds, or make several sweeps of it."
        )
    cells: dict[str, Cell] = {}
    first: dict[str, str] = {}  # digest → key
    invalid: dict[str, str] = {}
    same: dict[str, str] = {}
    for arm, values, seed in _all(sweep):
        key = key_of(arm.name if sweep.arms else "", values, seed, seeds=len(sweep.seeds) > 1)
        needs = {path: _needed_key(sweep, name, values, seed) for path, name in arm.needs.items()}
        needs = {path: same.get(needed, needed) for path, needed in needs.items()}
        if missing := next((needed for needed in needs.values() if needed in invalid), ""):
            invalid[key] = f"it needs {missing!r}, which cannot be"
            continue
        try:
            fields = _fields(sweep, arm, values, seed)
            named = copy.deepcopy(fields)
            for path, needed in needs.items():
                put(named, path, cells[needed].spec.run_id)
            spec = _trained(specs.build(named))
        except BadSpec as error:
            invalid[key] = str(error)
            continue
        known = first.setdefault(specs.digest(spec), key)
        if known != key:
            same[key] = known
        else:
            cells[key] = Cell(key, arm.name if sweep.arms else "", values, seed, fields, needs, spec)
    return Expansion(tuple(cells.values()), invalid, same)


def _all(sweep: specs.SweepSpec) -> Iterator[tuple[Arm, dict[str, Any], int]]:
    names = list(sweep.axes)
    for arm in _arms(sweep):
        lists = sweep.axes.values()
        shared = zip(*lists, strict=True) if sweep.how == "list" and names else itertools.product(*lists)
        for values in shared:
            for own in itertools.product(*arm.axes.values()):
                both = {**dict(zip(names, values, strict=True)), **dict(zip(arm.axes, own, strict=True))}
                for seed in sweep.seeds:
                    yield arm, both, seed


def _fields(sweep: specs.SweepSpec, arm: Arm, values: dict[str, Any], seed: int) -> dict[str, Any]:
    fields = {"kind": "train", **copy.deepcopy(sweep.base), "seed": seed}
    for path, value in (*arm.set.items(), *values.items()):
        put(fields, path, copy.deepcopy(value))
    return fields


def _needed_key(sweep: specs.SweepSpec, name: str, values: dict[str, Any], seed: int) -> str:
    """Return the key of the cell of arm `name` at the same place of the grid and the same seed."""
    arm = next(arm for arm in sweep.arms if arm.name == name)
    shared = {path: value for path, value in values.items() if path in sweep.axes or path in arm.axes}
    return key_of(name, shared, seed, seeds=len(sweep.seeds) > 1)


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


def key_of(arm: str, values: Mapping[str, Any], seed: int, *, seeds: bool) -> str:
    """Return a cell's name: its arm, what is varied, its seed where there are several.

    >>> key_of("sam", {"training.learning_rate": 0.001}, 1, seeds=True)
    'sam training.learning_rate=0.001 seed 1'
    """
    said = [arm] if arm else []
    said += [f"{path}={worded(value)}" for path, value in values.items()]
    said += [f"seed {seed}"] if seeds or not said else []
    return " ".join(said)


def worded(value: Any) -> str:
    """Return an axis' value as a table shows it.

    >>> worded([64, 96]), worded({"a": 0.5}), worded(1e-4), worded("")
    ('64+96', 'a:0.5', '0.0001', 'none')
    """
    if isinstance(value, Mapping):
        return "+".join(f"{name}:{worded(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list | tuple):
        return "+".join(map(worded, value)) or "none"
    return "none" if value == "" else str(value)


def _trained(made: specs.AnySpec) -> specs.TrainSpec:
    if not isinstance(made, specs.TrainSpec):
        raise BadSpec(f"a sweep is made of training runs; its base says kind {made.kind!r}.")
    return made


def refuse(found: Expansion, *, skip_invalid: bool) -> None:
    """Raise BadSpec where runs cannot be and nobody said to leave them out, or where none is left."""
    n = len(found.cells) + len(found.invalid) + len(found.same)
    if not found.invalid or (skip_invalid and found.cells):
        return
    some = "; ".join(f"{key}: {why.rstrip('.')}" for key, why in list(found.invalid.items())[:SHOWN])
    more = f"; and {len(found.invalid) - SHOWN} more" if len(found.invalid) > SHOWN else ""
    remedy = " Change them, or leave them out with --skip-invalid." if found.cells else ""
    raise BadSpec(f"{len(found.invalid)} of {n} runs cannot be: {some}{more}.{remedy}")
