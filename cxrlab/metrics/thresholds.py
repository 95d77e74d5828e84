"""Where to cut each label: the set of thresholds that a rule gives.

In:    truths and scores of home's validation rows.
Out:   thresholds with the rule that made them, their interval over patients, and thresholds.json.
Never: rows of another split or site; a fallback threshold.

A row is called positive when its score is at or above the threshold.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cxrlab import files
from cxrlab.errors import BadInput, MissingInput
from cxrlab.metrics import auroc
from cxrlab.metrics.rules import Pick, best_f1, cuts, pick_f1, pick_prevalence, resampled
from cxrlab.predictions import Predictions

FORMAT, VERSION = "cxrlab-thresholds", 1
# Under 30 positives a max-F1 threshold is noise: F1 .151 on its own rows, .030 on new ones (methods.md section 4).
ENOUGH_POSITIVES = 30
DRAWS = 200
MAX_F1, PREVALENCE = "max-f1", "prevalence"
__all__ = ["Threshold", "ThresholdSet", "best_f1", "patient_interval", "read", "tune", "tune_label", "write"]


@dataclass(frozen=True)
class Threshold:
    """One label's threshold on the score scale; NaN is undefined and `why_nan` says why.

    low and high: 95 % bootstrap interval over patients. f1: on the rows that it was tuned on, so it flatters.
    `rule` made it; `why_rule` says why not the set's rule.
    """

    threshold: float = np.nan
    low: float = np.nan
    high: float = np.nan
    f1: float = np.nan
    n_pos: int = 0
    n_neg: int = 0
    why_nan: str = ""
    rule: str = MAX_F1
    why_rule: str = ""


@dataclass(frozen=True)
class ThresholdSet:
    """Named thresholds, one a label."""

    name: str
    run: str
    rule: str
    tuned_on: str
    labels: dict[str, Threshold] = field(default_factory=dict)

    def of(self, label: str) -> float:
        """Return the label's threshold, NaN when undefined or unknown."""
        return self.labels[label].threshold if label in self.labels else np.nan

    def why_not(self, label: str) -> str:
        """Return why `label` has no threshold, or ""."""
        return self.labels[label].why_nan if label in self.labels else "no threshold was tuned for this label"

    def table(self) -> pd.DataFrame:
        """Return one row a label with Threshold's fields."""
        rows = [{"label": name, **vars(one)} for name, one in self.labels.items()]
        return pd.DataFrame(rows, columns=["label", *Threshold.__dataclass_fields__])


def tune(predictions: Predictions, seed: int = 0, *, name: str = "default") -> ThresholdSet:
    """Tune max-F1 thresholds on the validation rows of home.

    Under 30 positive images the threshold matches the predicted to the true positive rate instead, and says so.

    Args:
        predictions: home's, of every split; only the rows of split "val" are read.
        seed: of the patient bootstrap behind low and high.
        name: of the set.
    """
    rows = predictions.only("val")
    y_true, score = rows.y_true(), rows.score()
    patient = auroc.codes_of(rows.table["patient_id"].to_numpy())
    labels = {
        label: tune_label(y_true[:, j], score[:, j], patient, seed) for j, label in enumerate(rows.labels)
    }
    return ThresholdSet(name, predictions.run_id, MAX_F1, f"{predictions.site} val", labels)


def tune_label(
    y_true: np.ndarray, score: np.ndarray, patient: np.ndarray, seed: int = 0, draws: int = DRAWS
) -> Threshold:
    """Tune one label's threshold by `tune`'s policy.

    Args:
        y_true: (N,) of 0, 1, NaN.
        score: (N,).
        patient: (N,) int codes, see auroc.codes_of.
        seed: of the patient bootstrap.
        draws: of that bootstrap; 0: no interval.
    """
    used = ~(np.isnan(y_true) | np.isnan(score))
    y, s = y_true[used], score[used]
    n_pos, n_neg = int((y == 1).sum()), int((y == 0).sum())
    why = auroc.why_undefined(n_pos, n_neg, int((np.isnan(score) & ~np.isnan(y_true)).sum()))
    if why:
        return Threshold(n_pos=n_pos, n_neg=n_neg, why_nan=why)
    rule, why_rule, pick = MAX_F1, "", pick_f1
    if n_pos < ENOUGH_POSITIVES:
        rule, pick = PREVALENCE, pick_prevalence
        why_rule = f"{n_pos} positive images are too few for max-F1 (at least {ENOUGH_POSITIVES})"
    cut = cuts(y, s)
    threshold = pick(cut)
    low, high = patient_interval(y, s, patient[used], pick, seed, draws)
    f1 = float(cut.f1[cut.threshold == threshold][0])
    return Threshold(threshold, low, high, f1, n_pos, n_neg, "", rule, why_rule)


def patient_interval(
    y: np.ndarray,
    s: np.ndarray,
    patient: np.ndarray,
    pick: Pick,
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """Return the 2.5 and 97.5 percentiles of `pick`'s threshold over `draws` resamples of patients.

    Draws without a positive or a negative are left out; (NaN, NaN) when more than half are.

    Args:
        y: (N,) of 0 and 1.
        s: (N,) without NaN.
        patient: (N,) int codes.
        pick: the rule.
        seed: of the draws.
        draws: how many.
    """
    if not draws:
        return np.nan, np.nan
    from cxrlab.metrics import bootstrap  # it brings a compiler, for which no page should wait to open

    _, patient = np.unique(patient, return_inverse=True)
    if pick is pick_f1:
        picked = bootstrap.best_f1_draws(y, s, patient, draws, seed)
    else:
        counts = bootstrap.patient_counts(int(patient.max()) + 1, draws, seed)
        picked = [pick(cut) for cut in resampled(y, s, (one[patient] for one in counts)) if cut is not None]
    known = np.asarray(picked)[np.isfinite(picked)]
    if len(known) * 2 < draws:
        return np.nan, np.nan
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def write(path: Path, thresholds: ThresholdSet) -> None:
    """Write a set as JSON, whole or not at all; an undefined number is null."""
    labels = {
        name: {key: _plain(value) for key, value in vars(one).items()}
        for name, one in thresholds.labels.items()
    }
    head = {key: getattr(thresholds, key) for key in ("name", "run", "rule", "tuned_on")}
    files.write_json(path, {"format": FORMAT, "version": VERSION, **head, "labels": labels})


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read(path: Path) -> ThresholdSet:
    """Read what `write` wrote.

    Raises:
        MissingInput: there is no such file.
        BadInput: not a threshold set, one of another version, or one with a field or number that cannot be.
    """
    if not path.exists():
        raise MissingInput(f"no thresholds at {path}; they are tuned at the end of a run.")
    value = files.read_json(path)
    found = (
        (value.get("format"), value.get("version"))
        if isinstance(value, dict)
        else (type(value).__name__, None)
    )
    if found != (FORMAT, VERSION):
        raise BadInput(
            f"{path} says {found[0]!r} version {found[1]}; expected {FORMAT!r} version {VERSION}. Tune again."
        )
    try:
        labels = {name: _threshold(fields) for name, fields in value["labels"].items()}
        return ThresholdSet(value["name"], value["run"], value["rule"], value["tuned_on"], labels)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{path} lacks a field of a threshold set or has one that is not a number ({error!r}); tune again."
        ) from error


def _threshold(fields: dict[str, object]) -> Threshold:
    numbers = {
        key: np.nan if fields.get(key) is None else float(fields[key])
        for key in ("threshold", "low", "high", "f1")
    }
    counts = {key: int(fields.get(key) or 0) for key in ("n_pos", "n_neg")}
    texts = {key: str(fields.get(key, "")) for key in ("why_nan", "why_rule")}
    if np.isnan(numbers["threshold"]) and not texts["why_nan"]:
        texts["why_nan"] = "no threshold in the file"
    return Threshold(**numbers, **counts, **texts, rule=str(fields.get("rule", MAX_F1)))
