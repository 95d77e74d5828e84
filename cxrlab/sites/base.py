"""What a site plug-in must give so that ingest can write its store.

In:    a raw folder, as its owner publishes it.
Out:   rows, evidence in our words, and pixels one file at a time.
Never: stores, targets, splits decided by us, torch.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import decode
from cxrlab.registry import Registry
from cxrlab.store import Header, empty_boxes


@dataclass
class Raw:
    """What a raw folder says, before a pixel is read.

    rows: (N, store.ROW_COLUMNS); width and height may be 0, ingest fills them from the pixels.
    evidence: (N, len(header.labels)) int8.
    quarantine: (file, reason) of every row or file that cannot be used.
    """

    header: Header
    rows: pd.DataFrame
    evidence: np.ndarray
    quarantine: list[tuple[str, str]] = field(default_factory=list)
    boxes: pd.DataFrame = field(default_factory=empty_boxes)


class Site:
    """One dataset's facts and its reader. Subclasses register an instance: `SITES.add("nih")(Nih())`."""

    name: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str]
    source: ClassVar[str]  # where its owner publishes it, and how to cite it
    synthetic: ClassVar[bool] = False
    expects: ClassVar[str]  # one sentence: the files a raw folder must hold
    # Option → what it does; a name that ends with ":" stands for all options that begin so.
    options: ClassVar[dict[str, str]] = {}

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the tables of a raw folder.

        Raises:
            MissingInput: no such folder, or a file it must hold is not there.
            BadInput: a table has the wrong header or is empty.
        """
        raise NotImplementedError

    def image(self, raw: Path, source_file: str) -> np.ndarray:
        """Return one image, (H, W) uint8 or uint16, bone bright, at its own size.

        Runs in a worker process. Raises BadInput with the reason when the file cannot be decoded.
        """
        return decode.read(raw / source_file)

    def masks(self, raw: Path, source_file: str, px: int) -> dict[str, np.ndarray]:
        """Return the structures' masks of one image, name → (px, px) bool; {} where the site has none."""
        return {}


SITES: Registry[Site] = Registry("dataset")


def need_folder(raw: Path, site: Site) -> None:
    """Raise unless `raw` is a folder."""
    if not raw.exists():
        raise MissingInput(f"no folder at {raw}; {site.name} expects {site.expects}")
    if not raw.is_dir():
        raise BadInput(f"{raw} is a file; {site.name} expects {site.expects}")
