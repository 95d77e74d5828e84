"""The ieee8023 COVID-19 collection: radiographs from publications and about 120 hospitals.

In:    `metadata.csv`, current or older, and `images/`.
Out:   rows of frontal radiographs with evidence for No Finding and Pneumonia (any infection of the lung).
Never: CT slices, lateral views, clinical notes.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab.errors import MissingInput
from cxrlab.labels import NO_FINDING, Evidence
from cxrlab.sites import tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder
from cxrlab.store import Header

LABELS = (NO_FINDING, "Pneumonia")
FRONTAL = frozenset(("pa", "ap", "ap supine", "ap erect"))
UNSAID = frozenset(("", "?", "nan", "unknown"))
NOT_ANNOTATED = frozenset(("", "todo", "unknown", "nan"))
NORMAL = frozenset(("no finding", "normal"))
# The older tables name the cause alone; today's spell it `Pneumonia/Bacterial/Klebsiella`.
PNEUMONIAS = frozenset(
    (
        "pneumonia", "covid-19", "covid19", "sars", "mers", "mers-cov", "viral", "bacterial", "fungal", "streptococcus",
        "pneumocystis", "klebsiella", "e.coli", "varicella", "mycoplasma", "mycoplasma bacterial pneumonia", "legionella",
        "lipoid", "chlamydophila", "influenza", "h1n1", "swine-origin influenza a (h1n1) viral pneumonia", "herpes",
        "aspergillosis", "aspiration", "nocardia", "staphylococcus", "mrsa",
    )
)  # fmt: skip


class Covid(Site):
    """The ieee8023 collection."""

    name: ClassVar[str] = "covid"
    title: ClassVar[str] = "COVID-19 image data collection (about 120 hospitals and publications)"
    licence: ClassVar[str] = "per image, see metadata.csv"
    source: ClassVar[str] = (
        "Cohen et al. 2020, arXiv:2006.11988; https://github.com/ieee8023/covid-chestxray-dataset"
    )
    expects: ClassVar[str] = "metadata.csv and images/"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read metadata.csv and leave out what is no frontal radiograph."""
        need_folder(raw, self)
        path = tables.find_file(raw, ("metadata.csv",), self.expects)
        table = tables.read_text_table(path)
        table.columns = [name.lower() for name in table.columns]  # early versions write Patientid
        tables.need_columns(table, ("patientid", "finding", "view", "filename"), path)
        index = tables.ImageIndex(tables.list_images(path.parent))
        found, quarantine = _usable(table, index)
        if not found:
            raise MissingInput(
                f"{path} names {len(table):,} images but no frontal radiograph of them lies in {raw}."
            )
        rows = table.iloc[[i for i, _ in found]].reset_index(drop=True)
        below = path.parent.relative_to(raw).as_posix()
        native = rows["finding"]
        evidence = np.array([evidence_of(text) for text in native], np.int8)
        facts = pd.DataFrame(
            {
                "image_id": [Path(file).name for _, file in found],
                "patient_id": rows["patientid"],
                "study_id": _studies(rows),
                "sex": rows["sex"].map(tables.sex) if "sex" in rows else "",
                "age_years": rows["age"].map(tables.age_years) if "age" in rows else np.nan,
                "view": rows["view"].map(tables.view),
                "native_label": native,
                "source_file": [file if below == "." else f"{below}/{file}" for _, file in found],
            }
        )
        header = Header(
            site=site,
            title=self.title,
            source=f"{self.source}; licence {self.licence}",
            labels=LABELS,
            ledger=tables.ledger(native, {text: _note(text) for text in native.unique()}),
        )
        return Raw(header, tables.finish_rows(facts), evidence, quarantine)


def _usable(
    table: pd.DataFrame, index: tables.ImageIndex
) -> tuple[list[tuple[int, str]], list[tuple[str, str]]]:
    """Return (row, file) of every frontal radiograph that is here, and (file, reason) of every other row."""
    found: list[tuple[int, str]] = []
    quarantine: list[tuple[str, str]] = []
    seen: set[str] = set()
    modality = table["modality"] if "modality" in table else pd.Series("X-ray", index=table.index)
    folder = table["folder"] if "folder" in table else pd.Series("images", index=table.index)
    for i, name in enumerate(table["filename"]):
        kind, shown = modality[i], table["view"][i]
        file = (index.find(f"{folder[i]}/{name}") or index.find(name)) if name else None
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
    return found, quarantine


def _studies(rows: pd.DataFrame) -> pd.Series:
    # Images of one patient on one day after onset are one examination.
    return rows["patientid"] + "-" + rows.get("offset", "")


def evidence_of(finding: str) -> tuple[int, int]:
    """Return the evidence for (No Finding, Pneumonia) in one `finding` cell, hierarchical or flat.

    ARDS and other diseases say nothing of pneumonia: not annotated, never negative.

    >>> evidence_of("Pneumonia/Viral/COVID-19"), evidence_of("COVID-19, ARDS"), evidence_of("No Finding")
    ((0, 1), (0, 1), (1, 0))
    >>> evidence_of("ARDS"), evidence_of("Tuberculosis"), evidence_of("todo")
    ((0, -3), (0, -3), (-3, -3))
    """
    said = [part.strip().lower() for part in finding.split(",")]
    if all(part in NOT_ANNOTATED for part in said):
        return int(Evidence.NOT_ANNOTATED), int(Evidence.NOT_ANNOTATED)
    if any(part.split("/")[0] in PNEUMONIAS for part in said):
        return 0, 1
    if all(part in NORMAL for part in said):
        return 1, 0
    return 0, int(Evidence.NOT_ANNOTATED)


def _note(finding: str) -> tuple[str, str]:
    none, pneumonia = evidence_of(finding)
    if none == Evidence.NOT_ANNOTATED:
        return "", "not annotated yet: neither label is known"
    if pneumonia == 1:
        return "Pneumonia", "also No Finding 0"
    if none == 1:
        return NO_FINDING, "also Pneumonia 0"
    return "", "another disease: No Finding 0, Pneumonia not annotated"


SITES.add("covid")(Covid())
