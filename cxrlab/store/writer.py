"""Arrays and tables → one site's HDF5 file, whole or not at all.

In:    a header, rows, evidence, images one at a time.
Out:   `stores/<site>.h5` in the format of store_format.
Never: reading it back; sites, decoding, policies.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cxrlab import files
from cxrlab.errors import BadInput
from cxrlab.labels import Evidence, check_labels
from cxrlab.store.format import (
    BOX_COLUMNS,
    FORMAT,
    QUARANTINE_COLUMNS,
    ROW_COLUMNS,
    VERSION,
    Header,
    digest_of,
    empty_boxes,
    seal_of,
)


def write(
    path: Path,
    header: Header,
    rows: pd.DataFrame,
    evidence: np.ndarray,
    images: Iterable[np.ndarray],
    *,
    quarantine: Iterable[tuple[str, str]] = (),
    boxes: pd.DataFrame | None = None,
    masks: dict[str, Iterable[np.ndarray]] | None = None,
    n_masked: int | None = None,
    facts: pd.DataFrame | None = None,
    votes: np.ndarray | None = None,
    on_image: Callable[[int], None] | None = None,
) -> str:
    """Write a store, whole or not at all, and return its digest.

    Args:
        path: where; its parent is made.
        header: facts of the whole store.
        rows: (N, ROW_COLUMNS), one row an image.
        evidence: (N, len(header.labels)) int8.
        images: N arrays (H, W) uint8 of one shape, in the order of `rows`; consumed once, so a generator will do.
        quarantine: (file, reason) of every row that was left out.
        boxes: BOX_COLUMNS, or None.
        masks: name → N arrays (H, W) bool, or None; consumed once.
        n_masked: how many images have a mask at most, so that no room is asked for the others; None: all.
        facts: (N, any columns) of text, or None.
        votes: (N, len(header.labels)) int8, how many readers said positive, -1 not known; or None.
        on_image: called with the number of images written.

    Raises:
        BadInput: rows, evidence and images do not fit together.
        NoSpace: the disk filled up.
    """
    check_labels(header.labels, f"the site {header.site}")
    rows = _check_rows(header, rows, evidence)
    boxes = empty_boxes() if boxes is None else boxes[list(BOX_COLUMNS)].copy()
    for column in BOX_COLUMNS[:2]:
        boxes[column] = _clean(boxes[column])
    facts = _check_facts(header, facts, votes, len(rows))
    named = [tuple(_whole(str(text).replace("\0", "")) for text in entry) for entry in quarantine]
    left_out = pd.DataFrame(named, columns=list(QUARANTINE_COLUMNS))
    images = iter(images)
    first = next(images, None)
    if first is None or len(rows) == 0:
        raise BadInput(f"{header.site} gave {len(rows)} rows and no image; a store needs at least one.")
    shape, most = (
        (len(rows), *first.shape),
        _upper_bound((rows, left_out, boxes, facts), first.size, len(masks or {}), n_masked),
    )
    with files.whole(path) as part:
        # HDF5 crashes the process when the disk fills up under it; so it only starts once the room is taken.
        files.reserve(part, most)
        # HDF5 1.10's layout has checksums on its own indexes too; the older default crashes on a flipped bit.
        with h5py.File(part, "w", libver=("v110", "v110")) as h5:  # the one room that writes stores
            files.reserve(part, most)
            sums = _write_images(h5, header.site, shape, itertools.chain([first], images), on_image)
            h5.create_dataset("evidence", data=evidence.astype(np.int8), fletcher32=True)
            for name, table in (("rows", rows), ("quarantine", left_out), ("boxes", boxes)):
                _write_table(h5.create_group(name), table)
            mask_sums = {
                name: _write_mask(h5, f"masks/{name}", mask, shape) for name, mask in (masks or {}).items()
            }
            if len(facts.columns):
                _write_table(h5.create_group("facts"), facts)
            if votes is not None:
                h5.create_dataset("votes", data=votes.astype(np.int8), fletcher32=True)
            digest = digest_of(header, rows, evidence, sums, facts, votes)
            _write_header(h5, header, digest, seal_of(header, left_out, boxes, mask_sums))
            h5.flush()
            used = h5.id.get_filesize()
        os.truncate(part, used)
    return digest


def _upper_bound(
    written: tuple[pd.DataFrame, ...], image_bytes: int, n_masks: int, n_masked: int | None
) -> int:
    """Return more bytes than the store can need: arrays, text and HDF5's own indexes; the rows come first."""
    n = len(written[0])
    texts = sum(_text_bytes(table) for table in written)
    masked = n if n_masked is None else min(n, n_masked)
    masks = (
        masked * n_masks * (image_bytes // 4 + 256) + n * n_masks * 24
    )  # of two values each, they shrink to less than a fourth
    return n * (image_bytes + 512) + masks + texts + 2**20


def _text_bytes(table: pd.DataFrame) -> int:
    """Return the bytes of a table when every cell is as long as its column's longest."""
    longest = (max((len(str(value).encode()) for value in table[column]), default=0) for column in table)
    return len(table) * sum(max(8, n) for n in longest)


def _write_images(
    h5: h5py.Group,
    site: str,
    shape: tuple[int, int, int],
    images: Iterable[np.ndarray],
    on_image: Callable[[int], None] | None,
) -> list[str]:
    """Write /images and return the digest of each."""
    data = h5.create_dataset("images", shape, np.uint8, chunks=(1, *shape[1:]), fletcher32=True)
    sums: list[str] = []
    for image in images:
        count = len(sums)
        if image.dtype != np.uint8 or image.shape != shape[1:] or count >= shape[0]:
            raise BadInput(
                f"image {count} of {site} is {image.shape} {image.dtype}; "
                f"expected {shape[0]} images of {shape[1:]} uint8."
            )
        data[count] = image
        sums.append(files.digest_of(image.tobytes()))
        if on_image is not None:
            on_image(count + 1)
    if len(sums) != shape[0]:
        raise BadInput(f"{site} gave {len(sums)} images for {shape[0]} rows; a store needs as many.")
    return sums


def _write_header(h5: h5py.Group, header: Header, digest: str, seal: str) -> None:
    h5.attrs.update(version=VERSION, synthetic=header.synthetic)
    texts = {
        "format": FORMAT,
        "site": header.site,
        "title": header.title,
        "source": header.source,
        "labels": json.dumps(header.labels),
        "preprocess": json.dumps(header.preprocess),
        "ledger": json.dumps(header.ledger),
        "digest": digest,
        "seal": seal,
    }
    for name, text in texts.items():
        # Of one length, as in `_write_table`: HDF5 can go round for ever in a damaged heap.
        data = text.encode()
        h5.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", len(data) or 1))
    h5.flush()
    h5.attrs["complete"] = True


def _check_rows(header: Header, rows: pd.DataFrame, evidence: np.ndarray) -> pd.DataFrame:
    missing = [column for column in ROW_COLUMNS if column not in rows]
    if missing:
        raise BadInput(
            f"the rows of {header.site} lack {', '.join(missing)}; expected {', '.join(ROW_COLUMNS)}."
        )
    if evidence.shape != (len(rows), len(header.labels)):
        raise BadInput(
            f"the evidence of {header.site} is {evidence.shape}; expected {(len(rows), len(header.labels))}: "
            "one row an image, one column a label."
        )
    unknown = set(np.unique(evidence)) - {int(code) for code in Evidence}
    if unknown:
        raise BadInput(
            f"the evidence of {header.site} holds {sorted(map(int, unknown))}; expected 1, 0, -1, -2 or -3."
        )
    rows = rows[list(ROW_COLUMNS)].reset_index(drop=True)
    for column, kind in ROW_COLUMNS.items():
        text = kind == "str"
        rows[column] = _clean(rows[column]) if text else rows[column].astype(kind)
    twice = rows["image_id"][rows["image_id"].duplicated()]
    if len(twice):
        raise BadInput(
            f"{header.site} names the image {twice.iloc[0]!r} twice; image_id must be unique in a site."
        )
    return rows


def _clean(column: pd.Series) -> pd.Series:
    """Return text without NUL, which ends a text in HDF5."""
    return column.fillna("").astype(str).str.replace("\0", "")


def _whole(text: str) -> str:
    """Return text that has bytes: half a letter, as file names of another encoding hold it, has none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _check_facts(
    header: Header, facts: pd.DataFrame | None, votes: np.ndarray | None, n: int
) -> pd.DataFrame:
    if votes is not None and votes.shape != (n, len(header.labels)):
        raise BadInput(f"the votes of {header.site} are {votes.shape}; expected {(n, len(header.labels))}.")
    if facts is None or not len(facts.columns):
        return pd.DataFrame()
    if len(facts) != n:
        raise BadInput(f"{header.site} gives facts of {len(facts)} images; expected {n}.")
    facts = facts[sorted(facts)].reset_index(drop=True)  # a reader finds them in this order
    return facts.apply(_clean)


def _write_mask(h5: h5py.Group, name: str, mask: Iterable[np.ndarray], shape: tuple[int, int, int]) -> str:
    """Write one structure's masks and return their digest."""
    sums: list[str] = []
    data = h5.create_dataset(
        name, shape, np.uint8, chunks=(1, *shape[1:]), compression="gzip", compression_opts=1
    )
    for i, one in enumerate(mask):
        if one.any():  # most findings are absent from most images; a chunk never written reads as zeros
            data[i] = one
        sums.append(files.digest_of(np.asarray(one, bool).tobytes()))
    return files.digest_of(*sums)


def _write_table(group: h5py.Group, table: pd.DataFrame) -> None:
    for column in table:
        values = table[column].to_numpy()
        if values.dtype.kind in "OUTS" or not np.issubdtype(values.dtype, np.number):
            # Of one length: HDF5's heap for longer and shorter text has no checksum and can hang on a flipped bit.
            text = [str(value).encode() for value in values]
            kind = h5py.string_dtype("utf-8", max(map(len, text), default=0) or 1)
            group.create_dataset(column, data=np.array(text, kind), dtype=kind)
        else:
            group.create_dataset(column, data=values)
