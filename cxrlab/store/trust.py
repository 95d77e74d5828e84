"""Whether an HDF5 file from outside keeps to itself and stores what it claims.

In:    an open HDF5 file.
Out:   nothing, or BadStore.
Never: what the arrays mean.
"""

from pathlib import Path

import h5py

from cxrlab.errors import BadStore

DEEPEST = 3  # groups inside groups; a store has two levels
SLACK = 4096  # bytes that small arrays may lack: attributes of one row, headers


def check(path: Path, group: h5py.Group, depth: int = 0) -> None:
    """Raise BadStore for anything that reaches outside the file or claims more than it stores.

    Soft, external and second hard links to a group above would send a reader elsewhere or round in circles; external
    and virtual storage read other files; an array that was declared but never written reads as gigabytes of zeros.
    """
    if depth > DEEPEST:
        raise BadStore(f"{path} holds groups {depth} deep; a store has two levels. Ingest the site again.")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise BadStore(
                f"{path} links from {name!r} to another place; a store from outside may not do that. Ingest the site again."
            )
        item = group[name]
        if isinstance(item, h5py.Group):
            check(path, item, depth + 1)
        else:
            _check_array(path, item)


def _check_array(path: Path, item: h5py.Dataset) -> None:
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise BadStore(f"{path} holds {item.name!r}, which is no array; ingest the site again.")
    if item.external or item.is_virtual:
        raise BadStore(
            f"{path} keeps {item.name!r} in another file; a store from outside may not do that. Ingest the site again."
        )
    if item.name.startswith("/masks/"):
        return  # compressed, mostly empty, and read one image at a time; store checks their shape
    stored = item.id.get_storage_size()
    if item.compression is not None or item.nbytes > 2 * stored + SLACK:
        raise BadStore(
            f"{path} claims {item.nbytes:,} bytes for {item.name!r} but stores {stored:,}; ingest the site again."
        )
