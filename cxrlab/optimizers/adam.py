"""Adam: weight decay is part of the gradient.

In:    a network, AdamOptions.
Out:   a Driver of torch.optim.Adam, fused.
Never: decoupled decay (adamw.py).

Source: Kingma & Ba 2015, arXiv:1412.6980.
"""

import torch
from torch import nn

from cxrlab.choices.optimizer_options import AdamOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("adam")
def drive(net: nn.Module, options: AdamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = torch.optim.Adam(
        groups_of(net, weight_decay),
        lr=learning_rate,
        betas=(options.beta1, options.beta2),
        eps=options.eps,
        fused=True,
    )
    return Driver("adam", net, optimizer, learning_rate)
