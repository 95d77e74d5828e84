"""What a training descends on: targets, an image's own pixels, or two views of one image.

In:    a spec's task and loss, weights of positives, which labels have a class for doubt.
Out:   a module called with (network, batch) that gives a scalar; its buffers are part of a run's state.
Never: optimizers, rows, files.
"""

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from cxrlab.errors import BadSpec
from cxrlab.learning.hierarchy import Gated
from cxrlab.losses import LOSSES
from cxrlab.losses.masked_three_way import masked_three_way
from cxrlab.models import MODELS

if TYPE_CHECKING:
    from cxrlab.learning.feeds import Augment
    from cxrlab.spec import TrainSpec

Call = nn.Module  # a network, or one that was compiled


class Labelled(nn.Module):
    """Targets of findings, or normal against abnormal."""

    def __init__(
        self, spec: "TrainSpec", pos_weight: torch.Tensor, multiclass: torch.Tensor, n_heads: int = 1
    ) -> None:
        super().__init__()
        wanted, self.n_heads = spec.training, n_heads
        plug_in = LOSSES[wanted.loss]
        self.three_way = bool(multiclass.any())
        if self.three_way and not plug_in.three_way:
            raise BadSpec(
                f"the loss {wanted.loss!r} knows positive and negative alone; uncertain labels as a class of their own "
                "('multiclass') go with the loss 'bce'."
            )
        self.loss = plug_in.make(wanted.loss_options, len(pos_weight))
        self.register_buffer("pos_weight", pos_weight, persistent=False)
        self.register_buffer("multiclass", multiclass, persistent=False)

    def forward(
        self,
        net: Call,
        x: torch.Tensor,
        y: torch.Tensor,
        site: torch.Tensor,
        whole: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss of one batch, a scalar float32, or a part's share of it.

        Args:
            net: gives (B, n_heads * outputs).
            x: (B, …) what the network is fed.
            y: (B, L) float32 targets, NaN where masked; 2 is doubt's own class.
            site: (B,) int64, which home site a row comes from; picks its head.
            whole: the targets of the whole batch that these rows are a part of; None: these rows are all.
        """
        out = net(x).float()
        if self.n_heads > 1:
            out = out.unflatten(1, (self.n_heads, -1))[torch.arange(len(out), device=out.device), site]
        of = None if whole is None else (~torch.isnan(whole)).sum(dim=0)
        if self.three_way:
            return masked_three_way(out, y, self.pos_weight, self.multiclass, of)
        return self.loss(out, y, self.pos_weight, of)


class Rebuilt(nn.Module):
    """An image's own pixels: mean squared error of what an autoencoder rebuilds."""

    def forward(
        self,
        net: Call,
        x: torch.Tensor,
        y: torch.Tensor,
        site: torch.Tensor,
        whole: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss of one batch, or a part's share of it, a scalar float32; `site` is not looked at."""
        return functional.mse_loss(net(x).float(), x) * (1.0 if whole is None else len(y) / len(whole))


def build(
    spec: "TrainSpec",
    net: nn.Module,
    pos_weight: torch.Tensor,
    multiclass: torch.Tensor,
    n_heads: int,
    n_train: int,
) -> nn.Module:
    """Return the objective of `spec`'s task for `net`, over `n_train` training images."""
    if spec.task == "autoencoder":
        return Rebuilt()
    if spec.task == "moco":
        from cxrlab.learning.moco import Moco

        return Moco(net, spec, n_train)
    if MODELS[spec.model.name].gated:
        return Gated(spec, pos_weight)
    return Labelled(spec, pos_weight, multiclass, n_heads)


def views_of(task: str, augment: "Augment") -> "Augment":
    """Return what happens to a batch: for 'moco', two views of each image, one after the other."""
    if task != "moco":
        return augment
    return lambda images, generator: torch.cat([augment(images, generator), augment(images, generator)])
