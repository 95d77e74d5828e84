"""Momentum contrast: an encoder learns without labels that two views of one image are alike and other patients' are not.

In:    a network whose head projects, two views of each image, patients' numbers.
Out:   the InfoNCE loss; a queue and a second encoder as buffers, part of a run's state.
Never: labels, rows, files; the encoder's own steps (the optimizer's).

Sources: He 2020, arXiv:1911.05722 (queue, momentum); Chen 2020, arXiv:2003.04297 (two-layer projection, temperature .2);
Sowrirajan 2021, arXiv:2010.05352 (radiographs).
"""

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from cxrlab.choices import strategies
from cxrlab.errors import BadSpec

if TYPE_CHECKING:
    from cxrlab.spec import TrainSpec

NOBODY = -1  # the patient of a place in the queue that no image has taken yet


def options_of(spec: "TrainSpec") -> strategies.MocoOptions:
    """Return the run's settings. Raises BadSpec: one is unknown or out of range."""
    read = strategies.CHOICES["moco"].read(spec.strategy.moco_options)
    if not isinstance(read, strategies.MocoOptions):
        raise BadSpec("strategy.moco_options are no options of MoCo.")
    return read


def with_projector(net: nn.Module, units: int) -> nn.Module:
    """Put a projection of two layers in the place of the head of `net`, and return `net`.

    Raises:
        BadSpec: the network has no head on features.
    """
    head = getattr(net, "head", None)
    first = next((m for m in head.modules() if isinstance(m, nn.Linear)), None) if head is not None else None
    if first is None:
        raise BadSpec("this network has no head on features that a projection could replace; choose another.")
    wide = first.in_features
    net.head = nn.Sequential(nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, units))
    return net


class Moco(nn.Module):
    """The objective of the task "moco".

    A batch norm could tell a view its partner by the statistics of their common batch. So the second encoder sees each
    batch shuffled, in two halves: what shuffling over several GPUs does in He 2020, on one. That makes it harder, not
    impossible. (Running statistics in the second encoder, as in Cai 2021, arXiv:2101.08482, would rule it out; with
    batches of 16 the validation loss then hardly fell in 300 steps, 3.3 to 3.2, where it fell to 1.7 with halves.)
    """

    def __init__(self, net: nn.Module, spec: "TrainSpec", n_train: int) -> None:
        """Begin with an equal second encoder and a queue of random directions; draws from torch's generator.

        Args:
            net: with a projecting head.
            spec: its options are read.
            n_train: training images; the queue keeps at most that many less a batch.
        """
        super().__init__()
        wanted, batch = options_of(spec), spec.training.batch
        self.temperature, self.momentum = wanted.temperature, wanted.momentum
        self._followed = (net,)  # in a tuple it is no part of this module, whose state it would double
        self.key = copy.deepcopy(net).requires_grad_(False)
        size = max(batch, min(wanted.queue, n_train - batch))
        self.register_buffer("queue", functional.normalize(torch.randn(size, wanted.projected), dim=1))
        self.register_buffer("patient", torch.full((size,), NOBODY))
        self.register_buffer("at", torch.zeros((), dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._is_new = True  # no part of this batch has come yet

    def train(self, mode: bool = True) -> "Moco":
        """Begin a batch, and say whether it is remembered; the second encoder is in the mode of the first."""
        self.training, self._is_new = mode, True
        return self

    def forward(
        self,
        net: nn.Module,
        x: torch.Tensor,
        y: torch.Tensor,
        site: torch.Tensor,
        whole: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss of one batch, or a part's share of it, a scalar float32.

        In training a view is held against the queue; in validation, where epochs are to be compared, against the other
        views of its batch. A patient's own images are never negatives. Each process of several keeps a queue of its share.

        Args:
            net: the first encoder, or the same compiled.
            x: (2 B, …) first views, then second views.
            y: (B, 1) float32, the patient's number.
            site: not looked at.
            whole: the batch's y that these rows are a part of; None: these are all.
        """
        if self.training and self._is_new:
            self._follow()
        self._is_new = False
        first, second = x.chunk(2)
        query = functional.normalize(net(first).float(), dim=1)
        key = self._keys(second)
        patient = y[:, 0].long()
        # The backward pass wants the queue as it was; `_remember` writes into it before.
        of, theirs = (self.queue.clone(), self.patient) if self._followed[0].training else (key, patient)
        with torch.autocast(x.device.type, enabled=False):
            alike, others = (query * key).sum(dim=1, keepdim=True), query @ of.T
        others = others.masked_fill(patient[:, None] == theirs[None], -torch.inf)
        logit = torch.cat([alike, others], dim=1) / self.temperature
        loss = functional.cross_entropy(logit, torch.zeros_like(patient))
        if self.training:
            self._remember(key, patient)
        return loss if whole is None else loss * (len(y) / len(whole))

    @torch.no_grad()
    def _keys(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, units) of unit length, what the second encoder says of views; in training of shuffled halves."""
        learns = self._followed[0].training
        self.key.train(learns)
        if not learns or len(x) < 4:
            return functional.normalize(self.key(x).float(), dim=1)
        order = torch.randperm(len(x)).to(x.device)
        said = torch.cat([self.key(x[half]).float() for half in order.chunk(2)])
        return functional.normalize(said[order.argsort()], dim=1)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the second encoder's weights towards the first's; its batch norm counts for itself."""
        # At first it follows faster: slow from the start, it would stay at its random beginning.
        kept = (self.steps / (self.steps + 1)).clamp(
            max=self.momentum
        )  # on the device: nothing waits for a GPU
        mine, theirs = list(self.key.parameters()), list(self._followed[0].parameters())
        torch._foreach_mul_(mine, kept)
        torch._foreach_add_(mine, torch._foreach_mul(theirs, 1 - kept))
        self.steps += 1

    def _remember(self, key: torch.Tensor, patient: torch.Tensor) -> None:
        """Put views in the place of the oldest ones."""
        places = (self.at + torch.arange(len(key), device=key.device)) % len(self.queue)
        self.queue[places], self.patient[places] = key, patient
        self.at.copy_((self.at + len(key)) % len(self.queue))
