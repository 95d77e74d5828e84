"""Training with our real input path, beside the same step fed one constant batch.

In:    nothing; it writes a store of noise in a temporary lab.
Out:   one Line: DenseNet-121 at 64 px, steps a second with inputs over steps without.
Never: real radiographs; a number about how well it learns.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cxrlab import spec, store
from cxrlab.bench.base import Line, side
from cxrlab.learning import devices, loop
from cxrlab.learning import state as training
from cxrlab.paths import Lab
from cxrlab.progress import Progress

N_IMAGES, IMAGE_PX, BATCH = 1600, 64, 32
LABELS = ("No Finding", "Pneumonia", "Edema")
WARM_UP, TURNS = 3, 20  # of two steps each way
BAR = 0.97


def run() -> list[Line]:
    """Return the one comparison. The sides alternate step by step, so that a busy machine slows both alike."""
    with side(as_job=True) as process:
        return [process.submit(compare).result()]


def compare() -> Line:
    """Return the comparison, made in this process."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        write_noise(lab)
        wanted = spec.build(
            {
                "kind": "train",
                "view": {"source": ["noise"], "labels": LABELS, "image_px": IMAGE_PX},
                "training": {"epochs": 1000, "batch": BATCH},
            }
        )
        device = devices.pick()
        going = training.prepare(wanted, lab, device, Progress())
        fed = itertools.chain.from_iterable(iter(lambda: epoch(going), None))
        x = next(going.feed.batches(going.rows.train[:BATCH], BATCH))
        y = going.target[:BATCH]
        sides = {"ours": lambda: next(fed), "peer": lambda: loop.step(going, x, y, going.site[:BATCH], 0)}
        took: dict[str, list[float]] = {"ours": [], "peer": []}
        going.net.train()
        for turn in range(WARM_UP + TURNS):
            # ours, peer, peer, ours: whoever goes first in a pair gains nothing from it.
            for side in ("ours", "peer", "peer", "ours"):
                seconds = measure(sides[side], device)
                if turn >= WARM_UP:
                    took[side].append(seconds)
    ours, peer = (BATCH / statistics.median(took[side]) for side in ("ours", "peer"))
    return Line(
        name="train",
        what=f"DenseNet-121, {IMAGE_PX} px, batch {BATCH}, {going.precision} on {device.type}, augmented",
        ours=ours,
        peer=peer,
        unit="images/s",
        ratio=ours / peer,
        bar=BAR,
        note="peer: the same step fed one constant batch",
    )


def epoch(going: training.Training):  # noqa: ANN201  # the steps of one epoch, then ready for the next
    """Yield after every step of one epoch with our input path."""
    going.step = 0
    yield from loop.steps_of_epoch(going)
    going.epoch += 1


def measure(call: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that `call` takes, waiting for the device."""
    start = time.perf_counter()
    call()
    devices.synchronize(device)
    return time.perf_counter() - start


def write_noise(lab: Lab) -> None:
    """Write the store "noise": pictures and labels that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({column: [""] * N_IMAGES for column in store.ROW_COLUMNS})
    rows["image_id"] = rows["patient_id"] = [f"i{i}" for i in range(N_IMAGES)]
    rows["age_years"], rows["width"], rows["height"] = np.nan, IMAGE_PX, IMAGE_PX
    evidence = rng.integers(0, 2, (N_IMAGES, len(LABELS))).astype(np.int8)
    images = rng.integers(0, 256, (N_IMAGES, IMAGE_PX, IMAGE_PX), dtype=np.uint8)
    store.write(
        lab.store("noise"),
        store.Header("noise", "Noise", "made here", LABELS, synthetic=True),
        rows,
        evidence,
        images,
    )
