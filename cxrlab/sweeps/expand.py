"""A sweep → its runs, each with a name, and a reason for each that cannot be.

In:    a SweepSpec.
Out:   cells in the order in which they can be carried out; equal ones once.
Never: torch, files of a lab: what only the stores can say is asked in sweeps.plan.
"""

import copy
import itertools
import math
from collections.abc import Iterator
from typing import Any

from cxrlab import spec as specs
from cxrlab.errors import BadSpec
from cxrlab.spec.sweep import Arm
from cxrlab.sweeps.ahead import put
from cxrlab.sweeps.cells import Cell, Draft, Expansion, key_of, worded
from cxrlab.sweeps.settling import Settling

__all__ = ["MOST", "Cell", "Expansion", "count", "expand", "key_of", "refuse", "worded"]

MOST = 2_000  # runs of one sweep: at a minute each, a day and a half
SHOWN = 3  # impossible runs in a sentence


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
    """Return every run of `sweep`, and those that it waits for without naming them (see sweeps.ahead).

    Raises:
        BadSpec: there are more than MOST; nothing is built then.
    """
    asked = count(sweep)
    if asked > MOST:
        raise BadSpec(
            f"the sweep {sweep.name!r} names {asked:,} runs; at most {MOST:,} can be asked for at once. Name fewer values or "
            "seeds, or make several sweeps of it."
        )
    return Settling().settle([_draft(sweep, *one) for one in _all(sweep)])


def _draft(sweep: specs.SweepSpec, arm: Arm, values: dict[str, Any], seed: int) -> Draft:
    several, name = len(sweep.seeds) > 1, arm.name if sweep.arms else ""
    needs = {path: _needed_key(sweep, needed, values, seed) for path, needed in arm.needs.items()}
    made = Draft(key_of(name, values, seed, seeds=several), name, values, seed, {}, needs, several)
    try:
        made.fields = _fields(sweep, arm, values, seed)
    except BadSpec as error:
        made.problem = str(error)
    return made


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


def refuse(found: Expansion, *, skip_invalid: bool) -> None:
    """Raise BadSpec where runs cannot be and nobody said to leave them out, or where none is left."""
    n = len(found.cells) + len(found.invalid) + len(found.same)
    if not found.invalid or (skip_invalid and found.cells):
        return
    some = "; ".join(f"{key}: {why.rstrip('.')}" for key, why in list(found.invalid.items())[:SHOWN])
    more = f"; and {len(found.invalid) - SHOWN} more" if len(found.invalid) > SHOWN else ""
    remedy = " Change them, or leave them out with --skip-invalid." if found.cells else ""
    raise BadSpec(f"{len(found.invalid)} of {n} runs cannot be: {some}{more}.{remedy}")
