"""How an epoch's network is judged, by a named rule on source validation rows.

In:    a training in flight.
Out:   one number, and whether it is better than another.
Never: external sites, test rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn

from cxrlab.learning import feeds
from cxrlab.learning.state import Training
from cxrlab.metrics.auroc import auroc
from cxrlab.models.heads import logit_of


@dataclass(frozen=True)
class Rule:
    """One way to prefer an epoch."""

    name: str
    says: str
    lower: bool = False


RULES = {
    rule.name: rule
    for rule in (
        Rule("val-macro-auroc", "highest mean AUROC over the labels defined on source validation rows"),
        Rule(
            "val-macro-auprc",
            "highest mean average precision over the labels defined on source validation rows",
        ),
        Rule("val-loss", "lowest loss on source validation rows", lower=True),
        Rule("val-mse", "lowest mean reconstruction error on source validation rows", lower=True),
        Rule("last", "the last epoch; nothing is chosen"),
    )
}


def rule_of(going: Training) -> Rule:
    """Return the run's rule; "auto" is macro AUROC, or the reconstruction error of an autoencoder."""
    asked = going.spec.training.select
    if asked == "auto":
        asked = {"autoencoder": "val-mse", "moco": "val-loss"}.get(going.spec.task, "val-macro-auroc")
    return RULES[asked]


def is_better(rule: Rule, value: float, than: float | None) -> bool:
    """Return whether `value` is to be preferred."""
    if than is None or rule.name == "last":
        return True
    return value < than if rule.lower else value > than


def validate(going: Training) -> float:
    """Return the rule's value on source validation rows, in fp32 as scoring will; NaN for a network that broke."""
    rule = rule_of(going)
    if rule.name == "val-loss" or (rule.name == "last" and going.spec.task == "moco"):
        return _loss(going)
    if going.spec.task == "autoencoder":
        return float(outputs(going.net, going.feed, going.rows.val, _mse).double().mean())
    y, out = going.rows.y_true[going.rows.val], outputs(going.net, going.feed, going.rows.val)
    out = logit_of(own_head(out, going), going.plan.head, going.plan.n_labels)
    if not torch.isfinite(out).all():
        return math.nan
    score = average_precision if rule.name == "val-macro-auprc" else auroc
    values = np.array([score(y[:, k], out[:, k].double().numpy()) for k in range(y.shape[1])])
    return float(np.nanmean(values))  # cohort.build saw to it that one label is defined


def own_head(out: torch.Tensor, going: Training) -> torch.Tensor:
    """Return (M, outputs) of the validation rows: of several heads, that of the row's own site."""
    if going.plan.n_heads == 1:
        return out
    site = torch.from_numpy(going.rows.site[going.rows.val])
    return out.unflatten(1, (going.plan.n_heads, -1))[torch.arange(len(out)), site]


def average_precision(y_true: np.ndarray, score: np.ndarray) -> float:
    """Return the average precision over the known rows; NaN without a positive and a negative one."""
    known = ~np.isnan(y_true)
    if not {0.0, 1.0} <= set(y_true[known].tolist()):
        return math.nan
    return float(average_precision_score(y_true[known], score[known]))


def _loss(going: Training) -> float:
    """Return the mean loss over the validation rows, batch by batch, with nothing augmented or remembered."""
    going.net.eval()
    going.objective.eval()
    total, n = 0.0, 0
    with torch.inference_mode():
        for rows in np.array_split(going.rows.val, max(1, len(going.rows.val) // feeds.SCORING_BATCH)):
            x = next(going.feed.batches(rows, len(rows)))
            y = going.target[torch.from_numpy(rows).to(going.device)]
            site = going.site[torch.from_numpy(rows).to(going.device)]
            total += float(going.objective(going.net, x, y, site)) * len(rows)
            n += len(rows)
    going.objective.train()
    return total / n


def _mse(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (net(x) - x).square().mean(dim=(1, 2, 3))


def outputs(
    net: nn.Module,
    feed: feeds.Feed,
    positions: np.ndarray,
    call: Callable[[nn.Module, torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return what `call` (None: the network) says of the rows at `positions`, on the CPU, in eval mode and fp32."""
    net.eval()
    with torch.inference_mode():
        parts = [
            (net(x) if call is None else call(net, x)).float().cpu()
            for x in feed.batches(positions, feeds.SCORING_BATCH)
        ]
    return torch.cat(parts)
