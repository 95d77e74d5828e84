"""Numbers at a threshold, and average precision.

In:    truths and scores of one label, a threshold.
Out:   a number, or NaN and the reason. Where scikit-learn answers 0 or 1 for a missing class, we say undefined.
Never: which threshold is right; files.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.metrics import rules
from cxrlab.metrics.auroc import why_undefined

NAMES = ("sensitivity", "specificity", "ppv", "npv", "balanced_accuracy", "f1", "mcc")


@dataclass(frozen=True)
class Confusion:
    """Counts (or weights) of a label at a threshold. Every property is NaN where its denominator is empty."""

    tp: float
    fp: float
    fn: float
    tn: float

    @property
    def sensitivity(self) -> float:
        """TP / positives."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """TN / negatives."""
        return _share(self.tn, self.tn + self.fp)

    @property
    def ppv(self) -> float:
        """TP / called positive."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> float:
        """TN / called negative."""
        return _share(self.tn, self.tn + self.fn)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN without a positive or a negative, 0 when nothing positive was found."""
        both = (self.tp + self.fn) > 0 and (self.fp + self.tn) > 0
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn) if both else np.nan

    @property
    def mcc(self) -> float:
        """Matthews' correlation of truth and call; NaN without a positive or negative, or when all calls agree."""
        total = np.array([self.tp + self.fn, self.fp + self.tn, self.tp + self.fp, self.fn + self.tn], float)
        return _share(self.tp * self.tn - self.fp * self.fn, float(np.sqrt(total).prod()))

    def why_nan(self, name: str) -> str:
        """Return why the number `name` is undefined, or "".

        >>> Confusion(tp=0, fp=0, fn=3, tn=7).why_nan("mcc")
        'no image is called positive'
        """
        if not np.isnan(getattr(self, name)):
            return ""
        why = why_undefined(int(self.tp + self.fn > 0), int(self.fp + self.tn > 0))
        return why or f"no image is called {'positive' if self.tp + self.fp == 0 else 'negative'}"


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else np.nan


def confusion(
    y_true: np.ndarray, score: np.ndarray, threshold: float, weight: np.ndarray | None = None
) -> Confusion:
    """Count truths against calls; a row is called positive when its score is at or above `threshold`.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,) on the threshold's scale; a row with NaN is left out.
        threshold: not NaN.
        weight: (N,); None: 1 each.

    Raises:
        ValueError: threshold is NaN: an undefined threshold calls nothing.
    """
    if np.isnan(threshold):
        raise ValueError("an undefined threshold calls nothing; ask why it is undefined instead")
    y_true, score = np.asarray(y_true, np.float64), np.asarray(score, np.float64)
    used = ~(np.isnan(y_true) | np.isnan(score))
    y, called = y_true[used] == 1, score[used] >= threshold
    w = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)[used]
    cells = np.bincount(y * 2 + called, w, 4)
    return Confusion(tp=float(cells[3]), fp=float(cells[1]), fn=float(cells[2]), tn=float(cells[0]))


def average_precision(y_true: np.ndarray, score: np.ndarray, prevalence: float | None = None) -> float:
    """Return AUPRC as average precision: Σ (recall step) · precision over distinct scores, no interpolation.

    NaN when a class is absent: without negatives it would be 1 for any score. Its chance level is the prevalence.

    Args:
        y_true: (N,) of 0, 1 and NaN (masked).
        score: (N,); a row with NaN is left out.
        prevalence: as if this share were positive, so that sites compare; None: as it is.
    """
    cut = rules.cuts(y_true, score)
    if cut is None:
        return np.nan
    share = cut.n_pos / (cut.n_pos + cut.n_neg) if prevalence is None else prevalence
    tp, fp = share * cut.sensitivity, (1 - share) * cut.fp / cut.n_neg
    return float(np.dot(np.diff(cut.sensitivity, prepend=0), tp / (tp + fp)))


def at_prevalence(counts: Confusion, prevalence: float) -> Confusion:
    """Return the confusion as shares, as if `prevalence` of the images were positive; TPR and FPR stay.

    PPV, NPV, F1 and MCC of sites with different prevalence become comparable. Cells are NaN when a class is absent.

    Source: Siblini et al. 2020, doi:10.1007/978-3-030-44584-3_36.
    """
    tpr, tnr = counts.sensitivity, counts.specificity
    return Confusion(
        tp=prevalence * tpr,
        fn=prevalence * (1 - tpr),
        tn=(1 - prevalence) * tnr,
        fp=(1 - prevalence) * (1 - tnr),
    )
