"""A network that goes on from another run's: fine-tuning.

In:    strategy.start_from, that run's checkpoint.
Out:   its weights in a new network, and what came with them.
Never: the other run's optimizer; a network that would be filled only half.
"""

import torch
from torch import nn

from cxrlab import checkpoint, files
from cxrlab.checkpoint import Checkpoint
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.learning import lineage
from cxrlab.models import MODELS
from cxrlab.models.base import Loaded, Plan
from cxrlab.models.heads import OUTPUTS, weights_of
from cxrlab.paths import Lab
from cxrlab.spec import TrainSpec


def of(spec: TrainSpec, lab: Lab) -> Checkpoint | None:
    """Return the checkpoint that `spec` starts from; None when it starts anew.

    Raises:
        MissingInput: that run is not there or has not finished.
        BadSpec: it does not fit, see lineage.check_fit.
        BadRun: it was trained again since this run was submitted.
    """
    run_id = spec.strategy.start_from
    if not run_id:
        return None
    path = lab.run(run_id).checkpoint
    if not path.exists():
        raise MissingInput(
            f"the run {run_id!r} to start from has no finished checkpoint; train or resume it first."
        )
    then, now = spec.data.get(lineage.data_key(spec)), files.digest_of(path.read_bytes())
    if then is not None and then != now:
        raise BadRun(
            f"the run {run_id!r} to start from holds other weights than when this run was submitted ({then[:12]} then, "
            f"{now[:12]} now); submit the run again."
        )
    made = checkpoint.read(path)
    lineage.check_fit(made.spec, spec)
    again = [site for site in spec.view.external if site in made.stores]
    if again:
        raise BadSpec(f"{', '.join(again)} cannot be external: the network of {run_id!r} has seen it.")
    return made


def lies_in(name: str, places: tuple[str, ...]) -> bool:
    """Return whether a parameter or buffer lies in one of the modules, or is one of the parameters, of models.parts.Parts."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def load(net: nn.Module, made: Checkpoint, plan: Plan, spec: TrainSpec, labels: tuple[str, ...]) -> Loaded:
    """Fill `net` from `made` and say what came: the backbone, and of the head what says the same label.

    Where the heads' numbers differ, a home goes on from its own head, any other from the mean of the heads that learnt
    the label. A label that `made` does not know begins anew; a head that shares no label does so altogether.

    Args:
        net: new, of `plan`.
        made: the run to start from.
        plan: of `net`.
        spec: of the new run.
        labels: of the new run, in the order of its outputs.

    Raises:
        BadSpec: a tensor outside the head is missing or has another shape.
    """
    own, parts = net.state_dict(), MODELS[plan.model.name].parts(net)
    in_head = [name for name in own if lies_in(name, parts.head)]
    fits = {
        name: tensor
        for name, tensor in made.tensors.items()
        if name in own and own[name].shape == tensor.shape and name not in in_head
    }
    if (
        not labels and made.spec.task == spec.task
    ):  # what an autoencoder rebuilds with, what a pretraining projects with
        fits |= {name: made.tensors[name] for name in in_head if _fits(made.tensors.get(name), own[name])}
    elif set(labels) & set(made.labels) and made.head == plan.head:
        fits |= _head(made, {name: own[name] for name in in_head}, plan, spec, labels)
    missing = [name for name in own if name not in fits]
    lost = [name for name in missing if name not in in_head]
    if lost:
        raise BadSpec(
            f"the run to start from lacks {len(lost)} tensors of the backbone, the first {lost[0]!r}; it is another network."
        )
    net.load_state_dict(fits, strict=False)
    unexpected = len(set(made.tensors) - set(fits))
    # What began under a licence stays under it.
    return Loaded(f"run {made.spec.run_id}", len(fits), len(missing), unexpected, made.weights.licence)


def _fits(tensor: torch.Tensor | None, own: torch.Tensor) -> bool:
    return tensor is not None and tensor.shape == own.shape


def _head(
    made: Checkpoint, own: dict[str, torch.Tensor], plan: Plan, spec: TrainSpec, labels: tuple[str, ...]
) -> dict[str, torch.Tensor]:
    """Return the head's tensors; its last layer, whose rows are heads × labels × numbers a label, row by row."""
    *before, weight, bias = own
    taken = {name: made.tensors[name] for name in before if _fits(made.tensors.get(name), own[name])}
    if own[weight].shape[0] != plan.width:  # not one last layer for all labels: whole, or not at all
        fits = made.labels == labels and made.plan.n_heads == plan.n_heads
        taken = {
            name: made.tensors[name] for name in own if fits and _fits(made.tensors.get(name), own[name])
        }
        return taken if len(taken) == len(own) else {}
    if len(taken) < len(before) or made.tensors[weight].shape[1:] != own[weight].shape[1:]:
        return {}
    old_homes = tuple(made.heads)
    sites = spec.view.source if plan.n_heads > 1 or len(spec.view.source) == 1 else ("",)
    for name in (weight, bias):
        old = made.tensors[name].unflatten(0, (made.plan.n_heads, len(made.labels), OUTPUTS[plan.head]))
        new = own[name].detach().cpu().clone().unflatten(0, (plan.n_heads, len(labels), OUTPUTS[plan.head]))
        for h, site in enumerate(sites):
            share = weights_of(made.learnt, old_homes.index(site) if site in old_homes else None)
            for k, label in enumerate(labels):
                if label in made.labels:
                    at = made.labels.index(label)
                    new[h, k] = torch.tensordot(share[:, at], old[:, at], dims=1)
        taken[name] = new.flatten(0, 2)
    return taken
