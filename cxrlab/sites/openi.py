"""Indiana University's hospitals: OpenI, reports with curated MeSH heads.

In:    `ecgen-radiology/*.xml` and PNGs; or Kaggle's `indiana_reports.csv`, `indiana_projections.csv` and PNGs.
Out:   rows with evidence for the labels that the curated heads speak of; a report is a patient, for none is named.
Never: the text of reports; heads that a program found.
"""

import re
import xml.etree.ElementTree as ET
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
from cxrlab.store import Header

REPORTS, PROJECTIONS = "indiana_reports.csv", "indiana_projections.csv"
SILENT = ("no indexing", "technical quality")  # heads that begin so say nothing of a finding
LARGEST = 2**20  # bytes of one report; the real ones have about 5,000
DECLARES = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_PREFIX = re.compile(r"^cxr\d+_")  # CXR1_1_IM-0001-3001 of the reports is 1_IM-0001-3001 at Kaggle
ENTRIES = ("image", "report", "majors", "projection")


class OpenI(Site):
    """OpenI's Indiana collection.

    The XML files say no view: without Kaggle's projections beside them, laterals stay in and their view is unknown.
    Kaggle's "Frontal" may be AP or PA; it is kept as a fact and the view is unknown.
    """

    name: ClassVar[str] = "openi"
    title: ClassVar[str] = "Indiana University (OpenI; a report counts as a patient)"
    licence: ClassVar[str] = "CC BY-NC-ND 4.0, as the reports say"
    source: ClassVar[str] = (
        "Demner-Fushman et al. 2016, JAMIA 23:304, doi:10.1093/jamia/ocv080; https://openi.nlm.nih.gov"
    )
    expects: ClassVar[str] = (
        f"ecgen-radiology/*.xml and *.png, or {REPORTS}, {PROJECTIONS} and *.png as on Kaggle"
    )
    options: ClassVar[dict[str, str]] = {"views": fourteen.VIEWS}
    label_map: ClassVar[str] = "openi"

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the reports' curated heads. A head that is absent is negative, but see `said_of`."""
        need_folder(raw, self)
        known = labelmap.of(self.label_map, options.get("map", "narrow"))
        seen = survey.look(raw)
        entries, quarantine = read_reports(raw, seen, self.expects)
        by_key: dict[str, str] = {}
        for file in seen.images:
            by_key.setdefault(image_key(file), file)
        files = entries["image"].map(lambda name: by_key.get(image_key(name), ""))
        if not (files != "").any():
            raise MissingInput(
                f"{raw} holds reports of {len(entries):,} images but none of the images; openi expects {self.expects}."
            )
        sieve = fourteen.Sieve(entries["image"], files)
        sieve.drop(files == "", fourteen.ABSENT)
        sieve.drop(files.duplicated(), "a second row for the same image")
        view = fourteen.by_unique(entries["projection"], tables.view)
        other = entries["projection"].where(entries["projection"].str.lower() != "frontal", "")
        sieve.drop_views(options, view, other)
        keep = np.flatnonzero(sieve.inside)
        kept, files, view = (part.iloc[keep].reset_index(drop=True) for part in (entries, files, view))
        rest = set(seen.images) - set(entries["image"].map(lambda name: by_key.get(image_key(name), "")))
        quarantine += sieve.out
        quarantine += [(file, _why_not_taken(file, by_key)) for file in sorted(rest)]
        rows = pd.DataFrame(
            {
                "image_id": files.map(plain_name),
                "patient_id": kept["report"],
                "study_id": kept["report"],
                "view": view,
                "native_label": kept["majors"],
                "source_file": files,
            }
        )
        header = Header(site=site, title=self.title, source=f"{self.source}; {self.licence}", labels=())
        at, different = pd.factorize(kept["majors"])
        said = said_of([heads_of(text) for text in different], known).rows(at)
        made = translated(header, tables.finish_rows(rows), said, known, quarantine)
        made.facts = kept[["projection"]]
        return made


def _why_not_taken(file: str, by_key: dict[str, str]) -> str:
    return fourteen.NAMELESS if by_key[image_key(file)] == file else "a second copy of the same image"


def plain_name(file: str) -> str:
    """Return an image's name without folders, .png and .dcm.

    >>> plain_name("images_normalized/1_IM-0001-4001.dcm.png"), plain_name("CXR1_1_IM-0001-3001.png")
    ('1_IM-0001-4001', 'CXR1_1_IM-0001-3001')
    """
    return re.sub(r"(\.(png|jpg|jpeg|dcm))+$", "", file.rsplit("/", 1)[-1], flags=re.IGNORECASE)


def image_key(file: str) -> str:
    """Return what is equal for one image under OpenI's and Kaggle's names."""
    return _PREFIX.sub("", plain_name(file).lower())


def read_reports(raw: Path, seen: survey.Survey, expects: str) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Return one row an image, ENTRIES, all text, and (file, reason) of the reports that give none.

    Raises:
        MissingInput: the folder holds no reports.
        BadInput: none of the reports can be read.
    """
    images = _read_projections(raw, seen)
    if found := seen.named(REPORTS):
        if images is None:
            raise MissingInput(f"{raw} holds {REPORTS} but no {PROJECTIONS}; openi expects {expects}.")
        return _from_kaggle(raw / found[0], images)
    shown = {} if images is None else dict(zip(images["key"], images["projection"], strict=True))
    files = sorted(path for path in raw.rglob("*.xml") if not path.name.startswith("."))
    if not files:
        raise MissingInput(f"{raw} holds no reports; openi expects {expects}.")
    entries: list[tuple[str, str, str, str]] = []
    quarantine: list[tuple[str, str]] = []
    for path in files:
        name = path.relative_to(raw).as_posix()
        try:
            report, images, majors = read_report(path)
        except BadInput as error:
            quarantine.append((name, str(error)))
            continue
        if not images:
            quarantine.append((name, "the report has no image"))
        text = ";".join(majors)
        entries += [(image, report, text, shown.get(image_key(image), "")) for image in images]
    if not entries:
        raise BadInput(
            f"none of the {len(files):,} reports in {raw} names an image: {quarantine[0][0]}: {quarantine[0][1]}."
        )
    return pd.DataFrame(entries, columns=list(ENTRIES)), quarantine


def read_report(path: Path) -> tuple[str, list[str], list[str]]:
    """Return a report's name, its images' names and its curated heads with qualifiers.

    Raises:
        BadInput: it is no XML, too large, names no report, or declares a document type or entities, which can make a
            small file fill the memory or read other files. The message is the reason alone, without the path.
    """
    data = decode.bytes_of(path)
    if len(data) > LARGEST:
        raise BadInput(f"the report has {len(data):,} bytes, more than the limit of {LARGEST:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    # The parser is given this text, not bytes, so that no declared encoding can hide a declaration from this look.
    if DECLARES.search(text):
        raise BadInput("the report declares a document type or entities and is not read")
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise BadInput(f"the report is no whole XML ({error})") from error
    named = root.find("uId")
    report = (named.get("id", "") if named is not None else "").strip() or path.stem
    images = [image.get("id", "").strip() for image in root.iter("parentImage")]
    majors = [" ".join((major.text or "").split()) for major in root.findall(".//MeSH/major")]
    return report, [image for image in images if image], [major for major in majors if major]


def _read_projections(raw: Path, seen: survey.Survey) -> pd.DataFrame | None:
    """Return Kaggle's list of images with uid, filename, projection and key; None where it is not there."""
    found = seen.named(PROJECTIONS)
    if not found:
        return None
    table = tables.read_text_table(raw / found[0])
    tables.need_columns(table, ("uid", "filename", "projection"), raw / found[0])
    return table.assign(key=table["filename"].map(image_key))


def _from_kaggle(path: Path, images: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    reports = tables.read_text_table(path)
    tables.need_columns(reports, ("uid", "MeSH"), path)
    majors = dict(zip(reports["uid"], reports["MeSH"], strict=True))
    entries = pd.DataFrame(
        {
            "image": images["filename"],
            "report": "CXR" + images["uid"],
            "majors": images["uid"].map(lambda uid: majors.get(uid, "")),
            "projection": images["projection"],
        }
    )
    named = set(images["uid"])
    return entries, [
        (f"report {uid}", "the report has no image") for uid in reports["uid"] if uid not in named
    ]


def heads_of(majors: str) -> list[str]:
    """Return the heads of a report's curated terms, without qualifiers.

    >>> heads_of("Cardiomegaly/mild;Pulmonary Atelectasis/base/left; normal")
    ['Cardiomegaly', 'Pulmonary Atelectasis', 'normal']
    """
    return [head for term in majors.split(";") if (head := " ".join(term.split("/")[0].split()))]


def said_of(lists: list[list[str]], known: LabelMap) -> Said:
    """Return what U lists of heads say.

    Every report was read by people who wrote down what is there, so a head that is absent is negative. Where nobody
    wrote a head, or one says that the report was not indexed or the picture not good enough, only what is said counts.
    """
    heard = [{plain(head) for head in heads} for heads in lists]
    said = labelmap.from_lists(lists, known)
    blank = [
        i for i, heads in enumerate(heard) if not heads or any(head.startswith(SILENT) for head in heads)
    ]
    codes = said.codes.copy()
    codes[blank] = np.where(codes[blank] == Evidence.POSITIVE, codes[blank], int(Evidence.NOT_ANNOTATED))
    return Said(said.natives, codes)


SITES.add("openi")(OpenI())
