"""What a GPU could do at most, and the share of it that a training uses.

In:    the device's name, images a second, operations of one image's forward pass.
Out:   model FLOP utilisation, or NaN and why.
Never: a guess for a device that is not listed; sparse peaks; torch.
"""

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Peak:
    """Dense matrix products of a device, with sums in float32."""

    tflops: float
    precisions: tuple[str, ...] = ("bf16", "fp16")


# Names are matched whole, so that an L40 is no L4 and a slice of a card (MIG) is no card.
PEAKS: dict[str, Peak] = {
    # NVIDIA A100 datasheet, 2021: 312 TFLOPS BF16 tensor core, dense; SXM and PCIe alike.
    r"NVIDIA A100-(SXM4|PCIE)-(40|80)GB|NVIDIA A100 80GB PCIe": Peak(312),
    # NVIDIA H100 datasheet, 2023: 1,979 with sparsity for SXM, 1,513 for PCIe; halved.
    r"NVIDIA H100 80GB HBM3": Peak(989),
    r"NVIDIA H100 PCIe": Peak(756),
    # NVIDIA H200 datasheet, 2024: 1,979 with sparsity (SXM); halved. The NVL card is slower and not listed.
    r"NVIDIA H200": Peak(989),
    # NVIDIA L4 datasheet, 2023: 242 with sparsity; halved.
    r"NVIDIA L4": Peak(121),
    # NVIDIA T4 datasheet, 2019: 65 TFLOPS mixed precision; no bfloat16.
    r"(Tesla|NVIDIA) T4": Peak(65, ("fp16",)),
    # NVIDIA V100 datasheet, 2020: 125 TFLOPS for SXM2, 112 for PCIe; no bfloat16.
    r"(Tesla|NVIDIA) V100-SXM[23]-(16|32)GB(-LS)?": Peak(125, ("fp16",)),
    r"(Tesla|NVIDIA) V100-PCIE-(16|32)GB": Peak(112, ("fp16",)),
    # NVIDIA Ada GPU architecture whitepaper, 2022, table 2: 165.2 with FP32 accumulate, dense.
    r"NVIDIA GeForce RTX 4090": Peak(165),
}
PASSES = 3  # forward, and a backward pass of twice its operations


def peak_of(device: str) -> Peak | None:
    """Return the peak of the device of this name, None for one that is not listed.

    >>> peak_of("NVIDIA L4").tflops, peak_of("NVIDIA L40S")
    (121, None)
    """
    return next((peak for name, peak in PEAKS.items() if re.fullmatch(name, device)), None)


def utilisation(images_per_s: float, forward_flops: int, device: str, precision: str) -> tuple[float, str]:
    """Return the share of the peak that the network's own operations take, and why it is NaN.

    Args:
        images_per_s: of training.
        forward_flops: 2 × multiply-adds of one image's forward pass.
        device: as torch.cuda.get_device_name says it.
        precision: "bf16", "fp16" or "fp32".

    Source: model FLOPs utilisation as in Chowdhery 2022, arXiv:2204.02311, appendix B: what recomputes does not count.

    >>> utilisation(1000.0, 5_500_000_000, "NVIDIA A100-SXM4-80GB", "bf16")[0]
    0.0528...
    """
    peak = peak_of(device)
    if not math.isfinite(images_per_s):
        return math.nan, "nothing was timed"
    if peak is None:
        return math.nan, f"no peak is listed for {device!r}"
    if precision not in peak.precisions:
        return (
            math.nan,
            f"the peak listed for {device!r} is of {' and '.join(peak.precisions)}, not {precision}",
        )
    return PASSES * forward_flops * images_per_s / (peak.tflops * 1e12), ""
