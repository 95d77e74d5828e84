"""Lion: every weight moves by the same amount, in the direction of a sign.

In:    a network, LionOptions.
Out:   a Driver of pytorch_optimizer.Lion.
Never: AdamW's learning rate: Lion wants 3 to 10 times less, and as much more decay.

Source: Chen 2023, arXiv:2302.06675.
"""

from pytorch_optimizer import Lion
from torch import nn

from cxrlab.choices.optimizer_options import LionOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("lion")
def drive(net: nn.Module, options: LionOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = Lion(groups_of(net, weight_decay), lr=learning_rate, betas=(options.beta1, options.beta2))
    return Driver("lion", net, optimizer, learning_rate)
