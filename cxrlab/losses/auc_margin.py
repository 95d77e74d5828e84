"""Mean scores of positives and negatives are pulled apart, and each kind together: a smooth stand-in for AUROC.

In:    logits and targets with NaN where masked.
Out:   one number to descend; buffers: the mean score of each kind, a label.
Never: labels' names, networks, weights of positives (each kind has its own mean, however rare).

Source: Ying 2016 (NeurIPS), Yuan 2021, arXiv:2012.03173. With s = σ(z), the min-max objective

    F = E[(s − a)² | +] + E[(s − b)² | −] + 2α·(m + E[s | −] − E[s | +]) − α²

at its optimum a = E[s | +], b = E[s | −], α = max(0, m + b − a) is Var(s | +) + Var(s | −) + max(0, m + b − a)²: no
optimizer of its own is needed. The papers' objective is p·(1 − p) times this, p the share of positives.
"""

import torch

from cxrlab.choices.losses import AucMarginOptions
from cxrlab.losses.base import Loss, plug_in, share


@plug_in("auc-margin")
class AucMargin(Loss):
    """F of each label with a and b as running means, held fixed for the gradient.

    A batch of one positive has no variance; with what earlier batches showed it has. A label is left out until both
    kinds were seen (with memory 0: in this batch). Means run apart on several GPUs.
    """

    mean_positive: torch.Tensor  # (L,) float32, NaN until one was seen
    mean_negative: torch.Tensor  # likewise

    def __init__(self, options: AucMarginOptions, n_labels: int) -> None:
        super().__init__()
        self.margin, self.memory = options.margin, options.memory
        self.register_buffer("mean_positive", torch.full((n_labels,), torch.nan))
        self.register_buffer("mean_negative", torch.full((n_labels,), torch.nan))

    def value(
        self,
        z: torch.Tensor,
        t: torch.Tensor,
        known: torch.Tensor,
        pos_weight: torch.Tensor,
        of: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the mean over labels of F; it may be a little below 0 when the means run behind."""
        s = z.sigmoid()
        positive, negative = known & (t == 1), known & (t == 0)
        a, b = self._mean(s, positive, self.mean_positive), self._mean(s, negative, self.mean_negative)
        usable = ~(a.isnan() | b.isnan())
        a, b = torch.where(usable, a, 0.0), torch.where(usable, b, 0.0)
        alpha = (self.margin + b - a).clamp(min=0)
        mean_s_positive, spread_positive = _moments(s, positive, a)
        mean_s_negative, spread_negative = _moments(s, negative, b)
        apart = self.margin + mean_s_negative - mean_s_positive
        label = spread_positive + spread_negative + 2 * alpha * apart - alpha**2
        return share((label * usable).sum() / usable.sum().clamp(min=1), known, of)

    def _mean(self, s: torch.Tensor, chosen: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        n = chosen.sum(dim=0)
        now = (s.detach() * chosen).sum(dim=0) / n.clamp(min=1)
        if self.memory == 0:
            return torch.where(n > 0, now, torch.nan)
        earlier = before.to(now.dtype)
        moved = torch.where(earlier.isnan(), now, torch.lerp(now, earlier, self.memory))
        mean = torch.where(n > 0, moved, earlier)
        if self.training:
            before.copy_(mean)
        return mean


def _moments(
    s: torch.Tensor, chosen: torch.Tensor, centre: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (L,) mean and mean squared distance to `centre` of the chosen; without any, `centre` and 0."""
    n = chosen.sum(dim=0)
    mean = (s * chosen).sum(dim=0) / n.clamp(min=1)
    spread = ((s - centre) ** 2 * chosen).sum(dim=0) / n.clamp(min=1)
    return torch.where(n > 0, mean, centre), spread
