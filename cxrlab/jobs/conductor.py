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
from cxrlab.facts import estimate
from cxrlab.jobs import stages
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
        BadStore: a site is another than when the study was asked for.
    """
    if study.make == "phantom":
        make_phantoms(lab, study, progress)
    for site in study.data:
        stages.check_unchanged(lab, site, study.data)
    outline = studies.outline(study, lab)
    ids = {task: planned.run_id for task, planned in outline.specs.items()}
    files.write_json(run.children, {"runs": ids, "left_out": outline.left_out})
    n_images = {site: len(open_store(lab, site)) for site in (study.source, *study.external)}
    unit, _ = estimate.measured_unit(lab, n_images)
    clock = Clock(studies.work(outline, n_images), estimate.REFERENCE_SECONDS if math.isnan(unit) else unit)
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
        if shown != (stage, now.done):
            progress.of = now.of
            progress.step(now.done, all_seconds_left=round(clock.seconds_left(task, now), 1))
        shown = (stage, now.done)
        if not now.is_alive:
            clock.end(task)
            return now
        time.sleep(POLL_SECONDS)


class Clock:
    """How long a whole study has left, from the work of each run and the speed so far.

    Before anything was measured the speed is what `unit_seconds` says; it counts as much as PRIOR_SECONDS of measuring.
    """

    PRIOR_SECONDS = 5.0

    def __init__(self, work: dict[str, studies.Work], unit_seconds: float) -> None:
        self.left = dict(work)  # of the runs that have not ended
        self.done, self.seconds = self.PRIOR_SECONDS / unit_seconds, self.PRIOR_SECONDS
        self.began, self.trains, self.seen = time.monotonic(), False, set()

    def begin(self) -> None:
        """A run begins."""
        self.began, self.trains, self.seen = time.monotonic(), False, set()

    def end(self, task: str) -> None:
        """A run has ended."""
        work, took = self.left.pop(task), time.monotonic() - self.began
        if took > 1:  # a run that was there already says nothing about speed
            self.done, self.seconds = self.done + work.train + work.after, self.seconds + took

    def seconds_left(self, task: str, now: jobs.Status) -> float:
        """Return the study's seconds left. Training that stops early makes it less."""
        work, here = self.left[task], 0.0
        if now.stage.startswith(estimate.STAGE_TRAIN):
            self.trains = True
            here = work.train * (now.done / now.of if now.of else 0.0)
        elif self.trains:
            self.seen.add(now.stage)
            here = work.train + work.after * min(1.0, len(self.seen) / work.stages)
        took = self.seconds + (time.monotonic() - self.began if here else 0.0)
        rest = sum(other.train + other.after for other in self.left.values()) - here
        return took * rest / (self.done + here) + estimate.START_SECONDS * (len(self.left) - self.trains)


def make_phantoms(lab: Lab, study: specs.StudySpec, progress: Progress) -> None:
    """Draw and ingest the phantom sites that the study names and the lab lacks.

    Raises:
        BadRun: a site that the study names is no phantom, or its name is taken by a real site.
    """
    from cxrlab import ingest, phantom

    known = {name: (recipe, n) for name, recipe, n in phantom.DEMO}
    to_draw = []
    for site in (study.source, *study.external):
        if site not in known:
            raise BadRun(f"no phantom site named {site!r}; known: {', '.join(known)}.")
        if not lab.store(site).exists():
            to_draw.append(site)
        elif not open_store(lab, site).header.synthetic:
            raise BadRun(
                f"{site} is a real site in this lab; the demo needs that name. Use another lab folder."
            )
    n_images = {site: n for site, (_, n) in known.items() if site in (study.source, *study.external)}
    later = estimate.estimate(list(studies.rough(study).specs.values()), n_images, lab).seconds
    drawing = Drawing(progress, sum(n_images[site] for site in to_draw), later)
    for site in to_draw:
        recipe, n = known[site]
        drawing.site = site
        phantom.write_raw(lab.raw(site), recipe, n, study.seed)
        ingest.ingest(lab, "phantom", lab.raw(site), site, progress=drawing)
        drawing.images_left -= n


class Drawing(Progress):
    """A progress that names the site being drawn, and adds what the whole study has left."""

    def __init__(self, into: Progress, images_left: int, later: float) -> None:
        super().__init__(into.path, every=into.every, echo=into.echo)
        self.images_left, self.later, self.site = images_left, later, ""
        self.each, self.began = 1 / 100, time.monotonic()  # seconds an image, until it was measured

    def stage(self, name: str, of: int = 0) -> None:
        """Begin the stage `name`."""
        super().stage(f"draw {self.site}: {name}", of)
        self.began = time.monotonic()
        self.step(0, all_seconds_left=self._left(0))

    def step(self, done: int, **numbers: float | str) -> None:
        """Say that `done` steps are done."""
        if "decode" in self.stage_name and done:
            self.each = (time.monotonic() - self.began) / done
            if done >= self.of or time.time() - self._last >= self.every:
                numbers = {"all_seconds_left": self._left(done), **numbers}
        super().step(done, **numbers)

    def _left(self, done: int) -> float:
        return round(self.each * (self.images_left - done) + self.later, 1)
