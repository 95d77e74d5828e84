"""Memory that really runs out, and several devices: what a training does at the edges of a machine.

In:    a lab, a device, a size.
Out:   Checks.
Never: times; a limit that outlasts its check.
"""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from cxrlab import checkpoint, files, train
from cxrlab.bench.gpu import ground
from cxrlab.bench.gpu.checks import LOSS_APART, SITE, Check, apart
from cxrlab.bench.gpu.ground import Size
from cxrlab.learning import devices, loop, parallel, ranks
from cxrlab.paths import Lab
from cxrlab.progress import Progress

LARGE = "large"  # the store whose batch is too large
SHARE = 0.6  # of what a whole batch needs
ADDRESSES = 256 * 2**20  # bytes more that a CPU's process may take; the miniature's whole batch needs 620 MB


def out_of_memory(here: Lab, device: torch.device, size: Size) -> Check:
    """Allow a training 0.6 of the memory that its batch needs, and compare it with one that went in parts from the start."""
    name = f"{size.full_network}: a batch of {size.full_batch} at {size.full_px} px in too little memory"
    if device.type != "cuda" and not Path("/proc/self/statm").exists():
        return Check(name, None, "only Linux limits a process's addresses")
    ground.write_noise(here, LARGE, ground.images_for(size.full_batch, 1), size.full_px)
    wanted = ground.spec_of(
        LARGE, size.full_network, size.full_px, size.full_batch, precision="fp32", augment="none"
    )
    # A second thread of a CPU would reserve 64 MB of addresses of its own the moment it asks for any.
    with devices.threads(1):
        need = _need(here, device, wanted)
        failed, clean = (ground.prepared(here, wanted, device) for _ in range(2))
        given = ground.rows_of(failed, size.full_batch)
        with _tight(device, need):
            found = [float(loop.step(failed, *given, seed)) for seed in range(2)]
        clean.parts = failed.parts
        expected = [float(loop.step(clean, *given, seed)) for seed in range(2)]
    gap = apart(expected, found)
    noted = any(note.startswith("memory ran out") for note in failed.notes)
    return Check(
        name,
        failed.parts > 1 and noted and gap <= LOSS_APART,
        f"went in {failed.parts} parts; losses of two steps differ by {gap:.1g} from a training that began so "
        f"(allowed {LOSS_APART:g}); noted: {failed.notes}",
        {"parts": failed.parts, "loss_apart": gap, "step_needs_bytes": need},
    )


def _need(here: Lab, device: torch.device, wanted: train.TrainSpec) -> int:
    """Return the bytes that a step on the whole batch takes beyond what lies there before it; 0 off a GPU.

    Off a GPU the steps have another use: threads and kernels that they begin with are there before memory is short.
    """
    going = ground.prepared(here, wanted, device)
    given = ground.rows_of(going, wanted.training.batch)
    if device.type != "cuda":
        for going.parts in (1, 2, 4):
            loop.step(going, *given, 0)
        return 0
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    loop.step(going, *given, 0)
    return torch.cuda.max_memory_allocated(device) - before


@contextmanager
def _tight(device: torch.device, need: int) -> Iterator[None]:
    """Run a block with less memory than a step needs: `need` bytes on a GPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        allowed = torch.cuda.memory_reserved(device) + SHARE * need
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, allowed / total), device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + ADDRESSES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def several(here: Lab, device: torch.device, size: Size, n: int) -> Check:
    """Train an autoencoder in `n` processes, and in one whose batches go in `n` parts: batch norm then sees the same.

    No dropout in it, which each process would draw for itself.
    """
    name = f"autoencoder: {n} processes against one"
    if n < 2:
        return Check(name, None, "there is one GPU here")
    how = {"precision": "fp32", "epochs": 2, "select": "last", "patience": 2}
    batch = size.check_batch // n * n
    histories, weights = [], []
    for said, parts in (("one", n), ("several", 1)):
        wanted = ground.spec_of(
            SITE, "autoencoder", size.check_px, batch, "autoencoder", accumulate=parts, **how
        )
        run = here.run(f"ddp-{said}")
        if parts == n:
            train.fit(wanted, here, run, Progress(), device.type, group=parallel.Group())
        else:
            run.folder.mkdir(parents=True, exist_ok=True)
            ranks.launch(n, wanted, here, run, Progress(), device.type, train.SAVE_EVERY)
        cost = files.read_json(run.efficiency)
        histories.append([line["loss"] for line in cost["history"]])
        weights.append(checkpoint.read(run.checkpoint).tensors)
        processes = cost["processes"]
    moving = [key for key in weights[0] if "running" not in key and weights[0][key].is_floating_point()]
    flat = [torch.cat([tensors[key].flatten() for key in moving]) for tensors in weights]
    gap, shift = apart(*histories), float((flat[0] - flat[1]).norm() / flat[0].norm())
    return Check(
        name,
        processes == n and max(gap, shift) <= LOSS_APART,
        f"losses of two epochs differ by {gap:.1g}, weights by {shift:.1g} of their length (allowed {LOSS_APART:g})",
        {"loss_apart": gap, "weights_apart": shift},
    )


def all_of(here: Lab, device: torch.device, size: Size) -> list[tuple[str, Callable[[], Check]]]:
    """Return what there is to try: a name, and the trial."""
    n = torch.cuda.device_count() if device.type == "cuda" else min(2, os.cpu_count() or 1)
    return [
        ("memory that runs out", lambda: out_of_memory(here, device, size)),
        ("several processes", lambda: several(here, device, size, n)),
    ]
