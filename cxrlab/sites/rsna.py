"""RSNA Pneumonia Detection Challenge 2018: readings by radiologists of images that are all NIH ChestX-ray14's.

In:    `stage_2_train_labels.csv`, `stage_2_detailed_class_info.csv`, `stage_2_train_images/*.dcm` (or converted images), and
       `pneumonia-challenge-dataset-mappings_2018.json` where it is at hand.
Out:   rows with evidence for No Finding, Pneumonia and Lung Opacity; boxes of opacities; NIH's patients where they are known.
Never: NIH's own labels of these images.
"""

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labelmap import LabelMap
from cxrlab.labelmap.table import plain
from cxrlab.labels import Evidence
from cxrlab.sites import survey, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import BOX_COLUMNS, Header, empty_boxes

TARGETS = {"1": "Target 1", "1.0": "Target 1", "0": "Target 0", "0.0": "Target 0"}
CLASSES = ("Normal", "No Lung Opacity / Not Normal", "Lung Opacity")
BOX_PX = 1024  # every published image is 1024 x 1024
SIDES = ("x", "y", "width", "height")
_NIH = re.compile(r"(\d{8})_(\d{3})(?:\.png)?", re.IGNORECASE)


class Rsna(Site):
    """The RSNA challenge of 2018."""

    name: ClassVar[str] = "rsna"
    title: ClassVar[str] = "RSNA Pneumonia Challenge 2018 (images of the NIH Clinical Center)"
    licence: ClassVar[str] = "terms of the Kaggle competition; the images are NIH's"
    source: ClassVar[str] = "Shih et al. 2019, Radiol Artif Intell 1:e180041"
    expects: ClassVar[str] = (
        "stage_2_train_labels.csv, stage_2_detailed_class_info.csv and stage_2_train_images/*.dcm"
    )
    label_map: ClassVar[str] = "rsna"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read both tables, the headers, and the mapping to NIH's images where it is there."""
        from cxrlab.sites import headers  # pydicom is slow to import

        need_folder(raw, self)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        seen = survey.look(raw)
        boxed = _boxed(raw, seen, self.expects)
        classes, quarantine = _classes(raw, seen, boxed)
        files = headers.by_stem(seen.images)
        quarantine = [(files.get(name, name), reason) for name, reason in quarantine]
        here = classes.index[classes.index.isin(files)]
        if here.empty:
            raise MissingInput(
                f"the tables name {len(classes):,} images but none lies in {raw}; rsna expects {self.expects}."
            )
        absent = classes.index[~classes.index.isin(files)]
        quarantine += [(name, "the table names it but there is no such image") for name in absent]
        told = set(boxed["patientId"])
        quarantine += [
            (files[name], "no table names it (no labels of the test images are published)")
            for name in sorted(set(files) - told)
        ]
        native = classes[here]
        head = headers.read_images(raw, [files[name] for name in here])
        nih = _nih(raw, pd.Series(here, name="id"), head["sop"])
        patient, note = _patients(pd.Series(here), nih)
        rows = tables.finish_rows(
            pd.DataFrame(
                {
                    "image_id": here,
                    "patient_id": patient,
                    "sex": head["sex"],
                    "age_years": head["age_years"],
                    "view": head["view"],
                    "split_hint": "",  # only the training images have labels
                    "native_label": native.to_numpy(),
                    "source_file": head["file"],
                }
            )
        )
        header = Header(
            site=site, title=self.title + note, source=f"{self.source}; {self.licence}", labels=()
        )
        made = translated(header, rows, labelmap.from_classes(native.tolist()), known, quarantine)
        made.boxes = _boxes(boxed, head, made, known)
        made.facts = headers.facts_of(head).assign(nih_image=nih.to_numpy())
        return made


def _boxed(raw: Path, seen: survey.Survey, expects: str) -> pd.DataFrame:
    """Return the label table, one row a box: patientId (an image's), SIDES as numbers or NaN, target."""
    paths = seen.named("stage_2_train_labels.csv")
    if not paths:
        raise MissingInput(f"{raw} holds no stage_2_train_labels.csv; rsna expects {expects}.")
    path = raw / paths[0]
    table = tables.read_text_table(path)
    tables.need_columns(table, ("patientId", *SIDES, "Target"), path)
    table["patientId"] = table["patientId"].str.lower()
    target = table["Target"].map(TARGETS)
    if target.isna().any():
        i = int(target.isna().argmax())
        raise BadInput(f"{path} has the Target {table['Target'][i]!r} in row {i + 2}; expected 0 or 1.")
    sides = table[list(SIDES)].apply(lambda column: tables.numbers(column, path))
    return pd.concat([table[["patientId"]], sides, target.rename("target")], axis=1)


def _classes(raw: Path, seen: survey.Survey, boxed: pd.DataFrame) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Return image → native class, and (image, reason) of those whose rows contradict one another.

    Both tables have one row a box: an image counts once. Without the class list the target alone is known.
    """
    targets = boxed.drop_duplicates(["patientId", "target"])
    twice = targets["patientId"][targets["patientId"].duplicated()].unique()
    target = targets[~targets["patientId"].isin(twice)].set_index("patientId")["target"]
    quarantine = [(name, "its rows give both targets") for name in twice]
    paths = seen.named("stage_2_detailed_class_info.csv")
    if not paths:
        return target, quarantine
    path = raw / paths[0]
    table = tables.read_text_table(path)
    tables.need_columns(table, ("patientId", "class"), path)
    spelled = {plain(name): name for name in CLASSES}
    said = table["class"].map(lambda name: spelled.get(plain(name), ""))
    if (said == "").any():
        i = int((said == "").argmax())
        raise BadInput(
            f"{path} has the class {table['class'][i]!r} in row {i + 2}; expected {', '.join(CLASSES)}."
        )
    table = pd.DataFrame({"patientId": table["patientId"].str.lower(), "class": said}).drop_duplicates()
    many = table["patientId"][table["patientId"].duplicated()].unique()
    quarantine += [(name, "the class list gives it several classes") for name in many]
    detailed = table[~table["patientId"].isin(many)].set_index("patientId")["class"]
    target = target[~target.index.isin(many)]
    classes = detailed.reindex(target.index).fillna(target)
    odd = classes.isin(CLASSES) & ((classes == "Lung Opacity") != (target == "Target 1"))
    quarantine += [(name, "its class and its target contradict each other") for name in classes.index[odd]]
    return classes[~odd], quarantine


def _nih(raw: Path, ids: pd.Series, sop: pd.Series) -> pd.Series:
    """Return (N,) the NIH image that each image is, "" where that is not known.

    The mapping's rows are known to lead from a SOP instance to an NIH image; their keys are not documented. So a row's
    NIH image is the value that looks like one, and a row is about the image whose id or instance is among its values.

    Raises:
        BadInput: the mapping is not a list of rows.
    """
    paths = sorted(
        path for path in raw.rglob("*.json") if "mapping" in path.name.lower() and not path.name.startswith(".")
    )  # fmt: skip
    image_of: dict[str, str] = {}
    for path in paths:
        try:
            lines = json.loads(path.read_text(encoding="utf-8-sig"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is not JSON ({error}); fetch it again or take it away.") from error
        if isinstance(lines, dict):
            lines = [{"key": key, **(value if isinstance(value, dict) else {"value": value})} for key, value in lines.items()]  # fmt: skip
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            raise BadInput(f"{path} is not a list of rows; fetch it again or take it away.")
        for line in lines:
            words = [value.strip() for value in line.values() if isinstance(value, str)]
            image = next((word for word in words if _NIH.fullmatch(word)), None)
            if image is not None:
                name = "_".join(_NIH.fullmatch(image).groups())
                image_of.update((word.lower(), name) for word in words if word not in ("", image))
    pairs = zip(ids.str.lower(), sop.str.lower(), strict=True)
    return pd.Series(
        [image_of.get(name) or image_of.get(instance, "") for name, instance in pairs], dtype=str
    )


def _patients(ids: pd.Series, nih: pd.Series) -> tuple[pd.Series, str]:
    """Return (N,) patients, as the nih importer names them, else the image; and what the title must say of it."""
    number = nih.str[:8].str.lstrip("0")
    patient = (number.where((nih == "") | (number != ""), "0")).mask(nih == "", ids)
    unknown = int((nih == "").sum())
    if unknown == len(ids):
        return patient, "; patients are not named: each image counts as one"
    if unknown:
        return patient, f"; {unknown:,} images without NIH patient count as patients of their own"
    return patient, ""


def _boxes(boxed: pd.DataFrame, head: pd.DataFrame, made: Raw, known: LabelMap) -> pd.DataFrame:
    """Return the boxes of opacities under each label that an opacity makes positive, as fractions of the sides.

    A converted image may have any size: its boxes are on the published 1024 x 1024 all the same.
    """
    at = boxed["patientId"].map(dict(zip(made.rows["image_id"], range(len(made.rows)), strict=True)))
    found = boxed[at.notna() & boxed[list(SIDES)].notna().all(axis=1)]
    at = at[found.index].astype(int).to_numpy()
    size = head[["width", "height"]].to_numpy(float)[at]
    size = np.where(size > 0, size, BOX_PX)
    low = np.clip(found[["x", "y"]].to_numpy() / size, 0, 1)
    high = np.clip((found[["x", "y"]].to_numpy() + found[["width", "height"]].to_numpy()) / size, 0, 1)
    good = (high > low).all(axis=1)
    parts = []
    for label in made.header.labels:
        positive = made.evidence[at, made.header.labels.index(label)] == Evidence.POSITIVE
        if any(rule.label == label and rule.says == "positive" for rule in known.rules_of("Lung Opacity")):
            keep = good & positive
            values = (found["patientId"][keep], label, *low[keep].T, *(high - low)[keep].T)
            parts.append(pd.DataFrame(dict(zip(BOX_COLUMNS, values, strict=True))))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else empty_boxes()


SITES.add("rsna")(Rsna())
