"""A study's process: it has its runs carried out, and tells where all of it stands.

In:    a StudySpec; the plan of cxrlab.studies.
Out:   the study's stores (phantoms only) and runs, as jobs of their own that outlive this process.
Never: torch: each run computes in its own process.
"""

import math
import time

from cxrlab import files, jobs, studies
from cxrlab import spec as specs
from cxrlab.errors import BadRun, CxrlabError
from cxrlab.facts import estimate
from cxrlab.jobs import slots, stages
from cxrlab.jobs.clock import Clock
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
    unit = estimate.REFERENCE_SECONDS if math.isnan(unit) else unit
    clock = Clock(studies.work(outline, n_images), unit, slots.count())
    wrong = _carry_out_all(lab, outline, ids, progress, clock)
    if wrong:
        said = " ".join(f"{studies.NAMES[task]} {wrong[task]}" for task in ids if task in wrong)
        raise BadRun(f"{len(wrong)} of {len(ids)} runs did not end well. {said}")


def _carry_out_all(
    lab: Lab, outline: studies.Outline, ids: dict[str, str], progress: Progress, clock: Clock
) -> dict[str, str]:
    """Submit each run as soon as what it needs is there, and relay what they do until all have ended.

    Their slots decide how many compute at once. Returns task → reason of those that did not end well.
    """
    needs = {
        task: next((other for other, name in ids.items() if name == planned.model.latents_of), "")
        for task, planned in outline.specs.items()
    }
    waiting, alive, wrong, relay = list(ids), [], {}, Relay(progress)
    while waiting or alive:
        for task in [task for task in waiting if needs[task] not in (*waiting, *alive)]:
            waiting.remove(task)
            if needs[task] in wrong:
                wrong[task] = f"needs the {studies.NAMES[needs[task]]}, which is not there."
                clock.drop(task)
                continue
            try:
                jobs.submit(lab, outline.specs[task])
                alive.append(task)
            except CxrlabError as error:
                wrong[task] = str(error)
                clock.drop(task)
        now = {task: jobs.status(lab.run(ids[task])) for task in alive}
        for task, status in now.items():
            clock.see(task, status)
            if not status.is_alive and status.state != "done":
                wrong[task] = f"{status.state}: {status.reason}"
        relay.show(now, clock.seconds_left())
        alive = [task for task in alive if now[task].is_alive]
        if alive:
            time.sleep(POLL_SECONDS)
    return wrong


class Relay:
    """Tells in the study's progress what the first of its runs at work is doing."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.shown = progress, ("", -1)

    def show(self, now: dict[str, jobs.Status], seconds_left: float) -> None:
        """Write a line when there is news of the run that is shown."""
        at_work = [task for task, status in now.items() if status.state == "running"] or list(now)
        if not at_work:
            return
        status = now[at_work[0]]
        stage = f"{studies.NAMES[at_work[0]]}: {status.stage or 'starting'}"
        if self.shown[0] != stage:
            self.progress.stage(stage, status.of)
        if self.shown != (stage, status.done):
            self.progress.of = status.of
            self.progress.step(status.done, all_seconds_left=round(seconds_left, 1))
        self.shown = (stage, status.done)


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
