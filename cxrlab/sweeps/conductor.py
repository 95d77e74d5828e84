"""A sweep's process: it has its runs carried out, what is needed first, a few at a time.

In:    a SweepSpec whose runs can be.
Out:   runs, as jobs of their own that outlive this process; children.json says which run is which cell's.
Never: torch: each run computes in its own process.
"""

import time
from collections.abc import Mapping

from cxrlab import files, jobs
from cxrlab import spec as specs
from cxrlab.errors import BadRun, CxrlabError
from cxrlab.facts import estimate
from cxrlab.jobs import request, slots, stages
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress
from cxrlab.sweeps import expand, plan
from cxrlab.sweeps.expand import Cell, Expansion

POLL_SECONDS = 0.3
# Submitted beyond what the slots carry, so that none stands idle while this process sleeps. Not all at once: each waits
# as a process, and two thousand of them would look for their turn all day.
AHEAD = 1
NAMED = 5  # runs that went wrong, in the reason of the sweep's end


def carry_out(lab: Lab, sweep: specs.SweepSpec, run: RunPaths, progress: Progress) -> None:
    """Have every run of the sweep carried out that is not there already.

    A run that fails stops only those that need it. The sweep resumes where it stands: done runs are left alone, and one
    that is alive is waited for.

    Raises:
        BadSpec: a run cannot be and nobody said to leave it out.
        BadStore: a site is another than when the sweep was asked for.
        BadRun: runs did not end well; the text names the first of them with their reasons.
    """
    for site in sweep.data:
        stages.check_unchanged(lab, site, sweep.data)
    found = plan.outline(lab, sweep)
    expand.refuse(found, skip_invalid=sweep.skip_invalid)
    wrong = Waves(lab, found, run, progress).carry_out()
    if wrong:
        said = "; ".join(f"{key}: {why.rstrip('.')}" for key, why in list(wrong.items())[:NAMED])
        more = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise BadRun(
            f"{len(wrong)} of {len(found.cells)} runs did not end well: {said}{more}. The others are there; resume the sweep "
            "when this is mended."
        )


class Waves:
    """The runs of a sweep on their way: waiting, alive, done or wrong."""

    def __init__(self, lab: Lab, found: Expansion, run: RunPaths, progress: Progress) -> None:
        self.lab, self.found, self.run, self.progress = lab, found, run, progress
        self.waiting: list[Cell] = list(found.cells)
        self.alive: dict[str, str] = {}  # key → run id
        self.ids: dict[str, str] = {}  # key → run id, of all that were submitted
        self.wrong: dict[str, str] = {}  # key → why
        self.seconds = _seconds_of(lab, found)

    def carry_out(self) -> dict[str, str]:
        """Go on until every run has ended; return key → reason of those that did not end well."""
        self.progress.stage("runs", len(self.found.cells))
        self._tell()
        while self.waiting or self.alive:
            moved = self._submit_some()
            moved |= self._look()
            if moved:
                self._tell()
            elif self.alive:
                time.sleep(POLL_SECONDS)
        return self.wrong

    def _submit_some(self) -> bool:
        """Submit what is ready, as long as there is room."""
        moved = False
        for cell in list(self.waiting):
            if len(self.alive) >= slots.count() + AHEAD:
                break
            if failed := next((key for key in cell.needs.values() if key in self.wrong), ""):
                self.wrong[cell.key] = f"it needs {failed!r}, which is not there."
            elif any(key not in self.ids or key in self.alive for key in cell.needs.values()):
                continue
            else:
                self._submit(cell)
            self.waiting.remove(cell)
            moved = True
        return moved

    def _submit(self, cell: Cell) -> None:
        try:
            spec = request.complete(self.lab, cell.with_runs(self.ids))
            # Written down first: who cancels the sweep right after must find the run.
            self.ids[cell.key] = spec.run_id
            self._tell_children()
            jobs.submit(self.lab, spec)
            self.alive[cell.key] = spec.run_id
        except CxrlabError as error:
            self.ids.pop(cell.key, None)
            self.wrong[cell.key] = str(error)

    def _tell_children(self) -> None:
        same = {key: f"the same run as {of}" for key, of in self.found.same.items()}
        files.write_json(self.run.children, {"runs": self.ids, "left_out": {**self.found.invalid, **same}})

    def _look(self) -> bool:
        """Take out of `alive` what has ended."""
        moved = False
        for key, run_id in list(self.alive.items()):
            now = jobs.status(self.lab.run(run_id))
            if now.is_alive:
                continue
            del self.alive[key]
            moved = True
            if now.state != "done":
                self.wrong[key] = f"{now.state}: {now.reason}"
        return moved

    def _tell(self) -> None:
        done = len(self.found.cells) - len(self.waiting) - len(self.alive)
        left = sum(self.seconds[cell.key] for cell in self.waiting)
        left += sum(self.seconds[key] for key in self.alive) / 2  # on average half of it is over
        self.progress.step(
            done,
            all_seconds_left=round(left / slots.count(), 1),
            under_way=", ".join(self.alive),
            not_ended_well=len(self.wrong),
        )


def _seconds_of(lab: Lab, found: Expansion) -> Mapping[str, float]:
    sites = dict.fromkeys(site for spec in found.specs for site in request.sites_of(spec))
    n_images = {site: len(request.open_store(lab, site)) for site in sites}
    speeds = estimate.measured(lab, n_images)
    return {
        cell.key: estimate.seconds_of(cell.spec, n_images, speeds.unit(cell.spec)[0], speeds.start)
        for cell in found.cells
    }
