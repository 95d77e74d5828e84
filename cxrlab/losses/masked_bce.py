"""Binary cross-entropy that skips what the site never said.

In:    logits and targets with NaN where masked.
Out:   one number to descend, and the weights of positives.
Never: labels' names, networks.
"""

import numpy as np
import torch
from torch.nn import functional

LARGEST_WEIGHT = 10.0  # beyond it a handful of positives steers every step


def masked_bce(logit: torch.Tensor, target: torch.Tensor, pos_weight: torch.Tensor) -> torch.Tensor:
    """Mean over labels of the mean over their known rows.

    Averaging a label over its own rows keeps a label that few rows know from shrinking; a label that nobody in the
    batch knows is left out.

    Args:
        logit: (N, L) float.
        target: (N, L) float32 of 0, 1 and NaN (masked).
        pos_weight: (L,) float32, factor on the loss of positives.

    Returns:
        A scalar float32; 0 with no gradient when the batch knows nothing.
    """
    known = ~torch.isnan(target)
    loss = functional.binary_cross_entropy_with_logits(
        logit.float(), torch.nan_to_num(target), pos_weight=pos_weight, reduction="none"
    )
    n = known.sum(dim=0)
    a_label = (loss * known).sum(dim=0) / n.clamp(min=1)
    return a_label.sum() / (n > 0).sum().clamp(min=1)


def positive_weight(target: np.ndarray, balance: bool) -> np.ndarray:
    """Return (L,) float32: min(negatives/positives, LARGEST_WEIGHT) over the known rows, or ones.

    Training with weight w shifts a logit by log w; score.py takes that off again, so that scores stay probabilities.

    Args:
        target: (N, L) float32 of 0, 1 and NaN (masked); every label has a positive and a negative.
        balance: False gives ones.
    """
    if not balance:
        return np.ones(target.shape[1], np.float32)
    positives, negatives = (target == 1).sum(axis=0), (target == 0).sum(axis=0)
    return np.minimum(negatives / positives, LARGEST_WEIGHT).astype(np.float32)
