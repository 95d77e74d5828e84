"""The walk through the epochs: batches, steps, what memory allows, when to stop.

In:    a training in flight.
Out:   the same, further on; its state on disk every so often.
Never: what a loss or an optimizer does; external sites.

Order of rows, augmentation and dropout are functions of (seed, epoch, step) alone, so a run that was killed anywhere
and resumed walks the same path as one that was not.
"""

import contextlib
import itertools
import math
import time
from collections.abc import Iterator

import torch
from torch import nn

from cxrlab import checkpoint, files
from cxrlab.checkpoint import Selection
from cxrlab.errors import BadRun
from cxrlab.learning import devices, judging
from cxrlab.learning.moving import freeze_layers, still
from cxrlab.learning.state import Training, state_of
from cxrlab.learning.undo import Undo
from cxrlab.optimizers.schedules import SCHEDULES
from cxrlab.paths import RunPaths
from cxrlab.progress import Progress
from cxrlab.sampling import order_of

_TOO_FEW = "Expected more than 1 value per channel"  # torch.nn.functional.batch_norm
RECALIBRATION = 50  # batches that take batch norm's statistics anew; Schedule-Free's README


def seed_of(*parts: int | str) -> int:
    """Return 63 bits that depend on `parts` alone."""
    return int(files.digest_of("/".join(map(str, parts)))[:16], 16) >> 1


def generator_of(*parts: int | str) -> torch.Generator:
    """Return a generator on the CPU that depends on `parts` alone."""
    return torch.Generator().manual_seed(seed_of(*parts))


def walk(going: Training, run: RunPaths, progress: Progress, save_every: float) -> None:
    """Train until the epochs are over or patience is.

    Raises:
        BadRun: the loss or the validation value is no longer a number; the best network so far is in `run.kept`.
    """
    wanted, saved = going.spec.training, time.monotonic()
    total = wanted.epochs * going.steps
    begin = going.epoch * going.steps + going.step
    going.group.agree(going.net.state_dict().values())

    def is_due() -> bool:  # in all processes at once, and by the first one's clock
        return going.group.any(going.group.leads and time.monotonic() - saved >= save_every)

    progress.stage("train", of=total - begin)
    while going.epoch < wanted.epochs and not is_stale(going):
        start = time.monotonic()
        freeze_layers(going)
        for _ in steps_of_epoch(going):
            progress.step(going.epoch * going.steps + going.step - begin)
            if is_due():
                _check_finite(going, run, "loss", float(going.loss_sum))
                going.seconds += time.monotonic() - start
                _keep(going, run)
                start = saved = time.monotonic()
        devices.synchronize(going.device)
        loss = float(going.loss_sum) / going.steps
        _check_finite(going, run, "loss", loss)
        looks = time.monotonic()
        with judged(going):
            value = going.group.first(lambda: judging.validate(going))
            _check_finite(going, run, "validation value", value)
            going.seconds += time.monotonic() - start
            going.judging_seconds += time.monotonic() - looks
            close_epoch(going, loss, value)
        progress.step(going.epoch * going.steps - begin, **going.history[-1])
        if is_due():
            _keep(going, run)
            saved = time.monotonic()


def _keep(going: Training, run: RunPaths) -> None:
    state = state_of(going)
    if going.group.leads:
        checkpoint.write_last(run.last, state)


def steps_of_epoch(going: Training) -> Iterator[None]:
    """Train the rest of one epoch, yielding after every step."""
    wanted, seed, epoch = going.spec.training, going.spec.seed, going.epoch
    train = torch.from_numpy(going.rows.train)
    order = order_of(
        wanted.sampling,
        going.rows.y_true[going.rows.train],
        generator_of(seed, epoch, "order"),
        len(train),
        wanted.sampling_options,
    )
    first, size, mine = going.step, going.batch, going.group.share(going.batch)
    positions = train[order][first * size : going.steps * size].view(-1, size)
    going.net.train()
    still(going)
    going.driver.train()
    batches = going.feed.batches(
        positions[:, mine].flatten(),
        mine.stop - mine.start,
        going.augment,
        lambda i: generator_of(seed, epoch, first + i, "augment"),
    )
    for i, x in enumerate(batches):
        rows = positions[i].to(going.device)
        going.driver.set_rate(rate_of(going))
        going.loss_sum += step(
            going, x, going.target[rows], going.site[rows], seed_of(seed, epoch, first + i, "dropout")
        )
        going.step += 1
        yield


def rate_of(going: Training) -> float:
    """Return the learning rate of the next step."""
    wanted = going.spec.training
    at, of = going.epoch * going.steps + going.step, wanted.epochs * going.steps
    values, lower = [line["val"] for line in going.history], judging.rule_of(going).lower
    if not going.driver.scheduled:  # its averaging takes the schedule's place
        return SCHEDULES["none"].rate(None, wanted.learning_rate, at, of, values, lower)
    plug_in = SCHEDULES[wanted.schedule]
    return plug_in.rate(wanted.schedule_options, wanted.learning_rate, at, of, values, lower)


class _TooLarge(Exception):
    """A batch, or a part of it, does not fit into memory."""


def step(going: Training, x: torch.Tensor, y: torch.Tensor, site: torch.Tensor, seed: int) -> torch.Tensor:
    """Descend once on one batch; return its loss, detached. Where memory runs out the batch goes in smaller parts.

    Args:
        going: the training.
        x: what this process sees of the batch: its share (parallel.Group.share), views of it one after the other.
        y: (B, L) targets of the whole batch.
        site: (B,) likewise.
        seed: of dropout.
    """
    while (loss := _attempt(going, x, y, site, seed)) is None:
        halve(going, len(y))
    return loss


def _attempt(
    going: Training, x: torch.Tensor, y: torch.Tensor, site: torch.Tensor, seed: int
) -> torch.Tensor | None:
    """Return what `step` does, or None when memory ran out: then nothing has changed but gradients, which a step clears.

    Batch norm's statistics and the losses' queues move within a step, so they are copied before each: 0.2 ms of
    DenseNet-121's 170 ms on a CPU, and on no other day could they be put back. F-SAM's running mean gradient, which has
    moved once, is left.
    """
    if going.undo is None:
        going.undo = Undo(going.net, going.objective)
    going.undo.take()
    try:
        return going.driver.step(lambda: _descend(going, x, y, site, seed), going.scaler)
    except _TooLarge:
        going.undo.put_back()
        return None
    except ValueError as error:
        if _TOO_FEW not in str(error):
            raise
        raise BadRun(
            f"batch norm sees one number of an image here, and of a single image that is nothing to go by: a batch of {len(y)} "
            f"goes in {going.parts} parts on {going.group.size} processes; choose fewer parts, a larger batch or image side."
        ) from error
    except RuntimeError as error:
        if not devices.is_uncompiled(error):
            raise
        said = " ".join(str(error).split())[:200]
        raise BadRun(
            f"the network could not be compiled here ({said}); switch 'Compile' off, or install a C++ compiler."
        ) from error


def _descend(
    going: Training, x: torch.Tensor, y: torch.Tensor, site: torch.Tensor, seed: int
) -> torch.Tensor:
    """Call backward on the loss of a whole batch, part by part and process by process; return it, detached."""
    # A second call sees the same dropout: SAM compares like with like.
    devices.seed(going.device, seed + going.group.rank)
    going.objective.train(not going.driver.second)  # what it remembers of a batch it remembers once
    # And the same loss: it must not be held against what it remembered of this very batch in the first call.
    memory = going.undo.memory_before() if going.driver.second else contextlib.nullcontext()
    total: torch.Tensor | None = None
    try:
        with memory:
            total = _backward(going, x, y, site)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not devices.is_out_of_memory(error):
            raise
    # Here the failed attempt's frames, and the tensors in them, are gone. One process without memory is all without.
    if going.group.any(total is None):
        raise _TooLarge
    moved = (p for group in going.driver.groups for p in group["params"])
    return going.group.add_up(moved, total)


def _backward(going: Training, x: torch.Tensor, y: torch.Tensor, site: torch.Tensor) -> torch.Tensor:
    """Call backward on this process's share of the batch's loss, part by part; return that share, detached."""
    whole, mine = y, going.group.share(len(y))
    y, site = y[mine], site[mine]
    views = len(x) // len(y)  # two of each image where a task compares them
    # As even as can be: a part of one image may be too small for batch norm.
    bounds = [math.ceil(len(y) * k / going.parts) for k in range(going.parts + 1)]
    of = whole if going.parts > 1 or len(y) < len(whole) else None
    total: torch.Tensor | None = None
    for start, stop in itertools.pairwise(bounds):
        if start == stop:  # more parts than images
            continue
        part = slice(start, stop)
        seen = x[part] if views == 1 else x.unflatten(0, (views, len(y)))[:, part].flatten(0, 1)
        with devices.autocast(going.device, going.precision):
            loss = going.objective(going.call, seen, y[part], site[part], of)
        (loss if going.scaler is None else going.scaler.scale(loss)).backward()
        total = loss.detach() if total is None else total + loss.detach()
    return total


def halve(going: Training, n: int) -> None:
    """Put each batch through in twice as many parts from now on.

    Raises:
        BadRun: single images do not fit.
    """
    share = math.ceil(n / going.group.size)
    now = math.ceil(share / going.parts)
    if now == 1:
        raise BadRun(
            "memory ran out even for one image at a time; choose a smaller image side or network, or free memory and resume."
        )
    devices.release(going.device)
    going.parts *= 2
    said = f"memory ran out: each batch of {n} goes in {going.parts} parts since epoch {going.epoch + 1}"
    going.notes.append(said)
    print(said, flush=True)


def is_stale(going: Training) -> bool:
    """Return whether patience is over."""
    return going.best is not None and going.epoch - going.best.epoch >= going.spec.training.patience


class judged:  # reads as a verb at its only place of use
    """Weights where the network is judged and kept; batch norm's statistics are put back afterwards."""

    def __init__(self, going: Training) -> None:
        self.going = going

    def __enter__(self) -> None:
        going = self.going
        going.driver.eval()
        self.kept = None
        if going.driver.recalibrates and _norms(going.net):
            self.kept = {name: t.clone() for name, t in going.net.named_buffers()}
            recalibrate(going)

    def __exit__(self, *error: object) -> None:
        if self.kept is not None:
            for name, buffer in self.going.net.named_buffers():
                buffer.copy_(self.kept[name])
        self.going.driver.train()


def recalibrate(going: Training) -> None:
    """Let batch norm see training images at the weights as they are now, and forget others; nothing is learnt."""
    rows = going.rows.train
    # No more at once than a step takes, which may be all that memory allows; two at least, or there is no deviation.
    size = max(2, math.ceil(going.spec.training.batch / (going.parts * going.group.size)))
    parts = going.spec.seed, going.epoch, "recalibrate"
    order = torch.randperm(len(rows), generator=generator_of(*parts))
    some = torch.from_numpy(rows)[order][: RECALIBRATION * going.spec.training.batch]
    going.net.train()
    still(going)
    devices.seed(going.device, seed_of(*parts, "dropout"))  # a resumed run has drawn nothing before
    norms = [m for m in _norms(going.net) if m.training and m.track_running_stats]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean: a small home's few batches would leave much of what was before
    try:
        with torch.no_grad():
            for x in going.feed.batches(some, size):
                if len(x) > 1:  # batch norm has no statistics of one image
                    going.net(x)
    finally:
        for norm, its in zip(norms, momentum, strict=True):
            norm.momentum = its


def _norms(net: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def close_epoch(going: Training, loss: float, value: float) -> None:
    """Note an epoch, and keep its network when it is the best so far."""
    rule = judging.rule_of(going)
    now = Selection(rule.name, value, going.epoch + 1, going.epoch + 1)
    may_count = (
        going.epoch + 1 > going.spec.strategy.head_epochs or going.epoch + 1 == going.spec.training.epochs
    )
    if may_count and judging.is_better(rule, value, None if going.best is None else going.best.value):
        going.best = now
        going.best_tensors = {name: t.detach().cpu().clone() for name, t in going.net.state_dict().items()}
    best = going.best.value if going.best else value
    going.history.append({"epoch": going.epoch + 1, "loss": loss, "val": value, "best": best})
    going.epoch, going.step = going.epoch + 1, 0
    going.loss_sum.zero_()


def _check_finite(going: Training, run: RunPaths, what: str, value: float) -> None:
    if math.isfinite(value):
        return
    kept = ""
    if going.best is not None and going.group.leads:
        checkpoint.write(run.kept, going.frozen())
        kept = f" The network of epoch {going.best.epoch} ({going.best.rule} {going.best.value:.3f}) is in {run.kept.name}."
    raise BadRun(
        f"the {what} became {value} in epoch {going.epoch + 1}; lower the learning rate "
        f"({going.spec.training.learning_rate:g}) or clip the gradients, and start a new run.{kept}"
    )
