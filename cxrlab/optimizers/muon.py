"""Muon for hidden weights, AdamW for all that is not one.

In:    a network, MuonOptions.
Out:   a Driver of pytorch_optimizer.Muon with groups of our own.
Never: Muon on the first or last layer, on norms, biases, position embeddings.

Source: Jordan 2024 (Muon); Liu 2025, arXiv:2502.16982, for the scale 0.2·√max(out, in·h·w), with which Muon's steps are
as long as AdamW's and take its learning rate. The library's own helper leaves out only names with "head", so classifiers
called otherwise and every stem would go to Muon.
"""

from typing import Any

from pytorch_optimizer import Muon
from torch import nn

from cxrlab.choices.optimizer_options import MuonOptions
from cxrlab.errors import BadSpec
from cxrlab.optimizers.base import Driver, plug_in

# Parts of a module's path that name what answers; see models/ and timm's classifiers.
HEADS = {"head", "heads", "classifier", "fc", "head_dist"}


def hidden_weights(net: nn.Module) -> list[nn.Parameter]:
    """Return the weights of convolutions and linear layers between the first and the last.

    Left out: the first of them, every convolution that sees the grey image itself, whatever is part of a head, and the
    last of them. Embeddings and norms are no such layers.
    """
    layers = [
        (name, layer)
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd)
    ]
    found = [
        layer.weight
        for name, layer in layers[1:-1]
        if not HEADS & set(name.split(".")) and not (hasattr(layer, "in_channels") and layer.in_channels == 1)
    ]
    return list({id(weight): weight for weight in found}.values())


def groups_of(net: nn.Module, options: MuonOptions, weight_decay: float) -> list[dict[str, Any]]:
    """Return three groups: hidden weights (Muon), other matrices and vectors (AdamW).

    Raises:
        BadSpec: the network has no hidden weight.
    """
    hidden = hidden_weights(net)
    if not hidden:
        raise BadSpec(
            "this network has no weights between its first and its last layer, so 'muon' would be AdamW under another "
            "name; use 'adamw'."
        )
    taken = {id(weight) for weight in hidden}
    rest = [p for p in net.parameters() if id(p) not in taken]
    adamw = {"use_muon": False, "betas": (options.beta1, options.beta2), "eps": options.eps}
    return [
        {
            "params": hidden,
            "use_muon": True,
            "momentum": options.momentum,
            "nesterov": options.nesterov,
            "ns_steps": options.iterations,
            "use_adjusted_lr": True,
            "weight_decay": weight_decay,
        },
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay, **adamw},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0, **adamw},
    ]


@plug_in("muon")
def drive(net: nn.Module, options: MuonOptions, learning_rate: float, weight_decay: float) -> Driver:
    """Return the driver; see base.Optimizer.drive."""
    groups = [{**group, "lr": learning_rate} for group in groups_of(net, options, weight_decay)]
    return Driver("muon", net, Muon(groups, lr=learning_rate), learning_rate)
