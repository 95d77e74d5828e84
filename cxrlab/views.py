"""Rows of a store, their targets and their splits: what we ask.

In:    a store, a label policy, a split rule.
Out:   arrays that training and scoring use; no image is read here.
Never: torch, files, streamlit.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cxrlab.errors import BadSpec
from cxrlab.labels import NO_FINDING, Evidence
from cxrlab.store import Store

Split = Literal["train", "val", "test", "external"]
Uncertain = Literal["ignore", "zeros", "ones"]
Blank = Literal["negative", "ignore"]


def split_of(patient_id: str, site: str) -> Split:
    """Return the split of a patient: train 70 %, val 10 %, test 20 %.

    It depends on the patient and site alone, so it never moves when rows are added; the site is in it because the
    patient numbers of two hospitals can collide.

    >>> split_of("17", "nih") == split_of("17", "nih")
    True
    """
    u = int.from_bytes(hashlib.sha256(f"{site}/{patient_id}".encode()).digest()[:8]) / 2**64
    return "train" if u < 0.7 else "val" if u < 0.8 else "test"


def target(evidence: np.ndarray, uncertain: Uncertain = "ignore", blank: Blank = "negative") -> np.ndarray:
    """Turn evidence into what we train on or score against.

    Args:
        evidence: any shape, int8 codes of labels.Evidence.
        uncertain: what UNCERTAIN becomes: NaN, 0 or 1.
        blank: what NOT_MENTIONED becomes: 0 or NaN. NOT_ANNOTATED is always NaN.

    Returns:
        The same shape, float32 of 0, 1 and NaN (masked).

    >>> target(np.array([1, 0, -1, -2, -3], "int8")).tolist()
    [1.0, 0.0, nan, 0.0, nan]
    """
    out = np.full(evidence.shape, np.nan, np.float32)
    out[evidence == Evidence.POSITIVE] = 1
    out[evidence == Evidence.NEGATIVE] = 0
    if uncertain != "ignore":
        out[evidence == Evidence.UNCERTAIN] = 1 if uncertain == "ones" else 0
    if blank == "negative":
        out[evidence == Evidence.NOT_MENTIONED] = 0
    return out


@dataclass(frozen=True)
class View:
    """Rows of one store, ready to be asked."""

    store: Store
    rows: np.ndarray  # (M,) int64, indices into the store
    split: np.ndarray  # (M,) str of "train", "val", "test" or "external"
    labels: tuple[str, ...]
    y_true: np.ndarray  # (M, L) float32 of 0, 1 and NaN (masked)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, keep: np.ndarray) -> "View":
        """Return the rows where `keep`, (M,) bool, is true."""
        return View(self.store, self.rows[keep], self.split[keep], self.labels, self.y_true[keep])

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
    uncertain: Uncertain = "ignore",
    blank: Blank = "negative",
    official_split: bool = False,
) -> View:
    """Return every row of `store` with targets and splits.

    Args:
        store: an open store.
        labels: columns of y_true, in this order.
        external: the site was not seen in training; all its rows are "external".
        uncertain: see `target`.
        blank: see `target`.
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
    y_true = target(evidence_of(store, labels), uncertain, blank)
    return View(store, np.arange(n), split, tuple(labels), y_true)


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


def abnormal(y_true: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Return (M,) float32: 1 abnormal, 0 normal, NaN unknown.

    Abnormal when any finding is positive or No Finding is 0; normal when No Finding is 1. A row whose No Finding is
    unknown and that has no positive finding is unknown.
    """
    findings = [k for k, label in enumerate(labels) if label != NO_FINDING]
    out = np.full(len(y_true), np.nan, np.float32)
    if NO_FINDING in labels:
        none = y_true[:, labels.index(NO_FINDING)]
        out[none == 1] = 0
        out[none == 0] = 1
    out[(y_true[:, findings] == 1).any(axis=1)] = 1
    return out
