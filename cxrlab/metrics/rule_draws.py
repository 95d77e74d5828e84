"""Where a rule cuts resampled patients: one compiled pass over sorted rows for many draws at once.

In:    truths, scores, patient codes, a rule, a seed.
Out:   one threshold a draw; NaN where a draw lacks a class.
Never: files, torch; which rule is right.
"""

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from cxrlab.metrics import bootstrap
from cxrlab.metrics.bootstrap import LANES
from cxrlab.metrics.rule_names import KINDS, MAX_F1, Rule

BEYOND = -2  # of a draw: no score reaches the aim


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
        counts = _counts(n, first, seed)
        best = np.empty(LANES, np.int64)
        _walk(who, is_pos, ends, counts, KINDS.index(rule.kind), float(rule.value), best)
        found = np.where(best >= 0, s[best], np.where(best == BEYOND, np.inf, np.nan))
        out[first : first + LANES] = found[: draws - first]

    with ThreadPoolExecutor(bootstrap._cores()) as pool:
        list(pool.map(one_block, range(0, draws, LANES)))
    return out


@functools.lru_cache(maxsize=8)
def _counts(n: int, first: int, seed: int) -> np.ndarray:
    """Return how often a block of draws picked each patient; all labels of a site ask for the same few blocks."""
    counts = np.zeros(n * LANES, np.uint8)
    bootstrap._count(n, first, seed, counts)
    counts.setflags(write=False)
    return counts


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
    only_gains = kind != 3 and kind != 5  # these three can only rise where a positive is gained
    gained = False
    for i in range(len(who)):
        at = np.int64(who[i]) * LANES
        for b in range(LANES):
            called[b] += counts[at + b]
            if is_pos[i]:
                tp[b] += counts[at + b]
        gained = gained or is_pos[i]
        if not ends[i] or (only_gains and not gained):
            continue
        gained = False
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
