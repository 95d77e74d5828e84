"""Cross-entropy with targets a little nearer to 0.5.

In:    logits and targets with NaN where masked.
Out:   one number to descend.
Never: labels' names, networks.

Source: Szegedy 2016, arXiv:1512.00567, section 7: t becomes t·(1 − ε) + ε/K, here with K = 2 classes a label.
"""

import torch

from cxrlab.choices.losses import SmoothedOptions
from cxrlab.losses.base import Loss, plug_in
from cxrlab.losses.masked_bce import cross_entropy


@plug_in("smoothed")
class Smoothed(Loss):
    """Soft targets are smoothed as hard ones. A weight w shifts logits by log w, as without smoothing."""

    def __init__(self, options: SmoothedOptions, n_labels: int) -> None:
        super().__init__()
        self.smoothing = options.smoothing

    def cells(self, z: torch.Tensor, t: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
        """Return what each cell costs."""
        return cross_entropy(z, t * (1 - self.smoothing) + self.smoothing / 2, pos_weight)
