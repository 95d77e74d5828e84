"""The ieee8023 COVID-19 collection: radiographs from publications and about 120 hospitals.

In:    `metadata.csv`, current or older, and `images/`.
Out:   rows of frontal radiographs with evidence for No Finding and Pneumonia (any infection of the lung).
Never: CT slices, lateral views, clinical notes.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import MissingInput
from cxrlab.labelmap import LabelMap, Said
from cxrlab.labels import NO_FINDING, Evidence
from cxrlab.sites import fourteen, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

FRONTAL = frozenset(("pa", "ap", "ap supine", "ap erect"))
UNSAID = frozenset(("", "?", "nan", "unknown"))


class Covid(Site):
    """The ieee8023 collection."""

    name: ClassVar[str] = "covid"
    title: ClassVar[str] = "COVID-19 image data collection (about 120 hospitals and publications)"
    licence: ClassVar[str] = "per image, see metadata.csv"
    source: ClassVar[str] = (
        "Cohen et al. 2020, arXiv:2006.11988; https://github.com/ieee8023/covid-chestxray-dataset"
    )
    expects: ClassVar[str] = "metadata.csv and images/"
    label_map: ClassVar[str] = "covid"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read metadata.csv and leave out what is no frontal radiograph."""
        need_folder(raw, self)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        path = tables.find_file(raw, ("metadata.csv",), self.expects)
        table = tables.read_text_table(path)
        table.columns = [name.lower() for name in table.columns]  # early versions write Patientid
        tables.need_columns(table, ("patientid", "finding", "view", "filename"), path)
        below = path.parent.relative_to(raw)
        lying = [(below / file).as_posix() for file in tables.list_images(path.parent)]
        found, quarantine = _usable(table, lying)
        if not found:
            raise MissingInput(
                f"{path} names {len(table):,} images but no frontal radiograph of them lies in {raw}."
            )
        rows = table.iloc[[i for i, _ in found]].reset_index(drop=True)
        facts = pd.DataFrame(
            {
                "image_id": [Path(file).name for _, file in found],
                "patient_id": rows["patientid"],
                "study_id": _studies(rows),
                "sex": rows["sex"].map(tables.sex) if "sex" in rows else "",
                "age_years": rows["age"].map(tables.age_years) if "age" in rows else np.nan,
                "view": rows["view"].map(tables.view),
                "native_label": rows["finding"],
                "source_file": [file for _, file in found],
            }
        )
        header = Header(
            site=site, title=self.title, source=f"{self.source}; licence {self.licence}", labels=()
        )
        said = said_of(list(rows["finding"]), known)
        return translated(header, tables.finish_rows(facts), said, known, quarantine)


def _usable(table: pd.DataFrame, lying: list[str]) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """Return (row, file) of every frontal radiograph that is here, and (file, reason) of every other row or file."""
    index = tables.ImageIndex(lying)
    named: set[str] = set()
    found: list[tuple[int, str]] = []
    quarantine: list[tuple[str, str]] = []
    seen: set[str] = set()
    modality = table["modality"] if "modality" in table else pd.Series("X-ray", index=table.index)
    folder = table["folder"] if "folder" in table else pd.Series("images", index=table.index)
    for i, name in enumerate(table["filename"]):
        kind, shown = modality[i], table["view"][i]
        file = (index.find(f"{folder[i]}/{name}") or index.find(name)) if name else None
        name = file or name or f"row {i + 2}"
        named.add(name)
        if kind.lower() not in ("x-ray", "xray", ""):
            quarantine.append((name, f"modality {kind}, no radiograph"))
        elif shown.lower() not in FRONTAL | UNSAID:
            quarantine.append((name, f"view {shown}, not frontal"))
        elif not table["patientid"][i]:
            quarantine.append((name, "the table gives no patient"))
        elif file is None:
            quarantine.append((name, "the table names it but there is no such image"))
        elif file in seen:
            quarantine.append((name, "a second row for the same image"))
        else:
            seen.add(file)
            found.append((i, file))
    return found, quarantine + [(file, fourteen.NAMELESS) for file in lying if file not in named]


def _studies(rows: pd.DataFrame) -> pd.Series:
    # Images of one patient on one day after onset are one examination.
    return rows["patientid"] + "-" + rows.get("offset", "")


def said_of(findings: list[str], known: LabelMap) -> Said:
    """Return what the `finding` cells say, hierarchical (Pneumonia/Viral/COVID-19) or flat (COVID-19, ARDS).

    Of a word that is absent nothing is known: a cell names the one or two diseases that a picture was published for.
    Beside another disease the word for "none" is dropped.

    >>> known = labelmap.of("covid")
    >>> said = said_of(["Pneumonia/Viral/COVID-19", "COVID-19, ARDS", "No Finding", "Tuberculosis", "todo"], known)
    >>> labelmap.harmonise(said, known)[1].tolist()
    [[0, 1], [0, 1], [1, 0], [0, -3], [-3, -3]]
    """
    words = [[word for part in text.split(",") if (word := " ".join(part.split()))] for text in findings]
    spelled: dict[str, str] = {}
    for word in (word for cell in words for word in cell):
        spelled.setdefault(word.lower(), word)
    column = {name: k for k, name in enumerate(spelled)}
    none = {name for name in spelled if _is_normal(name, known)}
    codes = np.full((len(words), len(column)), int(Evidence.NOT_ANNOTATED), np.int8)
    for i, cell in enumerate(words):
        names = {word.lower() for word in cell}
        for name in names - none or names:
            codes[i, column[name]] = Evidence.POSITIVE
    return Said(tuple(spelled.values()), codes)


def _is_normal(word: str, known: LabelMap) -> bool:
    return any(rule.label == NO_FINDING and rule.says == "positive" for rule in known.rules_of(word))


SITES.add("covid")(Covid())
