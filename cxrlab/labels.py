"""The vocabulary: findings' names, label spaces, and what a labeller can have said.

In:    nothing.
Out:   names and codes that every other room uses.
Never: files, frames, policies (a view decides what evidence means).
"""

import enum

from cxrlab.errors import BadInput


class Evidence(enum.IntEnum):
    """What a site's labeller said of a finding. The store keeps this; a view turns it into a target."""

    POSITIVE = 1
    NEGATIVE = 0
    UNCERTAIN = -1
    NOT_MENTIONED = -2
    NOT_ANNOTATED = -3  # the site never annotates this label; not the same as a blank cell


NO_FINDING = "No Finding"

# The nine labels that most public sites can be mapped to, in the order of the project's label map.
SHARED = (
    NO_FINDING,
    "Cardiomegaly",
    "Atelectasis",
    "Consolidation",
    "Pleural Effusion",
    "Pneumothorax",
    "Pneumonia",
    "Edema",
    "Lung Lesion",
)
CHEXPERT = (
    NO_FINDING,
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
NIH = (
    "Atelectasis",
    "Cardiomegaly",
    "Pleural Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural Thickening",
    "Hernia",
)
COMPETITION = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")

SPACES: dict[str, tuple[str, ...]] = {
    "shared-9": SHARED,
    "chexpert-14": CHEXPERT,
    "nih-14": NIH,
    "competition-5": COMPETITION,
}
VOCABULARY: tuple[str, ...] = tuple(dict.fromkeys((*SHARED, *CHEXPERT, *NIH)))


def check_labels(names: tuple[str, ...], where: str) -> None:
    """Raise BadInput for the first name outside the vocabulary.

    >>> check_labels(("Effusion",), "map.csv")
    Traceback (most recent call last):
    cxrlab.errors.BadInput: map.csv names the label 'Effusion'; did you mean 'Pleural Effusion'? Known labels: \
No Finding, Cardiomegaly, Atelectasis, Consolidation, Pleural Effusion, Pneumothorax, Pneumonia, Edema, \
Lung Lesion, Enlarged Cardiomediastinum, Lung Opacity, Pleural Other, Fracture, Support Devices, Infiltration, \
Mass, Nodule, Emphysema, Fibrosis, Pleural Thickening, Hernia.
    """
    for name in names:
        if name not in VOCABULARY:
            near = [
                known
                for known in VOCABULARY
                if name.lower() in known.lower() or known.lower() in name.lower()
            ]
            hint = f"did you mean {near[0]!r}? " if name and near else ""
            raise BadInput(f"{where} names the label {name!r}; {hint}Known labels: {', '.join(VOCABULARY)}.")
