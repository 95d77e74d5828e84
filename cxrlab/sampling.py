"""Which rows an epoch shows, and in what order.

In:    a way of sampling, the training rows' truth, a CPU generator.
Out:   positions among these rows; a function of the generator's state alone, so that a resumed run walks the same way.
Never: images, batches, the weight on positives (losses/).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from cxrlab.choices.sampling import CHOICES
from cxrlab.errors import BadSpec
from cxrlab.spec.parts import Frozen


def order_of(
    name: str,
    y_true: np.ndarray,
    generator: torch.Generator,
    n: int | None = None,
    options: Frozen | Mapping[str, Any] | None = None,
) -> torch.Tensor:
    """Return the positions of an epoch, (n,) int64 in [0, N).

    Args:
        name: one of CHOICES.
        y_true: (N, L) float32 of 0, 1 and NaN (masked), the training rows alone.
        generator: on the CPU, made for this epoch.
        n: images an epoch; None: N. At most N when every image is shown once.
        options: of this way of sampling; None are the defaults.

    Raises:
        UnknownName: no such way.
        BadSpec: an option is out of range, or there are no labels to balance.
    """
    read, rows = CHOICES[name].read(options), len(y_true)
    n = rows if n is None else n
    if name == "plain":
        if n > rows:
            raise ValueError(f"{n} of {rows} rows cannot be drawn once each")
        return torch.randperm(rows, generator=generator)[:n]
    times = torch.from_numpy(expected_draws(y_true, n, read.most))
    return torch.multinomial(times, n, replacement=True, generator=generator)


def expected_draws(y_true: np.ndarray, n: int, most: float) -> np.ndarray:
    """Return (N,) float64, how often each row comes up in `n` draws on average; they add up to `n`.

    A row counts one over the number of positives of its rarest finding, a row without a finding one over the number of
    such rows: every label, and the rows without any, have about an equal part of an epoch. No row comes up more than
    `most` times as often as in plain sampling; what is cut off there goes to the others.

    Args:
        y_true: (N, L) of 0, 1 and NaN.
        n: draws.
        most: at least 1.

    Raises:
        BadSpec: L is 0.
    """
    if y_true.shape[1] == 0:
        raise BadSpec(
            "balanced sampling needs labels, and an autoencoder or a pretraining has none; choose 'plain' sampling."
        )
    positive = y_true == 1
    rarity = 1 / np.maximum(positive.sum(axis=0), 1)
    without = ~positive.any(axis=1)
    weight = np.where(positive, rarity, 0).max(axis=1)
    weight[without] = 1 / max(without.sum(), 1)
    share = weight / weight.sum()
    ceiling = most / len(share)
    # Each round cuts a row at least, or ends; a ceiling of a mean share or more leaves room for the rest.
    cut = np.zeros(len(share), bool)
    while (over := ~cut & (share > ceiling * (1 + 1e-12))).any():
        cut |= over
        share[cut] = ceiling
        rest = ~cut
        if rest.any():
            share[rest] = weight[rest] / weight[rest].sum() * (1 - ceiling * cut.sum())
    return share * n
