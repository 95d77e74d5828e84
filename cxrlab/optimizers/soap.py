"""SOAP: Adam along the eigenvectors of the gradient's correlations.

In:    a network, SoapOptions.
Out:   a Driver of pytorch_optimizer.SOAP.
Never: correlations of vectors: scales and offsets follow plain Adam.

Source: Vyas 2024, arXiv:2409.11321. A convolution's kernel (out, in, h, w) has four sides and four sets of eigenvectors.
The first step only looks: no gradient is turned by eigenvectors that it helped to make.
"""

from pytorch_optimizer import SOAP
from torch import nn

from cxrlab.choices.optimizer_options import SoapOptions
from cxrlab.optimizers.base import Driver, groups_of, plug_in


@plug_in("soap")
def drive(net: nn.Module, options: SoapOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    optimizer = SOAP(
        groups_of(net, weight_decay),
        lr=learning_rate,
        betas=(options.beta1, options.beta2),
        eps=options.eps,
        precondition_frequency=options.every,
        max_precondition_dim=options.largest,
    )
    return Driver("soap", net, optimizer, learning_rate)
