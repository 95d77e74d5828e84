"""The lab's sweeps by name: started, kept as files, found again.

In:    a SweepSpec; sweeps/<name>.json of a lab.
Out:   a job that carries the sweep out; its runs with what they vary.
Never: torch; results (report.sweep_table).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrlab import files, jobs
from cxrlab import spec as specs
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.paths import Lab
from cxrlab.sweeps import expand


@dataclass(frozen=True)
class Member:
    """One run of a sweep: which, what is varied, and whether it was begun."""

    key: str
    arm: str
    values: dict[str, Any]
    seed: int
    run_id: str  # "" until it was submitted


def submit(lab: Lab, sweep: specs.SweepSpec, executor: str = "local") -> str:
    """Keep the sweep under its name, start carrying it out, and return the name of its job.

    As with single runs, what is there already is left as it is: asking again submits only what is missing.

    Raises:
        BadSpec: too many runs, or some that cannot be and nobody said to leave them out.
        MissingInput, BadStore: a site has no store, or a damaged one.
    """
    run_id = jobs.submit(lab, sweep, executor)
    write(lab, specs.read(lab.run(run_id).spec))
    return run_id


def write(lab: Lab, sweep: specs.SweepSpec) -> Path:
    """Keep the sweep under its name; an earlier one of that name is replaced, its runs are not."""
    path = lab.sweep(sweep.name)
    files.write_text(path, json.dumps(sweep.model_dump(mode="json"), indent=1) + "\n")
    return path


def read(path: Path) -> specs.SweepSpec:
    """Read a sweep from a file. Raises MissingInput, BadSpec."""
    found = specs.read(path)
    if not isinstance(found, specs.SweepSpec):
        raise BadSpec(f'{path} holds a {found.kind}; a sweep has "kind": "sweep".')
    return found


def names(lab: Lab) -> list[str]:
    """Return the names of the lab's sweeps, sorted."""
    return sorted(path.stem for path in lab.sweeps.glob("*.json"))


def find(lab: Lab, name: str) -> specs.SweepSpec:
    """Return the sweep of that name, as it was last asked for. Raises MissingInput."""
    if name not in names(lab):
        raise MissingInput(f"no sweep named {name!r}; this lab has: {', '.join(names(lab)) or 'none yet'}.")
    return read(lab.sweep(name))


def members(lab: Lab, sweep: specs.SweepSpec) -> list[Member]:
    """Return the runs of a sweep, in order; those that are not begun have no run id."""
    ids = jobs.children(lab.run(sweep.run_id))
    known = {key: run_id for key, run_id in ids.items() if lab.run(run_id).spec.exists()}
    return [
        Member(cell.key, cell.arm, cell.values, cell.seed, known.get(cell.key, ""))
        for cell in expand.expand(sweep).cells
    ]
