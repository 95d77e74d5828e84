"""Which public datasets share images or patients, as a table of what their owners say.

In:    two stores' headers.
Out:   how the two are related and who says so; None for strangers.
Never: pixels, patients' names, what follows from it.
"""

from dataclasses import dataclass
from typing import Any

from cxrlab.store import Header

# Readers of anybody's folders: the same reader says nothing about the same hospital.
GENERIC = ("folder", "dicom", "phantom")


@dataclass(frozen=True)
class Kin:
    """Two datasets that are not strangers."""

    a: str
    b: str
    says: str  # a sentence without its full stop
    source: str  # who says so
    is_sure: bool = True  # images or patients are shared; False: nobody can rule it out


_RSNA = "RSNA's pneumonia-challenge-dataset-mappings_2018.json"
_MEDMNIST = "Yang et al. 2023, Scientific Data 10:41, MedMNIST v2"
_RADIOGRAPHY = "COVID-19 Radiography Database, README"

TABLE: tuple[Kin, ...] = (
    Kin("rsna", "nih", "all images of the RSNA challenge are NIH ChestX-ray14's", _RSNA),
    Kin("chestmnist", "nih", "ChestMNIST is NIH ChestX-ray14 reduced", _MEDMNIST),
    Kin("chestmnist", "rsna", "both are taken from NIH ChestX-ray14", f"{_MEDMNIST}; {_RSNA}"),
    Kin("pneumoniamnist", "kermany", "PneumoniaMNIST is the Guangzhou set reduced", _MEDMNIST),
    Kin("chexphoto", "chexpert", "CheXphoto's are photographs of CheXpert's images, with CheXpert's patients",
        "Phillips et al. 2020, CheXphoto, arXiv:2007.06199"),
    Kin("chexlocalize", "chexpert", "CheXlocalize outlines CheXpert's validation and test images",
        "Saporta et al. 2022, Nature Machine Intelligence 4:867"),
    Kin("chexlocalize", "chexphoto", "both show CheXpert's patients", "CheXlocalize and CheXphoto, as above"),
    Kin("covid", "covid-radiography", "the Radiography Database copies images of the ieee8023 collection",
        f"{_RADIOGRAPHY}: 559 images from SIRM, GitHub (ieee8023), Kaggle and Twitter"),
    Kin("covid-radiography", "kermany", "the Radiography Database's viral pneumonias and 1,341 of its normals are Guangzhou's",
        f"{_RADIOGRAPHY}: Chest X-Ray Images (Pneumonia)"),
    Kin("covid-radiography", "pneumoniamnist", "both are taken from the Guangzhou set", f"{_RADIOGRAPHY}; {_MEDMNIST}"),
    Kin("covid-radiography", "rsna", "the Radiography Database's lung opacities and 8,851 of its normals are RSNA's",
        f"{_RADIOGRAPHY}: 6,012 and 8,851 images from RSNA"),
    Kin("covid-radiography", "nih", "the Radiography Database's images from RSNA are NIH ChestX-ray14's",
        f"{_RADIOGRAPHY}; {_RSNA}"),
    Kin("covid-radiography", "chestmnist", "both are taken from NIH ChestX-ray14",
        f"{_RADIOGRAPHY}; {_RSNA}; {_MEDMNIST}"),
    # Its README says "padchest" and links to BIMCV-COVID19+, which was made after PadChest's last year, 2017.
    Kin("covid-radiography", "padchest", "2,473 of the Radiography Database's images come from PadChest's own region "
        "(BIMCV), so patients may be shared", f"{_RADIOGRAPHY}: \"padchest dataset\", linked to BIMCV-COVID19+", is_sure=False),
)  # fmt: skip

# Datasets of which two stores may share patients that no name shows.
TWICE: tuple[Kin, ...] = (
    Kin("vindr", "vindr", "VinDr-CXR names no patients, and PhysioNet's and Kaggle's releases hold the same images, so "
        "shared patients cannot be ruled out", "Kaggle, VinBigData Chest X-ray Abnormalities Detection 2020", is_sure=False),
)  # fmt: skip


def dataset_of(header: Header) -> str:
    """Return the name of the dataset that a store was made from; "" where it does not say.

    MedMNIST is two sets of two hospitals: its title names which.
    """
    said = str(header.preprocess.get("dataset", "")).replace("_", "-")
    if said != "medmnist":
        return said
    named = f"{header.title} {_options(header).get('file', '')}".lower()
    return "pneumoniamnist" if "pneumoniamnist" in named else "chestmnist"


def _options(header: Header) -> dict[str, Any]:
    options = header.preprocess.get("options")
    return options if isinstance(options, dict) else {}


def planted_of(header: Header) -> list[tuple[str, str]]:
    """Return (site, digest) of the store that this one was copied from, of that one's origin, and so on; [] for originals."""
    found, planted = [], header.preprocess.get("planted")
    while isinstance(planted, dict):
        found.append((str(planted.get("from", "")), str(planted.get("from_digest", ""))))
        planted = planted.get("after")
    return found


def between_datasets(a: str, b: str) -> Kin | None:
    """Return how two datasets are related, whichever comes first; None for strangers and for the same one twice.

    >>> between_datasets("nih", "rsna") == between_datasets("rsna", "nih")
    True
    """
    return next((kin for kin in TABLE if {kin.a, kin.b} == {a, b}), None)


def are_copies(a: Header, digest_a: str, b: Header, digest_b: str) -> bool:
    """Return whether one store was planted from the other, or both from the same third."""
    line_a, line_b = (
        {(header.site, digest), *planted_of(header)} for header, digest in ((a, digest_a), (b, digest_b))
    )
    if not planted_of(a) and not planted_of(b):
        return False
    # A site that was ingested anew has another digest, and a store that was renamed another name.
    by_name, by_digest = ({one[k] for one in line_a} & {one[k] for one in line_b} - {""} for k in (0, 1))
    return bool(by_name or by_digest)


def share_names(a: Header, digest_a: str, b: Header, digest_b: str) -> bool:
    """Return whether the same patient has the same name in both: two parts of one dataset, or a copy and its original."""
    if are_copies(a, digest_a, b, digest_b):
        return True
    dataset = dataset_of(a)
    return dataset == dataset_of(b) and dataset not in ("", *GENERIC)


def of(a: Header, b: Header) -> Kin | None:
    """Return how two stores are related by the datasets that they were made from."""
    first, second = dataset_of(a), dataset_of(b)
    if first == second:
        return next((kin for kin in TWICE if kin.a == first), None)
    return between_datasets(first, second)
