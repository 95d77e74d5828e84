"""Maps are kept raw and whole; a file that is neither is refused."""

import h5py
import numpy as np
import pandas as pd
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.explain import mapfile
from cxrlab.explain.mapfile import Maps


def made(n=3):
    rows = pd.DataFrame(
        {
            "image_id": [f"ü{i}" for i in range(n)],
            "row": range(n),
            "label": "Edema",
            "group": ["FN", "FP", "sure"][:n],
            "score": 0.25,
            "threshold": 0.5,
            "y": 1.0,
        }
    )
    maps = np.random.default_rng(0).random((n, 4, 5)).astype(np.float32) * 1e-6
    return Maps(rows, maps, "grad-cam", "blocks.3", "run-1", "away", {"Pneumonia": "no failures"})


def test_everything_comes_back_unscaled(tmp_path):
    mapfile.write(tmp_path / "away.h5", made())
    back = mapfile.read(tmp_path / "away.h5")
    assert (back.maps == made().maps).all()
    assert back.maps.dtype == np.float32
    pd.testing.assert_frame_equal(back.rows, made().rows, check_dtype=False)
    assert (back.method, back.layer, back.run_id, back.site) == ("grad-cam", "blocks.3", "run-1", "away")
    assert back.skipped == {"Pneumonia": "no failures"}
    assert back.grid == (4, 5)


def test_no_failures_are_a_good_file(tmp_path):
    empty = Maps(mapfile.empty_rows(), np.zeros((0, 4, 4), np.float32), "grad-cam", "x", "r", "s")
    mapfile.write(tmp_path / "s.h5", empty)
    assert len(mapfile.read(tmp_path / "s.h5").rows) == 0


def test_rows_and_maps_must_fit(tmp_path):
    with pytest.raises(BadInput, match="for 3 rows"):
        mapfile.write(tmp_path / "a.h5", Maps(made().rows, made().maps[:2], "m", "l", "r", "s"))
    with pytest.raises(BadInput, match="name the groups"):
        mapfile.write(
            tmp_path / "a.h5", Maps(made().rows.assign(group="TP"), made().maps, "m", "l", "r", "s")
        )
    assert not list(tmp_path.iterdir())


def test_what_is_no_map_file_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(MissingInput, match="no heatmaps"):
        mapfile.read(path)
    path.write_bytes(b"not hdf5")
    with pytest.raises(BadInput, match="not a readable map file"):
        mapfile.read(path)
    mapfile.write(path, made())
    with h5py.File(path, "a") as h5:
        h5.attrs["version"] = 9
    with pytest.raises(BadInput, match="version 9; expected a whole 'cxrlab-maps' version 1"):
        mapfile.read(path)
    mapfile.write(path, made())
    with h5py.File(path, "a") as h5:
        del h5["maps"]
    with pytest.raises(BadInput, match="not a readable map file"):
        mapfile.read(path)
