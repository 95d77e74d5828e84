"""Guangzhou Women and Children's Medical Center: radiographs of children (Kermany et al. 2018).

In:    the `chest_xray` folder as on Kaggle or Mendeley, or the folder above it or one of its parts.
Out:   rows with evidence for No Finding and Pneumonia.
Never: other findings; nobody looked for them.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput
from cxrlab.sites import tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

CLASSES = ("NORMAL", "PNEUMONIA")
PARTS = ("train", "val", "test")
_PERSON = re.compile(r"(person\d+)", re.IGNORECASE)
_IM = re.compile(r"((?:NORMAL2?-)?IM-\d+)", re.IGNORECASE)
_ACCESSION = re.compile(r"(?:NORMAL|BACTERIA|VIRUS)-(\d+)", re.IGNORECASE)
_CAUSE = re.compile(r"(bacteria|virus)", re.IGNORECASE)


class Kermany(Site):
    """The paediatric pneumonia set."""

    name: ClassVar[str] = "kermany"
    title: ClassVar[str] = "Guangzhou Women and Children's Medical Center (children aged 1–5 years)"
    licence: ClassVar[str] = "CC BY 4.0"
    source: ClassVar[str] = "Kermany et al. 2018, Cell 172:1122, doi:10.17632/rscbjbr9sj"
    expects: ClassVar[str] = "chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg"
    label_map: ClassVar[str] = "kermany"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the folder names and file names; there is no table."""
        need_folder(raw, self)
        found: list[dict[str, str]] = []
        quarantine: list[tuple[str, str]] = []
        seen: set[tuple[str, str]] = set()
        for path in tables.list_images(raw):
            pieces = path.split("/")
            # The folder given may be a part or a class itself; the names above it tell then.
            above = (*raw.resolve().parts[-3:], *pieces[:-1])
            kind = next((p.upper() for p in reversed(above) if p.upper() in CLASSES), None)
            part = next((p.lower() for p in reversed(above) if p.lower() in PARTS), "")
            if kind is None:
                quarantine.append((path, "not below a folder NORMAL or PNEUMONIA"))
                continue
            patient = patient_of(pieces[-1], part)
            if patient is None:
                quarantine.append((path, "the file name tells no patient"))
                continue
            if (
                part,
                pieces[-1].lower(),
            ) in seen:  # chest_xray/chest_xray: Kaggle's archive holds everything twice
                quarantine.append((path, "a second copy of the same file name in the same part"))
                continue
            seen.add((part, pieces[-1].lower()))
            cause = _CAUSE.search(pieces[-1])
            found.append(
                {
                    "image_id": f"{part or 'all'}/{Path(pieces[-1]).stem}",
                    "patient_id": patient,
                    "split_hint": part,
                    "native_label": f"{kind} {cause[1].lower()}" if cause and kind == "PNEUMONIA" else kind,
                    "source_file": path,
                }
            )
        if not found:
            raise BadInput(f"{raw} holds no image below NORMAL or PNEUMONIA; kermany expects {self.expects}.")
        rows = pd.DataFrame(found)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        said = labelmap.from_classes(rows["native_label"])
        header = Header(site=site, title=self.title, source=f"{self.source}; {self.licence}", labels=())
        return translated(header, tables.finish_rows(rows), said, known, quarantine)


def patient_of(name: str, part: str) -> str | None:
    """Return the patient that a file name tells, or None.

    Kaggle's person numbers restart in `test`, so they are kept apart from train's and val's.

    >>> patient_of("person1_virus_6.jpeg", "train"), patient_of("person1_virus_6.jpeg", "test")
    ('person1', 'test-person1')
    >>> patient_of("NORMAL2-IM-1427-0001.jpeg", "train"), patient_of("BACTERIA-1135262-0001.jpeg", "test")
    ('NORMAL2-IM-1427', '1135262')
    """
    if person := _PERSON.search(name):
        return f"test-{person[1].lower()}" if part == "test" else person[1].lower()
    if im := _IM.search(name):
        return im[1].upper()
    if accession := _ACCESSION.search(name):
        return accession[1]  # Mendeley's accession numbers are the hospital's own and do not restart
    return None


SITES.add("kermany")(Kermany())
