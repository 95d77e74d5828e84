"""Thresholds by the rule that a person names, or why the rule refuses.

In:    truths and scores of home's validation rows, a rule.
Out:   thresholds with their interval over patients; a refusal is an undefined threshold with its reason.
Never: rows of another split or site; a rule other than the one named, unless asked for.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from scipy.special import expit

from cxrlab.errors import BadInput
from cxrlab.metrics import auroc, bootstrap, rules
from cxrlab.metrics.bootstrap import LANES
from cxrlab.metrics.rule_names import COST, KINDS, MAX_F1, PREVALENCE, SENSITIVITY, SPECIFICITY, YOUDEN, Rule
from cxrlab.metrics.thresholds import DRAWS, ENOUGH_POSITIVES, Threshold, ThresholdSet
from cxrlab.predictions import Predictions

__all__ = ["Rule", "draws_of", "pick_of", "tune_label", "tune_set"]
BEYOND = -2  # of a draw: no score reaches the aim


def pick_of(rule: Rule) -> rules.Pick:
    """Return the rule as a function of all cuts. Raises BadInput for an aim that cannot be."""
    check(rule)
    if rule.kind == COST:
        return lambda cut: float(cut.threshold[np.argmax(rule.value * cut.tp - cut.fp)])
    plain = {MAX_F1: rules.pick_f1, YOUDEN: rules.pick_youden, PREVALENCE: rules.pick_prevalence}
    aimed = {SENSITIVITY: rules.pick_sensitivity, SPECIFICITY: rules.pick_specificity}
    return plain[rule.kind] if rule.kind in plain else aimed[rule.kind](rule.value)


def check(rule: Rule) -> None:
    """Raise BadInput unless the rule is known and its value can be."""
    if rule.kind not in KINDS:
        raise BadInput(f"no rule named {rule.kind!r}; known: {', '.join(KINDS)}.")
    if rule.kind in (SENSITIVITY, SPECIFICITY) and not 0 < rule.value < 1:
        raise BadInput(f"the {rule.kind} aimed at is {rule.value:g}; expected a share between 0 and 1.")
    if rule.kind == COST and not rule.value > 0:
        raise BadInput(f"a missed finding costs {rule.value:g} false alarms; expected more than 0.")


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
        found = draws_of(rule, y, s, np.unique(patient[used], return_inverse=True)[1], draws, seed)
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


def draws_of(
    rule: Rule, y: np.ndarray, s: np.ndarray, patient: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Return the rule's threshold in each of `draws` resamples of patients, (draws,) float64.

    Args:
        rule: which.
        y: (N,) of 0 and 1.
        s: (N,) without NaN.
        patient: (N,) int codes 0, 1, …, each of which has a row.
        draws: how many, the same as those of bootstrap.patient_counts.
        seed: of the draws.

    Returns:
        NaN where a draw lacks a class, +inf where no score reaches the aim.
    """
    if rule.kind == MAX_F1:
        return bootstrap.best_f1_draws(y, s, patient, draws, seed)
    order = np.argsort(-s)
    s, is_pos, who = s[order], y[order] == 1, patient[order].astype(np.int32)
    ends = np.append(s[1:] != s[:-1], True)
    n, out = int(patient.max()) + 1, np.empty(draws)

    def one_block(first: int) -> None:
        counts = np.zeros(n * LANES, np.uint8)
        bootstrap._count(n, first, seed, counts)
        best = np.empty(LANES, np.int64)
        _walk(who, is_pos, ends, counts, KINDS.index(rule.kind), float(rule.value), best)
        found = np.where(best >= 0, s[best], np.where(best == BEYOND, np.inf, np.nan))
        out[first : first + LANES] = found[: draws - first]

    with ThreadPoolExecutor(bootstrap._cores()) as pool:
        list(pool.map(one_block, range(0, draws, LANES)))
    return out


@njit(nogil=True, cache=True)
def _walk(who, is_pos, ends, counts, kind, value, best):  # noqa: ANN001, ANN202
    """Fill best (LANES,) with the row, in falling score, where the rule cuts each draw. `kind`: its place in KINDS."""
    n_pos = np.zeros(LANES, np.int64)
    n_any = np.zeros(LANES, np.int64)
    for i in range(len(who)):
        at = np.int64(who[i]) * LANES
        for b in range(LANES):
            n_any[b] += counts[at + b]
            if is_pos[i]:
                n_pos[b] += counts[at + b]
    tp = np.zeros(LANES, np.int64)
    called = np.zeros(LANES, np.int64)
    top = np.full(LANES, -np.inf)
    best[:] = BEYOND
    for i in range(len(who)):
        at = np.int64(who[i]) * LANES
        for b in range(LANES):
            called[b] += counts[at + b]
            if is_pos[i]:
                tp[b] += counts[at + b]
        if not ends[i]:
            continue
        for b in range(LANES):
            fp, n_neg = called[b] - tp[b], n_any[b] - n_pos[b]
            if kind == 1:  # Youden
                gain = np.float64(tp[b] * n_neg - fp * n_pos[b])
            elif kind == 2:  # sensitivity: the first that reaches it
                gain = 0.0 if tp[b] >= (value - 1e-12) * n_pos[b] else -np.inf
            elif kind == 3:  # specificity: the last that keeps it
                gain = np.float64(i) if fp <= (1 - value + 1e-12) * n_neg else -np.inf
            elif kind == 4:  # cost of misses and false alarms
                gain = value * tp[b] - fp
            else:  # as many called as there are
                gain = -np.float64(abs(called[b] - n_pos[b]))
            if gain > top[b]:
                top[b], best[b] = gain, i
    for b in range(LANES):
        if n_pos[b] == 0 or n_pos[b] == n_any[b]:
            best[b] = -1
