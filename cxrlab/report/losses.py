"""What a threshold loses on the way, and what the same numbers would be at one prevalence.

In:    Predictions at home and elsewhere, a threshold set.
Out:   one row a site and label.
Never: formulas; thresholds tuned here.
"""

import numpy as np
import pandas as pd

from cxrlab.metrics import auroc, binary, rules
from cxrlab.metrics import decomposition as parts
from cxrlab.metrics.thresholds import ThresholdSet
from cxrlab.predictions import Predictions
from cxrlab.report import rows

STANDARDISED = (
    "site", "label", "prevalence", "at_prevalence", "threshold", "auprc", "auprc_at", "ppv", "ppv_at", "npv", "npv_at",
    "f1", "f1_at", "mcc", "mcc_at", "n_pos", "n_neg", "why_nan",
)  # fmt: skip


def decomposition(
    home: Predictions,
    externals: list[Predictions],
    thresholds: ThresholdSet,
    labels: tuple[str, ...] | None = None,
) -> pd.DataFrame:
    """Return why F1 at home's threshold is lower elsewhere: ranking + transfer + prevalence = loss, exactly.

    Returns:
        site, label, threshold, home, outside, loss, ranking, transfer, prevalence, why_nan (metrics.decomposition).
    """
    out = []
    for label in home.labels if labels is None else labels:
        here = rows.column(home, label)
        for site in externals:
            row = {"site": site.site, "label": label, "threshold": thresholds.of(label)}
            if label not in site.labels:
                nan = dict.fromkeys(("home", "outside", "loss", "ranking", "transfer", "prevalence"), np.nan)
                out.append(row | nan | {"why_nan": f"not scored at {site.site}"})
                continue
            there = rows.column(site, label)
            found = parts.decompose((here.y, here.score), (there.y, there.score), thresholds.of(label))
            out.append(row | vars(found))
    columns = ["site", "label", "threshold", *parts.Decomposition.__dataclass_fields__]
    return pd.DataFrame(out, columns=columns)


def standardised(
    sites: list[Predictions], label: str, threshold: float = np.nan, prevalence: float | None = None
) -> pd.DataFrame:
    """Return numbers that depend on prevalence, as they are and as if every site had the same.

    Args:
        sites: of one run; test and external rows count.
        label: one of its labels.
        threshold: NaN: only average precision.
        prevalence: None: the first site's.

    Returns:
        STANDARDISED, one row a site; `…_at` is at `at_prevalence`.
    """
    out = []
    for one in sites:
        here = rows.column(one, label)
        n_pos, n_neg = (int((here.known & (here.y == value)).sum()) for value in (1, 0))
        own = n_pos / (n_pos + n_neg) if n_pos + n_neg else np.nan
        prevalence = own if prevalence is None else prevalence
        row = {"site": one.site, "label": label, "prevalence": own, "at_prevalence": prevalence}
        row |= {"threshold": threshold, "n_pos": n_pos, "n_neg": n_neg}
        row["why_nan"] = auroc.why_undefined(n_pos, n_neg)
        if not row["why_nan"]:
            row["auprc"] = binary.average_precision(here.y, here.score)
            row["auprc_at"] = binary.average_precision(here.y, here.score, prevalence)
            if not np.isnan(threshold):
                counts = binary.confusion(here.y, here.score, threshold)
                moved = binary.at_prevalence(counts, prevalence)
                for name in ("ppv", "npv", "f1", "mcc"):
                    row[name], row[f"{name}_at"] = getattr(counts, name), getattr(moved, name)
        out.append(row)
    return pd.DataFrame(out, columns=list(STANDARDISED))


def operating_point(
    runs: dict[str, tuple[Predictions, list[Predictions]]],
    label: str,
    aim: str = "specificity",
    target: float = 0.9,
) -> pd.DataFrame:
    """Compare models at one operating point: each is cut where home's validation rows reach `target`.

    Args:
        runs: name → (home, externals).
        label: of all of them.
        aim: "specificity" or "sensitivity".
        target: in (0, 1).

    Returns:
        name, site, threshold, sensitivity, specificity, ppv, f1, balanced_accuracy, n_pos, n_neg, why_nan.
    """
    pick = {"specificity": rules.pick_specificity, "sensitivity": rules.pick_sensitivity}[aim](target)
    names = ("sensitivity", "specificity", "ppv", "f1", "balanced_accuracy")
    out = []
    for name, (home, externals) in runs.items():
        val = rows.column(home, label, rows.VAL)
        threshold = rules.apply(pick, val.y, val.score)
        for one in (home, *externals):
            here = rows.column(one, label)
            n_pos, n_neg = (int((here.known & (here.y == value)).sum()) for value in (1, 0))
            row = {"name": name, "site": one.site, "threshold": threshold, "n_pos": n_pos, "n_neg": n_neg}
            why = "home's validation rows lack a class" if np.isnan(threshold) else ""
            row["why_nan"] = why or auroc.why_undefined(n_pos, n_neg)
            if not why:
                counts = binary.confusion(here.y, here.score, threshold)
                row |= {key: getattr(counts, key) for key in names}
            out.append(row)
    return pd.DataFrame(out, columns=["name", "site", "threshold", *names, "n_pos", "n_neg", "why_nan"])
