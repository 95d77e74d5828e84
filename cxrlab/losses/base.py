"""What every loss gives the training loop: one number of a batch, and what masks mean.

In:    logits, targets with NaN where masked, weights of positives.
Out:   LOSSES; Loss: a module whose buffers are part of a run's state; the mean over labels.
Never: networks, optimizers, labels' names; titles and options (choices/losses.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cxrlab.choices.losses import CHOICES, LossChoice
from cxrlab.errors import BadRun
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen


def settle(logit: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits and targets with 0 where masked, and which are known (bool); half precision becomes float32.

    A masked logit is cut off here: even one that is no number can neither change a loss nor get a gradient.
    """
    known = ~torch.isnan(target)
    z = logit.float() if logit.dtype in (torch.float16, torch.bfloat16) else logit
    return torch.where(known, z, 0.0), torch.where(known, target, 0.0).to(z.dtype), known


def mean_over_labels(loss: torch.Tensor, known: torch.Tensor, of: torch.Tensor | None = None) -> torch.Tensor:
    """Return the mean over labels of the mean over their known rows; labels that no row knows are left out.

    Args:
        loss: (N, L) float, finite.
        known: (N, L) bool.
        of: (L,) int, known rows of the whole batch of which these rows are a part: the parts' losses then add up to the
            batch's own.
    """
    n = known.sum(dim=0) if of is None else of
    a_label = (loss * known).sum(dim=0) / n.clamp(min=1)
    return a_label.sum() / (n > 0).sum().clamp(min=1)


class Loss(nn.Module):
    """One number to descend; what it remembers between batches are buffers.

    In eval mode it remembers nothing new: for a second pass over the same batch (SAM) and for a look at other rows.
    """

    def forward(
        self,
        logit: torch.Tensor,
        target: torch.Tensor,
        pos_weight: torch.Tensor,
        of: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the mean over labels of the loss of a label; 0 with no gradient when nothing is known.

        Args:
            logit: (N, L) float of any precision.
            target: (N, L) float32 in [0, 1], NaN masked. A loss that is not `soft` leaves out what is neither 0 nor 1.
            pos_weight: (L,) float32, factor on the loss of positives; only of losses that weigh.
            of: (L,) int, see `mean_over_labels`; None: these rows are the whole batch. A loss that compares rows does
                so within the part, which then counts by its share of the known cells.

        Returns:
            A scalar float32 (float64 of float64 logits).

        Raises:
            BadRun: logits and targets are not of one shape.
        """
        if logit.shape != target.shape:
            raise BadRun(
                f"the network says {tuple(logit.shape)} numbers of targets {tuple(target.shape)}; expected one a target. "
                "Train the run again."
            )
        with torch.autocast(logit.device.type, enabled=False):
            z, t, known = settle(logit, target)
            return self.value(z, t, known, pos_weight.to(z.dtype), of)

    def value(
        self,
        z: torch.Tensor,
        t: torch.Tensor,
        known: torch.Tensor,
        pos_weight: torch.Tensor,
        of: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the loss of what `settle` gave. A loss whose cells stand for themselves gives `cells` instead."""
        return mean_over_labels(self.cells(z, t, pos_weight), known, of)

    def cells(self, z: torch.Tensor, t: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
        """Return (N, L), what each cell costs; finite, with finite gradients, for every finite logit."""
        raise NotImplementedError


def share(loss: torch.Tensor, known: torch.Tensor, of: torch.Tensor | None) -> torch.Tensor:
    """Return a part's loss times its share of the known cells of the whole batch."""
    return loss if of is None else loss * (known.sum() / of.sum().clamp(min=1))


Build = Callable[[Any, int], Loss]


@dataclass(frozen=True)
class LossPlugin:
    """One loss plug-in; what a form knows of it is CHOICES of the same name."""

    name: str
    build: Build

    @property
    def choice(self) -> LossChoice:
        """What it goes together with."""
        return CHOICES[self.name]

    @property
    def calibrated(self) -> bool:
        """Whether training with a weight w on positives moves logits by exactly log w, so that scoring can take it off."""
        return self.choice.calibrated

    @property
    def soft(self) -> bool:
        """Whether targets between 0 and 1 are used; False: they are left out as masked ones."""
        return self.choice.soft

    @property
    def three_way(self) -> bool:
        """Whether masked_three_way is this loss of three classes."""
        return self.choice.three_way

    def make(self, options: Frozen | Mapping[str, Any] | None, n_labels: int) -> Loss:
        """Return the loss for `n_labels` labels; options None are the defaults.

        Raises:
            BadSpec: an option is unknown or out of range.
        """
        return self.build(self.choice.read(options), n_labels)


LOSSES: Registry[LossPlugin] = Registry("loss")


def plug_in(name: str) -> Callable[[Build], Build]:
    """Return a decorator that registers build(options, n_labels) → Loss as `name`."""

    def register(build: Build) -> Build:
        LOSSES.add(name)(LossPlugin(name, build))
        return build

    return register
