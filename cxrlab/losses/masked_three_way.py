"""Cross-entropy over negative, positive and uncertain, that skips what the site never said.

In:    a three-way head's outputs and targets with NaN where masked.
Out:   one number to descend.
Never: labels' names, networks.

Source: Irvin 2019, arXiv:1901.07031 (U-MultiClass): a softmax over three classes, a class a kind of evidence.
"""

import torch
from torch.nn import functional

from cxrlab.losses.base import mean_over_labels
from cxrlab.models import heads


def masked_three_way(
    out: torch.Tensor,
    target: torch.Tensor,
    pos_weight: torch.Tensor,
    multiclass: torch.Tensor,
    of: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over labels of the mean over their known rows.

    A label outside `multiclass` has the binary cross-entropy of z1 − z0, so that labels of both kinds share a network.

    Positives of a label weigh w in either loss. The best class probabilities are then proportional to w times the
    positives' share, so z1 − z0 is log w too much, as in the binary loss, however many are uncertain: scoring takes the
    same log w off.

    Args:
        out: (N, 3L) float, see models.heads.
        target: (N, L) float32; of `multiclass` labels 0, 1 and 2 (uncertain), of others in [0, 1]; NaN masked.
        pos_weight: (L,) float32, w.
        multiclass: (L,) bool.
        of: (L,) int, known rows of the whole batch, see mean_over_labels; None: these rows are the whole batch.

    Returns:
        A scalar float32; 0 with no gradient when the batch knows nothing.
    """
    known, filled = ~torch.isnan(target), torch.nan_to_num(target)
    z = torch.where(known[..., None], heads.classes_of(out.float()), 0.0)
    which = filled.round().long()
    three = -z.log_softmax(dim=-1).gather(-1, which[..., None])[..., 0]
    three = three * torch.where(which == heads.POSITIVE, pos_weight, torch.ones_like(pos_weight))
    two = functional.binary_cross_entropy_with_logits(
        z[..., heads.POSITIVE] - z[..., heads.NEGATIVE], filled, pos_weight=pos_weight, reduction="none"
    )
    return mean_over_labels(torch.where(multiclass, three, two), known, of)
