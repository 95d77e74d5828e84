"""Batches from our resident bytes, beside a PyTorch DataLoader over the files that they came from.

In:    nothing; it draws grainy phantoms as PNG files of 1,024 pixels in a temporary folder.
Out:   one Line: normalised float batches, images a second, over those of two workers that decode and reduce.
Never: real radiographs.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from cxrlab import phantom
from cxrlab.bench.base import Line
from cxrlab.inputs import InputSpec, Resident, fit
from cxrlab.learning.feeds import ImageFeed

N_FILES, N_DISTINCT, N_RESIDENT = 192, 12, 2048
SOURCE_PX, IMAGE_PX, BATCH = 1024, 224, 32
WORKERS, ROUNDS, EPOCHS = 2, 3, 2
GRAIN = 1.2  # as bench/ingest.py: files of about 400 kB
BAR = 50.0
SEEN = InputSpec(IMAGE_PX, 0.45, 0.22)


class Files(Dataset):
    """The peer: decode, reduce by areas, scale, normalise, one file at a time in a worker process."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> torch.Tensor:
        image = cv2.imread(self.paths[i], cv2.IMREAD_GRAYSCALE)
        small = cv2.resize(image, (IMAGE_PX, IMAGE_PX), interpolation=cv2.INTER_AREA)
        return SEEN.normalise(torch.from_numpy(small)[None].float() / 255)


def run() -> list[Line]:
    """Return the one comparison; the two sides take turns, and the median of their rounds counts."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder))
        bytes_ = np.concatenate(
            [fit(cv2.imread(path, cv2.IMREAD_GRAYSCALE)[None], IMAGE_PX) for path in paths]
        )
        # More images than fit a processor's cache: a small resident set would flatter us.
        held = np.tile(bytes_, (N_RESIDENT // len(bytes_) + 1, 1, 1))[:N_RESIDENT]
        feed = ImageFeed(Resident(torch.from_numpy(held), torch.device("cpu")), SEEN)
        loader = DataLoader(Files(paths), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
        check_same(feed, Files(paths))
        measure(iter(loader))  # starts the workers, fills the file cache
        ours, peer = [], []
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the peer has two processes, we make do with one thread
        for turn in range(ROUNDS):
            peer.append(measure(batch for _ in range(EPOCHS) for batch in loader))
            order = torch.randperm(N_RESIDENT, generator=torch.Generator().manual_seed(turn))
            ours.append(measure(feed.batches(order, BATCH)))
        torch.set_num_threads(threads)
    rate, bare = statistics.median(ours), statistics.median(peer)
    return [
        Line(
            name="loader",
            what=f"normalised float batches of {BATCH} at {IMAGE_PX} px, one thread",
            ours=rate,
            peer=bare,
            unit="images/s",
            ratio=rate / bare,
            bar=BAR,
            note=f"peer: DataLoader, {WORKERS} workers, cv2.imread + cv2.resize of {SOURCE_PX} px PNG; ours has read them once",
        )
    ]


def write_files(folder: Path) -> list[str]:
    """Write N_FILES grainy phantoms and return their paths."""
    rng = np.random.default_rng(0)
    drawn = [phantom.draw("north", i, SOURCE_PX, 0).image for i in range(N_DISTINCT)]
    paths = []
    for i in range(N_FILES):
        grain = rng.normal(0, GRAIN, (SOURCE_PX, SOURCE_PX))
        image = np.clip(drawn[i % N_DISTINCT] + grain, 0, 255).astype(np.uint8)
        path = folder / f"{i:04d}.png"
        cv2.imwrite(str(path), image)
        paths.append(str(path))
    return paths


def check_same(feed: ImageFeed, files: Files) -> None:
    """Raise unless both sides deliver the same numbers: a fast wrong loader is no loader."""
    ours = next(feed.batches(np.arange(4), 4))
    peer = torch.stack([files[i] for i in range(4)])
    if not torch.allclose(ours, peer, atol=1e-5):
        raise RuntimeError("the two loaders deliver different pictures")


def measure(batches: Iterator[torch.Tensor]) -> float:
    """Return images a second until `batches` ends."""
    start, n = time.perf_counter(), 0
    for batch in batches:
        n += len(batch)
    return n / (time.perf_counter() - start)
