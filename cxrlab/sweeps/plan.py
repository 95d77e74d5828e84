"""A sweep meets a lab: which of its runs its sites allow, and what they cost.

In:    a SweepSpec, the lab's stores.
Out:   the runs that can be, and a reason for each that cannot.
Never: torch, processes.
"""

from collections.abc import Iterator
from dataclasses import replace

from cxrlab import spec as specs
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.facts.estimate import Estimate, estimate
from cxrlab.jobs import request
from cxrlab.leaks import guard
from cxrlab.learning import lineage, teacher
from cxrlab.paths import Lab
from cxrlab.sweeps import ahead, expand
from cxrlab.sweeps.expand import Cell, Expansion

# Field that names a run of the lab → who looks whether this run can build on it.
CHECKS = {ahead.TEACHER: teacher.check, ahead.START: lineage.check, ahead.LATENTS: request.check_latents}


def outline(lab: Lab, sweep: specs.SweepSpec, *, wait: bool = True) -> Expansion:
    """Return the sweep's runs as this lab can carry them out; see expand.refuse for what to do with the others.

    Args:
        lab: where the stores are.
        sweep: what was asked for.
        wait: compare the sites' images even where that takes minutes, see jobs.request.complete.

    Raises:
        BadSpec: too many runs.
    """
    found = expand.expand(sweep)
    cells, invalid = [], dict(found.invalid)
    asked: dict[str, str] = {}  # two thousand runs of one view ask the stores once
    known = {cell.key: cell for cell in found.cells}
    for cell in found.cells:
        seen = _seen(known, cell)
        key = _asks(cell, seen)
        if key not in asked:
            asked[key] = _why_not(lab, cell, seen, wait)
        why = asked[key] or next(
            (f"it needs {one!r}, which cannot be" for one in cell.needs.values() if one in invalid), ""
        )
        if why:
            invalid[cell.key] = why
        else:
            cells.append(cell)
    wanted = {needed for cell in cells if not cell.added for needed in _below(known, cell)}
    cells = [cell for cell in cells if not cell.added or cell.key in wanted]  # nobody waits for it any more
    invalid = {key: why for key, why in invalid.items() if key not in known or not known[key].added}
    return replace(found, cells=tuple(cells), invalid=invalid)


def _below(known: dict[str, Cell], cell: Cell) -> Iterator[str]:
    for needed in cell.needs.values():
        yield needed
        yield from _below(known, known[needed])


def _seen(known: dict[str, Cell], cell: Cell) -> tuple[str, ...]:
    """Return the homes of the sweep's runs that a cell's network will have begun with, beside its own."""
    below = [key for path, key in cell.needs.items() if path != ahead.TEACHER]
    homes = [site for key in below for site in (*known[key].spec.view.source, *_seen(known, known[key]))]
    return tuple(dict.fromkeys(site for site in homes if site not in cell.spec.view.source))


def _asks(cell: Cell, seen: tuple[str, ...]) -> str:
    """Return what decides the stores' answer."""
    spec = cell.spec
    budget = (
        spec.strategy.images,
        spec.strategy.shares,
        spec.strategy.heads,
        spec.seed if spec.strategy.images else 0,
    )
    words = f"{spec.task} {specs.dumps(spec.model)} {specs.dumps(spec.view)} {spec.training.batch} {bool(spec.teacher)}"
    return f"{words} {budget} {seen} {[*cell.needs]} {_named(cell)}"


def _named(cell: Cell) -> dict[str, str]:
    """Return the runs of the lab that a cell names, by the field that does."""
    said = {path: ahead.value_at(cell.fields, path) for path in ahead.WORDS if path not in cell.needs}
    return {path: run_id for path, run_id in said.items() if run_id}


def _why_not(lab: Lab, cell: Cell, seen: tuple[str, ...], wait: bool) -> str:
    spec = cell.spec
    try:
        # Runs of the sweep that it needs are not there yet; those of the lab that it names are, or it cannot be.
        request.complete(lab, spec, others=not cell.needs, wait=wait)
        if cell.needs:
            for path in _named(cell):
                CHECKS[path](lab, spec)
            if (
                ahead.TEACHER not in cell.needs
            ):  # what a teacher will say is not known yet; its own rows are asked
                request.check_cohort(lab, spec)
        if seen and not spec.view.allow_overlap:
            began = spec.view.model_copy(update={"source": (*spec.view.source, *seen)})
            guard.refuse(request.overlaps(lab, spec.model_copy(update={"view": began}), wait=wait))
    except CxrlabError as error:
        return str(error)
    return ""


def complete(lab: Lab, sweep: specs.SweepSpec) -> specs.SweepSpec:
    """Return the sweep with its stores' digests, so that the same words over other data are another sweep.

    Raises:
        BadSpec: no run of it can be, or a run cannot be and nobody said to leave it out.
    """
    found = outline(lab, sweep)
    expand.refuse(found, skip_invalid=sweep.skip_invalid)
    if not found.cells:
        raise BadSpec(f"the sweep {sweep.name!r} names no run.")
    sites = dict.fromkeys(site for spec in found.specs for site in request.sites_of(spec))
    return sweep.model_copy(update={"data": {site: request.open_store(lab, site).digest for site in sites}})


def cost(lab: Lab, found: Expansion) -> Estimate:
    """Return what the runs take together, as many at once as there are slots."""
    sites = dict.fromkeys(site for spec in found.specs for site in request.sites_of(spec))
    return estimate(found.specs, {site: len(request.open_store(lab, site)) for site in sites}, lab)
