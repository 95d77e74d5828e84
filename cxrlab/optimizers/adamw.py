"""AdamW: Adam whose weight decay goes past the gradient.

In:    a network, AdamOptions.
Out:   a Driver of torch.optim.AdamW, fused.
Never: a step count beside the parameters' device.

Source: Loshchilov & Hutter 2019, arXiv:1711.05101.
"""

import torch
from torch import nn

from cxrlab.choices.optimizer_options import AdamOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("adamw")
def drive(net: nn.Module, options: AdamOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = torch.optim.AdamW(
        groups_of(net, weight_decay),
        lr=learning_rate,
        betas=(options.beta1, options.beta2),
        eps=options.eps,
        fused=True,
    )
    return Driver("adamw", net, optimizer, learning_rate)
