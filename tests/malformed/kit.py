"""How a malformed input is tried: the shell's verbs in this process, with a clock, and a count of what became of each file."""

import contextlib
import faulthandler
import importlib.util
import io
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
import pandas as pd

from cxrlab import __main__, store
from cxrlab.intake import decoders, staging
from cxrlab.paths import Lab
from cxrlab.sites import SITES, tables

SITES_OF_TESTS = Path(__file__).parents[1] / "sites"
SECONDS = 20  # an input that takes longer counts as one that hangs
PX = 32
LONGEST = 900  # characters of a sentence; more is a dump


@lru_cache
def maker(site: str) -> Any:
    """Return the module that fakes a site's raw folder."""
    spec = importlib.util.spec_from_file_location(f"make_{site}", SITES_OF_TESTS / site / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fakeable() -> list[str]:
    """Return the registered sites that have a fake."""
    return [site for site in sorted(SITES) if (SITES_OF_TESTS / site / "make.py").is_file()]


def private(site: str) -> bool:
    """Return whether a site's names are replaced before a store is written."""
    hides = getattr(SITES[site], "hides_names", None)
    return hides({}) if hides else SITES[site].private


@contextlib.contextmanager
def clock(seconds: int = SECONDS) -> Iterator[None]:
    """Fail what hangs: in Python by an alarm, in C by ending the process with every thread's traceback."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"nothing came of it within {seconds} s")

    old = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    faulthandler.dump_traceback_later(3 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, old)


class Here:
    """A crew of this process: what a worker does, without the half second that it takes to start one."""

    def __init__(self, dataset: str, n: int, *, plain: bool = False) -> None:
        self._site = None if plain else SITES[dataset]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def decode(self, work: staging.Staging, on_done: Any) -> None:
        waiting = np.flatnonzero(work.states["state"] == staging.WAITING)
        bad = [(int(i), reason) for i in waiting if (reason := decoders.decode_one(self._site, work, int(i)))]
        work.refuse(bad)
        on_done(len(waiting))


@dataclass
class Outcome:
    """What one verb gave."""

    status: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error: the one that a person reads."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else ""


def say(*words: object, seconds: int = SECONDS) -> Outcome:
    """Carry out `python -m cxrlab WORDS` here. Whatever it raises is the traceback that must not be."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), clock(seconds):
        try:
            status = __main__.main([str(word) for word in words])
        except SystemExit as end:  # argparse
            status = end.code
    return Outcome(int(status or 0), out.getvalue(), err.getvalue())


def check_sentence(done: Outcome, *names: str) -> None:
    """Assert that a refusal is one clear sentence that names one of `names`, each a part of a path."""
    said = done.sentence
    progress = [
        line
        for line in done.err.strip().splitlines()[:-1]
        if not line.startswith(("decode ", "write ", "read "))
    ]
    assert not progress, f"more than one line: {done.err}"
    assert 20 < len(said) <= LONGEST, f"{len(said)} characters: {said[:2000]}"
    assert "Traceback" not in done.err and "<class" not in said and "object at 0x" not in said, said
    assert said.isprintable(), f"unprintable: {said!r}"
    assert any(name.lower() in said.lower() for name in names), f"names none of {names}: {said}"


@dataclass
class Made:
    """A store and what of the raw folder is neither in it nor in its quarantine."""

    rows: pd.DataFrame
    evidence: pd.DataFrame  # by image_id, one column a label
    left_out: list[tuple[str, str]]
    lost: list[str]
    pixels: dict[str, bytes] = field(default_factory=dict)  # by source file


def look(lab: Lab, site: str, dataset: str, raw: Path) -> Made:
    """Return what a store says of a raw folder, in the raw folder's own names."""
    opened = store.read(lab.store(site))
    assert store.check(opened.path) == []
    rows, left_out = opened.rows, list(opened.quarantine.itertuples(index=False, name=None))
    assert all(reason.strip() for _, reason in left_out), "a reason is blank"
    if private(dataset):
        behind = pd.read_csv(lab.private_table(site), dtype=str, keep_default_na=False)
        below = [os.path.relpath(path, raw.resolve()) for path in behind["file"]]
        real = dict(zip(behind["name"], below, strict=True))
        rows = rows.assign(source_file=rows["source_file"].map(real))
        left_out = [(real[name], reason) for name, reason in left_out]
    said = pd.DataFrame(opened.evidence, index=rows["image_id"], columns=list(opened.header.labels))
    pixels = {name: opened.image(i).tobytes() for i, name in enumerate(rows["source_file"])}
    named = {*rows["source_file"], *(name for name, _ in left_out)}
    return Made(rows, said, left_out, lost(pictures_of(raw), named), pixels)


def pictures_of(raw: Path) -> list[str]:
    """Return the files of a raw folder that are images of a chest; a mask belongs to its image."""
    return [name for name in tables.list_images(raw) if "masks" not in PurePosixPath(name).parts]


def lost(files: list[str], named: set[str]) -> list[str]:
    """Return the files that nothing in `named` means.

    A quarantine may name a file as its table does: by its last folders, without suffix, or under another one.
    """
    ends = {_end(name, k) for name in named for k in range(1, 8)}
    whole = {_end(name, 99) for name in named}
    return [
        file
        for file in files
        if file not in named
        and _end(file, 99) not in ends
        and not any(_end(file, k) in whole for k in range(1, len(PurePosixPath(file).parts) + 1))
    ]


def _end(name: str, k: int) -> str:
    """Return the last k parts of a path, without suffix and case."""
    parts = PurePosixPath(name.replace("\\", "/").lower()).parts[-k:]
    return "/".join((*parts[:-1], PurePosixPath(parts[-1]).stem)) if parts else ""


def check_reason(reason: str) -> None:
    """Assert that a quarantine's reason is a short, printable text."""
    assert 5 < len(reason) <= LONGEST and reason.isprintable(), repr(reason[:500])
    assert "Traceback" not in reason and "<class" not in reason and "object at 0x" not in reason, reason


def named(file: str, left_out: list[tuple[str, str]]) -> bool:
    """Return whether a quarantine speaks of `file`."""
    return not lost([file], {name for name, _ in left_out})
