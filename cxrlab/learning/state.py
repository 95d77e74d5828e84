"""A training in flight: rows, network, optimizer, and how far it is.

In:    a TrainSpec and the stores of its source sites, or the state that a cut-off training left.
Out:   Training; the state to resume from.
Never: the walk itself (train.py), external sites.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from cxrlab import inputs, policies, spec, variants
from cxrlab.checkpoint import Last, Selection
from cxrlab.errors import BadRun, BadSpec
from cxrlab.learning import cohort, devices, feeds
from cxrlab.losses.masked_bce import positive_weight
from cxrlab.models import MODELS
from cxrlab.models.base import Loaded, Plan, build, load_first_weights
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec

# Grey ImageNet statistics: what pretrained weights saw, were their three channels one. knowledge: timm's in_chans=1.
IMAGENET_GREY = (0.449, 0.226)
RULES = {
    "val-macro-auroc": "highest mean AUROC over the labels defined on source validation rows",
    "val-mse": "lowest mean reconstruction error on source validation rows",
}


@dataclass
class Training:
    """Everything in flight."""

    spec: TrainSpec
    rows: cohort.Cohort
    plan: Plan
    input: inputs.InputSpec
    feed: feeds.Feed
    net: nn.Module
    optimizer: torch.optim.Optimizer
    target: torch.Tensor  # (N, L) float32 on the device, see policies.target
    pos_weight: torch.Tensor  # (L,) float32 on the device
    multiclass: torch.Tensor  # (L,) bool on the device: labels whose uncertain evidence is a class of its own
    device: torch.device
    precision: str
    weights: Loaded
    loss_sum: torch.Tensor  # () float64 on the device: read as a number only when needed, to keep a GPU busy
    latents_digest: str = ""
    epoch: int = 0
    step: int = 0
    best: Selection | None = None
    best_tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Steps an epoch; the remainder of the rows sits out, another one each epoch."""
        return max(1, len(self.rows.train) // self.spec.training.batch)

    @property
    def images_an_epoch(self) -> int:
        """Images that an epoch trains on."""
        return min(self.steps * self.spec.training.batch, len(self.rows.train))

    @property
    def rule(self) -> str:
        """The name of the selection rule."""
        return "val-mse" if self.spec.task == "autoencoder" else "val-macro-auroc"


def prepare(run_spec: TrainSpec, lab: Lab, device: torch.device, progress: Progress) -> Training:
    """Load rows and images, build the network with its first weights. Seeds torch: the caller forks its generators."""
    plug_in = MODELS[run_spec.model.name]
    if run_spec.task not in plug_in.tasks:
        raise BadSpec(
            f"the network {plug_in.name!r} does not do the task {run_spec.task!r}; it does: {', '.join(plug_in.tasks)}."
        )
    rows = cohort.build(run_spec, lab)
    latents_of = run_spec.model.latents_of
    encoder = feeds.encoder_of(lab, latents_of, device) if latents_of else None
    px = encoder.made.input.image_px if encoder else run_spec.view.image_px
    inputs.check_size(rows.rows, px)
    recipe, pixels = _pixels(run_spec, lab, rows, encoder, progress)
    torch.manual_seed(run_spec.seed)
    multiclass = np.isin(rows.labels, policies.labels_under(run_spec.view, rows.labels, "multiclass"))
    units, head = (
        encoder.made.spec.model.latent_units if encoder else 0,
        "three-way" if multiclass.any() else "binary",
    )
    plan = Plan(run_spec.model, len(rows.labels), px, units, head)
    net = build(plan)
    weights = load_first_weights(net, run_spec.model)
    images = inputs.load(pixels, px, device, progress)
    if encoder:
        feed, seen = encoder.feed(images), encoder.made.input
    else:
        seen = _input_spec(run_spec, images, rows)
        seen = replace(seen, landmarks=recipe.landmarks if recipe else ())
        feed = feeds.ImageFeed(images, seen)
    net = net.to(device, memory_format=torch.channels_last)
    pos_weight = positive_weight(rows.y_true[rows.train], run_spec.training.balance)
    return Training(
        spec=run_spec,
        rows=rows,
        plan=plan,
        input=seen,
        feed=feed,
        net=net,
        optimizer=_optimizer(net, run_spec),
        target=torch.from_numpy(rows.target).to(device),
        pos_weight=torch.from_numpy(pos_weight).to(device),
        multiclass=torch.from_numpy(multiclass).to(device),
        device=device,
        precision=devices.training_precision(device),
        weights=weights,
        loss_sum=torch.zeros((), dtype=torch.float64, device=device),
        latents_digest=encoder.digest if encoder else "",
    )


def _pixels(
    run_spec: TrainSpec, lab: Lab, rows: cohort.Cohort, encoder: feeds.Encoder | None, progress: Progress
) -> tuple[variants.Recipe | None, inputs.Rows]:
    """Return what is done to the images, and home's rows of the stores where it was done."""
    homes = [home for home, _ in rows.rows]
    if encoder:
        if run_spec.view.preprocess != encoder.made.spec.view.preprocess:
            raise BadSpec(
                f"this head asks for other images ({run_spec.view.preprocess}) than the autoencoder "
                f"{run_spec.model.latents_of!r} was trained on ({encoder.made.spec.view.preprocess}); "
                "set the group 'Images' as in that run."
            )
        recipe = encoder.recipe
    else:
        recipe = variants.fitted(variants.recipe_of(run_spec.view, rows.digests), homes, progress)
    return recipe, [(variants.opened(lab, home, recipe, progress), index) for home, index in rows.rows]


def _input_spec(run_spec: TrainSpec, images: inputs.Images, rows: cohort.Cohort) -> inputs.InputSpec:
    px, asked = run_spec.view.image_px, run_spec.view.preprocess.normalise
    values = asked if asked in inputs.VALUES else "fixed"
    pretrained = run_spec.model.weights != "none"
    if run_spec.task == "autoencoder" or values == "zscore":
        # An autoencoder rebuilds the scale that its error is measured in.
        return inputs.InputSpec(px, 0.0, 1.0, values=values)
    if asked == "imagenet" or pretrained:
        return inputs.InputSpec(px, *IMAGENET_GREY, values=values)
    if values != "fixed":
        return inputs.InputSpec(px, 0.0, 1.0, values=values)
    return inputs.InputSpec(px, *inputs.measure_mean_std(images, rows.train))


def _optimizer(net: nn.Module, run_spec: TrainSpec) -> torch.optim.Optimizer:
    # Scales and offsets are few and meant to move: only kernels and matrices decay.
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    wanted = run_spec.training
    kind = torch.optim.AdamW if wanted.optimizer == "adamw" else torch.optim.Adam
    groups = [
        {"params": matrices, "weight_decay": wanted.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return kind(groups, lr=wanted.learning_rate, fused=True)


def _parameters(going: Training) -> list[nn.Parameter]:
    return [p for group in going.optimizer.param_groups for p in group["params"]]


def state_of(going: Training) -> Last:
    """Return what must be kept to go on from here; tensors are shared, not copied."""
    tensors = {f"net.{name}": t for name, t in going.net.state_dict().items()}
    tensors |= {f"best.{name}": t for name, t in going.best_tensors.items()}
    for i, parameter in enumerate(_parameters(going)):
        for name, t in going.optimizer.state[parameter].items():
            tensors[f"optimizer.{i}.{name}"] = t
    return Last(
        spec_digest=spec.digest(going.spec),
        precision=going.precision,
        threads=torch.get_num_threads(),
        epoch=going.epoch,
        step=going.step,
        loss_sum=float(going.loss_sum),
        best=going.best,
        history=going.history,
        seconds=going.seconds,
        weights=vars(going.weights),
        tensors=tensors,
    )


def restore(going: Training, last: Last) -> None:
    """Put `going` where `last` was cut off. Raises BadRun when they do not fit."""
    net = {k.removeprefix("net."): t for k, t in last.tensors.items() if k.startswith("net.")}
    try:
        going.net.load_state_dict(net)
    except RuntimeError as error:
        raise BadRun(
            "last.ckpt does not fit the run's network; remove it to train from the start."
        ) from error
    for i, parameter in enumerate(_parameters(going)):
        for name in ("step", "exp_avg", "exp_avg_sq"):
            if (saved := last.tensors.get(f"optimizer.{i}.{name}")) is None:
                continue
            # In the parameter's own memory layout: another one may round its sums differently.
            kept = torch.empty_like(parameter) if saved.shape == parameter.shape else torch.empty_like(saved)
            going.optimizer.state[parameter][name] = kept.detach().copy_(saved).to(going.device)
    going.best_tensors = {
        k.removeprefix("best."): t for k, t in last.tensors.items() if k.startswith("best.")
    }
    going.precision, going.weights = last.precision, Loaded(**last.weights)
    going.epoch, going.step = last.epoch, last.step
    going.loss_sum.fill_(last.loss_sum)
    going.best, going.history, going.seconds = last.best, list(last.history), last.seconds
