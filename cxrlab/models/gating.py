"""What a gate and a disease network say together.

In:    logits of "abnormal", and of findings given that the image is.
Out:   (N, L + 1) logits, one a finding, then the gate's.
Never: networks, where the gate is cut, targets.
"""

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import logsigmoid

from cxrlab.labels import NO_FINDING

# The least that a disease network can say of an image that was let through. What the gate holds back gets the gate's
# probability times this: it then stands below everything that passed, and no passing score moves by more than this.
FLOOR = 1e-3


def none_of(labels: Sequence[str]) -> int | None:
    """Return which of the labels says that there is nothing: a gate answers it; None: none does."""
    return labels.index(NO_FINDING) if NO_FINDING in labels else None


def joined(
    disease: torch.Tensor, gate: torch.Tensor, none: int | None = None, passed: torch.Tensor | None = None
) -> torch.Tensor:
    """Return (N, L + 1) logits of what a gate and a disease network say together.

    A finding's probability is P(abnormal) · P(finding | abnormal): Chen 2019, PMLR 102:109. We bound the second factor
    below by FLOOR, which is also what stands in its place where the gate held the image back: the score is then the
    gate's alone, rises with it, and is below that of every image that passed. No Finding is the gate's own answer turned
    round, and so is above it.

    Args:
        disease: (N, L) float32 logits given that the image is abnormal; anything where it was held back.
        gate: (N,) float32 logits of "abnormal".
        none: which column of `disease` is No Finding, see `none_of`.
        passed: (N,) bool, the images that the disease network saw; None: all.
    """
    said = torch.logaddexp(logsigmoid(disease) + math.log1p(-FLOOR), gate.new_tensor(math.log(FLOOR)))
    denied = logsigmoid(-disease) + math.log1p(-FLOOR)
    if passed is not None:
        said = torch.where(passed[:, None], said, math.log(FLOOR))
        denied = torch.where(passed[:, None], denied, math.log1p(-FLOOR))
    yes, no = logsigmoid(gate)[:, None], logsigmoid(-gate)[:, None]
    # log p - log(1 - p), each summed up in logs: neither end is lost in float32.
    out = (yes + said) - torch.logaddexp(no, yes + denied)
    if none is not None:
        out = torch.cat([out[:, :none], -gate[:, None], out[:, none + 1 :]], dim=1)
    return torch.cat([out, gate[:, None]], dim=1)
