"""What optimizers keep between steps, as tensors and plain values, and back again without losing a bit.

In:    optimizers of torch or of the same shape: param_groups, and a state a parameter of whatever they like.
Out:   named tensors for a safetensors file and facts for JSON; the same optimizers filled again.
Never: files, what a state means.

torch's own state_dict will not do: it needs pickle for nested lists, and it hands tensors the layout of their file. A
sum over another layout may round differently, and a resumed run must equal an uninterrupted one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from cxrlab.errors import BadRun

PLAIN = (bool, int, float, str, type(None))


def parameters_of(optimizer: Optimizer) -> list[torch.Tensor]:
    """Return every parameter, in the order of the groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def pack(keepers: Sequence[Optimizer]) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Return the state of all keepers: tensors by name, shared and not copied, and a plain value a keeper.

    Of a group only numbers, words and switches are told, as a step count: the rest comes from the spec.
    """
    tensors: dict[str, torch.Tensor] = {}
    facts = []
    for k, keeper in enumerate(keepers):
        states = {
            str(i): _plain(keeper.state[p], f"{k}.{i}", p, tensors)
            for i, p in enumerate(parameters_of(keeper))
            if keeper.state.get(p)
        }
        groups = [
            {key: value for key, value in group.items() if isinstance(value, PLAIN)}
            for group in keeper.param_groups
        ]
        facts.append({"groups": groups, "states": states})
    return tensors, facts


def _plain(value: Any, name: str, parameter: torch.Tensor, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        tensors[name] = value
        # A step count may live beside the processor while its parameter is on a GPU.
        host = value.device.type == "cpu" and parameter.device.type != "cpu"
        return {"tensor": name, "stride": list(value.stride()), "host": host}
    if isinstance(value, dict):
        return {"dict": {key: _plain(v, f"{name}.{key}", parameter, tensors) for key, v in value.items()}}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_plain(v, f"{name}.{i}", parameter, tensors) for i, v in enumerate(value)]}
    if isinstance(value, PLAIN):
        return value
    raise TypeError(f"an optimizer keeps a {type(value).__name__} as {name}, which no file of ours can hold")


def unpack(
    keepers: Sequence[Optimizer], tensors: Mapping[str, torch.Tensor], facts: Sequence[Mapping[str, Any]]
) -> None:
    """Fill `keepers` with what `pack` told of them; tensors are copied to where their parameters are.

    Raises:
        BadRun: the state is of other optimizers, or a tensor is not there.
    """
    if len(keepers) != len(facts):
        raise BadRun(
            f"the saved state is of {len(facts)} optimizers and this run has {len(keepers)}; remove last.ckpt to train "
            "from the start."
        )
    for keeper, told in zip(keepers, facts, strict=True):
        parameters = parameters_of(keeper)
        if len(told["groups"]) != len(keeper.param_groups) or any(
            int(i) >= len(parameters) for i in told["states"]
        ):
            raise BadRun(
                "the saved state of the optimizer is of another network; remove last.ckpt to train from the start."
            )
        for group, saved in zip(keeper.param_groups, told["groups"], strict=True):
            group.update(saved)
        keeper.state.clear()
        for i, state in told["states"].items():
            keeper.state[parameters[int(i)]] = _filled(state, parameters[int(i)], tensors)


def _filled(told: Any, parameter: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> Any:
    if not isinstance(told, dict):
        return told
    if "dict" in told:
        return {key: _filled(value, parameter, tensors) for key, value in told["dict"].items()}
    if "list" in told:
        return [_filled(value, parameter, tensors) for value in told["list"]]
    if "tuple" in told:
        return tuple(_filled(value, parameter, tensors) for value in told["tuple"])
    if (saved := tensors.get(told["tensor"])) is None:
        raise BadRun(
            f"the saved state lacks the tensor {told['tensor']!r}; remove last.ckpt to train from the start."
        )
    device = torch.device("cpu") if told["host"] else parameter.device
    return torch.empty_strided(saved.shape, told["stride"], dtype=saved.dtype, device=device).copy_(saved)
