"""How many numbers a network says of a label, and the one logit that they come to.

In:    a network's outputs.
Out:   (N, L) logits of the label's probability.
Never: targets, losses, the network itself.
"""

from typing import Literal

import torch

from cxrlab.errors import BadRun

Head = Literal["binary", "three-way"]
OUTPUTS: dict[str, int] = {"binary": 1, "three-way": 3}  # a label
NEGATIVE, POSITIVE, UNCERTAIN = 0, 1, 2  # the three, in this order


def classes_of(out: torch.Tensor) -> torch.Tensor:
    """Return (N, L, 3) of a three-way head's (N, 3L)."""
    return out.unflatten(1, (-1, OUTPUTS["three-way"]))


def logit_of(out: torch.Tensor, head: Head, n_labels: int) -> torch.Tensor:
    """Return (N, L) logits.

    A three-way head's score leaves the uncertain class out, p1 / (p0 + p1), whose logit is z1 − z0. Source: Irvin 2019,
    arXiv:1901.07031 (U-MultiClass).

    Args:
        out: (N, L) of a binary head, (N, 3L) of a three-way one.
        head: which it is.
        n_labels: L.

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
    z = classes_of(out)
    return z[..., POSITIVE] - z[..., NEGATIVE]
