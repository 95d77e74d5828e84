"""First weights of a timm backbone: from the hub, from a person's shelf, or from a file.

In:    a network, ModelSpec.weights.
Out:   the backbone filled, whole; where from, under which licence.
Never: weights whose licence does not allow it; another file than the one that was named.
"""

from pathlib import Path
from typing import Any

import timm
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from timm.models import PretrainedCfg
from timm.models._hub import download_cached_file
from torch import nn

from cxrlab.choices.networks import FREE, licence_problem
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.models import adapt, weightfile
from cxrlab.models.base import Loaded, Shelf
from cxrlab.spec import ModelSpec

KINDS = (".safetensors", ".pth")


def load(
    net: nn.Module, model: ModelSpec, shelf: Shelf | None, tag: str, kernel: adapt.Kernel = "sum"
) -> Loaded:
    """Fill the backbone of `net` as model.weights says.

    Args:
        net: has a timm `backbone`.
        model: "hub" takes `tag`; anything else is the path of a file.
        shelf: where a file of hub weights may lie that a person put there, or None.
        tag: timm's NAME.TAG; without a dot it names a network but no weights.
        kernel: how the colours of the first kernel become one.

    Raises:
        BadSpec: the licence is not free and was not allowed; "hub" names no tag.
        MissingInput: no such file, and no way to the hub.
        BadInput: see adapt.fill.
    """
    if model.weights == "hub":
        path, licence, source = _from_hub(model, shelf, tag)
    else:
        path = Path(model.weights).expanduser()
        if not path.is_file():
            raise MissingInput(
                f"no weights at {path}; give 'none', 'hub' or the path of a .safetensors or .pth file of {model.name}."
            )
        licence, source = "", path.name
    given = weightfile.read(path)
    mean, std = None, None
    if model.weights == "hub":
        mean, std = grey_of(cfg_of(tag))
    else:
        licence = licence_of_file(given, path, tag)
        if problem := licence and licence_problem(source, licence, model.allow_noncommercial):
            raise BadSpec(problem)
        mean, std = _input_of(given.ours)
    counts = adapt.fill(net, given.tensors, source, kernel)
    return Loaded(source, counts.loaded, counts.missing, counts.unexpected, licence, given.digest, mean, std)


def cfg_of(tag: str) -> PretrainedCfg:
    """Return what timm knows of the weights NAME.TAG (or of NAME's default ones)."""
    return timm.models.get_pretrained_cfg(tag) or PretrainedCfg()


def grey_of(cfg: PretrainedCfg) -> tuple[float, float]:
    """Return mean and deviation of the grey input that weights for three channels expect, to three digits.

    >>> from timm.models import PretrainedCfg
    >>> grey_of(PretrainedCfg(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)))
    (0.449, 0.226)
    """
    return round(sum(cfg.mean) / len(cfg.mean), 3), round(sum(cfg.std) / len(cfg.std), 3)


def _from_hub(model: ModelSpec, shelf: Shelf | None, tag: str) -> tuple[Path, str, str]:
    cfg = cfg_of(tag)
    tags = timm.list_pretrained(f"{tag.partition('.')[0]}.*")
    if "." not in tag or tag not in tags:
        known = ", ".join(tags[:8]) or "none"
        raise BadSpec(
            f"{model.name!r} does not say which hub weights; the default changes between releases, so name one: "
            f"timm:NAME.TAG. Known: {known}."
        )
    licence = cfg.license or ""
    if problem := licence_problem(tag, licence, model.allow_noncommercial):
        raise BadSpec(problem)
    for path in [shelf(f"{tag}{kind}") for kind in KINDS] if shelf else []:
        if path.is_file():
            return path, licence, path.name
    return _download(cfg, tag, shelf), licence, f"timm/{tag}"


def _download(cfg: PretrainedCfg, tag: str, shelf: Shelf | None) -> Path:
    try:
        if cfg.hf_hub_id:
            return Path(hf_hub_download(cfg.hf_hub_id, "model.safetensors", etag_timeout=10))
        return Path(download_cached_file(cfg.url))
    # The hub's client raises its own HTTP errors, and OSError or ValueError without a network or cache.
    except (HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        url = (
            f"https://huggingface.co/{cfg.hf_hub_id}/resolve/main/model.safetensors"
            if cfg.hf_hub_id
            else cfg.url
        )
        kind = KINDS[0] if cfg.hf_hub_id else KINDS[1]
        where = f"put it at {shelf(f'{tag}{kind}')}" if shelf else "give its path as weights"
        raise MissingInput(
            f"the weights {tag} could not be had from the hub ({reason}); fetch {url} on a machine with a network and "
            f"{where}, or use weights 'none'."
        ) from error


def licence_of_file(given: weightfile.Given, path: Path, tag: str) -> str:
    """Return the licence that a file of one's own carries; "" where nobody stated one.

    What began under a licence stays under it: one of our checkpoints says which. A file with the name of hub weights is
    those; and where every tag of a network has the same unfree licence, no file of it is free of it by another name.
    """
    if given.ours:
        return str(_under(given.ours, "weights").get("licence", ""))
    network = tag.partition(".")[0]
    tags = timm.list_pretrained(f"{network}.*")
    if path.stem in tags:
        return cfg_of(path.stem).license or ""
    licences = {cfg_of(one).license or "" for one in tags}
    if len(licences) == 1 and licences.isdisjoint(FREE):
        return licences.pop()
    return ""


def _under(head: dict[str, Any], name: str) -> dict[str, Any]:
    return head[name] if isinstance(head.get(name), dict) else {}


def _input_of(head: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return mean and deviation of the input that one of our checkpoints was trained on; None: it says none."""
    said = _under(head, "input")
    mean, std = said.get("mean"), said.get("std")
    plain = isinstance(mean, int | float) and isinstance(std, int | float) and std > 0
    return (float(mean), float(std)) if plain and said.get("values", "fixed") == "fixed" else (None, None)
