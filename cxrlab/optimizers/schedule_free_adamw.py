"""Schedule-Free AdamW: an average of weights in place of a falling rate.

In:    a network, ScheduleFreeOptions.
Out:   a Driver with two sets of weights: where gradients are taken (train), and the average that is judged (eval).
Never: a schedule; a warm-up is the loop's, and the average heeds its small rates as little as the authors' code.

Source: Defazio 2024, arXiv:2405.15682.
"""

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_optimizer import ScheduleFreeAdamW
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cxrlab.choices.optimizer_options import ScheduleFreeOptions
from cxrlab.optimizers import kept
from cxrlab.optimizers.base import Closure, Driver, groups_of, plug_in

FAST = "fast"  # prefix of the weights put by


class ScheduleFreeDriver(Driver):
    """The weights that training goes on with are put by under `eval`: the library's way back rounds."""

    scheduled = False

    def __init__(
        self, name: str, net: nn.Module, optimizer: torch.optim.Optimizer, learning_rate: float
    ) -> None:
        super().__init__(name, net, optimizer, learning_rate)
        self._fast: list[torch.Tensor] = []  # empty while training

    @property
    def recalibrates(self) -> bool:
        """Batch norm saw the training weights' activations, never the average's."""
        return any(isinstance(m, _BatchNorm) and m.track_running_stats for m in self.net.modules())

    def step(self, closure: Closure, scaler: torch.amp.GradScaler | None = None) -> torch.Tensor:
        """Descend once, from the training weights; see Driver.step."""
        self.train()
        return super().step(closure, scaler)

    def eval(self) -> None:
        """Put the average into the network."""
        if self._fast:
            return
        self._fast = [p.detach().clone() for p in kept.parameters_of(self.optimizer)]
        self.optimizer.eval()

    @torch.no_grad()
    def train(self) -> None:
        """Put the training weights back, bit for bit."""
        if not self._fast:
            return
        for p, fast in zip(kept.parameters_of(self.optimizer), self._fast, strict=True):
            p.copy_(fast)
        for group in self.groups:
            group["train_mode"] = True
        self._fast = []

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the state; under `eval` with the training weights."""
        return super().tensors() | {f"{FAST}.{i}": t for i, t in enumerate(self._fast)}

    def load(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a state; see Driver.load."""
        super().load(tensors, facts)
        parameters = kept.parameters_of(self.optimizer)
        if f"{FAST}.0" in tensors:
            self._fast = [
                torch.empty_like(p).copy_(tensors[f"{FAST}.{i}"]).detach() for i, p in enumerate(parameters)
            ]
        else:
            self._fast = []


@plug_in("schedule-free-adamw")
def drive(net: nn.Module, options: ScheduleFreeOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = ScheduleFreeAdamW(
        groups_of(net, weight_decay),
        lr=learning_rate,
        betas=(options.beta1, options.beta2),
        eps=options.eps,
        weight_lr_power=options.power,
    )
    return ScheduleFreeDriver("schedule-free-adamw", net, optimizer, learning_rate)
