"""A frozen network with everything that using it needs, and the state of a training that was cut off.

In:    a network's tensors, its spec, InputSpec, labels and how it was selected.
Out:   checkpoint.safetensors and last.ckpt, both safetensors with a JSON header: nothing in them can run.
Never: pickle, data, repairs: a file that is not whole is refused.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from cxrlab import __version__, files
from cxrlab import spec as specs
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.inputs import InputSpec
from cxrlab.models.base import Loaded, Plan, build
from cxrlab.models.heads import OUTPUTS, Head
from cxrlab.spec import NetworkSpec

FORMAT, VERSION = "cxrlab-checkpoint", 1
LAST_FORMAT, LAST_VERSION = "cxrlab-last", 2


@dataclass(frozen=True)
class Selection:
    """How the epoch was chosen: by a named rule on source validation rows, never on an external site."""

    rule: str  # a key of train.RULES, or "imported"
    value: float  # NaN: not known
    epoch: int  # from 1; 0: not known
    epochs_run: int


@dataclass(frozen=True)
class Checkpoint:
    """What checkpoint.safetensors holds."""

    spec: NetworkSpec
    input: InputSpec
    labels: tuple[str, ...]
    selection: Selection
    log_pos_weight: tuple[float, ...]  # one a label; training moved its logit by this, scoring takes it off
    stores: dict[str, str]  # source site → digest
    weights: Loaded = field(default_factory=Loaded)
    precision: str = "fp32"  # of training; scoring is always fp32
    latents: int = 0  # latent_head: how many come in
    latents_digest: str = ""  # latent_head: digest of the autoencoder's checkpoint
    head: Head = "binary"  # how many numbers it says of a label
    heads: dict[str, list[str]] = field(
        default_factory=dict
    )  # home → labels its own head learnt; {}: one head
    cxrlab_version: str = __version__
    tensors: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)

    @property
    def plan(self) -> Plan:
        """What the network is built for."""
        n_heads = max(1, len(self.heads))
        return Plan(self.spec.model, len(self.labels), self.input.image_px, self.latents, self.head, n_heads)

    @property
    def learnt(self) -> np.ndarray:
        """(H, L) bool: a head was taught a label; one head was taught all."""
        taught = [[label in said for label in self.labels] for said in self.heads.values()]
        return np.array(taught or [[True] * len(self.labels)], bool)


_FIELDS = {
    "spec", "input", "labels", "selection", "log_pos_weight", "stores", "weights", "precision", "latents",
    "latents_digest", "head", "heads", "cxrlab_version",
}  # fmt: skip
_ADDED: dict[str, Any] = {"head": "binary", "heads": {}}  # what checkpoints were before they said it


def write(path: Path, made: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all."""
    head = {
        "spec": made.spec.model_dump(mode="json"),
        "input": made.input.to_json(),
        "labels": list(made.labels),
        "selection": _selection_json(made.selection),
        "log_pos_weight": list(made.log_pos_weight),
        "stores": made.stores,
        "weights": vars(made.weights),
        "precision": made.precision,
        "latents": made.latents,
        "latents_digest": made.latents_digest,
        "head": made.head,
        "cxrlab_version": made.cxrlab_version,
    }
    if made.heads:
        head["heads"] = made.heads
    _write(path, FORMAT, VERSION, head, made.tensors)


def read(path: Path) -> Checkpoint:
    """Read what `write` wrote, tensors on the CPU.

    Raises:
        MissingInput: there is no such file.
        BadRun: not a checkpoint, of another version, or not whole.
    """
    if not path.exists():
        raise MissingInput(f"no checkpoint at {path}; train the run first or resume it.")
    head, tensors = _read(path, FORMAT, VERSION)
    head = {**_ADDED, **head}
    if set(head) != _FIELDS:
        odd = ", ".join(sorted(set(head) ^ _FIELDS))
        raise BadRun(f"{path} has another header than expected (differs in: {odd}); train the run again.")
    try:
        return Checkpoint(
            spec=_spec(head["spec"]),
            input=InputSpec.from_json(head["input"]),
            labels=tuple(head["labels"]),
            selection=_selection(head["selection"]),
            log_pos_weight=tuple(head["log_pos_weight"]),
            stores=dict(head["stores"]),
            weights=Loaded(**head["weights"]),
            precision=str(head["precision"]),
            latents=int(head["latents"]),
            latents_digest=str(head["latents_digest"]),
            head=_head(head["head"]),
            heads={site: list(labels) for site, labels in head["heads"].items()},
            cxrlab_version=str(head["cxrlab_version"]),
            tensors=tensors,
        )
    except (BadSpec, TypeError, ValueError, AttributeError) as error:
        raise BadRun(f"{path} has a header that cannot be read ({error}); train the run again.") from error


def _spec(fields: dict[str, Any]) -> NetworkSpec:
    spec = specs.build(fields)
    if not isinstance(spec, NetworkSpec):
        raise TypeError(f"a spec of the kind {spec.kind!r}, which has no network")
    return spec


def _selection_json(chosen: Selection) -> dict[str, Any]:
    return {**vars(chosen), "value": chosen.value if math.isfinite(chosen.value) else None}


def _selection(said: dict[str, Any]) -> Selection:
    return Selection(**{**said, "value": math.nan if said["value"] is None else said["value"]})


def _head(said: str) -> Head:
    if said not in OUTPUTS:
        raise ValueError(f"a head of the kind {said!r}")
    return said


def network(made: Checkpoint, device: torch.device) -> nn.Module:
    """Return the network of a checkpoint in eval mode on the device.

    Raises:
        BadRun: a tensor is missing, too many, or of another shape; nothing is ever filled in.
    """
    with torch.random.fork_rng(
        devices=[]
    ):  # random first weights, all replaced; the caller's stream is not touched
        net = build(made.plan)
    try:
        net.load_state_dict(made.tensors, strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise BadRun(f"the checkpoint does not fit its network ({reason}); train the run again.") from error
    # On a CPU this layout scores DenseNet-121 at 64 px 1.8 times as fast.
    return net.to(device, memory_format=torch.channels_last).eval()


@dataclass
class Last:
    """A training that was cut off: enough to go on as if it had not been.

    Order, augmentation and dropout are functions of (seed, epoch, step), so no generator's state is needed. How sums are
    split over threads changes their last bits, so the number of threads is.
    """

    spec_digest: str
    precision: str
    threads: int
    epoch: int  # of the next step, from 0
    step: int  # of the next step, from 0
    loss_sum: float  # over this epoch's steps so far, as float32 added up on the device
    best: Selection | None
    history: list[dict[str, float]]
    seconds: float  # trained so far
    weights: dict[str, Any]  # of models.base.Loaded
    optimizer: dict[str, Any] = field(default_factory=dict)  # optimizers.Driver.facts
    scaler: dict[str, Any] = field(default_factory=dict)  # fp16's
    parts: int = 1  # a batch goes through in so many
    notes: list[str] = field(default_factory=list)
    processes: int = 1  # that shared every batch
    judging_seconds: float = 0.0  # of `seconds`, on validation rows
    tensors: dict[str, torch.Tensor] = field(
        default_factory=dict, repr=False
    )  # net.*, best.*, objective.*, optimizer.*


def write_last(path: Path, last: Last) -> None:
    """Write the state of a training, whole or not at all."""
    head = {key: value for key, value in vars(last).items() if key not in ("tensors", "best")}
    head["best"] = None if last.best is None else vars(last.best)
    _write(path, LAST_FORMAT, LAST_VERSION, head, last.tensors)


def read_last(path: Path) -> Last:
    """Read what `write_last` wrote.

    Raises:
        BadRun: not such a file, of another version, or not whole.
    """
    head, tensors = _read(path, LAST_FORMAT, LAST_VERSION)
    try:
        best = head.pop("best")
        return Last(**head, best=None if best is None else Selection(**best), tensors=tensors)
    except (TypeError, KeyError) as error:
        raise BadRun(
            f"{path} cannot be resumed from ({error}); remove it to train from the start."
        ) from error


def _write(
    path: Path, kind: str, version: int, head: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    meta = {"format": kind, "version": version, "tensors": _names(tensors), "head": head}
    with files.whole(path) as part:
        try:
            save_file(tensors, part, metadata={"cxrlab": json.dumps(meta, allow_nan=False)})
        except SafetensorError as error:  # of no family; files.whole knows a full disk by the system's words
            raise OSError(f"{path} could not be written ({error})") from error


def _read(path: Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, framework="pt") as opened:
            meta = json.loads((opened.metadata() or {}).get("cxrlab", "null"))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRun(f"{path} is not a whole safetensors file ({error}); train the run again.") from error
    if not isinstance(meta, dict) or meta.get("format") != kind or meta.get("version") != version:
        said = (
            f"{meta.get('format')!r} version {meta.get('version')}" if isinstance(meta, dict) else "nothing"
        )
        raise BadRun(f"{path} says {said}; expected {kind!r} version {version}. Train the run again.")
    if meta.get("tensors") != _names(tensors) or not isinstance(meta.get("head"), dict):
        raise BadRun(f"{path} does not hold the tensors that its header names; train the run again.")
    return meta["head"], tensors


def _names(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    listed = "\n".join(
        f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype}" for name in sorted(tensors)
    )
    return {"count": len(tensors), "digest": files.digest_of(listed)}
