"""What others published for the same way from one site to another: to stand beside our numbers, never among them.

In:    published.csv: source, sites, label, AUROC, how it was split, where the figure was read.
Out:   the rows that fit a home, an external site and a label.
Never: our own numbers; figures known from memory only, or that contradict others of the same source.

A site's kind is its dataset's name, as the readers in cxrlab.sites are called where there is one.
"""

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


def for_(source: str, external: str, label: str | None = None) -> pd.DataFrame:
    """Return what was published for models of `source` tested at `external`, and at `source` itself.

    Args:
        source: kind or name of the home site.
        external: kind or name of the other site.
        label: None: every label.

    Returns:
        COLUMNS and `where` ("internal" or "external"); empty when nothing fits. A source's internal figure is of the
        same model as its external one only where `source` and `model` are the same in both rows.
    """
    home, there = kind_of(source), kind_of(external)
    rows = _table()
    fits = (rows["train"] == home) & rows["test"].isin([home, there])
    if label is not None:
        fits &= rows["label"] == label
    found = rows[fits & bool(home)].reset_index(drop=True)
    if not (found["test"] == there).any():
        return found.iloc[:0].assign(where="")
    return found.assign(where=["internal" if test == home else "external" for test in found["test"]])
