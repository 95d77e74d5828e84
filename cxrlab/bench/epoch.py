"""A whole epoch of ours, beside the loop that anybody would write by hand over tensors in memory.

In:    nothing; it writes a store of noise in a temporary folder.
Out:   one Line: training images a second over whole epochs; both sides with the same network, batch, precision, loss.
Never: validation and saving (neither side's); accuracy: noise teaches nothing.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from cxrlab import spec
from cxrlab.bench.base import Line
from cxrlab.bench.train import LABELS, write_noise
from cxrlab.learning import devices, loop
from cxrlab.learning import state as training
from cxrlab.models.base import build
from cxrlab.paths import Lab
from cxrlab.progress import Progress

IMAGE_PX, BATCH, ROUNDS = 64, 32, 3
BAR = 1.0


def run() -> list[Line]:
    """Return the one comparison; the two sides take turns, and the median of their epochs counts."""
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng():
        lab = Lab(Path(folder))
        write_noise(lab)
        wanted = spec.build(
            {
                "kind": "train",
                "view": {"source": ["noise"], "labels": LABELS, "image_px": IMAGE_PX},
                "training": {"epochs": 1000, "batch": BATCH, "augment": "none"},
            }
        )
        device = devices.pick()
        going = training.prepare(wanted, lab, device, Progress())
        peer = Textbook(going)
        ours, theirs = [], []
        for turn in range(ROUNDS + 1):
            theirs.append(peer.epoch())
            ours.append(epoch(going))
            if turn == 0:  # warms both up
                ours, theirs = [], []
    rate, bare = statistics.median(ours), statistics.median(theirs)
    return [
        Line(
            name="epoch",
            what=f"an epoch of DenseNet-121, {IMAGE_PX} px, batch {BATCH}, {going.precision} on {device.type}",
            ours=rate,
            peer=bare,
            unit="images/s",
            ratio=rate / bare,
            bar=BAR,
            note="peer: DataLoader over float32 tensors in memory, the same network, autocast, AdamW, BCE, channels last",
        )
    ]


def epoch(going: training.Training) -> float:
    """Return images a second of one epoch of ours."""
    going.step = 0
    start = time.perf_counter()
    for _ in loop.steps_of_epoch(going):
        pass
    devices.synchronize(going.device)
    going.epoch += 1
    return going.images_an_epoch / (time.perf_counter() - start)


class Textbook:
    """The peer: as the tutorials write it, with channels last and the precision that ours uses."""

    def __init__(self, going: training.Training) -> None:
        self.device, self.precision = going.device, going.precision
        self.net = build(going.plan).to(going.device, memory_format=torch.channels_last)
        rows = going.rows.train
        x = torch.cat(list(going.feed.batches(rows, 256))).cpu()
        y = torch.from_numpy(np.nan_to_num(going.rows.target[rows]))
        self.loader = DataLoader(TensorDataset(x, y), BATCH, shuffle=True, drop_last=True)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-4, weight_decay=1e-2, fused=True)

    def epoch(self) -> float:
        """Return images a second of one epoch."""
        self.net.train()
        start, n = time.perf_counter(), 0
        for x, y in self.loader:
            x = x.to(self.device, memory_format=torch.channels_last)
            self.optimizer.zero_grad(set_to_none=True)
            with devices.autocast(self.device, self.precision):
                out = self.net(x)
            loss = functional.binary_cross_entropy_with_logits(out.float(), y.to(self.device))
            loss.backward()
            self.optimizer.step()
            n += len(x)
        devices.synchronize(self.device)
        return n / (time.perf_counter() - start)
