"""What others published for the same way from one site to another: to stand beside our numbers, never among them.

In:    published.csv: source, sites, label, AUROC, how it was split, where the figure was read.
Out:   the rows that fit a home, an external site and a label.
Never: our own numbers; figures known from memory only, or that contradict others of the same source.

A site's kind is its dataset's name, as the readers in cxrlab.sites are called where there is one.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).with_name("published.csv")
COLUMNS = ("train", "test", "label", "auroc", "source", "model", "note", "grade")
# What sites are called: readers' names and words that people use → kind in the table.
KINDS = {
    "kermany": "guangzhou",
    "pneumoniamnist": "guangzhou",
    "chestxray14": "nih",
    "chest-xray14": "nih",
    "chexpert-small": "chexpert",
    "mimic-cxr": "mimic",
    "vinbigdata": "vindr",
    "vindr-cxr": "vindr",
}


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED)


def table() -> pd.DataFrame:
    """Return every row: COLUMNS; grade says where the figure was read (result files, README, abstract, …)."""
    return _table().copy()


def kind_of(name: str) -> str:
    """Return the kind of a dataset or site by its name, or "" where none is known.

    >>> kind_of("kermany"), kind_of("NIH"), kind_of("riverside")
    ('guangzhou', 'nih', '')
    """
    name = name.lower()
    kind = KINDS.get(name, name)
    return kind if kind in {*_table()["train"], *_table()["test"]} else ""


def beside(home: str, sites: Iterable[str], label: str) -> pd.DataFrame:
    """Return what was published of `label` on the data that our sites hold, by models trained where home is.

    Args:
        home: name or kind of the home site; "" where it is not known: models trained anywhere.
        sites: names or kinds of the sites to set it beside, home among them for internal figures.
        label: one label.

    Returns:
        COLUMNS and `site`, our name of what it was tested on; empty when nothing fits. A figure at home is of the same
        model as one elsewhere only where `source` and `model` are the same in both rows.
    """
    rows = _table()
    named = {kind: site for site in sites if (kind := kind_of(site))}
    fits = rows["test"].isin(list(named)) & (rows["label"] == label)
    if home:
        fits &= rows["train"] == kind_of(home)
    found = rows[fits].reset_index(drop=True)
    return found.assign(site=found["test"].map(named))
