"""NIH Clinical Center: ChestX-ray14, findings mined from reports.

In:    `Data_Entry_2017_v2020.csv` (or the older one) and its images, flat or in `images_001/images/` and so on.
Out:   rows with evidence for the 14 findings, No Finding and Lung Lesion; boxes where the box list is there.
Never: the text of reports; readings by others of the same images.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap, textfile
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labelmap import LabelMap, Said
from cxrlab.labelmap.table import plain
from cxrlab.sites import fourteen, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import BOX_COLUMNS, Header, empty_boxes

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
# The header has unquoted commas: `OriginalImage[Width,Height]` are two fields; the 2017 file has an empty twelfth.
COLUMNS = (
    "image",
    "labels",
    "follow_up",
    "patient",
    "age",
    "sex",
    "view",
    "width",
    "height",
    "spacing_x",
    "spacing_y",
)
BOX_PX = 1024  # boxes are drawn on the published 1024 x 1024 images


class Nih(Site):
    """ChestX-ray14."""

    name: ClassVar[str] = "nih"
    title: ClassVar[str] = "NIH Clinical Center (ChestX-ray14)"
    licence: ClassVar[str] = "unrestricted, with link, acknowledgement and citation"
    source: ClassVar[str] = "Wang et al. 2017, CVPR, ChestX-ray8; https://nihcc.app.box.com/v/ChestXray-NIHCC"
    expects: ClassVar[str] = "Data_Entry_2017_v2020.csv and images/*.png or images_001/images/*.png …"
    label_map: ClassVar[str] = "nih"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the entry table, the split lists and the boxes."""
        need_folder(raw, self)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        path = tables.find_file(raw, TABLES, self.expects)
        entries = read_entries(path)
        lying = tables.list_images(raw)
        index = tables.ImageIndex(lying)
        files = [index.find(name) for name in entries["image"]]
        here = np.array([file is not None for file in files])
        if not here.any():
            raise MissingInput(
                f"{path} names {len(entries):,} images but none lies in {raw}; nih expects {self.expects}."
            )
        quarantine = [
            (name, "the table names it but there is no such image") for name in entries["image"][~here]
        ]
        twice = entries["image"].duplicated().to_numpy() & here
        quarantine += [(name, "a second row for the same image") for name in entries["image"][twice]]
        named = set(files)
        quarantine += [(file, fourteen.NAMELESS) for file in lying if file not in named]
        keep = here & ~twice
        said = said_of(entries["labels"], known, path).rows(keep)
        entries = entries[keep].reset_index(drop=True)
        rows = tables.finish_rows(
            pd.DataFrame(
                {
                    "image_id": entries["image"].map(lambda name: Path(name).stem),
                    "patient_id": entries["patient"].map(_patient),
                    "sex": entries["sex"].map(tables.sex),
                    "age_years": entries["age"].map(tables.age_years),
                    "view": entries["view"].map(tables.view),
                    "split_hint": _splits(raw, entries["image"]),
                    "native_label": entries["labels"],
                    "source_file": [file for file, kept in zip(files, keep, strict=True) if kept],
                }
            )
        )
        header = Header(site=site, title=self.title, source=f"{self.source}; {self.licence}", labels=())
        found = translated(header, rows, said, known, quarantine)
        found.boxes = _boxes(raw, rows["image_id"], known)
        return found


def read_entries(path: Path) -> pd.DataFrame:
    """Return the entry table as strings under our own column names, whichever release it is.

    Raises:
        BadInput: the first columns are not those of ChestX-ray14.
    """
    first, *lines = textfile.rows(path) or [[]]
    if [cell.strip() for cell in first[:2]] != ["Image Index", "Finding Labels"]:
        raise BadInput(
            f"{path} begins with {','.join(first[:4])!r}; expected 'Image Index,Finding Labels,…'."
        )
    if not lines:
        raise BadInput(f"{path} has no rows; fetch it again.")
    short = next((i for i, line in enumerate(lines) if len(line) < 7), None)
    if short is not None:
        raise BadInput(
            f"{path} is cut off: row {short + 2} has {len(lines[short])} fields; expected 11. Fetch it again."
        )
    n = len(COLUMNS)
    cells = [[cell.strip() for cell in (line + [""] * n)[:n]] for line in lines]
    return pd.DataFrame(cells, columns=list(COLUMNS))


def said_of(labels: pd.Series, known: LabelMap, path: Path) -> Said:
    """Return what the label cells say: the miner looked for every finding in every report, so absent is negative.

    Raises:
        BadInput: a label that neither ChestX-ray14 nor the map has.
    """
    texts, first, at = np.unique(labels.to_numpy(str), return_index=True, return_inverse=True)
    lists = [text.split("|") for text in texts]  # never by substring
    names = _words(known)
    for i in np.argsort(first):
        for native in lists[i]:
            if plain(native) not in names:
                raise BadInput(
                    f"{path} has the label {native!r} in row {first[i] + 2}; ChestX-ray14 has no such finding."
                )
    return labelmap.from_lists(lists, known).rows(at)


def _words(known: LabelMap) -> set[str]:
    """Return the words that ChestX-ray14 or the map has; another one is a damaged file, not a finding."""
    return {plain(native) for native in (*labelmap.of("nih").natives, *known.natives)}


def _patient(text: str) -> str:
    # Some copies write 75, others 00000075; both are one person.
    return text.lstrip("0") or "0"


def _splits(raw: Path, names: pd.Series) -> list[str]:
    """Return "train" (the owners' train_val), "test" or "" for each image."""
    hint: dict[str, str] = {}
    for file, part in (("train_val_list.txt", "train"), ("test_list.txt", "test")):
        for found in (raw / file, *sorted(raw.glob(f"*/{file}"))):
            if found.is_file():
                hint.update((name, part) for name in _listed(found))
                break
    return [hint.get(Path(name).stem, "") for name in names]


def _listed(path: Path) -> set[str]:
    """Return the images that a list of the owners names, one a line, without suffix."""
    names = {Path(cells[0].strip()) for cells in textfile.rows(path)}
    odd = sorted(str(name) for name in names if name.suffix.lower() not in tables.IMAGE_SUFFIXES)
    if odd:
        raise BadInput(f"{path} has the line {odd[0]!r}, which names no image; fetch it again.")
    return {name.stem for name in names}


def _boxes(raw: Path, image_ids: pd.Series, known: LabelMap) -> pd.DataFrame:
    """Return the boxes of images that are here, as fractions of the image's sides.

    A box of a native label that stands for two of ours (Mass, Lung Lesion) is a box of each.
    """
    path = next(
        (p for p in (raw / "BBox_List_2017.csv", *sorted(raw.glob("*/BBox_List_2017.csv"))) if p.is_file()),
        None,
    )
    if path is None:
        return empty_boxes()
    here, words, found = set(image_ids), _words(known), []
    # Nine header fields stand over rows of six values: the names in the header are of no use.
    for line in textfile.rows(path)[1:]:
        name, native = (cell.strip() for cell in [*line, ""][:2])
        image_id = Path(name).stem
        box = _box(line[2:6])
        if box is None or not image_id:
            raise BadInput(
                f"{path} has a box that is not four numbers inside an image: {line[:6]}; fetch it again."
            )
        if plain(native) not in words:
            raise BadInput(f"{path} has a box of {native!r}; ChestX-ray14 has no such finding.")
        if image_id in here:
            labels = [rule.label for rule in known.rules_of(native) if rule.label]
            found += [(image_id, label, *box) for label in labels]
    return pd.DataFrame(found, columns=list(BOX_COLUMNS)) if found else empty_boxes()


def _box(cells: list[str]) -> tuple[float, ...] | None:
    """Return x, y, w and h as fractions of the image's sides; None where they are no box that touches the image."""
    try:
        x, y, w, h = (float(cell) / BOX_PX for cell in cells)
    except ValueError:
        return None
    return (x, y, w, h) if 0 < w <= 1 and 0 < h <= 1 and -w < x < 1 and -h < y < 1 else None


SITES.add("nih")(Nih())
