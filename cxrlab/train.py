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
from cxrlab.learning import devices, hierarchy, loop, parallel, ranks
from cxrlab.learning.efficiency import (
    count_forward_flops,
    count_parameters,
    forget_peak,
    measure_inference,
    peak_memory_bytes,
)
from cxrlab.learning.state import Training, prepare, restore
from cxrlab.losses import LOSSES
from cxrlab.models.timing import for_timing
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
    group: parallel.Group | None = None,
) -> None:
    """Train `run_spec` in the folder of `run`; go on from last.ckpt where there is one; do nothing when it is done.

    Args:
        run_spec: what to train.
        lab: where the stores are.
        run: where it is kept.
        progress: told of every step.
        device: "auto", "cpu" or "cuda".
        save_every: seconds between states to resume from.
        group: the processes that this one is one of; None: as many as parallel.count says are started.

    Raises:
        BadSpec: data, task and network do not go together (see cohort.build).
        MissingInput: a store, an autoencoder run or first weights are not there.
        BadRun: the folder holds another spec's work, the loss became infinite, memory ran out, or a process was killed.
    """
    if run.checkpoint.exists():
        if spec.digest(checkpoint.read(run.checkpoint).spec) != spec.digest(run_spec):
            raise BadRun(f"{run.folder} holds the checkpoint of another spec; start this one as a new run.")
        run.last.unlink(missing_ok=True)  # of a process that was killed between its two last deeds
        return
    if group is None:
        n = 1 if run_spec.model.latents_of else parallel.count(device, run_spec.training.batch)
        if n > 1:
            ranks.launch(n, run_spec, lab, run, progress, device, save_every)
            return
    try:
        _fit(run_spec, lab, run, progress, devices.pick(device), save_every, group or parallel.Group())
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not devices.is_out_of_memory(error):
            raise
        raise BadRun(
            f"memory ran out ({' '.join(str(error).split())[:150]}); choose a smaller network, image side or batch, or free "
            "memory, and resume."
        ) from error


def _fit(
    run_spec: TrainSpec,
    lab: Lab,
    run: RunPaths,
    progress: Progress,
    where: torch.device,
    save_every: float,
    group: parallel.Group,
) -> None:
    last = checkpoint.read_last(run.last) if run.last.exists() else None
    if last is not None and last.spec_digest != spec.digest(run_spec):
        raise BadRun(f"{run.last} belongs to another spec; remove it to train this one from the start.")
    forked = torch.random.fork_rng(devices=[where] if where.type == "cuda" else [])
    again = last is not None and last.processes == group.size  # else there is nothing to be equal to
    with forked, devices.threads(last.threads if again else torch.get_num_threads()):
        forget_peak(where)
        going = prepare(run_spec, lab, where, progress, group)
        going.frozen = partial(_freeze, going)
        if last is not None:
            restore(going, last)
        loop.walk(going, run, progress, save_every)
        if not group.leads:
            return
        gate = {"gate": hierarchy.settle(going)} if going.plan.head == "gated" else {}
        files.write_json(run.efficiency, {**_measure_efficiency(going), **gate})
        checkpoint.write(run.checkpoint, _freeze(going))
    run.last.unlink(missing_ok=True)


def _freeze(going: Training) -> Checkpoint:
    chosen, stores = going.best, {**going.seen_before, **going.rows.digests}
    heads = {}
    if going.plan.n_heads > 1:
        heads = {
            site: [label for label, learnt in zip(going.rows.labels, row, strict=True) if learnt]
            for site, row in zip(going.rows.digests, going.rows.learnt, strict=True)
        }
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
        heads=heads,
        tensors=going.best_tensors,
    )


def _shifts(going: Training) -> tuple[float, ...]:
    """Return (L,) what scoring takes off each logit: log w where the loss shifts it by exactly that, else 0.

    A gated network's logits are not shifted, see hierarchy.Gated.
    """
    exact = going.spec.task in ("labels", "normal") and LOSSES[going.spec.training.loss].calibrated
    exact = exact and going.plan.head != "gated"
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
        "device": devices.name_of(going.device),
        "training_precision": going.precision,
        "peak_memory_bytes": peak_memory_bytes(going.device),
        "peak_memory_is": "GPU tensors"
        if going.device.type == "cuda"
        else "resident set of the job's process",
        "epochs": epochs,
        "train_images": len(going.rows.train),
        "processes": going.group.size,
        "seconds": round(going.seconds, 3),
        "seconds_are": "training steps and validation",
        "seconds_per_epoch": round(going.seconds / epochs, 3),
        "train_images_per_s": round(
            epochs * going.images_an_epoch / (going.seconds - going.judging_seconds), 1
        ),
        "inference": measure_inference(for_timing(going.net), x, going.device),
        "history": going.history,
        "notes": going.notes,
    }
