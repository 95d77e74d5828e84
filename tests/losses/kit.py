"""What several tests of losses need."""

import math

import torch

NAN = math.nan


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def targets(n, n_labels, seed=0, share=0.4, masked=0.0):
    """Return (n, n_labels) float32 of 0 and 1, NaN in a share of the cells."""
    draw = torch.Generator().manual_seed(seed)
    y = (torch.rand(n, n_labels, generator=draw) < share).float()
    return torch.where(torch.rand(n, n_labels, generator=draw) < masked, torch.tensor(NAN), y)


def column(*values):
    return torch.tensor(values)[:, None]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))
