"""A training in flight: rows, network, optimizer, and how far it is.

In:    a TrainSpec and the stores of its source sites, or the state that a cut-off training left.
Out:   Training; the state to resume from.
Never: the walk itself (train.py), external sites.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from cxrlab import inputs, policies, spec, variants
from cxrlab.augment import AUGMENT
from cxrlab.checkpoint import Checkpoint, Last, Selection
from cxrlab.choices.networks import IMAGENET_GREY
from cxrlab.errors import BadRun, BadSpec
from cxrlab.learning import cohort, devices, feeds, hierarchy, moco, objectives, starting
from cxrlab.learning.parallel import FEWEST, Group
from cxrlab.learning.undo import Undo
from cxrlab.losses.masked_bce import positive_weight
from cxrlab.models import MODELS
from cxrlab.models.base import Loaded, Parts, Plan, build, load_first_weights
from cxrlab.optimizers import OPTIMIZERS
from cxrlab.optimizers.base import Driver
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec


@dataclass
class Training:
    """Everything in flight."""

    spec: TrainSpec
    rows: cohort.Cohort
    plan: Plan
    input: inputs.InputSpec
    feed: feeds.Feed
    net: nn.Module
    driver: Driver
    objective: nn.Module  # called with (network, x, y, site); its buffers are state too
    augment: feeds.Augment
    target: torch.Tensor  # (N, L) float32 on the device, see policies.target
    site: torch.Tensor  # (N,) int64 on the device, which home site a row comes from
    pos_weight: torch.Tensor  # (L,) float32 on the device
    device: torch.device
    precision: str
    weights: Loaded
    loss_sum: torch.Tensor  # () float64 on the device: read as a number only when needed, to keep a GPU busy
    latents_digest: str = ""
    parts_of: Parts | None = None  # which layers are which, where a strategy moves some alone
    seen_before: dict[str, str] = field(
        default_factory=dict
    )  # site → digest of its store, of what this run builds on
    scaler: torch.amp.GradScaler | None = None  # fp16's
    call: nn.Module | None = None  # the network, compiled where that was asked
    parts: int = 1  # a batch goes through in so many
    notes: list[str] = field(default_factory=list)  # what did not go as asked
    frozen: Callable[[], Checkpoint] | None = (
        None  # how the best network becomes a checkpoint; train.py's business
    )
    group: Group = field(default_factory=Group)  # the processes of this training
    undo: Undo | None = None  # what a step that failed had changed; see loop.step
    epoch: int = 0
    step: int = 0
    best: Selection | None = None
    best_tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    judging_seconds: float = 0.0  # of these, on validation rows

    @property
    def batch(self) -> int:
        """Images a step: what was asked, or all training rows where these are fewer."""
        return min(self.spec.training.batch, len(self.rows.train))

    @property
    def steps(self) -> int:
        """Steps an epoch; the remainder of the rows sits out, another one each epoch."""
        return max(1, len(self.rows.train) // self.spec.training.batch)

    @property
    def images_an_epoch(self) -> int:
        """Images that an epoch trains on."""
        return min(self.steps * self.spec.training.batch, len(self.rows.train))


def prepare(
    run_spec: TrainSpec, lab: Lab, device: torch.device, progress: Progress, group: Group | None = None
) -> Training:
    """Load rows and images, build the network with its first weights. Seeds torch: the caller forks its generators."""
    group = group or Group()
    plug_in = MODELS[run_spec.model.name]
    if run_spec.task not in plug_in.tasks:
        raise BadSpec(
            f"the network {plug_in.name!r} does not do the task {run_spec.task!r}; it does: {', '.join(plug_in.tasks)}."
        )
    rows = cohort.build(run_spec, lab)
    _check_shares(run_spec, rows, group)
    latents_of = run_spec.model.latents_of
    encoder = feeds.encoder_of(lab, latents_of, device) if latents_of else None
    px = encoder.made.input.image_px if encoder else run_spec.view.image_px
    inputs.check_size(rows.rows, px)
    with group.first_goes_first():  # derived stores are made once
        recipe, pixels = _pixels(run_spec, lab, rows, encoder, progress)
    torch.manual_seed(run_spec.seed)
    multiclass = np.isin(rows.labels, policies.labels_under(run_spec.view, rows.labels, "multiclass"))
    units, head = (
        encoder.made.spec.model.latent_units if encoder else 0,
        "gated" if plug_in.gated else "three-way" if multiclass.any() else "binary",
    )
    n_heads = len(rows.rows) if run_spec.strategy.heads == "by-site" else 1
    n_labels = moco.options_of(run_spec).projected if run_spec.task == "moco" else len(rows.labels)
    plan = Plan(run_spec.model, n_labels, px, units, head, n_heads)
    net = build(plan)
    if run_spec.task == "moco":
        net = moco.with_projector(net, n_labels)
    weights = load_first_weights(net, run_spec.model, lab.hub_weights)
    if run_spec.model.weights != "none":
        print(weights, file=sys.stderr, flush=True)  # into the run's log
    start = starting.of(run_spec, lab)
    if start is not None:
        weights = starting.load(net, start, plan, run_spec, rows.labels)
        print(weights, file=sys.stderr, flush=True)
    images = inputs.load(pixels, px, device, progress, budget=_budget(device, group))
    if encoder:
        feed, seen = encoder.feed(images), encoder.made.input
    else:
        seen = start.input if start else _input_spec(run_spec, images, rows, weights)
        seen = replace(seen, landmarks=recipe.landmarks if recipe else ())
        feed = feeds.ImageFeed(images, seen)
    net = net.to(device, memory_format=torch.channels_last)
    pos_weight = _positive_weight(rows, run_spec.training.balance, plug_in.gated)
    wanted, precision = run_spec.training, devices.precision_of(run_spec.training.precision, device)
    driver = OPTIMIZERS[wanted.optimizer].drive(
        net, wanted.optimizer_options, wanted.learning_rate, wanted.weight_decay, device
    )
    driver.clip_norm = wanted.clip_norm
    if precision == "fp16" and not driver.takes_scaler:
        raise BadSpec(
            f"the optimizer {wanted.optimizer!r} looks at a gradient twice a step, which fp16's scaled losses do not allow; "
            "choose the precision 'bf16' or 'fp32'."
        )
    pos_weight, doubt = torch.from_numpy(pos_weight).to(device), torch.from_numpy(multiclass).to(device)
    moves_some = run_spec.strategy.layers != "all" or run_spec.strategy.head_epochs
    return Training(
        spec=run_spec,
        rows=rows,
        plan=plan,
        input=seen,
        feed=feed,
        net=net,
        driver=driver,
        objective=objectives.build(run_spec, net, pos_weight, doubt, n_heads, len(rows.train)).to(device),
        augment=objectives.views_of(
            run_spec.task, group.in_place(AUGMENT[wanted.augment], min(wanted.batch, len(rows.train)))
        ),
        group=group,
        target=torch.from_numpy(rows.target).to(device),
        site=torch.from_numpy(rows.site).to(device),
        pos_weight=pos_weight,
        device=device,
        precision=precision,
        weights=weights,
        loss_sum=torch.zeros((), dtype=torch.float64, device=device),
        latents_digest=encoder.digest if encoder else "",
        parts_of=MODELS[run_spec.model.name].parts(net) if moves_some else None,
        seen_before={
            **(encoder.made.stores if encoder else {}),
            **(start.stores if start is not None else {}),
        },
        scaler=torch.amp.GradScaler(device.type) if precision == "fp16" else None,
        call=torch.compile(net) if wanted.compile else net,
        parts=wanted.accumulate,
        notes=_budget_notes(rows, run_spec),
    )


def _check_shares(run_spec: TrainSpec, rows: cohort.Cohort, group: Group) -> None:
    """Raise BadSpec where a process would see less of a batch than batch norm needs."""
    n = min(run_spec.training.batch, len(rows.train))
    if n < FEWEST * group.size:
        raise BadSpec(
            f"{' + '.join(run_spec.view.source)} gives a step of {n} images, too few for {group.size} processes; set CXRLAB_PROCESSES to "
            f"{n // FEWEST} or fewer."
        )


def _budget_notes(rows: cohort.Cohort, run_spec: TrainSpec) -> list[str]:
    """Return what a label budget came to: patients come whole, so it is rarely met to the image."""
    if not run_spec.strategy.images:
        return []
    taken = ", ".join(f"{n} of {site}" for site, n in rows.taken().items())
    return [f"trained on {taken} images, of a budget of {run_spec.strategy.images}"]


def _budget(device: torch.device, group: Group) -> dict[str, int] | None:
    """Return the bytes that images may take, where several processes share this machine's memory."""
    if group.size == 1:
        return None
    ram = int(inputs.SHARE * devices.free_bytes(torch.device("cpu")) / group.size)
    return {device.type: int(inputs.SHARE * devices.free_bytes(device)), "cpu": ram}


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


def _positive_weight(rows: cohort.Cohort, balance: bool, gated: bool) -> np.ndarray:
    y = rows.y_true[rows.train]
    return hierarchy.weights_of(y, rows.labels, balance) if gated else positive_weight(y, balance)


def _input_spec(
    run_spec: TrainSpec, images: inputs.Images, rows: cohort.Cohort, weights: Loaded
) -> inputs.InputSpec:
    px, asked = run_spec.view.image_px, run_spec.view.preprocess.normalise
    values = asked if asked in inputs.VALUES else "fixed"
    if run_spec.task == "autoencoder" or values == "zscore":
        # An autoencoder rebuilds the scale that its error is measured in.
        return inputs.InputSpec(px, 0.0, 1.0, values=values)
    if asked == "imagenet":
        return inputs.InputSpec(px, *IMAGENET_GREY, values=values)
    if run_spec.model.weights != "none":
        # What these weights saw, where the file says so; else what this network's published weights saw.
        mean, std = MODELS[run_spec.model.name].grey
        if weights.mean is not None and weights.std is not None:
            mean, std = weights.mean, weights.std
        return inputs.InputSpec(px, mean, std, values=values)
    if values != "fixed":
        return inputs.InputSpec(px, 0.0, 1.0, values=values)
    return inputs.InputSpec(px, *inputs.measure_mean_std(images, rows.train))


def state_of(going: Training) -> Last:
    """Return what must be kept to go on from here; tensors are shared, not copied.

    Every process of a training calls it, and the first one's is whole: what a loss remembers of its rows, each process
    remembers of its share. Weights are the same in all, and only the first one's batch norm is ever judged by.
    """
    tensors = {f"net.{name}": t for name, t in going.net.state_dict().items()}
    tensors |= {f"best.{name}": t for name, t in going.best_tensors.items()}
    tensors |= {f"objective.{name}": t for name, t in going.objective.state_dict().items()}
    tensors |= {f"optimizer.{name}": t for name, t in going.driver.tensors().items()}
    follows = dict(going.objective.named_parameters())
    own = {name: t for name, t in going.objective.state_dict().items() if name not in follows}
    for rank, its in enumerate(going.group.others(own), start=1):
        tensors |= {f"objective@{rank}.{name}": t for name, t in its.items()}
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
        judging_seconds=going.judging_seconds,
        processes=going.group.size,
        weights=vars(going.weights),
        optimizer=going.driver.facts(),
        scaler=going.scaler.state_dict() if going.scaler else {},
        parts=going.parts,
        notes=going.notes,
        tensors=tensors,
    )


def restore(going: Training, last: Last) -> None:
    """Put `going` where `last` was cut off. Raises BadRun when they do not fit."""

    def under(name: str) -> dict[str, torch.Tensor]:
        return {k.removeprefix(name): t for k, t in last.tensors.items() if k.startswith(name)}

    try:
        going.net.load_state_dict(under("net."))
        going.objective.load_state_dict(under("objective.") | under(f"objective@{going.group.rank}."))
    except RuntimeError as error:
        raise BadRun(
            "last.ckpt does not fit the run's network; remove it to train from the start."
        ) from error
    going.driver.load(under("optimizer."), last.optimizer)
    if going.scaler is not None and last.scaler:
        going.scaler.load_state_dict(last.scaler)
    going.best_tensors = under("best.")
    going.precision, going.weights = last.precision, Loaded(**last.weights)
    going.epoch, going.step, going.parts = last.epoch, last.step, last.parts
    going.loss_sum.fill_(last.loss_sum)
    going.best, going.history, going.seconds = last.best, list(last.history), last.seconds
    going.judging_seconds, going.notes = last.judging_seconds, list(last.notes)
    if last.processes != going.group.size:
        going.notes.append(
            f"{last.processes} processes trained until epoch {last.epoch + 1}, {going.group.size} from there: equal to an "
            "uninterrupted run but for rounding, dropout, and the shares that batch norm and losses over pairs saw"
        )
