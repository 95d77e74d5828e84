"""CheXlocalize: radiologists' outlines of findings in CheXpert's valid and test images.

In:    `gt_segmentations_val.json` and `gt_segmentations_test.json`, in or beside a CheXpert folder.
Out:   masks by image and finding; which images have them.
Never: the pickled heatmaps (to unpickle is to run what is in them), labels.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import rle

FILES = {"gt_segmentations_val.json": "val", "gt_segmentations_test.json": "test"}
# Its ten tasks under our names.
TASKS = {
    "Enlarged Cardiomediastinum": "Enlarged Cardiomediastinum",
    "Cardiomegaly": "Cardiomegaly",
    "Lung Lesion": "Lung Lesion",
    "Airspace Opacity": "Lung Opacity",
    "Edema": "Edema",
    "Consolidation": "Consolidation",
    "Atelectasis": "Atelectasis",
    "Pneumothorax": "Pneumothorax",
    "Pleural Effusion": "Pleural Effusion",
    "Support Devices": "Support Devices",
}
OPTION = "the folder of CheXlocalize, or no; found by itself when it lies in or beside the raw folder"


@dataclass(frozen=True)
class Outlines:
    """What the files hold, still encoded."""

    folder: Path
    parts: frozenset[str]  # the parts of CheXpert whose file is here
    images: dict[str, dict[str, Any]]  # patient64622_study1_view1_frontal → task → {"size", "counts"}

    def draw(self, key: str, px: int) -> dict[str, np.ndarray]:
        """Return label → (px, px) bool of one image, all ten; an image that is not named has nothing to draw.

        Raises:
            BadInput: a mask cannot be decoded; the message is the reason alone.
        """
        said = self.images.get(key, {})
        drawn: dict[str, np.ndarray] = {}
        for task, label in TASKS.items():
            one = said.get(task)
            if one is None:
                drawn[label] = np.zeros((px, px), bool)
                continue
            try:
                # Outlines were drawn on full-size images; the square is stretched from any size alike.
                drawn[label] = rle.fit(rle.decode(one["size"], one["counts"]), px)
            except (BadInput, KeyError, TypeError) as error:
                raise BadInput(f"CheXlocalize's {task} of {key} cannot be read: {error}") from error
        return drawn


def of(raw: Path, options: dict[str, Any], fresh: bool = False) -> Outlines | None:
    """Return the outlines that belong to a CheXpert folder; None where there are none or they are not wanted.

    Args:
        raw: CheXpert's folder.
        options: the site's; `chexlocalize` is read.
        fresh: look again, though this process has looked before.

    Raises:
        MissingInput: the option names a folder without them.
        BadInput: a file is damaged.
    """
    if fresh:
        _of.cache_clear()
    return _of(raw, str(options.get("chexlocalize") or ""))


@lru_cache(maxsize=1)
def _of(raw: Path, wanted: str) -> Outlines | None:
    """Answer `of` once a process: a hundred megabytes are parsed once, and no folder is listed for every image."""
    if wanted.lower() == "no":
        return None
    if wanted:
        folder = Path(wanted).expanduser()
        if (found := _holding([folder, *_inside(folder)])) is None:
            raise MissingInput(
                f"{folder} holds no {' or '.join(FILES)}; give the folder of CheXlocalize, or no."
            )
        return read(found)
    named = [one for one in (*_inside(raw), *_inside(raw.parent)) if "chexlocalize" in one.name.lower()]
    found = _holding([raw, *named, *(one for top in named for one in _inside(top))])
    return None if found is None else read(found)


def read(folder: Path) -> Outlines:
    """Return the outlines in `folder`.

    Raises:
        BadInput: a file is not JSON of the form image → task → mask.
    """
    images: dict[str, dict[str, Any]] = {}
    parts = set()
    for name, part in FILES.items():
        path = folder / name
        if not path.is_file():
            continue
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path} is not whole JSON ({error}); fetch it again.") from error
        if not isinstance(said, dict) or not all(isinstance(one, dict) for one in said.values()):
            raise BadInput(f"{path} does not name masks by image and task; is it CheXlocalize's own file?")
        images.update(said)
        parts.add(part)
    return Outlines(folder, frozenset(parts), images)


def _inside(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _holding(folders: list[Path]) -> Path | None:
    return next((one for one in folders if any((one / name).is_file() for name in FILES)), None)
