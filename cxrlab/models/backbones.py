"""Classifiers: a backbone, then one head a label.

In:    grey images (N, 1, H, W) float32, normalised.
Out:   (N, L) logits, or (N, 3L) of a three-way head.
Never: targets, losses, files of a lab; weights that did not load whole.

The head is dropout, then one linear layer: L independent logistic regressions on the pooled features. Labels exclude
one another in no way, so there is a sigmoid a label and no softmax over labels. A three-way head has three numbers a
label (negative, positive, uncertain) in the place of one.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import timm
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from cxrlab.errors import BadInput, MissingInput
from cxrlab.models.base import MODELS, Loaded, Model, Plan

DROPOUT = 0.2
SMALLEST_PX = 32  # these backbones halve five times
# Tags are pinned: timm's default tag of a name moves between releases. Both are free for any use (Apache-2.0, BSD).
HUB = {"densenet121": "timm/densenet121.tv_in1k", "resnet18": "timm/resnet18.tv_in1k"}


class MultiLabelNet(nn.Module):
    """A timm backbone with average pooling, dropout and one linear layer."""

    def __init__(self, name: str, n_outputs: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(name, in_chans=1, num_classes=0, global_pool="avg")
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(self.backbone.num_features, n_outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, n_outputs) of (N, 1, H, W)."""
        if x.shape[-1] < SMALLEST_PX:
            # Stretched, not padded: a map's cells then still cover the image evenly.
            x = functional.interpolate(
                x, size=(SMALLEST_PX, SMALLEST_PX), mode="bilinear", align_corners=False
            )
        return self.head(self.backbone(x))


class SmallCnn(nn.Module):
    """Four blocks of two 3×3 convolutions with batch norm, halving between blocks, then the same head."""

    WIDTHS = (24, 48, 96, 160)

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        before, blocks = 1, []
        for width in self.WIDTHS:
            blocks.append(nn.Sequential(*_convolution(before, width), *_convolution(width, width)))
            before = width
        self.blocks = nn.ModuleList(blocks)
        self.halve = nn.MaxPool2d(2)
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(before, n_outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, n_outputs) of (N, 1, H, W)."""
        for i, block in enumerate(self.blocks):
            x = block(self.halve(x) if i else x)
        return self.head(x.mean(dim=(2, 3)))


def _convolution(before: int, width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()


def _timm_layers(net: nn.Module) -> Sequence[str]:
    # feature_info ends with the last spatial map before pooling; checked for every network registered here.
    return tuple(f"backbone.{info['module']}" for info in reversed(net.backbone.feature_info))


def load_backbone(name: str) -> Callable[[nn.Module, str], Loaded]:
    """Return a loader of first weights for the timm backbone `name`."""

    def load(net: nn.Module, weights: str) -> Loaded:
        if weights == "hub":
            return _fill(net, _hub_file(HUB[name]), HUB[name])
        path = Path(weights).expanduser()
        if not path.is_file():
            raise MissingInput(
                f"no weights at {path}; give 'none', 'hub' or the path of a .safetensors file of {name}."
            )
        return _fill(net, path, path.name)

    return load


def _hub_file(repo: str) -> Path:
    try:
        return Path(hf_hub_download(repo, "model.safetensors", etag_timeout=10))
    # The hub's client raises its own HTTP errors, and OSError or ValueError without a network or cache.
    except (HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingInput(
            f"the weights {repo} could not be had from the hub ({reason}); "
            "use weights 'none' or the path of a local .safetensors file."
        ) from error


def _fill(net: MultiLabelNet, path: Path, source: str) -> Loaded:
    """Copy every backbone tensor from `path`, or raise; a half-loaded network would give plausible nonsense."""
    try:
        given = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path} is not a readable .safetensors file ({error}); use another file.") from error
    # Our own checkpoints keep the backbone under this prefix; a head belongs to other labels and is left out.
    given = {
        key.removeprefix("backbone."): value for key, value in given.items() if not key.startswith("head.")
    }
    own = net.backbone.state_dict()
    first = next(key for key, value in own.items() if value.ndim == 4)
    if first in given and given[first].ndim == 4 and given[first].shape[1] == 3:
        # A grey image is three equal channels: summing the kernels gives the same answer in one.
        given[first] = given[first].sum(dim=1, keepdim=True)
    fits = {key: value for key, value in given.items() if key in own and value.shape == own[key].shape}
    missing = [key for key in own if key not in fits and not key.endswith("num_batches_tracked")]
    report = Loaded(source, len(fits), len(missing), len(given) - len(fits))
    if missing:
        raise BadInput(
            f"{source} holds {report.loaded} of the {len(own)} tensors of the backbone ({report.missing} missing, the "
            f"first is {missing[0]!r}; {report.unexpected} unexpected); expected all of them. "
            "Use weights of the same network, or 'none'."
        )
    net.backbone.load_state_dict({**own, **fits})
    return report


for _name in HUB:
    MODELS.add(_name)(
        Model(
            name=_name,
            tasks=("labels", "normal"),
            build=lambda plan, name=_name: MultiLabelNet(name, plan.outputs),
            cam_layers=_timm_layers,
            load=load_backbone(_name),
        )
    )


def _build_small(plan: Plan) -> SmallCnn:
    return SmallCnn(plan.outputs)


MODELS.add("small_cnn")(
    Model(
        name="small_cnn",
        tasks=("labels", "normal"),
        build=_build_small,
        cam_layers=lambda net: tuple(f"blocks.{i}" for i in reversed(range(len(net.blocks)))),
    )
)
