"""A spec meets a lab: are its sites there, do they annotate its labels, and which data are meant?

In:    a spec as a person wrote it.
Out:   the same spec with the stores' digests, so that the same words over other data are another run.
Never: torch, images, processes.
"""

from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from cxrlab import spec as specs
from cxrlab import store, views
from cxrlab.choices.networks import is_gated
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.labels import Evidence
from cxrlab.leaks import guard
from cxrlab.leaks.memory import Overlap
from cxrlab.learning import cohort, lineage, teacher
from cxrlab.paths import Lab

AnySpec = specs.AnySpec


def complete(lab: Lab, spec: AnySpec, *, others: bool = True, wait: bool = True) -> AnySpec:
    """Return `spec` with `data` filled in.

    It holds site → its store's digest, also of sites that the runs below have seen; "teacher:<run>" → the digest of what
    it says; "start:<run>" → that of its checkpoint.

    Args:
        lab: where the stores and runs are.
        spec: what a person asked for.
        others: also check the runs that it needs; a plan names runs that are yet to be made.
        wait: compare the sites' images even where that takes minutes; a form asks again at every change.

    Raises:
        MissingInput: a site has no store, the run to score or to learn from is not there, or the file of first weights.
        BadStore: a store is damaged.
        BadRun: the teacher says nothing of this store.
        BadSpec: home lacks a label, or has too few rows of one or for the label budget, the run to score cannot be, the teacher or the start does not fit (see
            learning.teacher and .lineage), the scores are to come from a file, or an external site shares images or
            patients with home and nobody allowed it.
    """
    if isinstance(spec, specs.ImportSpec):
        raise BadSpec("scores from elsewhere come in with `python -m cxrlab import-scores FILE --site NAME`.")
    if isinstance(spec, specs.StudySpec) and spec.make == "phantom":
        return spec.model_copy(
            update={"data": {}}
        )  # its stores are drawn by the job; the recipe decides them
    if isinstance(spec, specs.SweepSpec):
        from cxrlab.sweeps import plan  # which asks here about each of its runs

        return plan.complete(lab, spec)
    data = {site: open_store(lab, site).digest for site in sites_of(spec)}
    if isinstance(spec, specs.TrainSpec):
        _check_weights(spec)
        _check_labels(lab, spec)
        _check_gate(lab, spec)
        teacher.check_pair(spec)
        if others and spec.model.latents_of:
            check_latents(lab, spec)
        if others and spec.teacher:
            teacher.check(lab, spec)
            homes = {site: open_store(lab, site) for site in spec.view.source}
            data[teacher.data_key(spec)] = teacher.digest(lab, spec, homes)
        if others and spec.strategy.start_from:
            lineage.check(lab, spec)
            data[lineage.data_key(spec)] = lineage.digest(lab, spec)
        if others:
            lineage.check_unseen(lab, spec)
            data = {**lineage.seen_before(lab, spec), **data}
        _check_batch(lab, spec)
        if others:
            check_cohort(lab, spec)
    if isinstance(spec, specs.BroughtSpec):
        data = {**spec.data, **data}
    if isinstance(spec, specs.ScoreSpec):
        _check_score(lab, spec)
    if not _allows_overlap(spec):
        guard.refuse(overlaps(lab, spec, wait=wait))
    return spec.model_copy(update={"data": data})


def overlaps(lab: Lab, spec: AnySpec, *, wait: bool = True) -> list[Overlap]:
    """Return why sites that the spec calls external are not new to home. Raises as guard.overlaps.

    Args:
        lab: where the stores and runs are.
        spec: one that is complete; a study that draws its own phantoms has no stores yet.
        wait: see guard.overlaps.
    """
    home, external, official = (), (), False
    if isinstance(spec, specs.StudySpec) and not spec.make:
        home, external = (spec.source,), spec.external
    elif isinstance(spec, specs.TrainSpec):
        home, external, official = spec.view.source, spec.view.external, spec.view.official_split
        home = (*home, *lineage.seen_before(lab, spec))
    elif isinstance(spec, specs.ScoreSpec):
        known = specs.read(lab.run(spec.run).spec)
        if isinstance(known, specs.NetworkSpec):
            home, official = lineage.seen_sites(known), known.view.official_split
            home = (*home, *(site for site in lineage.seen_before(lab, known) if site not in home))
            external = tuple(site for site in spec.sites if site not in home)
    gone = [site for site in home if external and not lab.store(site).exists() and site not in sites_of(spec)]
    home = tuple(site for site in home if site not in gone)
    found = guard.overlaps(
        lab, home, external, official_split=official, wait=wait, opened=partial(open_store, lab)
    )
    return found + [_not_compared(site, there) for site in gone for there in external]


def _not_compared(gone: str, there: str) -> Overlap:
    says = f"{there} was not compared with {gone}, seen by a run that this one builds on: its store is not in this lab"
    return Overlap(gone, there, "kin", says, is_fatal=False)


def _allows_overlap(spec: AnySpec) -> bool:
    if isinstance(spec, specs.NetworkSpec):
        return spec.view.allow_overlap
    return not isinstance(spec, specs.StudySpec | specs.ScoreSpec) or spec.allow_overlap


def sites_of(spec: AnySpec) -> tuple[str, ...]:
    """Return the sites that a spec names, home first."""
    if isinstance(spec, specs.NetworkSpec):
        return (*spec.view.source, *spec.view.external)
    if isinstance(spec, specs.SweepSpec):
        return tuple(spec.data)  # of one that is complete
    if isinstance(spec, specs.ImportSpec):
        return (*([spec.home] if spec.home else []), *spec.external)
    return spec.sites if isinstance(spec, specs.ScoreSpec) else (spec.source, *spec.external)


def open_store(lab: Lab, site: str) -> store.Store:
    """Return the site's store.

    Raises:
        MissingInput: it has none; the text names the command that makes one.
        BadStore: it is damaged.
    """
    path = lab.store(site)
    if not path.exists():
        raise MissingInput(
            f"no store for the site {site!r} in {lab.stores}; make it with "
            f"`python -m cxrlab ingest DATASET RAW --site {site}`. This lab has: {', '.join(lab.sites()) or 'none yet'}."
        )
    return _read(path, path.stat().st_mtime_ns)


# A plan of four runs asks for each store a dozen times; at a hundred thousand rows a reading takes a second.
@lru_cache(maxsize=8)
def _read(path: Path, mtime_ns: int) -> store.Store:  # the time of writing is part of the key
    return store.read(path)


def annotated(there: store.Store) -> tuple[str, ...]:
    """Return the labels that the site says anything about, in the store's order."""
    said = (there.evidence != int(Evidence.NOT_ANNOTATED)).any(axis=0)
    return tuple(np.array(there.header.labels, object)[said])


def _check_weights(spec: specs.TrainSpec) -> None:
    weights = spec.model.weights
    if weights not in ("none", "hub") and not Path(weights).expanduser().is_file():
        raise MissingInput(
            f"no weights at {weights}; give 'none', 'hub' or the path of a .safetensors or .pth file of {spec.model.name}."
        )


def _check_labels(lab: Lab, spec: specs.TrainSpec) -> None:
    if spec.task != "labels":
        return  # an autoencoder uses none; "abnormal" may be decided by labels that only other sites annotate
    at_home = [label for site in spec.view.source for label in annotated(open_store(lab, site))]
    lacking = [label for label in spec.view.labels if label not in at_home]
    if lacking:
        raise BadSpec(
            f"home ({', '.join(spec.view.source)}) does not annotate {', '.join(lacking)}; "
            f"choose among: {', '.join(dict.fromkeys(at_home)) or 'no label at all'}."
        )


def _check_gate(lab: Lab, spec: specs.TrainSpec) -> None:
    if spec.task == "normal" or is_gated(spec.model):
        view, paths = spec.view.model_dump_json(), [lab.store(site) for site in spec.view.source]
        known = [_abnormal(path, path.stat().st_mtime_ns, view) for path in paths]
        cohort.check_gate(spec, np.concatenate(known))


def check_cohort(lab: Lab, spec: specs.TrainSpec) -> None:
    """Raise BadSpec where home's rows cannot carry the run out: too few, of one kind, or fewer than its budget.

    Training would say the same, but in a sweep after the runs that it waits for. A teacher that the run names is there.
    """
    how, view = spec.strategy, spec.view.model_copy(update={"external": ()})
    of = spec.model_copy(
        update={
            "view": view,
            "data": {},
            "training": specs.TrainingSpec(batch=2),
            "strategy": specs.StrategySpec(images=how.images, shares=how.shares, heads=how.heads),
            "seed": spec.seed
            if how.images
            else 0,  # it decides which patients a budget takes, and nothing else here
        }
    )
    stamps = tuple(lab.store(site).stat().st_mtime_ns for site in view.source)
    if problem := _cohort_problem(lab, of.model_dump_json(), stamps):
        raise BadSpec(problem)


@lru_cache(maxsize=256)
def _cohort_problem(
    lab: Lab, of: str, mtimes_ns: tuple[int, ...]
) -> str:  # times of writing are part of the key
    try:
        cohort.build(specs.TrainSpec.model_validate_json(of), lab)
    except BadSpec as error:
        return str(error)
    return ""


@lru_cache(maxsize=64)
def _abnormal(path: Path, mtime_ns: int, view: str) -> np.ndarray:
    """Return which training rows of a home are abnormal: 0, 1 or NaN; a form asks again at every change."""
    there, wanted = _read(path, mtime_ns), specs.ViewSpec.model_validate_json(view)
    seen = cohort.truth(there, "normal", wanted, external=False)
    return seen.y_true[seen.split == "train", 0]


def _check_batch(lab: Lab, spec: specs.TrainSpec) -> None:
    n = n_training(lab, spec.view.source, spec.view.official_split)
    if spec.training.batch > n:
        raise BadSpec(
            f"a batch of {spec.training.batch} is larger than the {n:,} images that home ({', '.join(spec.view.source)}) "
            f"has to train on; choose a batch of {max(n, 2)} or fewer."
        )


def n_training(lab: Lab, home: tuple[str, ...], official_split: bool = False) -> int:
    """Return how many images of home are training's, whatever is known of them. Raises as `open_store`."""
    n = 0
    for site in home:
        open_store(lab, site)
        path = lab.store(site)
        n += _n_training(path, path.stat().st_mtime_ns, official_split)
    return n


@lru_cache(maxsize=64)
def _n_training(path: Path, mtime_ns: int, official: bool) -> int:
    there = _read(path, mtime_ns)
    seen = views.view(there, (), external=False, official_split=official)
    return int((seen.split == "train").sum())


def check_latents(lab: Lab, spec: specs.TrainSpec) -> None:
    """Raise MissingInput or BadSpec unless the run whose latents `spec` builds on is there and an autoencoder's."""
    of = lab.run(spec.model.latents_of)
    if not of.spec.exists():
        raise MissingInput(
            f"no run named {spec.model.latents_of!r} to take latents of; train an autoencoder first."
        )
    known = specs.read(of.spec)
    if not isinstance(known, specs.TrainSpec) or known.task != "autoencoder":
        raise BadSpec(f"{spec.model.latents_of!r} is no autoencoder; name the run of one.")


def _check_score(lab: Lab, spec: specs.ScoreSpec) -> None:
    run = lab.run(spec.run)
    if not run.spec.exists():
        raise MissingInput(f"no run named {spec.run!r} to score with; `python -m cxrlab runs` lists them.")
    known = specs.read(run.spec)
    if not isinstance(known, specs.NetworkSpec):
        raise BadSpec(f"{spec.run!r} is no training run; only a trained model can score.")
    if known.task == "moco":
        raise BadSpec(f"{spec.run!r} is a pretraining and says nothing of an image; start a run from it.")
    if not run.checkpoint.exists():
        raise BadSpec(f"{spec.run!r} has no checkpoint yet; score after its training has ended.")
