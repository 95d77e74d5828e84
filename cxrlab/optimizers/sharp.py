"""The step that all kinds of sharpness-aware minimisation share: a gradient here, a gradient uphill, a step from here.

In:    a network and one of the library's wrappers around AdamW.
Out:   SharpDriver, for a plug-in to fill in; the weights that it starts from, exactly.
Never: the library's own `step`, which runs the closure its own way, and its switch for batch norm, which leaves an
       attribute on every layer, counts the second pass as a batch, and stays thrown when the closure fails.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cxrlab.choices.optimizers import CHOICES
from cxrlab.errors import BadSpec
from cxrlab.optimizers import kept
from cxrlab.optimizers.base import Closure, Driver


@contextlib.contextmanager
def frozen_statistics(net: nn.Module) -> Iterator[None]:
    """Inside, batch norm in training mode still normalises by its batch, and neither moves nor counts its running ones."""
    layers = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    try:
        for layer in layers:
            layer.track_running_stats = False
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


class SharpDriver(Driver, ABC):
    """Two passes a step. `self.optimizer` is the library's wrapper, `self.base` the AdamW in it."""

    takes_scaler = False

    def __init__(
        self,
        name: str,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        base: torch.optim.Optimizer,
        learning_rate: float,
    ) -> None:
        super().__init__(name, net, optimizer, learning_rate)
        self.base = base

    def step(self, closure: Closure, scaler: torch.amp.GradScaler | None = None) -> torch.Tensor:
        """Descend once; return the loss at the weights before it, not the one uphill. See Driver.step.

        Whatever the closure raises in its second call, the weights are put back first: the step may be taken again. What
        the first call did is the caller's to undo (batch norm's statistics; F-SAM's mean gradient has moved once).

        Raises:
            BadSpec: a scaler was given.
        """
        if scaler is not None:
            raise BadSpec(
                f"{CHOICES[self.name].title} needs two gradients a step, and a loss scaler can unscale only one; train in "
                "bf16 or fp32, or choose another optimizer."
            )
        self._clear()
        loss = closure()
        if self._looks():
            self._climb()
            self._clear()
            with contextlib.ExitStack() as undo, frozen_statistics(self.net):
                undo.callback(self._put_back)
                self.second = True
                try:
                    closure()
                finally:
                    self.second = False
                undo.pop_all()
        self._descend()
        return loss

    def _looks(self) -> bool:
        """Whether this step takes the gradient uphill."""
        return True

    @abstractmethod
    def _climb(self) -> None:
        """Move the weights uphill along their gradients."""

    @abstractmethod
    def _descend(self) -> None:
        """Put the weights back and step, with the gradients of the last pass in place."""

    def _put_back(self) -> None:
        """Put the weights back where the step began."""
        for state in (self.optimizer.state, self.base.state):
            for p in kept.parameters_of(self.optimizer):
                # Where the library keeps them between its two halves.
                if p in state and "old_p" in state[p]:
                    with torch.no_grad():
                        p.copy_(state[p].pop("old_p"))

    def _keepers(self) -> tuple[torch.optim.Optimizer, ...]:
        own = self.optimizer.state is not self.base.state
        return (self.base, self.optimizer) if own else (self.base,)


class CopyingDriver(SharpDriver):
    """For wrappers that come back by subtracting what they added, which rounds: copies are taken and put back."""

    def __init__(
        self,
        name: str,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        base: torch.optim.Optimizer,
        learning_rate: float,
    ) -> None:
        super().__init__(name, net, optimizer, base, learning_rate)
        self._copies: list[tuple[torch.Tensor, torch.Tensor]] = []

    def _copy(self) -> None:
        self._copies = [
            (p, p.detach().clone()) for p in kept.parameters_of(self.optimizer) if p.grad is not None
        ]

    @torch.no_grad()
    def _put_back(self) -> None:
        for p, copy in self._copies:
            p.copy_(copy)
        self._copies = []

    def _drop(self, *names: str) -> None:
        """Forget what the library leaves behind after a step and never reads again."""
        for p in kept.parameters_of(self.optimizer):
            for name in names:
                self.optimizer.state[p].pop(name, None)
