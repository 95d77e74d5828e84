"""Batches of a store that does not fit in memory, beside reading its images one after another.

In:    nothing; it writes a store of noise in a temporary folder.
Out:   one Line: shuffled batches, images a second, over a plain sequential read of the same file.
Never: normalisation: both sides stop at bytes.
"""

import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

from cxrlab import inputs, store
from cxrlab.bench.base import Line
from cxrlab.sites.tables import finish_rows
from cxrlab.store import Header

N_IMAGES, IMAGE_PX, BATCH, ROUNDS = 8_000, 224, 32, 5
BAR = 0.9


def run() -> list[Line]:
    """Return the one comparison; the two sides take turns, and the median of their rounds counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.h5"
        make(path)
        opened = store.read(path)
        rows = [(opened, np.arange(N_IMAGES))]
        # No budget: what `inputs.load` gives where neither device nor memory has room.
        streamed = inputs.load(rows, IMAGE_PX, torch.device("cpu"), budget={"cpu": 0, "cuda": 0})
        ours, peer = [], []
        for turn in range(ROUNDS):
            peer.append(N_IMAGES / measure_plain(path))
            order = np.random.default_rng(turn).permutation(N_IMAGES)
            ours.append(N_IMAGES / measure_ours(streamed, order))
    rate, bare = statistics.median(ours), statistics.median(peer)
    return [
        Line(
            name="streaming",
            what=f"shuffled batches of {BATCH} at {IMAGE_PX} px from a store that is given no memory",
            ours=rate,
            peer=bare,
            unit="images/s",
            ratio=rate / bare,
            bar=BAR,
            note="peer: h5py, the same file, one image after another, nothing kept; both from the system's cache",
        )
    ]


def make(path: Path) -> None:
    """Write a store of noise."""
    rng = np.random.default_rng(0)
    names = pd.DataFrame(
        {"image_id": [f"i{i}" for i in range(N_IMAGES)], "patient_id": [f"p{i}" for i in range(N_IMAGES)]}
    )
    images = (rng.integers(0, 255, (IMAGE_PX, IMAGE_PX), np.uint8) for _ in range(N_IMAGES))
    header = Header("noise", "noise", "made up", ("No Finding",), synthetic=True)
    store.write(path, header, finish_rows(names), np.zeros((N_IMAGES, 1), np.int8), images)


def measure_plain(path: Path) -> float:
    """Return the seconds of reading every image in the file's order."""
    start = time.perf_counter()
    with h5py.File(path) as h5:
        images = h5["images"]
        for i in range(N_IMAGES):
            images[i]
    return time.perf_counter() - start


def measure_ours(streamed: inputs.Images, order: np.ndarray) -> float:
    """Return the seconds of an epoch's batches."""
    start = time.perf_counter()
    for batch in streamed.batches(order, BATCH):
        if batch.ndim != 4:
            raise RuntimeError(f"a batch of {tuple(batch.shape)}")
    return time.perf_counter() - start
