"""A TrainSpec → a frozen network, chosen on source validation rows.

In:    a spec, the stores of its source sites, and last.ckpt when it was cut off before.
Out:   checkpoint.safetensors, efficiency.json, last.ckpt while it runs, numbers in progress.jsonl.
Never: external sites, test rows, thresholds, drawings.

Order of rows, augmentation and dropout are functions of (seed, epoch, step) alone, so a run that was killed anywhere
and resumed walks the same path as one that was not.
"""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cxrlab import checkpoint, files, spec
from cxrlab.augment import AUGMENT
from cxrlab.checkpoint import Checkpoint, Selection
from cxrlab.errors import BadRun
from cxrlab.learning import devices, feeds
from cxrlab.learning.efficiency import (
    count_forward_flops,
    count_parameters,
    measure_inference,
    peak_memory_bytes,
)
from cxrlab.learning.state import Training, prepare, restore, state_of
from cxrlab.losses.masked_bce import masked_bce
from cxrlab.losses.masked_three_way import masked_three_way
from cxrlab.metrics.auroc import auroc
from cxrlab.models.heads import logit_of
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec

SAVE_EVERY = 20.0  # seconds: what a killed run loses at most
WARM_UP = 0.05  # of all steps


def fit(
    run_spec: TrainSpec,
    lab: Lab,
    run: RunPaths,
    progress: Progress,
    device: str = "auto",
    *,
    save_every: float = SAVE_EVERY,
) -> None:
    """Train `run_spec` in the folder of `run`; go on from last.ckpt where there is one; do nothing when it is done.

    Raises:
        BadSpec: data, task and network do not go together (see cohort.build).
        MissingInput: a store, an autoencoder run or first weights are not there.
        BadRun: the folder holds another spec's work, or the loss became infinite.
    """
    if run.checkpoint.exists():
        if spec.digest(checkpoint.read(run.checkpoint).spec) != spec.digest(run_spec):
            raise BadRun(f"{run.folder} holds the checkpoint of another spec; start this one as a new run.")
        return
    where = devices.pick(device)
    last = checkpoint.read_last(run.last) if run.last.exists() else None
    if last is not None and last.spec_digest != spec.digest(run_spec):
        raise BadRun(f"{run.last} belongs to another spec; remove it to train this one from the start.")
    forked = torch.random.fork_rng(devices=[where] if where.type == "cuda" else [])
    with forked, devices.threads(last.threads if last else torch.get_num_threads()):
        going = prepare(run_spec, lab, where, progress)
        if last is not None:
            restore(going, last)
        _train(going, run, progress, save_every)
        files.write_json(run.efficiency, _measure_efficiency(going))
        checkpoint.write(run.checkpoint, _freeze(going))
    run.last.unlink(missing_ok=True)


def learning_rate(peak: float, step: int, of: int) -> float:
    """Return the rate at `step` of `of`: a linear rise over the first WARM_UP of them, then half a cosine to 1 %.

    >>> [round(learning_rate(1.0, step, 100), 2) for step in (0, 4, 5, 52, 99)]
    [0.2, 1.0, 1.0, 0.51, 0.01]
    """
    rise = max(1, round(of * WARM_UP))
    if step < rise:
        return peak * (step + 1) / rise
    along = (step - rise) / max(1, of - rise)
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


def seed_of(*parts: int | str) -> int:
    """Return 63 bits that depend on `parts` alone."""
    return int(files.digest_of("/".join(map(str, parts)))[:16], 16) >> 1


def _generator(*parts: int | str) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*parts))


def loss_of(going: Training, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss of one batch: a scalar float32."""
    with devices.autocast(going.device, going.precision):
        out = going.net(x)
    if going.spec.task == "autoencoder":
        return functional.mse_loss(out.float(), x)
    if going.plan.head == "three-way":
        return masked_three_way(out, y, going.pos_weight, going.multiclass)
    return masked_bce(out, y, going.pos_weight)


def step(going: Training, x: torch.Tensor, y: torch.Tensor, rate: float) -> torch.Tensor:
    """Descend once on one batch; return its loss, detached."""
    for group in going.optimizer.param_groups:
        group["lr"] = rate
    loss = loss_of(going, x, y)
    going.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    going.optimizer.step()
    return loss.detach()


def _train(going: Training, run: RunPaths, progress: Progress, save_every: float) -> None:
    wanted, saved = going.spec.training, time.monotonic()
    total = wanted.epochs * going.steps
    begin = going.epoch * going.steps + going.step
    progress.stage("train", of=total - begin)
    while going.epoch < wanted.epochs and not _is_stale(going):
        start = time.monotonic()
        for _ in steps_of_epoch(going):
            progress.step(going.epoch * going.steps + going.step - begin)
            if time.monotonic() - saved >= save_every:
                _check_finite(going, "loss", float(going.loss_sum))
                going.seconds += time.monotonic() - start
                checkpoint.write_last(run.last, state_of(going))
                start = saved = time.monotonic()
        devices.synchronize(going.device)
        loss = float(going.loss_sum) / going.steps
        _check_finite(going, "loss", loss)
        value = validate(going)
        _check_finite(going, "validation value", value)
        going.seconds += time.monotonic() - start
        _close_epoch(going, loss, value)
        progress.step(going.epoch * going.steps - begin, **going.history[-1])
        if time.monotonic() - saved >= save_every:
            checkpoint.write_last(run.last, state_of(going))
            saved = time.monotonic()


def _check_finite(going: Training, what: str, value: float) -> None:
    if not math.isfinite(value):
        raise BadRun(
            f"the {what} became {value} in epoch {going.epoch + 1}; lower the learning rate "
            f"({going.spec.training.learning_rate:g}) and start a new run."
        )


def steps_of_epoch(going: Training) -> Iterator[None]:
    """Train the rest of one epoch, yielding after every step."""
    wanted, seed, epoch = going.spec.training, going.spec.seed, going.epoch
    order = torch.randperm(len(going.rows.train), generator=_generator(seed, epoch, "order"))
    first, size = going.step, wanted.batch
    positions = torch.from_numpy(going.rows.train)[order][first * size : going.steps * size]
    going.net.train()
    batches = going.feed.batches(
        positions, size, AUGMENT[wanted.augment], lambda i: _generator(seed, epoch, first + i, "augment")
    )
    total = wanted.epochs * going.steps
    for i, x in enumerate(batches):
        torch.manual_seed(seed_of(seed, epoch, first + i, "dropout"))
        y = going.target[positions[i * size : (i + 1) * size].to(going.device)]
        rate = learning_rate(wanted.learning_rate, epoch * going.steps + going.step, total)
        going.loss_sum += step(going, x, y, rate)
        going.step += 1
        yield


def _is_stale(going: Training) -> bool:
    return going.best is not None and going.epoch - going.best.epoch >= going.spec.training.patience


def validate(going: Training) -> float:
    """Return the selection rule's value on source validation rows, in fp32 as scoring will."""
    out = outputs(going.net, going.feed, going.rows.val, _mse if going.spec.task == "autoencoder" else None)
    if going.spec.task == "autoencoder":
        return float(out.double().mean())
    y, out = going.rows.y_true[going.rows.val], logit_of(out, going.plan.head, going.plan.n_labels)
    if not torch.isfinite(out).all():
        return math.nan
    values = np.array([auroc(y[:, k], out[:, k].double().numpy()) for k in range(y.shape[1])])
    return float(np.nanmean(values))  # cohort.build saw to it that one label is defined


def _mse(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (net(x) - x).square().mean(dim=(1, 2, 3))


def outputs(
    net: nn.Module,
    feed: feeds.Feed,
    positions: np.ndarray,
    call: Callable[[nn.Module, torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return what `call` (None: the network) says of the rows at `positions`, on the CPU, in eval mode and fp32."""
    net.eval()
    with torch.inference_mode():
        parts = [
            (net(x) if call is None else call(net, x)).float().cpu()
            for x in feed.batches(positions, feeds.SCORING_BATCH)
        ]
    return torch.cat(parts)


def _close_epoch(going: Training, loss: float, value: float) -> None:
    lower = going.rule == "val-mse"
    now = Selection(going.rule, value, going.epoch + 1, going.epoch + 1)
    if going.best is None or (value < going.best.value if lower else value > going.best.value):
        going.best = now
        going.best_tensors = {name: t.detach().cpu().clone() for name, t in going.net.state_dict().items()}
    going.history.append({"epoch": going.epoch + 1, "loss": loss, "val": value, "best": going.best.value})
    going.epoch, going.step = going.epoch + 1, 0
    going.loss_sum.zero_()


def _freeze(going: Training) -> Checkpoint:
    chosen = going.best
    return Checkpoint(
        spec=going.spec,
        input=going.input,
        labels=going.rows.labels,
        selection=Selection(chosen.rule, chosen.value, chosen.epoch, going.epoch),
        log_pos_weight=tuple(float(math.log(w)) for w in going.pos_weight),
        stores=going.rows.digests,
        weights=going.weights,
        precision=going.precision,
        latents=going.plan.inputs,
        latents_digest=going.latents_digest,
        head=going.plan.head,
        tensors=going.best_tensors,
    )


def _measure_efficiency(going: Training) -> dict[str, object]:
    going.net.eval()
    some = going.rows.train[: going.spec.training.batch]
    x = next(going.feed.batches(some, len(some)))
    epochs = going.epoch
    return {
        "parameters": count_parameters(going.net),
        "forward_flops": count_forward_flops(going.plan),
        "flops_are": "2 × multiply-adds of one image's forward pass",
        "device": _device_name(going.device),
        "training_precision": going.precision,
        "peak_memory_bytes": peak_memory_bytes(going.device),
        "peak_memory_is": "GPU tensors"
        if going.device.type == "cuda"
        else "resident set of the job's process",
        "epochs": epochs,
        "train_images": len(going.rows.train),
        "seconds": round(going.seconds, 3),
        "seconds_per_epoch": round(going.seconds / epochs, 3),
        "train_images_per_s": round(epochs * going.images_an_epoch / going.seconds, 1),
        "inference": measure_inference(going.net, x, going.device),
        "history": going.history,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
