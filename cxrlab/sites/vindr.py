"""Hospitals 108 and Hanoi Medical University: VinDr-CXR, read by three radiologists an image (test: five, in agreement).

In:    PhysioNet's `annotations/image_labels_*.csv` and `annotations_*.csv`, or Kaggle's `train.csv`; DICOM or converted images.
Out:   rows with evidence by vote, the votes, boxes as fractions of the original image.
Never: a reader's number in place of the votes; columns by position.
"""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labelmap import LabelMap, Said
from cxrlab.labelmap.table import plain
from cxrlab.labels import NO_FINDING, Evidence
from cxrlab.sites import survey, tables, votes
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import BOX_COLUMNS, Header, empty_boxes

KAGGLE = ("Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
          "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
          "Pulmonary fibrosis", "No finding")  # fmt: skip
LABELS = (*KAGGLE[:-1], "Clavicle fracture", "Edema", "Emphysema", "Enlarged PA", "Lung cavity", "Lung cyst",
          "Mediastinal shift", "Rib fracture", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases",
          "No finding")  # fmt: skip
ALIASES = {"other disease": "Other diseases"}  # the test table's spelling
READERS = 3  # of every image outside the test set
CELLS = {"1": Evidence.POSITIVE, "1.0": Evidence.POSITIVE, "0": Evidence.NEGATIVE, "0.0": Evidence.NEGATIVE,
         "": Evidence.NOT_ANNOTATED, "nan": Evidence.NOT_ANNOTATED}  # fmt: skip
CORNERS = ("x_min", "y_min", "x_max", "y_max")
NO_LABELS = "no table names it (no labels of Kaggle's test images are published)"


@dataclass(frozen=True)
class Tables:
    """What the annotators said, whichever layout it came in.

    readings: (R,) image_id, reader ("" for a consensus) and split, in step with said.
    boxes: image_id, class_name and CORNERS, pixels of the original image; rows without a box are left out.
    least: see votes.Readings.
    """

    readings: pd.DataFrame
    said: Said
    boxes: pd.DataFrame
    least: int


class Vindr(Site):
    """VinDr-CXR."""

    name: ClassVar[str] = "vindr"
    title: ClassVar[str] = (
        "VinDr-CXR, two hospitals in Hanoi (no patients are named: each image counts as one)"
    )
    licence: ClassVar[str] = "PhysioNet credentialed licence 1.5.0, or the terms of the Kaggle competition"
    source: ClassVar[str] = (
        "Nguyen et al. 2022, Sci Data 9:429; https://physionet.org/content/vindr-cxr/1.0.0/"
    )
    expects: ClassVar[str] = (
        "train/*.dicom, test/*.dicom and annotations/image_labels_train.csv (PhysioNet), or train/*.dicom and train.csv (Kaggle)"
    )
    label_map: ClassVar[str] = "vindr"
    options: ClassVar[dict[str, str]] = {
        "votes": "majority (default), any or all: how many of an image's readers make a finding positive"
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the tables of either layout and the header of every image."""
        from cxrlab.sites import headers  # pydicom is slow to import

        need_folder(raw, self)
        rule = votes.check_rule(str(options.get("votes") or "majority"))
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        seen = survey.look(raw)
        said, kaggle = _read_tables(raw, seen, self.expects)
        files = headers.by_stem(seen.images)
        ids = said.readings["image_id"].drop_duplicates()
        here = ids[ids.isin(files)].reset_index(drop=True)
        if here.empty:
            raise MissingInput(
                f"the tables name {len(ids):,} images but none lies in {raw}; vindr expects {self.expects}."
            )
        absent = ids[~ids.isin(files)]
        quarantine = [(name, "the table names it but there is no such image") for name in absent]
        unnamed = sorted(set(files) - set(ids))
        quarantine += [(files[name], NO_LABELS if kaggle else "no table names it") for name in unnamed]
        head = headers.read_images(raw, [files[name] for name in here])
        return _gather(self, site, raw, seen, said, here, head, rule, known, quarantine)


def _gather(
    plugin: Site, site: str, raw: Path, seen: survey.Survey, said: Tables, here: pd.Series, head: pd.DataFrame,
    rule: str, known: LabelMap, quarantine: list[tuple[str, str]],
) -> Raw:  # fmt: skip
    """Return what the readings make of the images in `here`."""
    from cxrlab.sites import headers  # pydicom is slow to import

    at = said.readings["image_id"].map(dict(zip(here, range(len(here)), strict=True)))
    of_reading = said.said.codes[at.notna()]
    consensus = (said.readings["reader"][at.notna()] == "").to_numpy()
    readings = votes.Readings(at.dropna().to_numpy(np.int64), consensus, len(here), said.least)
    natives = said.said.natives
    no_finding = np.array([plain(name) == "no finding" for name in natives])
    codes = votes.decide(readings, of_reading, rule, no_finding)
    split = said.readings.drop_duplicates("image_id").set_index("image_id")["split"]
    rows = tables.finish_rows(
        pd.DataFrame(
            {
                "image_id": here,
                "patient_id": here,
                "sex": head["sex"],
                "age_years": head["age_years"],
                "view": "PA",  # the owners selected them so
                "split_hint": here.map(split),
                "native_label": _words(readings, of_reading, natives),
                "source_file": head["file"],
            }
        )
    )
    header = Header(
        site=site, title=plugin.title, source=f"{plugin.source}; {plugin.licence}; findings by {rule} of the readers", labels=()
    )  # fmt: skip
    made = translated(header, rows, Said(natives, codes), known, quarantine)
    # Two natives can stand for one label, and two readers can each have chosen another: the vote is on the label.
    labels, ours = labelmap.harmonise(Said(natives, of_reading), known)
    made.evidence = votes.decide(readings, ours, rule, np.array([name == NO_FINDING for name in labels]))
    made.votes = votes.count(readings, ours)
    made.boxes, without_size = _boxes(said.boxes, rows, _sizes(raw, seen, head), known, made)
    ledger = labelmap.ledger(made.said, known, labels, made.evidence)
    note = f"; boxes of {without_size:,} converted images left out: their original size is not known"
    made.header = replace(
        made.header, ledger=ledger, source=made.header.source + (note if without_size else "")
    )
    made.facts = headers.facts_of(head)
    made.facts["readers"] = np.where(readings.agreed, "consensus of 5", readings.readers.astype(str))
    return made


def _read_tables(raw: Path, seen: survey.Survey, expects: str) -> tuple[Tables, bool]:
    """Return what the tables say, and whether they are Kaggle's."""
    parts = [(split, seen.named(f"image_labels_{split}.csv")) for split in ("train", "test")]
    found = [
        (_labels_of(raw / paths[0], split), _boxes_of(raw, seen, split)) for split, paths in parts if paths
    ]
    if found:
        whole = pd.concat([labels for labels, _ in found], ignore_index=True)
        natives = tuple(name for name in whole.columns if name not in ("image_id", "reader", "split"))
        # A label that only one of the tables has is unknown in the other.
        codes = whole[list(natives)].fillna(int(Evidence.NOT_ANNOTATED)).to_numpy(np.int8)
        boxes = pd.concat([boxes for _, boxes in found], ignore_index=True)
        return Tables(whole[["image_id", "reader", "split"]], Said(natives, codes), boxes, 0), False
    for name in seen.named("train.csv"):
        table = tables.read_text_table(raw / name)
        if {"image_id", "class_name", "rad_id"} <= set(table.columns):
            return _kaggle(table, raw / name), True
    raise MissingInput(
        f"{raw} holds no image_labels_train.csv and no train.csv of Kaggle; expected {expects}."
    )


def _labels_of(path: Path, split: str) -> pd.DataFrame:
    """Return image_id, reader, split and one column of codes a label; one row a distinct reader of an image."""
    table = tables.read_text_table(path)
    tables.need_columns(table, ("image_id",), path)
    spelled = {plain(name): name for name in (*LABELS, *labelmap.of("vindr").natives)} | ALIASES
    columns = {name: spelled[plain(name)] for name in table.columns if plain(name) in spelled}
    if not columns:
        raise BadInput(f"{path} has no column of a finding; it has {', '.join(table.columns[:20])}.")
    made = pd.DataFrame({"image_id": table["image_id"].str.lower(), "split": split})
    made["reader"] = table.get("rad_id", "")
    for name, native in columns.items():
        made[native] = table[name].str.lower().map(CELLS)
        if made[native].isna().any():
            i = int(made[native].isna().argmax())
            raise BadInput(
                f"{path} has {table[name][i]!r} under {name!r} in row {i + 2}; expected 0, 1 or blank."
            )
    # Of two rows of one reader the positive word counts: codes are in that order.
    return made.groupby(["image_id", "reader", "split"], sort=False, as_index=False).max()


def _boxes_of(raw: Path, seen: survey.Survey, split: str) -> pd.DataFrame:
    paths = seen.named(f"annotations_{split}.csv")
    if not paths:
        return pd.DataFrame(columns=["image_id", "class_name", *CORNERS])
    table = tables.read_text_table(raw / paths[0])
    tables.need_columns(table, ("image_id", "class_name", *CORNERS), raw / paths[0])
    return _corners(table, raw / paths[0])


def _corners(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    made = table[["image_id", "class_name"]].assign(image_id=table["image_id"].str.lower())
    for name in CORNERS:
        made[name] = tables.numbers(table[name], path) if name in table else np.nan
    return made.dropna().reset_index(drop=True)


def _kaggle(table: pd.DataFrame, path: Path) -> Tables:
    """Return Kaggle's table, one row a box, as one reading a distinct reader and image."""
    names = {plain(name): k for k, name in enumerate(KAGGLE)}
    column = table["class_name"].map(lambda name: names.get(plain(name), -1))
    if (column < 0).any():
        i = int((column < 0).argmax())
        raise BadInput(
            f"{path} has the class {table['class_name'][i]!r} in row {i + 2}; Kaggle's set has no such."
        )
    table = table.assign(image_id=table["image_id"].str.lower())
    one = table[["image_id", "rad_id"]].drop_duplicates().reset_index(drop=True)
    at = pd.MultiIndex.from_frame(one).get_indexer(pd.MultiIndex.from_frame(table[["image_id", "rad_id"]]))
    codes = np.full((len(one), len(KAGGLE)), int(Evidence.NEGATIVE), np.int8)
    codes[at, column.to_numpy()] = Evidence.POSITIVE
    readings = one.rename(columns={"rad_id": "reader"}).assign(split="train")
    # A reader who saw nothing in an image where others did leaves no row: the vote is out of three all the same.
    return Tables(readings, Said(KAGGLE, codes), _corners(table, path), READERS)


def _words(readings: votes.Readings, codes: np.ndarray, natives: tuple[str, ...]) -> list[str]:
    """Return each image's native labels with their votes: "Cardiomegaly 2/3|ILD 1/3"; of a consensus the labels alone."""
    yes, readers, agreed = readings.count(codes == Evidence.POSITIVE), readings.readers, readings.agreed
    return [
        "|".join(
            natives[k] if agreed[i] else f"{natives[k]} {yes[i, k]}/{readers[i]}" for k in np.flatnonzero(yes[i])
        )
        for i in range(len(yes))
    ]  # fmt: skip


def _sizes(raw: Path, seen: survey.Survey, head: pd.DataFrame) -> pd.DataFrame:
    """Return (N,) width and height of the original images, NaN where it is not known.

    Kaggle's resized copies come with `train_meta.csv`: image_id, dim0 (height), dim1 (width).
    """
    sizes = head[["width", "height"]].astype(float).replace(0, np.nan)
    for name in seen.named("train_meta.csv"):
        meta = tables.read_text_table(raw / name)
        if {"image_id", "dim0", "dim1"} <= set(meta.columns):
            meta = meta.drop_duplicates("image_id").set_index(meta["image_id"].str.lower().drop_duplicates())
            ids = head["file"].map(lambda file: PurePosixPath(file).stem.lower())
            for column, told in (("width", "dim1"), ("height", "dim0")):
                sizes[column] = sizes[column].fillna(ids.map(pd.to_numeric(meta[told], errors="coerce")))
    return sizes


def _boxes(
    boxes: pd.DataFrame, rows: pd.DataFrame, sizes: pd.DataFrame, known: LabelMap, made: Raw
) -> tuple[pd.DataFrame, int]:
    """Return the boxes of findings that the vote carried, and in how many images they had to be left out."""
    at = boxes["image_id"].map(dict(zip(rows["image_id"], range(len(rows)), strict=True)))
    boxes, at = boxes[at.notna()], at.dropna().astype(int)
    size = sizes.iloc[at].reset_index(drop=True)
    x, y = (boxes[["x_min", "x_max"]].to_numpy() / size[["width"]].to_numpy(),
            boxes[["y_min", "y_max"]].to_numpy() / size[["height"]].to_numpy())  # fmt: skip
    known_size = size.notna().all(axis=1).to_numpy()
    x, y = np.clip(x, 0, 1), np.clip(y, 0, 1)
    good = known_size & (x[:, 1] > x[:, 0]) & (y[:, 1] > y[:, 0])
    parts = []
    for native in boxes["class_name"].unique():
        meant = {rule.label for rule in known.rules_of(native)} & set(made.header.labels) - {NO_FINDING}
        for label in meant:
            positive = made.evidence[at.to_numpy(), made.header.labels.index(label)] == Evidence.POSITIVE
            keep = good & positive & (boxes["class_name"] == native).to_numpy()
            values = (
                boxes["image_id"][keep],
                label,
                x[keep, 0],
                y[keep, 0],
                np.ptp(x[keep], 1),
                np.ptp(y[keep], 1),
            )
            parts.append(pd.DataFrame(dict(zip(BOX_COLUMNS, values, strict=True))))
    lacking = int(boxes["image_id"][~known_size].nunique())
    found = [part for part in parts if len(part)]
    if not found:
        return empty_boxes(), lacking
    whole = pd.concat(found, ignore_index=True).sort_values(list(BOX_COLUMNS), ignore_index=True)
    return whole.drop_duplicates(ignore_index=True), lacking


SITES.add("vindr")(Vindr())
