"""Predictions of made-up sites with planted effects, for tests of numbers."""

import numpy as np
import pandas as pd

from cxrlab.predictions import Predictions


def predictions(
    site="here", *, n=1000, separation=2.0, prevalence=0.25, home=False, seed=0, re=0.0,
    labels=("Edema", "Pneumonia"),
):  # fmt: skip
    """One site: two images a patient; `separation` of the classes' logits in standard deviations; log-normal RE."""
    rng = np.random.default_rng(seed)
    row = np.arange(n)
    splits = np.array(["train", "val", "test"])
    table = pd.DataFrame(
        {
            "image_id": [f"{site}-{i}" for i in row],
            "row": row,
            "patient_id": (row // 2).astype(str),
            "split": splits[row // 2 % 3] if home else "external",
            "age_years": 50.0,
            "sex": "F",
            "view": "PA",
            "re": rng.lognormal(re, 0.3, n),
        }
    )
    for label in labels:
        y_true = (rng.random(n) < prevalence).astype(float)
        table[f"y:{label}"] = y_true
        table[f"logit:{label}"] = rng.normal(size=n) + separation * y_true - separation / 2 - 1
    return Predictions(table, "run", site, "spec", "store", "0", True)
