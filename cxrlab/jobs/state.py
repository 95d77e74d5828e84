"""What a run's job is doing, read from its folder alone.

In:    job.json, end.json, progress.jsonl, log.txt of one run.
Out:   `Status`; any tab, any day, after any restart.
Never: torch, streamlit; starting or ending anything.
"""

import contextlib
import fcntl
import math
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from cxrlab import files, progress
from cxrlab.errors import BadInput, MissingInput
from cxrlab.jobs import process
from cxrlab.paths import RunPaths

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]
ALIVE: tuple[State, ...] = ("queued", "running")
HEARD_SECONDS = 600.0  # a job on another machine that wrote nothing for this long is lost


@dataclass(frozen=True)
class Job:
    """job.json: who carries a run out, and since when. Times are seconds since 1970."""

    executor: str
    host: str
    submitted: float
    pid: int = 0  # 0: not started yet
    born: str = ""
    started: float = 0.0  # when it got its slot; 0: it waits

    @property
    def who(self) -> process.Identity | None:
        """The process that carries the run out."""
        return process.Identity(self.pid, self.born) if self.pid else None


@dataclass(frozen=True)
class Status:
    """Where a run stands. Times are seconds since 1970, NaN: not yet; `rate` and `seconds_left` are the stage's."""

    state: State
    stage: str = ""
    done: int = 0
    of: int = 0
    rate: float = math.nan
    seconds_left: float = math.nan
    reason: str = ""
    submitted: float = math.nan
    started: float = math.nan
    ended: float = math.nan
    pid: int = 0
    executor: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def is_alive(self) -> bool:
        """Whether a process carries the run out or waits to."""
        return self.state in ALIVE


def read_job(run: RunPaths) -> Job | None:
    """Return who carries `run` out; None when nobody ever did, or its file is of another kind."""
    try:
        return Job(**files.read_json(run.job))
    except (FileNotFoundError, BadInput, TypeError):
        return None


def write_job(run: RunPaths, job: Job) -> None:
    """Say who carries `run` out."""
    files.write_json(run.job, asdict(job))


def read_end(run: RunPaths) -> dict[str, Any] | None:
    """Return how `run` ended ({"state", "reason", "ended"}); None while it has not."""
    try:
        return files.read_json(run.end)
    except FileNotFoundError:
        return None
    except BadInput as error:
        return {"state": "failed", "reason": str(error), "ended": math.nan}


def write_end(run: RunPaths, state: State, reason: str = "") -> None:
    """Say how `run` ended; the last word of every job."""
    files.write_json(run.end, {"state": state, "reason": reason, "ended": round(time.time(), 3)})


def is_carried_out(job: Job | None) -> bool:
    """Return whether the job's process lives on this machine."""
    return (
        job is not None
        and job.who is not None
        and job.host == socket.gethostname()
        and process.is_alive(job.who)
    )


def status(run: RunPaths, *, holding: bool = False) -> Status:
    """Return where `run` stands; `holding`: the caller holds the run's lock.

    Raises:
        MissingInput: there is no such run.
    """
    if not run.spec.exists():
        raise MissingInput(f"no run at {run.folder}; `python -m cxrlab runs` lists the runs of this lab.")
    # In this order: the job writes end.json last, so "gone without an end" is only true when the end is read after.
    job = read_job(run)
    alive = is_carried_out(job)
    end = read_end(run)
    lines = progress.read(run.progress)
    if end is not None:
        state, reason = end["state"], end["reason"]
    else:
        state, reason = _without_end(run, job, alive, lines, holding)
    facts = _progress_facts(lines)
    if end is not None or state != "running":
        facts.update(rate=math.nan, seconds_left=math.nan)
    if state == "queued":
        facts.update(stage="waiting for its turn", done=0, of=0)
    return Status(
        state=state,
        reason=reason,
        submitted=job.submitted if job else math.nan,
        started=(job.started if job else 0) or math.nan,
        ended=math.nan if end is None else end["ended"],
        pid=job.pid if job else 0,
        executor=job.executor if job else "",
        **facts,
    )


def _without_end(
    run: RunPaths, job: Job | None, alive: bool, lines: list[dict[str, Any]], holding: bool
) -> tuple[State, str]:
    if alive:
        return ("running" if job.started else "queued"), ""
    if job is not None and job.host != socket.gethostname():
        heard = max([job.started, job.submitted, *(line["t"] for line in lines[-1:])])
        if time.time() - heard < HEARD_SECONDS:
            return ("running" if job.started else "queued"), f"runs on {job.host}"
        return "lost", f"nothing was heard from {job.host} for {HEARD_SECONDS / 60:.0f} minutes; resume it."
    if job is None or not job.pid:
        if not holding and is_locked(run):  # whoever starts it is at it
            return "queued", ""
        return "lost", "it was never started; resume it."
    return (
        "lost",
        "its process is gone without a word (killed, out of memory, or the machine went down); resume it.",
    )


def _progress_facts(lines: list[dict[str, Any]]) -> dict[str, Any]:
    now = progress.now(lines)
    numbers: dict[str, Any] = {}
    for line in reversed(lines):  # the latest of each number in this stage, e.g. the last epoch's loss
        if line["stage"] != now.stage:
            break
        numbers = {k: v for k, v in line.items() if k not in ("t", "stage", "of", "done")} | numbers
    return {**vars(now), "numbers": numbers}


@contextlib.contextmanager
def locked(run: RunPaths) -> Iterator[None]:
    """Hold the run's lock: one at a time may start, stop or remove it. The kernel frees it at death."""
    run.folder.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, run):
                yield
                return
        finally:
            os.close(handle)
        # The folder was removed while we waited; lock the new one.
        run.folder.mkdir(parents=True, exist_ok=True)


def _is_at(handle: int, run: RunPaths) -> bool:
    try:
        there = os.stat(run.lock)  # noqa: PTH116  # compared with fstat
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)


def is_locked(run: RunPaths) -> bool:
    """Return whether somebody holds the run's lock at this moment."""
    try:
        handle = os.open(run.lock, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def log_tail(run: RunPaths, lines: int = 50) -> str:
    """Return the last `lines` lines of what the job printed; "" when it printed nothing."""
    try:
        with run.log.open("rb") as log:
            log.seek(max(0, run.log.stat().st_size - 400 * lines))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def as_dict(now: Status) -> dict[str, Any]:
    """Return `now` as JSON values: NaN becomes None."""
    return plain(asdict(now))


def plain(value: Any) -> Any:  # JSON is any of six types
    """Return `value` with every NaN replaced by None, which JSON can say."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
