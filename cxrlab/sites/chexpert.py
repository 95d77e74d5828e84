"""Stanford's CheXpert, full or small, as one folder or in AIMI's batches, with CheXlocalize's outlines where they lie.

In:    tables with `Path` and the fourteen labels, and images `patient00001/study1/view1_frontal.jpg` anywhere below.
Out:   rows of every part that is there, the part in split_hint; masks of ten findings.
Never: a rule for doubtful or blank cells; labels taken from another study of the same patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import Evidence
from cxrlab.sites import chexlocalize, fourteen, survey, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.store import Header

COLUMNS = ("path", "sex", "age", "frontal_lateral", "ap_pa")
LABELLERS = {
    "chexpert": "CheXpert labeller on the report",
    "chexbert": "CheXbert on the report",
    "visualchexbert": "VisualCheXbert on the report",
}
READERS = "radiologists on the image"  # of the valid and test parts
IMAGE = r"(patient\d+)[/\\](study\d+)[/\\](view\d+_[a-z]+)"
OLDEST = 90  # years; "90" is 90 or older
# The last numbers of the train and valid parts, for tables whose paths do not name the part.
LAST_TRAIN, LAST_VALID = 64540, 64740


@dataclass(frozen=True)
class Entries:
    """The rows of all tables that are used, in order of preference."""

    facts: pd.DataFrame  # COLUMNS and `table`, "" where a table lacks one
    codes: np.ndarray
    faults: pd.Series
    lacking: list[tuple[str, str]]  # (table, label that it has no column for)


class Chexpert(Site):
    """CheXpert.

    The test part's table says neither sex nor age nor projection. Ages were cut at 90; 0 means not known.
    """

    name: ClassVar[str] = "chexpert"
    title: ClassVar[str] = "Stanford Hospital (CheXpert)"
    licence: ClassVar[str] = "Stanford University research use agreement, no redistribution"
    source: ClassVar[str] = (
        "Irvin et al. 2019, AAAI, CheXpert; https://stanfordmlgroup.github.io/competitions/chexpert/"
    )
    expects: ClassVar[str] = (
        "train.csv, valid.csv or test_labels.csv and train/patient00001/study1/view1_frontal.jpg …, or AIMI's batch folders"
    )
    label_map: ClassVar[str] = "chexpert"
    options: ClassVar[dict[str, str]] = {
        "views": fourteen.VIEWS,
        "parts": fourteen.PARTS,
        "labels": "labels of the train part: chexpert (default), chexbert or visualchexbert",
        "chexlocalize": chexlocalize.OPTION,
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read every part's table and look for its images and outlines."""
        need_folder(raw, self)
        lying = survey.look(raw)
        labeller = fourteen.choice(options, "labels", tuple(LABELLERS))
        entries = read_entries(raw, choose_tables(raw, lying.tables, labeller, self.expects))
        outlines = chexlocalize.of(raw, options, fresh=True)
        names = name_parts(entries.facts["path"], IMAGE, ("patient", "study", "picture"))
        image_id = names["patient"] + "_" + names["study"] + "_" + names["picture"]
        if fourteen.groups(entries.facts["path"], r"/(natural|synthetic)/")[0].ne("").any():
            raise BadInput(
                f"{raw} holds CheXphoto's table; read it as chexphoto, or point at CheXpert's own folder."
            )
        files, spare = _index(lying.images)
        sieve = fourteen.Sieve(entries.facts["path"])
        sieve.drop(image_id == "", "the path does not name patient, study and view")
        file = sift(sieve, entries, image_id, files, self.expects)
        rows, facts = describe(entries.facts, names, LABELLERS[labeller])
        rows["image_id"], rows["source_file"] = image_id, file
        sieve.drop_parts(options, rows["split_hint"])
        sieve.drop_views(options, rows["view"], pd.Series("", index=rows.index))
        quarantine = entries.lacking + sieve.out + spare + nameless(files, image_id)
        made = gather(self, site, options, rows, entries.codes, facts, sieve.inside, quarantine)
        if outlines is not None:
            drawn = made.rows["split_hint"].isin(outlines.parts) | made.rows["image_id"].isin(outlines.images)
            # Where its part was outlined, an image that the files do not name has no finding to outline.
            made.facts["localised"] = np.where(drawn, "yes", "no")
            made.mask_names = tuple(chexlocalize.TASKS.values()) if drawn.any() else ()
            made.n_masked = int(drawn.sum())
        return made

    def masks(self, raw: Path, source_file: str, px: int, options: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return the outlines of one image; empty where it has none."""
        outlines = chexlocalize.of(raw, options)
        if outlines is None:
            return {}
        return outlines.draw("_".join(PurePosixPath(source_file).with_suffix("").parts[-3:]).lower(), px)


def choose_tables(raw: Path, found: Sequence[str], labeller: str, expects: str) -> list[str]:
    """Return the tables to read: those with a path and labels, of the wanted labeller, the preferred first.

    File names differ between releases, so the columns decide; the name tells the labeller alone.

    Raises:
        MissingInput: there is none.
    """
    some = {fourteen.plain(native) for native in fourteen.NATIVES}
    chosen: list[tuple[bool, int, str]] = []
    for path in found:
        name = PurePosixPath(path).name.lower()
        of = "visualchexbert" if "visualchexbert" in name else "chexbert" if "chexbert" in name else ""
        columns = fourteen.header(raw / path)
        if "path" not in columns or not some & set(columns):
            continue
        if of == labeller or (not of and (labeller == "chexpert" or not name.startswith("train."))):
            chosen.append(("sex" not in columns, path.count("/"), path))
    if labeller != "chexpert" and not any(labeller in path.lower() for *_, path in chosen):
        raise MissingInput(
            f"{raw} holds no train_{labeller}.csv; leave the option labels out, or fetch that table."
        )
    if not chosen:
        seen = f" (its tables: {', '.join(found[:5])})" if found else ""
        raise MissingInput(f"{raw} holds no table with Path and labels{seen}; expected {expects}.")
    # Of two tables with one image, the one that also says who it is counts; CheXlocalize brings poorer copies.
    return [path for *_, path in sorted(chosen)]


def read_entries(raw: Path, chosen: Sequence[str]) -> Entries:
    """Return the rows of all `chosen` tables, one under the other."""
    read = [fourteen.read(raw / path, COLUMNS, ("path",)) for path in chosen]
    facts = [wide.facts.assign(table=path) for path, wide in zip(chosen, read, strict=True)]
    return Entries(
        pd.concat(facts, ignore_index=True).reindex(columns=[*COLUMNS, "table"], fill_value="").fillna(""),
        np.concatenate([wide.codes for wide in read]),
        pd.concat([wide.faults for wide in read], ignore_index=True),
        [said for path, wide in zip(chosen, read, strict=True) for said in wide.lacking(path)],
    )


def name_parts(paths: "pd.Series | Sequence[str]", pattern: str, names: Sequence[str]) -> pd.DataFrame:
    """Return the groups of `pattern` in each path, lower case, as columns `names`; "" where it does not fit."""
    return fourteen.groups(pd.Series(paths, dtype="str").str.lower(), pattern).set_axis(list(names), axis=1)


def _index(images: Sequence[str]) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Return image_id → file, and the further copies of an image as (file, reason)."""
    names = name_parts(images, IMAGE, ("patient", "study", "picture"))
    keys = (names["patient"] + "_" + names["study"] + "_" + names["picture"]).to_numpy()
    # CheXlocalize brings copies of its own; where both lie here, CheXpert's own file is meant.
    own = np.array(["chexlocalize" not in path.lower() for path in images], bool)
    order = np.argsort(~own, kind="stable")
    return first_of(keys[order], np.array(images, object)[order])


def first_of(keys: np.ndarray, images: np.ndarray) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Return key → the first image of that key, and (image, reason) of the later ones; "" is no key."""
    files = pd.Series(images, index=pd.Index(keys, dtype="str"), dtype="str")
    nameless = files[files.index == ""]
    files = files[files.index != ""]
    again = files.index.duplicated()
    first = files[~again]
    reasons = [(path, f"a second copy of {first[key]}") for key, path in files[again].items()]
    return first, reasons + [(path, fourteen.NAMELESS) for path in nameless]


def nameless(files: pd.Series, wanted: pd.Series) -> list[tuple[str, str]]:
    """Return (file, reason) of the images that no row of any table means."""
    return [(path, fourteen.NAMELESS) for path in files[~files.index.isin(wanted)]]


def sift(
    sieve: fourteen.Sieve, entries: Entries, image_id: pd.Series, files: pd.Series, expects: str
) -> pd.Series:
    """Leave out rows without an image, second rows and unreadable labels; return each row's file, "" without one."""
    file = fourteen.look_up(image_id, files)
    if not (file != "").any():
        raise MissingInput(
            f"the tables name {len(file):,} images but none of them lies beside or below; expected {expects}."
        )
    sieve.found(file)
    sieve.drop(file == "", fourteen.ABSENT)
    sieve.drop(image_id.duplicated(), "a second row for the same image, in " + entries.facts["table"])
    sieve.drop(entries.faults != "", entries.faults)
    return file


def describe(facts: pd.DataFrame, names: pd.DataFrame, labeller: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return row facts and further facts of CheXpert's tables; `names` has patient, study and picture."""
    said = facts["frontal_lateral"].str.lower()
    lateral = said.where(said != "", names["picture"]).str.contains("lateral")
    shown = facts["ap_pa"].str.upper()
    age = fourteen.by_unique(facts["age"], tables.age_years).astype(np.float32)
    part = _parts(facts, names["patient"])
    rows = pd.DataFrame(
        {
            "patient_id": names["patient"],
            "study_id": names["patient"] + "_" + names["study"],
            "sex": fourteen.by_unique(facts["sex"], tables.sex),
            "age_years": age.where(age > 0),  # 0 stands for not known
            # 17 frontal images are marked LL or RL: neither AP nor PA.
            "view": shown.where(shown.isin(("AP", "PA")), "").mask(lateral, "LATERAL"),
            "split_hint": part,
        }
    )
    more = pd.DataFrame(
        {
            "projection": shown,
            "labeller": np.where(part == "train", labeller, READERS),
            "age_note": np.where(age >= OLDEST, f"{OLDEST} or older", ""),
        },
        dtype="str",
    )
    return rows, more


def _parts(facts: pd.DataFrame, patient: pd.Series) -> pd.Series:
    """Return "train", "val" or "test": what the path says, else the table's name, else the patient's number."""
    words = {"train": "train", "valid": "val", "val": "val", "test": "test"}
    path = "/" + facts["path"].str.lower().str.replace("\\", "/", regex=False)
    named = path.str.extract(r"/(train|valid|val|test)/")[0].map(words)
    name = facts["table"].str.lower().str.extract(r"(?:^|/)(train|valid|val|test)[^/]*$")[0].map(words)
    number = pd.to_numeric(patient.str.removeprefix("patient"), errors="coerce")
    last = np.select([number <= LAST_TRAIN, number <= LAST_VALID], ["train", "val"], "test")
    return named.fillna(name).fillna(pd.Series(last, index=facts.index)).astype("str")


def gather(
    plugin: Site,
    site: str,
    options: dict[str, Any],
    rows: pd.DataFrame,
    codes: np.ndarray,
    facts: pd.DataFrame,
    inside: np.ndarray,
    quarantine: list[tuple[str, str]],
    title: str = "",
) -> Raw:
    """Return a Raw of the rows that are `inside`, (N,) bool, with the labels translated; facts are not yet all."""
    if not inside.any():
        common = "; ".join(sorted({reason for _, reason in quarantine})[:3])
        raise BadInput(f"no image of {plugin.name} is left: {common}; expected {plugin.expects}.")
    codes = codes[inside]
    if (codes == Evidence.NOT_ANNOTATED).all():
        raise BadInput(
            f"none of the {len(codes):,} images of {plugin.name} that lie here has a row of labels in the table of labels; "
            "fetch that table again, or the images that it names."
        )
    rows = tables.finish_rows(rows[inside].assign(native_label=fourteen.words(codes)))
    header = Header(
        site=site, title=title or plugin.title, source=f"{plugin.source}; {plugin.licence}", labels=()
    )
    known = labelmap.of(plugin.label_map, options.get("map", "narrow"))
    made = translated(header, rows, fourteen.said(codes), known, quarantine)
    made.facts = facts[inside].reset_index(drop=True)
    return made


SITES.add("chexpert")(Chexpert())
