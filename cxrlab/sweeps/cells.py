"""One run of a sweep: its name, what it varies, whose run it needs.

In:    what a sweep says.
Out:   Draft, a run as it is asked for; Cell, one that can be; Expansion, all of a sweep.
Never: torch, files; which runs a sweep names (sweeps.expand).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cxrlab import spec as specs
from cxrlab.errors import BadSpec
from cxrlab.sweeps.ahead import put


@dataclass
class Draft:
    """A run as it is asked for: nobody has looked yet whether it can be."""

    key: str
    arm: str
    values: dict[str, Any]
    seed: int
    fields: dict[str, Any]
    needs: dict[str, str]  # field → key of the draft whose run it names
    several: bool = False  # seeds: the key says which
    problem: str = ""  # why it cannot be, where that is known already
    added: str = ""


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
    added: str = ""  # the key of the cell that waits for it, where nobody named this run: see sweeps.ahead

    def with_runs(self, run_ids: Mapping[str, str]) -> specs.TrainSpec:
        """Return the spec with the runs that it needs, key of a cell → run id. Raises BadSpec as specs.build."""
        return spec_of(self.fields, {path: run_ids[key] for path, key in self.needs.items()})


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

    @property
    def added(self) -> tuple[Cell, ...]:
        """The runs that nobody named and others wait for."""
        return tuple(cell for cell in self.cells if cell.added)


def spec_of(fields: Mapping[str, Any], named: Mapping[str, str]) -> specs.TrainSpec:
    """Return the spec of a run's fields with the runs that it names put in, field → run id.

    Raises:
        BadSpec: the fields are no training run that can be.
    """
    whole = copy.deepcopy(dict(fields))
    for path, run_id in named.items():
        put(whole, path, run_id)
    made = specs.build(whole)
    if not isinstance(made, specs.TrainSpec):
        raise BadSpec(f"a sweep is made of training runs; its base says kind {made.kind!r}.")
    return made


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
