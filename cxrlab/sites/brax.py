"""BRAX: Hospital Israelita Albert Einstein, São Paulo, labelled from Portuguese reports.

In:    `master_spreadsheet_update.csv` (1.0: `master_spreadsheet.csv`) and the PNG images or the DICOM files.
Out:   rows with the fourteen labels; manufacturer, projection and the age's five-year group as facts.
Never: dates (they are made up), a split (there is none).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab.errors import MissingInput
from cxrlab.sites import chexpert, fourteen, survey, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder

TABLES = ("master_spreadsheet_update.csv", "master_spreadsheet.csv")
COLUMNS = (
    "dicompath", "pngpath", "patientid", "patientsex", "patientage", "accessionnumber", "viewposition", "manufacturer"
)  # fmt: skip
ENDINGS = {"png": (".png", ".jpg", ".jpeg"), "dicom": (".dcm", ".dicom")}
TRAILING = 7  # characters behind the file's name in some copies of PngPath


class Brax(Site):
    """BRAX.

    The age is a group of five years; age_years is the number that the table writes, taken as the group's lower end, and
    85 stands for all who are older too. Order ages by it; do not compute with it.
    """

    name: ClassVar[str] = "brax"
    title: ClassVar[str] = "Hospital Israelita Albert Einstein, São Paulo (BRAX)"
    licence: ClassVar[str] = "PhysioNet credentialed access with its data use agreement"
    source: ClassVar[str] = "Reis et al. 2022, Sci Data 9:487, BRAX; https://physionet.org/content/brax/"
    expects: ClassVar[str] = (
        "master_spreadsheet_update.csv and images/id_…/Study_…/Series_…/image-….png, or Anonymized_DICOMs/"
    )
    label_map: ClassVar[str] = "chexpert"
    options: ClassVar[dict[str, str]] = {
        "views": fourteen.VIEWS,
        "images": "png (default) or dicom: which to read first; the other where the first is absent",
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the spreadsheet and look for each image as PNG and as DICOM."""
        need_folder(raw, self)
        lying = survey.look(raw)
        at = next(iter(lying.named(*TABLES)), None)
        if at is None:
            raise MissingInput(f"{raw} holds no {' or '.join(TABLES)}; brax expects {self.expects}.")
        wide = fourteen.read(raw / at, COLUMNS, ("patientid",))
        lacking = wide.lacking(at)
        facts = wide.facts.reindex(columns=list(COLUMNS), fill_value="")
        first = fourteen.choice(options, "images", tuple(ENDINGS))
        file, spare = find(facts, lying.images, first)
        if not (file != "").any():
            raise MissingInput(
                f"{at} names {len(file):,} images but none lies in {raw}; brax expects {self.expects}."
            )
        shown = facts["viewposition"].str.upper()
        named = facts["pngpath"].where(facts["pngpath"] != "", facts["dicompath"])
        rows = pd.DataFrame(
            {
                "image_id": _ids(named),
                "patient_id": facts["patientid"],
                "study_id": facts["accessionnumber"].mask(facts["accessionnumber"] == "", _study(named)),
                "sex": fourteen.by_unique(facts["patientsex"], tables.sex),
                "age_years": fourteen.by_unique(facts["patientage"], age_group).astype(np.float32),
                "view": fourteen.by_unique(shown, fourteen.projection),
                "source_file": file,
            }
        )
        sieve = fourteen.Sieve(named, file)
        sieve.drop(file == "", fourteen.ABSENT)
        sieve.drop(file.duplicated(), "a second row for the same image")
        sieve.drop(facts["patientid"] == "", "the table gives no patient")
        sieve.drop(wide.faults != "", wide.faults)
        sieve.drop_views(options, rows["view"], shown)
        more = pd.DataFrame(
            {"projection": shown, "manufacturer": facts["manufacturer"], "age_note": facts["patientage"]}
        )
        return chexpert.gather(
            self, site, options, rows, wide.codes, more, sieve.inside, lacking + sieve.out + spare
        )


def age_group(text: str) -> float:
    """Return the lower end of an age group in years; NaN when it says none.

    >>> [age_group(text) for text in ("85 or more", "45", "45.0", "45-49", "")]
    [85.0, 45.0, 45.0, 45.0, nan]
    """
    number = text.replace("-", " ").split()[:1]
    return tables.age_years(number[0]) if number else np.nan


def find(facts: pd.DataFrame, images: Sequence[str], first: str) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Return the file of each row, "" where there is none, and (file, reason) of images that no row means."""
    listed = pd.Series(images, dtype="str")
    file = pd.Series("", index=facts.index, dtype="str")
    spare: list[tuple[str, str]] = []
    other = next(kind for kind in ENDINGS if kind != first)
    for kind in (first, other):
        own = listed[listed.str.lower().str.endswith(ENDINGS[kind])]
        files, copies = chexpert.first_of(_key(own).to_numpy(), own.to_numpy(object))
        paths = facts["pngpath" if kind == "png" else "dicompath"]
        wanted = pd.Series("", index=facts.index, dtype="str")
        for tried in _readings(paths, kind):  # as it stands first: most copies need no mending
            key = _key(tried)
            wanted = wanted.mask((wanted == "") & key.isin(files.index), key)
        file = file.mask((file == "") & (wanted != ""), fourteen.look_up(wanted, files))
        spare += copies + chexpert.nameless(files, wanted)
    return file, spare


def _readings(paths: pd.Series, kind: str) -> list[pd.Series]:
    """Return the ways to read a path: as it is, up to its suffix, and without trailing characters."""
    suffix = ENDINGS[kind][0]
    cut = paths.str.replace(rf"(?i)(\{suffix}).*$", r"\1", regex=True)
    # A whole name is never shortened: it could become another image's.
    trimmed = paths.str[:-TRAILING].where(~paths.str.lower().str.endswith(suffix), "")
    return [paths, cut, trimmed, trimmed + suffix]


def _key(paths: pd.Series) -> pd.Series:
    """Return the last four parts of each path, lower case and without its suffix: patient, study, series, image."""
    plain = paths.str.lower().str.replace("\\", "/", regex=False).str.strip()
    plain = plain.str.replace(r"\.(png|jpe?g|dcm|dicom)$", "", regex=True)
    return fourteen.groups(plain, r"((?:[^/]+/){0,3}[^/]+)$")[0]


def _study(paths: pd.Series) -> pd.Series:
    return fourteen.groups(paths, r"(Study_[^/]+)/")[0]


def _ids(paths: pd.Series) -> pd.Series:
    """Return an id an image: its file's name, or with its folders where names alone are not unique."""
    whole = _key(paths.str.replace(r"(?i)(\.png|\.dcm).*$", r"\1", regex=True))
    last = fourteen.groups(whole, r"([^/]+)$")[0]
    different = last[~whole.duplicated()]  # rows may come twice
    return last if different.is_unique else whole.str.replace("/", "_")


SITES.add("brax")(Brax())
