"""Hospital San Juan, Alicante: PadChest, findings from physicians and from a model that read reports.

In:    `PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv` (or .csv.gz), and 16-bit PNGs in `images/<ImageDir>/` or flat.
Out:   rows with evidence for the labels that PadChest's own tree of words rolls up to; who labelled is a fact of each.
Never: the text of reports; parts of words (`mass` is not `breast mass`).
"""

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import decode
from cxrlab.labelmap import LabelMap, Said
from cxrlab.labelmap.table import plain
from cxrlab.labels import Evidence
from cxrlab.sites import fourteen, survey, tables
from cxrlab.sites.base import SITES, Raw, Site, need_folder, translated
from cxrlab.sites.polarity import looks_inverted, turned_over
from cxrlab.store import Header

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
NEEDED = ("ImageID", "PatientID", "Labels")
COLUMNS = (*NEEDED, "ImageDir", "StudyDate_DICOM", "StudyID", "PatientBirth", "PatientSex_DICOM", "ViewPosition_DICOM",
           "Projection", "Pediatric", "Manufacturer_DICOM", "PhotometricInterpretation_DICOM", "MethodLabel")  # fmt: skip
FACTS = {"MethodLabel": "labeller", "Projection": "projection", "Pediatric": "pediatric",
         "Manufacturer_DICOM": "manufacturer", "PhotometricInterpretation_DICOM": "photometric"}  # fmt: skip
REMARKS = ("exclude", "suboptimal study", "unchanged")  # words about the study, not about the chest
BLANK = frozenset(("", "nan", "none"))
UNSAID = BLANK | {"unk", "unknown", "?"}
BAD_FILES = Path(__file__).with_name("padchest_bad.csv")
WHY_BAD = {
    "missing": "known to be missing from the published set",
    "broken": "known to be cut off or broken in the published set",
    "reported": "reported by other readers of the set as unreadable",
}
NEGATIVE_FILM = "#MONOCHROME1"  # ends the source_file of a picture whose original was stored with bone dark
_NAN_ITEM = re.compile(r"(?<=[\[,\s])nan(?=\s*[\],])")
LONGEST = 20_000  # characters of a cell of labels


class PadChest(Site):
    """PadChest.

    Not known for certain, so handled tolerantly: whether the PNGs of MONOCHROME1 originals were turned over when they
    were made (see `image`), how a missing value is spelled (blank, nan and None are all blank), and which projections
    there are beside PA, L, AP, AP_horizontal and COSTAL (any other named one counts as not frontal).
    """

    name: ClassVar[str] = "padchest"
    title: ClassVar[str] = "Hospital San Juan de Alicante (PadChest)"
    licence: ClassVar[str] = "CC BY-SA 4.0 (owners' draft) and their request form"
    source: ClassVar[str] = (
        "Bustos et al. 2020, Medical Image Analysis 66:101797; https://bimcv.cipf.es/bimcv-projects/padchest"
    )
    expects: ClassVar[str] = f"{TABLE} (or .csv.gz) and images/<ImageDir>/*.png or one flat folder of them"
    options: ClassVar[dict[str, str]] = {
        "views": fourteen.VIEWS,
        "labeller": "all (default) or physician: leave out what a model labelled from the report (about 73 %)",
        "drop": "rows with these words are left out: exclude (default), none, or some of exclude, suboptimal study, "
        "unchanged, separated by commas; the others stay and the fact remarks names them",
    }
    label_map: ClassVar[str] = "padchest"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the table. Words that are absent are negative, but see `said_of`.

        Age is the year of the study less the year of birth, so it may be a year too high.
        """
        need_folder(raw, self)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        seen = survey.look(raw)
        table, path = read_entries(raw, seen, self.expects)
        files, spare = find_files(seen.images, table)
        if (files == "").all():
            raise MissingInput(
                f"{path} names {len(table):,} images but none lies in {raw}; padchest expects {self.expects}."
            )
        lists, at = read_lists(table["Labels"])
        said, remarks = said_of([words or [] for words in lists], known)
        view, shown = _views(table)
        remarks = pd.Series(remarks, dtype=str).iloc[at].reset_index(drop=True)
        sieve = _sift(table, files, remarks, options)
        sieve.drop(np.array([words is None for words in lists], bool)[at], "the labels are no list of words")
        sieve.drop_views(options, view, shown)

        keep = np.flatnonzero(sieve.inside)
        table, view, remarks = (part.iloc[keep].reset_index(drop=True) for part in (table, view, remarks))
        facts = table[list(FACTS)].rename(columns=FACTS).assign(remarks=remarks)
        negative = (facts["photometric"].str.upper() == "MONOCHROME1").map({True: NEGATIVE_FILM, False: ""})
        rows = pd.DataFrame(
            {
                "image_id": table["ImageID"].str.removesuffix(".png"),
                "patient_id": table["PatientID"],
                "study_id": table["StudyID"],
                "sex": fourteen.by_unique(table["PatientSex_DICOM"], tables.sex),
                "age_years": _ages(table),
                "view": view,
                "native_label": table["Labels"],
                "source_file": files.iloc[keep].reset_index(drop=True) + negative,
            }
        )
        header = Header(site=site, title=self.title, source=f"{self.source}; {self.licence}", labels=())
        made = translated(header, tables.finish_rows(rows), said.rows(at[keep]), known, [*sieve.out, *spare])
        made.facts = facts
        return made

    def image(self, raw: Path, source_file: str) -> np.ndarray:
        """Return one image, (H, W) uint8 or uint16, bone bright.

        A DICOM file of kind MONOCHROME1 stores bone dark. Nobody documents whether PadChest's PNGs of such files were
        turned over. So pictures of these files alone, marked in their source_file, are looked at one by one: where the
        upper corners (air beside the neck) are brighter than the middle (spine), the picture is turned over.
        """
        file = source_file.removesuffix(NEGATIVE_FILM)
        image = decode.read(raw / file)
        return turned_over(image) if file != source_file and looks_inverted(image) else image


def read_entries(raw: Path, seen: survey.Survey, expects: str) -> tuple[pd.DataFrame, Path]:
    """Return the table's columns that are used, as strings, under their own names; those it lacks are blank.

    Raises:
        MissingInput: the folder holds no such table.
        BadInput: it is no table of PadChest.
    """
    own = [file for file in seen.tables if re.match(r"padchest.*labels", file.rsplit("/", 1)[-1].lower())]
    found = [*seen.named(TABLE), *own]
    if not found:
        raise MissingInput(f"{raw} holds no {TABLE} or {TABLE}.gz; padchest expects {expects}.")
    path = raw / found[0]
    table = tables.read_text_table(path, columns=COLUMNS)
    spelled = {name.lower(): name for name in COLUMNS}
    table.columns = [spelled[name.lower()] for name in table.columns]
    tables.need_columns(table, NEEDED, path)
    return table.reindex(columns=list(COLUMNS), fill_value=""), path


def image_keys(names: pd.Series) -> pd.Series:
    """Return names for comparison: some lists write `_00 - 030 - 080` for `_00-030-080`, with or without .png.

    >>> image_keys(pd.Series(["1_00 - 030 - 080.png", "1_00-030-080"])).tolist()
    ['1_00-030-080', '1_00-030-080']
    """
    return names.str.replace(r"\s+", "", regex=True).str.lower().str.replace(r"\.[a-z]+$", "", regex=True)


@lru_cache(maxsize=1)
def bad_files() -> dict[str, str]:
    """Return the key of each known-bad image and why it is left out."""
    table = tables.read_text_table(BAD_FILES)
    return dict(zip(image_keys(table["image_id"]), table["why"].map(WHY_BAD), strict=True))


def find_files(images: list[str], table: pd.DataFrame) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Return each row's file, "" where there is none, and (file, reason) of the files that no row takes.

    Of several files of one name the one in the row's own folder is taken, else the first.
    """
    pieces = pd.Series(images, dtype=str).str.rsplit("/", n=2)
    keys = image_keys(pieces.str[-1])
    first = pd.Series(images, index=keys, dtype=str)
    inside = pd.Series(images, index=pieces.str[-2].fillna("") + "/" + keys, dtype=str)
    first, inside = (found[~found.index.duplicated()] for found in (first, inside))
    wanted = image_keys(table["ImageID"])
    here = inside.reindex(table["ImageDir"].str.removesuffix(".0") + "/" + wanted).to_numpy(object)
    somewhere = first.reindex(wanted).to_numpy(object)
    found = np.where(pd.isna(here), somewhere, here)
    files = pd.Series(np.where(pd.isna(found), "", found), dtype=str)
    taken, named = set(files), set(wanted)
    return files, [
        (file, "a second copy of the same image" if key in named else fourteen.NAMELESS)
        for file, key in zip(images, keys, strict=True)
        if file not in taken
    ]


def read_lists(cells: pd.Series) -> tuple[list[list[str] | None], np.ndarray]:
    """Return the U different lists of words, None where a cell is no list, and (N,) which one each row has."""
    at, different = pd.factorize(cells)
    return [parse(str(text)) for text in different], at


def parse(text: str) -> list[str] | None:
    """Return the words of one cell, [] where it says nothing, None where it is no list of words.

    >>> parse("['normal', ' pneumonia', '']"), parse("nan"), parse("pneumonia"), parse("['COPD signs', nan]")
    (['normal', 'pneumonia'], [], None, ['COPD signs'])
    """
    text = text.strip()
    if text.lower() in BLANK:
        return []
    if len(text) > LONGEST:
        return None
    try:
        items = ast.literal_eval(_NAN_ITEM.sub("''", text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return None
    return [word for item in items if (word := " ".join(item.split()))]


def said_of(lists: list[list[str]], known: LabelMap) -> tuple[Said, list[str]]:
    """Return what U lists of words say, and the remarks in each, separated by bars.

    Every word of the tree was looked for, so one that is absent is negative. Except: an empty list says nothing at all;
    beside `unchanged`, or where only remarks are said, the report leans on an earlier one, so what is absent was not
    mentioned; and where nothing but remarks and devices is said, nobody said whether the chest is normal.
    """
    said = labelmap.from_lists(lists, known, np.array([bool(words) for words in lists], bool))
    own = labelmap.of("padchest", "broad").rules
    silent = set(REMARKS)
    devices = silent | {plain(rule.native) for rule in own if rule.label == "Support Devices"}
    normal = np.array([plain(native) == "normal" for native in said.natives])
    codes, remarks = said.codes.copy(), []
    for i, words in enumerate(lists):
        names = {plain(word) for word in words}
        remarks.append("|".join(word for word in REMARKS if word in names))
        if not names:
            continue
        if "normal" not in names and (names <= silent or "unchanged" in names):
            codes[i, (codes[i] == Evidence.NEGATIVE) & ~normal] = Evidence.NOT_MENTIONED
        if names <= devices:
            codes[i, normal] = Evidence.NOT_ANNOTATED
    return Said(said.natives, codes), remarks


def _sift(
    table: pd.DataFrame, files: pd.Series, remarks: pd.Series, options: dict[str, Any]
) -> fourteen.Sieve:
    """Return which rows are in, apart from those whose labels or views speak against it."""
    labeller = fourteen.choice(options, "labeller", ("all", "physician"))
    sieve, bad = fourteen.Sieve(table["ImageID"], files), bad_files()
    why = image_keys(table["ImageID"]).map(lambda key: bad.get(key, ""))
    sieve.drop(table["PatientID"] == "", "the table gives no patient")
    sieve.drop(why != "", why)
    sieve.drop(files == "", fourteen.ABSENT)
    sieve.drop((files != "") & files.duplicated(), "a second row for the same image")
    if labeller == "physician":
        sieve.drop(
            table["MethodLabel"].str.lower() != "physician",
            "labelled by a model, not by a physician; option labeller=all keeps it",
        )
    for word in _drop_of(options):
        sieve.drop(
            remarks.str.split("|").map(lambda found: word in found),  # noqa: B023  # asked at once
            f"labelled {word!r}; the option drop keeps it",
        )
    return sieve


def _drop_of(options: dict[str, Any]) -> tuple[str, ...]:
    words = [plain(word) for word in str(options.get("drop") or "exclude").split(",")]
    if words == ["none"]:
        return ()
    if unknown := [word for word in words if word not in REMARKS]:
        raise BadInput(
            f"the option drop names {unknown[0]!r}; expected none, or some of {', '.join(REMARKS)}."
        )
    return tuple(words)


def _views(table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return each row's view, and the site's word for it where that is a view of another kind.

    The projection that the owners checked counts before the one in the DICOM header.
    """
    said = fourteen.by_unique(table["Projection"], lambda text: "" if text.lower() in UNSAID else text)
    said = said.where(said != "", fourteen.by_unique(table["ViewPosition_DICOM"], tables.view))
    return fourteen.by_unique(said, tables.view), said


def _ages(table: pd.DataFrame) -> pd.Series:
    study = pd.to_numeric(table["StudyDate_DICOM"].str.slice(0, 4), errors="coerce")
    # The owners blanked births after 2017, the last year of the studies.
    age = study - pd.to_numeric(table["PatientBirth"], errors="coerce")
    return age.where(age.between(0, tables.OLDEST)).astype(np.float32)


SITES.add("padchest")(PadChest())
