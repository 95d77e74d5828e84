"""COVID-19 Radiography Database: four folders of radiographs gathered from other public sets, with lung masks.

In:    COVID, Lung_Opacity, Normal and "Viral Pneumonia", each with images/ and masks/, or flat as in older releases.
Out:   rows with evidence for what the folder's name says; masks of the lungs.
Never: the .xlsx lists beside the folders: they repeat the files' names and the sets that they were taken from.
"""

from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import cv2
import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput
from cxrlab.images import decode
from cxrlab.sites import survey, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

LUNGS = "lungs"
MASKS = "masks"
# How the releases call a class, without case, spaces and signs → the label map's word.
CLASSES = {
    "covid": "COVID",
    "covid19": "COVID",
    "lungopacity": "Lung_Opacity",
    "normal": "Normal",
    "viralpneumonia": "Viral Pneumonia",
}


class CovidRadiography(Site):
    """The COVID-19 Radiography Database.

    Its pictures come from other sets: the normal ones and the opacities from RSNA's (which are NIH's) and Guangzhou's
    children, the viral pneumonias from Guangzhou's children, the rest from many COVID collections. So a class is also a
    hospital and an age: a network can tell them apart without looking at a lung. No patient is named.
    """

    name: ClassVar[str] = "covid-radiography"
    title: ClassVar[str] = (
        "COVID-19 Radiography Database (gathered from other sets; an image counts as a patient)"
    )
    licence: ClassVar[str] = "as the owners of its parts say; see the README of the database"
    source: ClassVar[str] = (
        "Chowdhury et al. 2020, IEEE Access 8:132665; Rahman et al. 2021, Computers in Biology and Medicine 132:104319; "
        "https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database"
    )
    expects: ClassVar[str] = (
        'COVID/, Lung_Opacity/, Normal/, "Viral Pneumonia"/, each with images/ and masks/, or flat'
    )
    label_map: ClassVar[str] = "covid-radiography"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the folders' names; there is no table."""
        need_folder(raw, self)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        found: list[dict[str, str]] = []
        quarantine: list[tuple[str, str]] = []
        seen: dict[tuple[str, str], str] = {}
        masks = 0
        for path in survey.look(raw).images:
            above, name = PurePosixPath(path).parts[:-1], PurePosixPath(path).stem
            if any(part.lower() == MASKS for part in above):
                masks += 1
                continue
            kind = class_of(above)
            if kind is None:
                quarantine.append((path, "not below a folder of one of the four classes"))
            elif (kind, name.lower()) in seen:
                quarantine.append((path, "a second copy of the same file name in the same class"))
            else:
                seen[kind, name.lower()] = path
                found.append({"image_id": name, "native_label": kind, "source_file": path})
        if not found:
            raise BadInput(
                f"{raw} holds no image below a folder of a class; covid-radiography expects {self.expects}."
            )
        rows = pd.DataFrame(found)
        if not rows["image_id"].is_unique:
            rows["image_id"] = rows["native_label"] + "/" + rows["image_id"]
        rows["patient_id"] = rows["image_id"]
        header = Header(site=site, title=self.title, source=f"{self.source}; {self.licence}", labels=())
        said = labelmap.from_classes(rows["native_label"])
        made = translated(header, tables.finish_rows(rows), said, known, quarantine)
        made.mask_names = (LUNGS,) if masks else ()
        return made

    def masks(self, raw: Path, source_file: str, px: int, options: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the lungs, (px, px) bool: pixels that are at least half lung; empty where there is no mask.

        Raises:
            BadInput: the mask is damaged.
        """
        path = PurePosixPath(source_file)
        above = path.parent.parent if path.parent.name.lower() == "images" else path.parent
        mask = raw / above / MASKS / path.name
        if not mask.is_file():
            return {LUNGS: np.zeros((px, px), bool)}
        try:
            drawn = decode.read(mask)
        except BadInput as error:
            raise BadInput(f"its lung mask cannot be used: {error}") from error
        lung = (drawn > np.iinfo(drawn.dtype).max // 2).astype(np.float32)
        return {LUNGS: cv2.resize(lung, (px, px), interpolation=cv2.INTER_AREA) >= 0.5}


def class_of(above: tuple[str, ...]) -> str | None:
    """Return the label map's word for the nearest folder that is one of the four classes, None without one.

    >>> class_of(("COVID-19_Radiography_Dataset", "Viral Pneumonia", "images")), class_of(("elsewhere",))
    ('Viral Pneumonia', None)
    """
    plain = ("".join(letter for letter in name.lower() if letter.isalnum()) for name in reversed(above))
    return next((CLASSES[name] for name in plain if name in CLASSES), None)


SITES.add("covid-radiography")(CovidRadiography())
