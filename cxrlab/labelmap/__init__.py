"""What a site's own labels mean in the lab's vocabulary, as one table that a person can copy and edit.

In:    what a site's labeller said of each of its own labels (`Said`); a `LabelMap`.
Out:   evidence for our labels, and a ledger of what became what.
Never: raw folders, targets, policies.
"""

from cxrlab.labelmap.said import Said, from_classes, from_columns, from_lists
from cxrlab.labelmap.table import DATASETS, LabelMap, Rule, copy, of
from cxrlab.labelmap.translate import harmonise, ledger

__all__ = [
    "DATASETS",
    "LabelMap",
    "Rule",
    "Said",
    "copy",
    "from_classes",
    "from_columns",
    "from_lists",
    "harmonise",
    "ledger",
    "of",
]
