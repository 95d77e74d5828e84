"""A TrainSpec → a frozen network, chosen on source validation rows.

In:    a spec, the stores of its source sites, and last.ckpt when it was cut off before.
Out:   checkpoint.safetensors, efficiency.json, last.ckpt while it runs, numbers in progress.jsonl.
Never: external sites, test rows, thresholds, drawings; the walk itself (learning/loop.py).
"""

import math
from functools import partial

import torch

from cxrlab import checkpoint, files, spec
from cxrlab.checkpoint import Checkpoint, Selection
from cxrlab.errors import BadRun
from cxrlab.learning import devices, loop
from cxrlab.learning.efficiency import (
    count_forward_flops,
    count_parameters,
    measure_inference,
    peak_memory_bytes,
)
from cxrlab.learning.state import Training, prepare, restore
from cxrlab.losses import LOSSES
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec

SAVE_EVERY = 20.0  # seconds: what a killed run loses at most


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
        going.frozen = partial(_freeze, going)
        if last is not None:
            restore(going, last)
        loop.walk(going, run, progress, save_every)
        files.write_json(run.efficiency, _measure_efficiency(going))
        checkpoint.write(run.checkpoint, _freeze(going))
    run.last.unlink(missing_ok=True)


def _freeze(going: Training) -> Checkpoint:
    chosen, stores = going.best, going.rows.digests
    if going.start is not None:  # what the first network was trained on has been seen too
        stores = {**going.start.stores, **stores}
    return Checkpoint(
        spec=going.spec,
        input=going.input,
        labels=going.rows.labels,
        selection=Selection(chosen.rule, chosen.value, chosen.epoch, going.epoch),
        log_pos_weight=_shifts(going),
        stores=stores,
        weights=going.weights,
        precision=going.precision,
        latents=going.plan.inputs,
        latents_digest=going.latents_digest,
        head=going.plan.head,
        tensors=going.best_tensors,
    )


def _shifts(going: Training) -> tuple[float, ...]:
    """Return (L,) what scoring takes off each logit: log w where the loss shifts it by exactly that, else 0."""
    exact = going.spec.task in ("labels", "normal") and LOSSES[going.spec.training.loss].calibrated
    return tuple(float(math.log(w)) if exact else 0.0 for w in going.pos_weight)


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
        "notes": going.notes,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"
