"""Which column means what: guessed from its name, or as a person said.

In:    column names of a file, and what a person said of some of them.
Out:   `Mapping`: column → meaning.
Never: cells.

Meanings: image_id, patient_id, age_years, sex, view, split; prob:<label>, logit:<label>, y:<label>; group:<name>
(a property to look at apart); skip.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cxrlab.errors import BadInput
from cxrlab.labels import VOCABULARY, check_labels

SKIP = "skip"
FACTS = {
    "image_id": ("imageindex", "imageid", "image", "imagename", "filename", "file", "path", "dicomid", "imagepath"),
    "patient_id": ("patientid", "patient", "subjectid", "subject"),
    "age_years": ("patientage", "age", "ageyears"),
    "sex": ("patientgender", "patientsex", "sex", "gender"),
    "view": ("viewposition", "view", "projection"),
    "split": ("split",),
}  # fmt: skip
# Other spellings, letters and digits only; names that differ in case, spaces or underscores need no entry.
SPELLINGS = {
    "effusion": "Pleural Effusion",
    "pleuraleffusions": "Pleural Effusion",
    "infiltrate": "Infiltration",
    "pleuralthicken": "Pleural Thickening",
    "enlargedcardiom": "Enlarged Cardiomediastinum",
    "opacity": "Lung Opacity",
    "lesion": "Lung Lesion",
    "nofindings": "No Finding",
    "oedema": "Edema",
    "pneumothoraces": "Pneumothorax",
    "supportdevice": "Support Devices",
    "fractures": "Fracture",
}
_KNOWN = {re.sub(r"[^a-z0-9]", "", label.lower()): label for label in VOCABULARY} | SPELLINGS
# What stands before or after a label's name, and what the column then is.
WORDS = {
    "prob": ("prob", "probability", "proba", "p", "score", "pred", "prediction", "output", "y_pred", "y_prob", "y_score"),
    "logit": ("logit", "logits"),
    "y": ("true", "truth", "target", "label", "gt", "y", "y_true"),
}  # fmt: skip
# A column that begins so can only be a score or a truth: an unknown label behind it is a mistake, not a property.
PLAIN_SPEECH = ("prob", "logit", "true")
_KIND = {word: kind for kind, words in WORDS.items() for word in words}
_WORD = "|".join(sorted(_KIND, key=len, reverse=True))
_FIRST = re.compile(rf"({_WORD})[_:\s.\-]+(.+)", re.IGNORECASE)
_LAST = re.compile(rf"(.+?)[_:\s.\-]+({_WORD})", re.IGNORECASE)


@dataclass(frozen=True)
class Mapping:
    """What the columns of a file mean. `others` mean nothing by name; a text column among them can be a group."""

    columns: dict[str, str]
    others: tuple[str, ...]

    def of(self, meaning: str) -> str | None:
        """Return the column with `meaning`, or None."""
        return next((name for name, one in self.columns.items() if one == meaning), None)

    def score_of(self, label: str) -> str | None:
        """Return the column with the label's scores, or None."""
        return self.of(f"prob:{label}") or self.of(f"logit:{label}")

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that have a score and a truth, in the order of the vocabulary."""
        return tuple(label for label in VOCABULARY if self.score_of(label) and self.of(f"y:{label}"))

    @property
    def alone(self) -> tuple[str, ...]:
        """Labels that have only a score or only a truth."""
        return tuple(
            label for label in VOCABULARY if bool(self.score_of(label)) != bool(self.of(f"y:{label}"))
        )


def label_of(name: str) -> str | None:
    """Return the label that `name` spells, or None.

    >>> label_of("Pleural_Thickening"), label_of("Effusion"), label_of("age")
    ('Pleural Thickening', 'Pleural Effusion', None)
    """
    return _KNOWN.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def guess(names: Sequence[str], said: dict[str, str], where: str) -> Mapping:
    """Return what the columns mean.

    A bare label (`Edema`) is the truth where another column is its score, and the score where another is its truth.

    Args:
        names: of the columns.
        said: column → meaning, by a person; wins over any guess.
        where: the file's name, for sentences.

    Raises:
        BadInput: a person named a column or label that is not there; a name is a score or truth of an unknown label;
            two columns mean the same; no label has both a score and a truth.
    """
    columns = _said(names, said, where)
    bare: dict[str, str] = {}
    others: list[str] = []
    for name in names:
        if name in columns:
            continue
        meaning = _meaning(name, where)
        if meaning and meaning.startswith("bare:"):
            bare[name] = meaning.removeprefix("bare:")
        elif meaning in FACTS and meaning in columns.values():
            others.append(name)  # of two columns that could be the patient the first is taken
        elif meaning:
            columns[name] = meaning
        else:
            others.append(name)
    for name, label in bare.items():
        kinds = {one.partition(":")[0] for one in columns.values() if one.partition(":")[2] == label}
        if kinds & {"prob", "logit"} and "y" not in kinds:
            columns[name] = f"y:{label}"
        elif kinds == {"y"}:
            columns[name] = f"prob:{label}"
        else:
            others.append(name)
    found = Mapping(columns, tuple(others))
    _check(found, names, where)
    return found


def _said(names: Sequence[str], said: dict[str, str], where: str) -> dict[str, str]:
    columns = {}
    for name, meaning in said.items():
        if name not in names:
            raise BadInput(f"{where} has no column {name!r}; it has: {_listing(names)}.")
        kind, colon, rest = meaning.partition(":")
        if kind in ("prob", "logit", "y") and colon:
            label = label_of(rest) or rest
            check_labels((label,), f"--map {name}={meaning}")
            meaning = f"{kind}:{label}"
        elif not (meaning in FACTS or meaning == SKIP or (kind == "group" and rest)):
            raise BadInput(
                f"--map {name}={meaning}: {meaning!r} is no meaning; known: {', '.join(FACTS)}, prob:LABEL, "
                "logit:LABEL, y:LABEL, group:NAME, skip."
            )
        columns[name] = meaning
    return columns


def _meaning(name: str, where: str) -> str | None:
    """Return the meaning that the name alone suggests, "bare:<label>" for a label without a word, or None."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for fact, spellings in FACTS.items():
        if plain in spellings:
            return fact
    if (label := label_of(name)) is not None:
        return f"bare:{label}"
    for match, word, rest in ((_FIRST.fullmatch(name), 1, 2), (_LAST.fullmatch(name), 2, 1)):
        if match is None:
            continue
        if (label := label_of(match[rest])) is not None:
            return f"{_KIND[match[word].lower()]}:{label}"
        if word == 1 and match[word].lower() in PLAIN_SPEECH:
            raise BadInput(
                f"{where} has the column {name!r}, and {match[rest]!r} is no label known here; known labels: "
                f"{', '.join(VOCABULARY)}. Say what it is with --map '{name}=prob:LABEL', or leave it out with "
                f"--map '{name}=skip'."
            )
    return None


def _check(found: Mapping, names: Sequence[str], where: str) -> None:
    for meaning in dict.fromkeys(found.columns.values()):
        both = [name for name, one in found.columns.items() if one == meaning]
        if len(both) > 1 and meaning != SKIP:
            raise BadInput(
                f"{where} says {meaning} twice, in {' and '.join(both)}; leave one out with --map '{both[1]}=skip'."
            )
    for label in VOCABULARY:
        if found.of(f"prob:{label}") and found.of(f"logit:{label}"):
            raise BadInput(
                f"{where} has a probability and a logit of {label}; leave one out with "
                f"--map '{found.of(f'logit:{label}')}=skip'."
            )
    if not found.labels:
        alone = f" {found.alone[0]} has only one of the two." if found.alone else ""
        raise BadInput(
            f"no label of {where} has both a score and a truth.{alone} It has the columns: {_listing(names)}. "
            "Name them, for example --map 'COLUMN=prob:Pneumonia' --map 'OTHER=y:Pneumonia'."
        )


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:30]) + (f" and {len(names) - 30} more" if len(names) > 30 else "")
