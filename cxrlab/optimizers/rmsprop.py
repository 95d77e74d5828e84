"""RMSprop: a step by the root of the gradient's mean square.

In:    a network, RmsPropOptions.
Out:   a Driver of torch.optim.RMSprop.
Never: decoupled decay: torch's goes through the gradient, so it wants to be small (1e-5).

Source: Tieleman & Hinton 2012, lecture 6e.
"""

import torch
from torch import nn

from cxrlab.choices.optimizer_options import RmsPropOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("rmsprop")
def drive(net: nn.Module, options: RmsPropOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = torch.optim.RMSprop(
        groups_of(net, weight_decay),
        lr=learning_rate,
        alpha=options.alpha,
        momentum=options.momentum,
        eps=options.eps,
    )
    return Driver("rmsprop", net, optimizer, learning_rate)
