"""Does the disk hold what a spec will fill? Asked before its first file is written.

In:    a spec that is complete; the lab's free disk.
Out:   NoSpace, or nothing.
Never: torch, processes; how much a run fills (facts.estimate).
"""

from cxrlab import spec as specs
from cxrlab.errors import CxrlabError, NoSpace
from cxrlab.facts import estimate
from cxrlab.jobs import request
from cxrlab.paths import Lab


def check(lab: Lab, spec: specs.AnySpec) -> None:
    """Raise NoSpace when the runs of `spec` that are not there yet may fill more than is free."""
    runs = _runs_of(lab, spec)
    sites = dict.fromkeys(site for one in runs for site in request.sites_of(one))
    n_images = {site: len(request.open_store(lab, site)) for site in sites}
    what = f"the {len(runs)} runs of this {spec.kind}" if len(runs) > 1 else "this run"
    try:
        estimate.check_room(lab, estimate.estimate(runs, n_images).n_bytes, what)
    except NoSpace:
        # It asks every store again, so only when it matters.
        runs = [one for one in runs if not _is_there(lab, one)]
        what = f"the {len(runs)} runs of this {spec.kind} that are missing" if len(runs) > 1 else what
        estimate.check_room(lab, estimate.estimate(runs, n_images).n_bytes, what)


def _runs_of(lab: Lab, spec: specs.AnySpec) -> list[specs.TrainSpec]:
    if isinstance(spec, specs.TrainSpec):
        return [spec]
    if isinstance(spec, specs.SweepSpec):
        from cxrlab.sweeps import plan  # which asks request about each of its runs

        return plan.outline(lab, spec).specs
    if isinstance(spec, specs.StudySpec):
        from cxrlab import studies

        # Phantoms that are yet to be drawn fill little.
        return [] if spec.make else studies.plan(spec, lab)
    return []


def _is_there(lab: Lab, spec: specs.TrainSpec) -> bool:
    try:
        return lab.run(request.complete(lab, spec).run_id).checkpoint.exists()
    except CxrlabError:  # what it needs is not there, so it is not either
        return False
