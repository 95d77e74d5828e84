"""A gate in front of a disease model, beside a model without one, at one operating point.

In:    Gated at each site, Predictions of the flat model there.
Out:   one row a site, label and measure; a sentence a site.
Never: an operating point chosen on anything but home's validation rows; files.

No Finding and Abnormal are left out: they are the gate's own question, which report/gating.py answers.
"""

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.labels import NO_FINDING
from cxrlab.metrics import rules, share
from cxrlab.metrics.gap import MARGIN
from cxrlab.metrics.rule_names import SENSITIVITY, SPECIFICITY, Rule
from cxrlab.predictions import ABNORMAL, Predictions
from cxrlab.report import rows
from cxrlab.report.gating import Gated

LOSES, GAINS, EQUAL, CANNOT_SAY = "loses", "gains", "no difference", "cannot say"
NAMED = 3  # losses and gains that a sentence names, the largest first
POINTS = (
    "site", "label", "measure", "flat", "gated", "difference", "low", "high", "verdict", "threshold_flat",
    "threshold_gated", "n", "why_nan",
)  # fmt: skip


def at_one_point(
    flat: tuple[Predictions, list[Predictions]], gated: tuple[Gated, list[Gated]], aim: Rule
) -> pd.DataFrame:
    """Compare at one operating point: each is cut where home's validation rows reach `aim`, and both numbers are looked at.

    What the gate holds back is never called positive.

    Args:
        flat: the model without a gate, at home and elsewhere.
        gated: the one with, at the same sites.
        aim: a sensitivity or a specificity.

    Returns:
        POINTS. difference: gated - flat, paired on the images that both scored (share.difference). verdict: "loses",
        "gains", "no difference" (the interval lies within ±gap.MARGIN) or "cannot say".
    """
    if aim.kind not in (SENSITIVITY, SPECIFICITY):
        raise BadInput(f"models are compared at one sensitivity or one specificity; {aim} is neither.")
    (flat_home, flats), (home, others) = flat, gated
    at = {one.site: one for one in (flat_home, *flats)}
    own = (NO_FINDING, ABNORMAL)
    shared = [label for label in flat_home.labels if label in home.predictions.labels and label not in own]
    if not shared:
        raise BadInput(f"{flat_home.run_id} and {home.predictions.run_id} have no finding in common.")
    out = []
    for label in shared:
        cuts = _cut_flat(flat_home, label, aim), _cut_gated(home, label, aim)
        for one in (home, *others):
            if one.predictions.site in at and label in one.predictions.labels:
                out += _compared(at[one.predictions.site], one, label, cuts)
    return pd.DataFrame(out, columns=list(POINTS))


Cut = tuple[float, str]  # a threshold, or NaN and why there is none


def _cut_flat(home: Predictions, label: str, aim: Rule) -> Cut:
    val = rows.column(home, label, rows.VAL)
    found = rules.apply(rules.pick_of(aim), val.y, val.score)
    return (found, "") if np.isfinite(found) else (np.nan, f"home's validation rows cannot be cut by {aim}")


def _cut_gated(home: Gated, label: str, aim: Rule) -> Cut:
    val = rows.column(home.predictions, label, rows.VAL)
    held = home.held[val.at]
    # Held back is not called, however low the threshold: below every score.
    found = rules.apply(rules.pick_of(aim), val.y, np.where(held, -1.0, val.score))
    if found < 0 and aim.kind == SENSITIVITY:
        missed = int((val.known & (val.y == 1) & held).sum())
        return (
            np.nan,
            f"the gate holds back {missed} of home's positive validation images: {aim} is out of reach",
        )
    return (found, "") if np.isfinite(found) else (np.nan, f"home's validation rows cannot be cut by {aim}")


def _compared(flat: Predictions, gated: Gated, label: str, cuts: tuple[Cut, Cut]) -> list[dict[str, object]]:
    mine = gated.predictions
    first, second = rows.together([flat, mine])
    held = pd.Series(gated.held, mine.table["image_id"].to_numpy()).loc[second.table["image_id"]].to_numpy()
    a, b = rows.column(first, label), rows.column(second, label)
    (cut_flat, why_flat), (cut_gated, why_gated) = cuts
    called_a, called_b = a.score >= cut_flat, (b.score >= cut_gated) & ~held
    out = []
    for measure, value in (("sensitivity", 1), ("specificity", 0)):
        of = a.known & b.known & (a.y == value)
        row: dict[str, object] = {"site": mine.site, "label": label, "measure": measure, "n": int(of.sum())}
        row |= {"threshold_flat": cut_flat, "threshold_gated": cut_gated, "verdict": CANNOT_SAY}
        row["why_nan"] = (
            why_flat or why_gated or ("" if of.any() else f"no {'positive' if value else 'negative'} images")
        )
        if not row["why_nan"]:
            hits = (called_b[of] == value), (called_a[of] == value)
            patient = np.unique(a.patient[of], return_inverse=True)[1]
            found, low, high = share.difference(*hits, patient)
            row |= {
                "gated": hits[0].mean(),
                "flat": hits[1].mean(),
                "difference": found,
                "low": low,
                "high": high,
            }
            row["verdict"] = _judge(low, high)
        out.append(row)
    return out


def _judge(low: float, high: float) -> str:
    if high < 0 or low > 0:
        return LOSES if high < 0 else GAINS
    return EQUAL if low > -MARGIN and high < MARGIN else CANNOT_SAY


def says(saving: pd.DataFrame, points: pd.DataFrame) -> list[str]:
    """Return a sentence a site: what is held back, what that spares, and at which findings something is lost for it."""
    return [_sentence(row, points[points["site"] == row["site"]]) for row in saving.to_dict("records")]


def _sentence(row: dict[str, float], points: pd.DataFrame) -> str:
    held = f"At {row['site']} the gate holds back {row['share']:.0%} of {row['n']:,} images"
    spared = row["spared_flops"]
    if np.isnan(spared):
        held += "; what that spares was not measured"
    elif spared <= 0:
        held += f", which spares nothing: with its own operations {-spared:.0%} more are done than without it"
    else:
        held += f" and spares {spared:.0%} of the operations"
        if np.isfinite(row["spared_seconds"]):
            held += f" ({row['spared_seconds']:.0%} of the seconds)"
    lost = (
        ""
        if np.isnan(row["sensitivity"])
        else f"; {1 - row['sensitivity']:.0%} of abnormal images are held back"
    )
    return f"{held}{lost}. {_outcome(points)}"


def _outcome(points: pd.DataFrame) -> str:
    said = []
    for verdict, words in ((LOSES, "it loses"), (GAINS, "it gains")):
        found = points[points["verdict"] == verdict].sort_values("difference", ascending=verdict == LOSES)
        named = found.head(NAMED).to_dict("records")
        each = [f"{r['measure']} of {r['label']} {r['difference']:+.2f}".replace("-", "−") for r in named]
        if len(found) > NAMED:
            each.append(f"{len(found) - NAMED} more")
        if each:
            said.append(f"{words} {', '.join(each)}")
    why = points.loc[points["why_nan"] != "", "why_nan"].unique()
    if len(why):
        said.append(f"not all can be compared: {why[0]}")
    if not said:
        firm = len(points) and (points["verdict"] == EQUAL).all()
        said.append("no difference" if firm else "no loss is shown, and none is ruled out")
    return f"At one operating point: {'; '.join(said)}."
