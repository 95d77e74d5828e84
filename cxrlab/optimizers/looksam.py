"""LookSAM: looks uphill every few steps and remembers what it saw.

In:    a network, LookSamOptions.
Out:   a driver of pytorch_optimizer.LookSAM around AdamW.
Never: a second pass in the steps between. The library's own `step` runs one in each, at the same weights, and so costs
       what SAM costs.

Source: Liu 2022, arXiv:2203.02714. The paper's algorithm splits the gradient of all weights at once; the library splits
each tensor's by itself, as the paper scales its layers. We follow the library.
"""

import torch
from pytorch_optimizer import LookSAM
from torch import nn

from cxrlab.choices.optimizer_options import LookSamOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in
from cxrlab.optimizers.sharp import SharpDriver


class LookSamDriver(SharpDriver):
    """Second passes at steps 0, k, 2k and so on."""

    def __init__(self, net: nn.Module, optimizer: LookSAM, learning_rate: float) -> None:
        super().__init__("looksam", net, optimizer, optimizer.base_optimizer, learning_rate)
        # The library mixes the gradient that AdamW follows and steps in one go; clipping belongs between.
        optimizer.base_optimizer.register_step_pre_hook(lambda *_: self._clip())

    def _looks(self) -> bool:
        return self.optimizer.get_step() % self.optimizer.k == 0

    def _climb(self) -> None:
        self.optimizer.first_step()

    def _descend(self) -> None:
        self.optimizer.second_step()


@plug_in("looksam")
def drive(net: nn.Module, options: LookSamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = LookSAM(
        groups_of(net, weight_decay),
        torch.optim.AdamW,
        rho=options.rho,
        k=options.every,
        alpha=options.alpha,
        adaptive=options.adaptive,
        lr=learning_rate,
        fused=True,
    )
    return LookSamDriver(net, optimizer, learning_rate)
