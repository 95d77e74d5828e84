"""Heatmaps of one run at one site, raw and unscaled, with why each was drawn.

In:    maps and rows from explain.maps.
Out:   maps/<site>.h5, format "cxrlab-maps" version 1, and its reader.
Never: torch, networks, images, colours.

Layout: attributes format, version, run_id, site, method, layer, grid (JSON), skipped (JSON), complete; `/maps` (K, h, w)
float32; `/rows/<column>` of ROW_COLUMNS.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cxrlab import files
from cxrlab.errors import BadInput, MissingInput

FORMAT, VERSION = "cxrlab-maps", 1
GROUPS = ("FN", "FP", "sure")  # "sure": the failures whose logit is farthest from the threshold's
ROW_COLUMNS: dict[str, str] = {
    "image_id": "str",
    "row": "int64",  # index into the site's store
    "label": "str",
    "group": "str",
    "score": "float64",  # probability
    "threshold": "float64",  # on the same scale
    "y": "float64",  # 0 or 1
}


@dataclass(frozen=True)
class Maps:
    """Heatmaps and why each was drawn; an image may be in two groups.

    maps: raw evidence, >= 0, in no unit: comparable between images of one label, run and method, not between methods.
    A map of zeros means that the layer held no evidence for the label; it is never rescaled.
    """

    rows: pd.DataFrame  # (K, ROW_COLUMNS)
    maps: np.ndarray  # (K, h, w) float32
    method: str
    layer: str
    run_id: str
    site: str
    skipped: dict[str, str] = field(default_factory=dict)  # label → why it has no maps here

    @property
    def grid(self) -> tuple[int, int]:
        """Cells (h, w) of a map; the whole image is under them."""
        return self.maps.shape[1], self.maps.shape[2]


def empty_rows() -> pd.DataFrame:
    """Return a table without rows."""
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in ROW_COLUMNS.items()})


def _check(made: Maps) -> None:
    missing = [column for column in ROW_COLUMNS if column not in made.rows]
    if missing:
        raise BadInput(
            f"the maps of {made.site} lack {', '.join(missing)}; expected {', '.join(ROW_COLUMNS)}."
        )
    if made.maps.ndim != 3 or len(made.maps) != len(made.rows):
        raise BadInput(
            f"the maps of {made.site} are {made.maps.shape} for {len(made.rows)} rows; expected (rows, h, w)."
        )
    strange = set(made.rows["group"]) - set(GROUPS)
    if strange:
        raise BadInput(
            f"the maps of {made.site} name the groups {sorted(strange)}; expected {', '.join(GROUPS)}."
        )


def write(path: Path, made: Maps) -> None:
    """Write maps, whole or not at all.

    Raises:
        BadInput: rows and maps do not fit together.
    """
    _check(made)
    with files.whole(path) as part, h5py.File(part, "w") as h5:
        h5.create_dataset("maps", data=made.maps.astype(np.float32), fletcher32=len(made.maps) > 0)
        for column, kind in ROW_COLUMNS.items():
            values = made.rows[column]
            if kind == "str":
                text = values.astype(str).to_numpy(object)
                h5.create_dataset(f"rows/{column}", data=text, dtype=h5py.string_dtype())
            else:
                h5.create_dataset(f"rows/{column}", data=values.to_numpy(kind))
        h5.attrs.update(
            format=FORMAT,
            version=VERSION,
            run_id=made.run_id,
            site=made.site,
            method=made.method,
            layer=made.layer,
            grid=json.dumps(made.grid),
            skipped=json.dumps(made.skipped),
        )
        h5.attrs["complete"] = True


def read(path: Path) -> Maps:
    """Read what `write` wrote.

    Raises:
        MissingInput: there is no such file.
        BadInput: not a map file, of another version, or damaged.
    """
    if not path.exists():
        raise MissingInput(
            f"no heatmaps at {path}; they are drawn after scoring, by a run of the task 'labels'."
        )
    try:
        with h5py.File(path, "r") as h5:
            return _read(path, h5)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise BadInput(
            f"{path} is not a readable map file ({error}); remove it and resume the run."
        ) from error


def _read(path: Path, h5: h5py.File) -> Maps:
    said = h5.attrs.get("format"), int(h5.attrs.get("version", 0))
    if said != (FORMAT, VERSION) or not h5.attrs.get("complete", False):
        raise BadInput(
            f"{path} says {said[0]!r} version {said[1]}; expected a whole {FORMAT!r} version {VERSION}. "
            "Remove it and resume the run."
        )
    rows = {
        column: h5["rows"][column].asstr()[:] if kind == "str" else h5["rows"][column][:]
        for column, kind in ROW_COLUMNS.items()
    }
    made = Maps(
        rows=pd.DataFrame(rows),
        maps=h5["maps"][:],
        method=str(h5.attrs["method"]),
        layer=str(h5.attrs["layer"]),
        run_id=str(h5.attrs["run_id"]),
        site=str(h5.attrs["site"]),
        skipped=dict(json.loads(h5.attrs["skipped"])),
    )
    _check(made)
    return made
