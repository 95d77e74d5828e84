"""A gate in front of a disease model: what the two say together, and what the gate spares.

In:    Predictions of the gate and of what lies behind it; what an image costs each.
Out:   Gated, one a site; `saved`, one row a site.
Never: a gate that is cut on anything but home's validation rows; a model without a gate (report/hierarchy.py).
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from cxrlab.errors import BadInput
from cxrlab.labels import NO_FINDING
from cxrlab.metrics import choosing, share
from cxrlab.metrics.auroc import why_undefined
from cxrlab.metrics.rule_names import Rule
from cxrlab.metrics.thresholds import Threshold
from cxrlab.predictions import ABNORMAL, Predictions
from cxrlab.report import rows

FLOOR = 1e-3  # as in models/gating.py: what the gate holds back is said to be at most this
SAVED = (
    "site", "n", "held", "share", "share_low", "share_high", "spared_flops", "spared_low", "spared_high",
    "spared_seconds", "sensitivity", "sensitivity_low", "sensitivity_high", "specificity", "specificity_low",
    "specificity_high", "n_pos", "n_neg", "threshold", "why_nan",
)  # fmt: skip


@dataclass(frozen=True)
class Gated:
    """What a gate and the model behind it say of one site."""

    predictions: Predictions  # of the findings, what is held back below all that passed
    gate: Predictions  # of "Abnormal", the same rows
    held: np.ndarray  # (M,) bool: the disease model never saw the image
    threshold: float  # of the gate's score


@dataclass(frozen=True)
class Cost:
    """What one image costs: operations of a forward pass, and seconds; NaN where nobody measured."""

    gate_flops: float = np.nan
    disease_flops: float = np.nan
    flat_flops: float = np.nan
    gate_seconds: float = np.nan
    disease_seconds: float = np.nan
    flat_seconds: float = np.nan

    def spared(self, held: float, what: str) -> float:
        """Return the share of the flat model's `what` ("flops", "seconds") that is spared; below 0: it costs more."""
        gate, disease, flat = (getattr(self, f"{of}_{what}") for of in ("gate", "disease", "flat"))
        return 1 - (gate + (1 - held) * disease) / flat


def cut_gate(gate: Predictions, rule: Rule, seed: int = 0) -> Threshold:
    """Tune the gate's threshold on home's validation rows.

    Raises:
        BadInput: the model is no gate, those rows are of one kind, or too few for the rule.
    """
    if ABNORMAL not in gate.labels:
        raise BadInput(
            f"the run {gate.run_id} says {', '.join(gate.labels) or 'no label'}; a gate says {ABNORMAL!r}: name a run of the "
            "task 'normal'."
        )
    here = rows.column(gate, ABNORMAL, rows.VAL)
    found = choosing.tune_label(here.y, here.score, here.patient, rule, seed)
    if found.why_nan:
        raise BadInput(
            f"the gate {gate.run_id} cannot be cut on the {len(here.y)} validation rows of {gate.site} by {rule}: "
            f"{found.why_nan}. Choose another rule, or a gate trained where there are normal and abnormal images."
        )
    return found


def apart(gate: Predictions, disease: Predictions, threshold: float) -> Gated:
    """Return what two models that know nothing of each other say together, on the images that both scored.

    What passes keeps the disease model's score s as FLOOR + (1 - FLOOR) · s, what is held back has the gate's times FLOOR:
    in the order of the gate, below all that passed.
    """
    mine = gate.table[["image_id", f"y:{ABNORMAL}", f"logit:{ABNORMAL}"]]
    both = pd.merge(disease.table, mine, on="image_id", validate="one_to_one", suffixes=("", " of the gate"))
    if both.empty:
        raise BadInput(f"{gate.run_id} and {disease.run_id} have no image in common at {disease.site}.")
    said = expit(both[f"logit:{ABNORMAL}"].to_numpy(np.float64))
    held = said < threshold
    for label in disease.labels:
        column = f"logit:{label}"
        score = expit(both[column].to_numpy(np.float64))
        turned = label == NO_FINDING
        score = 1 - score if turned else score
        with np.errstate(divide="ignore"):  # a certain score has no finite logit and stays certain
            joined = logit(np.where(held, said * FLOOR, FLOOR + (1 - FLOOR) * score))
        both[column] = np.where(np.isnan(score), np.nan, -joined if turned else joined)
    facts = list(disease.table.columns)
    own = [c for c in facts if not c.startswith(("y:", "logit:"))]
    at_gate = dataclasses.replace(disease, table=both[[*own, *mine.columns[1:]]], run_id=gate.run_id)
    return Gated(dataclasses.replace(disease, table=both[facts]), at_gate, held, threshold)


def jointly(said: Predictions, cut: float | None) -> Gated:
    """Return the same of a network that has a gate, from its scores.

    Args:
        said: with the label "Abnormal", the gate's.
        cut: on the gate's logit, as the run tuned it; None: nothing is held back.
    """
    gate = said.table[f"logit:{ABNORMAL}"].to_numpy(np.float64)
    held = np.zeros(len(gate), bool) if cut is None else gate < cut
    columns = [c for c in said.table if not c.startswith(("y:", "logit:"))]
    at_gate = said.table[[*columns, f"y:{ABNORMAL}", f"logit:{ABNORMAL}"]]
    findings = said.table.drop(columns=[f"y:{ABNORMAL}", f"logit:{ABNORMAL}"])
    threshold = 0.0 if cut is None else float(expit(cut))
    replace = dataclasses.replace
    return Gated(replace(said, table=findings), replace(said, table=at_gate), held, threshold)


def saved(sites: list[Gated], costs: dict[str, Cost]) -> pd.DataFrame:
    """Return what the gate holds back at each site, right and wrong, and what that spares.

    Args:
        sites: home and the others; test and external rows count.
        costs: site → what an image costs there.

    Returns:
        SAVED. share: of images held back, with Wilson's interval over patients, as sensitivity and specificity of the gate.
        spared_…: share of what the flat model would cost; below 0 the gate costs more than it spares.
    """
    out = []
    for one in sites:
        here = rows.column(one.gate, ABNORMAL)
        held, cost = one.held[here.at], costs.get(one.predictions.site, Cost())
        n_pos, n_neg = (int((here.known & (here.y == value)).sum()) for value in (1, 0))
        row = {
            "site": one.predictions.site,
            "n": len(held),
            "held": int(held.sum()),
            "n_pos": n_pos,
            "n_neg": n_neg,
        }
        row |= {"threshold": one.threshold, "why_nan": why_undefined(n_pos, n_neg)}
        row |= _interval("share", held, here.patient)
        row |= {
            "spared_flops": cost.spared(row["share"], "flops"),
            "spared_seconds": cost.spared(row["share"], "seconds"),
        }
        row |= {f"spared_{end}": cost.spared(row[f"share_{end}"], "flops") for end in ("low", "high")}
        for name, value, hit in (("sensitivity", 1, ~held), ("specificity", 0, held)):
            of = here.known & (here.y == value)
            row |= _interval(name, hit[of], here.patient[of])
        out.append(row)
    return pd.DataFrame(out, columns=list(SAVED))


def _interval(name: str, hit: np.ndarray, patient: np.ndarray) -> dict[str, float]:
    found = share.of_patients(hit, np.unique(patient, return_inverse=True)[1])
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
