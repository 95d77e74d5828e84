"""Where a run's process is started: on this machine, detached or waited for; or on a cluster.

In:    a run folder with its spec, under the run's lock.
Out:   a process that carries the run out.
Never: torch; what the run means.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cxrlab
from cxrlab.errors import BadRun, Interrupted
from cxrlab.jobs import process, slots, state
from cxrlab.paths import RunPaths
from cxrlab.registry import Registry

# Called under the run's lock; what it returns, if anything, is called after the lock is released.
EXECUTORS: Registry[Callable[[RunPaths], Callable[[], None] | None]] = Registry("executor")


@EXECUTORS.add("local")
def local(run: RunPaths) -> None:
    """Start a detached process on this machine; it waits for a slot by itself."""
    _start(run, "local")


@EXECUTORS.add("inline")
def inline(run: RunPaths) -> Callable[[], None]:
    """As `local`, and wait until it is over: for scripts that want the result next.

    Whatever ends the waiting process by a signal ends the run first, which can be resumed; SIGKILL is not heard.
    """
    who = _start(run, "inline")

    def wait() -> None:
        try:
            with process.signals_are_raised():
                while who is not None and process.is_alive(who):
                    time.sleep(0.05)
        except KeyboardInterrupt as asked:
            from cxrlab import jobs  # which imports this file

            number = signal.Signals(getattr(asked, "number", signal.SIGINT))
            jobs.cancel(run)
            raise Interrupted(
                number,
                f"{number.name}: {run.run_id} was ended with this command and keeps what it had; "
                f"go on: python -m cxrlab runs resume {run.run_id}",
            ) from None

    return wait


@EXECUTORS.add("slurm")
def slurm(run: RunPaths) -> None:
    """Refuse: this version hands no jobs to a cluster."""
    raise BadRun(
        f"{run.run_id} was not started: this cxrlab cannot hand jobs to Slurm yet; use the executor 'local'."
    )


def _start(run: RunPaths, executor: str) -> process.Identity | None:
    submitted = round(time.time(), 6)
    state.write_job(run, state.Job(executor, socket.gethostname(), submitted))
    package = Path(cxrlab.__file__).resolve().parent.parent
    env = {
        **os.environ,
        "CXRLAB_HOME": str(run.lab.root),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH", "")))),
        **_threads(),
        "PYTHONUNBUFFERED": "1",  # so that the log is worth reading while the job runs
    }
    # -P: a folder named cxrlab beside the lab must not be taken for this package.
    command = [sys.executable, "-P", "-m", "cxrlab", "_work", run.run_id]
    who = process.start(command, run.log, run.lab.root.parent, env)
    if who is not None:
        state.write_job(run, state.Job(executor, socket.gethostname(), submitted, who.pid, who.born))
    return who


def _threads() -> dict[str, str]:
    """Return what tells a job how many threads to compute on, unless a person has said so."""
    threads = slots.threads()
    return {} if threads is None or "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(threads)}
