"""Runs as detached processes: submit, look, cancel, resume, remove.

In:    a spec and a lab.
Out:   a run folder whose process outlives the page, the tab and the server that asked for it.
Never: torch, streamlit; this is the side that pages import. The worker is another module.
"""

import shutil
import socket
from collections.abc import Callable

from cxrlab import files
from cxrlab import spec as specs
from cxrlab.errors import BadRun, MissingInput
from cxrlab.jobs import process, state
from cxrlab.jobs.executors import EXECUTORS
from cxrlab.jobs.state import Status, log_tail, status
from cxrlab.paths import Lab, RunPaths

__all__ = ["Status", "cancel", "children", "find", "log_tail", "remove", "resume", "status", "submit"]

AnySpec = specs.AnySpec


def submit(lab: Lab, spec: AnySpec, executor: str = "local") -> str:
    """Start carrying `spec` out and return the run's name.

    Submitting says "I want this run's numbers": a run that is queued, running or done is left as it is, so pressing
    Start twice gives one run; one that failed, was cancelled or is lost starts again from where it stood.

    Raises:
        MissingInput, BadStore: a site that the spec names has no store, or a damaged one.
        BadSpec: the spec does not fit the stores.
        NoSpace: the disk does not hold what it may fill.
        UnknownName: no such executor.
    """
    from cxrlab.jobs import request, room  # read stores; a page that looks at runs need not load h5py
    from cxrlab.leaks import memory

    start = EXECUTORS[executor]
    spec = request.complete(lab, spec)
    run, found = lab.run(spec.run_id), request.overlaps(lab, spec)
    if not run.spec.exists():
        room.check(lab, spec)
    after: Callable[[], None] | None = None
    with state.locked(run):
        # A later scoring says it where its numbers are shown, too: at the run that it scores.
        for one in (run, lab.run(spec.run)) if isinstance(spec, specs.ScoreSpec) else (run,):
            memory.record(one, found)
        if not run.spec.exists():
            files.write_text(run.spec, specs.dumps(spec) + "\n")
            try:
                after = start(run)
            except BaseException:
                run.spec.unlink()  # what could not be started is no run
                raise
        elif status(run, holding=True).state not in ("queued", "running", "done"):
            after = _start_again(run, executor)
    if after is not None:
        after()
    return run.run_id


def resume(lab: Lab, run_id: str, executor: str = "local") -> None:
    """Start a run again that failed, was cancelled or is lost; what it finished is kept.

    A run that is alive is left alone, so pressing Resume twice is as pressing it once.

    Raises:
        MissingInput: no such run.
        BadRun: it is done.
    """
    run = lab.run(run_id)
    after: Callable[[], None] | None = None
    status(run)  # raises when there is no such run, before a lock file would make its folder
    with state.locked(run):
        now = status(run, holding=True).state
        if now == "done":
            raise BadRun(f"{run_id} is done; there is nothing to resume. Remove it to make it anew.")
        if now not in state.ALIVE:
            after = _start_again(run, executor)
    if after is not None:
        after()


def _start_again(run: RunPaths, executor: str) -> Callable[[], None] | None:
    start = EXECUTORS[executor]
    _wait_until_gone(run)
    run.end.unlink(missing_ok=True)
    return start(run)


def cancel(run: RunPaths, grace: float = 5.0) -> Status:
    """End a run's process, and those of a study's runs; return only when they are gone.

    A run that has ended keeps its end. `grace` is how many seconds a process has between SIGTERM and SIGKILL.

    Raises:
        MissingInput: no such run.
        BadRun: the process is on another machine, or could not be ended.
    """
    status(run)
    with state.locked(run):
        now, job = status(run, holding=True), state.read_job(run)
        if now.is_alive and job is not None:
            if job.host != socket.gethostname():
                raise BadRun(f"{run.run_id} runs on {job.host}; cancel it there.")
            if job.who is not None and not process.end(job.who, grace):
                raise BadRun(
                    f"the process {job.pid} of {run.run_id} could not be ended; its log may say why."
                )
        end = state.read_end(run)
        # The process's own goodbye says "by a signal"; the person's wish is the better reason.
        if end is None or (now.is_alive and end["state"] == "cancelled"):
            state.write_end(run, "cancelled", "cancelled on request.")
    for child in children(run).values():
        its = run.lab.run(child)
        if its.spec.exists() and status(its).is_alive:
            cancel(its, grace)
    return status(run)


def children(run: RunPaths) -> dict[str, str]:
    """Return a study's runs, task → run id; {} for any other run."""
    return dict(files.read_json(run.children)["runs"]) if run.children.exists() else {}


def remove(lab: Lab, run_id: str) -> None:
    """Delete a run's folder.

    Raises:
        MissingInput: no such run.
        BadRun: it is alive.
    """
    run = lab.run(run_id)
    status(run)
    with state.locked(run):
        if (now := status(run, holding=True)).is_alive:
            raise BadRun(f"{run_id} is {now.state}; cancel it before removing it.")
        _wait_until_gone(run)
        run.spec.unlink()  # from here on it is no run, even if the rest cannot be deleted
        shutil.rmtree(run.folder)


def _wait_until_gone(run: RunPaths) -> None:
    """A process that wrote its end may still be leaving."""
    job = state.read_job(run)
    if state.is_carried_out(job) and not process.wait_gone(job.who, 10.0):
        raise BadRun(
            f"the process {job.pid} of {run.run_id} has ended its work but does not leave; cancel it first."
        )


def find(lab: Lab, run_id: str) -> RunPaths:
    """Return the run that `run_id` names or begins.

    Raises:
        MissingInput: no run's name begins so, or several do.
    """
    known = lab.run_ids()
    if run_id in known:
        return lab.run(run_id)
    fits = [name for name in known if name.startswith(run_id)]
    if len(fits) == 1:
        return lab.run(fits[0])
    what = f"{len(fits)} runs begin with {run_id!r}" if fits else f"no run named {run_id!r}"
    some = ", ".join((fits or known)[:8]) + (", …" if len(fits or known) > 8 else "")
    raise MissingInput(f"{what}; this lab has: {some or 'none yet'}.")
