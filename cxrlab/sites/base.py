"""What a site plug-in must give so that ingest can write its store.

In:    a raw folder, as its owner publishes it.
Out:   rows, evidence in our words, and pixels one file at a time.
Never: stores, targets, splits decided by us, torch.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import decode
from cxrlab.labelmap import LabelMap, Said
from cxrlab.registry import Registry
from cxrlab.store import Header, empty_boxes


@dataclass
class Raw:
    """What a raw folder says, before a pixel is read.

    rows: (N, store.ROW_COLUMNS); width and height may be 0, ingest fills them from the pixels.
    evidence: (N, len(header.labels)) int8.
    quarantine: (file, reason) of every row or file that cannot be used.
    said, label_map: where the labels came through a label map, the site's own words and that map.
    facts: (N, any columns) str, further facts of an image that the site gives (device, labeller, number of readers).
    votes: (N, len(header.labels)) int8, how many readers said positive, -1 where not known; None: no votes.
    mask_names: the structures that `Site.masks` can draw.
    """

    header: Header
    rows: pd.DataFrame
    evidence: np.ndarray
    quarantine: list[tuple[str, str]] = field(default_factory=list)
    boxes: pd.DataFrame = field(default_factory=empty_boxes)
    said: Said | None = None
    label_map: LabelMap | None = None
    facts: pd.DataFrame = field(default_factory=pd.DataFrame)
    votes: np.ndarray | None = None
    mask_names: tuple[str, ...] = ()
    n_masked: int | None = None  # how many images have masks at most, for judging the room; None: all

    def at(self, keep: np.ndarray) -> "Raw":
        """Return the images at `keep`, (M,) int64, with a ledger that counts these alone."""
        evidence, said = self.evidence[keep], self.said.rows(keep) if self.said else None
        header = self.header
        if said is not None and self.label_map is not None:
            header = replace(header, ledger=labelmap.ledger(said, self.label_map, header.labels, evidence))
        rows = self.rows.iloc[keep].reset_index(drop=True)
        return replace(
            self,
            header=header,
            rows=rows,
            evidence=evidence,
            said=said,
            boxes=self.boxes[self.boxes["image_id"].isin(rows["image_id"])].reset_index(drop=True),
            facts=self.facts.iloc[keep].reset_index(drop=True) if len(self.facts) else self.facts,
            votes=None if self.votes is None else self.votes[keep],
        )


def translated(
    header: Header, rows: pd.DataFrame, said: Said, known: LabelMap, quarantine: list[tuple[str, str]]
) -> Raw:
    """Return what a raw folder says, its labels brought through `known`; header's labels and ledger are filled in.

    Raises:
        BadInput: the map has no rule for any native label.
    """
    labels, evidence = labelmap.harmonise(said, known)
    if not labels:
        some = ", ".join(said.natives[:8]) or "none"
        raise BadInput(
            f"the label map {known.origin} for {known.dataset!r} has no label for any word that the site says ({some}); "
            "add a row to it that gives one of them a label."
        )
    made = replace(header, labels=labels, ledger=labelmap.ledger(said, known, labels, evidence))
    return Raw(made, rows, evidence, quarantine, said=said, label_map=known)


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
    label_map: ClassVar[str] = ""  # the dataset's name in the label map; "": its labels need none
    # Whether names, numbers and paths may tell who a patient is; they are replaced before a store is written.
    private: ClassVar[bool] = False

    @property
    def all_options(self) -> dict[str, str]:
        """Every option, with the one that all mapped sites share."""
        shared = {"map": "the label map: narrow (default), broad, or the path of an edited copy"}
        return {**self.options, **(shared if self.label_map else {})}

    def hides_names(self, options: dict[str, Any]) -> bool:
        """Whether names, numbers and paths are replaced before a store of these options is written."""
        return self.private or options.get("names") == "hide"

    @property
    def is_plain(self) -> bool:
        """Whether its images are ordinary files without masks, which any process can decode."""
        return type(self).image is Site.image and type(self).masks is Site.masks

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

    def masks(self, raw: Path, source_file: str, px: int, options: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the structures' masks of one image, name in Raw.mask_names → (px, px) bool.

        Runs in a worker process. A name that is absent is an empty mask.
        """
        return {}


SITES: Registry[Site] = Registry("dataset")


def need_folder(raw: Path, site: Site) -> None:
    """Raise unless `raw` is a folder."""
    if not raw.exists():
        raise MissingInput(f"no folder at {raw}; {site.name} expects {site.expects}")
    if not raw.is_dir():
        raise BadInput(f"{raw} is a file; {site.name} expects {site.expects}")
