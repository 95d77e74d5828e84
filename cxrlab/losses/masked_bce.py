"""Binary cross-entropy that skips what the site never said.

In:    logits and targets with NaN where masked.
Out:   one number to descend, and the weights of positives.
Never: labels' names, networks.
"""

import numpy as np
import torch
from torch.nn import functional

from cxrlab.choices import NoOptions
from cxrlab.losses.base import Loss, mean_over_labels, plug_in, settle

LARGEST_WEIGHT = 10.0  # beyond it a handful of positives steers every step


@plug_in("bce")
class MaskedBce(Loss):
    """`masked_bce` as a plug-in."""

    def __init__(self, options: NoOptions, n_labels: int) -> None:
        super().__init__()

    def cells(self, z: torch.Tensor, t: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
        """Return what each cell costs."""
        return cross_entropy(z, t, pos_weight)


def cross_entropy(z: torch.Tensor, t: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
    """Return (N, L): −w·t·log σ(z) − (1 − t)·log(1 − σ(z))."""
    return functional.binary_cross_entropy_with_logits(z, t, pos_weight=pos_weight, reduction="none")


def masked_bce(logit: torch.Tensor, target: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
    """Mean over labels of the mean over their known rows.

    Averaging a label over its own rows keeps a label that few rows know from shrinking; a label that nobody in the
    batch knows is left out.

    Args:
        logit: (N, L) float.
        target: (N, L) float32 in [0, 1] and NaN (masked). A soft target t costs w·t·log σ + (1 − t)·log(1 − σ), so its
            best odds are w·t/(1 − t): the weight shifts soft and hard ones alike by log w.
        pos_weight: (L,) float32, w: factor on the loss of positives.

    Returns:
        A scalar float32; 0 with no gradient when the batch knows nothing.
    """
    z, t, known = settle(logit, target)
    return mean_over_labels(cross_entropy(z, t, pos_weight), known)


def positive_weight(y_true: np.ndarray, balance: bool) -> np.ndarray:
    """Return (L,) float32: min(negatives/positives, LARGEST_WEIGHT) over the certain rows, or ones.

    Training with weight w shifts a logit by log w; score.py takes that off again, so that scores stay probabilities.

    Args:
        y_true: (N, L) float32 of 0, 1 and NaN (masked); every label has a positive and a negative. What uncertain
            evidence becomes in training is not counted, so that a policy changes targets and nothing else.
        balance: False gives ones.
    """
    if not balance:
        return np.ones(y_true.shape[1], np.float32)
    positives, negatives = (y_true == 1).sum(axis=0), (y_true == 0).sum(axis=0)
    return np.minimum(negatives / positives, LARGEST_WEIGHT).astype(np.float32)
