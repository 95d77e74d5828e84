"""A study's process: it has its runs carried out one after the other, and tells where all of it stands.

In:    a StudySpec; the plan of cxrlab.studies.
Out:   the study's stores (phantoms only) and runs, as jobs of their own that outlive this process.
Never: torch: each run computes in its own process.
"""

import math
import time
from typing import Any

from cxrlab import files, jobs, studies
from cxrlab import spec as specs
from cxrlab.errors import BadRun, CxrlabError
from cxrlab.jobs.request import open_store
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress

POLL_SECONDS = 0.3


def carry_out(lab: Lab, study: specs.StudySpec, run: RunPaths, progress: Progress) -> None:
    """Make the study's stores if it asks for it, then its runs.

    A run that fails stops only those that need it. The study resumes where it stands: done runs are left alone and a
    run that is still alive is waited for.

    Raises:
        BadRun: a run did not end well; the text names each with its reason.
    """
    if study.make == "phantom":
        make_phantoms(lab, study, progress)
    outline = studies.outline(study, lab)
    ids = {task: planned.run_id for task, planned in outline.specs.items()}
    files.write_json(run.children, {"runs": ids, "left_out": outline.left_out})
    clock = Clock(studies.work(study, lab, outline))
    wrong: dict[str, str] = {}
    for task, planned in outline.specs.items():
        needs = next((other for other, name in ids.items() if name == planned.model.latents_of), "")
        if needs in wrong:
            wrong[task] = f"needs the {studies.NAMES[needs]}, which is not there."
            continue
        try:
            jobs.submit(lab, planned)
        except CxrlabError as error:
            wrong[task] = str(error)
            continue
        now = _wait(lab.run(ids[task]), task, progress, clock)
        if now.state != "done":
            wrong[task] = f"{now.state}: {now.reason}"
    if wrong:
        said = " ".join(f"{studies.NAMES[task]} {reason}" for task, reason in wrong.items())
        raise BadRun(f"{len(wrong)} of {len(ids)} runs did not end well. {said}")


def _wait(child: RunPaths, task: str, progress: Progress, clock: "Clock") -> jobs.Status:
    """Relay the child's progress until it ends."""
    shown: tuple[Any, ...] = ()
    clock.begin()
    while True:
        now = jobs.status(child)
        stage = f"{studies.NAMES[task]}: {now.stage or 'starting'}"
        if shown[:1] != (stage,):
            progress.stage(stage, now.of)
        if shown != (stage, now.done) and now.done:
            progress.of = now.of
            left = clock.seconds_left(task, now)
            progress.step(now.done, **({} if math.isnan(left) else {"all_seconds_left": round(left, 1)}))
        shown = (stage, now.done)
        if not now.is_alive:
            clock.end(task)
            return now
        time.sleep(POLL_SECONDS)


class Clock:
    """How long a whole study has left, from the work of each run and the speed so far."""

    def __init__(self, work: dict[str, studies.Work]) -> None:
        self.left = dict(work)  # of the runs that have not ended
        self.done, self.seconds = 0.0, 0.0  # work that ended, and the time that it took
        self.began = time.monotonic()
        self.seen: set[str] = set()  # stages of the run that is going on

    def begin(self) -> None:
        """A run begins."""
        self.began, self.seen = time.monotonic(), set()

    def end(self, task: str) -> None:
        """A run has ended."""
        work, took = self.left.pop(task), time.monotonic() - self.began
        if took > 1:  # a run that was there already says nothing about speed
            self.done, self.seconds = self.done + work.train + work.after, self.seconds + took

    def seconds_left(self, task: str, now: jobs.Status) -> float:
        """Return the study's seconds left, NaN while nothing was measured. Early stopping makes it less."""
        work = self.left[task]
        if now.stage.startswith("train"):
            here = work.train * (now.done / now.of if now.of else 0.0)
        else:
            self.seen.add(now.stage)
            here = work.train + work.after * min(1.0, len(self.seen) / work.stages)
        done = self.done + here
        took = self.seconds + time.monotonic() - self.began
        left = sum(other.train + other.after for other in self.left.values()) - here
        return took * left / done if done else math.nan


def make_phantoms(lab: Lab, study: specs.StudySpec, progress: Progress) -> None:
    """Draw and ingest the phantom sites that the study names and the lab lacks.

    Raises:
        BadRun: a site that the study names is no phantom, or its name is taken by a real site.
    """
    from cxrlab import ingest, phantom

    known = {name: (recipe, n) for name, recipe, n in phantom.DEMO}
    for site in (study.source, *study.external):
        if site not in known:
            raise BadRun(f"no phantom site named {site!r}; known: {', '.join(known)}.")
        if lab.store(site).exists():
            if not open_store(lab, site).header.synthetic:
                raise BadRun(
                    f"{site} is a real site in this lab; the demo needs that name. Use another lab folder."
                )
            continue
        recipe, n = known[site]
        phantom.write_raw(lab.raw(site), recipe, n, study.seed)
        ingest.ingest(lab, "phantom", lab.raw(site), site, progress=progress)
