"""Who a process is, whether it lives, and how it is ended.

In:    a process number.
Out:   an identity that outlives the number's reuse; verified ends.
Never: runs, specs, torch.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from cxrlab.errors import Interrupted

# Children of this process, kept so that a dead one can be reaped: a zombie still has its number and start time.
_CHILDREN: dict[int, subprocess.Popen] = {}


@dataclass(frozen=True)
class Identity:
    """A process: its number and when it was born. A number alone is handed out again by the kernel."""

    pid: int
    born: str


def identity_of(pid: int) -> Identity | None:
    """Return who has the number `pid` now; None when nobody has, or only a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # proc(5): the name in parentheses may hold spaces and parentheses; fields 3 (state) and 22 (start time,
            # in ticks since boot) are counted behind its last ")".
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # Ticks since boot do not move when the wall clock is set; the boot's own name tells two boots apart.
        return None if fields[0] in "ZXx" else Identity(pid, f"{_boot()}:{fields[19]}")
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, f"{process.create_time():.2f}")
    except psutil.NoSuchProcess:
        return None


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else f"{psutil.boot_time():.0f}"


def is_alive(who: Identity) -> bool:
    """Return whether exactly this process lives; a zombie and a stranger with its number do not count."""
    child = _CHILDREN.get(who.pid)
    if child is not None and child.poll() is not None:
        _CHILDREN.pop(who.pid, None)
    return identity_of(who.pid) == who


def start(command: list[str], log: Path, cwd: Path, env: dict[str, str]) -> Identity | None:
    """Start a process in a session of its own, so that it survives its parent and the parent's terminal.

    Args:
        command: program and arguments.
        log: standard output and error are appended here.
        cwd: where it works.
        env: its whole environment.

    Returns:
        Its identity; None when it was over before it could be read.
    """
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    _CHILDREN[child.pid] = child
    return identity_of(child.pid)


@contextlib.contextmanager
def signals_are_raised() -> Iterator[None]:
    """Inside, what asks this process to end raises Interrupted: SIGTERM and SIGHUP as Ctrl-C does.

    Not where somebody has said otherwise (nohup, a handler of the program's own), nor outside the main thread, which
    alone hears signals.
    """

    def say(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    main = threading.current_thread() is threading.main_thread()
    usual = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
    }
    heard = {number: was for number, was in usual.items() if main and signal.getsignal(number) == was}
    try:
        for number in heard:
            signal.signal(number, say)
        yield
    finally:
        for number, was in heard.items():
            signal.signal(number, was)


def wait_gone(who: Identity, seconds: float) -> bool:
    """Wait at most `seconds`; return whether the process is gone."""
    until = time.monotonic() + seconds
    while is_alive(who):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def end(who: Identity, grace: float = 5.0) -> bool:
    """End a process that leads its session, and its group with it; return whether it is gone.

    SIGTERM first, so that it can say goodbye; SIGKILL after `grace` seconds. A stranger who has the number by now is
    never signalled.
    """
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        if not is_alive(who):
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(who.pid, number)
        if wait_gone(who, seconds):
            break
    gone = not is_alive(who)
    if gone and identity_of(who.pid) is None:
        # Workers that the process forked and that did not hear: their group keeps the number from being reused.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(who.pid, signal.SIGKILL)
    return gone
