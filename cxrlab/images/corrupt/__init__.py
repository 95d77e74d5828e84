"""Planted shifts: what photographs, machines, vendors and technicians do to a radiograph, in known doses.

In:    one grey image (H, H) uint8, a kind, a severity 0 to 5, a seed and the image's name.
Out:   Effect: the image and, where points moved, the warp that carries boxes and masks along; the same for ever.
Never: torch, stores, labels.

>>> import numpy as np
>>> corrupt(np.zeros((64, 64), np.uint8), "glare", 0, image_id="a").image.any()
np.False_
"""

import numpy as np

from cxrlab.errors import BadInput
from cxrlab.images.corrupt import acquisition, framing, photo, vendor
from cxrlab.images.corrupt.base import (
    DISPLACEMENT,
    DISSIMILARITY,
    KINDS,
    Effect,
    Kind,
    apply,
    moved_boxes,
    moved_mask,
    stream,
)
from cxrlab.images.corrupt.table import SEVERITIES, Step
from cxrlab.images.corrupt.table import read as read_table

__all__ = [
    "DISPLACEMENT",
    "DISSIMILARITY",
    "FAMILIES",
    "KINDS",
    "SEVERITIES",
    "Effect",
    "Kind",
    "Step",
    "apply",
    "check_severity",
    "corrupt",
    "moved_boxes",
    "moved_mask",
    "step_of",
    "stream",
]

FAMILIES = (photo.FAMILY, acquisition.FAMILY, vendor.FAMILY, framing.FAMILY)


def check_severity(severity: int) -> None:
    """Raise BadInput unless `severity` is a whole number from 0 to 5."""
    if isinstance(severity, bool) or severity not in (0, *SEVERITIES):
        raise BadInput(
            f"a severity of {severity!r}; choose 1 (mild) to 5 (heavy), or 0 for an unchanged copy."
        )


def step_of(kind: str, severity: int) -> Step:
    """Return strength and dose of a severity; severity 0 has strength 0 and dose 0.

    Raises:
        UnknownName: no such kind.
        BadInput: no such severity.
    """
    chosen = KINDS[kind]
    check_severity(severity)
    if severity == 0:
        return Step(kind, 0, chosen.measure, 0.0, 0.0, 0.0, "")
    return read_table()[kind, int(severity)]


def corrupt(image: np.ndarray, kind: str, severity: int, *, image_id: str, seed: int = 0) -> Effect:
    """Return `image` under a planted shift.

    Args:
        image: (H, H) uint8, 16 to 2048 pixels a side.
        kind: a name in KINDS.
        severity: 0 (bit-equal) to 5; the same severity is the same measured dose for every kind (dose.py).
        image_id: with `seed` and `kind` it decides what is left to chance, whatever the order, process or size.
        seed: another seed, another draw.

    Raises:
        UnknownName: no such kind.
        BadInput: no such severity, or not a square grey image.
    """
    return apply(image, kind, step_of(kind, severity).strength, image_id=image_id, seed=seed)
