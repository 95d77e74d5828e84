"""One site's HDF5 file: what is, and nothing that was decided about it.

In:    images, evidence and row facts from ingest; or a store, perhaps from elsewhere.
Out:   `stores/<site>.h5`, format "cxrlab-store" version 1; `write`, `read`, `check`.
Never: torch, label policies, splits, streamlit.
"""

from cxrlab.store.format import (
    BOX_COLUMNS,
    FORMAT,
    QUARANTINE_COLUMNS,
    ROW_COLUMNS,
    VERSION,
    Header,
    empty_boxes,
)
from cxrlab.store.reader import Store, check, read
from cxrlab.store.writer import write

__all__ = [
    "BOX_COLUMNS",
    "FORMAT",
    "QUARANTINE_COLUMNS",
    "ROW_COLUMNS",
    "VERSION",
    "Header",
    "Store",
    "check",
    "empty_boxes",
    "read",
    "write",
]
