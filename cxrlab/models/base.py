"""What every network plug-in says about itself, and where to look for its maps.

In:    a ModelSpec, how many labels, how many pixels.
Out:   MODELS, an untrained network, the layer whose maps mean something.
Never: data, training, files of a lab.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from cxrlab.errors import BadSpec
from cxrlab.models.heads import OUTPUTS, Head
from cxrlab.registry import Registry
from cxrlab.spec import ModelSpec

# A map of fewer cells a side is no map of a chest. Measured on 40 phantoms a finding, DenseNet-121 at 64 px, Grad-CAM's
# energy in the finding's mask over its area: 8×8 cells (denseblock2) 3.5 cardiomegaly, 3.4 effusion, 1.9 pneumothorax,
# 2.1 consolidation; 4×4 cells (denseblock3) .9, 2.6, 2.3, 2.6.
SMALLEST_GRID = 6


@dataclass(frozen=True)
class Loaded:
    """What first weights brought: how many of the backbone's tensors came from where."""

    source: str = "none"  # "none", a hub name with its tag, or a file's name
    loaded: int = 0
    missing: int = 0
    unexpected: int = 0


@dataclass(frozen=True)
class Plan:
    """What a network is built for."""

    model: ModelSpec
    n_labels: int
    image_px: int
    inputs: int = 0  # latent_head: how many latents come in
    head: Head = "binary"

    @property
    def outputs(self) -> int:
        """How many numbers a classifier says of an image."""
        return self.n_labels * OUTPUTS[self.head]


@dataclass(frozen=True)
class Model:
    """One network plug-in.

    build makes the network with random weights; a classifier's forward gives (N, plan.outputs), see heads.logit_of, an
    autoencoder's (N, 1, H, W) in the scale of its input, and `encode` (N, latent_units).
    cam_layers names modules, deepest first, each with a 4-D output; empty: no map can be drawn, and why_no_map says why.
    """

    name: str
    tasks: tuple[str, ...]
    build: Callable[[Plan], nn.Module]
    cam_layers: Callable[[nn.Module], Sequence[str]] = lambda _: ()
    why_no_map: str = ""
    load: Callable[[nn.Module, str], Loaded] | None = (
        None  # first weights into the backbone; None: only "none"
    )


MODELS: Registry[Model] = Registry("network")


def build(plan: Plan) -> nn.Module:
    """Return the untrained network of `plan`, weights as the global torch generator draws them.

    Raises:
        UnknownName: no such network.
    """
    return MODELS[plan.model.name].build(plan)


def load_first_weights(net: nn.Module, model: ModelSpec) -> Loaded:
    """Fill the backbone of `net` from model.weights and say what came.

    Raises:
        BadSpec: this network takes no first weights.
        MissingInput, BadInput: see backbones.load_backbone.
    """
    if model.weights == "none":
        return Loaded()
    plug_in = MODELS[model.name]
    if plug_in.load is None:
        raise BadSpec(
            f"the network {model.name!r} takes no first weights ({model.weights!r} was asked); use weights 'none'."
        )
    return plug_in.load(net, model.weights)


def grids(net: nn.Module, names: Sequence[str], image_px: int) -> dict[str, tuple[int, int]]:
    """Return the (h, w) of each named module's output for one square grey image of image_px pixels."""
    seen: dict[str, tuple[int, int]] = {}

    def note(name: str) -> Callable[[nn.Module, tuple, torch.Tensor], None]:
        return lambda _module, _args, out: seen.__setitem__(name, (out.shape[-2], out.shape[-1]))

    hooks = [net.get_submodule(name).register_forward_hook(note(name)) for name in names]
    device = next(net.parameters()).device
    was_training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, 1, image_px, image_px, device=device))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return seen


def cam_layer(net: nn.Module, model_name: str, image_px: int) -> tuple[str, tuple[int, int]]:
    """Return the module whose maps are drawn, and its grid (h, w).

    It is the deepest one with at least SMALLEST_GRID cells a side; where no layer has that many, the finest.

    Raises:
        BadSpec: the network gives no maps.
    """
    plug_in = MODELS[model_name]
    names = tuple(plug_in.cam_layers(net))
    if not names:
        raise BadSpec(
            f"the network {model_name!r} gives no heatmaps: {plug_in.why_no_map} Choose a labels run instead."
        )
    seen = grids(net, names, image_px)
    for name in names:
        if min(seen[name]) >= SMALLEST_GRID:
            return name, seen[name]
    finest = max(names, key=lambda name: min(seen[name]))
    return finest, seen[finest]
