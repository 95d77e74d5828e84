"""The life of one job's process: claim the run, wait for a slot, work, and record how it ended.

In:    a run's name; its folder says the rest.
Out:   end.json, whatever happens short of SIGKILL.
Never: torch before the slot is held: a waiting job must cost nothing.
"""

import errno
import os
import signal
import socket
import sys
import time
import traceback
from dataclasses import replace
from types import FrameType

from cxrlab import allocator
from cxrlab import spec as specs
from cxrlab.errors import CxrlabError
from cxrlab.jobs import process, slots, state
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress


class Stopped(BaseException):
    """SIGTERM came. No `except Exception` may swallow it."""


def main(run_id: str) -> int:
    """Carry the run out in this process; return its exit status."""
    run = Lab.here().run(run_id)
    allocator.keep_freed()
    signal.signal(signal.SIGTERM, _stop)
    try:
        if not _claim(run):
            return 0
        how, reason = _work(run)
    except Stopped:
        how, reason = "cancelled", "stopped by the signal SIGTERM."
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the last word must be written whole
    used = os.times()
    print(
        f"{_clock()} {how} {reason}".rstrip(),
        f"[{used.user + used.system:.0f} s of processor time]",
        flush=True,
    )
    state.write_end(run, how, reason)
    return 0 if how == "done" else 1


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _claim(run: RunPaths) -> bool:
    """Say in job.json that this process carries `run` out; False when another does, or it has ended."""
    me = process.identity_of(os.getpid())
    with state.locked(run):
        job = state.read_job(run)
        if me is None or run.end.exists() or (state.is_carried_out(job) and job.who != me):
            return False
        if job is None:
            job = state.Job("local", socket.gethostname(), round(time.time(), 6))
        # Whoever started us may have died before it could write who we are.
        state.write_job(run, replace(job, pid=me.pid, born=me.born, started=0.0))
        _mend(run)
    return True


def _mend(run: RunPaths) -> None:
    """Undo what a killed process left half-done: a half-written last line, and files under temporary names."""
    if run.progress.exists():
        text = run.progress.read_bytes()
        if text and not text.endswith(b"\n"):
            os.truncate(run.progress, text.rfind(b"\n") + 1)
    for part in run.folder.rglob("*.part-*"):
        writer = part.name.rpartition("-")[2]
        # A job that scores with this run's checkpoint may be writing here at this moment.
        if writer.isdigit() and process.identity_of(int(writer)) is None:
            part.unlink(missing_ok=True)


def _work(run: RunPaths) -> tuple[state.State, str]:
    """Return how it ended, and why."""
    try:
        spec = specs.read(run.spec)
        # These compute nothing themselves: they wait for their runs, and with a slot in hand they would wait for ever.
        if spec.kind not in ("study", "sweep"):
            slots.wait(run)
        state.write_job(run, replace(state.read_job(run), started=round(time.time(), 3)))
        print(f"{_clock()} {run.run_id} begins, process {os.getpid()}", flush=True)
        os.nice(5)  # the page that watches should stay quick
        from cxrlab.jobs import stages  # brings torch when the work needs it

        stages.carry_out(run.lab, spec, run, Progress(run.progress))
    except KeyboardInterrupt:
        return "cancelled", "interrupted at the keyboard."
    except Exception as error:  # noqa: BLE001  # every ending is recorded
        traceback.print_exc()
        return "failed", reason_of(error)
    return "done", ""


def reason_of(error: Exception) -> str:
    """Return one sentence for `end.json`.

    >>> reason_of(ValueError("too few rows"))
    'ValueError: too few rows'
    """
    if isinstance(error, CxrlabError):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            "ran out of memory; choose a smaller batch or image side, or fewer images, then resume. "
            + str(error)
        ).rstrip()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk filled up ({error.filename or 'no file named'}); free some space, then resume."
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _clock() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
