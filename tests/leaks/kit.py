"""Sites of phantoms whose copies are known."""

from functools import lru_cache

import cv2
import numpy as np
import pandas as pd

from cxrlab import phantom, store
from cxrlab.labels import Evidence

LABELS = ("No Finding", "Pneumonia")


@lru_cache(maxsize=8)
def drawn(recipe, n, seed, px=96):
    """Return n phantom radiographs, (n, px, px) uint8."""
    return np.stack([phantom.draw(recipe, i, px, seed).image for i in range(n)])


def write(
    lab, site, images, *, patients=None, dataset="folder", sizes=None, title="", split="", **preprocess
):
    """Write a store of these pictures; patients are its own unless named. Returns it, open."""
    n = len(images)
    rows = pd.DataFrame({column: [""] * n for column in store.ROW_COLUMNS})
    rows["image_id"] = [f"{site}-{i}" for i in range(n)]
    rows["patient_id"] = patients if patients is not None else [f"{site}-p{i}" for i in range(n)]
    rows["split_hint"], rows["age_years"] = split, 50.0
    rows["width"], rows["height"] = sizes if sizes is not None else images.shape[1:][::-1]
    evidence = np.zeros((n, 2), np.int8)
    evidence[::2, 0] = evidence[1::2, 1] = int(Evidence.POSITIVE)
    header = store.Header(site, title or site, "tests", LABELS, preprocess={"dataset": dataset, **preprocess})
    store.write(lab.store(site), header, rows, evidence, list(images))
    return store.read(lab.store(site))


def jpeg(image, quality=40):
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def resized(image, px):
    return cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA)


def cropped(image, share=0.03):
    """Cut `share` of the height and width, a third of it above and right, and stretch the rest to the old size."""
    cut, px = round(len(image) * share), len(image)
    return resized(image[cut // 3 : px - (cut - cut // 3), cut - cut // 3 : px - cut // 3], px)


def brightened(image):
    return np.clip(image * 0.75 + 25, 0, 255).astype(np.uint8)
