"""A finished run whose probabilities stand in for uncertain evidence: the policy "self-trained".

In:    a TrainSpec; the teacher's spec and its predictions at home.
Out:   label → probability of every row of home, and a digest of what was taken; one sentence for every misfit.
Never: torch, pixels, external sites.

Source: Irvin 2019, arXiv:1901.07031 (U-SelfTrained): train with uncertain labels masked, put the model's probabilities in
their place, train again.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab import files, policies, predictions
from cxrlab import spec as specs
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.paths import Lab
from cxrlab.spec import TrainSpec
from cxrlab.store import Store

REMEDY = "train one with uncertain labels masked ('ignore') at the same home and name it as teacher"


@dataclass(frozen=True)
class Taught:
    """What a teacher says of one site: label → (N,) float32 in [0, 1], in the store's order; and its digest."""

    probability: dict[str, np.ndarray]
    digest: str


def learners(spec: TrainSpec) -> tuple[str, ...]:
    """Return the labels of the run that wait for a teacher."""
    return policies.labels_under(spec.view, policies.labels_of(spec), "self-trained")


def data_key(spec: TrainSpec) -> str:
    """Return the key under which spec.data keeps the digest of what the teacher says."""
    return f"teacher:{spec.teacher}"


def check_pair(spec: TrainSpec) -> None:
    """Raise BadSpec unless the spec has both a label that waits for a teacher and a teacher, or neither."""
    waiting = learners(spec)
    if waiting and not spec.teacher:
        raise BadSpec(f"{', '.join(waiting)}: 'self-trained' needs a teacher, a finished run; {REMEDY}.")
    if spec.teacher and not waiting:
        raise BadSpec(
            f"the teacher {spec.teacher!r} teaches nothing: no label of this run is under 'self-trained'; choose that "
            "policy for a label, or name no teacher."
        )


def check(lab: Lab, spec: TrainSpec) -> TrainSpec:
    """Return the teacher's spec.

    Raises:
        MissingInput: there is no such run.
        BadSpec: it is no training run, of another home, split or task, lacks a label, or did not mask it.
    """
    of = lab.run(spec.teacher)
    if not of.spec.exists():
        raise MissingInput(f"no run named {spec.teacher!r} to be the teacher; {REMEDY}.")
    known = specs.read(of.spec)
    if not isinstance(known, TrainSpec):
        raise BadSpec(f"the teacher {spec.teacher!r} is no training run; {REMEDY}.")
    check_fit(known, spec)
    return known


def check_fit(known: TrainSpec, spec: TrainSpec) -> None:
    """Raise BadSpec unless a run of `known` can teach one of `spec`; it need not be trained yet."""
    waiting = learners(spec)
    if sorted(known.view.source) != sorted(spec.view.source):
        raise BadSpec(
            f"the teacher {spec.teacher!r} was trained at {' + '.join(known.view.source)}, this run's home is "
            f"{' + '.join(spec.view.source)}; {REMEDY}."
        )
    if known.view.official_split != spec.view.official_split:
        raise BadSpec(
            f"the teacher {spec.teacher!r} was trained on another split of home, so it may have seen this run's test rows; "
            "use the same split for both."
        )
    has = policies.labels_of(known)
    lacking = [label for label in waiting if label not in has]
    if lacking:
        raise BadSpec(
            f"the teacher {spec.teacher!r} does not predict {', '.join(lacking)}; it predicts: "
            f"{', '.join(has) or 'no label'}. Do: {REMEDY}."
        )
    other = [label for label in waiting if policies.uncertain_of(known.view, label) != "ignore"]
    if other:
        raise BadSpec(
            f"the teacher {spec.teacher!r} was itself trained with {other[0]} uncertain as "
            f"{policies.uncertain_of(known.view, other[0])!r}; {REMEDY}."
        )


def read(lab: Lab, spec: TrainSpec, site: Store) -> Taught:
    """Return what the teacher says of every row of a home site; `check` passed before.

    Raises:
        MissingInput: it has not finished there.
        BadRun: it scored another store, or its scores do not cover every image.
    """
    run = lab.run(spec.teacher)
    if not run.checkpoint.exists() or not run.predictions(site.site).exists():
        raise MissingInput(
            f"the teacher {spec.teacher!r} has not finished: it has no scores of {site.site} yet. Resume it, or wait for it."
        )
    said = predictions.read(run.predictions(site.site))
    if said.store_digest != site.digest:
        raise BadRun(
            f"the teacher {spec.teacher!r} scored another store of {site.site} ({said.store_digest[:12]} then, "
            f"{site.digest[:12]} now); train the teacher again on this one."
        )
    place = {image_id: i for i, image_id in enumerate(said.table["image_id"])}
    rows = np.array([place.get(image_id, -1) for image_id in site.rows["image_id"]], np.int64)
    score = dict(zip(said.labels, said.score().T.astype(np.float32), strict=True))
    found = {label: score[label][rows] for label in learners(spec) if label in score}
    if (rows < 0).any() or len(found) < len(learners(spec)) or not all(map(_is_whole, found.values())):
        raise BadRun(
            f"the teacher {spec.teacher!r} does not say a probability of every image of {site.site}; score {site.site} "
            "with it again."
        )
    parts = [np.ascontiguousarray(values, "<f4").tobytes() for values in found.values()]
    return Taught(found, files.digest_of(site.digest, *found, *parts))


def _is_whole(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all())


def digest(lab: Lab, spec: TrainSpec, homes: dict[str, Store]) -> str:
    """Return the digest of what the teacher says of all of home: with another, the run is another run."""
    return files.digest_of(*(read(lab, spec, homes[site]).digest for site in sorted(homes)))
