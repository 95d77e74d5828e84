"""CheXphoto: photographs of CheXpert's radiographs, and radiographs made to look like photographs.

In:    tables with `Path` and labels, images `{natural,synthetic}/<device or kind>/patient00001/study1/view1_frontal.jpg`.
Out:   rows with CheXpert's patient numbers, so that guards see whose they are; device and kind as facts.
Never: CheXpert's own files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.sites import chexpert, fourteen, survey
from cxrlab.sites.base import SITES, Raw, Site, need_folder

# Whatever folders stand above the patient tell kind and device; how deep they are differs between copies.
IMAGE = r"^(.*?)/?(patient\d+)[/\\](study\d+)[/\\](view\d+_[a-z]+)"
NAMES = ("above", "patient", "study", "picture")
KINDS = ("natural", "synthetic")


class Chexphoto(Site):
    """CheXphoto.

    Labels, sex and age are CheXpert's; the folders of the Nokia photographs and of the films on a light box are not
    known for sure, so any folder between the kind and the patient counts as the device.
    """

    name: ClassVar[str] = "chexphoto"
    title: ClassVar[str] = "CheXphoto (photographs of CheXpert's radiographs)"
    licence: ClassVar[str] = "Stanford University research use agreement, no redistribution"
    source: ClassVar[str] = (
        "Phillips et al. 2020, ML4H, CheXphoto; https://stanfordmlgroup.github.io/competitions/chexphoto/"
    )
    expects: ClassVar[str] = (
        "train.csv, valid.csv and {train,valid}/{natural,synthetic}/DEVICE/patient00001/study1/view1_frontal.jpg …"
    )
    label_map: ClassVar[str] = "chexpert"
    options: ClassVar[dict[str, str]] = {
        "views": fourteen.VIEWS,
        "parts": fourteen.PARTS,
        "kind": "all (default), natural, synthetic, or one device as its folders are named, such as natural/oneplus",
    }

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read every part's table and look for the photographs."""
        need_folder(raw, self)
        lying = survey.look(raw)
        entries = chexpert.read_entries(
            raw, chexpert.choose_tables(raw, lying.tables, "chexpert", self.expects)
        )
        names = _named(entries.facts["path"])
        if (names["kind"] == "").all():
            raise BadInput(
                f"{raw} names no natural or synthetic photograph; expected {self.expects}. Is it CheXpert?"
            )
        image_id = _ids(names)
        keys = _ids(_named(lying.images)).to_numpy()
        files, spare = chexpert.first_of(keys, np.array(lying.images, object))
        sieve = fourteen.Sieve(entries.facts["path"])
        sieve.drop(image_id == "", "the path does not name kind, device, patient, study and view")
        file = chexpert.sift(sieve, entries, image_id, files, self.expects)
        rows, facts = chexpert.describe(entries.facts, names, chexpert.LABELLERS["chexpert"])
        # One radiograph was photographed with several devices: the study is the patient's, the image is the device's.
        rows["image_id"], rows["source_file"] = image_id, file
        facts["kind"], facts["device"] = names["kind"], names["device"]
        sieve.drop_parts(options, rows["split_hint"])
        sieve.drop_views(options, rows["view"], pd.Series("", index=rows.index))
        wanted = str(options.get("kind") or "all").strip("/ ").lower()
        if wanted != "all":
            under = names["kind"] + "/" + names["device"]
            sieve.drop(
                (names["kind"] != wanted) & (under != wanted), "of another kind than the option kind names"
            )
        quarantine = entries.lacking + sieve.out + spare + chexpert.nameless(files, image_id)
        return chexpert.gather(self, site, options, rows, entries.codes, facts, sieve.inside, quarantine)


def _named(paths: "pd.Series | Sequence[str]") -> pd.DataFrame:
    """Return kind, device, patient, study and picture of each path, lower case, "" where it does not say."""
    paths = pd.Series(paths, dtype="str").str.replace("\\", "/", regex=False)
    names = chexpert.name_parts(paths, IMAGE, NAMES)
    under = "/" + names.pop("above")
    below = fourteen.groups(under, rf"/({'|'.join(KINDS)})(?:/(.*))?$")
    # Without a folder of a known kind the nearest one is the device.
    nearest = fourteen.groups(under, r"([^/]*)$")[0]
    names["kind"], names["device"] = below[0], below[1].where(below[0] != "", nearest)
    return names


def _ids(names: pd.DataFrame) -> pd.Series:
    joined = names["kind"].str.cat(
        [names["device"].str.replace("/", "-"), *(names[c] for c in NAMES[1:])], sep="_"
    )
    return joined.where(names["patient"] != "", "").str.lstrip("_")


SITES.add("chexphoto")(Chexphoto())
