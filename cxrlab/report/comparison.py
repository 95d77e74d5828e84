"""Two to twelve models side by side: which is better at home, elsewhere, and which loses less on the way.

In:    Predictions of several runs at the same sites, or panels made of them.
Out:   one row a pair and place; ranks with their doubt.
Never: models on different rows; a winner without its share.

A page keeps the panels (`panel`, slow) and makes tables of them (fast).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput
from cxrlab.metrics import auroc, compare, gap
from cxrlab.metrics.auroc import MACRO
from cxrlab.metrics.panel import Panel
from cxrlab.metrics.panel import panel as panel_of
from cxrlab.predictions import Predictions
from cxrlab.report import rows

MOST = 12
HOME, EXTERNAL, GAP = "home", "external", "gap"
COLUMNS = (
    "a", "b", "label", "what", "site", "value_a", "value_b", "difference", "low", "high", "p", "p_holm", "se", "n_pos",
    "n_neg", "labels", "why_nan",
)  # fmt: skip
RANKED = (
    "what",
    "site",
    "name",
    "value",
    "low",
    "high",
    "rank",
    "rank_low",
    "rank_high",
    "first",
    "draws",
    "why_nan",
)


def panel(runs: dict[str, Predictions], label: str = MACRO) -> Panel:
    """Measure runs side by side at one site, on the rows that all of them scored.

    Args:
        runs: name → predictions at one site; test and external rows count.
        label: one label, or "macro" for the mean over the labels that all of them score and the site supports.

    Raises:
        BadInput: fewer than 2 or more than 12 runs, another site among them, nothing in common.
    """
    if not 2 <= len(runs) <= MOST:
        raise BadInput(f"{len(runs)} runs cannot be compared; choose 2 to {MOST}.")
    if label != MACRO:
        for one in runs.values():
            rows.check_label(one, label)
        runs = {name: _only(one, label) for name, one in runs.items()}
    shared = rows.together(list(runs.values()))
    patients = shared[0].table["patient_id"].to_numpy()
    measured = [auroc.measure(one.y_true(), one.logit(), patients, one.labels) for one in shared]
    return panel_of(tuple(runs), measured, label)


def _only(one: Predictions, label: str) -> Predictions:
    """Return the predictions with one label, so that no other column is copied."""
    facts = ["image_id", "row", "patient_id", "split", "age_years", "sex", "view"]
    table = one.table[[*facts, f"y:{label}", f"logit:{label}"]]
    return Predictions(
        table, one.run_id, one.site, one.spec_digest, one.store_digest, one.cxrlab_version, one.synthetic
    )


def compare_runs(
    runs: dict[str, tuple[Predictions, Sequence[Predictions]]], label: str = MACRO
) -> pd.DataFrame:
    """Return every pair of runs: at home, at each external site, and the difference of their gaps.

    Args:
        runs: name → (home, externals); the runs share home and externals (a site that one lacks is left out).
        label: one label, or "macro".

    Returns:
        as `compare_panels`.

    Raises:
        BadInput: the runs have different homes, or see `panel`.
    """
    homes = {home.site for home, _ in runs.values()}
    if len(homes) > 1:
        raise BadInput(
            f"the runs were trained at {', '.join(sorted(homes))}; their rows at home differ, so compare runs of one home."
        )
    at = {name: {one.site: one for one in externals} for name, (_, externals) in runs.items()}
    sites = [site for site in next(iter(at.values()), {}) if all(site in there for there in at.values())]
    home = panel({name: here for name, (here, _) in runs.items()}, label)
    return compare_panels(
        home, {site: panel({name: there[site] for name, there in at.items()}, label) for site in sites}
    )


def compare_panels(home: Panel | None, externals: dict[str, Panel]) -> pd.DataFrame:
    """Return one row a pair of runs and place.

    Args:
        home: of home's test rows; None where the home is not known: no gaps then.
        externals: site → panel of the same runs.

    Returns:
        COLUMNS. what: "home" or "external": a - b, paired on rows; "gap": (gap of a) - (gap of b) at `site`, positive:
        a loses more. p_holm: over all rows of the same `what`. labels: what a mean is over.
    """
    panels = [
        *([(HOME, "home", home)] if home else []),
        *((EXTERNAL, site, one) for site, one in externals.items()),
    ]
    names = panels[0][2].names if panels else ()
    out = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            for what, site, one in panels:
                values = one.theta[i], one.theta[j]
                out.append(_row(one, (i, j), what, site, values, one.difference(i, j)))
                if home and what == EXTERNAL:
                    values = home.theta[i] - one.theta[i], home.theta[j] - one.theta[j]
                    found = _gap_difference(home, one, i, j)
                    out.append(_row(one, (i, j), GAP, site, values, found))
    table = pd.DataFrame(out, columns=list(COLUMNS))
    for what in (HOME, EXTERNAL, GAP):
        of = (table["what"] == what).to_numpy()
        table.loc[of, "p_holm"] = gap.holm(table.loc[of, "p"].to_numpy(np.float64))
    return table


def _row(
    one: Panel,
    pair: tuple[int, int],
    what: str,
    site: str,
    values: tuple[float, float],
    found: compare.Difference,
) -> tuple[object, ...]:
    a, b = (one.names[k] for k in pair)
    numbers = (found.value, found.low, found.high, found.p, np.nan, found.se)
    return (a, b, one.label, what, site, *values, *numbers, one.n_pos, one.n_neg, ", ".join(one.labels),
            one.why_nan or found.why_nan)  # fmt: skip


def _gap_difference(home: Panel, there: Panel, i: int, j: int) -> compare.Difference:
    """Return (gap of i) - (gap of j): paired at each site, sites independent (compare.gap_difference)."""
    if home.labels != there.labels:
        why = f"home averages {len(home.labels)} labels, the site {len(there.labels)}; choose one label"
        return compare.Difference(*[np.nan] * 5, why)
    value, variance, rest = 0.0, 0.0, 0.0
    for sign, one in ((1, home), (-1, there)):
        part, carriers = one.spread(i, j)
        value += sign * float(one.theta[i] - one.theta[j])
        variance += part
        rest += part**2 / max(2 * carriers - 2, 1)
    # Welch-Satterthwaite, as in compare.gap_difference.
    return compare.difference_of(value, variance, variance**2 / rest if rest > 0 else np.inf)


def rank_runs(
    home: Panel | None, externals: dict[str, Panel], draws: int = 4000, seed: int = 0
) -> pd.DataFrame:
    """Rank runs at home, at each external site, by the mean over external sites, and by the mean gap.

    Ranks vary over draws from the joint normal distribution that the patients' influences imply (asymptotically the
    patient bootstrap, and the same patients for all runs), sites drawn independently.

    Args:
        home: panel at home; None: neither "internal" nor "gap".
        externals: site → panel of the same runs, in the same order.
        draws: how many.
        seed: of them.

    Returns:
        RANKED. what: "internal", "external" (site "" is the mean over sites) or "gap" (rank 1 loses least); value with
        low and high (2.5 and 97.5 percentiles of the draws); first: share of draws in which the run ranks first.
    """
    from cxrlab.metrics import ranking  # brings scipy.stats, for which no page should wait to open

    rng = np.random.default_rng(seed)
    all_panels = [*([home] if home else []), *externals.values()]
    drawn = {id(one): _draw(one, draws, rng) for one in all_panels if not one.why_nan}
    names = all_panels[0].names if all_panels else ()
    usable = {site: one for site, one in externals.items() if not one.why_nan}
    asked: list[tuple[str, str, np.ndarray, np.ndarray, bool]] = []
    if home and not home.why_nan:
        asked.append(("internal", "", home.theta, drawn[id(home)], False))
    for site, one in usable.items():
        asked.append(("external", site, one.theta, drawn[id(one)], False))
    if usable:
        mean = np.mean([one.theta for one in usable.values()], axis=0)
        mean_drawn = np.mean([drawn[id(one)] for one in usable.values()], axis=0)
        asked.append(("external", "", mean, mean_drawn, False))
        if home and not home.why_nan:
            asked.append(("gap", "", home.theta - mean, drawn[id(home)] - mean_drawn, True))
    tables = []
    for what, site, value, sample, small_is_good in asked:
        table = ranking.ranks(names, value, sample, small_is_good=small_is_good)
        ends = dict(zip(names, np.quantile(sample, (0.025, 0.975), axis=0).T, strict=True))
        table["low"], table["high"] = (table["name"].map({n: e[k] for n, e in ends.items()}) for k in (0, 1))
        tables.append(table.assign(what=what, site=site, why_nan=""))
    for site, one in externals.items():
        if one.why_nan:
            tables.append(
                pd.DataFrame({"what": "external", "site": site, "name": names, "why_nan": one.why_nan})
            )
    if not tables:
        return pd.DataFrame(columns=list(RANKED))
    return pd.concat(tables, ignore_index=True).reindex(columns=list(RANKED))


def _draw(one: Panel, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return (draws, M) from the normal distribution of the models' numbers."""
    values, vectors = np.linalg.eigh(one.covariance())
    root = vectors * np.sqrt(np.maximum(values, 0))  # equal models make a matrix without full rank
    return one.theta + rng.standard_normal((draws, len(values))) @ root.T
