"""Reconstruction error (RE) by site, and whether it goes with performance.

In:    Predictions with a `re` column; a table of performance or gaps.
Out:   one row a site; one relation over sites.
Never: formulas; home's training rows, which the autoencoder has seen.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.metrics import auroc, relation
from cxrlab.predictions import Predictions
from cxrlab.report.performance import judged
from cxrlab.shift import reconstruction as distances_of

COLUMNS = (
    "site", "n", "median", "q05", "q25", "q75", "q95", "auroc_vs_home", "low", "high", "ks", "w1_iqr", "why_nan",
    "psi", "null_auroc", "null_ks", "null_w1_iqr", "null_n", "n_patients", "verdict",
)  # fmt: skip
REFERENCE = "home is the reference"


def reconstruction(home: Predictions, externals: list[Predictions], seed: int = 0) -> pd.DataFrame:
    """Return how each site's RE lies against home's test rows.

    Args:
        home: of one autoencoder run.
        externals: of the same run.
        seed: of the splits of home's patients behind the null columns.

    Returns:
        COLUMNS, home first. auroc_vs_home: the probability that an image there has the larger error, with low and high
        over patients; null_*: the 95th percentile of the same distance between parts of home (of |AUROC - .5|).
        verdict: "shifted" when the AUROC's interval leaves .5 out and both it and KS exceed home against itself;
        "like home" when neither exceeds; "cannot say" between them or without numbers; "home".

    Raises:
        BadInput: a table has no re column.
    """
    for one in (home, *externals):
        if "re" not in one.table:
            raise BadInput(
                f"run {one.run_id} gave no reconstruction errors at {one.site}; choose an autoencoder's run."
            )
    here, home_patients = _errors(judged(home))
    rows = [
        {"site": home.site, **_support(here, home_patients), "why_nan": REFERENCE, "verdict": "home"},
    ]
    nulls: dict[int, distances_of.Null] = {}
    for there in externals:
        errors, patients = _errors(judged(there))
        size = min(len(errors), len(here) // 2)  # what a null can reach; large sites share one
        if size and size not in nulls:
            nulls[size] = distances_of.null(here, home_patients, size, np.random.default_rng(seed))
        rows.append({"site": there.site, **_one_site(here, home_patients, errors, patients, nulls.get(size))})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _errors(rows: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Return the known errors and their patients."""
    re = rows.table["re"].to_numpy(np.float64)
    return re[~np.isnan(re)], rows.table["patient_id"].to_numpy()[~np.isnan(re)]


def _support(re: np.ndarray, patients: np.ndarray) -> dict[str, float]:
    n_patients = int(auroc.codes_of(patients).max()) + 1 if len(patients) else 0
    return {"n": len(re), "n_patients": n_patients, **distances_of.summary(re)}


def _one_site(
    here: np.ndarray,
    home_patients: np.ndarray,
    there: np.ndarray,
    patients: np.ndarray,
    null: distances_of.Null | None,
) -> dict[str, object]:
    row: dict[str, object] = _support(there, patients)
    if not len(here) or not len(there):
        where = "home's test rows" if not len(here) else "this site"
        return row | {"why_nan": f"no reconstruction errors in {where}", "verdict": "cannot say"}
    seen = distances_of.distances(here, there)
    null = null or distances_of.Null(why_nan="home has too few test rows for a comparison with itself")
    outside = np.repeat([0.0, 1.0], [len(here), len(there)])
    codes = auroc.codes_of(home_patients)
    both = np.concatenate(
        [codes, auroc.codes_of(patients) + codes.max() + 1]
    )  # two sites' patients never coincide
    area = auroc.by_label(outside[:, None], np.append(here, there)[:, None], both, ["RE"]).iloc[0]
    row |= {"auroc_vs_home": area["auroc"], "low": area["low"], "high": area["high"], "ks": seen.ks}
    row |= {"w1_iqr": seen.w1_iqr, "psi": distances_of.psi(here, there), "why_nan": ""}
    row |= {"null_auroc": null.auroc, "null_ks": null.ks, "null_w1_iqr": null.w1_iqr, "null_n": null.n}
    beyond = (abs(seen.auroc - 0.5) > null.auroc, seen.ks > null.ks)
    apart = area["low"] > 0.5 or area["high"] < 0.5
    if null.why_nan or np.isnan(area["low"]):
        return row | {"verdict": "cannot say", "why_nan": null.why_nan}
    return row | {
        "verdict": "shifted" if all(beyond) and apart else "cannot say" if any(beyond) else "like home"
    }


def re_vs_performance(
    re_table: pd.DataFrame, table: pd.DataFrame, label: str, copies: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Relate the median RE of sites to their performance on `label` ("macro" for the mean).

    Args:
        re_table: from `reconstruction`.
        label: a label of `table`, or "macro".
        table: from `performance` of several sites, put together (y is AUROC), or from `gaps` (y is the gap; home, whose
            gap is 0 by definition, is no point).
        copies: site → the site whose patients it shows again, in changed pictures. Of sites with the same patients one
            counts, the original where it is there: a p over sites takes each for a draw of its own.

    Returns:
        pearson, p_pearson, spearman, p_spearman, n, smallest_p, verdict, sentence (metrics.relation), y ("AUROC" or
        "gap"), points: DataFrame site, re, value, low, high of the sites that have both; repeats: sites among them that
        do not count, for their patients are counted elsewhere.
    """
    copies = copies or {}
    y = "gap" if "gap" in table else "auroc"
    there = table[table["label"] == label]
    values = there.set_index("site")[[y, "low", "high"]].rename(columns={y: "value"})
    points = (
        re_table[["site", "median"]].rename(columns={"median": "re"}).merge(values, on="site", how="inner")
    )
    points = points.dropna(subset=["re", "value"]).reset_index(drop=True)
    originals_first = sorted(points["site"], key=lambda site: site in copies)
    patients_of = {copies.get(site, site): site for site in reversed(originals_first)}
    repeats = [site for site in points["site"] if site not in patients_of.values()]
    own = points[~points["site"].isin(repeats)]
    found = relation.measure(own["re"].to_numpy(float), own["value"].to_numpy(float))
    return {**vars(found), "y": "gap" if y == "gap" else "AUROC", "points": points, "repeats": repeats}
