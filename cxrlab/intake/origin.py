"""Where a site's raw folder lay on this machine, so that what was left out can still be looked at.

In:    a lab, a site; what an ingest was asked for.
Out:   `sources/<site>.json` in the lab, never in the store: a store may travel, a path of this machine may not.
Never: labels; pixels of more than one file at a time.
"""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cxrlab import files, privacy
from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import decode
from cxrlab.paths import Lab
from cxrlab.sites import SITES


@dataclass(frozen=True)
class Origin:
    """What an ingest was asked for."""

    dataset: str
    raw: str
    options: dict[str, Any] = field(default_factory=dict)


def write(lab: Lab, site: str, origin: Origin) -> None:
    """Keep where `site` came from."""
    files.write_json(lab.origin(site), asdict(origin))


def read(lab: Lab, site: str) -> Origin | None:
    """Return where `site` came from; None where this lab does not know."""
    path = lab.origin(site)
    if not path.exists():
        return None
    try:
        return Origin(**files.read_json(path))
    except TypeError as error:
        raise BadInput(f"{path} is not what an ingest writes ({error}); remove it.") from error


def real_name(lab: Lab, site: str, origin: Origin, file: str) -> str:
    """Return what the raw folder calls a file of `site`; of a private site the store has another name for it.

    Raises:
        MissingInput: the private table is gone, or does not know the file.
    """
    if origin.dataset not in SITES or not SITES[origin.dataset].hides_names(origin.options):
        return file
    return os.path.relpath(privacy.file_behind(lab, site, file), origin.raw)


def thumbnail(origin: Origin, file: str, px: int) -> np.ndarray:
    """Return the picture of a file that was left out, (px, px) uint8.

    Raises:
        MissingInput: the raw folder is gone, or the file does not lie in it.
        BadInput: the file cannot be decoded; the text is the reason.
    """
    raw, name = Path(origin.raw), PurePosixPath(file)
    if not raw.exists():
        raise MissingInput("the raw folder is gone")
    try:
        is_here = not name.is_absolute() and ".." not in name.parts and (raw / name).is_file()
    except OSError:  # a name that is longer than any file's
        is_here = False
    if not is_here:
        raise MissingInput("no file of this name in the raw folder")
    return decode.fit(SITES[origin.dataset].image(raw, file), px)
