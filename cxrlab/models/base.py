"""What every network plug-in says about itself, and where to look for its maps.

In:    a ModelSpec, how many labels, how many pixels.
Out:   MODELS, an untrained network, the layer whose maps mean something.
Never: data, training, files of a lab.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from cxrlab.choices.networks import IMAGENET_GREY
from cxrlab.errors import BadSpec
from cxrlab.models import parts as splitting
from cxrlab.models.heads import OUTPUTS, Head
from cxrlab.models.parts import Parts
from cxrlab.registry import Registry
from cxrlab.spec import ModelSpec

# A map of fewer cells a side is no map of a chest. Measured on 40 phantoms a finding, DenseNet-121 at 64 px, Grad-CAM's
# energy in the finding's mask over its area: 8×8 cells (denseblock2) 3.5 cardiomegaly, 3.4 effusion, 1.9 pneumothorax,
# 2.1 consolidation; 4×4 cells (denseblock3) .9, 2.6, 2.3, 2.6.
SMALLEST_GRID = 6
Shelf = Callable[[str], Path]  # a file's name → where it lies, if it does


@dataclass(frozen=True)
class Loaded:
    """What first weights brought: how many of the backbone's tensors came from where, and under which licence."""

    source: str = "none"  # "none", a hub name with its tag, a file's name, or a run
    loaded: int = 0
    missing: int = 0
    unexpected: int = 0  # tensors of the source that this network has no place for: its head, say
    licence: str = ""  # as stated; "": none was
    digest: str = ""  # of the file
    mean: float | None = None  # of the input that these weights expect; None: not known
    std: float | None = None

    def __str__(self) -> str:
        """Return one sentence for the log."""
        licence = f"licence {self.licence}" if self.licence else "no licence stated"
        return (
            f"first weights from {self.source}: {self.loaded} tensors loaded, {self.missing} missing, "
            f"{self.unexpected} unexpected ({licence})"
        )


@dataclass(frozen=True)
class Plan:
    """What a network is built for."""

    model: ModelSpec
    n_labels: int
    image_px: int
    inputs: int = 0  # latent_head: how many latents come in
    head: Head = "binary"
    n_heads: int = 1  # one a home site, side by side

    @property
    def outputs(self) -> int:
        """How many numbers one head of a classifier says of an image."""
        return self.n_labels * OUTPUTS[self.head]

    @property
    def width(self) -> int:
        """How many numbers all heads say of an image, the first head's first."""
        return self.n_heads * self.outputs


@dataclass(frozen=True)
class Model:
    """One network plug-in.

    build makes the network with random weights; a classifier's forward gives (N, plan.width), see heads.logit_of, and
    its `embed` the (N, features) that its `head` sees; an autoencoder's forward gives (N, 1, H, W) in the scale of its
    input, and `encode` (N, latent_units).
    cam_layers names modules, deepest first, each with a 4-D output; empty: no map can be drawn, and why_no_map says why.
    load takes first weights into the backbone; its Shelf says where a person may have put a file of hub weights.
    """

    name: str
    tasks: tuple[str, ...]
    build: Callable[[Plan], nn.Module]
    cam_layers: Callable[[nn.Module], Sequence[str]] = lambda _: ()
    why_no_map: str = ""
    load: Callable[[nn.Module, ModelSpec, Shelf | None], Loaded] | None = None  # None: only weights "none"
    parts: Callable[[nn.Module], Parts] = splitting.of_timm
    grey: tuple[float, float] = IMAGENET_GREY  # mean and deviation of the input that its hub weights expect
    gated: bool = False  # a gate's answer is the last of its labels, see heads.gated


class Networks(Registry[Model]):
    """The registered networks; a name that begins with a family's prefix is made by that family when it is asked for."""

    def __init__(self) -> None:
        super().__init__("network")
        self.families: dict[str, Callable[[str], Model]] = {}

    def __getitem__(self, name: str) -> Model:
        """Return the network. Raises UnknownName: there is none, nor one in its family."""
        prefix, colon, _ = name.partition(":")
        if colon and f"{prefix}:" in self.families and name not in self._items:
            return self.families[f"{prefix}:"](name)
        return super().__getitem__(name)


MODELS = Networks()


def build(plan: Plan) -> nn.Module:
    """Return the untrained network of `plan`, weights as the global torch generator draws them.

    Raises:
        UnknownName: no such network.
    """
    return MODELS[plan.model.name].build(plan)


def load_first_weights(net: nn.Module, model: ModelSpec, shelf: Shelf | None = None) -> Loaded:
    """Fill the backbone of `net` from model.weights and say what came.

    Args:
        net: of `model`.
        model: names the weights.
        shelf: where a file of hub weights may lie that a person put there: Lab.hub_weights.

    Raises:
        BadSpec: this network takes no first weights, or their licence is not free and was not allowed.
        MissingInput: the weights are not there.
        BadInput: they are not this network's, whole.
    """
    if model.weights == "none":
        return Loaded()
    plug_in = MODELS[model.name]
    if plug_in.load is None:
        raise BadSpec(
            f"the network {model.name!r} takes no first weights ({model.weights!r} was asked); use weights 'none'."
        )
    return plug_in.load(net, model, shelf)


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
