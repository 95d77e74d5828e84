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
from cxrlab.labels import NO_FINDING, VOCABULARY, check_labels
from cxrlab.sites import columns as own
from cxrlab.sites import tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

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
        "names": "keep (default), or hide: patients' and files' names are replaced before the store is written",
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
        table = own.table_of(raw, options.get("table"))
        if options.get("names", "keep") not in ("keep", "hide"):
            raise BadInput(f"the option names is {options['names']!r}; say keep or hide.")
        named = self.title if self.hides_names(options) else f"{self.title}: {raw.name}"
        title = str(options.get("title") or named)
        header = Header(site=site, title=title, source=self.source, labels=())
        if table is None:
            return _from_classes(found, header, options)
        return _from_table(table, found, header, options)


def _from_table(path: Path, files: list[str], header: Header, options: dict[str, Any]) -> Raw:
    table = tables.read_text_table(path)
    columns = own.columns_of(table, path, options)
    known, labels = own.map_of_columns(table, path, options)
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
            "split_hint": facts.get("split", blank).map(lambda text: own.SPLITS.get(text.lower(), "")),
            "native_label": ["|".join(f"{c}={table[c][i]}" for c in labels) for i in range(len(table))],
            "source_file": list(here),
        }
    )
    codes = np.stack([own.cells(table[column], column, path) for column in labels], axis=1)
    return translated(
        header, tables.finish_rows(rows), labelmap.from_columns(labels, codes), known, quarantine
    )


def _ids(files: list[str]) -> list[str]:
    """Return a short name a file, unique: its stem, or its path without suffix where stems repeat."""
    stems = [PurePosixPath(file).stem for file in files]
    return stems if len(set(stems)) == len(stems) else files


def _from_classes(files: list[str], header: Header, options: dict[str, Any]) -> Raw:
    known = own.map_of(options)
    said = {
        own.plain(key.removeprefix("class:")): str(value)
        for key, value in options.items()
        if key.startswith("class:")
    }
    check_labels(tuple(said.values()), "an option class:FOLDER=FINDING")
    means = {**{own.plain(name): name for name in VOCABULARY}, **dict.fromkeys(NORMAL, NO_FINDING), **said}
    native, splits = [], []
    for file in files:
        above = PurePosixPath(file).parts[:-1]
        fits = (
            name for name in reversed(above) if (known.rules_of(name) if known else own.plain(name) in means)
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
        splits.append(next((own.SPLITS[name.lower()] for name in above if name.lower() in own.SPLITS), ""))
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
        known = _map_of_classes({folder: means[own.plain(folder)] for folder in native})
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
