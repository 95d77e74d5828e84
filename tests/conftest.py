"""Fixtures that several rooms share."""

import os

# Two threads that wait for one busy processor are many times slower than one; the last bits of sums depend on it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

from cxrlab.paths import Lab

ROOT = Path(__file__).parent.parent


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """An empty lab folder that CXRLAB_HOME names."""
    monkeypatch.setenv("CXRLAB_HOME", str(tmp_path / "lab"))
    return Lab.here()


@pytest.fixture(scope="session")
def realdata():
    """Real radiographs, where they are at hand; the product never depends on them."""
    folder = Path(os.environ.get("CXRLAB_REALDATA", ROOT.parent / "shared" / "realdata"))
    if not folder.is_dir():
        pytest.skip(f"no real radiographs at {folder}; set CXRLAB_REALDATA to try them")
    return folder
