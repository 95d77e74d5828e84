"""What every optimizer plug-in gives the training loop: a Driver, and nothing else to know.

In:    a network, options, a learning rate, a weight decay.
Out:   OPTIMIZERS; Driver: takes a step, sets the rate, keeps and restores its whole state.
Never: data, losses, schedules; titles and options (choices/optimizers.py).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cxrlab.choices.optimizers import CHOICES
from cxrlab.errors import BadRun, BadSpec
from cxrlab.optimizers import kept
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen

Closure = Callable[[], torch.Tensor]
Build = Callable[[nn.Module, Any, float, float], "Driver"]


class Driver:
    """One optimizer at work on one network.

    Attributes:
        clip_norm: longest gradient that a step follows, over all parameters; 0: any. The loop sets it.
        second: True while the closure is called for a gradient uphill; a closure that counts or queues leaves it out then.
        scheduled: False: the loop warms the rate up and then leaves it alone.
        takes_scaler: whether `step` may be given a loss scaler.
    """

    scheduled = True
    takes_scaler = True

    def __init__(
        self, name: str, net: nn.Module, optimizer: torch.optim.Optimizer, learning_rate: float
    ) -> None:
        self.name, self.net, self.optimizer = name, net, optimizer
        self.clip_norm = 0.0
        self.second = False
        self._scales = [group["lr"] / learning_rate for group in optimizer.param_groups]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The optimizer's own groups, each with its params, lr and weight_decay."""
        return self.optimizer.param_groups

    @property
    def recalibrates(self) -> bool:
        """Whether batch norm's statistics are of other weights than `eval` gives, and must be taken anew under it."""
        return False

    def step(self, closure: Closure, scaler: torch.amp.GradScaler | None = None) -> torch.Tensor:
        """Descend once; return the loss before it, as the closure gave it.

        Args:
            closure: computes the loss of the whole effective batch at the weights as they are, calls backward on it
                (scaled, when there is a scaler), and returns it detached. It may be called twice: see `second`.
            scaler: unscales, skips a step with infinite gradients, and is updated here.

        Raises:
            BadSpec: this optimizer cannot work with a scaler.
        """
        self._clear()
        loss = closure()
        if scaler is None:
            self._clip()
            self.optimizer.step()
        else:
            if self.clip_norm > 0:
                scaler.unscale_(self.optimizer)
                self._clip()
            scaler.step(self.optimizer)
            scaler.update()
        return loss

    def set_rate(self, rate: float) -> None:
        """Set the learning rate; a group that began at a share of it keeps that share."""
        for group, scale in zip(self.groups, self._scales, strict=True):
            group["lr"] = rate * scale

    def train(self) -> None:
        """Put the weights where gradients are taken; the network's own mode is the caller's."""

    def eval(self) -> None:
        """Put the weights where the network is judged, scored and frozen. Calling it twice is calling it once."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return every tensor of the state by name, shared and not copied; weights are the network's own."""
        return kept.pack(self._keepers())[0]

    def facts(self) -> dict[str, Any]:
        """Return the rest of the state as plain JSON values, and how the tensors lay in memory."""
        shapes = [list(p.shape) for p in kept.parameters_of(self.optimizer)]
        return {"optimizer": self.name, "shapes": shapes, "keepers": kept.pack(self._keepers())[1]}

    def load(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a state; the network's weights are to be those of the same moment.

        Raises:
            BadRun: the state is of another optimizer or network.
        """
        if facts.get("optimizer") != self.name:
            raise BadRun(
                f"the saved state is of the optimizer {facts.get('optimizer')!r} and this run uses {self.name!r}; remove "
                "last.ckpt to train from the start."
            )
        if facts.get("shapes") != [list(p.shape) for p in kept.parameters_of(self.optimizer)]:
            raise BadRun(
                "the saved state of the optimizer is of another network; remove last.ckpt to train from the start."
            )
        kept.unpack(self._keepers(), tensors, facts["keepers"])

    def _keepers(self) -> tuple[torch.optim.Optimizer, ...]:
        return (self.optimizer,)

    def _clear(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)

    def _clip(self) -> None:
        if self.clip_norm > 0:
            nn.utils.clip_grad_norm_(kept.parameters_of(self.optimizer), self.clip_norm)


@dataclass(frozen=True)
class Optimizer:
    """One optimizer plug-in; what a form knows of it is CHOICES of the same name."""

    name: str
    build: Build

    def drive(
        self,
        net: nn.Module,
        options: Frozen | Mapping[str, Any] | None,
        learning_rate: float,
        weight_decay: float,
        device: torch.device | str,
    ) -> Driver:
        """Return a Driver of `net`, which is on `device` already; options None are the defaults.

        Raises:
            BadSpec: an option, the rate or the decay is out of range, or the network has nothing for this optimizer.
        """
        read = CHOICES[self.name].read(options)
        if not (math.isfinite(learning_rate) and learning_rate > 0):
            raise BadSpec(f"the learning rate is {learning_rate}; it must be above 0.")
        if not (math.isfinite(weight_decay) and weight_decay >= 0):
            raise BadSpec(f"the weight decay is {weight_decay}; it must be 0 or above.")
        learns = [p for p in net.parameters() if p.requires_grad]
        if not learns:
            raise BadSpec("every weight of the network is frozen; nothing is left to train.")
        if learns[0].device.type != torch.device(device).type:
            raise ValueError(f"the network is on {learns[0].device}, not on {device}")
        return self.build(net, read, learning_rate, weight_decay)


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer")


def plug_in(name: str) -> Callable[[Build], Build]:
    """Return a decorator that registers build(net, options, learning_rate, weight_decay) → Driver as `name`."""

    def register(build: Build) -> Build:
        OPTIMIZERS.add(name)(Optimizer(name, build))
        return build

    return register


def groups_of(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return two groups: kernels and matrices, which decay; scales and offsets, which do not."""
    # Scales and offsets are few and meant to move. Frozen weights stay in: they get no gradient, and places stay put.
    return [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
