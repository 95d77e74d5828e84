"""What somebody else says of a label, made from a column of words.

In:    "READER:LABEL=COLUMN:WORD|WORD vs WORD|WORD", as a person writes it.
Out:   `OtherTruth`, and its 0, 1 and NaN for the cells of that column.
Never: files; who is right.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cxrlab.errors import BadInput
from cxrlab.foreign.columns import label_of
from cxrlab.labels import check_labels

REST = "*"
_FORM = re.compile(r"([^:=]+):([^:=]+)=(.+?):(.+) vs (.+)")


@dataclass(frozen=True)
class OtherTruth:
    """`reader` says that `label` is there where `column` holds one of `present`, absent where one of `absent`.

    ("*",) in `absent`: every other word. A blank cell is unknown, always.
    """

    reader: str
    label: str
    column: str
    present: tuple[str, ...]
    absent: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "OtherTruth":
        """Read what a person wrote.

        >>> OtherTruth.parse("rsna:Pneumonia=rsna_class:Lung Opacity vs *").absent
        ('*',)

        Raises:
            BadInput: not of that form, or an unknown label.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise BadInput(
                f"--truth {text!r} is not of the form 'READER:LABEL=COLUMN:WORD vs WORD'; several words are parted "
                "by |, and * is every other word, for example 'rsna:Pneumonia=rsna_class:Lung Opacity vs Normal'."
            )
        reader, label, column, present, absent = (part.strip() for part in match.groups())
        label = label_of(label) or label
        check_labels((label,), f"--truth {text!r}")
        words = [tuple(word.strip() for word in side.split("|")) for side in (present, absent)]
        return cls(reader, label, column, *words)

    def __str__(self) -> str:
        return f"{self.reader}:{self.label}={self.column}:{'|'.join(self.present)} vs {'|'.join(self.absent)}"

    @property
    def name(self) -> str:
        """The predictions column that holds it."""
        return f"y@{self.reader}:{self.label}"

    def read(self, cells: Sequence[str], where: str) -> np.ndarray:
        """Return (N,) float64 of 0, 1 and NaN.

        Args:
            cells: (N,) text, "" where nothing is said.
            where: the file's name, for sentences.

        Raises:
            BadInput: a word that no cell holds.
        """
        text = np.asarray(cells, object)
        held = {word for word in text if word}
        missing = [word for word in (*self.present, *self.absent) if word != REST and word not in held]
        if missing:
            raise BadInput(
                f"no cell of {self.column} in {where} says {missing[0]!r}; it says: {', '.join(sorted(held)[:12])}."
            )
        out = np.where((text != "") & (REST in self.absent), 0.0, np.nan)
        out[np.isin(text, self.absent)] = 0
        out[np.isin(text, self.present)] = 1
        return out
