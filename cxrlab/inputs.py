"""uint8 images of a store → the float tensors that a network sees.

In:    stores, rows, an image side.
Out:   images resident on the device (or streamed when they do not fit), and InputSpec.
Never: labels, targets, splits, networks.

Images are read and reduced once, kept as bytes, and normalised batch by batch on the device: no worker processes, no
decoding, a quarter of the memory of floats.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import torch

from cxrlab.errors import BadRun, BadSpec
from cxrlab.learning import devices
from cxrlab.progress import Progress
from cxrlab.store import Store

BLOCK = 256  # images read at a time
AT_ONCE = 2 * 2**20  # bytes that streaming reads before it hands over
SHARE = 0.5  # of the free memory that images may take
VALUES = ("fixed", "minmax", "percentile", "zscore")
PERCENTILES = (0.005, 0.995)
LEAST_STD = 0.02  # of full scale, about 5 grey levels
# Fields that a checkpoint of an older cxrlab lacks, as it meant them.
ADDED: dict[str, Any] = {"values": "fixed", "landmarks": []}
Rows = Sequence[tuple[Store, np.ndarray]]


@dataclass(frozen=True)
class InputSpec:
    """How bytes become a network's input. Saved in the checkpoint; scoring and maps read it there.

    A pixel 0..255 is first scaled to [low, high], then (value - mean) / std. With `values` "minmax" or "percentile" an
    image's own smallest and largest grey (or its 0.5 and 99.5 percentile) become low and high instead of 0 and 255; with
    "zscore" each image's own mean and deviation stand for mean and std.
    """

    image_px: int
    mean: float
    std: float
    channels: int = 1
    low: float = 0.0
    high: float = 1.0
    values: str = "fixed"  # a key of VALUES
    landmarks: tuple[float, ...] = ()  # of home, when its images were standardised: see variants

    def scale(self, images: torch.Tensor) -> torch.Tensor:
        """Return uint8 images (N, 1, H, W) as a new float32 tensor in [low, high]."""
        if self.values in ("minmax", "percentile"):
            return self._stretch(images)
        scaled = torch.mul(images, (self.high - self.low) / 255)  # one pass; .float() first would be another
        return scaled.add_(self.low) if self.low else scaled

    def _stretch(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        if self.values == "minmax":
            bottom, top = flat.amin(1), flat.amax(1)
        else:
            # Nearest rank: an image has no greys between its greys.
            ranks = [round(share * (flat.shape[1] - 1)) + 1 for share in PERCENTILES]
            bottom, top = (flat.kthvalue(rank, dim=1).values for rank in ranks)
        shape = (-1, *[1] * (images.ndim - 1))
        bottom, top = bottom.float().view(shape), top.float().view(shape)
        unit = images.float().sub_(bottom).div_((top - bottom).clamp_(min=1.0)).clamp_(0, 1)
        return unit.mul_(self.high - self.low).add_(self.low)

    def normalise(self, scaled: torch.Tensor) -> torch.Tensor:
        """Turn images (N, 1, H, W) in [low, high] into what the network wants, in place."""
        if self.values == "zscore":
            std, mean = torch.std_mean(scaled, dim=(1, 2, 3), keepdim=True, correction=0)
            # The floor keeps the noise of a nearly blank image from becoming its content.
            return scaled.sub_(mean).div_(std.clamp(min=LEAST_STD))
        if (self.mean, self.std) == (0.0, 1.0):
            return scaled
        return scaled.sub_(self.mean).div_(self.std)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of plain values; what an older cxrlab does not know is left out at its default."""
        fields = asdict(self) | {"landmarks": list(self.landmarks)}
        return {name: value for name, value in fields.items() if name not in ADDED or value != ADDED[name]}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "InputSpec":
        """Read what `to_json` gave, now or in an older cxrlab. Raises BadRun for unknown or missing fields."""
        told = set(fields) - set(ADDED)
        if told != {"image_px", "mean", "std", "channels", "low", "high"} or fields["channels"] != 1:
            raise BadRun(
                f"the checkpoint's input is {fields}; expected image_px, mean, std, low, high and 1 channel."
            )
        full = ADDED | fields
        if full["values"] not in VALUES:
            raise BadRun(
                f"the checkpoint scales grey values by {full['values']!r}; expected one of {', '.join(VALUES)}. "
                "Use the cxrlab that trained it."
            )
        return cls(**{**full, "landmarks": tuple(full["landmarks"])})


class Resident:
    """All images on the device; a batch is one gather."""

    def __init__(self, pixels: torch.Tensor, device: torch.device) -> None:
        self.pixels, self.device = pixels, device  # (N, px, px) uint8, on `device` or in RAM

    def __len__(self) -> int:
        return len(self.pixels)

    def batches(self, order: torch.Tensor | np.ndarray, batch: int) -> Iterator[torch.Tensor]:
        """Yield (B, 1, px, px) uint8 on the device for the positions in `order`, `batch` at a time."""
        order = torch.as_tensor(order).to(self.pixels.device)
        for start in range(0, len(order), batch):
            picked = self.pixels.index_select(0, order[start : start + batch])
            yield picked.to(self.device, non_blocking=True).unsqueeze(1)


class Streamed:
    """Images left on disk; a thread reads two batches ahead."""

    def __init__(self, rows: Rows, image_px: int, device: torch.device) -> None:
        self.rows, self.image_px, self.device = list(rows), image_px, device
        self.owner = np.concatenate([np.full(len(index), k) for k, (_, index) in enumerate(self.rows)])
        self.index = np.concatenate([index for _, index in self.rows])

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, order: torch.Tensor | np.ndarray, batch: int) -> Iterator[torch.Tensor]:
        """Yield (B, 1, px, px) uint8 on the device for the positions in `order`, `batch` at a time."""
        order = np.asarray(order)
        ready: queue.Queue[torch.Tensor | Exception | None] = queue.Queue(maxsize=2)
        stop = threading.Event()

        def put(item: torch.Tensor | Exception | None) -> None:
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.2)
                    return
                except queue.Full:
                    continue

        # Whole batches, as many as a handful of megabytes hold: every handing-over between threads costs a tenth.
        at_once = batch * max(1, AT_ONCE // (batch * self.image_px**2))

        def read() -> None:
            try:
                for start in range(0, len(order), at_once):
                    put(torch.from_numpy(self._read(order[start : start + at_once])))
                    if stop.is_set():
                        return
                put(None)
            except (OSError, RuntimeError, ValueError) as error:  # raised again by the consumer
                put(error)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                for part in item.split(batch):
                    yield part.to(self.device, non_blocking=True).unsqueeze(1)
        finally:
            stop.set()
            thread.join()

    def _read(self, positions: np.ndarray) -> np.ndarray:
        if len(self.rows) == 1:  # a copy less: it is what streaming costs beside the reading itself
            return fit(self.rows[0][0].images(self.index[positions]), self.image_px)
        out = np.empty((len(positions), self.image_px, self.image_px), np.uint8)
        for k in np.unique(self.owner[positions]):
            mine = self.owner[positions] == k
            out[mine] = fit(self.rows[k][0].images(self.index[positions[mine]]), self.image_px)
        return out


Images = Resident | Streamed


def fit(images: np.ndarray, image_px: int) -> np.ndarray:
    """Return (N, image_px, image_px) uint8 of (N, H, W) uint8.

    Reduction averages areas: linear interpolation would keep four times the noise (aliasing). A site whose store is
    smaller is enlarged linearly; that its pictures are blurred is a fact about the site.
    """
    if images.shape[1:] == (image_px, image_px):
        return images
    how = cv2.INTER_AREA if min(images.shape[1:]) >= image_px else cv2.INTER_LINEAR
    return np.stack([cv2.resize(image, (image_px, image_px), interpolation=how) for image in images])


def check_size(rows: Rows, image_px: int) -> None:
    """Raise BadSpec when home would have to be enlarged: its network would learn from pixels that nobody took."""
    for site, _ in rows:
        if min(site.image_shape) < image_px:
            raise BadSpec(
                f"the store of {site.site} holds images of {site.image_shape[1]}×{site.image_shape[0]} px, fewer than "
                f"the {image_px} asked; set the image side to at most {min(site.image_shape)} "
                "or ingest the site at a larger size."
            )


def load(
    rows: Rows,
    image_px: int,
    device: torch.device,
    progress: Progress | None = None,
    *,
    stage: str = "load",
    budget: dict[str, int] | None = None,
) -> Images:
    """Bring images as near to the device as they fit: on it, else in RAM, else streamed from disk.

    Args:
        rows: stores and the indices used there; positions count over them in this order.
        image_px: side after reduction.
        device: where batches go.
        progress: told the number of images read.
        stage: the name that progress is told.
        budget: bytes that may be taken, by device type ("cuda", "cpu"); None: half of what is free.
    """
    progress = progress or Progress()
    n = sum(len(index) for _, index in rows)
    need = n * image_px * image_px

    def fits(where: torch.device) -> bool:
        left = budget.get(where.type, 0) if budget is not None else SHARE * devices.free_bytes(where)
        return need <= left

    ram = torch.device("cpu")
    home = device if fits(device) else ram
    if home == ram and not fits(ram):
        return Streamed(rows, image_px, device)
    pixels = torch.empty((n, image_px, image_px), dtype=torch.uint8, device=home)
    progress.stage(stage, of=n)
    done = 0
    for site, index in rows:
        for start in range(0, len(index), BLOCK):
            block = fit(site.images(index[start : start + BLOCK]), image_px)
            pixels[done : done + len(block)] = torch.from_numpy(block).to(home)
            done += len(block)
            progress.step(done)
    return Resident(pixels, device)


def measure_mean_std(images: Images, positions: np.ndarray, most: int = 4096) -> tuple[float, float]:
    """Return mean and standard deviation of the pixels in [0, 1], from at most `most` evenly spaced images.

    Counted as integers, so every device and batch size gives the same two numbers.
    """
    picked = positions[np.linspace(0, len(positions) - 1, min(most, len(positions))).astype(np.int64)]
    counts = np.zeros(256, np.int64)
    for batch in images.batches(picked, 128):
        counts += torch.bincount(batch.flatten().long(), minlength=256).cpu().numpy()
    values = np.arange(256) / 255
    mean = float((counts * values).sum() / counts.sum())
    std = float(np.sqrt((counts * (values - mean) ** 2).sum() / counts.sum()))
    return mean, max(std, 1e-3)  # a site of blank images must not divide by nothing
