"""The layout of a store, for its writer and its reader.

In:    nothing.
Out:   names, columns and the header of the format "cxrlab-store" version 1.
Never: files.

Layout: attributes format, version, site, title, synthetic, source, labels (JSON list), preprocess (JSON), ledger (JSON),
digest, seal, complete; `/images` (N, H, W) uint8 in one-image chunks, uncompressed, with checksums; `/evidence` (N, L) int8;
`/rows/<column>`; `/quarantine/{file,reason}`; `/boxes/*`; `/masks/<structure>` (N, H, W) uint8 of 0 and 1. Where the
site has them: `/facts/<name>` (N,) text; `/votes` (N, L) int8, how many readers said positive, -1 not known.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cxrlab import files

FORMAT, VERSION = "cxrlab-store", 1

# column → (dtype, what it is). Strings are "" and numbers NaN where the site does not say.
ROW_COLUMNS: dict[str, str] = {
    "image_id": "str",  # unique within the site
    "patient_id": "str",  # unique within the site; the unit of splits and intervals
    "study_id": "str",
    "sex": "str",  # "F", "M", "O" or ""
    "age_years": "float32",  # NaN: not known
    "view": "str",  # "PA", "AP", "LATERAL" or ""
    "split_hint": "str",  # the site's own split, "train", "val", "test" or ""; a view decides whether to use it
    "native_label": "str",  # what the site's file said, unparsed
    "width": "int32",  # pixels of the source image
    "height": "int32",
    "source_file": "str",  # relative to the raw folder
}
QUARANTINE_COLUMNS = ("file", "reason")
BOX_COLUMNS = (
    "image_id",
    "label",
    "x",
    "y",
    "w",
    "h",
)  # x, y, w, h are fractions of the image's width and height


@dataclass(frozen=True)
class Header:
    """Facts of a whole store.

    `ledger` has one dict a native label and label of ours: native, label, says, images, before, after, note (see
    labelmap.ledger; older stores lack says, before and after); it says what became what.
    """

    site: str
    title: str
    source: str
    labels: tuple[str, ...]
    synthetic: bool = False
    preprocess: dict[str, Any] = field(default_factory=dict)
    ledger: tuple[dict[str, Any], ...] = ()


def empty_boxes() -> pd.DataFrame:
    """Return a box table without rows."""
    return pd.DataFrame(
        {c: pd.Series(dtype="str" if c in ("image_id", "label") else "float32") for c in BOX_COLUMNS}
    )


def digest_of(
    header: Header,
    rows: pd.DataFrame,
    evidence: np.ndarray,
    sums: list[str],
    facts: pd.DataFrame | None = None,
    votes: np.ndarray | None = None,
) -> str:
    """Return the digest of a store's contents; `sums` are the digests of its images.

    Columns go in as bytes, not as some library's text of numbers, so that it is the same in every version of pandas.
    """
    columns: list[bytes] = []
    for name, kind in ROW_COLUMNS.items():
        values = rows[name]
        number = (
            None if kind == "str" else np.ascontiguousarray(values.to_numpy(np.dtype(kind).newbyteorder("<")))
        )
        if number is not None and number.dtype.kind == "f":
            number = np.where(
                np.isnan(number), number.dtype.type(np.nan), number
            )  # NaN has many bit patterns
        columns.append("\0".join(values).encode() if number is None else number.tobytes())
    # Stores without them have the digest that they had before there were facts and votes.
    for name in facts if facts is not None else ():
        columns.append("\0".join((name, *facts[name].astype(str))).encode())
    if votes is not None:
        columns.append(votes.astype(np.int8).tobytes())
    return files.digest_of(json.dumps(header.labels), evidence.astype(np.int8).tobytes(), *columns, *sums)


def seal_of(header: Header, quarantine: pd.DataFrame, boxes: pd.DataFrame, masks: dict[str, str]) -> str:
    """Return the digest of what `digest_of` leaves out; `masks` are the digests of the structures' masks.

    It is kept apart, so that two stores of the same images and labels have one digest whatever they are called.
    """
    said = json.dumps([asdict(header), masks], sort_keys=True)
    texts = ["\0".join(quarantine[name].astype(str)) for name in QUARANTINE_COLUMNS]
    texts += ["\0".join(boxes[name].astype(str)) for name in BOX_COLUMNS[:2]]
    numbers = [boxes[name].to_numpy("<f4").tobytes() for name in BOX_COLUMNS[2:]]
    return files.digest_of(said, *texts, *numbers)
