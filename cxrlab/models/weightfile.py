"""Weights from somewhere else, as names and tensors.

In:    a .safetensors file, or one of torch's (.pth, .pt, .ckpt, .bin, .tar).
Out:   name → tensor, and what one of our own checkpoints says about its weights.
Never: code from a file (torch reads with weights_only), networks; which names a network has.
"""

import hashlib
import json
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from cxrlab.errors import BadInput

LARGEST = 8 * 2**30  # bytes: it is read into memory whole; ViT-L with its optimizer has 3.6
# Where a training keeps its network among other things, by the usual names; an averaged one is taken where there is no other.
NESTS = ("state_dict", "model_state_dict", "model", "net", "network", "state_dict_ema", "model_ema")
# What torch says of a file that is damaged, or holds more than tensors.
DAMAGED = (RuntimeError, ValueError, KeyError, EOFError, OSError, AttributeError, TypeError, IndexError, AssertionError,
           OverflowError, MemoryError, struct.error, zipfile.BadZipFile, torch.serialization.pickle.UnpicklingError)  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What a file gave."""

    tensors: dict[str, torch.Tensor]
    digest: str  # SHA-256 of the file
    ours: dict[str, Any]  # header of one of our checkpoints; {} for any other file


def read(path: Path) -> Given:
    """Return the tensors of a weights file, on the CPU.

    Raises:
        BadInput: too large, damaged, holding more than tensors, or tensors that are not what they say.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise BadInput(
            f"{path} has {size / 2**30:.1f} GiB; weights of at most {LARGEST / 2**30:.0f} GiB are read. Use a smaller network."
        )
    ours: dict[str, Any] = {}
    if _is_torch(path):
        tensors = _flat(_read_torch(path), path)
    else:
        tensors, ours = _read_safetensors(path)
    for name, tensor in tensors.items():
        if tensor.is_sparse or tensor.is_quantized or not _is_real(tensor):
            raise BadInput(
                f"{path}: the tensor {name!r} is not stored whole; save the network's state_dict again."
            )
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Given(tensors, digest, ours)


def _is_torch(path: Path) -> bool:
    with path.open("rb") as opened:
        first = opened.read(2)
    # A zip, or the pickle that torch wrote before 1.6; safetensors begins with the length of its header.
    return first == b"PK" or first[:1] == b"\x80"


def _is_real(tensor: torch.Tensor) -> bool:
    """Whether memory stands behind every number: a view with stride 0 could claim any shape."""
    return (
        tensor.device.type == "cpu"
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as opened:
            said = (opened.metadata() or {}).get("cxrlab", "null")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # no mapping
            meta = json.loads(said)
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"{path} is not a readable .safetensors file, nor one of torch's ({error}); use another file."
        ) from error
    head = meta.get("head") if isinstance(meta, dict) else None
    return tensors, head if isinstance(head, dict) else {}


def _read_torch(path: Path) -> Any:
    try:
        # Not ours, so checkpoint.read cannot open it; weights_only runs nothing that the file says.
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except DAMAGED as error:
        said = str(error).strip()
        code = re.search(r"GLOBAL (\S+)", said)  # torch's remedy, to trust the file, is none of ours
        if code:
            what = f"holds more than tensors: the Python object {code[1]}, which is not run here"
        else:
            reason = said.splitlines()[0][:200] if said else type(error).__name__
            what = f"holds more than tensors or is damaged ({reason})"
        raise BadInput(
            f"{path} {what}; write the network alone: torch.save(network.state_dict(), path)."
        ) from error


def _flat(loaded: Any, path: Path) -> dict[str, torch.Tensor]:
    """Return name → tensor of what torch read: a state dict, or a training's that has one inside."""
    for _ in range(3):
        if not isinstance(loaded, dict):
            break
        inner = next((loaded[name] for name in NESTS if isinstance(loaded.get(name), dict)), None)
        if inner is None:
            break
        loaded = inner
    tensors = (
        {name: t for name, t in loaded.items() if isinstance(name, str) and isinstance(t, torch.Tensor)}
        if isinstance(loaded, dict)
        else {}
    )
    if not tensors:
        raise BadInput(
            f"{path} holds no tensors by name; write the network's: torch.save(network.state_dict(), path)."
        )
    return tensors
