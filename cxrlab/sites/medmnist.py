"""MedMNIST's chest sets: PneumoniaMNIST (Guangzhou's children) and ChestMNIST (NIH), small squares in one file.

In:    `pneumoniamnist[_size].npz` or `chestmnist[_size].npz`, or a folder that holds one.
Out:   rows with the official split; an image is a patient, because the files name none.
Never: pickled objects.
"""

import struct
import threading
import tokenize
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from cxrlab import labelmap
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labelmap import Said
from cxrlab.sites import tables
from cxrlab.sites.base import SITES, Raw, Site, translated
from cxrlab.store import Header

PARTS = ("train", "val", "test")
# ChestMNIST's columns 0 to 13, and a word of our own for a row of zeros; Yang et al. 2023, medmnist/info.py.
CHEST = ("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
         "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia")  # fmt: skip
NONE = "(all 14 zero)"
PNEUMONIA = ("0 normal", "1 pneumonia")
# What a damaged archive can end in: its directory, its compressed data, or the arrays' headers inside.
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, struct.error, KeyError, ValueError, OSError, EOFError,
           MemoryError, OverflowError, SyntaxError, tokenize.TokenError, RuntimeError)  # fmt: skip
LARGEST_LABELS = 64 * 2**20  # bytes; ChestMNIST's are 1.1 million


class MedMnist(Site):
    """PneumoniaMNIST and ChestMNIST."""

    name: ClassVar[str] = "medmnist"
    title: ClassVar[str] = "MedMNIST"
    licence: ClassVar[str] = "CC BY 4.0"
    source: ClassVar[str] = "Yang et al. 2023, Scientific Data 10:41, MedMNIST v2; https://medmnist.com"
    expects: ClassVar[str] = "pneumoniamnist.npz or chestmnist.npz (also _64, _128, _224)"
    options: ClassVar[dict[str, str]] = {"file": "which .npz to read, where the folder holds several"}
    label_map: ClassVar[str] = "chestmnist"  # read() takes pneumoniamnist's where the file is that

    def read(self, raw: Path, site: str, options: dict[str, Any]) -> Raw:
        """Read the labels; images are read one at a time later."""
        path = self._choose(raw, options.get("file"))
        parts, rows = [], []
        for part in PARTS:
            shape, labels = _images_of(path, part).shape, _labels_of(path, part)
            if shape[0] != len(labels):
                raise BadInput(
                    f"{path} holds {shape[0]} {part} images but {len(labels)} labels; fetch it again."
                )
            parts.append(labels)
            rows += [
                {
                    "image_id": f"{part}-{i}",
                    "patient_id": f"{part}-{i}",
                    "split_hint": part,
                    "native_label": "|".join(str(int(value)) for value in labels[i]),
                    "source_file": f"{path.name}#{part}/{i}",
                }
                for i in range(len(labels))
            ]
        if not rows:
            raise BadInput(f"{path} holds no images; fetch it again.")
        if len({labels.shape[1] for labels in parts}) > 1:
            raise BadInput(f"{path} has parts with different numbers of label columns; fetch it again.")
        dataset, said = _said_of(path, np.concatenate(parts))
        known = labelmap.of(dataset, options.get("map", "narrow"))
        hospital = "NIH Clinical Center" if dataset == "chestmnist" else "Guangzhou, children aged 1–5 years"
        header = Header(
            site=site,
            title=f"{path.stem} ({hospital}), reduced by MedMNIST",
            source=f"{self.source}; {self.licence}",
            labels=(),
        )
        return translated(header, tables.finish_rows(pd.DataFrame(rows)), said, known, [])

    def image(self, raw: Path, source_file: str) -> np.ndarray:
        """Return one image, (S, S) uint8."""
        name, _, place = source_file.partition("#")
        part, _, i = place.partition("/")
        path = raw if raw.is_file() else raw / name
        return _images_of(path, part).read(int(i))

    def _choose(self, raw: Path, wanted: str | None) -> Path:
        if raw.is_file():
            return raw
        if not raw.is_dir():
            raise MissingInput(f"no file or folder at {raw}; medmnist expects {self.expects}.")
        here = sorted(
            path for path in raw.glob("*.npz") if path.name.startswith(("pneumoniamnist", "chestmnist"))
        )
        if wanted is not None:
            here = [path for path in sorted(raw.glob("*.npz")) if wanted in (path.name, path.stem)]
            if not here:
                raise MissingInput(f"{raw} holds no {wanted}; medmnist expects {self.expects}.")
        if not here:
            raise MissingInput(f"{raw} holds no chest set of MedMNIST; medmnist expects {self.expects}.")
        if len(here) > 1:
            names = ", ".join(path.name for path in here)
            raise BadInput(f"{raw} holds several sets: {names}; choose one with --option file=NAME.")
        if not here[0].is_file():
            raise MissingInput(f"{here[0]} is no file; medmnist expects {self.expects}.")
        return here[0]


class _Images:
    """One part's images inside the archive, read forwards without unpacking the whole (ChestMNIST at 224 px: 4 GB)."""

    def __init__(self, path: Path, part: str) -> None:
        self._guard = threading.Lock()
        try:
            self._file = zipfile.ZipFile(path).open(f"{part}_images.npy")  # noqa: SIM115  # lives as long as the cache
            version = np.lib.format.read_magic(self._file)
            reader = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            self.shape, fortran, dtype = reader(self._file)
        except DAMAGED as error:
            raise BadInput(f"{path} is no readable MedMNIST file ({error}); fetch it again.") from error
        if dtype != np.uint8 or fortran or len(self.shape) != 3 or not 16 <= min(self.shape[1:]) <= 1024:
            raise BadInput(
                f"{path} holds {part} images {self.shape} {dtype}; expected (N, side, side) uint8: a grey chest set."
            )
        self._start = self._file.tell()

    def read(self, i: int) -> np.ndarray:
        """Return image i, (side, side) uint8."""
        _, height, width = self.shape
        with self._guard:
            try:
                self._file.seek(self._start + i * height * width)
                data = self._file.read(height * width)
            except DAMAGED as error:
                raise BadInput(f"the archive is damaged at image {i} ({error})") from error
        if len(data) != height * width:
            raise BadInput(f"the archive ends before image {i}")
        return np.frombuffer(data, np.uint8).reshape(height, width).copy()


def _images_of(path: Path, part: str) -> _Images:
    if not path.is_file():
        raise BadInput("there is no such file")
    return _open_images(str(path), part, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _open_images(path: str, part: str, mtime_ns: int) -> _Images:
    return _Images(Path(path), part)


def _labels_of(path: Path, part: str) -> np.ndarray:
    """Return (N, 1) or (N, 14) whole numbers."""
    key = f"{part}_labels"
    try:
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(f"{key}.npy").file_size
        if size > LARGEST_LABELS:
            raise BadInput(f"{path} claims {size:,} bytes of {part} labels; no chest set has so many.")
        with np.load(path, allow_pickle=False) as arrays:
            said = arrays[key]
    except DAMAGED as error:
        raise BadInput(f"{path} holds no readable {key} ({error}); fetch it again.") from error
    if said.dtype.kind not in "iub" or said.ndim not in (1, 2):
        raise BadInput(
            f"{path} holds {key} {said.shape} {said.dtype}; expected whole numbers, a row an image. Fetch it again."
        )
    return said if said.ndim == 2 else said[:, None]


def _said_of(path: Path, labels: np.ndarray) -> tuple[str, Said]:
    """Return the set's name in the label map, and what its (N, 1) or (N, 14) labels say.

    Raises:
        BadInput: labels other than 0 and 1, or of another set.
    """
    if labels.size and not np.isin(labels, (0, 1)).all():
        raise BadInput(f"{path} holds labels other than 0 and 1; it is no chest set of MedMNIST.")
    if labels.shape[1] == 1 and "pneumonia" in path.stem.lower():
        return "pneumoniamnist", labelmap.from_classes([PNEUMONIA[int(value)] for value in labels[:, 0]])
    if labels.shape[1] == len(CHEST):
        return "chestmnist", labelmap.from_columns(
            (*CHEST, NONE), np.column_stack([labels, ~labels.any(axis=1)])
        )
    raise BadInput(
        f"{path} has {labels.shape[1]} label columns; expected pneumoniamnist with 1 or chestmnist with {len(CHEST)}."
    )


SITES.add("medmnist")(MedMnist())
