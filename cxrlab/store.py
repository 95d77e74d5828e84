"""One site's HDF5 file: what is, and nothing that was decided about it.

In:    images, evidence and row facts from ingest.
Out:   `stores/<site>.h5`, format "cxrlab-store" version 1, and its reader and checker.
Never: torch, label policies, splits, streamlit.

Layout: attributes format, version, site, title, synthetic, source, labels (JSON list), preprocess (JSON), digest,
complete; `/images` (N, H, W) uint8 in one-image chunks, uncompressed, with checksums; `/evidence` (N, L) int8;
`/rows/<column>`; `/quarantine/{file,reason}`; `/boxes/*`; `/masks/<structure>` (N, H, W) uint8, one bit a structure's pixel.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from cxrlab import files, trust
from cxrlab.errors import BadInput, BadStore, MissingInput
from cxrlab.labels import Evidence, check_labels

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

    `ledger` has one dict a native label: {"native", "label", "images", "note"}; it says what became what.
    """

    site: str
    title: str
    source: str
    labels: tuple[str, ...]
    synthetic: bool = False
    preprocess: dict[str, Any] = field(default_factory=dict)
    ledger: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Store:
    """An open store. Images stay on disk until asked for."""

    path: Path
    header: Header
    digest: str
    rows: pd.DataFrame  # (N, columns of ROW_COLUMNS)
    evidence: np.ndarray  # (N, L) int8, codes of labels.Evidence; columns as header.labels
    quarantine: pd.DataFrame  # (Q, file and reason)
    boxes: pd.DataFrame  # (B, BOX_COLUMNS)
    mask_names: tuple[str, ...]
    image_shape: tuple[int, int]  # (H, W), pixels

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def site(self) -> str:
        """The site's name."""
        return self.header.site

    def image(self, i: int) -> np.ndarray:
        """Return image i, (H, W) uint8."""
        return _open(str(self.path), self.path.stat().st_mtime_ns, os.getpid())["images"][i]

    def images(self, rows: Iterable[int]) -> np.ndarray:
        """Return the images at `rows`, (M, H, W) uint8, in that order."""
        rows = np.asarray(list(rows), dtype=np.int64)
        out = np.empty((len(rows), *self.image_shape), np.uint8)
        data = _open(str(self.path), self.path.stat().st_mtime_ns, os.getpid())["images"]
        # A list index on a chunked dataset is 150 times slower than this loop; sorted, the disk reads forwards.
        for k in np.argsort(rows, kind="stable"):
            out[k] = data[int(rows[k])]
        return out

    def mask(self, name: str, i: int) -> np.ndarray:
        """Return the mask of structure `name` on image i, (H, W) bool."""
        if name not in self.mask_names:
            raise MissingInput(
                f"{self.site} has no {name!r} masks; it has: {', '.join(self.mask_names) or 'none'}."
            )
        return _open(str(self.path), self.path.stat().st_mtime_ns, os.getpid())["masks"][name][i] > 0


@lru_cache(maxsize=32)
def _open(path: str, mtime_ns: int, pid: int) -> h5py.File:
    # One handle per file, version and process: safe under fork and spawn, and three times faster than reopening.
    return h5py.File(path, "r")


def empty_boxes() -> pd.DataFrame:
    """Return a box table without rows."""
    return pd.DataFrame(
        {c: pd.Series(dtype="str" if c in ("image_id", "label") else "float32") for c in BOX_COLUMNS}
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
        on_image: called with the number of images written.

    Raises:
        BadInput: rows, evidence and images do not fit together.
        NoSpace: the disk filled up.
    """
    check_labels(header.labels, f"the site {header.site}")
    rows = _check_rows(header, rows, evidence)
    boxes = empty_boxes() if boxes is None else boxes[list(BOX_COLUMNS)]
    left_out = pd.DataFrame(list(quarantine), columns=list(QUARANTINE_COLUMNS))
    images = iter(images)
    first = next(images, None)
    if first is None or len(rows) == 0:
        raise BadInput(f"{header.site} gave {len(rows)} rows and no image; a store needs at least one.")
    shape, most = (len(rows), *first.shape), _upper_bound(rows, left_out, boxes, first.size, len(masks or {}))
    with files.whole(path) as part:
        # HDF5 crashes the process when the disk fills up under it; so it only starts once the room is taken.
        files.reserve(part, most)
        with h5py.File(part, "w") as h5:
            files.reserve(part, most)
            sums = _write_images(h5, header.site, shape, itertools.chain([first], images), on_image)
            h5.create_dataset("evidence", data=evidence.astype(np.int8), fletcher32=True)
            for name, table in (("rows", rows), ("quarantine", left_out), ("boxes", boxes)):
                _write_table(h5.create_group(name), table)
            for name, mask in (masks or {}).items():
                _write_mask(h5, f"masks/{name}", mask, shape)
            digest = _digest_of(header, rows, evidence, sums)
            _write_header(h5, header, digest)
            h5.flush()
            used = h5.id.get_filesize()
        os.truncate(part, used)
    return digest


def _upper_bound(
    rows: pd.DataFrame, left_out: pd.DataFrame, boxes: pd.DataFrame, image_bytes: int, n_masks: int
) -> int:
    """Return more bytes than the store can need: arrays, text and HDF5's own indexes."""
    n = len(rows)
    texts = sum(int(table.memory_usage(deep=True, index=False).sum()) for table in (rows, left_out, boxes))
    masks = n * n_masks * (image_bytes // 4 + 256)  # of two values each, they shrink to less than a fourth
    return n * (image_bytes + 512) + masks + 4 * texts + 2**20


def _write_images(
    h5: h5py.File,
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


def _write_header(h5: h5py.File, header: Header, digest: str) -> None:
    h5.attrs.update(
        format=FORMAT,
        version=VERSION,
        site=header.site,
        title=header.title,
        synthetic=header.synthetic,
        source=header.source,
        labels=json.dumps(header.labels),
        preprocess=json.dumps(header.preprocess),
        ledger=json.dumps(header.ledger),
        digest=digest,
    )
    h5.flush()
    h5.attrs["complete"] = True


def _digest_of(header: Header, rows: pd.DataFrame, evidence: np.ndarray, sums: list[str]) -> str:
    return files.digest_of(
        json.dumps(header.labels), evidence.astype(np.int8).tobytes(), rows.to_json(), *sums
    )


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
        raise BadInput(f"the evidence of {header.site} holds {sorted(unknown)}; expected 1, 0, -1, -2 or -3.")
    twice = rows["image_id"][rows["image_id"].duplicated()]
    if len(twice):
        raise BadInput(
            f"{header.site} names the image {twice.iloc[0]!r} twice; image_id must be unique in a site."
        )
    rows = rows[list(ROW_COLUMNS)].reset_index(drop=True)
    for column, kind in ROW_COLUMNS.items():
        rows[column] = rows[column].fillna("").astype(str) if kind == "str" else rows[column].astype(kind)
    return rows


def _write_mask(h5: h5py.File, name: str, mask: Iterable[np.ndarray], shape: tuple[int, int, int]) -> None:
    data = h5.create_dataset(
        name, shape, np.uint8, chunks=(1, *shape[1:]), compression="gzip", compression_opts=1
    )
    for i, one in enumerate(mask):
        if one.any():  # most findings are absent from most images; a chunk never written reads as zeros
            data[i] = one


def _write_table(group: h5py.Group, table: pd.DataFrame) -> None:
    for column in table:
        values = table[column].to_numpy()
        if values.dtype.kind in "OUTS" or not np.issubdtype(values.dtype, np.number):
            group.create_dataset(column, data=values.astype(object), dtype=h5py.string_dtype())
        else:
            group.create_dataset(column, data=values)


def _read_table(group: h5py.Group, columns: Iterable[str]) -> pd.DataFrame:
    table = {}
    for column in columns:
        data = group[column]
        table[column] = data.asstr()[:] if h5py.check_string_dtype(data.dtype) else data[:]
    return pd.DataFrame(table)


def read(path: Path) -> Store:
    """Open a store that may come from anywhere.

    Raises:
        MissingInput: there is no such file.
        BadStore: not a store, another version, incomplete, or it points outside itself.
    """
    path = Path(path)
    if not path.exists():
        raise MissingInput(f"no store at {path}; make it with `python -m cxrlab ingest`.")
    try:
        h5 = _open(str(path), path.stat().st_mtime_ns, os.getpid())
    except OSError as error:
        raise BadStore(f"{path} is not a readable HDF5 file ({error}); ingest the site again.") from error
    try:
        return _read(path, h5)
    except (KeyError, ValueError, TypeError, OSError, OverflowError, RuntimeError, BadInput) as error:
        raise BadStore(f"{path} is damaged ({error}); ingest the site again.") from error


def _read(path: Path, h5: h5py.File) -> Store:
    attrs = h5.attrs
    if attrs.get("format") != FORMAT:
        raise BadStore(
            f"{path} says format {attrs.get('format')!r}; expected {FORMAT!r}. Is it a store of this lab?"
        )
    if int(attrs["version"]) != VERSION:
        raise BadStore(
            f"{path} is {FORMAT} version {attrs['version']}; this cxrlab reads version {VERSION}. Ingest the site again."
        )
    trust.check(path, h5)
    if not attrs.get("complete", False):
        raise BadStore(f"{path} was not finished; ingest the site again.")
    header = Header(
        site=str(attrs["site"]),
        title=str(attrs["title"]),
        source=str(attrs["source"]),
        labels=tuple(json.loads(attrs["labels"])),
        synthetic=bool(attrs["synthetic"]),
        preprocess=json.loads(attrs["preprocess"]),
        ledger=tuple(json.loads(attrs.get("ledger", "[]"))),
    )
    check_labels(header.labels, str(path))
    images, evidence = h5["images"], h5["evidence"][:]
    rows = _read_table(h5["rows"], ROW_COLUMNS)
    if images.ndim != 3 or images.dtype != np.uint8 or len(images) != len(rows):
        raise BadStore(
            f"{path} holds images {images.shape} {images.dtype} for {len(rows)} rows; ingest the site again."
        )
    masks = h5.get("masks", {})
    if any(mask.shape != images.shape for mask in masks.values()):
        raise BadStore(f"{path} holds masks of another shape than its images; ingest the site again.")
    if evidence.shape != (len(rows), len(header.labels)):
        raise BadStore(f"{path} holds evidence {evidence.shape} for {len(rows)} rows; ingest the site again.")
    return Store(
        path=path,
        header=header,
        digest=str(attrs["digest"]),
        rows=rows,
        evidence=evidence,
        quarantine=_read_table(h5["quarantine"], QUARANTINE_COLUMNS),
        boxes=_read_table(h5["boxes"], BOX_COLUMNS),
        mask_names=tuple(masks),
        image_shape=images.shape[1:],
    )


def check(path: Path) -> list[str]:
    """Read every image and table of a store and return what is wrong, one sentence each; [] when all is well.

    Raises:
        MissingInput, BadStore: as `read`.
    """
    store = read(path)
    wrong: list[str] = []
    sums: list[str] = []
    for i in range(len(store)):
        try:
            sums.append(files.digest_of(store.image(i).tobytes()))
        except OSError as error:  # fletcher32 found other bytes than were written
            wrong.append(f"image {i} ({store.rows['image_id'][i]}) does not match its checksum: {error}.")
    digest = _digest_of(store.header, store.rows, store.evidence, sums)
    if not wrong and digest != store.digest:
        wrong.append(f"the contents' digest is {digest[:12]} but the file says {store.digest[:12]}.")
    return wrong
