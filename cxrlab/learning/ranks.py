"""The processes of one training: started, watched and ended by the job that wants it.

In:    the arguments of train.fit, and how many processes.
Out:   what they leave in the run's folder; one sentence when one of them fails or is killed.
Never: what they compute; a process left behind.

The job itself only watches, so that a process that vanished is seen whatever the others are waiting in, and a cancelled
job can end them all. A process ends by itself when the job that started it is gone.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

import cxrlab
from cxrlab import allocator, errors, spec
from cxrlab.errors import BadRun
from cxrlab.learning import parallel
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec

HOST = "127.0.0.1"
POLL = 0.05  # seconds
GRACE = 10.0  # seconds that the others have, when one has failed, to say and keep what they have


def launch(
    n: int,
    run_spec: TrainSpec,
    lab: Lab,
    run: RunPaths,
    progress: Progress,
    device: str,
    save_every: float,
) -> None:
    """Train in `n` processes and wait until they are over.

    Raises:
        CxrlabError: what one of them said.
        BadRun: one of them was killed, or failed without a word for people.
    """
    store = dist.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    told = {
        "spec": spec.dumps(run_spec),
        "lab": str(lab.root),
        "run": str(run.folder),
        "progress": str(progress.path) if progress.path else "",
        "every": progress.every,
        "device": device,
        "save_every": save_every,
        "port": store.port,
        "size": n,
        "threads": max(1, torch.get_num_threads() // n),
    }
    children: list[subprocess.Popen] = []
    try:
        for rank in range(n):
            children.append(_start(rank, told))
        ended = _watch(children)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
            child.wait()
            child.stdin.close()
    if any(ended) or None in ended:
        raise _reason(store, ended)


def _start(rank: int, told: dict[str, Any]) -> subprocess.Popen:
    package = Path(cxrlab.__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH", ""))))
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "cxrlab.learning.ranks"],
        stdin=subprocess.PIPE,
        stdout=None if rank == 0 else subprocess.DEVNULL,  # the others would only repeat it
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(told["threads"])},
    )
    child.stdin.write(json.dumps({**told, "rank": rank}).encode() + b"\n")
    child.stdin.flush()
    return child


def _watch(children: Sequence[subprocess.Popen]) -> list[int | None]:
    """Wait until all are over, or one has failed and the others had their time; return exit statuses, None: at work."""
    until = float("inf")
    while None in (ended := [child.poll() for child in children]) and time.monotonic() < until:
        if any(ended) and until == float("inf"):
            until = time.monotonic() + GRACE
        time.sleep(POLL)
    return ended


def _reason(store: dist.Store, ended: Sequence[int | None]) -> errors.CxrlabError:
    """Return what the processes said to people, the lowest rank's word before the others'; else how the first ended.

    One that was killed is the first: the others fail a moment later, for want of it. Else it is who spoke first.
    """
    words = {
        rank: json.loads(store.get(_words(rank))) for rank in range(len(ended)) if store.check([_words(rank)])
    }
    for kind, said, _ in words.values():
        if kind:
            return getattr(errors, kind)(said)
    failed = [rank for rank, status in enumerate(ended) if status]
    silent = ["", "without a word", len(ended) + 1]
    rank = min(failed, key=lambda one: (ended[one] > 0, words.get(one, silent)[2]))
    if ended[rank] < 0:
        how = f"was killed by {signal.Signals(-ended[rank]).name}"
        remedy = "memory may have run out. Resume the run, or set CXRLAB_PROCESSES to fewer."
    else:
        how = f"failed ({words.get(rank, silent)[1]})"
        remedy = "the log says where. Mend that and resume the run."
    return BadRun(f"process {rank + 1} of the {len(ended)} that train this run {how}; {remedy}")


def _words(rank: int) -> str:
    return f"wrong/{rank}"


def main() -> int:
    """Be one process of a training, as told on standard input; return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job hears it and ends us
    allocator.keep_freed()
    told = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_the_job, daemon=True).start()
    from cxrlab import train  # which imports this file

    torch.set_num_threads(told["threads"])
    store = dist.TCPStore(HOST, told["port"], is_master=False, timeout=timedelta(minutes=5))
    rank, run_spec, lab = told["rank"], spec.build(json.loads(told["spec"])), Lab(Path(told["lab"]))
    path = Path(told["progress"]) if told["progress"] and rank == 0 else None
    try:
        with parallel.joined(rank, told["size"], store, told["device"]) as group:
            train.fit(
                run_spec,
                lab,
                RunPaths(Path(told["run"])),
                Progress(path, every=told["every"]),
                told["device"],
                save_every=told["save_every"],
                group=group,
            )
    except Exception as error:  # noqa: BLE001  # the job says it; an ordinary end would wait for the others
        ours = isinstance(error, errors.CxrlabError)
        if not ours:
            traceback.print_exc()
        words = [type(error).__name__, str(error)] if ours else ["", f"{type(error).__name__}: {error}"]
        store.set(_words(rank), json.dumps([*words, store.add("wrong", 1)]))
        return 1
    return 0


def _leave_with_the_job() -> None:
    sys.stdin.buffer.read()  # returns when the job, who holds the other end, is gone
    os._exit(1)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # the thread that waits for the job is still reading
