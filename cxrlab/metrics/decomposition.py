"""Why a threshold metric is lower outside: ranking, threshold, prevalence, summing exactly.

In:    truths and scores at home and outside, home's threshold.
Out:   three losses whose sum is F1 at home minus F1 outside.
Never: a cause beyond these three (labels that mean something else look like ranking).
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.metrics import binary, rules
from cxrlab.metrics.auroc import why_undefined


@dataclass(frozen=True)
class Decomposition:
    """F1 at home's threshold, home and outside, and what the loss is made of; NaN with why_nan when undefined.

    prevalence: what F1 would lose if home only had the outside's share of positives and its best threshold for it.
    ranking: what is lost, at the outside's prevalence, between home's best and the outside's best threshold: the score
    orders outside's images less well. transfer: what home's threshold loses outside against the best one there, less
    what it lost at home. ranking + transfer + prevalence = home - outside, exactly. Negative parts are gains.
    """

    home: float
    outside: float
    loss: float
    ranking: float
    transfer: float
    prevalence: float
    why_nan: str = ""


def decompose(
    home: tuple[np.ndarray, np.ndarray], outside: tuple[np.ndarray, np.ndarray], threshold: float
) -> Decomposition:
    """Split the loss of F1 on the way from home to an external site.

    Args:
        home: (y_true (N,), score (N,)) of home's test rows; NaN left out.
        outside: the same of the external site.
        threshold: home's, tuned on validation rows.

    The best thresholds are found on the rows that are judged, so "best" is an oracle; it serves only to split.
    """
    for where, (y, s) in (("home", home), ("the external site", outside)):
        known = ~np.isnan(s)
        why = why_undefined(int(((y == 1) & known).sum()), int(((y == 0) & known).sum()))
        if why or np.isnan(threshold):
            reason = f"{where}: {why}" if why else "home has no threshold"
            return Decomposition(*[np.nan] * 6, why_nan=reason)
    at_home, there = (binary.confusion(y, s, threshold) for y, s in (home, outside))
    prevalence = (there.tp + there.fn) / (there.tp + there.fn + there.fp + there.tn)
    best_home, best_there = rules.best_f1(*home)[1], rules.best_f1(*outside)[1]
    pick = rules.pick_f1_at_prevalence(prevalence)
    moved = binary.at_prevalence(binary.confusion(*home, rules.apply(pick, *home)), prevalence).f1
    return Decomposition(
        home=at_home.f1,
        outside=there.f1,
        loss=at_home.f1 - there.f1,
        ranking=moved - best_there,
        transfer=(best_there - there.f1) - (best_home - at_home.f1),
        prevalence=best_home - moved,
    )
