"""How long a run will take and how much disk it will fill, said before it starts.

In:    specs, the sizes of their sites, what finished runs of this lab took.
Out:   an Estimate with its range, which says what it rests on; NoSpace where the disk cannot hold it.
Never: torch, streamlit; promises.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from cxrlab import files, progress
from cxrlab import spec as specs
from cxrlab.choices import networks, optimizers
from cxrlab.errors import CxrlabError, NoSpace
from cxrlab.jobs import slots, state
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
# Pretraining shows two views: the network learns from one, and a second network looks at the other.
TWO_VIEWS = 1 + FORWARD
START_SECONDS = 6.0  # a process, its libraries, its store; used as REFERENCE_SECONDS is
LEAST_START = 1.0
STAGE_TRAIN = "train"
# By how much a run may miss what is said of it, either way, with all its epochs. A run of the same network and task on this
# machine differs by what else the machine does; another network also by its row of RELATIVE, at another image side and
# batch (across the finished runs of two labs: 1.6 times); another machine's cores are two or three times ours.
OFF_SAME, OFF_OTHER, OFF_REFERENCE = 1.5, 2.0, 3.0


@dataclass(frozen=True)
class Estimate:
    """Seconds and bytes of some runs; `basis` says in words where the speed comes from.

    `seconds` is with every epoch; from `low`, when all stop as early as they may, to `high` seconds.
    """

    seconds: float
    n_bytes: float
    basis: str
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Speeds:
    """Seconds a training image at cost 1 of this lab's finished runs, by (network, task), and what each takes besides."""

    units: Mapping[tuple[str, str], list[float]] = field(default_factory=dict)
    starts: Sequence[float] = ()  # seconds that a run took for anything but training and scoring

    @property
    def start(self) -> float:
        """Seconds that a run takes however little it trains."""
        return float(np.median(self.starts)) if self.starts else START_SECONDS

    @property
    def every(self) -> list[float]:
        """Those of all runs."""
        return [unit for some in self.units.values() for unit in some]

    def unit(self, spec: specs.TrainSpec) -> tuple[float, float]:
        """Return (the unit that fits a run best, by how much it may be off): of its own network, any, or the reference."""
        if same := self.units.get((spec.model.name, spec.task)):
            return float(np.median(same)), OFF_SAME
        if every := self.every:
            return float(np.median(every)), OFF_OTHER
        return REFERENCE_SECONDS, OFF_REFERENCE


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


def seconds_of(
    spec: specs.TrainSpec, n_images: dict[str, int], unit: float, start: float = START_SECONDS
) -> float:
    """Return what one run takes alone; `unit`: seconds a training image at cost 1; `start`: seconds before and between."""
    passes, scored = images_of(spec, n_images)
    return start + unit * relative_cost(spec) * (passes + scored * FORWARD)


def estimate(runs: Sequence[specs.TrainSpec], n_images: dict[str, int], lab: Lab | None = None) -> Estimate:
    """Return what `runs` will take together, as many at once as there are slots.

    Args:
        runs: the specs.
        n_images: site → images of its store.
        lab: its finished runs give the speed; without one, or without such runs, a two-core reference does.
    """
    speeds = measured(lab, n_images) if lab is not None else Speeds()
    said = [_range_of(spec, n_images, speeds) for spec in runs]
    n_bytes = sum(bytes_of(spec, images_of(spec, n_images)[1]) for spec in runs)
    low, middle, high = (_together([one[k] for one in said]) for k in range(3))
    return Estimate(middle, n_bytes, _basis(runs, speeds), low, high)


def _range_of(spec: specs.TrainSpec, n_images: dict[str, int], speeds: Speeds) -> tuple[float, float, float]:
    unit, off = speeds.unit(spec)
    fewest = min(spec.training.epochs, spec.training.patience + 1)
    short = spec.model_copy(update={"training": spec.training.model_copy(update={"epochs": fewest})})
    whole = seconds_of(spec, n_images, unit, speeds.start)
    return seconds_of(short, n_images, unit, speeds.start) / off, whole, whole * off


def _together(seconds: list[float]) -> float:
    return max(max(seconds, default=0.0), sum(seconds) / slots.count())


def _basis(runs: Sequence[specs.TrainSpec], speeds: Speeds) -> str:
    n = len(speeds.every)
    if not n:
        return (
            "from a reference machine with two cores and no GPU; the first finished run here will correct it"
        )
    # Runs of a head on latents are never measured: see `measured`.
    asked = {(spec.model.name, spec.task) for spec in runs if spec.model.name != "latent_head"}
    known = {name for name, _ in speeds.units}
    others = sorted({name + " at this task" * (name in known) for name, task in asked - set(speeds.units)})
    more = f"; none of them is of {', '.join(others[:3])}{' …' * (len(others) > 3)}" if others else ""
    return f"from the speed of {n} finished {'run' if n == 1 else 'runs'} of this lab{more}"


def check_room(lab: Lab, n_bytes: float, what: str) -> None:
    """Raise NoSpace when the lab's disk has less than `n_bytes` free; `what` is to fill them."""
    there = next(path for path in (lab.root, *lab.root.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if n_bytes > free:
        raise NoSpace(
            f"{what} may fill {files.size_in_words(n_bytes)} and the disk of {lab.root} has {files.size_in_words(free)} free; ask for fewer runs or a "
            "smaller network, or make room."
        )


def measured_unit(lab: Lab, n_images: dict[str, int]) -> tuple[float, int]:
    """Return (seconds a training image at cost 1, finished runs it rests on): the median; NaN without any."""
    units = measured(lab, n_images).every
    return (float(np.median(units)), len(units)) if units else (np.nan, 0)


def measured(lab: Lab, n_images: dict[str, int]) -> Speeds:
    """Return the speeds of the lab's finished runs at homes of known size."""
    units: dict[tuple[str, str], list[float]] = {}
    starts: list[float] = []
    for run_id in lab.run_ids():
        run = lab.run(run_id)
        if not run.checkpoint.exists():
            continue
        try:
            spec = specs.read(run.spec)
        except CxrlabError:  # a damaged folder tells nothing about speed
            continue
        # A head on latents trains for less time than a clock can tell.
        if isinstance(spec, specs.TrainSpec) and spec.model.name != "latent_head":
            unit = _unit_of(run, spec, n_images)
            if not np.isnan(unit):
                units.setdefault((spec.model.name, spec.task), []).append(unit)
                starts += _start_of(run, spec, n_images, unit)
    return Speeds(units, starts)


def _start_of(run: RunPaths, spec: specs.TrainSpec, n_images: dict[str, int], unit: float) -> list[float]:
    """Return [the seconds that a run took besides training and scoring]; [] of one that was begun twice or ended badly."""
    job, end = state.read_job(run), state.read_end(run)
    _, training, first = _trained(run.progress, run.checkpoint.stat().st_mtime_ns)
    if job is None or end is None or end["state"] != "done" or not 0 < job.started <= first:
        return []
    if any(site not in n_images for site in spec.view.external):
        return []
    scoring = unit * relative_cost(spec) * images_of(spec, n_images)[1] * FORWARD
    return [max(LEAST_START, end["ended"] - job.started - training - scoring)]


def _unit_of(run: RunPaths, spec: specs.TrainSpec, n_images: dict[str, int]) -> float:
    passes, _ = images_of(spec, n_images)
    if not passes or any(site not in n_images for site in spec.view.source):
        return np.nan
    share, took, _ = _trained(run.progress, run.checkpoint.stat().st_mtime_ns)
    return took / (passes * share * relative_cost(spec)) if share > 0 and took > 0 else np.nan


# A form asks again at every change, and a lab of hundreds of runs has as many files to read.
@lru_cache(maxsize=4096)
def _trained(path: Path, mtime_ns: int) -> tuple[float, float, float]:
    """Return (share of the epochs that were trained, seconds that took, time of the first line; 0 where there is none).

    What lies between two attempts does not count. `mtime_ns`: of the checkpoint; a run trained again has another.
    """
    done, took, of, before = 0, 0.0, 0, None
    lines = progress.read(path)
    for line in lines:
        trains = str(line["stage"]).startswith(STAGE_TRAIN)
        if trains and before is not None and line["done"] > before["done"]:
            done, took, of = done + line["done"] - before["done"], took + line["t"] - before["t"], line["of"]
        before = line if trains else None
    first = lines[0]["t"] if lines else 0.0
    return (done / of, took, first) if of else (np.nan, np.nan, first)
