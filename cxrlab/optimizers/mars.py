"""MARS: AdamW on a gradient whose noise is reduced by its change.

In:    a network, MarsOptions.
Out:   a Driver of pytorch_optimizer.MARS; scales and offsets follow plain AdamW, as in the authors' code.
Never: the library's own rate and decay for vectors (3e-3 and 0.1, thirty times what was asked).

Source: Yuan 2024, arXiv:2411.10438, the variant that remembers the last gradient and never computes one twice. Its
first step has no gradient before it and takes zero for it, as the authors' code; timm leaves the change out there. The
library adds 1e-15 under the root, so an epsilon below 3e-8 is not felt.
"""

from pytorch_optimizer import MARS
from torch import nn

from cxrlab.choices.optimizer_options import MarsOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("mars")
def drive(net: nn.Module, options: MarsOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = MARS(
        groups_of(net, weight_decay),
        lr=learning_rate,
        betas=(options.beta1, options.beta2),
        gamma=options.gamma,
        eps=options.eps,
        lr_1d=learning_rate,
        betas_1d=(options.beta1_1d, options.beta2_1d),
        weight_decay_1d=0.0,
    )
    return Driver("mars", net, optimizer, learning_rate)
