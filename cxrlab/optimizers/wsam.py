"""WSAM: sharpness as a term of the loss with a weight of its own.

In:    a network, WsamOptions.
Out:   a driver of pytorch_optimizer.WSAM around AdamW.
Never: the library's own clipping, which cuts the gradient uphill and lets the one that AdamW follows be as long as it is.

Source: Yue 2023, arXiv:2305.15817: loss + gamma / (1 − gamma) · (loss uphill − loss). Decoupled, AdamW follows the
gradient here and the difference of both gradients is taken off afterwards, times the learning rate.
"""

import torch
from pytorch_optimizer import WSAM
from torch import nn

from cxrlab.choices.optimizer_options import WsamOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in
from cxrlab.optimizers.sharp import CopyingDriver


class WsamDriver(CopyingDriver):
    """The library's two halves; both gradients are clipped, as both move weights."""

    def _climb(self) -> None:
        self._clip()
        self._copy()
        self.optimizer.first_step()
        self._drop("e_w")

    def _descend(self) -> None:
        self._put_back()
        self._clip()
        self.optimizer.second_step()
        self._drop("sharpness")


@plug_in("wsam")
def drive(net: nn.Module, options: WsamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = WSAM(
        net,
        groups_of(net, weight_decay),
        torch.optim.AdamW,
        rho=options.rho,
        gamma=options.gamma,
        adaptive=options.adaptive,
        decouple=options.decouple,
        lr=learning_rate,
        fused=True,
    )
    return WsamDriver("wsam", net, optimizer, optimizer.base_optimizer, learning_rate)
