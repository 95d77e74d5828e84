"""Every positive shall stand a margin above every negative of its label.

In:    logits and targets with NaN where masked.
Out:   one number to descend; buffers: the latest scores of positives and negatives, a label.
Never: labels' names, networks, weights of positives (a pair has one of each).

Source: Gao 2015, arXiv:1208.0645: the mean over positives i and negatives j of max(0, m − (z_i − z_j))².
"""

import torch

from cxrlab.choices.losses import PairwiseOptions
from cxrlab.losses.base import Loss, plug_in, share


@plug_in("pairwise")
class Pairwise(Loss):
    """Pairs within a batch, and of a batch's scores with queued ones of the other kind.

    A rare label seldom has both kinds in a batch: the queue gives it pairs. A label without a pair is left out. Queued
    scores get no gradient.
    """

    queued_positive: torch.Tensor  # (K, L) float32, oldest first, NaN where there is none yet
    queued_negative: torch.Tensor  # likewise

    def __init__(self, options: PairwiseOptions, n_labels: int) -> None:
        super().__init__()
        self.margin, self.length = options.margin, options.queue
        self.register_buffer("queued_positive", torch.full((self.length, n_labels), torch.nan))
        self.register_buffer("queued_negative", torch.full((self.length, n_labels), torch.nan))

    def value(
        self,
        z: torch.Tensor,
        t: torch.Tensor,
        known: torch.Tensor,
        pos_weight: torch.Tensor,
        of: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the mean over labels of the mean over their pairs."""
        positive, negative = known & (t == 1), known & (t == 0)
        pairs = [self._pairs(z, positive, z, negative)]
        if self.length:
            was_positive, was_negative = (
                torch.nan_to_num(queue).to(z.dtype) for queue in (self.queued_positive, self.queued_negative)
            )
            pairs.append(self._pairs(z, positive, was_negative, ~self.queued_negative.isnan()))
            pairs.append(self._pairs(was_positive, ~self.queued_positive.isnan(), z, negative))
            if self.training:
                self.queued_positive.copy_(_latest(self.queued_positive, z, positive))
                self.queued_negative.copy_(_latest(self.queued_negative, z, negative))
        total, n = (torch.stack(parts).sum(dim=0) for parts in zip(*pairs, strict=True))
        label = total / n.clamp(min=1)
        return share(label.sum() / (n > 0).sum().clamp(min=1), known, of)

    def _pairs(
        self, high: torch.Tensor, is_high: torch.Tensor, low: torch.Tensor, is_low: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (L,) the sum over pairs and the number of pairs; 14 labels of a batch of 1,024 take 60 MB a tensor."""
        short = (self.margin - (high[:, None] - low[None])).clamp(min=0)  # (H, W, L)
        both = is_high[:, None] & is_low[None]
        return (short**2 * both).sum(dim=(0, 1)), is_high.sum(dim=0) * is_low.sum(dim=0)


def _latest(queue: torch.Tensor, z: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return the last scores of the queue and then of the chosen, a label, as many as the queue holds."""
    all_scores = torch.cat([queue, torch.where(chosen, z.detach(), torch.nan).to(queue.dtype)])
    # Stable: scores keep their age, what is none goes to the front.
    order = torch.argsort((~all_scores.isnan()).to(torch.uint8), dim=0, stable=True)
    return all_scores.gather(0, order)[-len(queue) :]
