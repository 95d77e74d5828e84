"""What a run is doing, on a terminal.

In:    the status of a run.
Out:   one line that renews itself, or a line now and then where the output is a file.
Never: starting or ending anything.
"""

import argparse
import math
import sys
import time
from datetime import datetime
from typing import TextIO

from cxrlab import jobs
from cxrlab.jobs.executors import EXECUTORS
from cxrlab.paths import RunPaths

BAR = 24  # characters
POLL_SECONDS = 0.4
UNDER_WAY = "under_way"  # which runs a sweep has at work; no other job says that
NAMED = 60  # characters of the names of runs at work
QUIET_SECONDS = 15.0  # between lines, where they cannot renew themselves


def watch(run: RunPaths, out: TextIO | None = None) -> jobs.Status:
    """Show a run's progress until it ends, and return how."""
    out = out or sys.stderr
    renews = out.isatty()
    shown, at = "", 0.0
    while True:
        now = jobs.status(run)
        text = line(now)
        if renews and text != shown:
            out.write(f"\r\x1b[K{text}")
            out.flush()
        elif not renews and (now.stage != shown or time.monotonic() - at > QUIET_SECONDS) and now.is_alive:
            print(text, file=out, flush=True)
            at = time.monotonic()
        shown = text if renews else now.stage
        if not now.is_alive:
            if renews:
                out.write("\r\x1b[K")
            return now
        time.sleep(POLL_SECONDS)


def add_executor(verb: argparse.ArgumentParser) -> None:
    """Let a verb that starts runs ask where, and say whose Ctrl-C ends what."""
    verb.add_argument(
        "--executor",
        default="local",
        metavar="|".join(EXECUTORS),
        help="local (default): beside this command, which only watches; Ctrl-C leaves the run going, `runs cancel` ends "
        "it. inline: for scripts; Ctrl-C or SIGTERM ends the run with the command, `runs resume` goes on.",
    )


def line(now: jobs.Status) -> str:
    """Return one line: stage, bar, rate, time left.

    >>> line(jobs.Status("running", "train", 3, 12, 0.5, 18.0))
    'train  [######------------------]  3/12  0.5/s  18 s left'
    >>> known = {"all_seconds_left": 22.0, "under_way": "sam, lion", "not_ended_well": 1}
    >>> line(jobs.Status("running", "runs", 3, 12, 0.1, 90.0, numbers=known))
    'runs  [######------------------]  3/12  about 22 s left  at work: sam, lion  1 went wrong'
    """
    parts = [now.stage or ("starting" if now.is_alive else now.state)]
    if now.of:
        filled = round(BAR * min(1.0, now.done / now.of))
        parts += [f"[{'#' * filled}{'-' * (BAR - filled)}]", f"{now.done}/{now.of}"]
    # A sweep's steps are runs, short ones and long ones: what their rate says is no time.
    if UNDER_WAY in now.numbers:
        return "  ".join(parts + _of_sweep(now))
    if not math.isnan(now.rate):
        parts.append(f"{now.rate:.1f}/s" if now.rate >= 0.1 else f"{1 / now.rate:.0f} s each")
    if now.of and not math.isnan(now.seconds_left):
        parts.append(f"{seconds(now.seconds_left)} left")
    if "all_seconds_left" in now.numbers:
        parts.append(f"whole study: about {seconds(now.numbers['all_seconds_left'])} left")
    return "  ".join(parts)


def _of_sweep(now: jobs.Status) -> list[str]:
    said = []
    if now.is_alive and "all_seconds_left" in now.numbers:
        said.append(f"about {seconds(now.numbers['all_seconds_left'])} left")
    if at_work := str(now.numbers.get(UNDER_WAY, "")) if now.is_alive else "":
        said.append(f"at work: {at_work if len(at_work) <= NAMED else f'{at_work[:NAMED]}…'}")
    if wrong := now.numbers.get("not_ended_well", 0):
        said.append(f"{wrong} went wrong")
    return said


def seconds(s: float) -> str:
    """Return a length of time in words.

    >>> seconds(42.4), seconds(200), seconds(9000), seconds(float("nan"))
    ('42 s', '3 min 20 s', '2 h 30 min', 'unknown')
    """
    if math.isnan(s):
        return "unknown"
    s = round(s)
    if s < 60:
        return f"{s} s"
    return f"{s // 60} min {s % 60} s" if s < 3600 else f"{s // 3600} h {s % 3600 // 60} min"


def clock(t: float) -> str:
    """Return a time of day, with its date; "" for NaN."""
    return "" if math.isnan(t) else datetime.fromtimestamp(t).strftime("%Y-%m-%d %H:%M:%S")


def table(rows: list[dict[str, str]]) -> str:
    """Return rows of text in aligned columns.

    >>> print(table([{"run": "a-1", "state": "done"}, {"run": "b", "state": "lost"}]))
    run  state
    a-1  done
    b    lost
    """
    if not rows:
        return ""
    wide = {key: max(len(key), *(len(row[key]) for row in rows)) for key in rows[0]}
    lines = [{key: key for key in wide}, *rows]
    return "\n".join("  ".join(row[key].ljust(wide[key]) for key in wide).rstrip() for row in lines)
