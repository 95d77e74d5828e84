"""SAM: AdamW on the gradient taken a distance rho uphill.

In:    a network, SamOptions.
Out:   a driver of pytorch_optimizer.SAM around AdamW.
Never: clipping of the first gradient: only its direction counts.

Source: Foret 2021, arXiv:2010.01412; adaptive: Kwon 2021, arXiv:2102.11600.
"""

import torch
from pytorch_optimizer import SAM
from torch import nn

from cxrlab.choices.optimizer_options import SamOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in
from cxrlab.optimizers.sharp import SharpDriver


class SamDriver(SharpDriver):
    """The library's two halves with our closure between them; also F-SAM's."""

    def _climb(self) -> None:
        self.optimizer.first_step()

    def _descend(self) -> None:
        self._clip()
        self.optimizer.second_step()


@plug_in("sam")
def drive(net: nn.Module, options: SamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = SAM(
        groups_of(net, weight_decay),
        torch.optim.AdamW,
        rho=options.rho,
        adaptive=options.adaptive,
        lr=learning_rate,
        fused=True,
    )
    return SamDriver("sam", net, optimizer, optimizer.base_optimizer, learning_rate)
