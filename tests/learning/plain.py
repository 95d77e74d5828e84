"""A network whose parts add up exactly, and a training in flight with it, for tests of the loop."""

import torch
from torch import nn

from cxrlab.labels import Evidence
from cxrlab.learning import state
from cxrlab.optimizers import OPTIMIZERS
from cxrlab.progress import Progress


class Plain(nn.Module):
    """Convolutions without batch norm and without dropout: what an image does to it depends on no other image."""

    def __init__(self, n_outputs):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.Tanh(),
            nn.MaxPool2d(4),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Tanh(),
        )
        self.head = nn.Linear(8, n_outputs)

    def forward(self, x):
        return self.head(self.body(x).amax(dim=(2, 3)))


class Wavering(Plain):
    """`Plain` with a batch norm that sees what dropout left: its statistics are drawn, not only computed."""

    def __init__(self, n_outputs):
        super().__init__(n_outputs)
        self.norm = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(8))

    def forward(self, x):
        return self.head(self.norm(self.body(x)).amax(dim=(2, 3)))


class Placeless(Plain):
    """`Plain` with a batch norm behind the pooling: one number of an image, as in deep networks of small images."""

    def __init__(self, n_outputs):
        super().__init__(n_outputs)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, x):
        return self.head(self.norm(self.body(x).amax(dim=(2, 3))))


def masks(evidence):
    """Some rows say nothing of some labels, so that labels have different numbers of known rows."""
    evidence[::3, 1] = int(Evidence.NOT_ANNOTATED)
    evidence[1::5, 2] = int(Evidence.NOT_ANNOTATED)


def prepared(lab, wanted, group=None):
    """Return a training of `wanted`, ready for its first step."""
    return state.prepare(wanted, lab, torch.device("cpu"), Progress(), group)


def put_in(going, net):
    """Let `going` train `net` in place of its own network."""
    wanted = going.spec.training
    going.net = going.call = net.to(memory_format=torch.channels_last)
    going.driver = OPTIMIZERS[wanted.optimizer].drive(
        net, wanted.optimizer_options, wanted.learning_rate, wanted.weight_decay, going.device
    )
    going.driver.clip_norm = wanted.clip_norm
    return going


def batch(going, n=8):
    """Return the first `n` training rows as the loop takes them: what is seen, targets, sites."""
    rows = torch.from_numpy(going.rows.train[:n])
    return next(going.feed.batches(rows, n)), going.target[rows], going.site[rows]
