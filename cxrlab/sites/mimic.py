"""Beth Israel Deaconess: MIMIC-CXR-JPG 2.0.0 and 2.1.0.

In:    `files/p10/p10000032/s50414267/<dicom_id>.jpg` and the CSV files, gzipped or not; MIMIC-IV's patients.csv if there.
Out:   rows with the study's labels by one labeller, the official split, sex and age where they can be known.
Never: reports; a rule for doubtful or blank cells.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import Evidence
from cxrlab.sites import chexpert, fourteen, survey, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder

LABELLERS = {"chexpert": "CheXpert labeller on the report", "negbio": "NegBio on the report"}
READERS = "radiologists, labelled test set"
OVER_89 = 91  # the anchor age of everyone who was older than 89
PARTS = {"train": "train", "validate": "val", "validation": "val", "val": "val", "test": "test"}


class Mimic(Site):
    """MIMIC-CXR-JPG.

    Its dates and MIMIC-IV's are shifted alike for one patient, so a study's age is the anchor age and the years since;
    where a date or the anchor year is lacking, or they disagree by more than a lifetime, it is the anchor age alone.
    """

    name: ClassVar[str] = "mimic"
    title: ClassVar[str] = "Beth Israel Deaconess Medical Center (MIMIC-CXR-JPG)"
    licence: ClassVar[str] = "PhysioNet credentialed access with its data use agreement"
    source: ClassVar[str] = (
        "Johnson et al. 2019, MIMIC-CXR-JPG, doi:10.13026/8360-t248; images were histogram-equalised by their owners, "
        "which tells this site from others"
    )
    expects: ClassVar[str] = (
        "mimic-cxr-2.0.0-{metadata,split,chexpert,negbio}.csv[.gz] and files/p10/p10000032/s50414267/*.jpg"
    )
    label_map: ClassVar[str] = "chexpert"
    options: ClassVar[dict[str, str]] = {
        "labels": "the labeller: chexpert (default) or negbio",
        "test_labels": "radiologists (default, where the labelled test set lies there) or labeller, for its studies",
        "views": fourteen.VIEWS,
        "parts": fourteen.PARTS,
        "patients": "MIMIC-IV's patients.csv[.gz], for sex and age; found by itself when it lies in the raw folder",
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Join images, labels, split and patients."""
        need_folder(raw, self)
        lying = survey.look(raw)
        labeller = fourteen.choice(options, "labels", tuple(LABELLERS))
        at = _table(raw, lying.tables, "metadata") or _table(raw, lying.tables, "split")
        if at is None:
            raise MissingInput(f"{raw} holds no mimic-cxr-…-metadata.csv; mimic expects {self.expects}.")
        images = fourteen.read(
            at, ("viewposition", "studydate"), ("dicom_id", "subject_id", "study_id")
        ).facts
        images = images.reindex(
            columns=["dicom_id", "subject_id", "study_id", "viewposition", "studydate"], fill_value=""
        )
        images = images.assign(subject_id=_number(images["subject_id"]), study_id=_number(images["study_id"]))
        files, spare = _index(lying.images)
        image_id = images["dicom_id"].str.lower()
        file = fourteen.look_up(image_id, files)
        if not (file != "").any():
            raise MissingInput(
                f"{at} names {len(file):,} images but none lies in {raw}; mimic expects {self.expects}."
            )
        codes, faults, said_by, odd = read_labels(raw, lying.tables, labeller, images, options)
        part = _splits(raw, lying.tables, image_id)
        shown = images["viewposition"].str.upper()
        people, age_note = _people(_patients(raw, lying, options), images)
        rows = pd.DataFrame(
            {
                "image_id": image_id,
                "patient_id": images["subject_id"],
                "study_id": images["study_id"],
                **people,
                "view": fourteen.by_unique(shown, fourteen.projection),
                "split_hint": part,
                "source_file": file,
            }
        )
        sieve = fourteen.Sieve(image_id, file)
        sieve.drop(file == "", fourteen.ABSENT)
        sieve.drop(image_id.duplicated(), "a second row for the same image")
        sieve.drop(images["subject_id"] == "", "the table gives no patient")
        sieve.drop(faults != "", faults)
        sieve.drop_parts(options, part)
        sieve.drop_views(options, rows["view"], shown)
        quarantine = sieve.out + odd + spare + chexpert.nameless(files, image_id)
        facts = pd.DataFrame({"projection": shown, "labeller": said_by, "age_note": age_note})
        title = f"{self.title}, {'CheXpert' if labeller == 'chexpert' else 'NegBio'} labels"
        return chexpert.gather(self, site, options, rows, codes, facts, sieve.inside, quarantine, title)


def read_labels(
    raw: Path, found: Sequence[str], labeller: str, images: pd.DataFrame, options: dict[str, Any]
) -> tuple[np.ndarray, pd.Series, pd.Series, list[tuple[str, str]]]:
    """Return what was said of each image's study.

    Returns:
        codes (N, K) int8, NOT_ANNOTATED for a study without a row; faults (N,) text; who said it (N,) text; and
        (study, reason) of label rows that are not used.

    Raises:
        MissingInput: no table of this labeller.
    """
    path = _table(raw, found, labeller)
    if path is None:
        other = next((name for name in LABELLERS if name != labeller and _table(raw, found, name)), "")
        hint = f"; {other} labels lie there: use the option labels={other}" if other else ""
        raise MissingInput(f"{raw} holds no mimic-cxr-…-{labeller}.csv[.gz]{hint}.")
    wide = fourteen.read(path, (), ("subject_id", "study_id"))
    key = _number(wide.facts["subject_id"]) + "/" + _number(wide.facts["study_id"])
    wanted = images["subject_id"] + "/" + images["study_id"]
    codes, faults, has = _joined(wide, key, wanted)
    said_by = pd.Series(np.where(has, LABELLERS[labeller], ""), dtype="str")
    odd = wide.lacking(path.name) + _twice(key, path)
    read_by = fourteen.choice(options, "test_labels", ("radiologists", "labeller"))
    labelled = _table(raw, found, "test-set-labeled")
    if labelled is not None and read_by == "radiologists":
        wide = fourteen.read(labelled, (), ("study_id",))  # it has no subject_id; a study's number is its own
        key = _number(wide.facts["study_id"])
        better, worse, has = _joined(wide, key, images["study_id"])
        codes[has], faults[has], said_by[has] = better[has], worse[has], READERS
        odd += wide.lacking(labelled.name) + _twice(key, labelled)
    return codes, faults, said_by, odd


def _joined(
    wide: fourteen.Wide, key: pd.Series, wanted: pd.Series
) -> tuple[np.ndarray, pd.Series, np.ndarray]:
    """Return codes, faults and whether there is a row, for each wanted key; whole rows, never parts of several."""
    first = ~key.duplicated().to_numpy()
    at = pd.Index(key[first]).get_indexer(wanted)
    has = at >= 0
    codes = np.full((len(wanted), wide.codes.shape[1]), int(Evidence.NOT_ANNOTATED), np.int8)
    codes[has] = wide.codes[first][at[has]]
    faults = pd.Series("", index=wanted.index, dtype="str")
    faults[has] = wide.faults[first].to_numpy()[at[has]]
    return codes, faults, has


def _twice(key: pd.Series, path: Path) -> list[tuple[str, str]]:
    return [
        (f"{path.name}: {one}", "a second row of labels for the same study") for one in key[key.duplicated()]
    ]


def _table(raw: Path, found: Sequence[str], what: str) -> Path | None:
    """Return the table `mimic-cxr-<version>-<what>.csv`, gzipped or not; of two versions the newer."""
    names = {path: path.rsplit("/", 1)[-1].lower().removesuffix(".gz") for path in found}
    fitting = [
        path
        for path in found
        if names[path].startswith("mimic-cxr-") and names[path].endswith(f"-{what}.csv")
    ]
    return raw / max(fitting, key=lambda path: names[path]) if fitting else None


def _number(cells: pd.Series) -> pd.Series:
    # A table that went through a spreadsheet writes 10000032.0; some write p10000032 and s50414267 as folders do.
    return cells.str.replace(r"\.0$", "", regex=True).str.replace(r"^[psPS](?=\d)", "", regex=True)


def _index(images: Sequence[str]) -> tuple[pd.Series, list[tuple[str, str]]]:
    stems = fourteen.groups(pd.Series(images, dtype="str").str.lower(), r"([^/]+)\.[^./]+$")[0]
    return chexpert.first_of(stems.to_numpy(), np.array(images, object))


def _splits(raw: Path, found: Sequence[str], image_id: pd.Series) -> pd.Series:
    """Return "train", "val", "test" or "" for each image."""
    path = _table(raw, found, "split")
    if path is None:
        return pd.Series("", index=image_id.index, dtype="str")
    said = fourteen.read(path, (), ("dicom_id", "split")).facts
    said = (
        said.assign(dicom_id=said["dicom_id"].str.lower()).drop_duplicates("dicom_id").set_index("dicom_id")
    )
    return fourteen.look_up(
        image_id, fourteen.by_unique(said["split"].str.lower(), lambda part: PARTS.get(part, ""))
    )


def _patients(raw: Path, lying: survey.Survey, options: dict[str, Any]) -> pd.DataFrame | None:
    """Return MIMIC-IV's patients with a unique index of subjects; None where the table is not at hand."""
    wanted = str(options.get("patients") or "")
    path = (
        Path(wanted).expanduser()
        if wanted
        else next((raw / one for one in lying.named("patients.csv")), None)
    )
    if path is None:
        return None
    if not path.is_file():
        raise MissingInput(
            f"no file at {path}; give MIMIC-IV's hosp/patients.csv.gz, or leave the option patients out."
        )
    said = fourteen.read(path, ("anchor_year",), ("subject_id", "gender", "anchor_age")).facts
    said = said.assign(subject_id=_number(said["subject_id"])).drop_duplicates("subject_id")
    return said.set_index("subject_id")


def _people(
    patients: pd.DataFrame | None, images: pd.DataFrame
) -> tuple[dict[str, pd.Series | str | float], pd.Series | str]:
    """Return sex and age in years at each image, and a note on the age; anchor_age 0 stands for not known."""
    if patients is None:
        return {"sex": "", "age_years": np.nan}, ""
    here = patients.reindex(images["subject_id"]).reset_index(drop=True)
    if here["gender"].isna().all():
        raise BadInput(
            "MIMIC-IV's patients.csv knows none of these patients; give the one of hosp/, or leave the option patients out."
        )
    age = pd.to_numeric(here["anchor_age"], errors="coerce")
    age = age.where((age > 0) & (age <= tables.OLDEST))
    oldest = age == OVER_89
    if "anchor_year" in here:
        year = pd.to_numeric(images["studydate"].str[:4], errors="coerce").reset_index(drop=True)
        then = age + (year - pd.to_numeric(here["anchor_year"], errors="coerce"))
        age = then.where(then.between(0, tables.OLDEST) & ~oldest, age)
    sex = fourteen.by_unique(here["gender"].fillna(""), tables.sex)
    note = pd.Series(np.where(oldest, "over 89 in the anchor year", ""), dtype="str")
    return {"sex": sex, "age_years": age}, note


SITES.add("mimic")(Mimic())
