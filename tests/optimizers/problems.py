"""Small nets, fixed problems and a plain loop for the tests of optimizers. Nothing here draws from torch's own generator."""

import copy
import itertools
import json

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from cxrlab.optimizers import OPTIMIZERS

ALL = sorted(OPTIMIZERS)
SHARP = ["fsam", "gsam", "looksam", "sam", "wsam"]
# Rates at which thirty steps get somewhere on these small problems.
RATES = {"schedule-free-adamw": 3e-2, "adan": 2e-2}


def rate_of(name):
    return RATES.get(name, 1e-2)


def filled(net, seed=0):
    """Draw the matrices, zero the offsets, leave batch norm's scales at one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.ndim > 1:
                p.copy_(torch.randn(p.shape, generator=generator) / p[0].numel() ** 0.5)
            elif name.endswith("bias"):
                p.zero_()
    return net


class ConvNet(nn.Module):
    """A stem, two hidden convolutions of one shape and a transposed shape, batch norm, a head: in channels-last memory."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        self.body = nn.Sequential(
            *(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()),
            *(nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()),
            nn.Conv2d(6, 12, 1),
        )
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.body(self.stem(x)).mean(dim=(2, 3)))


def conv_net():
    return filled(ConvNet()).to(memory_format=torch.channels_last)


def images(n=24, px=8):
    """Grey squares whose brighter half is the answer: (n, 1, px, px) and (n, 2) of 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 1, px, px, generator=generator)
    y = (torch.arange(n) % 2).float()
    x[:, :, : px // 2] += y[:, None, None, None] * 1.5
    return x.to(memory_format=torch.channels_last), torch.stack([y, 1 - y], dim=1)


class Smooth(nn.Module):
    """Four linear layers and tanh, so that a reference that differs by rounding alone stays that near."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        sizes = (5, 8, 8, 8, 3)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.to(dtype)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return self.layers[-1](x)


def smooth(dtype=torch.float32):
    return filled(Smooth(dtype))


def points(dtype=torch.float32, n=32):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(n, 5, generator=generator, dtype=torch.float64)
    y = torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x[:, 3] - x[:, 4]], dim=1)
    return x.to(dtype), y.to(dtype)


def batches(x, y, steps, size=8):
    """Batch k of a fixed walk over the rows."""
    for k in range(steps):
        rows = (torch.arange(size) * 5 + 3 * k) % len(x)
        yield x[rows], y[rows]


def closure_of(net, x, y, loss=functional.mse_loss):
    def closure():
        value = loss(net(x), y)
        value.backward()
        return value.detach()

    return closure


def walk(driver, x, y, steps, loss=functional.mse_loss):
    """Take steps over the fixed walk; return the losses."""
    return [driver.step(closure_of(driver.net, a, b, loss)) for a, b in batches(x, y, steps)]


def bce(out, y):
    return functional.binary_cross_entropy_with_logits(out, y)


def drive(name, net, options=None, learning_rate=None, weight_decay=1e-2):
    return OPTIMIZERS[name].drive(net, options, learning_rate or rate_of(name), weight_decay, "cpu")


def weights(net):
    return {key: value.detach().clone() for key, value in net.state_dict().items()}


def furthest(a, b):
    """The largest difference of two nets' parameters."""
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return max(float((p.detach() - q.detach()).abs().max()) for p, q in pairs)


def through_files(folder, net, driver):
    """Write net and driver as the lab does (safetensors, JSON) and return a fresh pair made of the files."""
    tensors = {f"net.{key}": value for key, value in net.state_dict().items()}
    tensors |= {f"optimizer.{key}": value for key, value in driver.tensors().items()}
    save_file(
        {key: value.detach().contiguous().clone() for key, value in tensors.items()},
        folder / "last.safetensors",
    )
    (folder / "facts.json").write_text(json.dumps(driver.facts(), allow_nan=False))

    read, facts = load_file(folder / "last.safetensors"), json.loads((folder / "facts.json").read_text())
    other = copy.deepcopy(net)
    for tensor in other.state_dict().values():
        tensor.fill_(7)  # nothing may come from the old net
    other.load_state_dict({key[4:]: value for key, value in read.items() if key.startswith("net.")})
    return other, {key[10:]: value for key, value in read.items() if key.startswith("optimizer.")}, facts
