"""How many numbers a network says of a label, and the one logit that they come to, from one head or several.

In:    a network's outputs.
Out:   (N, L) logits of the label's probability.
Never: targets, losses, the network itself.
"""

from typing import Literal

import numpy as np
import torch

from cxrlab.errors import BadRun
from cxrlab.models import gating

Head = Literal["binary", "three-way", "gated"]  # gated: the last label is the gate's, see models/gating.py
OUTPUTS: dict[str, int] = {"binary": 1, "three-way": 3, "gated": 1}  # a label
NEGATIVE, POSITIVE, UNCERTAIN = 0, 1, 2  # the three, in this order


def classes_of(out: torch.Tensor) -> torch.Tensor:
    """Return (N, L, 3) of a three-way head's (N, 3L)."""
    return out.unflatten(1, (-1, OUTPUTS["three-way"]))


def logit_of(out: torch.Tensor, head: Head, n_labels: int, none: int | None = None) -> torch.Tensor:
    """Return (N, L) logits.

    A three-way head's score leaves the uncertain class out, p1 / (p0 + p1), whose logit is z1 − z0. Source: Irvin 2019,
    arXiv:1901.07031 (U-MultiClass).

    A gated head's labels are put together as if nothing were held back, see gating.joined.

    Args:
        out: (N, L) of a binary or gated head, (N, 3L) of a three-way one.
        head: which it is.
        n_labels: L.
        none: of a gated head, see gating.none_of.

    Raises:
        BadRun: `out` has another width.
    """
    if out.ndim != 2 or out.shape[1] != n_labels * OUTPUTS[head]:
        raise BadRun(
            f"the network says {tuple(out.shape[1:])} numbers an image; expected {n_labels * OUTPUTS[head]} of a {head} "
            f"head for {n_labels} labels. Train the run again."
        )
    if head == "binary":
        return out
    if head == "gated":
        return gating.joined(out[:, :-1], out[:, -1], none)
    z = classes_of(out)
    return z[..., POSITIVE] - z[..., NEGATIVE]


def weights_of(learnt: np.ndarray, own: int | None) -> torch.Tensor:
    """Return (H, L) float32, how much each head's logit counts; each column adds up to 1.

    A site's own head alone counts where that site taught it the label. Elsewhere, and at a site without a head of its
    own, all heads that learnt the label count alike: the mean of their logits.

    Args:
        learnt: (H, L) bool: the head was taught the label, both ways; at least one head a label.
        own: which head is the site's; None: none.

    >>> weights_of(np.array([[True, True], [True, False]]), 1).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    counts = learnt.astype(np.float32)
    if own is not None:
        counts[:, learnt[own]] = 0
        counts[own, learnt[own]] = 1
    return torch.from_numpy(counts / counts.sum(axis=0, keepdims=True))


def joint_logit(out: torch.Tensor, head: Head, n_labels: int, weights: torch.Tensor) -> torch.Tensor:
    """Return (N, L) logits of several heads side by side.

    Args:
        out: (N, H * outputs), the first head's first.
        head: what each is.
        n_labels: L.
        weights: (H, L), see `weights_of`.

    Raises:
        BadRun: `out` has another width.
    """
    one = n_labels * OUTPUTS[head]
    if out.ndim != 2 or out.shape[1] != len(weights) * one:
        raise BadRun(
            f"the network says {tuple(out.shape[1:])} numbers an image; expected {len(weights)} heads of {one}. Train the "
            "run again."
        )
    each = torch.stack([logit_of(part, head, n_labels) for part in out.split(one, dim=1)], dim=1)
    return (each * weights.to(each.device)).sum(dim=1)
