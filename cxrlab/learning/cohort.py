"""Which rows of home train a run and which choose its best epoch.

In:    a TrainSpec and the stores of its source sites.
Out:   rows, targets, and one sentence for every spec that the data cannot carry out.
Never: external sites, torch, pixels.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab import policies, store, views
from cxrlab.choices.networks import is_gated
from cxrlab.errors import BadRun, BadSpec
from cxrlab.labels import NO_FINDING, SHARED, Evidence
from cxrlab.learning import budget, teacher
from cxrlab.paths import Lab
from cxrlab.predictions import ABNORMAL
from cxrlab.spec import TrainSpec, ViewSpec
from cxrlab.store import Store

FEWEST_TRAIN, FEWEST_VAL = 16, 2  # rows; below, batch norm and early stopping are noise


@dataclass(frozen=True)
class Cohort:
    """Rows of the source sites, one after another; positions count over `rows`.

    L is 0 for an autoencoder and for pretraining, whose target is (N, 1): the patient's number.
    """

    rows: tuple[tuple[Store, np.ndarray], ...]  # a store and the indices used there
    labels: tuple[str, ...]
    y_true: np.ndarray  # (N, L) float32 of 0, 1 and NaN (masked): what an epoch is chosen by
    target: np.ndarray  # (N, L) float32: what is trained on, see policies.target
    train: np.ndarray  # (n,) int64 positions
    val: np.ndarray  # (m,) int64 positions

    @property
    def site(self) -> np.ndarray:
        """(N,) int64, which of the source sites a row comes from."""
        return np.concatenate([np.full(len(index), k) for k, (_, index) in enumerate(self.rows)])

    @property
    def learnt(self) -> np.ndarray:
        """(S, L) bool: the training rows of a source site show the label both ways, so a head of its own learns it."""
        y, site = self.y_true[self.train], self.site[self.train]
        return np.stack([both_ways(y[site == k]) for k in range(len(self.rows))])

    def taken(self) -> dict[str, int]:
        """Return source site → its training images."""
        site = self.site[self.train]
        return {one.site: int((site == k).sum()) for k, (one, _) in enumerate(self.rows)}

    @property
    def digests(self) -> dict[str, str]:
        """Source site → digest of its store."""
        return {one.site: one.digest for one, _ in self.rows}

    @property
    def synthetic(self) -> bool:
        """Whether any source site is made up."""
        return any(one.header.synthetic for one, _ in self.rows)


def truth(site: Store, task: str, view: ViewSpec, *, external: bool, gated: bool = False) -> views.View:
    """Return every row of a site with the truth of `task`: view.labels (`gated`: and Abnormal), Abnormal, or none.

    Abnormal is decided by every finding that the shared nine or view.labels name, whichever the site annotates. Uncertain
    evidence is masked whatever it becomes in training.
    """
    alone = task == "labels" and not gated
    wanted = view.labels if alone else tuple(dict.fromkeys((*SHARED, *view.labels)))
    seen = views.view(
        site,
        wanted,
        external=external,
        blank=view.blank,
        blank_of=view.blank_of,
        official_split=view.official_split and not external,
    )
    if alone:
        return seen
    said = policies.abnormal(seen.evidence, wanted, view.blank, view.blank_of)[:, None]
    y_true = policies.truth(said, (ABNORMAL,))
    if task == "normal":
        return views.View(site, seen.rows, seen.split, (ABNORMAL,), said, y_true)
    if task == "labels":
        at = [wanted.index(label) for label in view.labels]
        both = (np.hstack(pair) for pair in ((seen.evidence[:, at], said), (seen.y_true[:, at], y_true)))
        return views.View(site, seen.rows, seen.split, (*view.labels, ABNORMAL), *both)
    return views.View(site, seen.rows, seen.split, (), said[:, :0], y_true[:, :0])


def target(seen: views.View, spec: TrainSpec, lab: Lab) -> np.ndarray:
    """Return (M, L) float32, what a view of one home site, all its rows in order, is trained on: see policies.target.

    Behind a gate findings are learnt of abnormal rows alone.
    """
    taught = teacher.read(lab, spec, seen.store).probability if teacher.learners(spec) else None
    uncertain, ids = seen.evidence == Evidence.UNCERTAIN, seen.store.rows["image_id"].to_numpy()
    made = policies.target(
        seen.y_true, uncertain, seen.labels, spec.view, seed=spec.seed, image_id=ids, taught=taught
    )
    return policies.given_abnormal(made, seen.labels) if is_gated(spec.model) else made


def build(spec: TrainSpec, lab: Lab) -> Cohort:
    """Choose the rows that `spec` trains and validates on.

    Raises:
        MissingInput, BadStore: a source site has no store, or a damaged one; the teacher is not there.
        BadRun: a store or a teacher is no longer the one that the run was submitted with.
        BadSpec: too few rows, or a label that home never annotates or shows only one way.
    """
    teacher.check_pair(spec)
    if spec.teacher:
        teacher.check(lab, spec)
    seen_at, targets = [], []
    for name in spec.view.source:
        site = store.read(lab.store(name))
        if spec.data.get(name, site.digest) != site.digest:
            raise BadRun(
                f"the store of {name} has changed since this run was submitted "
                f"({spec.data[name][:12]} then, {site.digest[:12]} now); submit the run again."
            )
        seen = truth(site, spec.task, spec.view, external=False, gated=is_gated(spec.model))
        keep = np.isin(seen.split, ("train", "val"))
        if spec.view.only_normal:
            keep &= truth(site, "normal", spec.view, external=False).y_true[:, 0] == 0
        wanted = target(seen, spec, lab)
        if seen.labels:
            keep &= ~np.isnan(wanted).all(axis=1)
        seen_at.append(seen.only(keep))
        targets.append(wanted[keep])
    _check_teacher(spec, lab, {seen.store.site: seen.store for seen in seen_at})
    for k, keep in enumerate(_within_budget(spec, seen_at)):
        seen_at[k], targets[k] = seen_at[k].only(keep), targets[k][keep]
    split = np.concatenate([seen.split for seen in seen_at])
    made = Cohort(
        tuple((seen.store, seen.rows) for seen in seen_at),
        policies.labels_of(spec),
        np.concatenate([seen.y_true for seen in seen_at]),
        _patients(seen_at) if spec.task == "moco" else np.concatenate(targets),
        np.flatnonzero(split == "train"),
        np.flatnonzero(split == "val"),
    )
    _check_rows(made, spec)
    if ABNORMAL in made.labels:
        check_gate(spec, made.y_true[made.train, -1])
    _check_labels(made, spec)
    if is_gated(spec.model):
        _check_behind_gate(made, spec)
    return made


def _within_budget(spec: TrainSpec, seen_at: list[views.View]) -> list[np.ndarray]:
    """Return, a home, (M,) bool: its validation rows, and the training rows that strategy.images and .shares allow."""
    if not spec.strategy.images:
        return [np.ones(len(seen), bool) for seen in seen_at]
    train = {seen.store.site: seen.split == "train" for seen in seen_at}
    most = budget.asked(spec.strategy, {site: int(rows.sum()) for site, rows in train.items()})
    masks = []
    for seen in seen_at:
        site = seen.store.site
        keep, patients = ~train[site], seen.facts["patient_id"].to_numpy(str)
        keep[train[site]] = budget.keep(patients[train[site]], most[site], site, spec.seed)
        masks.append(keep)
    return masks


def _patients(seen_at: list[views.View]) -> np.ndarray:
    """Return (N, 1) float32: a number a patient; the same name at two homes is two people."""
    names = np.concatenate(
        [seen.store.site + "\0" + seen.facts["patient_id"].astype(str) for seen in seen_at]
    )
    return np.unique(names, return_inverse=True)[1].astype(np.float32)[:, None]


def _check_teacher(spec: TrainSpec, lab: Lab, homes: dict[str, Store]) -> None:
    then = spec.data.get(teacher.data_key(spec))
    if then is not None and then != (now := teacher.digest(lab, spec, homes)):
        raise BadRun(
            f"the teacher {spec.teacher!r} says other probabilities than when this run was submitted ({then[:12]} then, "
            f"{now[:12]} now); submit the run again."
        )


def _home(spec: TrainSpec) -> str:
    return " + ".join(spec.view.source)


def _check_rows(made: Cohort, spec: TrainSpec) -> None:
    what = "normal rows" if spec.view.only_normal else "usable rows"
    for name, rows, fewest in (("training", made.train, FEWEST_TRAIN), ("validation", made.val, FEWEST_VAL)):
        if len(rows) < fewest:
            remedy = (
                "switch 'Normals only' off"
                if spec.view.only_normal
                else "choose other labels or a larger site"
            )
            raise BadSpec(
                f"{_home(spec)} has {len(rows)} {what} for {name}; expected at least {fewest}. Do: {remedy}."
            )


def check_gate(spec: TrainSpec, abnormal: np.ndarray) -> None:
    """Raise BadSpec unless home's training rows, (N,) of 0, 1 and NaN, are of both kinds: normal and abnormal."""
    lacking = [word for value, word in ((0, "normal"), (1, "abnormal")) if not (abnormal == value).any()]
    if lacking:
        raise BadSpec(
            f"{_home(spec)} has no {' and no '.join(lacking)} images among its training rows, and who has seen one kind alone "
            "cannot tell normal from abnormal: it would be right every time there, and worth nothing. Choose a home site "
            "with both."
        )


def _check_behind_gate(made: Cohort, spec: TrainSpec) -> None:
    abnormal = made.y_true[made.val, -1]
    if not {0.0, 1.0} <= set(abnormal.tolist()):
        raise BadSpec(
            f"the {len(made.val)} validation rows of {_home(spec)} are not both normal and abnormal, so the gate's threshold "
            "cannot be tuned; choose a larger home site."
        )
    given = policies.given_abnormal(made.y_true[made.train], made.labels)
    for k, label in enumerate(made.labels[:-1]):
        if label != NO_FINDING and not both_ways(given[:, k : k + 1]).all():
            raise BadSpec(
                f"{label!r} is not both positive and negative among the abnormal training rows of {_home(spec)}, so a "
                "disease network behind a gate cannot learn it; leave that label out or choose a network without a gate."
            )


def _check_labels(made: Cohort, spec: TrainSpec) -> None:
    for k, label in enumerate(made.labels):
        y = made.y_true[:, k]
        if np.isnan(y).all():
            raise BadSpec(
                f"{_home(spec)} never annotates {label!r}; leave that label out or choose another home site."
            )
        for value, word in ((1, "positive"), (0, "negative")):
            if not (y[made.train] == value).any():
                raise BadSpec(
                    f"{label!r} has no {word} images among the training rows of {_home(spec)}; "
                    "a network cannot learn it there. Leave that label out or choose another home site."
                )
    if spec.strategy.heads == "by-site" and not (taught := made.learnt.any(axis=0)).all():
        raise BadSpec(
            f"no home site has both positive and negative training images of {made.labels[int(np.argmin(taught))]!r}, so no "
            "site's own head can learn it. Leave that label out, or choose strategy.heads 'shared'."
        )
    if made.labels and not both_ways(made.y_true[made.val]).any():
        raise BadSpec(
            f"no label has both positive and negative images among the {len(made.val)} validation rows of "
            f"{_home(spec)}, so no epoch can be preferred to another; choose a larger home site."
        )


def both_ways(y_true: np.ndarray) -> np.ndarray:
    """Return (L,) bool: the label has a positive and a negative among the rows (N, L)."""
    return (y_true == 1).any(axis=0) & (y_true == 0).any(axis=0)
