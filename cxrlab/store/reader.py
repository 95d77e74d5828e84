"""Opens a store that may come from anywhere, and checks it.

In:    `stores/<site>.h5`, format "cxrlab-store" version 1, perhaps from elsewhere.
Out:   an open Store; what is wrong with it.
Never: torch, label policies, splits, streamlit.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cxrlab import files
from cxrlab.errors import BadInput, BadStore, MissingInput
from cxrlab.store import kinds, trust
from cxrlab.store.format import (
    BOX_COLUMNS,
    FORMAT,
    QUARANTINE_COLUMNS,
    ROW_COLUMNS,
    VERSION,
    Header,
    digest_of,
    seal_of,
)

CHECKSUM_BYTES = 4  # fletcher32, behind each chunk


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
    facts: pd.DataFrame = field(
        default_factory=pd.DataFrame
    )  # (N, any columns) str; no columns where there are none
    votes: np.ndarray | None = None  # (N, L) int8, readers who said positive, -1 not known
    seal: str = ""  # digest of what `digest` leaves out: texts, quarantine, boxes, masks; "" in older stores

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def site(self) -> str:
        """The site's name."""
        return self.header.site

    def image(self, i: int) -> np.ndarray:
        """Return image i, (H, W) uint8."""
        return _handle(self.path)["images"][i]

    def images(self, rows: Iterable[int]) -> np.ndarray:
        """Return the images at `rows`, (M, H, W) uint8, in that order."""
        rows = rows if isinstance(rows, np.ndarray) else np.asarray(list(rows), dtype=np.int64)
        out = np.empty((len(rows), *self.image_shape), np.uint8)
        data = _handle(self.path)["images"]
        size, seen = out[0].size if len(out) else 0, _seen(self.path)
        buffer = bytearray(size + CHECKSUM_BYTES)
        as_promised = data.chunks == (1, *self.image_shape) and data.fletcher32 and data.compression is None
        # A list index on a chunked dataset is 150 times slower than this loop; sorted, the disk reads forwards.
        for k in np.argsort(rows, kind="stable"):
            i = int(rows[k])
            if as_promised and seen[i]:
                # Its checksum was compared when this process first read it; doing so again would take half the time.
                data.id.read_direct_chunk((i, 0, 0), out=buffer)
                out[k] = np.frombuffer(buffer, np.uint8, size).reshape(self.image_shape)
            else:
                out[k] = data[i]
                seen[i] = True
        return out

    def mask(self, name: str, i: int) -> np.ndarray:
        """Return the mask of structure `name` on image i, (H, W) bool."""
        if name not in self.mask_names:
            raise MissingInput(
                f"{self.site} has no {name!r} masks; it has: {', '.join(self.mask_names) or 'none'}."
            )
        return _handle(self.path)["masks"][name][i] > 0


def _handle(path: Path) -> h5py.File:
    """Return the open file; a store that was replaced is opened anew."""
    try:
        mtime_ns = path.stat().st_mtime_ns
    except FileNotFoundError as error:
        raise MissingInput(f"no store at {path}; make it with `python -m cxrlab ingest`.") from error
    return _open(str(path), mtime_ns, os.getpid())


def _seen(path: Path) -> np.ndarray:
    """Return (N,) bool, which images of the open file this process has compared with their checksums."""
    return _compared(str(path), path.stat().st_mtime_ns, os.getpid())


@lru_cache(maxsize=32)
def _compared(path: str, mtime_ns: int, pid: int) -> np.ndarray:
    return np.zeros(len(_open(path, mtime_ns, pid)["images"]), bool)


@lru_cache(maxsize=32)
def _open(path: str, mtime_ns: int, pid: int) -> h5py.File:
    # One handle per file, version and process: safe under fork and spawn, and three times faster than reopening.
    return h5py.File(path, "r")


def read(path: Path) -> Store:
    """Open a store that may come from anywhere.

    Raises:
        MissingInput: there is no such file.
        BadStore: not a store, another version, incomplete, or it points outside itself.
    """
    path = Path(path)
    try:
        h5 = _handle(path)
    except OSError as error:
        raise BadStore(f"{path} is not a readable HDF5 file ({error}); ingest the site again.") from error
    try:
        return _read(path, h5)
    except (KeyError, ValueError, TypeError, OSError, OverflowError, RuntimeError, BadInput) as error:
        raise BadStore(f"{path} is damaged ({error}); ingest the site again.") from error


def _read(path: Path, h5: h5py.File) -> Store:
    attrs = {name: kinds.text(value) for name, value in h5.attrs.items()}
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
    header = kinds.header(attrs, str(path))
    rows = kinds.table(h5["rows"], ROW_COLUMNS)
    sides, shape = kinds.pictures(h5, len(rows)), (len(rows), len(header.labels))
    if rows["image_id"].duplicated().any():
        raise BadStore(f"{path} names an image twice; ingest the site again.")
    evidence = kinds.whole_numbers(h5, "evidence", shape, kinds.CODES)
    votes = kinds.whole_numbers(h5, "votes", shape, None) if "votes" in h5 else None
    facts = (
        kinds.table(h5["facts"], dict.fromkeys(sorted(h5["facts"]), "str"))
        if "facts" in h5
        else pd.DataFrame()
    )
    if len(facts.columns) and len(facts) != len(rows):
        raise BadStore(f"{path} holds facts of other images than its rows; ingest the site again.")
    return Store(
        facts=facts,
        votes=votes,
        path=path,
        header=header,
        digest=str(attrs["digest"]),
        seal=str(attrs.get("seal", "")),
        rows=rows,
        evidence=evidence,
        quarantine=kinds.table(h5["quarantine"], dict.fromkeys(QUARANTINE_COLUMNS, "str")),
        boxes=kinds.table(
            h5["boxes"], {c: "str" if c in BOX_COLUMNS[:2] else "float32" for c in BOX_COLUMNS}
        ),
        mask_names=tuple(h5.get("masks", {})),
        image_shape=sides,
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
    digest = digest_of(store.header, store.rows, store.evidence, sums, store.facts, store.votes)
    if not wrong and digest != store.digest:
        wrong.append(f"the contents' digest is {digest[:12]} but the file says {store.digest[:12]}.")
    return wrong + _check_rest(store)


def _check_rest(store: Store) -> list[str]:
    """Return what is wrong with the masks and with what the digest leaves out."""
    wrong: list[str] = []
    sums: dict[str, str] = {}
    for name in store.mask_names:
        try:
            each = [files.digest_of(store.mask(name, i).tobytes()) for i in range(len(store))]
        except OSError as error:
            wrong.append(f"the masks of {name!r} cannot be read: {error}.")
            continue
        sums[name] = files.digest_of(*each)
    seal = seal_of(store.header, store.quarantine, store.boxes, sums)
    if store.seal and not wrong and seal != store.seal:
        wrong.append(
            "its title, ledger, quarantine, boxes or masks are not those that were written "
            f"({seal[:12]}; the file says {store.seal[:12]})."
        )
    return wrong
