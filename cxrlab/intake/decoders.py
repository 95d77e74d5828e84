"""Processes that decode a staging's files; the parent's side and, as `python -m cxrlab.intake.decoders FOLDER`, the worker's.

In:    a staging and the rows still to do.
Out:   pixels and states in the staging's arrays; nothing large travels through a pipe.
Never: HDF5, stores.

A worker reads "start stop" lines and answers each with a JSON list of [row, reason] it refused, or {"errno"} when the
staging cannot be written. When its parent dies,
its input ends and it leaves; when it dies on a file (a decoder can crash), that file is refused and another one starts.
A dataset of ordinary image files needs no plug-in to be decoded; its workers get no name and import no tables.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

import cxrlab
from cxrlab import allocator
from cxrlab.errors import BadInput
from cxrlab.intake.staging import BUSY, WAITING, Staging

if TYPE_CHECKING:
    from cxrlab.sites import Site

KEPT = 256 * 2**20  # bytes of freed memory that a worker keeps: 4000 x 4000 pixels in float32, four times
UNIT = 16  # images a message; about a tenth of a second of decoding


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


class Worker:
    """The parent's handle of one process. Start it early: it imports while the parent reads tables."""

    def __init__(self, dataset: str) -> None:
        package = str(Path(cxrlab.__file__).resolve().parent.parent)
        others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([package, *others]), "OMP_NUM_THREADS": "1"}
        self.dataset = dataset
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cxrlab.intake.decoders", dataset],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            text=True,
        )
        # Decoders grumble on stderr; an undrained pipe would stop them.
        self.grumbles: list[str] = []
        self._drain = threading.Thread(target=self._listen, daemon=True)
        self._drain.start()

    def _listen(self) -> None:
        for line in self.process.stderr:
            self.grumbles = [*self.grumbles[-19:], line]

    def ask(self, line: str) -> str:
        """Send a line and return the answer; "" when the process has died."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline()
        except (BrokenPipeError, ValueError):
            return ""

    def stop(self) -> None:
        """End the process now."""
        self.process.kill()
        self.process.wait()
        self._drain.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:  # a last line that it never read
                continue


class Crew:
    """Several workers for one ingest; a context that leaves no process behind."""

    def __init__(self, dataset: str, n: int, *, plain: bool = False) -> None:
        self._workers = [Worker("" if plain else dataset) for _ in range(max(n, 1))]
        self._guard = threading.Lock()  # around changes of bad.jsonl and of the crew
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._guard:
            self._closed = True
            for worker in self._workers:
                worker.stop()

    def decode(self, staging: Staging, on_done: Callable[[int], None]) -> None:
        """Decode every row of `staging` that is WAITING; call `on_done` with how many are done so far.

        Raises:
            RuntimeError: a worker ended by itself; that is a mistake in a plug-in, and its words are in the text.
        """
        units = _units(np.flatnonzero(staging.states["state"] == WAITING))
        with ThreadPoolExecutor(len(self._workers)) as threads:
            free = list(range(len(self._workers)))
            busy: dict[Future[int], int] = {}
            done = 0
            try:
                while True:
                    while free and (unit := next(units, None)) is not None:
                        slot = free.pop()
                        busy[threads.submit(self._carry_out, slot, staging, unit)] = slot
                    if not busy:
                        return
                    for future in wait(busy, return_when=FIRST_COMPLETED).done:
                        free.append(busy.pop(future))
                        done += future.result()
                        on_done(done)
            except BaseException:
                self.__exit__()  # the threads wait for answers that must not come any more
                raise

    def _carry_out(self, slot: int, staging: Staging, unit: tuple[int, int]) -> int:
        line = f"{json.dumps(str(staging.folder))} {unit[0]} {unit[1]}"
        while not (answer := self._workers[slot].ask(line)).endswith("\n"):
            self._replace(slot, staging, unit)
        said = json.loads(answer)
        if isinstance(said, dict):
            raise OSError(said["errno"], os.strerror(said["errno"]))
        with self._guard:
            staging.refuse([(i, reason) for i, reason in said])
        return unit[1] - unit[0]

    def _replace(self, slot: int, staging: Staging, unit: tuple[int, int]) -> None:
        """Refuse the file that a worker died on and start a successor for the rest of the unit."""
        with self._guard:
            if self._closed:
                raise RuntimeError("the crew was sent home")
            dead = self._workers[slot]
            dead.stop()
            code, states = dead.process.returncode, staging.states["state"][slice(*unit)]
            busy = np.flatnonzero(states == BUSY)
            if code >= 0 or not len(busy):
                raise RuntimeError(f"a decoding process ended with code {code}:\n{''.join(dead.grumbles)}")
            states[busy] = (
                WAITING  # those before the last were refused, but their reasons died with the process
            )
            staging.refuse([(unit[0] + int(busy[-1]), f"the decoder crashed on this file (signal {-code})")])
            self._workers[slot] = Worker(dead.dataset)


def _units(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of consecutive rows, at most UNIT each."""
    for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1) if len(rows) else ():
        for start in range(0, len(run), UNIT):
            part = run[start : start + UNIT]
            yield int(part[0]), int(part[-1]) + 1


def decode_one(site: "Site | None", staging: Staging, i: int) -> str:
    """Decode row i into the staging; return "" or the reason why it cannot be used. No site: an ordinary image file."""
    from cxrlab.images import decode

    raw, source, px = Path(staging.plan.raw), staging.plan.sources[i], staging.plan.px
    try:
        image = site.image(raw, source) if site else decode.read(raw / source)
        small = decode.fit(image, px)
        if small.min() == small.max():
            return f"the image is blank: every pixel is {int(small[0, 0])}"
        if site and staging.masks:
            for name, mask in site.masks(raw, source, px, staging.plan.options).items():
                if mask.any():
                    staging.masks[name][i] = mask
    except BadInput as error:
        return str(error)
    except MemoryError:
        return "the image needs more memory than there is"
    staging.keep(i, small, image.shape[1], image.shape[0])
    return ""


def main(dataset: str) -> None:
    """Serve one parent until its pipe closes."""
    import cv2

    cv2.setNumThreads(1)
    allocator.keep_freed(KEPT)
    site: Site | None = None
    if dataset:
        from cxrlab.sites import SITES

        site = SITES[dataset]
    opened: dict[str, Staging] = {}
    for line in sys.stdin:
        decoder = json.JSONDecoder()
        folder, end = decoder.raw_decode(line)
        start, stop = map(int, line[end:].split())
        if folder not in opened:
            opened = {folder: Staging.open(Path(folder))}
        staging, bad = opened[folder], []
        for i in range(start, stop):
            if staging.states["state"][i] == WAITING:
                staging.states["state"][i] = BUSY
                try:
                    if reason := decode_one(site, staging, i):
                        bad.append((i, reason))
                except OSError as error:  # the disk of the staging is full: no fault of this file
                    staging.states["state"][i], bad = WAITING, {"errno": error.errno or 0}
                    break
        sys.stdout.write(json.dumps(bad) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
