"""Raw folders → our words: one plug-in a dataset. Importing this package fills `SITES`."""

from cxrlab.sites import (
    brax,
    chexpert,
    chexphoto,
    covid,
    covid_radiography,
    dicom,
    folder,
    kermany,
    medmnist,
    mimic,
    nih,
    openi,
    padchest,
    phantom,
    rsna,
    vindr,
)
from cxrlab.sites.base import SITES, Raw, Site

__all__ = [
    "SITES",
    "Raw",
    "Site",
    "brax",
    "chexpert",
    "chexphoto",
    "covid",
    "covid_radiography",
    "dicom",
    "folder",
    "kermany",
    "medmnist",
    "mimic",
    "nih",
    "openi",
    "padchest",
    "phantom",
    "rsna",
    "vindr",
]
