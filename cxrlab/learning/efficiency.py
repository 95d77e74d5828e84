"""What a network costs: parameters, operations, memory, seconds.

In:    a plan, a network on its device, a way to make its inputs.
Out:   plain numbers for efficiency.json.
Never: scores, targets, verdicts.
"""

import resource
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cxrlab.learning import devices
from cxrlab.models.base import Plan, build

WARM_UP = 3  # batches


def count_parameters(net: nn.Module) -> int:
    """Return the number of trained numbers in `net`."""
    return sum(parameter.numel() for parameter in net.parameters())


def count_forward_flops(plan: Plan) -> int:
    """Return the operations of one image's forward pass: 2 × multiply-adds of convolutions and matrix products.

    Counted on tensors without storage, so it costs nothing. The backward pass is not counted: the counter is wrong
    there for grouped convolutions.
    """
    shape = (1, plan.inputs) if plan.inputs else (1, 1, plan.image_px, plan.image_px)
    with torch.device("meta"), torch.random.fork_rng(devices=[]), FlopCounterMode(display=False) as counter:
        net = build(plan).eval()
        with torch.no_grad():
            net(torch.empty(shape))
    return int(counter.get_total_flops())


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory used so far: of the GPU's tensors, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(
        peak if sys.platform == "darwin" else peak * 1024
    )  # getrusage(2): kilobytes, but bytes on macOS


def forget_peak(device: torch.device) -> None:
    """Let `peak_memory_bytes` begin anew; of a process's resident set nothing can be forgotten."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def measure_inference(
    call: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, device: torch.device, batches: int = 20
) -> dict[str, float]:
    """Time `call` on one batch again and again; on half of it where memory runs out.

    Args:
        call: the network, in eval mode.
        x: one batch on the device.
        device: waited for after every batch.
        batches: how many are timed, after three that warm up.

    Returns:
        {"batch", "p50_ms", "p95_ms", "images_per_s"}; milliseconds a batch.
    """
    took = []
    try:
        with torch.inference_mode():
            for i in range(batches + WARM_UP):
                seconds = _seconds(lambda: call(x), device)
                if i >= WARM_UP:
                    took.append(seconds)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if len(x) == 1 or not devices.is_out_of_memory(error):
            raise
        took = []
    if not took:
        return measure_inference(call, x[: len(x) // 2], device, batches)
    return {
        "batch": len(x),
        "p50_ms": float(np.percentile(took, 50) * 1e3),
        "p95_ms": float(np.percentile(took, 95) * 1e3),
        "images_per_s": float(len(x) / np.median(took)),
    }


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    """Return how long `call` takes: by the GPU's own clock, where the waiting of this process does not count."""
    if device.type != "cuda":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3
