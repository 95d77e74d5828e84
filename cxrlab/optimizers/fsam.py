"""Friendly SAM: SAM whose uphill direction leaves out the mean gradient.

In:    a network, FriendlySamOptions.
Out:   a driver of pytorch_optimizer.FriendlySAM around AdamW.
Never: the gradient's own mean at the first step: there is none yet, and the climb is SAM's.

Source: Li 2024, arXiv:2403.12350. The paper takes out a mean that holds the present gradient already; the authors' code
and the library take out the mean before it is in. We follow the code.
"""

import torch
from pytorch_optimizer import FriendlySAM
from torch import nn

from cxrlab.choices.optimizer_options import FriendlySamOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in
from cxrlab.optimizers.sam import SamDriver


@plug_in("fsam")
def drive(net: nn.Module, options: FriendlySamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = FriendlySAM(
        groups_of(net, weight_decay),
        torch.optim.AdamW,
        rho=options.rho,
        sigma=options.sigma,
        lmbda=options.decay,
        adaptive=options.adaptive,
        lr=learning_rate,
        fused=True,
    )
    return SamDriver("fsam", net, optimizer, optimizer.base_optimizer, learning_rate)
