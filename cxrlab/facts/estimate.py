"""How long a run will take and how much disk it will fill, said before it starts.

In:    specs, the sizes of their sites, what finished runs of this lab took.
Out:   an Estimate that says what it rests on.
Never: torch, streamlit; promises.
"""

import math
from dataclasses import dataclass

import numpy as np

from cxrlab import progress
from cxrlab import spec as specs
from cxrlab.choices import networks, optimizers
from cxrlab.errors import CxrlabError
from cxrlab.jobs import slots
from cxrlab.paths import Lab, RunPaths

# Seconds a training image of DenseNet-121 at 64 px on one core; used until this lab has a finished run of its own.
REFERENCE_SECONDS = 8e-3
# What one training image costs beside DenseNet-121 at 64 px, measured on one core, fp32, batches of 8. Operations alone
# miss it by up to nine times (MobileNet): small networks wait for memory.
RELATIVE = {
    "densenet121": 1.0, "densenet161": 2.8, "resnet18": 0.6, "resnet18_grey": 0.6, "resnet18_small": 3.3, "resnet50": 2.1,
    "resnet101": 3.0, "seresnet50": 2.0, "resnext101": 12.0, "convnext_small": 3.0, "convnextv2_tiny": 1.8,
    "efficientnetv2_s": 2.4, "efficientnet_b0": 0.6, "efficientnet_b4": 2.1, "mobilenetv3_large": 0.35, "tresnet_m": 2.7,
    "repvgg_b0": 0.83, "regnety_4gf": 1.7, "xception": 2.5, "dpn68b": 1.5, "dpn92": 3.4, "vit_b16": 4.8, "hierarchical": 5.0,
    "small_cnn": 0.37, "small_cnn3": 0.15, "autoencoder": 0.2, "latent_head": 0.002,
}  # fmt: skip
REFERENCE_GFLOP = 5.5  # DenseNet-121's, for a network that is not in the table
# Parameters in millions of networks whose choice does not say it; a checkpoint is four bytes each.
MILLIONS = {"small_cnn": 0.4, "small_cnn3": 0.6, "autoencoder": 4.0, "latent_head": 0.1, "hierarchical": 93.0}
UNKNOWN_MILLIONS = 25.0  # any other network of timm's
FORWARD = 1 / 3  # of a step: the way back costs twice the way there
# Pretraining shows two views, and a second, slower network looks at each.
TWO_VIEWS = 2 * (1 + FORWARD)
START_SECONDS = 6.0  # a process, its libraries, its store
STAGE_TRAIN = "train"


@dataclass(frozen=True)
class Estimate:
    """Seconds and bytes of some runs; `basis` says in words where the speed comes from."""

    seconds: float
    n_bytes: float
    basis: str


def images_of(spec: specs.TrainSpec, n_images: dict[str, int]) -> tuple[float, float]:
    """Return (passes of one image through training, images scored); a site of unknown size counts as none."""
    home = sum(n_images.get(site, 0) for site in spec.view.source)
    everywhere = home + sum(n_images.get(site, 0) for site in spec.view.external)
    # Seven tenths train, or what the budget allows; a tenth is only looked at.
    trained = min(0.7 * home, spec.strategy.images or math.inf)
    return spec.training.epochs * (trained + 0.1 * home * FORWARD), everywhere


def relative_cost(spec: specs.TrainSpec) -> float:
    """Return what one training image costs beside DenseNet-121 at 64 px with AdamW."""
    name, wanted = spec.model.name, spec.training
    passes = optimizers.CHOICES[wanted.optimizer].passes
    moves = 1.0 if spec.strategy.layers == "all" else FORWARD
    views = TWO_VIEWS if spec.task == "moco" else 1.0
    return _network_cost(name) * passes * moves * views * (spec.view.image_px / 64) ** 2


def _network_cost(name: str) -> float:
    if name in RELATIVE or name not in networks.CHOICES:
        return RELATIVE.get(name, 1.0)
    return max(0.3, networks.CHOICES[name].gflop / REFERENCE_GFLOP)


def bytes_of(spec: specs.TrainSpec, scored: float) -> float:
    """Return what a run fills at most: weights, what resuming needs while it trains, and its scores."""
    name = spec.model.name
    known = networks.CHOICES[name].millions if name in networks.CHOICES else 0.0
    millions = known or MILLIONS.get(name, UNKNOWN_MILLIONS)
    weights = 4e6 * millions * (2 + optimizers.CHOICES[spec.training.optimizer].state)
    return weights + scored * (100 + 16 * len(spec.view.labels) + 4 * spec.model.latent_units)


def seconds_of(spec: specs.TrainSpec, n_images: dict[str, int], unit: float) -> float:
    """Return what one run takes alone; `unit`: seconds a training image at cost 1."""
    passes, scored = images_of(spec, n_images)
    return START_SECONDS + unit * relative_cost(spec) * (passes + scored * FORWARD)


def estimate(runs: list[specs.TrainSpec], n_images: dict[str, int], lab: Lab | None = None) -> Estimate:
    """Return what `runs` will take together, as many at once as there are slots, with early stopping left out.

    Args:
        runs: the specs.
        n_images: site → images of its store.
        lab: its finished runs give the speed; without one, or without such runs, a two-core reference does.
    """
    unit, n_runs = measured_unit(lab, n_images) if lab is not None else (np.nan, 0)
    measured = not np.isnan(unit)
    unit = unit if measured else REFERENCE_SECONDS
    seconds = [seconds_of(spec, n_images, unit) for spec in runs]
    n_bytes = sum(bytes_of(spec, images_of(spec, n_images)[1]) for spec in runs)
    basis = (
        f"from the speed of {n_runs} finished {'run' if n_runs == 1 else 'runs'} of this lab"
        if measured
        else "from a reference machine with two cores and no GPU; the first finished run here will correct it"
    )
    together = max(max(seconds, default=0.0), sum(seconds) / slots.count())
    return Estimate(together, n_bytes, basis)


def measured_unit(lab: Lab, n_images: dict[str, int]) -> tuple[float, int]:
    """Return (seconds a training image at cost 1, finished runs it rests on): the median; NaN without any."""
    units = []
    for run_id in lab.run_ids():
        run = lab.run(run_id)
        if not run.checkpoint.exists():
            continue
        try:
            spec = specs.read(run.spec)
        except CxrlabError:  # a damaged folder tells nothing about speed
            continue
        if isinstance(spec, specs.TrainSpec) and spec.model.name != "latent_head":
            units.append(_unit_of(run, spec, n_images))
    units = [unit for unit in units if not np.isnan(unit)]
    return (float(np.median(units)), len(units)) if units else (np.nan, 0)


def _unit_of(run: RunPaths, spec: specs.TrainSpec, n_images: dict[str, int]) -> float:
    lines = [line for line in progress.read(run.progress) if str(line["stage"]).startswith(STAGE_TRAIN)]
    passes, _ = images_of(spec, n_images)
    if len(lines) < 2 or not passes or not lines[-1]["of"]:
        return np.nan
    share = (lines[-1]["done"] - lines[0]["done"]) / lines[-1]["of"]  # a run that stopped early did less
    took = lines[-1]["t"] - lines[0]["t"]
    return took / (passes * share * relative_cost(spec)) if share > 0 and took > 0 else np.nan
