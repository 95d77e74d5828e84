"""A flat model read as a gate: does the patient have anything?

In:    Predictions of a findings model and of a normal/abnormal model at one site.
Out:   the findings model's Predictions for the gate's one question, on the gate's truth.
Never: thresholds; a truth of its own.
"""

import dataclasses

import pandas as pd

from cxrlab.labels import NO_FINDING
from cxrlab.predictions import ABNORMAL, FACTS, Predictions


def as_gate(flat: Predictions, gate: Predictions) -> Predictions:
    """Return what a findings model says of "abnormal", on the images that both models scored.

    Its logit is that of No Finding turned round, where it has that label; else the largest of its findings.

    Args:
        flat: of a findings model.
        gate: of a normal/abnormal model at the same site; it gives the truth.
    """
    if NO_FINDING in flat.labels:
        said = -flat.table[f"logit:{NO_FINDING}"]
    else:
        said = flat.table[[f"logit:{label}" for label in flat.labels]].max(axis=1)
    both = pd.merge(
        gate.table[[*FACTS, f"y:{ABNORMAL}"]],
        pd.DataFrame({"image_id": flat.table["image_id"], f"logit:{ABNORMAL}": said}),
        on="image_id",
        validate="one_to_one",
    )
    return dataclasses.replace(flat, table=both)
