"""A whole epoch of ours, beside the loop that anybody would write by hand over tensors in memory.

In:    nothing; it writes a store of noise in a temporary folder.
Out:   a Line a network: training images a second over whole epochs, progress written as a job does; both sides with the
       same network, batch, precision, kernels' layout, optimizer and loss, each in a process of its own: ours in one
       like a job's, the peer's as Python starts it.
Never: validation and saving (neither side's); accuracy: noise teaches nothing.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from cxrlab import spec
from cxrlab.bench.base import Line, side
from cxrlab.bench.train import LABELS, write_noise
from cxrlab.learning import devices, loop
from cxrlab.learning import state as training
from cxrlab.models.base import build
from cxrlab.paths import Lab
from cxrlab.progress import Progress

IMAGE_PX, BATCH = 64, 32
# The second is small enough that a loop's own work would show beside it.
NETWORKS = {
    "densenet121": ("DenseNet-121", 7),
    "small_cnn": ("the small CNN", 9),
}  # title, turns of two epochs each
BAR = 1.0


def run() -> list[Line]:
    """Return a comparison a network. The sides alternate epoch by epoch, and the median of their turns counts."""
    with tempfile.TemporaryDirectory() as folder:
        write_noise(Lab(Path(folder)))
        return [compare(folder, name, title, turns) for name, (title, turns) in NETWORKS.items()]


def compare(folder: str, network: str, title: str, turns: int) -> Line:
    """Return the comparison of one network."""
    with contextlib.ExitStack() as open_:
        sides = {
            "ours": open_.enter_context(side(as_job=True, begin=begin, given=(folder, network, ours))),
            "peer": open_.enter_context(side(as_job=False, begin=begin, given=(folder, network, Textbook))),
        }
        took: dict[str, list[float]] = {name: [] for name in sides}  # two epochs a turn
        for turn in range(turns + 1):
            seconds = dict.fromkeys(took, 0.0)
            for name in (
                "ours",
                "peer",
                "peer",
                "ours",
            ):  # whoever goes first in a pair gains nothing from it
                seconds[name] += sides[name].submit(measure).result()
            if turn:  # the first warms both up
                for name, spent in seconds.items():
                    took[name].append(spent)
        n, precision, device = sides["ours"].submit(facts).result()
    # Turn by turn: a machine's mood lasts longer than a turn, and would be most of a ratio of medians.
    ratio = statistics.median(peers / ours for ours, peers in zip(took["ours"], took["peer"], strict=True))
    rate, bare = (2 * n / statistics.median(took[name]) for name in ("ours", "peer"))
    return Line(
        name="epoch",
        what=f"an epoch of {title}, {IMAGE_PX} px, batch {BATCH}, {precision} on {device}",
        ours=rate,
        peer=bare,
        unit="images/s",
        ratio=ratio,
        bar=BAR,
        note="peer: slices of shuffled float32 tensors in memory; the same network, autocast, AdamW, BCE, channels last",
    )


class _Here:
    """What a side's process trains."""

    going: training.Training
    epoch: Callable[[], None]


def begin(folder: str, network: str, make: Callable[[training.Training, Path], Callable[[], None]]) -> None:
    """Make ready, in a side's process, what `measure` measures."""
    wanted = spec.build(
        {
            "kind": "train",
            "view": {"source": ["noise"], "labels": LABELS, "image_px": IMAGE_PX},
            "model": {"name": network},
            "training": {"epochs": 1000, "batch": BATCH, "augment": "none"},
        }
    )
    _Here.going = training.prepare(wanted, Lab(Path(folder)), devices.pick(), Progress())
    _Here.epoch = make(_Here.going, Path(folder) / f"{network}.jsonl")


def measure() -> float:
    """Return the seconds of one epoch in this process."""
    start = time.perf_counter()
    _Here.epoch()
    devices.synchronize(_Here.going.device)
    return time.perf_counter() - start


def facts() -> tuple[int, str, str]:
    """Return images an epoch, precision and kind of device in this process."""
    return _Here.going.images_an_epoch, _Here.going.precision, _Here.going.device.type


def ours(going: training.Training, progress_at: Path) -> Callable[[], None]:
    """Return what trains one epoch of ours."""
    progress = Progress(progress_at)

    def epoch() -> None:
        going.step = 0
        progress.stage("train", of=going.steps)
        for _ in loop.steps_of_epoch(going):
            progress.step(going.step)
        going.epoch += 1

    return epoch


class Textbook:
    """The peer: as one writes it by hand for images that fit into memory, with the precision and layout that ours uses."""

    def __init__(self, going: training.Training, _: Path) -> None:
        self.device, self.precision = going.device, going.precision
        self.net = build(going.plan).to(going.device, memory_format=torch.channels_last)
        rows = going.rows.train
        self.x = torch.cat(list(going.feed.batches(rows, 256))).contiguous(memory_format=torch.channels_last)
        self.y = torch.from_numpy(np.nan_to_num(going.rows.target[rows])).to(going.device)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-4, weight_decay=1e-2, fused=True)

    def __call__(self) -> None:
        """Train one epoch."""
        self.net.train()
        order = torch.randperm(len(self.x)).to(self.device)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            self.optimizer.zero_grad(set_to_none=True)
            with devices.autocast(self.device, self.precision):
                out = self.net(self.x[rows])
            functional.binary_cross_entropy_with_logits(out.float(), self.y[rows]).backward()
            self.optimizer.step()
