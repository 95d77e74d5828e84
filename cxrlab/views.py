"""Rows of a store, their truth and their splits: what we ask.

In:    a store, a policy for blanks, a split rule. What uncertain evidence becomes in training is policies.target's.
Out:   arrays that training and scoring use; no image is read here.
Never: torch, files, streamlit.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cxrlab import policies
from cxrlab.errors import BadSpec
from cxrlab.labels import Evidence
from cxrlab.spec import Blank
from cxrlab.store import Store

Split = Literal["train", "val", "test", "external"]


def split_of(patient_id: str, site: str) -> Split:
    """Return the split of a patient: train 70 %, val 10 %, test 20 %.

    It depends on the patient and site alone, so it never moves when rows are added; the site is in it because the
    patient numbers of two hospitals can collide.

    >>> split_of("17", "nih") == split_of("17", "nih")
    True
    """
    u = int.from_bytes(hashlib.sha256(f"{site}/{patient_id}".encode()).digest()[:8]) / 2**64
    return "train" if u < 0.7 else "val" if u < 0.8 else "test"


@dataclass(frozen=True)
class View:
    """Rows of one store, ready to be asked."""

    store: Store
    rows: np.ndarray  # (M,) int64, indices into the store
    split: np.ndarray  # (M,) str of "train", "val", "test" or "external"
    labels: tuple[str, ...]
    evidence: np.ndarray  # (M, L) int8, codes of labels.Evidence
    y_true: np.ndarray  # (M, L) float32 of 0, 1 and NaN (masked; uncertain evidence always is)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, keep: np.ndarray) -> "View":
        """Return the rows where `keep`, (M,) bool, is true."""
        at = (self.rows[keep], self.split[keep], self.labels, self.evidence[keep], self.y_true[keep])
        return View(self.store, *at)

    @property
    def facts(self) -> pd.DataFrame:
        """The store's row facts of this view, (M, ...), index 0..M-1."""
        return self.store.rows.iloc[self.rows].reset_index(drop=True)


def evidence_of(store: Store, labels: tuple[str, ...]) -> np.ndarray:
    """Return (N, len(labels)) int8; a label that the site lacks is NOT_ANNOTATED throughout."""
    out = np.full((len(store), len(labels)), int(Evidence.NOT_ANNOTATED), np.int8)
    for k, label in enumerate(labels):
        if label in store.header.labels:
            out[:, k] = store.evidence[:, store.header.labels.index(label)]
    return out


def view(
    store: Store,
    labels: tuple[str, ...],
    *,
    external: bool,
    blank: Blank = "negative",
    blank_of: Mapping[str, Blank] | None = None,
    official_split: bool = False,
) -> View:
    """Return every row of `store` with truth and splits.

    Args:
        store: an open store.
        labels: columns of y_true, in this order.
        external: the site was not seen in training; all its rows are "external".
        blank: see policies.truth.
        blank_of: see policies.truth.
        official_split: use the site's own split where it gives one for every row.

    Raises:
        BadSpec: the site has no official split, or one patient is in two of its parts.
    """
    n = len(store)
    if external:
        split = np.full(n, "external", object)
    elif official_split:
        split = _official(store)
    else:
        of = {p: split_of(p, store.site) for p in store.rows["patient_id"].unique()}
        split = store.rows["patient_id"].map(of).to_numpy(object)
    evidence = evidence_of(store, labels)
    y_true = policies.truth(evidence, labels, blank, blank_of)
    return View(store, np.arange(n), split, tuple(labels), evidence, y_true)


def _official(store: Store) -> np.ndarray:
    hint = store.rows["split_hint"]
    if (hint == "").any():
        raise BadSpec(
            f"{store.site} gives no official split for {int((hint == '').sum())} rows; use the patient split."
        )
    parts = hint.groupby(store.rows["patient_id"]).nunique()
    if (parts > 1).any():
        raise BadSpec(
            f"the patient {parts.idxmax()!r} is in {parts.max()} parts of {store.site}'s official split; "
            "use the patient split."
        )
    return hint.to_numpy(object)
