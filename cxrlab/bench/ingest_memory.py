"""Whether an ingest of twenty thousand files takes more memory than one of a thousand.

In:    nothing; it writes small PNG files in a temporary folder and reads them with the command line.
Out:   one Line: the peak memory of the whole family of processes at 1,000 files over that at 20,000.
Never: speed.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

from cxrlab.bench.base import Line

FEW, MANY = 1_000, 20_000
SOURCE_PX, STORE_PX = 64, 224
BAR = 0.75  # tables and digests of a file are about 2 kB; its image of 50 kB is never kept


def run() -> list[Line]:
    """Return the one comparison."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (peak(make(Path(folder) / str(n), n), Path(folder) / f"lab-{n}") for n in (FEW, MANY))
    return [
        Line(
            name="ingest_memory",
            what=f"peak memory of an ingest of {MANY:,} files at {STORE_PX} px, all its processes",
            ours=many / 1e6,
            peer=few / 1e6,
            unit="MB",
            ratio=few / many,
            bar=BAR,
            note=f"peer: the same with {FEW:,} files; resident and not shared with a file",
        )
    ]


def make(raw: Path, n: int) -> Path:
    """Write a table and `n` names of a few noisy pictures."""
    rng = np.random.default_rng(0)
    (raw / "images").mkdir(parents=True)
    for i in range(n):
        path = raw / "images" / f"{i:06d}.png"
        if i < 20:
            cv2.imwrite(str(path), rng.integers(0, 255, (SOURCE_PX, SOURCE_PX), np.uint8))
        else:
            os.link(raw / "images" / f"{i % 20:06d}.png", path)
    rows = [f"{i:06d}.png,{i},1,0" for i in range(n)]
    (raw / "labels.csv").write_text("\n".join(["image,patient,No Finding,Pneumonia", *rows]) + "\n")
    return raw


def peak(raw: Path, lab: Path) -> float:
    """Return the most bytes that an ingest and its workers held at one moment."""
    command = [
        sys.executable,
        "-m",
        "cxrlab",
        "ingest",
        "folder",
        str(raw),
        "--site",
        "bench",
        "--size",
        str(STORE_PX),
    ]
    with subprocess.Popen(
        command,
        env={**os.environ, "CXRLAB_HOME": str(lab)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        seen: list[float] = []
        watch = threading.Thread(target=_watch, args=(process.pid, seen), daemon=True)
        watch.start()
        if process.wait() != 0:
            raise RuntimeError(f"the ingest of {raw} ended with {process.returncode}")
        watch.join()
    return max(seen)


def _watch(pid: int, seen: list[float]) -> None:
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            family = [parent, *parent.children(recursive=True)]
            seen.append(float(sum(_held(process) for process in family)))
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return


def _held(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0
    return memory.rss - memory.shared
