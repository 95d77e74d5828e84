"""Threshold sets that a person makes: by hand, from a file, to a file.

In:    a set, thresholds moved by hand, the bytes of an upload.
Out:   files in the lab's folder of sets.
Never: streamlit; tuning (metrics.thresholds does it).
"""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from cxrlab import files
from cxrlab.errors import BadInput
from cxrlab.labels import VOCABULARY
from cxrlab.metrics import thresholds
from cxrlab.metrics.thresholds import Threshold, ThresholdSet
from cxrlab.paths import Lab
from cxrlab.predictions import ABNORMAL

BY_HAND = "by hand"


def moved(base: ThresholdSet, by_hand: dict[str, float], name: str) -> ThresholdSet:
    """Return `base` under a new name with some thresholds replaced; their interval and F1 are no longer known."""
    labels = dict(base.labels)
    for label, value in by_hand.items():
        old = labels.get(label, Threshold())
        labels[label] = Threshold(threshold=value, n_pos=old.n_pos, n_neg=old.n_neg, rule=BY_HAND)
    return dataclasses.replace(base, name=name, labels=labels)


def save(lab: Lab, made: ThresholdSet) -> Path:
    """Write a set under its name.

    Raises:
        BadInput: the name cannot be a file's, is the tuned set's, or is taken.
    """
    files.check_name(made.name, "threshold set")
    path = lab.threshold_sets / f"{made.name}.json"
    if made.name == "tuned" or path.exists():
        raise BadInput(f"there is a threshold set named {made.name!r} already; choose another name.")
    thresholds.write(path, made)
    return path


def as_json(made: ThresholdSet) -> str:
    """Return the set as `thresholds.write` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        thresholds.write(path, made)
        return path.read_text(encoding="utf-8")


def check(made: ThresholdSet, name: str) -> None:
    """Raise BadInput unless every threshold lies on the scale of scores; `name` is the file's, for the sentence."""
    if not made.labels:
        raise BadInput(f"{name} holds no finding; expected at least one with a threshold.")
    for label, one in made.labels.items():
        if not isinstance(label, str) or label not in (*VOCABULARY, ABNORMAL):
            raise BadInput(
                f"{name} cuts {label!r}, which is no finding known here; known: {', '.join(VOCABULARY)}."
            )
        for field in ("threshold", "low", "high"):
            value = getattr(one, field)
            if not (np.isnan(value) or 0 <= value <= 1):
                raise BadInput(
                    f"{name} says {value:g} for the {field} of {label}; expected a number from 0 to 1, or null."
                )


def take_in(lab: Lab, name: str, data: bytes, run_id: str) -> Path:
    """Keep an uploaded set.

    Args:
        lab: where.
        name: of the uploaded file.
        data: its bytes.
        run_id: the run whose scores it must cut.

    Raises:
        BadInput: not a threshold set, made for another run, or its name is taken.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.json"
        path.write_bytes(data)
        try:
            read = thresholds.read(path)
        except BadInput as error:
            raise BadInput(f"{name} is not a threshold set: {str(error).replace(str(path), name)}") from error
    check(read, name)
    if read.run != run_id:
        raise BadInput(
            f"{name} cuts the scores of run {read.run}; this page shows {run_id}. Scores of two networks are not on "
            "one scale: choose that run above, or a file made for this one."
        )
    stem = Path(name).stem.lower().replace(" ", "-")
    return save(lab, dataclasses.replace(read, name=stem))
