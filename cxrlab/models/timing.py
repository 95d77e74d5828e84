"""A network as it would be deployed, for timing alone.

In:    a trained network.
Out:   a copy in eval mode, its training-time branches fused.
Never: scores: they come from the network that was trained, whose sums are rounded otherwise.
"""

from timm.utils.model import reparameterize_model
from torch import nn


def for_timing(net: nn.Module) -> nn.Module:
    """Return a copy of `net` in eval mode with branches fused where its layers know how (RepVGG), else as it is."""
    return reparameterize_model(net, inplace=False).eval()
