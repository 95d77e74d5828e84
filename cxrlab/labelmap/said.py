"""What a site's labeller said, in the site's own words.

In:    lists of labels, columns of cells, or one class an image.
Out:   Said: one code of labels.Evidence an image and native label.
Never: our labels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cxrlab.labelmap.table import LabelMap, plain
from cxrlab.labels import Evidence


@dataclass(frozen=True)
class Said:
    """Evidence in a site's own words."""

    natives: tuple[str, ...]  # (K,) the site's own labels, as it writes them
    codes: np.ndarray  # (N, K) int8 of labels.Evidence

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, keep: np.ndarray) -> "Said":
        """Return the images at `keep`, (M,) indices or (N,) bool."""
        return Said(self.natives, self.codes[keep])


def from_lists(lists: Sequence[Iterable[str]], known: LabelMap, annotated: np.ndarray | None = None) -> Said:
    """Return what lists of positive labels say: a label of the map that is absent is negative.

    Names are compared whole, never as parts of one another, without regard to case and repeated spaces.

    Args:
        lists: (N,) the native labels of each image.
        known: the map; the native labels that it names were looked for in every image.
        annotated: (N,) bool, False where nobody looked: everything is NOT_ANNOTATED there. None: all True.
    """
    spelled = {plain(native): native for native in known.natives}
    for labels in lists:
        for label in labels:
            spelled.setdefault(plain(label), " ".join(label.split()))
    spelled.pop("", None)
    column = {name: k for k, name in enumerate(spelled)}
    codes = np.full((len(lists), len(column)), int(Evidence.NEGATIVE), np.int8)
    for i, labels in enumerate(lists):
        for label in labels:
            if (name := plain(label)) in column:
                codes[i, column[name]] = Evidence.POSITIVE
    if annotated is not None:
        codes[~np.asarray(annotated, bool)] = Evidence.NOT_ANNOTATED
    return Said(tuple(spelled.values()), codes)


def from_columns(natives: Sequence[str], codes: np.ndarray) -> Said:
    """Return what a table with one column a label says.

    Args:
        natives: (K,) the columns' names.
        codes: (N, K) int8 of labels.Evidence.
    """
    return Said(tuple(natives), np.asarray(codes, np.int8).reshape(-1, len(natives)))


def from_classes(classes: Sequence[str]) -> Said:
    """Return what one class an image says: of the other classes nothing is known.

    Args:
        classes: (N,) the native class of each image.
    """
    natives = tuple(sorted(dict.fromkeys(classes)))
    column = {name: k for k, name in enumerate(natives)}
    codes = np.full((len(classes), len(natives)), int(Evidence.NOT_ANNOTATED), np.int8)
    codes[np.arange(len(classes)), [column[name] for name in classes]] = Evidence.POSITIVE
    return Said(natives, codes)
