"""Small stores of phantoms, with true lungs, for the tests of variants."""

import cv2
import numpy as np
import pandas as pd

from cxrlab import phantom, store
from cxrlab.labels import SHARED

N, PX = 24, 96


def write_phantoms(lab, site, recipe="north", n=N, gain=1.0, gamma=1.0, start=0):
    drawn = [phantom.draw(recipe, start + i, PX) for i in range(n)]
    rows = pd.DataFrame([one.facts for one in drawn])
    for column, kind in store.ROW_COLUMNS.items():
        if column not in rows:
            rows[column] = "" if kind == "str" else 0
    rows["image_id"] = [f"{site}-{i}" for i in range(n)]
    rows["patient_id"] = [f"p{i}" for i in range(n)]
    rows["width"], rows["height"] = 200, 300
    boxes = [
        (f"{site}-{i}", "Pneumonia", x / PX, y / PX, w / PX, h / PX)
        for i, one in enumerate(drawn)
        for x, y, w, h in [cv2.boundingRect(one.masks["lungs"].astype(np.uint8))]
    ]
    store.write(
        lab.store(site),
        store.Header(site, site.title(), "phantoms", SHARED, synthetic=True, preprocess={"px": PX}),
        rows,
        np.array([[one.evidence[label] for label in SHARED] for one in drawn], np.int8),
        (np.rint(255 * gain * (one.image / 255) ** gamma).astype(np.uint8) for one in drawn),
        quarantine=[("x.png", "cut off")],
        boxes=pd.DataFrame(boxes, columns=list(store.BOX_COLUMNS)),
        masks={name: [one.masks[name] for one in drawn] for name in ("lungs", "Pneumonia")},
    )
    return store.read(lab.store(site))
