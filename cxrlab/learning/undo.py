"""What a forward pass moves besides gradients, kept as it was before it.

In:    a network and its objective.
Out:   Undo: takes a copy before every attempt at a step, puts it back when memory ran out.
Never: weights that learn: an attempt that failed has not moved them.
"""

import torch
from torch import nn


class Undo:
    """Batch norm's statistics, the losses' queues, and weights that follow others instead of learning (MoCo's).

    All of these are changed in place for as long as a training lives, so they are looked up once: walking through
    DenseNet-121's modules takes longer than copying what they hold.
    """

    def __init__(self, net: nn.Module, objective: nn.Module) -> None:
        """Look up what moves; nothing is copied yet."""
        follows = (p for p in objective.parameters() if not p.requires_grad)
        self.moving: list[torch.Tensor] = [
            *net.buffers(),
            *objective.buffers(),
            *(p.detach() for p in follows),
        ]
        self._before = [tensor.clone() for tensor in self.moving]

    def take(self) -> None:
        """Copy everything as it is now."""
        _copy(self.moving, self._before)

    def put_back(self) -> None:
        """Make everything what it was when it was last taken."""
        _copy(self._before, self.moving)


def _copy(of: list[torch.Tensor], into: list[torch.Tensor]) -> None:
    for kind in {tensor.dtype for tensor in of}:
        pairs = [(a, b) for a, b in zip(of, into, strict=True) if a.dtype == kind]
        torch._foreach_copy_([b for _, b in pairs], [a for a, _ in pairs])
