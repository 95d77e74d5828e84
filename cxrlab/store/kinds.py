"""Whether a store's arrays and texts are of the kinds that every other room relies on.

In:    groups of an open HDF5 file that keeps to itself (see trust), values out of JSON.
Out:   tables, arrays and a header; or BadInput with what is wrong, which the reader turns into a sentence.
Never: labels' meaning, digests.
"""

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.labels import Evidence, check_labels
from cxrlab.store.format import Header

CODES = [int(code) for code in Evidence]


def text(value: Any) -> Any:
    """Return an attribute; older stores hold text of any length, which comes as str."""
    return value.decode("utf-8") if isinstance(value, bytes) else value


def header(attrs: Mapping[str, Any], where: str) -> Header:
    """Return the facts of a whole store; `where` is its path, for a sentence.

    Raises:
        BadInput, KeyError, ValueError: an attribute is lacking or of another kind.
    """
    labels, preprocess, ledger = (
        json.loads(attrs.get(name, default))
        for name, default in (("labels", ""), ("preprocess", ""), ("ledger", "[]"))
    )
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise BadInput(f"its labels are {labels!r}, not a list of names")
    if not isinstance(preprocess, dict):
        raise BadInput(f"its preprocess is {preprocess!r}, not names and values")
    if not isinstance(ledger, list) or not all(isinstance(entry, dict) for entry in ledger):
        raise BadInput(f"its ledger is {ledger!r}, not a list of entries")
    check_labels(tuple(labels), where)
    return Header(
        site=str(attrs["site"]),
        title=str(attrs["title"]),
        source=str(attrs["source"]),
        labels=tuple(labels),
        synthetic=bool(attrs["synthetic"]),
        preprocess=preprocess,
        ledger=tuple(ledger),
    )


def table(group: h5py.Group, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return columns of one length; a kind is "str" or that of a number.

    Raises:
        BadInput, KeyError, ValueError: a column is lacking, of another kind, or longer than the others.
    """
    found = {}
    for name, kind in columns.items():
        data = group[name]
        is_text = isinstance(data, h5py.Dataset) and h5py.check_string_dtype(data.dtype) is not None
        fits = is_text if kind == "str" else isinstance(data, h5py.Dataset) and data.dtype.kind in "iuf"
        if not fits or data.ndim != 1:
            raise BadInput(f"{group.name}/{name} is {data!r}; expected a column of {kind}")
        found[name] = data.asstr()[:] if is_text else data[:]
    return pd.DataFrame(found)


def whole_numbers(h5: h5py.File, name: str, shape: tuple[int, int], codes: list[int] | None) -> np.ndarray:
    """Return an array of whole numbers, int8, all of them among `codes`, if any are given.

    Raises:
        BadInput: it is of another shape or kind, or holds another number.
    """
    data = h5[name]
    if not isinstance(data, h5py.Dataset) or data.shape != shape:
        raise BadInput(f"its {name} {getattr(data, 'shape', 'group')} are for other rows than its {shape[0]}")
    values = data[:]
    if values.dtype.kind not in "iuf":
        raise BadInput(f"its {name} are {values.dtype}, not whole numbers")
    if codes is not None and not np.isin(values, codes).all():
        raise BadInput(f"its {name} hold numbers other than {', '.join(map(str, codes))}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadInput(f"its {name} hold what is no number")
    return values.astype(np.int8)


def pictures(h5: h5py.File, n: int) -> tuple[int, int]:
    """Return the sides of the images, after a look at their kind and that of the masks.

    Raises:
        BadInput: they are no grey squares of eight bits, one a row; or the masks are no such squares.
    """
    images = h5["images"]
    found = f"{images.shape} {images.dtype}" if isinstance(images, h5py.Dataset) else "a group"
    if (
        not isinstance(images, h5py.Dataset)
        or images.dtype != np.uint8
        or images.ndim != 3
        or len(images) != n
    ):
        raise BadInput(f"its images {found} are not one array of uint8 for {n} rows")
    if images.shape[1] != images.shape[2] or images.shape[1] < 1:
        raise BadInput(f"its images {found} are no squares")
    for name, mask in h5.get("masks", {}).items():
        if not isinstance(mask, h5py.Dataset) or mask.shape != images.shape:
            raise BadInput(f"its masks of {name!r} are of another shape than its images")
        if mask.dtype.kind not in "uib":
            raise BadInput(f"its masks of {name!r} are {mask.dtype}, not 0 and 1")
    return images.shape[1:]
