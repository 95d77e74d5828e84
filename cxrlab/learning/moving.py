"""Which layers of a network move, epoch by epoch, where the strategy does not move them all.

In:    a training in flight.
Out:   the same: parameters that ask for a gradient or not, batch norm that counts or not.
Never: which layers there are (models/), the walk through the epochs (loop.py).
"""

from torch import nn

from cxrlab.learning.starting import lies_in
from cxrlab.learning.state import Training


def freeze_layers(going: Training) -> None:
    """Let move what the strategy says, in this epoch."""
    if going.parts_of is None:
        return
    moves = _moves(going)
    for name, parameter in going.net.named_parameters():
        parameter.requires_grad_(lies_in(name, moves))


def still(going: Training) -> None:
    """Keep the batch norm of frozen layers as it is: its statistics belong to what was learnt before."""
    if going.parts_of is None:
        return
    moves = _moves(going)
    for name, module in going.net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and not lies_in(name, moves):
            module.eval()


def _moves(going: Training) -> tuple[str, ...]:
    """Return the names of what moves in this epoch."""
    how = going.spec.strategy
    return going.parts_of.trained("head" if going.epoch < how.head_epochs else how.layers)
