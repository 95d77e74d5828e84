"""Open data: what exists, under which conditions, and getting it.

In:    a collection's name.
Out:   its files in the lab, checked; for a collection that must be asked for, the steps.
Never: how a raw folder is read; credentials.
"""

from cxrlab.fetching.background import start, under_way
from cxrlab.fetching.catalogue import Collection, RemoteFile
from cxrlab.fetching.download import Patience
from cxrlab.fetching.getting import CATALOGUE, fetch, find, folder_of, ingest_commands, is_fetched

__all__ = [
    "CATALOGUE",
    "Collection",
    "Patience",
    "RemoteFile",
    "fetch",
    "find",
    "folder_of",
    "ingest_commands",
    "is_fetched",
    "start",
    "under_way",
]
