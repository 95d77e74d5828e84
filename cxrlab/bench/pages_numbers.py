"""What a click costs on the pages of numbers: 6 sites x 100,000 images x 14 labels x 12 runs.

In:    nothing; rows are drawn.
Out:   95th percentile of one interaction's tables beside the promise (0.15 s for the slider, 0.3 s for any other).
Never: Streamlit and the browser (the pages' tests walk those); what is computed once and kept is reported apart.
"""

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from cxrlab import report
from cxrlab.bench.base import Line
from cxrlab.labels import NIH
from cxrlab.predictions import Predictions

ROWS, PATIENTS, SITES, RUNS = 100_000, 30_000, 6, 12
SLIDER_S, CLICK_S = 0.15, 0.3


def site(name: str, run: str, *, home: bool, n: int = ROWS, seed: int = 0) -> Predictions:
    """Return made-up predictions of 14 labels, 5 % positive; `n` rows of n * 3 / 10 patients."""
    rng = np.random.default_rng(seed)
    patient = rng.integers(0, max(2, n * PATIENTS // ROWS), n)
    split = np.array(["train", "val", "test"])[np.searchsorted([0.7, 0.8], rng.random(patient.max() + 1))]
    columns: dict[str, object] = {
        "image_id": np.arange(n).astype(str).astype(object), "row": np.arange(n),
        "patient_id": patient.astype(str).astype(object), "split": split[patient] if home else "external",
        "age_years": rng.uniform(0, 95, n), "sex": rng.choice(["F", "M"], n), "view": rng.choice(["PA", "AP"], n),
    }  # fmt: skip
    said = np.random.default_rng([seed, sum(map(ord, run))])
    for label in NIH:
        y = (rng.random(n) < 0.05).astype(float)
        columns[f"y:{label}"], columns[f"logit:{label}"] = y, said.normal(-3, 1, n) + y
    return Predictions(pd.DataFrame(columns), run, name, "", "", "0", True)


def p95(work: Callable[[int], object], times: int = 20) -> float:
    """Return the 95th percentile of the seconds of `work`, called with 0, 1 and so on."""
    seconds = []
    for i in range(times):
        start = time.perf_counter()
        work(i)
        seconds.append(time.perf_counter() - start)
    return float(np.percentile(seconds, 95))


def run() -> list[Line]:
    """Measure the slider's path, a first look at a label, the matrix and the comparison of runs."""
    away = site("away", "run", home=False)
    grid = np.round(np.linspace(0, 1, 201), 3)
    promise = "the peer is the promise"
    slide = p95(lambda i: report.confusion(away, NIH[0], grid[20 + i]))
    first = p95(lambda i: report.by_threshold(away, NIH[i % 14], grid), 14)
    curve = p95(lambda i: report.curves(away, NIH[i % 14]), 14)
    group = p95(lambda i: report.subgroups(away, NIH[i % 14], 0.1), 7)
    lines = [
        _against("slider: counts at a threshold", slide, SLIDER_S, promise),
        _against("another label: curves over the threshold", first, CLICK_S, promise),
        _against("another label: ROC and PR, thinned", curve, CLICK_S, promise),
        _against("another label: subgroups", group, CLICK_S, promise),
    ]
    start = time.perf_counter()
    cell = report.condense(away)
    once = time.perf_counter() - start
    cells = _cells(cell)
    matrix = p95(lambda i: report.train_test_matrix(cells, NIH[i % 14] if i % 2 else "macro"))
    panel = _panel()
    report.rank_runs(panel, {})  # after first load: it brings scipy.stats
    pairs = p95(lambda i: report.compare_panels(panel, {f"s{k}": panel for k in range(SITES - 1)}), 5)
    ranks = p95(lambda i: report.rank_runs(panel, {f"s{k}": panel for k in range(SITES - 1)}, seed=i), 5)
    cells_text = f"{RUNS} runs x {SITES} sites"
    kept = f"{promise}; each cell was measured once, {once:.2f} s for {ROWS:,} rows x 14 labels"
    return [
        *lines,
        _against(f"matrix of {cells_text}, another label", matrix, CLICK_S, kept),
        _against(f"{RUNS * (RUNS - 1) // 2} pairs of runs, {SITES} sites and gaps", pairs, CLICK_S, promise),
        _against(f"ranks of {cells_text}", ranks, CLICK_S, promise),
    ]


def _against(what: str, ours: float, peer: float, note: str) -> Line:
    return Line("pages_numbers", what, ours, peer, "s", peer / ours, 1.0, note)


def _cells(cell: report.matrix.Condensed) -> list[report.matrix.Condensed]:
    """Return 12 runs x 6 sites of cells; a cell's size does not depend on how many rows it was made of."""
    return [
        dataclasses.replace(cell, run_id=f"run{r}", site=f"site{s}", is_home=s == r % SITES)
        for r in range(RUNS)
        for s in range(SITES)
    ]


def _panel() -> report.comparison.Panel:
    """Return one label's panel of 12 runs at one site of 100,000 images."""
    base = site("away", "run0", home=False, seed=1)
    kept = [
        "image_id",
        "row",
        "patient_id",
        "split",
        "age_years",
        "sex",
        "view",
        f"y:{NIH[0]}",
        f"logit:{NIH[0]}",
    ]
    table, rng = base.table[kept], np.random.default_rng(2)
    runs = {}
    for r in range(RUNS):
        said = table[f"logit:{NIH[0]}"] + rng.normal(size=len(table))
        runs[f"run{r}"] = dataclasses.replace(
            base, table=table.assign(**{f"logit:{NIH[0]}": said}), run_id=f"run{r}"
        )
    return report.panel(runs, NIH[0])
