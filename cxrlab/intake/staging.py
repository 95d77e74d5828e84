"""The folder beside a store where an ingest keeps finished images until the store is written.

In:    a plan (which files, at which size) and images as they are decoded.
Out:   arrays on disk that survive the death of any process, and which rows of them are done.
Never: decoding, labels, HDF5.

Layout: `<store>.staging/` with plan.json, pixels (N, px, px) uint8, states (N,) of STATE, masks-<k>, bad.jsonl, lock.
"""

import fcntl
import json
import os
import shutil
import weakref
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from cxrlab import files
from cxrlab.errors import BadInput

WAITING, GOOD, BAD, BUSY = range(4)
# crc: of the pixels. After a power cut a row can be marked done while its pixels never reached the disk.
STATE = np.dtype([("state", "u1"), ("width", "<i4"), ("height", "<i4"), ("crc", "<u4")])


@dataclass(frozen=True)
class Plan:
    """What a worker process needs to know. Two equal plans give the same pixels."""

    recipe: str  # digest of everything that decides the store's contents
    dataset: str
    raw: str
    px: int
    sources: tuple[str, ...]  # (N,) files, relative to raw
    mask_names: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


class Images:
    """(N, px, px) uint8 in a file, one image at a time.

    No memory map: its pages count as the process's own, so that memory would grow with every image.
    """

    def __init__(self, path: Path, px: int) -> None:
        self._file, self._px = os.open(path, os.O_RDWR), px
        weakref.finalize(self, os.close, self._file)

    def __getitem__(self, i: int) -> np.ndarray:
        size = self._px * self._px
        return np.frombuffer(os.pread(self._file, size, int(i) * size), np.uint8).reshape(self._px, -1)

    def __setitem__(self, i: int, image: np.ndarray) -> None:
        data = np.ascontiguousarray(image, np.uint8).tobytes()
        os.pwrite(self._file, data, int(i) * len(data))


class Staging:
    """One ingest's unfinished work. Open it in as many processes as you like; they write different rows."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        n, px = len(plan.sources), plan.px
        self.states = np.memmap(folder / "states", STATE, "r+", shape=(n,))
        self.pixels = Images(folder / "pixels", px)
        self.masks = {name: Images(folder / f"masks-{k}", px) for k, name in enumerate(plan.mask_names)}

    @classmethod
    def open(cls, folder: Path) -> "Staging":
        """Open what `begin` made."""
        plan = files.read_json(folder / "plan.json")
        plan["sources"], plan["mask_names"] = tuple(plan["sources"]), tuple(plan["mask_names"])
        return cls(folder, Plan(**plan))

    def keep(self, i: int, image: np.ndarray, width: int, height: int) -> None:
        """Store image i, (px, px) uint8, of a source that was `width` x `height`; then say that it is done."""
        self.pixels[i] = image
        self.states[i] = (GOOD, width, height, zlib.crc32(image.tobytes()))

    def refuse(self, bad: list[tuple[int, str]]) -> None:
        """Record rows that cannot be used, each with its reason."""
        if bad:
            with (self.folder / "bad.jsonl").open("a", encoding="utf-8") as log:
                log.writelines(json.dumps([i, reason]) + "\n" for i, reason in bad)
            self.states["state"][[i for i, _ in bad]] = BAD

    def reasons(self) -> dict[int, str]:
        """Return row → reason for the rows that are BAD."""
        path = self.folder / "bad.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        said = {int(i): str(reason) for i, reason in map(json.loads, lines)}
        return {int(i): said.get(int(i), "unknown") for i in np.flatnonzero(self.states["state"] == BAD)}


def folder_of(store: Path) -> Path:
    """Return the staging folder of a store."""
    return store.with_name(f"{store.name}.staging")


def begin(store: Path, plan: Plan) -> tuple[Staging, int]:
    """Make the staging of `plan`, or take up what a killed ingest of the same plan left.

    Returns:
        The staging and how many images were already done. Refused rows are tried again: the file may be mended.

    Raises:
        OSError: the disk has no room; nothing is kept then.
    """
    folder = folder_of(store)
    if _same_plan(folder, plan):
        staging = Staging(folder, plan)
        good = np.flatnonzero(staging.states["state"] == GOOD)
        whole = [i for i in good if zlib.crc32(staging.pixels[i].tobytes()) == staging.states["crc"][i]]
        staging.states["state"][np.setdiff1d(np.arange(len(plan.sources)), whole)] = WAITING
        (folder / "bad.jsonl").unlink(missing_ok=True)
        return staging, len(whole)
    clear(store)
    folder.mkdir(parents=True, exist_ok=True)
    n, image = len(plan.sources), plan.px * plan.px
    try:
        # Room is taken now: writing through a map into a full disk kills the process (SIGBUS) and says nothing.
        _make(folder / "states", n * STATE.itemsize)
        _make(folder / "pixels", n * image)
        for k in range(len(plan.mask_names)):
            # Few images of a large site have masks: a hole in a file costs nothing and reads as zeros.
            (folder / f"masks-{k}").touch()
            os.truncate(folder / f"masks-{k}", n * image)
        files.write_json(folder / "plan.json", asdict(plan))  # last: a plan vouches for the arrays
    except OSError:
        clear(store)
        raise
    return Staging(folder, plan), 0


def clear(store: Path) -> None:
    """Remove the staging of `store`, if any; its lock stays with whoever holds it."""
    folder = folder_of(store)
    for path in folder.glob("*"):
        if path.name != "lock":
            path.unlink()


class Lock:
    """One ingest a store: a lock that the system lifts when its process dies."""

    def __init__(self, store: Path) -> None:
        self.store, self.folder = store, folder_of(store)

    def __enter__(self) -> Self:
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "lock"
            self._file = path.open("a")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._file.close()
                raise BadInput(
                    f"another process is ingesting {self.store.stem} right now; wait for it, or choose another name."
                ) from error
            # The holder before us may have removed the folder between our open and our lock.
            if path.exists() and os.path.samestat(os.fstat(self._file.fileno()), path.stat()):
                return self
            self._file.close()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not (self.folder / "plan.json").exists():  # nothing to take up later
            shutil.rmtree(self.folder, ignore_errors=True)
        self._file.close()


def _same_plan(folder: Path, plan: Plan) -> bool:
    try:
        return Staging.open(folder).plan == plan
    except (OSError, ValueError, TypeError, KeyError, BadInput):
        return False  # absent, of an older form or cut off: begin anew


def _make(path: Path, size: int) -> None:
    files.reserve(path, size)
    os.truncate(path, size)  # where the file system cannot reserve, the size at least is right
