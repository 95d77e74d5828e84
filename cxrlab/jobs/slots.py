"""How many jobs of this lab compute at once on this machine, and who is next.

In:    lock files in the lab's slots folder; CXRLAB_SLOTS.
Out:   a slot, held until the process ends however it ends.
Never: torch: a job that waits must cost nothing.
"""

import fcntl
import os
import socket
import time
from pathlib import Path

from cxrlab.errors import BadInput
from cxrlab.jobs import state
from cxrlab.paths import Lab, RunPaths

POLL_SECONDS = 0.2


def count() -> int:
    """Return how many jobs may compute at once: CXRLAB_SLOTS, or 1 with a GPU, else 2 where there are two processors.

    Two single-threaded jobs beside each other finish as much as two two-threaded ones in turn, and unlike those they do
    not stall when something else wants a processor: threads that wait for one another made training ten times slower.

    Raises:
        BadInput: CXRLAB_SLOTS is not a number of at least 1.
    """
    said = os.environ.get("CXRLAB_SLOTS")
    if said is None:
        return 1 if has_gpu() else min(2, processors())
    if not said.isdigit() or int(said) < 1:
        raise BadInput(f"CXRLAB_SLOTS is {said!r}; expected a number of jobs, 1 or more.")
    return int(said)


def threads() -> int | None:
    """Return how many threads a job computes on, so that all slots together fill the machine; None: as many as it likes."""
    return None if has_gpu() else max(1, processors() // count())


def has_gpu() -> bool:
    """Return whether this machine has an NVIDIA GPU, without loading anything that talks to it."""
    return Path("/dev/nvidia0").exists()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wait(run: RunPaths) -> int:
    """Wait for a slot, first come first served, and take it; return the handle that holds it.

    The kernel frees the slot when the process that holds the handle dies, so no slot is ever stale.
    """
    lab = run.lab
    lab.slots.mkdir(parents=True, exist_ok=True)
    while True:
        if queue(lab)[:1] in ([run.run_id], []):
            handle = _take(lab)
            if handle is not None:
                return handle
        time.sleep(POLL_SECONDS)


def queue(lab: Lab) -> list[str]:
    """Return the runs that wait for a slot on this machine, the earliest submitted first."""
    waiting = []
    for run_id in lab.run_ids():
        run = lab.run(run_id)
        if run.end.exists():
            continue
        job = state.read_job(run)
        if (
            job is not None
            and not job.started
            and job.host == socket.gethostname()
            and state.is_carried_out(job)
        ):
            waiting.append((job.submitted, run_id))
    return [run_id for _, run_id in sorted(waiting)]


def _take(lab: Lab) -> int | None:
    for number in range(count()):
        handle = os.open(lab.slot(number), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        return handle
    return None
