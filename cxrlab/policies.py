"""What evidence becomes: a hard truth to score against, and a target to train on.

In:    evidence codes, a ViewSpec's policies, where asked a teacher's probabilities.
Out:   arrays of 0, 1 and NaN (truth), and of [0, 1], NaN or UNCERTAIN_CLASS (target).
Never: torch, files, stores, splits.

Uncertain evidence is never scored against, whatever it becomes in training, so that runs of different policies are
compared on the same truth. A blank follows the declared blank policy in both. NOT_ANNOTATED is always masked.

Source of the policies: Irvin 2019, arXiv:1901.07031 (U-Ignore, U-Zeros, U-Ones, U-MultiClass, U-SelfTrained); Pham 2021,
doi:10.1016/j.neucom.2020.03.127 (label smoothing of uncertain labels, LSR).
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from cxrlab.choices.networks import is_gated
from cxrlab.labels import NO_FINDING, Evidence
from cxrlab.predictions import ABNORMAL
from cxrlab.spec import Blank, TrainSpec, Uncertain, ViewSpec

UNCERTAIN_CLASS = 2.0  # a target of "multiclass": the third class; 0 and 1 are the other two
SMOOTHED: dict[str, tuple[float, float]] = {"zeros-lsr": (0.0, 0.3), "ones-lsr": (0.55, 0.85)}
HARD: dict[str, float] = {"ignore": np.nan, "zeros": 0.0, "ones": 1.0, "multiclass": UNCERTAIN_CLASS}


def labels_of(spec: TrainSpec) -> tuple[str, ...]:
    """Return the labels that the run's network predicts; () for an autoencoder and for pretraining.

    A gate's answer is one of them, the last.
    """
    findings = (*spec.view.labels, ABNORMAL) if is_gated(spec.model) else spec.view.labels
    return {"labels": findings, "normal": (ABNORMAL,), "autoencoder": (), "moco": ()}[spec.task]


def uncertain_of(view: ViewSpec, label: str) -> Uncertain:
    """Return what becomes of uncertain evidence of `label` in training."""
    return view.uncertain_of.get(label, view.uncertain)


def labels_under(view: ViewSpec, labels: Sequence[str], policy: Uncertain) -> tuple[str, ...]:
    """Return those of `labels` that are under `policy`, in their order."""
    return tuple(label for label in labels if uncertain_of(view, label) == policy)


def truth(
    evidence: np.ndarray,
    labels: Sequence[str],
    blank: Blank = "negative",
    blank_of: Mapping[str, Blank] | None = None,
) -> np.ndarray:
    """Return what we score against.

    Args:
        evidence: (N, L) int8 codes of labels.Evidence.
        labels: names of its columns.
        blank: what NOT_MENTIONED becomes: 0 or NaN.
        blank_of: label → its own policy for blanks.

    Returns:
        (N, L) float32 of 0, 1 and NaN (masked: uncertain, not annotated, or blank where blanks are ignored).

    >>> truth(np.array([[1, 0, -1, -2, -3]], "int8").T, ("Edema",)).ravel().tolist()
    [1.0, 0.0, nan, 0.0, nan]
    """
    out = np.full(evidence.shape, np.nan, np.float32)
    out[evidence == Evidence.POSITIVE] = 1
    out[evidence == Evidence.NEGATIVE] = 0
    for k, label in enumerate(labels):
        if (blank_of or {}).get(label, blank) == "negative":
            out[evidence[:, k] == Evidence.NOT_MENTIONED, k] = 0
    return out


def target(
    hard: np.ndarray,
    uncertain: np.ndarray,
    labels: Sequence[str],
    view: ViewSpec,
    *,
    seed: int,
    image_id: Sequence[str],
    taught: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Return what we train on: the truth, with uncertain cells filled in by each label's policy.

    Args:
        hard: (N, L) float32, see `truth`.
        uncertain: (N, L) bool, where the evidence is UNCERTAIN.
        labels: names of the columns.
        view: its policies are used.
        seed: of the smoothed draws.
        image_id: (N,), what the draws hang on beside seed and label.
        taught: label → (N,) probabilities of a teacher, for labels under "self-trained".

    Returns:
        (N, L) float32: 0, 1 or NaN where the evidence is certain; where it is uncertain also any value of [0, 1], or
        UNCERTAIN_CLASS under "multiclass".
    """
    out = hard.copy()
    for k, label in enumerate(labels):
        rows, policy = np.flatnonzero(uncertain[:, k]), uncertain_of(view, label)
        if policy == "self-trained":
            out[rows, k] = (taught or {})[label][rows]
        elif policy in SMOOTHED:
            low, high = SMOOTHED[policy]
            out[rows, k] = [low + (high - low) * _uniform(seed, image_id[i], label) for i in rows]
        else:
            out[rows, k] = HARD[policy]
    return out


def _uniform(seed: int, image_id: str, label: str) -> float:
    """Return a draw from [0, 1] that hangs on its arguments alone: not on the order of rows, process or subset."""
    digest = hashlib.sha256("\0".join((str(seed), image_id, label)).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def given_abnormal(y: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return truths or targets of which the findings are known where the image is abnormal alone.

    No Finding is never known there: it says nothing that "Abnormal" does not.

    Args:
        y: (N, L) float32, the last column "Abnormal"; NaN masked.
        labels: names of its columns.

    >>> given_abnormal(np.array([[1, 0, 1], [0, 1, 0.]]), ("Edema", "No Finding", "Abnormal")).tolist()
    [[1.0, nan, 1.0], [nan, nan, 0.0]]
    """
    out = y.copy()
    out[~(y[:, -1] > 0.5), :-1] = np.nan
    if NO_FINDING in labels:
        out[:, list(labels).index(NO_FINDING)] = np.nan
    return out


def abnormal(
    evidence: np.ndarray,
    labels: Sequence[str],
    blank: Blank = "negative",
    blank_of: Mapping[str, Blank] | None = None,
) -> np.ndarray:
    """Return evidence of "Abnormal", (N,) int8, decided from hard evidence.

    POSITIVE: a finding is positive, or No Finding is negative. NEGATIVE: No Finding is positive and no finding is.
    UNCERTAIN: neither, and a finding or No Finding is uncertain; a blank No Finding beside an uncertain finding is no
    proof of disease. NOT_ANNOTATED: nobody says.

    The one answer of the task "normal" then goes through the same policies as any label.

    Args:
        evidence: (N, L) int8 codes of labels.Evidence.
        labels: names of its columns.
        blank: what a blank No Finding says where no finding is uncertain: "negative", that it is abnormal; "ignore",
            nothing.
        blank_of: label → its own policy for blanks.
    """
    findings = evidence[:, [k for k, label in enumerate(labels) if label != NO_FINDING]]
    out = np.full(len(evidence), int(Evidence.NOT_ANNOTATED), np.int8)
    none = evidence[:, labels.index(NO_FINDING)] if NO_FINDING in labels else out.copy()
    if (blank_of or {}).get(NO_FINDING, blank) == "negative":
        out[none == Evidence.NOT_MENTIONED] = Evidence.POSITIVE
    out[(findings == Evidence.UNCERTAIN).any(axis=1) | (none == Evidence.UNCERTAIN)] = Evidence.UNCERTAIN
    out[none == Evidence.NEGATIVE] = Evidence.POSITIVE
    out[none == Evidence.POSITIVE] = Evidence.NEGATIVE
    out[(findings == Evidence.POSITIVE).any(axis=1)] = Evidence.POSITIVE
    return out
