"""Where a job computes and in what precision.

In:    "auto", "cpu" or "cuda".
Out:   a torch device, a precision's name, an autocast context, the memory that is left.
Never: networks, data.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from cxrlab import allocator
from cxrlab.errors import BadInput

PRECISIONS = ("fp32", "bf16", "fp16")
# How torch says it without a class of its own: its allocator on a CPU (Linux; Windows), oneDNN, C++, cuDNN, cuBLAS.
_NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "could not create a memory",
    "bad_alloc",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
# oneDNN once more, word for word: with "descriptor" behind it, it says that it knows no such convolution.
_NO_PRIMITIVE = "could not create a primitive"


def pick(name: str = "auto") -> torch.device:
    """Return the device "cpu" or "cuda" (the current one); "auto": the GPU where there is one.

    Raises:
        BadInput: the device is unknown or not on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    raise BadInput(f"no device {name!r} on this machine; use 'auto' or 'cpu'.")


def name_of(device: torch.device) -> str:
    """Return what people call the device: a GPU's name, or "CPU" with the threads that compute."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    n = torch.get_num_threads()
    return f"CPU, {n} thread{'s' if n > 1 else ''}"


def training_precision(device: torch.device) -> str:
    """Return the precision that training uses: bf16 where the hardware multiplies it, else fp32.

    bf16 keeps float32's range, so it needs no loss scaling; without AVX-512 BF16 or AMX a CPU is slower with it.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if {"avx512_bf16", "amx_bf16"} & _cpu_flags() else "fp32"


def precision_of(asked: str, device: torch.device) -> str:
    """Return the precision that `asked` means on `device`: one of PRECISIONS."""
    return training_precision(device) if asked == "auto" else asked


def is_out_of_memory(error: Exception) -> bool:
    """Return whether `error` says that a device or this machine has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    said = str(error) if isinstance(error, RuntimeError) else ""
    return said == _NO_PRIMITIVE or any(words in said for words in _NO_MEMORY)


def is_uncompiled(error: Exception) -> bool:
    """Return whether `error` says that torch could not compile a network."""
    return any(
        kind.__module__.startswith(("torch._dynamo", "torch._inductor")) for kind in type(error).__mro__
    )


def release(device: torch.device) -> None:
    """Give back what the allocators hold for later: the device's, and this process's."""
    allocator.give_back()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():  # not Linux
        return set()
    line = next((text for text in info.read_text().splitlines() if text.startswith("flags")), "")
    return set(line.split())


@contextlib.contextmanager
def autocast(device: torch.device, precision: str) -> Iterator[None]:
    """Run a block in `precision`, one of PRECISIONS."""
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    with torch.autocast(device.type, kind, enabled=precision != "fp32"):
        yield


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Run a block on `n` threads of the CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Run a block with full float32 convolutions: a GPU otherwise rounds their inputs to ten bits (TF32)."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def free_bytes(device: torch.device) -> int:
    """Return the memory that is left on the device, bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    info = Path("/proc/meminfo")
    if not info.exists():  # not Linux: assume a small machine
        return 4 * 2**30
    line = next(text for text in info.read_text().splitlines() if text.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024


def seed(device: torch.device, number: int) -> None:
    """Seed the generators that dropout on `device` draws from.

    torch.manual_seed seeds every backend that torch knows, and for one that is not there it writes down its caller's
    stack first: 0.1 ms and more, each step.
    """
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
