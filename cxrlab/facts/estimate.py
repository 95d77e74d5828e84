"""How long a run will take and how much disk it will fill, said before it starts.

In:    specs, the sizes of their sites, what finished runs of this lab took.
Out:   an Estimate that says what it rests on.
Never: torch, streamlit; promises.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab import progress
from cxrlab import spec as specs
from cxrlab.errors import CxrlabError
from cxrlab.jobs import slots
from cxrlab.paths import Lab, RunPaths

# Seconds a training image of DenseNet-121 at 64 px on one core; used until this lab has a finished run of its own.
REFERENCE_SECONDS = 8e-3
# What one training image costs beside DenseNet-121 at the same size, measured on one core.
RELATIVE = {"densenet121": 1.0, "resnet18": 0.6, "small_cnn": 0.37, "autoencoder": 0.2, "latent_head": 0.002}
# Parameters in millions; a checkpoint is four bytes each, the file to resume from about three times that.
MILLIONS = {"densenet121": 7.0, "resnet18": 11.2, "small_cnn": 0.4, "autoencoder": 4.0, "latent_head": 0.1}
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
    # Seven tenths train; a tenth is only looked at, and forwards only is a third of a step.
    return spec.training.epochs * home * (0.7 + 0.1 / 3), everywhere


def relative_cost(spec: specs.TrainSpec) -> float:
    """Return what one training image costs beside DenseNet-121 at 64 px."""
    return RELATIVE.get(spec.model.name, 1.0) * (spec.view.image_px / 64) ** 2


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
    seconds, n_bytes = [], 0.0
    for spec in runs:
        passes, scored = images_of(spec, n_images)
        seconds.append(START_SECONDS + unit * relative_cost(spec) * (passes + scored / 3))
        n_bytes += 16e6 * MILLIONS.get(spec.model.name, 10.0)
        n_bytes += scored * (100 + 16 * len(spec.view.labels) + 4 * spec.model.latent_units)
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
