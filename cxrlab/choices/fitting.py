"""What of a run's choices goes together: names that exist, options that are theirs, combinations that can be.

In:    a training group, a whole TrainSpec.
Out:   the group with its options as what differs from the defaults; one sentence for what cannot be, some for what is odd.
Never: torch; what only the data or the machine can say (jobs.request, learning.cohort).
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cxrlab.choices import Choice
from cxrlab.choices import networks as networks_room
from cxrlab.errors import UnknownName
from cxrlab.labels import NO_FINDING
from cxrlab.registry import Registry
from cxrlab.spec.parts import Frozen, TrainingSpec

if TYPE_CHECKING:
    from cxrlab.spec.kinds import TrainSpec
    from cxrlab.spec.parts import ModelSpec

# Field of TrainingSpec → the file in this room that knows its names; `<field>_options` holds a name's own options.
ROOMS: dict[str, str] = {
    field: extra["room"]
    for field, info in TrainingSpec.model_fields.items()
    if isinstance(extra := info.json_schema_extra, dict) and "room" in extra
}
# Tasks that learn from pixels alone: no labels, so neither a loss of labels nor a way of sampling by them.
WITHOUT_LABELS = {"autoencoder": "an autoencoder rebuilds pixels", "moco": "pretraining compares views"}


def room(field: str) -> Registry[Choice]:
    """Return what can be named in a field of TrainingSpec."""
    return import_module(f"cxrlab.choices.{ROOMS[field]}").CHOICES


def own_options(field: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a plug-in's options that differ from its defaults, as plain values.

    Two ways to say one setting become one text, so that they are one run.

    Raises:
        UnknownName: no such plug-in; the text has the nearest name and all that are known.
        BadSpec: an option is unknown or out of range.

    >>> own_options("loss", "focal", {"gamma": 2, "alpha": 0.5})
    {'alpha': 0.5}
    """
    choice = room(field)[name]
    return _differing(choice.read(given), choice.read())


def _differing(said: Frozen, default: Frozen) -> dict[str, Any]:
    known = default.model_dump(mode="json")
    return {option: value for option, value in said.model_dump(mode="json").items() if value != known[option]}


def settled(training: TrainingSpec) -> TrainingSpec:
    """Return the group with every name known and every option checked. Raises as `own_options`."""
    changes = {}
    for field in ROOMS:
        given = getattr(training, f"{field}_options", {})
        own = own_options(field, getattr(training, field), given)
        if own or given:  # also 3 for 3.0, which are equal but not the same text
            changes[f"{field}_options"] = own
    return training.model_copy(update=changes) if changes else training


def settled_model(model: "ModelSpec") -> "ModelSpec":
    """Return the group with its network known and its options as what differs from the defaults.

    Raises:
        UnknownName: no such network; the text has the nearest name and all that are known.
        BadSpec: an option is unknown or out of range.
    """
    if not networks_room.known(model.name):
        try:
            networks_room.CHOICES[model.name]
        except UnknownName as error:
            raise UnknownName(f"{error} Any other network of timm is named timm:NAME.") from error
    said = networks_room.options_of(model)
    own = _differing(said, type(said)())
    return model.model_copy(update={"options": own}) if own or model.options else model


def why_not(spec: "TrainSpec") -> str:
    """Return why a spec's choices cannot be one run, in a sentence; "" when nothing here speaks against it."""
    return networks_room.why_not(spec.model, spec.task) or _gated_why_not(spec) or _training_why_not(spec)


def _gated_why_not(spec: "TrainSpec") -> str:
    if not networks_room.is_gated(spec.model):
        return ""
    if not set(spec.view.labels) - {NO_FINDING}:
        return f"the network {spec.model.name!r} looks for findings behind its gate; name one beside {NO_FINDING!r}."
    if "multiclass" in _policies(spec):
        return (
            f"the network {spec.model.name!r} multiplies two probabilities, and a class of its own for doubt ('multiclass') has "
            "no place in that; choose another policy for uncertain labels."
        )
    if spec.strategy.heads != "shared":
        return (
            f"the network {spec.model.name!r} has one head behind one gate; leave strategy.heads at 'shared'."
        )
    return ""


def _training_why_not(spec: "TrainSpec") -> str:
    from cxrlab.choices import losses, optimizers

    wanted = spec.training
    if wanted.precision == "fp16" and optimizers.CHOICES[wanted.optimizer].passes > 1:
        return (
            f"the optimizer {wanted.optimizer!r} looks at a gradient twice a step, which fp16's scaled losses do not allow; "
            "choose the precision 'bf16' or 'fp32'."
        )
    if 0 < spec.strategy.images < wanted.batch:
        return (
            f"a batch of {wanted.batch} is larger than the label budget of {spec.strategy.images} images; choose a batch of "
            f"{spec.strategy.images} or fewer."
        )
    if spec.task in WITHOUT_LABELS:
        return _label_free_why_not(spec)
    policies = _policies(spec)
    soft = bool(policies & {"zeros-lsr", "ones-lsr", "self-trained"})
    if wanted.select == "val-mse":
        return "training.select 'val-mse' judges what an autoencoder rebuilds; choose 'val-macro-auroc' or 'val-loss'."
    return losses.misfit(wanted.loss, three_way="multiclass" in policies, soft=soft)


def _label_free_why_not(spec: "TrainSpec") -> str:
    wanted, because = spec.training, WITHOUT_LABELS[spec.task]
    if wanted.loss != "bce":
        return f"{because} and has no labels, so the loss {wanted.loss!r} has no place in it; leave training.loss at 'bce'."
    if wanted.sampling != "plain":
        return f"{because} and has no labels to balance; choose the sampling 'plain'."
    if wanted.select in ("val-macro-auroc", "val-macro-auprc"):
        return f"{because} and has no labels to judge an epoch by; leave training.select at 'auto'."
    return ""


def _policies(spec: "TrainSpec") -> set[str]:
    """Return what becomes of uncertain evidence of any of the run's labels."""
    if spec.task != "labels":
        return {spec.view.uncertain}
    return {spec.view.uncertain_of.get(label, spec.view.uncertain) for label in spec.view.labels}


def oddities(spec: "TrainSpec") -> list[str]:
    """Return a sentence for each choice that can be carried out but hardly is what was meant."""
    from cxrlab.choices import losses, optimizers

    wanted, said = spec.training, []
    if not optimizers.CHOICES[wanted.optimizer].needs_scheduling and _is_scheduled(wanted):
        said.append(
            f"The optimizer {wanted.optimizer!r} averages its weights in place of a falling rate: of the schedule "
            f"{wanted.schedule!r} nothing is used."
        )
    if wanted.schedule == "plateau":
        wait = room("schedule")["plateau"].read(wanted.schedule_options).wait
        if wait >= wanted.patience:
            said.append(
                f"The schedule waits {wait} epochs before the rate falls and the run stops after {wanted.patience} without "
                "a better value: the rate never falls."
            )
    if wanted.sampling != "plain" and wanted.balance and losses.CHOICES[wanted.loss].weighs:
        said.append(
            "Rare findings are drawn more often and weighed more: 'Weigh positives' corrects rarity twice."
        )
    if wanted.accumulate > 1 and spec.task not in WITHOUT_LABELS and not losses.CHOICES[wanted.loss].apart:
        said.append(
            f"The loss {wanted.loss!r} compares the images of a batch, and in {wanted.accumulate} parts it compares those "
            "of each part alone."
        )
    return said


def _is_scheduled(wanted: TrainingSpec) -> bool:
    """Return whether anybody asked for a schedule: the default is nobody's wish."""
    known = type(wanted).model_fields["schedule"].default
    return wanted.schedule not in (known, "none") or (
        wanted.schedule == known and bool(wanted.schedule_options)
    )
