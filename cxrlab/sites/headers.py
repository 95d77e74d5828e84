"""The headers of many DICOM files → one table; no pixel is read.

In:    a folder and the names of DICOM files in it.
Out:   one row a file: numbers that tell images, studies and patients apart, and facts in a closed vocabulary.
Never: free text of the file (it can name anybody), pixels, labels.
"""

import datetime
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pydicom
from pydicom.uid import UID

from cxrlab.errors import BadInput
from cxrlab.images import decode, dicom
from cxrlab.sites import tables

NAMED = frozenset((".dcm", ".dicom", ".dic"))
READERS = 4  # threads: parsing is one core's work, but files on a network disk are waited for
FACTS = ("window", "polarity", "bits_stored", "compression", "manufacturer", "orientation")
# What a header says of the device is free text; these words of it are known.
MAKERS = {
    "agfa": "Agfa", "canon": "Canon", "carestream": "Carestream", "kodak": "Carestream", "del medical": "Del Medical",
    "fuji": "Fujifilm", "general electric": "GE", "ge healthcare": "GE", "ge medical": "GE", "gmm": "GMM",
    "hologic": "Hologic", "iray": "iRay", "imaging dynamics": "Imaging Dynamics", "konica": "Konica Minolta",
    "philips": "Philips", "rayence": "Rayence", "samsung": "Samsung", "shimadzu": "Shimadzu", "siemens": "Siemens",
    "swissray": "Swissray", "toshiba": "Toshiba", "vieworks": "Vieworks",
}  # fmt: skip
# DICOM PS3.16, CID 4010 and 4005: a view as a coded word rather than as two letters.
CODED_VIEWS = {
    "r-10206": "AP", "399348003": "AP", "antero-posterior": "AP",
    "r-10214": "PA", "272479007": "PA", "postero-anterior": "PA",
    "r-10236": "LATERAL", "399067008": "LATERAL", "r-10232": "LATERAL", "399198007": "LATERAL", "399173006": "LATERAL",
    "lateral": "LATERAL", "left lateral": "LATERAL", "right lateral": "LATERAL",
}  # fmt: skip
_ORIENTATION = re.compile(r"[ALRPHF]{1,3}")


def read(raw: Path, names: list[str]) -> pd.DataFrame:
    """Return one row a file, in the order of `names`.

    Columns: file; wrong, why the header cannot be used ("" where it can); sop, study, accession, patient, text that may
    tell who a person is; sex, age_years, view, as a store has them; modality, body_part, as the file says; frames;
    has_image; burned_in, "YES", "NO" or ""; width, height, pixels, 0 where not said; and FACTS, all text.
    """
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(lambda name: _one(raw, name), names))
    return pd.DataFrame(found, columns=list(_blank("")))


def list_dicom(folder: Path) -> list[str]:
    """Return the DICOM files below `folder`, relative, with forward slashes, sorted, whatever their names.

    A file is DICOM when it is named so or begins so. One without a suffix may be a damaged one and is listed too: to be
    left out with a reason is better than to vanish. DICOMDIR, the index of a disc, is none; hidden files are not seen.
    """
    found: list[str] = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__MACOSX" and not name.startswith(".")]
        below = Path(here).relative_to(folder).as_posix()
        prefix = "" if below == "." else below + "/"
        tables.check_file_names(here, names)
        found += [prefix + name for name in names if not name.startswith(".") and name.upper() != "DICOMDIR"]
    with ThreadPoolExecutor(READERS) as pool:
        yes = list(pool.map(lambda name: _is_dicom(folder / name), found))
    return sorted(name for name, is_one in zip(found, yes, strict=True) if is_one)


def _is_dicom(path: Path) -> bool:
    # 1.2.840.113 has no suffix either.
    if path.suffix.lower() in NAMED or not path.suffix.strip(".0123456789"):
        return True
    try:
        decode.size_of(path)
        with path.open("rb") as opened:
            start = opened.read(132)
    except (OSError, BadInput):
        return False  # a pipe, a broken link: nothing says that it is an image
    # Without a preamble a file begins with its first group, 0002 or 0008, and a small element number.
    return start[128:] == b"DICM" or (start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00")


def facts_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `read` that go into a store as facts."""
    return table[list(FACTS)].reset_index(drop=True)


def by_stem(images: list[str]) -> dict[str, str]:
    """Return file name without suffix, in small letters → file; of a DICOM file and its conversion the DICOM file."""
    ranked = sorted(images, key=lambda path: PurePosixPath(path).suffix.lower() not in NAMED)
    found: dict[str, str] = {}
    for path in ranked:
        found.setdefault(PurePosixPath(path).stem.lower(), path)
    return found


def read_images(raw: Path, names: list[str]) -> pd.DataFrame:
    """Return `read`'s table for images of which some are conversions; of those it is blank but for the file."""
    table = pd.DataFrame([_blank(name) for name in names])
    is_dicom = np.array([PurePosixPath(name).suffix.lower() in NAMED for name in names], bool)
    if is_dicom.any():
        found = read(raw, [name for name, yes in zip(names, is_dicom, strict=True) if yes])
        table = table.astype({"age_years": float})
        for column in found:
            table.loc[is_dicom, column] = found[column].to_numpy()
    return table


def _blank(name: str) -> dict[str, Any]:
    text = (
        "wrong",
        "sop",
        "study",
        "accession",
        "patient",
        "sex",
        "view",
        "modality",
        "body_part",
        "burned_in",
    )
    numbers = {"age_years": np.nan, "frames": 1, "has_image": False, "width": 0, "height": 0}
    return {"file": name, **dict.fromkeys(text, ""), **numbers, **dict.fromkeys(FACTS, "")}


def _one(raw: Path, name: str) -> dict[str, Any]:
    row = _blank(name)
    try:
        head = dicom.header(raw / name)
    except BadInput as error:
        return {**row, "wrong": str(error)}
    row.update(
        sop=_text(head, "SOPInstanceUID"),
        study=_text(head, "StudyInstanceUID"),
        accession=_text(head, "AccessionNumber"),
        patient=_text(head, "PatientID"),
        sex=tables.sex(_text(head, "PatientSex")),
        age_years=_age(head),
        view=_view(head),
        modality=_text(head, "Modality").upper(),
        body_part=_text(head, "BodyPartExamined").upper(),
        burned_in=_text(head, "BurnedInAnnotation").upper(),
        frames=_number(head, "NumberOfFrames") or 1,
        width=_number(head, "Columns"),
        height=_number(head, "Rows"),
        window=dicom.window_of(head),
        polarity=_polarity(head),
        bits_stored=str(_number(head, "BitsStored") or ""),
        compression=_compression(head),
        manufacturer=maker(_text(head, "Manufacturer")),
        orientation=_orientation(head),
    )
    row["has_image"] = row["width"] > 0 and row["height"] > 0
    if not (row["has_image"] or row["sop"] or row["modality"]):
        row["wrong"] = "the file is no DICOM, or its beginning is lost"
    return row


def maker(text: str) -> str:
    """Return the maker of a device in one spelling, "other" where it is not known, "" where nothing is said.

    >>> [maker(text) for text in ("FUJI PHOTO FILM Co., ltd.", "GE Healthcare", "St. Elsewhere", "")]
    ['Fujifilm', 'GE', 'other', '']
    """
    plain = text.lower()
    known = (name for word, name in MAKERS.items() if word in plain)
    return next(known, "other" if plain else "") if plain != "ge" else "GE"


def _text(head: pydicom.Dataset, name: str) -> str:
    value = dicom.field(head, name)
    if value is None or isinstance(value, (bytes, pydicom.Sequence)):
        return ""
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if len(value) else ""
    return str(value).replace("\0", "").strip()


def _number(head: pydicom.Dataset, name: str) -> int:
    try:
        return max(int(float(_text(head, name))), 0)
    except (ValueError, OverflowError):
        return 0


def _age(head: pydicom.Dataset) -> float:
    """Return the age in years that the header says, else whole years from birth to examination."""
    said = tables.age_years(_text(head, "PatientAge"))
    if not np.isnan(said):
        return said
    born, seen = (_date(_text(head, name)) for name in ("PatientBirthDate", "StudyDate"))
    if born is None or seen is None or born > seen:
        return np.nan
    years = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return float(years) if years <= tables.OLDEST else np.nan


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None


def _view(head: pydicom.Dataset) -> str:
    said = tables.view(_text(head, "ViewPosition"))
    codes = dicom.field(head, "ViewCodeSequence")
    if said or not codes:
        return said
    words = (_text(codes[0], name).lower() for name in ("CodeValue", "CodeMeaning"))
    return next((CODED_VIEWS[word] for word in words if word in CODED_VIEWS), "")


def _polarity(head: pydicom.Dataset) -> str:
    said = _text(head, "PhotometricInterpretation")
    return said if said in dicom.COLOURS else "other" if said else ""


def _compression(head: pydicom.Dataset) -> str:
    syntax = head.file_meta.get("TransferSyntaxUID") if hasattr(head, "file_meta") else None
    if not isinstance(syntax, UID) or syntax.is_private or not syntax.is_transfer_syntax:
        return ""
    return syntax.name if syntax.is_compressed else "none"


def _orientation(head: pydicom.Dataset) -> str:
    """Return where the image's rows and columns point to in the patient, such as "L/F"."""
    value = dicom.field(head, "PatientOrientation")
    both = [str(part) for part in value] if isinstance(value, pydicom.multival.MultiValue) else []
    return "/".join(both) if len(both) == 2 and all(map(_ORIENTATION.fullmatch, both)) else ""
