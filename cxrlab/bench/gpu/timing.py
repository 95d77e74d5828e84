"""Images a second of our training loop and of timm's own training step, in turns.

In:    a lab, a device, a size, names of networks.
Out:   Row: both sides' images a second, utilisation, memory; our inference.
Never: what a network learns; timm's data loading, augmentation and logging, which its side is spared.
"""

import gc
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field

import timm
import torch
from timm.loss import BinaryCrossEntropy
from timm.optim import create_optimizer_v2
from timm.utils import NativeScaler

from cxrlab.bench.gpu import ground, peaks
from cxrlab.bench.gpu.ground import Size
from cxrlab.bench.train import epoch
from cxrlab.choices.networks import CHOICES
from cxrlab.errors import BadRun, BadSpec
from cxrlab.labels import NIH
from cxrlab.learning import devices, feeds
from cxrlab.learning.efficiency import count_forward_flops, forget_peak, measure_inference, peak_memory_bytes
from cxrlab.learning.state import Training
from cxrlab.models.backbones import DROPOUT, SHAPES
from cxrlab.models.timing import for_timing
from cxrlab.paths import Lab

SITE = "timed"
NAN = math.nan


@dataclass(frozen=True)
class Side:
    """What one side needed for a step."""

    images_per_s: float = NAN
    ms_a_step: float = NAN
    utilisation: float = NAN  # of the device's dense peak, see peaks.utilisation
    peak_bytes: float = NAN  # of the GPU's tensors, on top of what lay there before the side was built


@dataclass(frozen=True)
class Row:
    """One network, timed."""

    network: str
    image_px: int
    batch: int
    precision: str
    compiled: bool
    forward_flops: int
    ours: Side = Side()
    timm: Side = Side()
    why_nan: str = ""  # why a utilisation is NaN
    inference: dict[str, dict[str, float]] = field(
        default_factory=dict
    )  # how → milliseconds a batch, images/s
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Our images a second over timm's."""
        return self.ours.images_per_s / self.timm.images_per_s


class TooLarge(Exception):
    """A batch does not fit whole."""


class Ours:
    """The real loop over a store: order, feed, augmentation, step."""

    def __init__(self, here: Lab, device: torch.device, row: Row, autotune: bool) -> None:
        wanted = ground.spec_of(
            SITE, row.network, row.image_px, row.batch, precision=row.precision, compile=row.compiled
        )
        self.going: Training = ground.prepared(here, wanted, device)
        self.autotune = autotune
        self.going.net.train()
        self._fed: Iterator[None] = itertools.chain.from_iterable(iter(lambda: epoch(self.going), None))

    def step(self) -> None:
        """Train on the next batch."""
        next(self._fed)
        if self.going.parts > 1:
            raise TooLarge

    def kernels(self) -> AbstractContextManager[None]:
        """Choose kernels as our runs do; by trying them, where asked."""
        return _tried() if self.autotune else nullcontext()

    def close(self) -> None:
        """Let go of what is on the device."""
        del self.going, self._fed


class Timms:
    """timm's train.py from the loader on: --amp --channels-last --bce-loss --opt adamw, cuDNN trying its kernels.

    Source: huggingface/pytorch-image-models, train.py, train_one_epoch.
    """

    def __init__(self, device: torch.device, row: Row) -> None:
        sized = row.network in SHAPES and SHAPES[row.network].sized
        more = {"img_size": row.image_px} if sized else {}
        net = timm.create_model(
            CHOICES[row.network].tag, in_chans=1, num_classes=len(NIH), drop_rate=DROPOUT, **more
        )
        net = net.to(device).to(memory_format=torch.channels_last).train()
        self.device, self.precision = device, row.precision
        self.optimizer = create_optimizer_v2(net, opt="adamw", lr=1e-4, weight_decay=1e-2)
        self.net = torch.compile(net) if row.compiled else net
        self.loss = BinaryCrossEntropy(smoothing=0.0).to(device)
        self.scaler = NativeScaler(device=device.type) if row.precision == "fp16" else None
        drawn = torch.Generator().manual_seed(0)
        shape = (row.batch, 1, row.image_px, row.image_px)
        x = torch.randn(shape, generator=drawn).to(device)
        self.x = x.contiguous(memory_format=torch.channels_last)
        self.y = torch.randint(0, 2, (row.batch, len(NIH)), generator=drawn).float().to(device)

    def step(self) -> None:
        """Train on the constant batch."""
        with devices.autocast(self.device, self.precision):
            loss = self.loss(self.net(self.x), self.y)
        if self.scaler is not None:
            self.scaler(loss, self.optimizer)
        else:
            loss.backward()
            self.optimizer.step()
        self.optimizer.zero_grad()

    def kernels(self) -> AbstractContextManager[None]:
        """Choose kernels as timm does: by trying them."""
        return _tried()

    def close(self) -> None:
        """Let go of what is on the device."""
        del self.net, self.optimizer, self.x, self.y


def _tried() -> AbstractContextManager[None]:
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True)


def precision_for(device: torch.device) -> str:
    """Return the 16 bits that the device multiplies; on a CPU what training there takes."""
    if device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False):
        return devices.training_precision(device)
    return "fp16"


def rows(
    here: Lab, device: torch.device, size: Size, device_name: str, compiled: bool, autotune: bool
) -> Iterator[Row]:
    """Yield a row a network; with `compiled` a second one of compiled networks."""
    untagged = [name for name in size.networks if name not in CHOICES or not CHOICES[name].tag]
    if untagged:
        raise BadSpec(f"timm has no {untagged[0]!r} to stand beside; choose a network with hub weights.")
    ground.write_noise(here, SITE, ground.images_for(max(size.batches), size.epoch_steps), size.image_px)
    for network, how in itertools.product(size.networks, (False, True) if compiled else (False,)):
        yield _row(here, device, size, network, how, device_name, autotune)


def _row(
    here: Lab, device: torch.device, size: Size, network: str, compiled: bool, name: str, autotune: bool
) -> Row:
    """Return the row of the largest batch that fits on both sides, whole."""
    notes: list[str] = []
    row = Row(network, size.image_px, 0, precision_for(device), compiled, 0)
    for batch in sorted(size.batches, reverse=True):
        row = Row(network, size.image_px, batch, row.precision, compiled, 0)
        try:
            return _timed(here, device, size, row, name, autotune, notes)
        except TooLarge:
            notes.append(f"batch {batch} does not fit")
        except BadRun as error:  # not compiled, or one image is too large: a smaller batch helps neither
            notes.append(str(error))
            break
        finally:
            gc.collect()
            devices.release(device)
            torch.compiler.reset()
    return Row(
        network,
        size.image_px,
        row.batch,
        row.precision,
        compiled,
        0,
        why_nan="nothing was timed",
        notes=tuple(notes),
    )


def _timed(
    here: Lab, device: torch.device, size: Size, row: Row, name: str, autotune: bool, notes: list[str]
) -> Row:
    ours, our_peak = _built(lambda: Ours(here, device, row, autotune), device, size.warm_up)
    with closing(ours):
        peer, peer_peak = _built(lambda: Timms(device, row), device, size.warm_up)
        with closing(peer):
            took = _in_turns((ours, peer), device, size)
        flops = count_forward_flops(ours.going.plan)
        inference = _inference(ours.going)
        notes = [*notes, *ours.going.notes]
    sides, whys = [], set()
    for seconds, peak in zip(took, (our_peak, peer_peak), strict=True):
        rate = row.batch / seconds
        share, why = peaks.utilisation(rate, flops, name, row.precision)
        sides.append(Side(rate, seconds * 1e3, share, peak))
        whys.add(why)
    if autotune:
        notes.append("ours with cuDNN trying its kernels too")
    return Row(
        row.network, row.image_px, row.batch, row.precision, row.compiled, flops, *sides,
        why_nan=" ".join(sorted(whys - {""})), inference=inference, notes=tuple(notes),
    )  # fmt: skip


def _built(make: Callable[[], "Ours | Timms"], device: torch.device, warm_up: int) -> tuple:
    """Return a side that is warm, and the bytes that it took at most.

    Raises:
        TooLarge: its batch does not fit whole.
        BadRun: its network could not be compiled here.
    """
    devices.release(device)
    on_gpu = device.type == "cuda"
    before = torch.cuda.memory_allocated(device) if on_gpu else 0
    forget_peak(device)
    side = make()
    try:
        with side.kernels():
            for _ in range(warm_up):
                side.step()
        devices.synchronize(device)
    except (TooLarge, RuntimeError) as error:
        side.close()
        if devices.is_uncompiled(error):
            said = " ".join(str(error).split())[:200]
            raise BadRun(f"timm's network could not be compiled here ({said}).") from error
        if not isinstance(error, TooLarge) and not devices.is_out_of_memory(error):
            raise
        raise TooLarge from error
    # A process's resident set keeps what earlier work left in it, so off a GPU there is no such figure.
    return side, peak_memory_bytes(device) - before if on_gpu else NAN


def _in_turns(sides: "tuple[Ours, Timms]", device: torch.device, size: Size) -> list[float]:
    """Return the median seconds of a step of each side; whoever goes first in a pair gains nothing from it."""
    took: list[list[float]] = [[], []]
    for _ in range(size.turns):
        for k in (0, 1, 1, 0):
            with sides[k].kernels():
                devices.synchronize(device)
                start = time.perf_counter()
                for _ in range(size.steps):
                    sides[k].step()
                devices.synchronize(device)
                took[k].append((time.perf_counter() - start) / size.steps)
    return [statistics.median(each) for each in took]


def _inference(going: Training) -> dict[str, dict[str, float]]:
    """Return how fast our network answers: as scoring asks it, and in 16 bits."""
    some = going.rows.train[: feeds.SCORING_BATCH]
    x = next(going.feed.batches(some, len(some)))
    net = for_timing(going.net)
    with devices.exact():
        found = {"fp32, as scored": measure_inference(net, x, going.device)}
    if going.precision != "fp32":
        with devices.autocast(going.device, going.precision):
            found[going.precision] = measure_inference(net, x, going.device)
    return found
