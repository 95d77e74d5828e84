"""What a threshold does: curves, confusion, groups of rows, and whether a cut travels.

In:    Predictions, a label, thresholds on the score scale.
Out:   tables small enough to draw.
Never: which threshold is right for a patient.

Only test and external rows count, except in `groups`, which answers for the rows that it is given.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics import auroc, binary, choosing, rules, thresholds
from cxrlab.metrics.rule_names import Rule
from cxrlab.predictions import SPLITS, Predictions
from cxrlab.report import rows

MEASURES = ("f1", "sensitivity", "specificity")
TRANSFER = (
    "label", "tuned_at", "applied_at", "oracle", "rule", "threshold", *MEASURES, "balanced_accuracy", "mcc",
    "called_positive", *(f"{key}_retuned" for key in MEASURES), *(f"{key}_loss" for key in MEASURES), "n_pos", "n_neg",
    "why_nan",
)  # fmt: skip
POINTS = 200  # a curve's corners; more cannot be seen and cost the browser


def curves(predictions: Predictions, label: str, points: int = POINTS) -> pd.DataFrame:
    """Return the ROC and the precision-recall curve, thinned to about `points` corners each.

    Returns:
        kind ("roc", "pr"), x, y, threshold: x, y are 1 - specificity and sensitivity, or recall and precision. The
        corners kept are real ones. Empty when a class is absent.
    """
    here = rows.column(predictions, label)
    cut = rules.cuts(here.y, here.score)
    if cut is None:
        return pd.DataFrame(columns=["kind", "x", "y", "threshold"])
    x, y = 1 - cut.specificity, cut.sensitivity
    kept = _thin(x + y, points)
    roc = {
        "kind": "roc",
        "x": np.append(0.0, x[kept]),
        "y": np.append(0.0, y[kept]),
        "threshold": np.append(np.inf, cut.threshold[kept]),
    }
    precision = cut.tp / (cut.tp + cut.fp)
    # Recall says where on the curve one is; precision wobbles at the left and is thinned with it.
    kept = _thin(y + np.arange(len(y)) / len(y), points)
    pr = {"kind": "pr", "x": y[kept], "y": precision[kept], "threshold": cut.threshold[kept]}
    return pd.concat([pd.DataFrame(roc), pd.DataFrame(pr)], ignore_index=True)


def _thin(along: np.ndarray, points: int) -> np.ndarray:
    """Return indices of about `points` entries, evenly spread over the rising `along`, the ends among them."""
    wanted = np.linspace(along[0], along[-1], points)
    found = np.clip(np.searchsorted(along, wanted), 0, len(along) - 1)
    return np.unique(np.concatenate([[0], found, [len(along) - 1]]))


def by_threshold(predictions: Predictions, label: str, grid: np.ndarray | None = None) -> pd.DataFrame:
    """Return the numbers at every threshold of `grid`.

    Args:
        predictions: of one site.
        label: one of its labels.
        grid: (G,) thresholds on the score scale; None: about 200 quantiles of the scores seen.

    Returns:
        threshold, tp, fp, fn, tn, sensitivity, specificity, ppv, npv, balanced_accuracy, f1, mcc, called_positive
        (share of images). NaN where undefined, see binary.Confusion. Empty when a class is absent.
    """
    here = rows.column(predictions, label)
    y, s, known = here.y, here.score, here.known
    pos, neg = np.sort(s[known & (y == 1)]), np.sort(s[known & (y == 0)])
    columns = ["threshold", "tp", "fp", "fn", "tn", *binary.NAMES, "called_positive"]
    if not len(pos) or not len(neg):
        return pd.DataFrame(columns=columns)
    if grid is None:
        grid = np.unique(np.quantile(s[known], np.linspace(0, 1, POINTS + 1)))
    fn, tn = np.searchsorted(pos, grid, side="left"), np.searchsorted(neg, grid, side="left")
    out = []
    for threshold, missed, spared in zip(grid, fn, tn, strict=True):
        one = binary.Confusion(len(pos) - missed, len(neg) - spared, missed, spared)
        numbers = {name: getattr(one, name) for name in binary.NAMES}
        called = (one.tp + one.fp) / (len(pos) + len(neg))
        out.append({"threshold": float(threshold), **vars(one), **numbers, "called_positive": called})
    return pd.DataFrame(out)[columns]


def confusion(predictions: Predictions, label: str, threshold: float) -> binary.Confusion:
    """Return the counts at `threshold`; raises ValueError when it is NaN."""
    here = rows.column(predictions, label)
    return binary.confusion(here.y, here.score, threshold)


def groups(predictions: Predictions, label: str, threshold: float) -> np.ndarray:
    """Return, for every row given, "TP", "FP", "FN", "TN", or "" where truth, score or threshold is unknown: (M,) str."""
    here = rows.column(predictions, label, SPLITS)
    y, s, known = here.y, here.score, here.known
    out = np.full(len(y), "", dtype="<U2")
    if np.isnan(threshold):
        return out
    called = s >= threshold
    for name, truth, call in (("TP", 1, True), ("FP", 0, True), ("FN", 1, False), ("TN", 0, False)):
        out[known & (y == truth) & (called == call)] = name
    return out


def changed(predictions: Predictions, label: str, a: float, b: float) -> pd.DataFrame:
    """Return the images that the thresholds `a` and `b` call differently: image_id, row, score, y, group (at `b`).

    Only images whose truth is known, the lowest score first.
    """
    here = rows.column(predictions, label)
    s = here.score
    crossed = (s >= min(a, b)) & (s < max(a, b)) & here.known
    table = predictions.table[["image_id", "row"]].iloc[here.at[crossed]].reset_index(drop=True)
    table["score"], table["y"] = s[crossed], here.y[crossed]
    there, absent = ("TP", "FP") if b < a else ("FN", "TN")  # all cross to the same side
    table["group"] = np.where(table["y"] == 1, there, absent)
    return table.sort_values("score", kind="stable").reset_index(drop=True)


def transfer(
    home: Predictions, externals: list[Predictions], label: str, rule: Rule | None = None
) -> pd.DataFrame:
    """Return what a threshold tuned at one site does at another.

    Home's is tuned on its validation rows and applied to test rows. An external site's is tuned on the rows that it is
    applied to and is marked `oracle`: nobody can deploy it.

    Args:
        home: every split of it.
        externals: the other sites.
        label: of all of them.
        rule: None: max-F1, or as many as there are where positives are few (thresholds.tune).

    Returns:
        TRANSFER. …_retuned: with the threshold that the rule picks on applied_at's own judged rows, at home too;
        …_loss: retuned - as it is (`loss` is F1's).
    """
    tuned = {home.site: _tuned(rows.column(home, label, rows.VAL), rule)}
    tuned |= {there.site: _tuned(rows.column(there, label), rule) for there in externals}
    pick = rules.pick_f1 if rule is None else rules.pick_of(rule)
    out = []
    for there in (home, *externals):
        here = rows.column(there, label)
        y, s = here.y, here.score
        n_pos, n_neg = (int((here.known & (y == value)).sum()) for value in (1, 0))
        # At home, too, the re-tuned threshold has seen the rows that it is judged on.
        best = rules.apply(pick, y, s)
        again = binary.confusion(y, s, best) if np.isfinite(best) else None
        for name, one in tuned.items():
            row = {"label": label, "tuned_at": name, "applied_at": there.site, "oracle": name != home.site}
            row |= {"rule": one.rule, "threshold": one.threshold, "n_pos": n_pos, "n_neg": n_neg}
            why = one.why_nan and f"no threshold from {name}: {one.why_nan}"
            row["why_nan"] = why or auroc.why_undefined(n_pos, n_neg)
            if not row["why_nan"]:
                at = binary.confusion(y, s, one.threshold)
                row |= {key: getattr(at, key) for key in (*MEASURES, "balanced_accuracy", "mcc")}
                row["called_positive"] = (at.tp + at.fp) / (n_pos + n_neg)
                for key in MEASURES if again else ():
                    row[f"{key}_retuned"] = getattr(again, key)
                    row[f"{key}_loss"] = getattr(again, key) - getattr(at, key)
            out.append(row)
    return pd.DataFrame(out, columns=list(TRANSFER)).rename(columns={"f1_loss": "loss"})


def _tuned(here: rows.Column, rule: Rule | None) -> thresholds.Threshold:
    if rule is None:
        return thresholds.tune_label(here.y, here.score, here.patient, draws=0)
    return choosing.tune_label(here.y, here.score, here.patient, rule, draws=0)
