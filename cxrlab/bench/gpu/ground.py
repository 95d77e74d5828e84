"""Where the GPU bench stands: a lab of noise in a temporary folder, and how large everything is.

In:    a size: full for a GPU, miniature for a processor.
Out:   Size; stores of noise; specs and trainings over them.
Never: real radiographs; what is measured.
"""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from cxrlab import spec, store
from cxrlab.labels import NIH
from cxrlab.learning import devices, loop
from cxrlab.learning import state as training
from cxrlab.learning.state import Training
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec

BLOCK = 256  # images drawn at a time


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything."""

    check_px: int
    check_batch: int
    check_steps: int
    check_images: int
    check_networks: tuple[str, ...]
    state_network: str  # whose 16-bit steps, layout and resume are looked at
    full_network: str  # whose batch is to be larger than memory
    full_px: int
    full_batch: int
    networks: tuple[str, ...]
    image_px: int
    batches: tuple[int, ...]  # largest first: the first that fits is timed
    epoch_steps: int  # steps an epoch of the timed store, at the largest batch
    warm_up: int
    steps: int  # of one turn
    turns: int


FULL = Size(
    check_px=64,
    check_batch=32,
    check_steps=4,
    check_images=480,
    check_networks=("small_cnn", "densenet121"),
    state_network="densenet121",
    full_network="densenet121",
    full_px=224,
    full_batch=64,
    networks=("densenet121", "convnext_small"),
    image_px=224,
    batches=(256, 128, 64, 32),
    epoch_steps=20,
    warm_up=10,
    steps=10,
    turns=5,
)
MINIATURE = Size(
    check_px=32,
    check_batch=8,
    check_steps=2,
    check_images=80,
    check_networks=("small_cnn", "densenet121"),
    state_network="small_cnn",
    full_network="small_cnn",
    full_px=128,
    full_batch=64,
    networks=("resnet18", "mobilenetv3_large"),
    image_px=64,
    batches=(8,),
    epoch_steps=6,
    warm_up=1,
    steps=2,
    turns=1,
)


@contextmanager
def lab() -> Iterator[Lab]:
    """Give a lab that is gone afterwards; torch's generators are put back."""
    gpus = list(range(torch.cuda.device_count()))
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=gpus):
        yield Lab(Path(folder))


def images_for(batch: int, steps: int) -> int:
    """Return how many images leave `steps` batches for training; seven of ten patients do, more or less."""
    return int(batch * steps / 0.65) + 40


def write_noise(here: Lab, site: str, n: int, px: int) -> None:
    """Write a store of noise: pictures and labels that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({column: [""] * n for column in store.ROW_COLUMNS})
    rows["image_id"] = rows["patient_id"] = [f"i{i}" for i in range(n)]
    rows["age_years"], rows["width"], rows["height"] = np.nan, px, px
    evidence = rng.integers(0, 2, (n, len(NIH))).astype(np.int8)

    def pictures() -> Iterator[np.ndarray]:
        for start in range(0, n, BLOCK):
            yield from rng.integers(0, 256, (min(BLOCK, n - start), px, px), dtype=np.uint8)

    header = store.Header(site, "Noise", "made here", NIH, synthetic=True)
    store.write(here.store(site), header, rows, evidence, pictures())


def spec_of(site: str, network: str, px: int, batch: int, task: str = "labels", **more: object) -> TrainSpec:
    """Return a spec of ours; `more` are fields of its training.

    The rate is at its peak from the first step: warmed up over a thousand epochs, a few steps would move nothing.
    """
    view = {"source": [site], "labels": list(NIH), "image_px": px}
    rate = {"learning_rate": 1e-4, "schedule": "none", "schedule_options": {"warm_up": 0.0}}
    fields = {"epochs": 1000, "batch": batch, **rate, **more}
    return spec.build(
        {"kind": "train", "task": task, "view": view, "model": {"name": network}, "training": fields}
    )


def prepared(here: Lab, wanted: TrainSpec, device: torch.device) -> Training:
    """Return a training that is ready for its first step."""
    return training.prepare(wanted, here, device, Progress())


def without_dropout(going: Training) -> Training:
    """Switch dropout off: every kind of device draws its own, so that no two would agree with it."""
    for module in going.net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return going


def walk(going: Training, n: int) -> list[float]:
    """Take `n` steps of the real loop within one epoch; return their losses."""
    losses, before = [], float(going.loss_sum)
    steps = loop.steps_of_epoch(going)
    for _ in range(n):
        next(steps)
        now = float(going.loss_sum)
        losses.append(now - before)
        before = now
    steps.close()
    return losses


def weights_of(going: Training) -> torch.Tensor:
    """Return all weights as one vector on the CPU."""
    return torch.cat([p.detach().flatten().cpu() for p in going.net.parameters()])


def gradient_of(going: Training) -> torch.Tensor:
    """Return the last step's gradient as one vector on the CPU; of weights that had none, zeros."""
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in going.net.parameters()]
    return torch.cat([gradient.flatten().cpu() for gradient in gradients])


@contextmanager
def other_sums(device: torch.device) -> Iterator[None]:
    """Run a block with full float32 on a GPU; on a CPU with torch's own kernels, which add up in another order."""
    if device.type == "cuda":
        with devices.exact():
            yield
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "TF32 acceleration")  # of a GPU that nobody asked for
            with torch.backends.mkldnn.flags(enabled=False):
                yield


def rows_of(going: Training, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the first `n` training rows as the loop takes them: what is seen, targets, sites."""
    rows = torch.from_numpy(going.rows.train[:n])
    at = rows.to(going.device)
    return next(going.feed.batches(rows, n)), going.target[at], going.site[at]
