"""Tiny stores whose truth is known: a bright square is the finding."""

import numpy as np
import pandas as pd

from cxrlab import spec, store
from cxrlab.labels import Evidence

PX = 32
SIDE = 8  # of the square, pixels
LABELS = ("No Finding", "Pneumonia", "Edema")  # Edema is a coin: nothing in the picture shows it


def images(n, seed=0, px=PX, shown=True):
    """Return noise (n, px, px) uint8, whether each has the finding (n,), and the square's corner (n, 2)."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(60, 110, (n, px, px)).astype(np.uint8)
    has = rng.random(n) < 0.5
    corners = rng.integers(2, px - SIDE - 2, (n, 2))
    for i in np.flatnonzero(has) if shown else []:
        top, left = corners[i]
        pictures[i, top : top + SIDE, left : left + SIDE] = 230
    return pictures, has, corners


def write_site(lab, site, n=60, seed=0, px=PX, *, shown=True, change=None, images_a_patient=1):
    """Write a store of noise with squares; `change` edits its evidence in place. Returns (has, corners)."""
    pictures, has, corners = images(n, seed, px, shown)
    coin = np.random.default_rng(seed + 1000).random(n) < 0.5
    evidence = np.zeros((n, len(LABELS)), np.int8)
    evidence[:, 1], evidence[:, 2] = has, coin
    evidence[:, 0] = ~(has | coin)
    if change is not None:
        change(evidence)
    rows = pd.DataFrame({column: [""] * n for column in store.ROW_COLUMNS})
    rows["image_id"] = [f"{site}-{i}" for i in range(n)]
    rows["patient_id"] = [f"p{i // images_a_patient}" for i in range(n)]
    rows["age_years"], rows["width"], rows["height"] = 50.0, px, px
    header = store.Header(site, site.title(), "planted", LABELS, synthetic=True)
    store.write(lab.store(site), header, rows, evidence, list(pictures))
    return has, corners


def never_annotated(label):
    """Return a change that makes the site silent about `label`."""

    def change(evidence):
        evidence[:, LABELS.index(label)] = int(Evidence.NOT_ANNOTATED)

    return change


def train_spec(**fields):
    """Return a small TrainSpec at home "home"; view, model and training are merged into small defaults."""
    view = {"source": ("home",), "labels": LABELS, "image_px": PX, **fields.pop("view", {})}
    model = {"name": "small_cnn", **fields.pop("model", {})}
    training = {"epochs": 2, "batch": 8, "learning_rate": 3e-3, **fields.pop("training", {})}
    return spec.build({"kind": "train", "view": view, "model": model, "training": training, **fields})
