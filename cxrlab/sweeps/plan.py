"""A sweep meets a lab: which of its runs its sites allow, and what they cost.

In:    a SweepSpec, the lab's stores.
Out:   the runs that can be, and a reason for each that cannot.
Never: torch, processes.
"""

from dataclasses import replace

from cxrlab import spec as specs
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.facts.estimate import Estimate, estimate
from cxrlab.jobs import request
from cxrlab.paths import Lab
from cxrlab.sweeps import expand
from cxrlab.sweeps.expand import Expansion


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
    for cell in found.cells:
        key = _asks(cell.spec)
        if key not in asked:
            asked[key] = _why_not(lab, cell.spec, wait)
        why = asked[key] or next(
            (f"it needs {one!r}, which cannot be" for one in cell.needs.values() if one in invalid), ""
        )
        if why:
            invalid[cell.key] = why
        else:
            cells.append(cell)
    return replace(found, cells=tuple(cells), invalid=invalid)


def _asks(spec: specs.TrainSpec) -> str:
    """Return what decides the stores' answer."""
    teacher = bool(spec.teacher)
    return f"{spec.task} {specs.dumps(spec.view)} {spec.training.batch} {teacher}"


def _why_not(lab: Lab, spec: specs.TrainSpec, wait: bool) -> str:
    try:
        # The runs that it needs are not there yet.
        request.complete(lab, spec, others=False, wait=wait)
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
