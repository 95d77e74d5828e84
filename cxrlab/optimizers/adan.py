"""Adan: looks ahead by the gradient's change.

In:    a network, AdanOptions.
Out:   a Driver of pytorch_optimizer.Adan.
Never: the library's own clipping: Driver clips every optimizer alike.

Source: Xie 2022, arXiv:2208.06677. `weight_decouple=False` of the library is the paper's proximal decay, a division
after the step; it is not L2.
"""

from pytorch_optimizer import Adan
from torch import nn

from cxrlab.choices.optimizer_options import AdanOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("adan")
def drive(net: nn.Module, options: AdanOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = Adan(
        groups_of(net, weight_decay),
        lr=learning_rate,
        betas=(options.beta1, options.beta2, options.beta3),
        eps=options.eps,
        weight_decouple=not options.proximal,
    )
    return Driver("adan", net, optimizer, learning_rate)
