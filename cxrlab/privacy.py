"""Names of patients, examinations, images and files → names that only this lab can make, and nobody turn back.

In:    a lab, whose salt is made when it is first needed; texts that may tell who a patient is.
Out:   hexadecimal names; tables with those in their place; a private table that leads the lab's owner back to the files.
Never: pixels; the salt or the private table in a store.
"""

import csv
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from cxrlab import files
from cxrlab.errors import BadInput, MissingInput
from cxrlab.paths import Lab

SALT_BYTES = 32
DIGITS = 20  # 80 bits: among a million names, two fall together once in two million labs
OLDEST = 89  # years; above, an age alone can tell who it is. HIPAA, 45 CFR 164.514(b)(2)(i)(C)
# A suffix of any other kind may be a part of a name: files are often called by their number, 1.2.840.4711.
SUFFIXES = frozenset((".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"))
PRIVATE_COLUMNS = ("name", "file", "image_id", "patient_id", "study_id")
PATHS = ("table", "map")  # options whose values are files of the user's own
# What repr() writes; an apostrophe inside a word opens nothing.
_QUOTED = re.compile(r"(?<!\w)b?(?:'.*?'(?!\w)|\"[^\"]*\")")


def salt(lab: Lab) -> bytes:
    """Return the lab's salt, 32 random bytes; made when first asked for. Two processes get the same.

    Raises:
        BadInput: the file is not what this function writes; names made with another salt would not agree with it.
    """
    lab.salt.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(lab.salt, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)  # whoever comes second waits and reads
        found = opened.read()
        if not found:
            found = secrets.token_bytes(SALT_BYTES)
            opened.write(found)
            opened.flush()
            os.fsync(opened.fileno())
    if len(found) != SALT_BYTES:
        raise BadInput(
            f"{lab.salt} holds {len(found)} bytes; expected {SALT_BYTES}. Put it back from a copy, or remove it: patients "
            "then get new names, and sites that were read before must be read again."
        )
    return found


class Pseudonyms:
    """Names by a keyed hash, HMAC-SHA256. The same text of the same kind has one name in a lab, another elsewhere.

    >>> names = Pseudonyms(bytes(32))
    >>> names.of("patient", "4711") == names.of("patient", "4711 "), names.of("patient", "") == ""
    (True, True)
    >>> names.of("patient", "4711") == names.of("study", "4711")
    False
    """

    def __init__(self, salt: bytes) -> None:
        self._salt = salt

    def of(self, kind: str, text: str) -> str:
        """Return the name of `text` among things of this kind, 20 hexadecimal digits; "" for a blank."""
        text = text.replace("\0", "").strip()
        said = f"{kind}\0{text}".encode("utf-8", "surrogateescape")
        return hmac.new(self._salt, said, hashlib.sha256).hexdigest()[:DIGITS] if text else ""

    def file(self, name: str) -> str:
        """Return the name of a file, with its suffix where that is one of an image's."""
        suffix = PurePosixPath(name).suffix.lower()
        return self.of("file", name) + (suffix if suffix in SUFFIXES else "")

    def options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return an ingest's options with the names of the user's files replaced."""
        return {
            key: self.file(str(value)) if key in PATHS and value not in ("narrow", "broad", "") else value
            for key, value in options.items()
        }


@dataclass(frozen=True)
class Hidden:
    """What may go into a store.

    behind: PRIVATE_COLUMNS, one row a file or entry that the store speaks of; it may not go there.
    """

    rows: pd.DataFrame
    boxes: pd.DataFrame
    quarantine: list[tuple[str, str]]
    behind: pd.DataFrame


def hide(
    names: Pseudonyms, rows: pd.DataFrame, boxes: pd.DataFrame, quarantine: Iterable[tuple[str, str]]
) -> Hidden:
    """Replace every name, and every age above 89 by 90.

    Args:
        names: the lab's.
        rows: (N, store.ROW_COLUMNS); native_label must hold no free text, which cannot be known here.
        boxes: store.BOX_COLUMNS.
        quarantine: (file, reason); reasons went through `without_quotes`.
    """
    hidden = rows.copy()
    hidden["image_id"] = [names.of("image", text) for text in rows["image_id"]]
    hidden["patient_id"] = rows["patient_id"].map(lambda text: names.of("patient", text))
    hidden["study_id"] = rows["study_id"].map(lambda text: names.of("study", text))
    hidden["source_file"] = [names.file(text) for text in rows["source_file"]]
    hidden["age_years"] = rows["age_years"].mask(rows["age_years"] > OLDEST, OLDEST + 1)
    left_out = [(names.file(file), file, reason) for file, reason in quarantine]
    behind = pd.DataFrame(
        {
            "name": [*hidden["source_file"], *(name for name, _, _ in left_out)],
            "file": [*rows["source_file"], *(file for _, file, _ in left_out)],
            **{
                column: [*hidden[column], *[""] * len(left_out)]
                for column in ("image_id", "patient_id", "study_id")
            },
        }
    )
    boxes = boxes.assign(image_id=[names.of("image", text) for text in boxes["image_id"]])
    return Hidden(hidden, boxes, [(name, reason) for name, _, reason in left_out], behind)


def without_quotes(reason: str) -> str:
    """Return a sentence without what it quotes of a file.

    >>> without_quotes("it begins with b'Mustermann'; expected 'DICM'")
    'it begins with …; expected …'
    >>> without_quotes("the table's first row names 'O'Brien', not the DICOM's patient")
    "the table's first row names …, not the DICOM's patient"
    """
    return _QUOTED.sub("…", reason)


def write_private(lab: Lab, site: str, raw: Path, behind: pd.DataFrame) -> Path:
    """Keep which file is behind which name, where only its owner can read it; return where."""
    path = lab.private_table(site)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    table = behind.assign(file=[str(raw / file) for file in behind["file"]])
    with (
        files.whole(path) as part,
        os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            "w",
            encoding="utf-8",
            errors="surrogateescape",
            newline="",
        ) as opened,
    ):
        lines = csv.writer(opened)
        lines.writerow(PRIVATE_COLUMNS)
        lines.writerows(table[list(PRIVATE_COLUMNS)].itertuples(index=False))
    return path


def file_behind(lab: Lab, site: str, name: str) -> Path:
    """Return the file that a store of a private site calls `name` (its source_file or a name in its quarantine).

    Raises:
        MissingInput: the lab keeps no private table of this site any more, or it does not know the name.
    """
    path = lab.private_table(site)
    if not path.exists():
        raise MissingInput(f"this lab no longer knows which files are behind {site}; ingest the site again.")
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        for line in csv.DictReader(opened):
            if line["name"] == name:
                return Path(line["file"])
    raise MissingInput(f"the private table of {site} does not know the name {name!r}.")
