"""What a forward pass moves besides gradients, kept as it was before it.

In:    a network and its objective.
Out:   Undo: takes a copy before every attempt at a step, puts it back when memory ran out.
Never: weights that learn: an attempt that failed has not moved them.
"""

import contextlib
from collections.abc import Iterator

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
        remembered = list(objective.buffers())
        self.moving: list[torch.Tensor] = [*remembered, *net.buffers(), *(p.detach() for p in follows)]
        self._before = [tensor.clone() for tensor in self.moving]
        self._remembered = slice(len(remembered))

    def take(self) -> None:
        """Copy everything as it is now."""
        _copy(self.moving, self._before)

    def put_back(self) -> None:
        """Make everything what it was when it was last taken."""
        _copy(self._before, self.moving)

    @contextlib.contextmanager
    def memory_before(self) -> Iterator[None]:
        """Inside, the objective remembers what it did when everything was last taken: not yet the batch at hand."""
        remembered = self.moving[self._remembered]
        now = [tensor.clone() for tensor in remembered]
        _copy(self._before[self._remembered], remembered)
        try:
            yield
        finally:
            _copy(now, remembered)


def _copy(of: list[torch.Tensor], into: list[torch.Tensor]) -> None:
    for kind in {tensor.dtype for tensor in of}:
        pairs = [(a, b) for a, b in zip(of, into, strict=True) if a.dtype == kind]
        torch._foreach_copy_([b for _, b in pairs], [a for a, _ in pairs])
