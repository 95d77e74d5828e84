"""What a classifier's outputs are called there, and which labels of ours they are.

In:    "Atelectasis,Effusion,-", as a person writes it.
Out:   the names in the file's order, and our label of each; None for one that is not used.
Never: files, networks; a guess where two datasets mean different things by a word.
"""

from cxrlab import labelmap
from cxrlab.errors import BadInput
from cxrlab.foreign.columns import label_of
from cxrlab.labels import VOCABULARY

UNUSED = "-"


def parse(text: str) -> tuple[str, ...]:
    """Return the names between the commas.

    >>> parse("Atelectasis, Effusion,-")
    ('Atelectasis', 'Effusion', '-')
    """
    return tuple(name.strip() for name in text.split(",")) if text.strip() else ()


def labels_of(names: tuple[str, ...]) -> tuple[str | None, ...]:
    """Return our label of each output, None for one that is not used.

    >>> labels_of(("Effusion", "-", "Pleural_Thickening"))
    ('Pleural Effusion', None, 'Pleural Thickening')

    Raises:
        BadInput: a name is no label known here, two are one label, or none is used.
    """
    labels = tuple(None if name == UNUSED else _label(name) for name in names)
    named = [label for label in labels if label is not None]
    if not named:
        raise BadInput("no output is named; say --labels with the names of all outputs in the file's order.")
    for label in named:
        both = [name for name, one in zip(names, labels, strict=True) if one == label]
        if len(both) > 1:
            raise BadInput(
                f"{' and '.join(map(repr, both))} are one label here, {label!r}; put '-' for those that are not to be used."
            )
    return labels


def _label(name: str) -> str:
    found = label_of(name) or _by_maps(name)
    if found is None:
        raise BadInput(
            f"{name!r} is no label known here; put '-' for an output that is not to be used. Known: {', '.join(VOCABULARY)}."
        )
    return found


def _by_maps(name: str) -> str | None:
    """Return what the label maps of all datasets take `name` for, when they agree on one label."""
    plain = " ".join(name.replace("_", " ").split()).lower()
    meant: set[str] = set()
    for dataset in labelmap.DATASETS:
        for rule in labelmap.of(dataset).rules:
            if " ".join(rule.native.replace("_", " ").split()).lower() == plain and rule.says in (
                "same",
                "positive",
            ):
                meant.add(rule.label)
    meant.discard("")
    return meant.pop() if len(meant) == 1 else None
