"""Cross-entropy in which what is predicted well counts less.

In:    logits and targets with NaN where masked.
Out:   one number to descend.
Never: labels' names, networks.

Source: Lin 2017, arXiv:1708.02002: (1 − p_t)^γ · cross-entropy; for targets between 0 and 1, Li 2020, arXiv:2006.04388
(quality focal loss): |t − p|^γ · cross-entropy, which is the same at 0 and 1 and least at p = t.
"""

import torch
from torch.nn import functional

from cxrlab.choices.losses import FocalOptions
from cxrlab.losses.base import Loss, plug_in
from cxrlab.losses.masked_bce import cross_entropy

LEAST = 1e-12  # of a distance whose logarithm is taken


@plug_in("focal")
class Focal(Loss):
    """The weight on positives multiplies their cross-entropy; it does not shift logits by its log."""

    def __init__(self, options: FocalOptions, n_labels: int) -> None:
        super().__init__()
        self.gamma, self.alpha = options.gamma, options.alpha

    def cells(self, z: torch.Tensor, t: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
        """Return what each cell costs."""
        # In logarithms: where 1 - p is nothing in float32, a power below 1 of it has an infinite slope.
        log_miss = torch.where(
            t == 1,
            functional.logsigmoid(-z),
            torch.where(t == 0, functional.logsigmoid(z), (t - z.sigmoid()).abs().clamp(min=LEAST).log()),
        )
        loss = torch.exp(self.gamma * log_miss) * cross_entropy(z, t, pos_weight)
        if self.alpha >= 0:
            loss = loss * (self.alpha * t + (1 - self.alpha) * (1 - t))
        return loss
