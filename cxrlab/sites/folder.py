"""Your own images: a folder with a table that names them, or with one folder a class.

In:    any images, and a CSV whose columns are said by options or by a label map of one's own; or class folders.
Out:   rows with evidence for the labels that the columns or folders name.
Never: guesses about what a label means; a name outside the vocabulary is refused unless a map translates it.
"""

from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labelmap import LabelMap, Rule
from cxrlab.labelmap.table import BREADTHS, plain
from cxrlab.labels import NO_FINDING, VOCABULARY, Evidence, check_labels
from cxrlab.sites import tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

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
NORMAL = ("normal", "nofinding", "healthy", "nofindings")


class Folder(Site):
    """Any folder of images."""

    name: ClassVar[str] = "folder"
    title: ClassVar[str] = "Own images"
    licence: ClassVar[str] = "as its owner says"
    source: ClassVar[str] = "a folder of images"
    expects: ClassVar[str] = (
        "images and a .csv that names them, or one folder a class such as NORMAL and PNEUMONIA"
    )
    options: ClassVar[dict[str, str]] = {
        "table": "the .csv, where the folder holds several",
        "image": "the column that names the image file",
        "patient": "the column that names the patient",
        "study": "the column that names the examination",
        "sex": "the column with F or M",
        "age": "the column with years, or 058Y",
        "view": "the column with PA, AP or lateral",
        "split": "the column with train, val or test",
        "title": "the site's name in full",
        "label:": "label:FINDING=COLUMN says which column holds that finding (1, 0, -1 or blank)",
        "class:": "class:FOLDER=FINDING says which finding a class folder's images have",
        "map": "a label map of your own for the dataset folder: its native words are the columns or class folders",
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the table, or the folders' names where there is none."""
        need_folder(raw, self)
        found = tables.list_images(raw)
        if not found:
            raise MissingInput(f"{raw} holds no images; folder expects {self.expects}.")
        table = _table_of(raw, options.get("table"))
        title = str(options.get("title") or f"{self.title}: {raw.name}")
        header = Header(site=site, title=title, source=self.source, labels=())
        if table is None:
            return _from_classes(found, header, options)
        return _from_table(table, found, header, options)


def _map_of(options: dict[str, Any]) -> LabelMap | None:
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
            "dataset,native,label,says and the dataset 'folder', or leave the option map out."
        )
    also = [name for name in options if name.startswith(("label:", "class:"))]
    if also:
        raise BadInput(
            f"the options map and {also[0]} both say what a label means; put it into {wanted} and drop {also[0]}."
        )
    return labelmap.of("folder", wanted)


def _table_of(raw: Path, wanted: str | None) -> Path | None:
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


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _columns_of(table: pd.DataFrame, path: Path, options: dict[str, Any]) -> dict[str, str]:
    """Return fact → column: as the options say, else by its usual name."""
    by_plain = {_plain(column): column for column in table.columns}
    columns: dict[str, str] = {}
    for fact, usual in USUAL.items():
        if options.get(fact):
            columns[fact] = str(options[fact])
        elif (near := next((by_plain[name] for name in usual if name in by_plain), None)) is not None:
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
    by_plain = {_plain(column): column for column in table.columns}
    named = {name: by_plain[_plain(name)] for name in VOCABULARY if _plain(name) in by_plain}
    labels = {**named, **asked}
    if not labels:
        raise BadInput(
            f"{path} has the columns {', '.join(table.columns)}; none is named like a finding ({', '.join(VOCABULARY)}). "
            "Say which holds what with --option label:FINDING=COLUMN."
        )
    return {name: labels[name] for name in VOCABULARY if name in labels}


def _map_of_columns(table: pd.DataFrame, path: Path, options: dict[str, Any]) -> tuple[LabelMap, list[str]]:
    """Return the map and the columns that hold its native words."""
    known = _map_of(options)
    if known is None:
        labels = _labels_of(table, path, options)
        rules = tuple(Rule(column, name, "same", "narrow") for name, column in labels.items())
        return LabelMap("folder", rules, "columns"), list(dict.fromkeys(labels.values()))
    by_plain = {plain(column): column for column in table.columns}
    missing = [native for native in known.natives if plain(native) not in by_plain]
    if missing:
        raise BadInput(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} that the label map "
            f"{known.origin} names; it has {', '.join(table.columns[:20])}."
        )
    return known, [by_plain[plain(native)] for native in known.natives]


def _from_table(path: Path, files: list[str], header: Header, options: dict[str, Any]) -> Raw:
    table = tables.read_text_table(path)
    columns = _columns_of(table, path, options)
    known, labels = _map_of_columns(table, path, options)
    index, quarantine, keep, here = tables.ImageIndex(files), [], [], {}
    for i, name in enumerate(table[columns["image"]]):
        file = index.find(name) if name else None
        if file is None:
            quarantine.append((name or f"row {i + 2}", "the table names it but there is no such image"))
        elif file in here:
            quarantine.append((name, "a second row for the same image"))
        else:
            here[file] = i
            keep.append(i)
    quarantine += [(file, "the table does not name it") for file in files if file not in here]
    table = table.iloc[keep].reset_index(drop=True)
    ids = _ids(list(here))
    facts = {fact: table[column] for fact, column in columns.items()}
    blank = pd.Series("", index=table.index)
    patient = facts.get("patient", pd.Series(ids, index=table.index))
    rows = pd.DataFrame(
        {
            "image_id": ids,
            "patient_id": patient.where(patient != "", pd.Series(ids, index=table.index)),
            "study_id": facts.get("study", blank),
            "sex": facts.get("sex", blank).map(tables.sex),
            "age_years": facts.get("age", blank).map(tables.age_years),
            "view": facts.get("view", blank).map(tables.view),
            "split_hint": facts.get("split", blank).map(lambda text: SPLITS.get(text.lower(), "")),
            "native_label": ["|".join(f"{c}={table[c][i]}" for c in labels) for i in range(len(table))],
            "source_file": list(here),
        }
    )
    codes = np.stack([_cells(table[column], column, path) for column in labels], axis=1)
    return translated(
        header, tables.finish_rows(rows), labelmap.from_columns(labels, codes), known, quarantine
    )


def _cells(column: pd.Series, name: str, path: Path) -> np.ndarray:
    """Return (N,) int8 evidence of one column."""
    plain = column.str.lower().str.replace(r"\.0+$", "", regex=True)  # spreadsheets write 1.0
    evidence = plain.map(CELLS)
    odd = evidence.isna()
    if odd.any():
        raise BadInput(
            f"{path} has {column[odd].iloc[0]!r} in the column {name!r}; expected 1, 0, -1 or blank."
        )
    return evidence.to_numpy(np.int8)


def _ids(files: list[str]) -> list[str]:
    """Return a short name a file, unique: its stem, or its path without suffix where stems repeat."""
    stems = [PurePosixPath(file).stem for file in files]
    return stems if len(set(stems)) == len(stems) else files


def _from_classes(files: list[str], header: Header, options: dict[str, Any]) -> Raw:
    known = _map_of(options)
    said = {
        _plain(key.removeprefix("class:")): str(value)
        for key, value in options.items()
        if key.startswith("class:")
    }
    check_labels(tuple(said.values()), "an option class:FOLDER=FINDING")
    means = {**{_plain(name): name for name in VOCABULARY}, **dict.fromkeys(NORMAL, NO_FINDING), **said}
    native, splits = [], []
    for file in files:
        above = PurePosixPath(file).parts[:-1]
        fits = (
            name for name in reversed(above) if (known.rules_of(name) if known else _plain(name) in means)
        )
        folder = next(fits, None)
        if folder is None:
            # The sentence names the nearest folder: it is the one that was meant as a class.
            nearest = above[-1] if above else ""
            if known is not None:
                raise BadInput(
                    f"the label map {known.origin} names no class folder of {file}; add a row with the native word "
                    f"{nearest!r}."
                )
            check_labels((nearest,), f"the class folder of {file}")
        native.append(folder)
        splits.append(next((SPLITS[name.lower()] for name in above if name.lower() in SPLITS), ""))
    ids = _ids(files)
    rows = pd.DataFrame(
        {
            "image_id": ids,
            "patient_id": ids,
            "split_hint": splits,
            "native_label": native,
            "source_file": files,
        }
    )
    if known is None:
        known = _map_of_classes({folder: means[_plain(folder)] for folder in native})
    return translated(header, tables.finish_rows(rows), labelmap.from_classes(native), known, [])


def _map_of_classes(became: dict[str, str]) -> LabelMap:
    """Return the rules of class folders: a normal image has none of the findings; a finding says nothing of others."""
    others = [name for name in VOCABULARY if name in became.values() and name != NO_FINDING]
    rules = []
    for folder, name in became.items():
        negative = others if name == NO_FINDING else [NO_FINDING]
        rules.append(Rule(folder, name, "positive", "narrow"))
        rules += [Rule(folder, other, "negative", "narrow") for other in negative]
    return LabelMap("folder", tuple(rules), "class folders")


SITES.add("folder")(Folder())
