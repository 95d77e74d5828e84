"""Your own hospital's DICOM files, in any folders and of any names, with a table of findings or without.

In:    DICOM files; a CSV keyed by SOP instance, file, accession number or study.
Out:   rows of single-frame chest radiographs; evidence from the table's columns, or nothing known without a table.
Never: text of a header except coded facts; names of people past ingest, which replaces them (`private`).
"""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import decode
from cxrlab.labels import NO_FINDING, Evidence
from cxrlab.sites import columns, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

MODALITIES = ("CR", "DX", "RG")
# Modalities and body parts that a reason may name; any other word in a header is free text. DICOM PS3.3, C.7.3.1.1.1.
KNOWN_MODALITIES = frozenset(
    ("CR", "CT", "DX", "IO", "KO", "MG", "MR", "NM", "OT", "PR", "PT", "PX", "RF", "RG", "RTIMAGE", "SC", "SR", "US",
     "XA", "XC")
)  # fmt: skip
KNOWN_PARTS = frozenset(
    ("ABDOMEN", "ANKLE", "ARM", "BREAST", "CSPINE", "CLAVICLE", "ELBOW", "EXTREMITY", "FEMUR", "FINGER", "FOOT",
     "FOREARM", "HAND", "HEAD", "HIP", "KNEE", "LEG", "LSPINE", "NECK", "PELVIS", "RIB", "SHOULDER", "SKULL", "SPINE",
     "TSPINE", "WRIST")
)  # fmt: skip
CHEST = ("CHEST", "THORA", "TORAX", "LUNG", "PULMO", "PECHO")
# What people write where a patient was taken out: it is one word for all, not one patient.
NOBODY = frozenset(
    ("", "0", "000000", "00000000", "anon", "anonymous", "anonymized", "anonymised", "deidentified", "de-identified",
     "n/a", "na", "no id", "none", "null", "patient", "removed", "unknown", "unnamed", "xxx", "xxxx")
)  # fmt: skip
KEYS = ("sop", "file", "accession", "study")
USUAL = {
    **{fact: words for fact, words in columns.USUAL.items() if fact != "study"},
    "image": ("sopinstanceuid", "sopuid", "instanceuid", *columns.USUAL["image"], "accessionnumber", "accession",
              "studyinstanceuid", "studyuid", *columns.USUAL["study"]),
}  # fmt: skip


class Dicom(Site):
    """Any folder of DICOM files."""

    name: ClassVar[str] = "dicom"
    title: ClassVar[str] = "Own DICOM files"
    licence: ClassVar[str] = "as its owner says"
    source: ClassVar[str] = "a folder of DICOM files"
    expects: ClassVar[str] = (
        "DICOM files of any name; for findings, a .csv that names each image's SOP instance, file, accession number or study"
    )
    private: ClassVar[bool] = True
    options: ClassVar[dict[str, str]] = {
        "table": "the .csv, where the folder holds several",
        "image": "the column that says which image or examination a row is about",
        "key": "what that column holds: sop, file, accession or study (default: whichever fits most rows)",
        "unlabelled": "drop (default) or keep: images that the table does not name",
        "patient": "the column that names the patient (default: the header's)",
        "sex": "the column with F or M (default: the header's)",
        "age": "the column with years, or 058Y (default: the header's)",
        "view": "the column with PA, AP or lateral (default: the header's)",
        "split": "the column with train, val or test",
        "views": "frontal (default) or all",
        "modalities": "those that count as radiographs (default CR,DX,RG)",
        "body": "chest (default: an image that names another part is left out) or any",
        "burned_in": "drop (default) or keep: images whose header says that a name is written into the picture",
        "title": "the site's name in full",
        "label:": "label:FINDING=COLUMN says which column holds that finding (1, 0, -1 or blank)",
        "map": "a label map of your own for the dataset dicom: its native words are the columns",
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read every header, then the table where there is one."""
        from cxrlab.sites import headers  # pydicom is slow to import

        need_folder(raw, self)
        names = headers.list_dicom(raw)
        if not names:
            raise MissingInput(f"{raw} holds no DICOM files; dicom expects {self.expects}.")
        found = headers.read(raw, names)
        reasons = _reasons(found, options)
        path = columns.table_of(raw, options.get("table"))
        header = Header(
            site=site, title=str(options.get("title") or self.title), source=self.source, labels=()
        )
        if path is None:
            kept = found[reasons == ""].reset_index(drop=True)
            return _unlabelled(header, *_rows(kept, None, {}), kept, _left_out(found, reasons))
        table = tables.read_text_table(path)
        chosen = columns.columns_of(table, path, options, USUAL)
        known, labels = columns.map_of_columns(table, path, options, "dicom")
        of_file, left_out = _match(found, table[chosen["image"]], path, str(options.get("key") or ""))
        if _choice(options, "unlabelled", ("drop", "keep")) == "drop":
            reasons = reasons.mask((reasons == "") & (of_file < 0), "the table does not name it")
        good = (reasons == "").to_numpy()
        kept, of_file = found[good].reset_index(drop=True), of_file[good]
        # A last row of blanks stands for images that the table does not name: of_file is -1 there.
        padded = pd.concat([table, pd.DataFrame([dict.fromkeys(table.columns, "")])], ignore_index=True)
        said = np.stack([columns.cells(table[name], name, path) for name in labels], axis=1)
        codes = np.vstack([said, np.full((1, len(labels)), int(Evidence.NOT_ANNOTATED), np.int8)])[of_file]
        rows, unnamed = _rows(kept, padded.iloc[of_file].reset_index(drop=True), chosen)
        rows["native_label"] = _words(labels, codes)
        made = translated(
            _titled(header, unnamed), rows, labelmap.from_columns(labels, codes), known,
            _left_out(found, reasons) + left_out,
        )  # fmt: skip
        made.facts = headers.facts_of(kept)
        return made

    def image(self, raw: Path, source_file: str) -> np.ndarray:
        """Return one image; its bytes are DICOM whatever its name says."""
        from cxrlab.images import dicom  # pydicom is slow to import

        return dicom.read(decode.bytes_of(raw / source_file))


def _choice(options: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    """Return an option's value; the first of `known` where it is not given. Raises BadInput for any other word."""
    value = str(options.get(name) or known[0]).strip().lower()
    if value not in known:
        raise BadInput(f"the option {name} is {value!r}; choose {' or '.join(known)}.")
    return value


def _reasons(found: pd.DataFrame, options: dict[str, Any]) -> pd.Series:
    """Return why each file is left out, "" where it is not; only words of a closed list are named."""
    wanted = [
        word.strip().upper() for word in str(options.get("modalities") or "").split(",") if word.strip()
    ]
    modality, part = found["modality"], found["body_part"]
    other = modality.where(modality.isin(KNOWN_MODALITIES), "another")
    elsewhere = part.where(part.isin(KNOWN_PARTS), "another part")
    no_chest = (part != "") & ~part.map(lambda text: any(word in text for word in CHEST))
    burned = _choice(options, "burned_in", ("drop", "keep")) == "drop"
    anywhere = _choice(options, "body", ("chest", "any")) == "any"
    lateral = _choice(options, "views", ("frontal", "all")) == "frontal"
    twice = (found["sop"] != "") & found["sop"].duplicated()
    checks = (
        (found["wrong"] != "", found["wrong"]),
        ((modality != "") & ~modality.isin(wanted or MODALITIES), "modality " + other + ", no radiograph"),
        (~found["has_image"].astype(bool), "the DICOM holds no image"),
        (found["frames"] > 1, "the DICOM holds " + found["frames"].astype(str) + " frames; a radiograph has one"),
        (no_chest & (not anywhere), "body part " + elsewhere + ", no chest; option body=any keeps it"),
        ((found["burned_in"] == "YES") & burned,
         "its header says that annotations are burned into the picture; option burned_in=keep keeps it"),
        ((found["view"] == "LATERAL") & lateral, "lateral view; option views=all keeps it"),
        (twice, "a second copy of the same image"),
    )  # fmt: skip
    reasons = pd.Series("", index=found.index)
    for is_so, why in checks:
        reasons = reasons.mask((reasons == "") & is_so, why)
    return reasons


def _left_out(found: pd.DataFrame, reasons: pd.Series) -> list[tuple[str, str]]:
    bad = reasons != ""
    return list(zip(found["file"][bad], reasons[bad], strict=True))


def _match(
    found: pd.DataFrame, said: pd.Series, path: Path, key: str
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Return the table's row of each file, -1 without one, and (key, reason) of the rows that are about no file.

    Args:
        found: `headers.read`'s.
        said: the table's key column.
        path: of the table, for the sentence.
        key: one of KEYS; "": the one that fits most rows.
    """
    if key and key not in KEYS:
        raise BadInput(f"the option key is {key!r}; choose one of {', '.join(KEYS)}.")
    tried = {name: _files_of(found, name) for name in ([key] if key else KEYS)}
    fits = {name: int(said.str.lower().isin(of).sum()) for name, of in tried.items()}
    best = max(fits, key=fits.get)
    if fits[best] == 0:
        raise BadInput(
            f"no row of {path} fits a DICOM file by {' or '.join(tried)}; its column {said.name!r} should hold one of "
            "them. Say which column with --option image=COLUMN and what it holds with --option key=."
        )
    of_file, left_out = np.full(len(found), -1), []
    for i, text in enumerate(said.str.lower()):
        about = tried[best].get(text, ())
        free = [k for k in about if of_file[k] < 0]
        of_file[free] = i
        if not about:
            left_out.append((said.iloc[i] or f"row {i + 2}", "the table names it but there is no such image"))
        elif not free:
            left_out.append((said.iloc[i], "a second row for the same image"))
    return of_file, left_out


def _files_of(found: pd.DataFrame, key: str) -> dict[str, list[int]]:
    """Return small-letter key → the rows of `found` that it may mean; a file's name that several have means none."""
    from cxrlab.sites import headers  # pydicom is slow to import

    of: dict[str, list[int]] = {}
    if key != "file":
        for i, text in enumerate(found[key].str.lower()):
            if text:
                of.setdefault(text, []).append(i)
        return of
    for i, file in enumerate(found["file"].str.lower()):
        name = PurePosixPath(file)
        stem = name.stem if name.suffix in headers.NAMED else name.name
        for text in {file, name.name, stem, str(name.parent / stem)}:
            of.setdefault(text, []).append(i)
    return {text: about for text, about in of.items() if len(about) == 1}


def _titled(header: Header, unnamed: int) -> Header:
    if not unnamed:
        return header
    images = "1 image names" if unnamed == 1 else f"{unnamed:,} images name"
    return replace(header, title=f"{header.title} ({images} no patient: the examination counts as one)")


def _rows(kept: pd.DataFrame, table: pd.DataFrame | None, chosen: dict[str, str]) -> tuple[pd.DataFrame, int]:
    """Return a store's rows, by the table where it says something of a person, else by the header; how many name nobody."""

    def said(fact: str, header: pd.Series, read: Any) -> pd.Series:
        if table is None or fact not in chosen:
            return header
        own = table[chosen[fact]].map(read)
        return own.where(own.notna() & (own != ""), header)

    image = kept["sop"].where(kept["sop"] != "", kept["file"])
    patient = said("patient", kept["patient"], str)
    nobody = patient.str.lower().isin(NOBODY)
    # Images of one examination are of one person, whoever that is.
    instead = kept["study"].where(kept["study"] != "", image)
    split = said("split", pd.Series("", index=kept.index), lambda text: columns.SPLITS.get(text.lower(), ""))
    rows = tables.finish_rows(
        pd.DataFrame(
            {
                "image_id": image,
                "patient_id": patient.mask(nobody, "unnamed " + instead),
                "study_id": kept["study"],
                "sex": said("sex", kept["sex"], tables.sex),
                "age_years": said("age", kept["age_years"], tables.age_years).astype(float),
                "view": said("view", kept["view"], tables.view),
                "split_hint": split,
                "source_file": kept["file"],
            }
        )
    )
    return rows, int(nobody.sum())


def _words(labels: list[str], codes: np.ndarray) -> list[str]:
    """Return each image's cells as text, in numbers of ours: a cell of the table never goes into a store."""
    cell = {int(code): str(int(code)) for code in Evidence} | {int(Evidence.NOT_MENTIONED): ""}
    unknown = int(Evidence.NOT_ANNOTATED)
    return [
        "|".join(f"{name}={cell[code]}" for name, code in zip(labels, line, strict=True) if code != unknown)
        for line in codes.tolist()
    ]


def _unlabelled(
    header: Header, rows: pd.DataFrame, unnamed: int, kept: pd.DataFrame, left_out: list[tuple[str, str]]
) -> Raw:
    """Return images of which nothing is known; a store names at least one label."""
    from cxrlab.sites import headers  # pydicom is slow to import

    note = "no table was given: nothing is known of any finding"
    line = {"native": "", "label": "", "says": "", "images": 0, "before": None, "after": None, "note": note}
    evidence = np.full((len(rows), 1), int(Evidence.NOT_ANNOTATED), np.int8)
    made = replace(_titled(header, unnamed), labels=(NO_FINDING,), ledger=(line,))
    return Raw(made, rows, evidence, left_out, facts=headers.facts_of(kept))


SITES.add("dicom")(Dicom())
