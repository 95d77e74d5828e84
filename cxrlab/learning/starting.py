"""A network that goes on from another run's: fine-tuning.

In:    strategy.start_from, that run's checkpoint.
Out:   its weights in a new network, and what came with them.
Never: the other run's optimizer; a network that would be filled only half.
"""

from torch import nn

from cxrlab import checkpoint
from cxrlab.checkpoint import Checkpoint
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.models import MODELS
from cxrlab.models.base import Loaded, Plan
from cxrlab.paths import Lab
from cxrlab.spec import TrainSpec


def of(spec: TrainSpec, lab: Lab) -> Checkpoint | None:
    """Return the checkpoint that `spec` starts from; None when it starts anew.

    Raises:
        MissingInput: that run is not there or has not finished.
        BadSpec: its network or image side is another one.
    """
    run_id = spec.strategy.start_from
    if not run_id:
        return None
    path = lab.run(run_id).checkpoint
    if not path.exists():
        raise MissingInput(
            f"the run {run_id!r} to start from has no finished checkpoint; train or resume it first."
        )
    made = checkpoint.read(path)
    if made.spec.model.name != spec.model.name:
        raise BadSpec(
            f"{run_id!r} holds the network {made.spec.model.name!r} and this run asks for {spec.model.name!r}; "
            "ask for the same network to start from it."
        )
    if made.input.image_px != spec.view.image_px or made.spec.view.preprocess != spec.view.preprocess:
        raise BadSpec(
            f"{run_id!r} saw images of {made.input.image_px} px, prepared as {made.spec.view.preprocess}; this run asks for "
            f"{spec.view.image_px} px, prepared as {spec.view.preprocess}. Set the group 'Images' and the side as in that run."
        )
    return made


def lies_in(name: str, places: tuple[str, ...]) -> bool:
    """Return whether a parameter or buffer lies in one of the modules, or is one of the parameters, of models.parts.Parts."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def load(net: nn.Module, made: Checkpoint, plan: Plan) -> Loaded:
    """Fill `net` from `made`: everything, or all but a head that has other outputs, and say what came.

    Raises:
        BadSpec: a tensor outside the head is missing or has another shape.
    """
    own, parts = net.state_dict(), MODELS[plan.model.name].parts(net)
    same_head = made.labels and len(made.labels) == plan.n_labels and made.plan.outputs == plan.outputs
    fits = {
        name: tensor
        for name, tensor in made.tensors.items()
        if name in own and own[name].shape == tensor.shape and (same_head or not lies_in(name, parts.head))
    }
    missing = [name for name in own if name not in fits]
    lost = [name for name in missing if not lies_in(name, parts.head)]
    if lost:
        raise BadSpec(
            f"the run to start from lacks {len(lost)} tensors of the backbone, the first {lost[0]!r}; it is another network."
        )
    net.load_state_dict(fits, strict=False)
    unexpected = len(made.tensors) - len(fits)
    return Loaded(f"run {made.spec.run_id}", len(fits), len(missing), unexpected)
