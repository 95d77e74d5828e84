"""What a job is doing, one JSON line at a time.

In:    numbers from a running job.
Out:   progress.jsonl, append only; and its reader.
Never: torch, streamlit; the meaning of a stage.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class Progress:
    """Appends lines of {"t", "stage", "done", "of", ...numbers}; at most one line per `every` seconds.

    With no path it writes nothing, so that library code can always be given one.
    `echo` is called with each line's dict as it is written (a console bar, say).
    """

    def __init__(self, path: Path | None = None, *, every: float = 0.5, echo: Any = None) -> None:
        self.path, self.every, self.echo = path, every, echo
        self.stage_name, self.of = "", 0
        self._last = -float("inf")

    def stage(self, name: str, of: int = 0) -> None:
        """Begin the stage `name` with `of` steps (0: unknown)."""
        self.stage_name, self.of = name, of
        self._append({"done": 0})

    def step(self, done: int, **numbers: float | str) -> None:
        """Say that `done` of the stage's steps are done. Lines too close in time are skipped, the last never."""
        if done < self.of and time.monotonic() - self._last < self.every and not numbers:
            return
        self._append({"done": done, **numbers})

    def track(self, items: Iterable[T], name: str, of: int) -> Iterator[T]:
        """Yield `items`, one step each, as the stage `name`."""
        self.stage(name, of)
        for i, item in enumerate(items):
            yield item
            self.step(i + 1)

    def _append(self, more: dict[str, Any]) -> None:
        line = {"t": round(time.time(), 3), "stage": self.stage_name, "of": self.of, **more}
        self._last = time.monotonic()
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as log:
                if log.tell() > 0:
                    log.seek(-1, os.SEEK_END)
                    torn = log.read() != b"\n"  # a process before us died within its line
                else:
                    torn = False
                log.write(b"\n" * torn + json.dumps(line).encode() + b"\n")
        if self.echo is not None:
            self.echo(line)


@dataclass(frozen=True)
class Now:
    """Where a job stands: its latest stage and how long that stage has left (seconds; NaN: unknown)."""

    stage: str = ""
    done: int = 0
    of: int = 0
    rate: float = float("nan")  # steps a second in this stage
    seconds_left: float = float("nan")
    numbers: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a progress file, oldest first; [] when there is none."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    # A last line without its newline is still being written.
    return [line for text_line in text[: text.rfind("\n") + 1].splitlines() for line in _parsed(text_line)]


def _parsed(text: str) -> list[dict[str, Any]]:
    """Return the line as a list of one; [] for a line that a death or a full disk cut off."""
    try:
        line = json.loads(text)
    except json.JSONDecodeError:
        return []
    return [line] if isinstance(line, dict) else []


def now(lines: list[dict[str, Any]]) -> Now:
    """Return where the job stands after `lines`.

    >>> now([{"t": 0, "stage": "train", "of": 10, "done": 0}, {"t": 2, "stage": "train", "of": 10, "done": 4}])
    Now(stage='train', done=4, of=10, rate=2.0, seconds_left=3.0, numbers={})
    """
    if not lines:
        return Now()
    last = lines[-1]
    # The latest beginning of this stage: a resumed job begins it anew, and its pauses are not work.
    start = next(line for line in reversed(lines) if line["stage"] == last["stage"] and line["done"] == 0)
    took, done = last["t"] - start["t"], last["done"] - start["done"]
    rate = done / took if took > 0 and done > 0 else float("nan")
    left = (last["of"] - last["done"]) / rate if last["of"] else float("nan")
    numbers = {k: v for k, v in last.items() if k not in ("t", "stage", "of", "done")}
    return Now(last["stage"], last["done"], last["of"], rate, left, numbers)
