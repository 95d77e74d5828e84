"""Where in the image a label's logit comes from: Grad-CAM, HiResCAM, LayerCAM.

In:    a network in eval mode, the name of a layer with a spatial output, a batch.
Out:   logits and raw maps, one a label and image.
Never: scaling to [0, 1], colours, files; a gradient through more of the network than the head.

One forward pass serves all labels: the layer's output is cut off from what came before and made a leaf, so the
gradient of a label walks only from its logit to that leaf.

Sources: Selvaraju 2017, doi:10.1109/ICCV.2017.74 (Grad-CAM); Draelos 2020, arXiv:2011.08891 (HiResCAM); Jiang 2021,
doi:10.1109/TIP.2021.3089943 (LayerCAM).
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from cxrlab.errors import BadSpec


def grad_cam(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """ReLU of the channels' sum, each weighed by its mean gradient: (N, C, h, w) twice → (N, h, w)."""
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    return (weight * activation).sum(dim=1).relu()


def hires_cam(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """ReLU of the channels' sum, each cell weighed by its own gradient: (N, C, h, w) twice → (N, h, w)."""
    return (gradient * activation).sum(dim=1).relu()


def layer_cam(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """As HiResCAM with positive gradients only: (N, C, h, w) twice → (N, h, w)."""
    return (gradient.relu() * activation).sum(dim=1).relu()


METHODS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "grad-cam": grad_cam,
    "hirescam": hires_cam,
    "layercam": layer_cam,
}


def maps_of(
    net: nn.Module,
    layer: str,
    x: torch.Tensor,
    labels: Sequence[int] | None = None,
    method: str = "grad-cam",
    says: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits and maps of a batch.

    Args:
        net: in eval mode; its parameters get no gradient and are left as they were. Not for two threads at once: a
            hook changes the network while this runs.
        layer: a module's name whose output is (N, C, h, w).
        x: (N, 1, H, W) float32, normalised, on the network's device.
        labels: indices of the logits to map; None: all.
        method: a key of METHODS.
        says: turns the network's outputs into (N, L) logits, whose gradients are then walked; None: they are logits.

    Returns:
        logits (N, L) float32 and maps (N, len(labels), h, w) float32, >= 0 and unscaled; all zero where nothing speaks
        for the label. Both detached.

    Raises:
        BadSpec: no such method or layer, or the layer has no spatial output.
    """
    if method not in METHODS:
        raise BadSpec(f"no map method named {method!r}. Known: {', '.join(METHODS)}.")
    try:
        module = net.get_submodule(layer)
    except AttributeError as error:
        raise BadSpec(
            f"the network has no layer {layer!r}; use the one that models.base.cam_layer names."
        ) from error
    cut: list[torch.Tensor] = []

    def cut_off(_module: nn.Module, _args: tuple, out: torch.Tensor) -> torch.Tensor:
        cut.append(out.detach().requires_grad_())
        # A copy goes on: what follows may work in place, which a leaf does not allow.
        return cut[-1].clone()

    hook = module.register_forward_hook(cut_off)
    try:
        with torch.enable_grad():
            logit = net(x) if says is None else says(net(x))
    finally:
        hook.remove()
    if len(cut) != 1 or cut[0].ndim != 4:
        raise BadSpec(f"the layer {layer!r} gives no single spatial output, so no map can be drawn from it.")
    activation = cut[0]
    combine, found = METHODS[method], []
    for k in range(logit.shape[1]) if labels is None else labels:
        (gradient,) = torch.autograd.grad(logit[:, k].sum(), activation, retain_graph=True)
        found.append(combine(activation.detach(), gradient).float())
    grid = activation.shape[2:]
    stacked = torch.stack(found, dim=1) if found else activation.new_zeros((len(x), 0, *grid))
    return logit.detach().float(), stacked


def share_inside(maps: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return the share of each map's sum that lies inside its mask, NaN for a map of zeros.

    Args:
        maps: (N, h, w) float32, >= 0.
        masks: (N, h, w) bool or weights in [0, 1].
    """
    total = maps.sum(dim=(1, 2))
    inside = (maps * masks).sum(dim=(1, 2))
    return torch.where(total > 0, inside / total, torch.nan)
