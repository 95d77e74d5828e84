"""A table of one's own: which column is what, said by options, by usual names or by a label map.

In:    a CSV as strings, the options of an ingest.
Out:   fact → column; the columns that hold findings, a label map for them, and their cells as evidence.
Never: guesses about what a label means; a name outside the vocabulary is refused unless a map translates it.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labelmap import LabelMap, Rule
from cxrlab.labelmap.table import BREADTHS
from cxrlab.labelmap.table import plain as plain_native
from cxrlab.labels import VOCABULARY, Evidence, check_labels
from cxrlab.sites import tables

# Names that a column often has; an option says otherwise. Compared without case, spaces and underscores.
USUAL: dict[str, tuple[str, ...]] = {
    "image": ("image", "imageid", "imageindex", "filename", "file", "path", "imagepath", "img", "dicomid"),
    "patient": ("patient", "patientid", "subjectid", "subject", "pid"),
    "study": ("study", "studyid", "examid"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "age": ("age", "ageyears", "patientage"),
    "view": ("view", "viewposition", "projection"),
    "split": ("split", "fold", "set"),
}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val",
          "validation": "val", "dev": "val", "test": "test", "testing": "test"}  # fmt: skip
CELLS = {"1": Evidence.POSITIVE, "0": Evidence.NEGATIVE, "-1": Evidence.UNCERTAIN, "": Evidence.NOT_MENTIONED,
         "true": Evidence.POSITIVE, "false": Evidence.NEGATIVE, "yes": Evidence.POSITIVE, "no": Evidence.NEGATIVE,
         "nan": Evidence.NOT_MENTIONED}  # fmt: skip


def table_of(raw: Path, wanted: str | None) -> Path | None:
    """Return the table that is wanted, or the only .csv of the folder; None where there is none.

    Raises:
        MissingInput: the table that is wanted does not lie there.
        BadInput: there are several, and none is wanted.
    """
    if wanted:
        path = raw / PurePosixPath(wanted).name
        if not path.is_file():
            raise MissingInput(
                f"{raw} holds no table {wanted!r}; put it there, or name another with --option table=."
            )
        return path
    here = sorted(path for path in raw.glob("*.csv") if not path.name.startswith("."))
    if len(here) > 1:
        names = ", ".join(path.name for path in here)
        raise BadInput(f"{raw} holds several tables: {names}; choose one with --option table=NAME.")
    return here[0] if here else None


def plain(name: str) -> str:
    """Return a column's name for comparison: small letters and digits alone."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def map_of(options: dict[str, Any], dataset: str = "folder") -> LabelMap | None:
    """Return the label map that the options name, None where they name none.

    Raises:
        BadInput: the project's own map was asked for, which knows nothing of this folder, or two ways at once.
    """
    wanted = str(options.get("map") or "")
    if not wanted:
        return None
    if wanted in BREADTHS:
        raise BadInput(
            f"own images have no {wanted} label map; give the path of one, a .csv with the columns "
            f"dataset,native,label,says and the dataset {dataset!r}, or leave the option map out."
        )
    also = [name for name in options if name.startswith(("label:", "class:"))]
    if also:
        raise BadInput(
            f"the options map and {also[0]} both say what a label means; put it into {wanted} and drop {also[0]}."
        )
    return labelmap.of(dataset, wanted)


def columns_of(
    table: pd.DataFrame, path: Path, options: dict[str, Any], usual: dict[str, tuple[str, ...]] = USUAL
) -> dict[str, str]:
    """Return fact → column: as the options say, else by its usual name.

    Raises:
        BadInput: no column names the image, or an option names a column that is not there.
    """
    by_plain = {plain(column): column for column in table.columns}
    columns: dict[str, str] = {}
    for fact, words in usual.items():
        if options.get(fact):
            columns[fact] = str(options[fact])
        elif (near := next((by_plain[name] for name in words if name in by_plain), None)) is not None:
            columns[fact] = near
    if "image" not in columns:
        raise BadInput(
            f"{path} has the columns {', '.join(table.columns)}; none is known to name the image file. "
            "Say which with --option image=COLUMN."
        )
    tables.need_columns(table, columns.values(), path)
    return columns


def _labels_of(table: pd.DataFrame, path: Path, options: dict[str, Any]) -> dict[str, str]:
    """Return finding → column: as the options say, and every column that is named like a finding."""
    asked = {
        key.removeprefix("label:"): str(value) for key, value in options.items() if key.startswith("label:")
    }
    check_labels(tuple(asked), "an option label:FINDING=COLUMN")
    tables.need_columns(table, asked.values(), path)
    by_plain = {plain(column): column for column in table.columns}
    named = {name: by_plain[plain(name)] for name in VOCABULARY if plain(name) in by_plain}
    labels = {**named, **asked}
    if not labels:
        raise BadInput(
            f"{path} has the columns {', '.join(table.columns)}; none is named like a finding ({', '.join(VOCABULARY)}). "
            "Say which holds what with --option label:FINDING=COLUMN."
        )
    return {name: labels[name] for name in VOCABULARY if name in labels}


def map_of_columns(
    table: pd.DataFrame, path: Path, options: dict[str, Any], dataset: str = "folder"
) -> tuple[LabelMap, list[str]]:
    """Return the map and the columns that hold its native words.

    Raises:
        BadInput: no column holds a finding, or one that an option or the map names is not there.
    """
    known = map_of(options, dataset)
    if known is None:
        labels = _labels_of(table, path, options)
        rules = tuple(Rule(column, name, "same", "narrow") for name, column in labels.items())
        return LabelMap(dataset, rules, "columns"), list(dict.fromkeys(labels.values()))
    by_plain = {plain_native(column): column for column in table.columns}
    missing = [native for native in known.natives if plain_native(native) not in by_plain]
    if missing:
        raise BadInput(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} that the label map "
            f"{known.origin} names; it has {', '.join(table.columns[:20])}."
        )
    return known, [by_plain[plain_native(native)] for native in known.natives]


def cells(column: pd.Series, name: str, path: Path) -> np.ndarray:
    """Return (N,) int8 evidence of one column.

    Raises:
        BadInput: a cell is neither 1, 0, -1, yes, no nor blank.
    """
    text = column.str.lower().str.replace(r"\.0+$", "", regex=True)  # spreadsheets write 1.0
    evidence = text.map(CELLS)
    odd = evidence.isna()
    if odd.any():
        raise BadInput(
            f"{path} has {column[odd].iloc[0]!r} in the column {name!r}; expected 1, 0, -1 or blank."
        )
    return evidence.to_numpy(np.int8)
