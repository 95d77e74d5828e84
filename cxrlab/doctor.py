"""What this machine has and lacks for the lab, each with its remedy.

In:    this machine, the lab folder.
Out:   findings.
Never: changes anything; imports torch in the caller's process (it asks a child).
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from cxrlab.paths import Lab

NEEDED = [
    "torch",
    "torchvision",
    "timm",
    "h5py",
    "numpy",
    "numba",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "opencv-python-headless",
    "pillow",
    "pydicom",
    "pydantic",
    "safetensors",
    "plotly",
    "streamlit",
    "psutil",
]
EXTRAS = {
    "python-gdcm": "reads JPEG Lossless and JPEG-LS DICOM files",
    "kaleido": "writes figures from the shell",
}
LEAST_FREE_GB = 5
LEAST_MEMORY_GB = 4


@dataclass(frozen=True)
class Finding:
    """One thing looked at. state: ok, optional (lacking but not needed) or missing."""

    state: Literal["ok", "optional", "missing"]
    what: str
    found: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything; nothing is changed but a lock file that is removed again."""
    return [
        python(),
        *packages(),
        torch_pair(),
        *extras(),
        memory(),
        disk(Lab.here().root),
        locks(Lab.here().root),
    ]


def python() -> Finding:
    """Is this the Python that the pins were resolved for?"""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == (3, 11):
        return Finding("ok", "Python", found)
    return Finding(
        "missing", "Python", found, "make the environment with Python 3.11; the pinned versions need it"
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def packages() -> list[Finding]:
    """Is every needed package installed?"""
    lacking = [name for name in NEEDED if not _version(name)]
    if not lacking:
        return [Finding("ok", "packages", f"all {len(NEEDED)} needed are installed")]
    remedy = "pip install -r requirements.txt"
    return [Finding("missing", "package", name, remedy) for name in lacking]


def torch_pair() -> Finding:
    """Do torch and torchvision import together, and is there a GPU?"""
    code = (
        "import torch, torchvision; "
        "print(torch.__version__, torchvision.__version__, "
        "torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU; networks train on the processor')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return Finding("ok", "torch with torchvision", done.stdout.strip())
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding(
        "missing", "torch with torchvision", last, "install the pinned pair of requirements.txt together"
    )


def extras() -> list[Finding]:
    """Which optional packages are there?"""
    return [
        Finding("ok", name, version)
        if (version := _version(name))
        else Finding("optional", name, f"not installed; it {use}", f"pip install {name}")
        for name, use in EXTRAS.items()
    ]


def memory() -> Finding:
    """Is there room for images in memory?"""
    free = psutil.virtual_memory().available / 2**30
    found = f"{free:.1f} GiB free of {psutil.virtual_memory().total / 2**30:.1f}; {os.cpu_count()} processors"
    if free >= LEAST_MEMORY_GB:
        return Finding("ok", "memory", found)
    return Finding(
        "missing", "memory", found, f"close other programs; the demo study needs {LEAST_MEMORY_GB} GiB"
    )


def disk(root: Path) -> Finding:
    """Is there room for stores and runs?"""
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(there).free / 2**30
    found = f"{free:.1f} GiB free for the lab at {root}"
    if free >= LEAST_FREE_GB:
        return Finding("ok", "disk", found)
    return Finding("missing", "disk", found, "free some space, or set CXRLAB_HOME to a larger disk")


def locks(root: Path) -> Finding:
    """Does the lab's file system keep locks? The queue stands on them."""
    there = next(folder for folder in (root, *root.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        remedy = "set CXRLAB_HOME to a folder that you may write to, on a file system with locks"
        return Finding("missing", "lab folder", f"{there}: {error.strerror}", remedy)
    return Finding("ok", "lab folder", f"{there} can be written and locked")
