"""What every benchmark gives: our speed beside a peer's, measured in the same run.

In:    nothing.
Out:   Line; a process of its own for a side.
Never: verdicts about a machine; only ratios.
"""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from cxrlab import allocator


@dataclass(frozen=True)
class Line:
    """One comparison; `ratio` is always "higher is better" and `bar` is the least that we promise."""

    name: str
    what: str
    ours: float
    peer: float
    unit: str
    ratio: float
    bar: float
    note: str = ""


def side(
    *, as_job: bool, begin: Callable[..., None] | None = None, given: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Return a fresh process that carries out what is submitted, one after the other; its `with` block ends it.

    Args:
        as_job: what a job does to its process is done to this one; a peer's is as Python starts it.
        begin: called in it first.
        given: what `begin` is called with.
    """
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, spawn, _begin, (as_job, begin, given))


def _begin(as_job: bool, begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    if as_job:
        allocator.keep_freed()
    if begin is not None:
        begin(*given)
