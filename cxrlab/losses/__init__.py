"""The losses that a spec can name; one loss, one file."""

from cxrlab.losses import asymmetric, auc_margin, focal, masked_bce, pairwise, smoothed
from cxrlab.losses.base import LOSSES, Loss

__all__ = [
    "LOSSES",
    "Loss",
    "asymmetric",
    "auc_margin",
    "focal",
    "masked_bce",
    "pairwise",
    "smoothed",
]
