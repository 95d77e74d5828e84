"""Trained here, tested there: every run at every site, from numbers small enough to keep.

In:    Predictions, condensed once (slow); the condensed numbers (fast).
Out:   one row a run and site; the same beside what networks cost, and over seeds.
Never: rows; means over labels that differ from cell to cell.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxrlab.metrics import auroc, gap, interval, relation
from cxrlab.metrics.auroc import MACRO
from cxrlab.predictions import Predictions
from cxrlab.report import rows
from cxrlab.report.performance import judged

if TYPE_CHECKING:
    from cxrlab.spec import TrainSpec

COLUMNS = (
    "run", "train_site", "site", "is_home", "label", "auroc", "low", "high", "gap", "gap_low", "gap_high", "p",
    "verdict", "why", "n_pos", "n_neg", "n", "labels", "why_nan", "synthetic",
)  # fmt: skip
COSTS = ("parameters", "forward_flops", "seconds", "images_per_s", "p50_ms")
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Condensed:
    """One run at one site in a few kilobytes.

    table: auroc.table_of, indexed by label. covariance: (L, L) of the labels' AUROCs over patients, 0 where a label has
    no standard error. carriers: effective patients behind their mean. n: images that count.
    """

    run_id: str
    site: str
    is_home: bool
    synthetic: bool
    table: pd.DataFrame
    covariance: np.ndarray
    carriers: float
    n: int

    @property
    def supported(self) -> tuple[str, ...]:
        """Labels whose AUROC has a standard error."""
        return tuple(self.table.index[self.table["se"].notna()])


def condense(predictions: Predictions) -> Condensed:
    """Measure all labels of one run at one site; test rows at home, all elsewhere."""
    here = judged(predictions)
    measured = auroc.measure(here.y_true(), here.logit(), here.table["patient_id"].to_numpy(), here.labels)
    table = auroc.table_of(measured)
    firm = table["se"].notna().to_numpy()
    n, many = measured.n_patients, len(here.labels)
    sums = np.zeros((n, many))
    for j in np.flatnonzero(firm):
        sums[:, j] = np.bincount(measured.patient, measured.phi[:, j], n)
    alive = int((sums != 0).any(axis=1).sum())
    covariance = sums.T @ sums * (alive / (alive - 1) if alive > 1 else 0.0)
    squared = sums.sum(axis=1) ** 2
    carriers = float(squared.sum() ** 2 / (squared @ squared)) if squared.any() else 0.0
    return Condensed(
        predictions.run_id, predictions.site, rows.is_home(predictions), predictions.synthetic,
        table.set_index("label"), covariance, carriers, len(here.table),
    )  # fmt: skip


def number(one: Condensed, label: str, labels: Sequence[str] = ()) -> dict[str, object]:
    """Return label, auroc, low, high, n_pos, n_neg, pos_patients, neg_patients, why_nan, labels of one cell.

    Args:
        one: the cell.
        label: a label, or "macro" for the mean over `labels`.
        labels: supported ones.
    """
    keys = ("auroc", "low", "high", "n_pos", "n_neg", "pos_patients", "neg_patients", "why_nan")
    nothing = dict.fromkeys(("auroc", "low", "high"), np.nan)
    nothing |= dict.fromkeys(("n_pos", "n_neg", "pos_patients", "neg_patients"), 0)
    if label != MACRO:
        if label not in one.table.index:
            return nothing | {"label": label, "labels": label, "why_nan": "this run does not score it"}
        row = one.table.loc[label]
        return {key: row[key] for key in keys} | {"label": label, "labels": label}
    if not labels:
        return nothing | {"label": label, "labels": "", "why_nan": "no label is supported in every cell"}
    at = one.table.index.get_indexer(list(labels))
    used = one.table.iloc[at]
    theta, se = float(used["auroc"].mean()), float(np.sqrt(one.covariance[np.ix_(at, at)].mean()))
    pairs = int(used[["pos_patients", "neg_patients"]].to_numpy().min())
    low, high, _ = interval.of_share(theta, se, pairs=pairs, carriers=one.carriers)
    # Of the best supported label: at least so many are positive, or negative, for any of them.
    most = {key: int(used[key].max()) for key in ("n_pos", "n_neg", "pos_patients", "neg_patients")}
    return {
        "label": label,
        "auroc": theta,
        "low": low,
        "high": high,
        **most,
        "why_nan": "",
        "labels": ", ".join(labels),
    }


def common_labels(cells: Sequence[Condensed]) -> tuple[str, ...]:
    """Return the labels that are supported in every cell, in the first one's order."""
    if not cells:
        return ()
    return tuple(label for label in cells[0].supported if all(label in one.supported for one in cells[1:]))


def train_test_matrix(
    cells: Sequence[Condensed], label: str = MACRO, margin: float = gap.MARGIN
) -> pd.DataFrame:
    """Return every run at every site: AUROC, and the gap to the run's own home.

    Args:
        cells: of any runs and sites of a lab.
        label: one label, or "macro": the mean over the labels that every cell supports, so that cells compare.
        margin: the largest gap that counts as none.

    Returns:
        COLUMNS, runs in order, home first. train_site is "not known" for a run without a home among the cells, and its
        gaps are NaN. Verdicts as in report.gaps.
    """
    labels = common_labels(cells) if label == MACRO else ()
    numbers = [number(one, label, labels) for one in cells]
    homes = {one.run_id: i for i, one in enumerate(cells) if one.is_home}
    out = []
    for one, said in zip(cells, numbers, strict=True):
        home = cells[homes[one.run_id]].site if one.run_id in homes else NOT_KNOWN
        out.append({"run": one.run_id, "train_site": home, "site": one.site, "is_home": one.is_home, "n": one.n,
                    "synthetic": one.synthetic, **said})  # fmt: skip
    table = pd.DataFrame(out).reindex(columns=list(COLUMNS))
    table[["verdict", "why"]] = ""
    there = [i for i, one in enumerate(cells) if not one.is_home and one.run_id in homes]
    if there:
        # One comparison for all cells: each is a "label" of its own.
        keys = [f"{i}" for i in there]
        inside = pd.DataFrame([numbers[homes[cells[i].run_id]] for i in there]).assign(label=keys)
        outside = pd.DataFrame([numbers[i] for i in there]).assign(label=keys)
        found = gap.by_label(inside, outside, margin)
        for column, name in (("gap", "gap"), ("gap_low", "low"), ("gap_high", "high"), ("p", "p"),
                             ("verdict", "verdict"), ("why", "why")):  # fmt: skip
            table.loc[there, column] = found[name].to_numpy()
    run_order = {run: k for k, run in enumerate(dict.fromkeys(one.run_id for one in cells))}
    order = sorted(range(len(cells)), key=lambda i: (run_order[cells[i].run_id], not cells[i].is_home))
    return table.iloc[order].reset_index(drop=True)


def efficiency_vs_gap(
    matrix: pd.DataFrame, costs: dict[str, dict[str, object]]
) -> tuple[pd.DataFrame, dict[str, relation.Relation]]:
    """Return what each run costs beside what it loses, and whether the two go together.

    Args:
        matrix: from `train_test_matrix`.
        costs: run → efficiency.json.

    Returns:
        (table, relations). table: run, parameters, forward_flops, seconds (training), images_per_s, p50_ms, internal,
        external (mean over external sites), gap (mean), n_sites; one row a run with both. relations: cost → how it goes
        with the gap over runs (metrics.relation; too few runs say so).
    """
    out = []
    for run, part in matrix.groupby("run", sort=False):
        known = part.dropna(subset=["auroc"])
        cost = costs.get(str(run), {})
        speed = cost.get("inference", {})
        row = {name: cost.get(name, np.nan) for name in COSTS[:3]}
        row |= {name: speed.get(name, np.nan) for name in COSTS[3:]}
        home, away = known[known["is_home"].astype(bool)], known[~known["is_home"].astype(bool)]
        row |= {"internal": home["auroc"].mean(), "external": away["auroc"].mean(), "gap": away["gap"].mean()}
        out.append({"run": run, **row, "n_sites": len(away)})
    table = pd.DataFrame(out, columns=["run", *COSTS, "internal", "external", "gap", "n_sites"])
    of = table["gap"].to_numpy(np.float64)
    return table, {name: relation.measure(table[name].to_numpy(np.float64), of) for name in COSTS}


def seeds(matrix: pd.DataFrame, group_of: dict[str, str]) -> pd.DataFrame:
    """Return mean ± sd over runs that differ in their seed only, beside the doubt over patients.

    Args:
        matrix: from `train_test_matrix`.
        group_of: run → group (`seed_groups`).

    Returns:
        group, site, is_home, label, seeds, mean, sd (NaN with one seed), least, most, low, high, gap, gap_sd. sd is how
        much training again moves the number; low and high are the means over seeds of the single runs' interval ends
        over patients. The two are different doubts and are not added.
    """
    known = matrix[matrix["run"].isin(list(group_of))].copy()
    known["group"] = known["run"].map(group_of)
    grouped = known.groupby(["group", "site", "is_home", "label"], sort=False)
    return grouped.agg(
        seeds=("auroc", "count"), mean=("auroc", "mean"), sd=("auroc", "std"), least=("auroc", "min"),
        most=("auroc", "max"), low=("low", "mean"), high=("high", "mean"), gap=("gap", "mean"), gap_sd=("gap", "std"),
    ).reset_index()  # fmt: skip


def seed_groups(specs: dict[str, object]) -> dict[str, str]:
    """Return run → the first run of the same spec but for the seed; other kinds than training are left out.

    Runs that build on others (a start, a teacher, an autoencoder) are the same when those are the same but for their
    seeds.

    Args:
        specs: run → spec.
    """
    from cxrlab import spec as of

    trained = {run: one for run, one in specs.items() if isinstance(one, of.TrainSpec)}
    first: dict[str, str] = {}
    return {run: first.setdefault(_but_for_seed(one, trained), run) for run, one in trained.items()}


def _but_for_seed(one: "TrainSpec", trained: dict[str, "TrainSpec"]) -> str:
    from cxrlab import spec as of

    below = {"start": one.strategy.start_from, "teacher": one.teacher, "latents": one.model.latents_of}
    what = {
        name: _but_for_seed(trained[run], trained) if run in trained else run for name, run in below.items()
    }
    # What the runs below hold differs with their seeds; the stores must be the same.
    data = {site: digest for site, digest in one.data.items() if ":" not in site}
    alone = one.model_copy(
        update={
            "seed": 0,
            "data": data,
            "teacher": "",
            "strategy": one.strategy.model_copy(update={"start_from": ""}),
            "model": one.model.model_copy(update={"latents_of": ""}),
        }
    )
    return json.dumps([of.digest(alone), what])
