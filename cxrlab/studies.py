"""A study is runs that belong together: which ones it needs, and which studies a lab holds.

In:    a StudySpec and the stores of its sites; the run folders of a lab.
Out:   TrainSpecs, complete with their stores' digests; `StudyRuns` for the study bar.
Never: torch, processes, streamlit; a preset's values.
"""

from dataclasses import dataclass, field

import numpy as np

from cxrlab import files, jobs, policies, presets, views
from cxrlab import spec as specs
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.facts import estimate
from cxrlab.jobs import request
from cxrlab.labels import NO_FINDING, SHARED, VOCABULARY
from cxrlab.learning import lineage
from cxrlab.paths import Lab
from cxrlab.predictions import ABNORMAL
from cxrlab.store import Store

# Task → what a person calls its model. The findings come first: they are what most people wait for.
NAMES = {
    "labels": "classifier",
    "autoencoder": "autoencoder",
    "normal": "normal/abnormal head",
    "normal-latents": "normal/abnormal head on latents",
}
# With fewer patients of a kind in training there is nothing to learn and, in a test set a fifth the size, nothing to
# measure: nih's 32 pneumonias leave about 22 to train on and 6 to test.
FEWEST_PATIENTS = 10


@dataclass(frozen=True)
class Outline:
    """A study's runs by task, in the order in which they are carried out, and why a task was left out."""

    specs: dict[str, specs.TrainSpec]
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """How much a run is to do, in training images of DenseNet-121 at 64 px."""

    train: float
    after: float  # scoring and maps
    stages: int  # of the work after training


@dataclass(frozen=True)
class StudyRuns:
    """Runs of one home and the same external sites."""

    run_id: str  # the study's own run; "" for runs that were started one by one
    home: str
    externals: tuple[str, ...]
    runs: dict[str, str]  # task → run id; of several, the latest submitted
    states: dict[str, str]  # task → state
    state: str  # of the study; for loose runs that of the least finished
    preset: str = ""
    left_out: dict[str, str] = field(default_factory=dict)  # task → why


def plan(study: specs.StudySpec, lab: Lab) -> list[specs.TrainSpec]:
    """Return the study's runs in the order in which they are to be carried out. Raises as `outline`."""
    return list(outline(study, lab).specs.values())


def outline(study: specs.StudySpec, lab: Lab) -> Outline:
    """Return the study's runs by task, and why a task was left out.

    The classifier's labels are the shared ones with at least FEWEST_PATIENTS positive and as many negative patients in
    home's training rows. "Abnormal" is decided with every label that any of the sites annotates, so that a site's own
    findings count there.

    Raises:
        MissingInput, BadStore: a site has no store, or a damaged one.
        BadSpec: home's labels support no task.
    """
    home = request.open_store(lab, study.source)
    stores = [home, *(request.open_store(lab, site) for site in study.external)]
    px, n_training = min(min(there.image_shape) for there in stores), request.n_training(lab, (study.source,))
    everywhere = {label for there in stores for label in request.annotated(there)}
    labels, all_labels = learnable(home), tuple(label for label in VOCABULARY if label in everywhere)
    left_out: dict[str, str] = {}
    if not labels:
        left_out["labels"] = (
            f"{study.source} has no shared label with {FEWEST_PATIENTS} positive and {FEWEST_PATIENTS} negative patients "
            "to train on."
        )
    normal, abnormal = _patients_of(home, all_labels)
    if min(normal, abnormal) < FEWEST_PATIENTS:
        left_out["normal"] = left_out["normal-latents"] = (
            f"{study.source} has {normal} normal and {abnormal} abnormal patients to train on; "
            f"{FEWEST_PATIENTS} of each are needed."
        )
    made: dict[str, specs.TrainSpec] = {}
    for task in NAMES:
        if task not in left_out:
            shown = labels if task == "labels" else all_labels or (NO_FINDING,)
            latents_of = made["autoencoder"].run_id if task == "normal-latents" else ""
            made[task] = request.complete(
                lab, _train_spec(study, task, shown, px, latents_of, n_training), others=False, wait=False
            )
    return Outline(made, left_out)


def _train_spec(
    study: specs.StudySpec, task: str, labels: tuple[str, ...], px: int, latents_of: str, most: int = 1024
) -> specs.TrainSpec:
    preset = presets.training(study.preset, task)
    training = preset.get("training", {})
    # A batch cannot be larger than the data; a site so small has its own.
    training["batch"] = max(2, min(training["batch"], most))
    view = {**preset.get("view", {}), "source": (study.source,), "external": study.external, "labels": labels,
            "allow_overlap": study.allow_overlap}  # fmt: skip
    # A site that is stored smaller than the preset's images decides: enlarging it would invent a shift.
    view["image_px"] = max(28, min(px, view.get("image_px", px)))
    spec = specs.build(
        {
            "kind": "train",
            "task": task.removesuffix("-latents"),
            "view": view,
            "model": {**preset.get("model", {}), "latents_of": latents_of},
            "training": training,
            "seed": study.seed,
        }
    )
    if not isinstance(spec, specs.TrainSpec):
        raise BadSpec(f"the preset {study.preset!r} makes no training run for {task!r}.")
    return spec


def learnable(home: Store) -> tuple[str, ...]:
    """Return the shared labels with enough positive and negative patients in home's training rows."""
    rows = views.view(home, SHARED, external=False)
    rows = rows.only(rows.split == "train")
    patients = rows.facts["patient_id"].to_numpy()
    return tuple(
        label
        for k, label in enumerate(SHARED)
        if all(len(np.unique(patients[rows.y_true[:, k] == value])) >= FEWEST_PATIENTS for value in (0, 1))
    )


def _patients_of(home: Store, labels: tuple[str, ...]) -> tuple[int, int]:
    """Return how many patients of home's training rows have a normal, and how many an abnormal image."""
    rows = views.view(home, labels, external=False)
    rows = rows.only(rows.split == "train")
    patients = rows.facts["patient_id"].to_numpy()
    abnormal = policies.truth(policies.abnormal(rows.evidence, labels)[:, None], (ABNORMAL,))[:, 0]
    return len(np.unique(patients[abnormal == 0])), len(np.unique(patients[abnormal == 1]))


def work(planned: Outline, n_images: dict[str, int]) -> dict[str, Work]:
    """Return how much work each run is, task → Work: for telling the time left, for nothing else.

    Args:
        planned: the runs.
        n_images: site → images.
    """
    amounts = {}
    for task, spec in planned.specs.items():
        passes, scored = estimate.images_of(spec, n_images)
        cost = estimate.relative_cost(spec)
        amounts[task] = Work(cost * passes, cost * scored / 3, 2 * len(n_images) + 1)
    return amounts


def rough(study: specs.StudySpec) -> Outline:
    """Return what the study would be if home supported every task: for telling the time before its stores are there."""
    return Outline(
        {task: _train_spec(study, task, SHARED, 1024, "-" * task.endswith("-latents")) for task in NAMES}
    )


def task_of(spec: specs.NetworkSpec | specs.ImportSpec) -> str:
    """Return the key of a run in a study; imported scores are of findings.

    >>> task_of(specs.build({"kind": "train", "view": {"source": ["a"]}}))
    'labels'
    """
    if isinstance(spec, specs.ImportSpec):
        return "labels"
    return f"{spec.task}-latents" if spec.model.latents_of else spec.task


def homes_of(spec: specs.NetworkSpec | specs.ImportSpec) -> tuple[str, ...]:
    """Return the sites that a model was trained on, in runs that it began with too; none where nobody said."""
    if isinstance(spec, specs.ImportSpec):
        return (spec.home,) if spec.home else ()
    if isinstance(spec, specs.BroughtSpec):
        return spec.view.source  # what else it has seen may be no site of this lab
    return lineage.seen_sites(spec)


def externals_of(spec: specs.NetworkSpec | specs.ImportSpec) -> tuple[str, ...]:
    """Return the sites that a model was to be scored at without having seen them."""
    return spec.external if isinstance(spec, specs.ImportSpec) else spec.view.external


def policy_of(spec: specs.NetworkSpec | specs.ImportSpec, overlap: str = "") -> str:
    """Return, for a caption, what doubtful evidence became, which seed made the run and what home knew beforehand.

    Args:
        spec: the run's.
        overlap: leaks.memory.caption of the run.
    """
    if isinstance(spec, specs.ImportSpec):
        return "truths and scores as " + ", ".join(one.file for one in spec.files) + " says"
    if isinstance(spec, specs.BroughtSpec):
        known = f"; {overlap}" if overlap else ""
        return f"weights from {spec.file.name}, trained elsewhere; uncertain never scored, unmentioned: {spec.view.blank}{known}"
    view, own = spec.view, ""
    if view.uncertain_of:
        own = " (" + ", ".join(f"{label}: {policy}" for label, policy in view.uncertain_of.items()) + ")"
    by = f" by {spec.teacher}" if spec.teacher else ""
    overlap = overlap or ("overlapping sites allowed, none found" if view.allow_overlap else "")
    known = f"; {overlap}" if overlap else ""
    blank = "".join(f", {label}: {policy}" for label, policy in view.blank_of.items())
    return (
        f"seed {spec.seed}; uncertain labels: {view.uncertain}{own} in training{by}, never scored; "
        f"unmentioned: {view.blank}{blank}{known}"
    )


def study_runs(lab: Lab) -> list[StudyRuns]:
    """Return the studies of a lab, the latest first; runs that no study asked for are grouped by their sites.

    A pretraining says nothing of any site and is no study's. Each import, of scores or of a network, is a study of its own, after the lab's own; its home is "" where nobody said.
    """
    known: dict[str, specs.AnySpec] = {}
    for run_id in sorted(lab.run_ids(), key=lambda name: lab.run(name).spec.stat().st_mtime_ns):
        try:
            known[run_id] = specs.read(lab.run(run_id).spec)
        except CxrlabError:  # a damaged folder is for the page of runs to show; the others are unharmed
            continue
    found, taken = [], set()
    for run_id, spec in known.items():
        if isinstance(spec, specs.StudySpec):
            runs = {task: child for task, child in jobs.children(lab.run(run_id)).items() if child in known}
            taken.update(runs.values())
            found.append(_study(lab, run_id, spec.source, spec.external, runs, spec.preset))
    loose: dict[tuple[str, tuple[str, ...]], dict[str, str]] = {}
    for run_id, spec in known.items():
        if isinstance(spec, specs.TrainSpec) and run_id not in taken and spec.task != "moco":
            key = ("+".join(spec.view.source), spec.view.external)
            loose.setdefault(key, {})[task_of(spec)] = run_id
    found.extend(_study(lab, "", home, externals, runs) for (home, externals), runs in loose.items())
    imports = [
        _study(lab, "", next(iter(homes_of(spec)), ""), externals_of(spec), {task_of(spec): run_id})
        for run_id, spec in known.items()
        if isinstance(spec, specs.ImportSpec | specs.BroughtSpec)
    ]
    return found[::-1] + imports[::-1]


def _study(
    lab: Lab, run_id: str, home: str, externals: tuple[str, ...], runs: dict[str, str], preset: str = ""
) -> StudyRuns:
    states = {task: jobs.status(lab.run(name)).state for task, name in runs.items()}
    order = ("running", "queued", "failed", "lost", "cancelled", "done")
    state = jobs.status(lab.run(run_id)).state if run_id else min(states.values(), key=order.index)
    left_out = {}
    if run_id and lab.run(run_id).children.exists():
        left_out = files.read_json(lab.run(run_id).children)["left_out"]
    return StudyRuns(run_id, home, externals, runs, states, state, preset, left_out)
