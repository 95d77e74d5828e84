"""Thresholds by the rule that a person names, or why the rule refuses.

In:    truths and scores of home's validation rows, a rule.
Out:   thresholds with their interval over patients; a refusal is an undefined threshold with its reason.
Never: rows of another split or site; a rule other than the one named, unless asked for.
"""

import dataclasses

import numpy as np
from scipy.special import expit

from cxrlab.metrics import auroc, rules
from cxrlab.metrics.rule_names import MAX_F1, PREVALENCE, Rule
from cxrlab.metrics.rules import pick_of
from cxrlab.metrics.thresholds import DRAWS, ENOUGH_POSITIVES, Threshold, ThresholdSet
from cxrlab.predictions import Predictions

__all__ = ["Rule", "tune_label", "tune_set"]


def tune_label(
    y_true: np.ndarray, score: np.ndarray, patient: np.ndarray, rule: Rule, seed: int = 0, draws: int = DRAWS
) -> Threshold:
    """Tune one label's threshold by exactly this rule.

    Max-F1 is refused under ENOUGH_POSITIVES positive images: there its threshold is noise.

    Args:
        y_true: (N,) of 0, 1, NaN.
        score: (N,).
        patient: (N,) int codes.
        rule: which.
        seed: of the patient bootstrap behind low and high.
        draws: of that bootstrap; 0: no interval.
    """
    pick = pick_of(rule)
    used = ~(np.isnan(y_true) | np.isnan(score))
    y, s = y_true[used], score[used]
    n_pos, n_neg = int((y == 1).sum()), int((y == 0).sum())
    support = {"n_pos": n_pos, "n_neg": n_neg, "rule": str(rule)}
    why = auroc.why_undefined(n_pos, n_neg, int((np.isnan(score) & ~np.isnan(y_true)).sum()))
    if not why and rule.kind == MAX_F1 and n_pos < ENOUGH_POSITIVES:
        why = f"{n_pos} positive images are too few for max-F1 (at least {ENOUGH_POSITIVES})"
    if why:
        return Threshold(why_nan=why, **support)
    cut = rules.cuts(y, s)
    threshold = pick(cut)
    if not np.isfinite(threshold):
        return Threshold(why_nan=f"no score reaches {rule}", **support)
    low = high = np.nan
    if draws:
        from cxrlab.metrics import rule_draws  # it brings a compiler, for which no page should wait to open

        found = rule_draws.draws_of(rule, y, s, np.unique(patient[used], return_inverse=True)[1], draws, seed)
        low, high = _interval(found, draws)
    return Threshold(threshold, low, high, float(cut.f1[cut.threshold == threshold][0]), **support)


def _interval(found: np.ndarray, draws: int) -> tuple[float, float]:
    known = found[np.isfinite(found)]
    if len(known) * 2 < draws:
        return np.nan, np.nan
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def tune_set(
    home: Predictions, rule: Rule, *, name: str = "by-rule", instead: bool = False, seed: int = 0
) -> ThresholdSet:
    """Tune every label on home's validation rows.

    Args:
        home: home's scores, of every split; only the rows of split "val" are read.
        rule: which.
        name: of the set.
        instead: where max-F1 is refused, match the prevalence and say so.
        seed: of the patient bootstrap.
    """
    table = home.table
    val = np.flatnonzero((table["split"] == "val").to_numpy())
    patient = auroc.codes_of(table["patient_id"].to_numpy()[val])
    made = {}
    for label in home.labels:
        y, z = (table[f"{kind}:{label}"].to_numpy(np.float64)[val] for kind in ("y", "logit"))
        score = expit(z)
        one = tune_label(y, score, patient, rule, seed)
        if instead and one.why_nan and 0 < one.n_pos < ENOUGH_POSITIVES and one.n_neg and rule.kind == MAX_F1:
            other = tune_label(y, score, patient, Rule(PREVALENCE), seed)
            one = dataclasses.replace(other, why_rule=one.why_nan)
        made[label] = one
    return ThresholdSet(name, home.run_id, str(rule), f"{home.site} val", made)
