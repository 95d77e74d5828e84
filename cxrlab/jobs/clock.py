"""How long a whole study has left, from the work of each run and the speed so far.

In:    how much work each run is; what each is doing, again and again.
Out:   seconds.
Never: processes, files, promises: training that stops early makes it less.
"""

import time
from dataclasses import dataclass, field

from cxrlab import jobs, studies
from cxrlab.facts import estimate


@dataclass
class _Course:
    """How far one run is: work done, and the seconds that it took."""

    began: float | None = None  # time.monotonic()
    here: float = 0.0
    took: float = 0.0
    trains: bool = False
    is_over: bool = False
    seen: set[str] = field(default_factory=set)


class Clock:
    """The time left of runs that share `lanes` slots.

    Before anything was measured the speed is what `unit_seconds` says; it counts as much as PRIOR_SECONDS of measuring.
    """

    PRIOR_SECONDS = 5.0

    def __init__(self, work: dict[str, studies.Work], unit_seconds: float, lanes: int = 1) -> None:
        self.work, self.unit_seconds, self.lanes = work, unit_seconds, lanes
        self.courses = {task: _Course() for task in work}

    def see(self, task: str, now: jobs.Status) -> None:
        """Take notice of where a run is."""
        course, work = self.courses[task], self.work[task]
        if course.is_over or now.state == "queued":
            return
        course.began = time.monotonic() if course.began is None else course.began
        if now.stage.startswith(estimate.STAGE_TRAIN):
            course.trains = True
            course.here = work.train * (now.done / now.of if now.of else 0.0)
        elif course.trains:
            course.seen.add(now.stage)
            course.here = work.train + work.after * min(1.0, len(course.seen) / work.stages)
        course.took = time.monotonic() - course.began if course.here else 0.0
        course.is_over = not now.is_alive
        if course.is_over and course.took <= 1:
            course.here = course.took = 0.0  # a run that was there already says nothing about speed

    def drop(self, task: str) -> None:
        """A run will not be carried out."""
        self.courses[task].is_over = True

    def seconds_left(self) -> float:
        """Return the seconds left: what the longest run needs, or all of them shared among the lanes."""
        took = self.PRIOR_SECONDS + sum(course.took for course in self.courses.values())
        done = self.PRIOR_SECONDS / self.unit_seconds + sum(course.here for course in self.courses.values())
        left = [
            (self.work[task].train + self.work[task].after - course.here) * took / done
            + estimate.START_SECONDS * (not course.trains)
            for task, course in self.courses.items()
            if not course.is_over
        ]
        return max(max(left, default=0.0), sum(left) / self.lanes)
