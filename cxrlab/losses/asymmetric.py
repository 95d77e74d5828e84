"""Focal loss with a gamma of its own for negatives, the easiest of which cost nothing.

In:    logits and targets with NaN where masked.
Out:   one number to descend.
Never: labels' names, networks.

Source: Ridnik 2021, arXiv:2009.14119: positives (1 − p)^γ⁺ · −log p, negatives q^γ⁻ · −log(1 − q), q = max(p − m, 0).
"""

import torch
from torch.nn import functional

from cxrlab.choices.losses import AsymmetricOptions
from cxrlab.losses.base import Loss, plug_in


@plug_in("asymmetric")
class Asymmetric(Loss):
    """Mean over labels; the paper sums over them, so its learning rates do not carry over.

    A target t between 0 and 1 costs t times a positive's and 1 − t times a negative's.
    """

    def __init__(self, options: AsymmetricOptions, n_labels: int) -> None:
        super().__init__()
        self.gamma_positive, self.gamma_negative = options.gamma_positive, options.gamma_negative
        self.shift = options.shift

    def cells(self, z: torch.Tensor, t: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
        """Return what each cell costs."""
        log_p, log_not_p = functional.logsigmoid(z), functional.logsigmoid(-z)
        positive = -torch.exp(self.gamma_positive * log_not_p) * log_p
        q = z.sigmoid() - self.shift
        costs = q > 0
        q = torch.where(costs, q, 0.5)  # any number with finite slopes: what does not cost is cut off below
        log_not_q = torch.log1p(-q) if self.shift else log_not_p
        negative = torch.where(costs, -(q**self.gamma_negative) * log_not_q, 0.0)
        return pos_weight * t * positive + (1 - t) * negative
