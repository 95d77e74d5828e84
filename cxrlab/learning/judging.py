"""How an epoch's network is judged, by a named rule on source validation rows.

In:    a training in flight.
Out:   one number, and whether it is better than another.
Never: external sites, test rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn

from cxrlab.learning import feeds
from cxrlab.learning.state import Training
from cxrlab.metrics.auroc import auroc
from cxrlab.models.gating import none_of
from cxrlab.models.heads import joint_logit, logit_of, weights_of


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
    out = own_logit(out, going)
    if not torch.isfinite(out).all():
        return math.nan
    score = average_precision if rule.name == "val-macro-auprc" else auroc
    values = np.array([score(y[:, k], out[:, k].double().numpy()) for k in range(y.shape[1])])
    return float(np.nanmean(values))  # cohort.build saw to it that one label is defined


def own_logit(out: torch.Tensor, going: Training) -> torch.Tensor:
    """Return (M, L) logits of the validation rows; of several heads each row's site decides, as in scoring."""
    plan = going.plan
    if plan.n_heads == 1:
        return logit_of(out, plan.head, plan.n_labels, none_of(going.rows.labels))
    site, learnt = torch.from_numpy(going.rows.site[going.rows.val]), going.rows.learnt
    logit = torch.empty((len(out), plan.n_labels))
    for own in range(plan.n_heads):
        logit[site == own] = joint_logit(out[site == own], plan.head, plan.n_labels, weights_of(learnt, own))
    return logit


def average_precision(y_true: np.ndarray, score: np.ndarray) -> float:
    """Return the average precision over the known rows; NaN without a positive and a negative one."""
    known = ~np.isnan(y_true)
    if not {0.0, 1.0} <= set(y_true[known].tolist()):
        return math.nan
    return float(average_precision_score(y_true[known], score[known]))


def _loss(going: Training) -> float:
    """Return the mean loss over the validation rows, batch by batch, with nothing remembered.

    Nothing is changed either, but where views of an image are compared: those are the same in every epoch.
    """
    augment = going.augment if going.spec.task == "moco" else None
    going.net.eval()
    going.objective.eval()
    total, n = 0.0, 0
    with torch.inference_mode():
        for rows in np.array_split(going.rows.val, max(1, len(going.rows.val) // feeds.SCORING_BATCH)):
            drawn = torch.Generator().manual_seed(n)
            x = next(going.feed.batches(rows, len(rows), augment, lambda _, drawn=drawn: drawn))
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
        return feeds.through(feed, positions, net if call is None else partial(call, net))
