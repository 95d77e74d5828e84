"""An import asked for by a page is a process of its own, and its ending is on disk."""

import time

import cv2
import numpy as np
import pytest

from cxrlab import store
from cxrlab.errors import BadInput
from cxrlab.intake import imports
from cxrlab.jobs import state


@pytest.fixture
def raw(tmp_path):
    """Kermany's layout, with noise for radiographs."""
    rng = np.random.default_rng(5)
    for split in ("train", "test"):
        for kind, stem in (("NORMAL", "NORMAL-{i}-0001.jpeg"), ("PNEUMONIA", "person{i}_bacteria_{i}.jpeg")):
            folder = tmp_path / "raw" / "chest_xray" / split / kind
            folder.mkdir(parents=True)
            for i in range(3):
                image = rng.integers(0, 255, (60, 70)).astype(np.uint8)
                cv2.imwrite(str(folder / stem.format(i=i + 10 * (split == "test"))), image)
    return tmp_path / "raw" / "chest_xray"


def wait(lab, site, seconds=60):
    until = time.monotonic() + seconds
    while (now := state.status(lab.importing(site))).is_alive and time.monotonic() < until:
        time.sleep(0.1)
    return now


def test_an_import_runs_by_itself_and_leaves_a_store(lab, raw):
    imports.start(lab, imports.Request("kermany", str(raw), "east", px=32))
    now = wait(lab, "east")
    assert now.state == "done", now.reason
    assert len(store.read(lab.store("east"))) > 0
    assert imports.under_way(lab) == {}


def test_an_import_of_nothing_fails_with_its_sentence(lab, tmp_path):
    imports.start(lab, imports.Request("kermany", str(tmp_path / "nowhere"), "east", px=32))
    now = wait(lab, "east")
    assert now.state == "failed"
    assert "nowhere" in now.reason
    assert list(imports.under_way(lab)) == ["east"]


def test_a_taken_name_is_refused_before_any_work(lab):
    lab.stores.mkdir(parents=True)
    lab.store("east").write_bytes(b"")
    with pytest.raises(BadInput, match="already has a site"):
        imports.start(lab, imports.Request("kermany", "x", "east"))
