"""1,000 patient bootstraps of 14 AUROCs over 100,000 rows.

In:    nothing; rows are drawn.
Out:   seconds beside a loop over scikit-learn's weighted AUROC, and the memory that ours added.
Never: real data.
"""

import time

import numpy as np
import psutil
from sklearn.metrics import roc_auc_score

from cxrlab.bench import auroc as rows_of
from cxrlab.bench.base import Line
from cxrlab.metrics import auroc, bootstrap

DRAWS = 1_000
PEER_CALLS = 28  # of 14,000: each costs the same, and all of them would take minutes


def run() -> list[Line]:
    """Measure ours whole, and scikit-learn on a part of the same draws, scaled up."""
    y_true, score, patient = rows_of.rows()
    codes = auroc.codes_of(patient)
    start = time.perf_counter()
    bootstrap.auroc_draws(
        y_true[:500], score[:500], patient[:500], bootstrap.LANES, seed=0
    )  # compiles, or loads
    compiled = time.perf_counter() - start
    before = psutil.Process().memory_info().rss
    seconds, most = [], before
    for _ in range(3):
        start = time.perf_counter()
        draws = bootstrap.auroc_draws(y_true, score, patient, DRAWS, seed=0)
        seconds.append(time.perf_counter() - start)
        most = max(most, psutil.Process().memory_info().rss)
    ours = min(seconds)

    counts = next(bootstrap.patient_counts(int(codes.max()) + 1, 1, seed=0))
    weight = counts[codes].astype(float)
    start = time.perf_counter()
    first = [
        roc_auc_score(y_true[:, j % rows_of.LABELS], score[:, j % rows_of.LABELS], sample_weight=weight)
        for j in range(PEER_CALLS)
    ]
    peer = (time.perf_counter() - start) * rows_of.LABELS * DRAWS / PEER_CALLS
    apart = float(np.abs(np.array(first[: rows_of.LABELS]) - draws[0]).max())
    note = (
        f"scikit-learn timed on {PEER_CALLS} of {rows_of.LABELS * DRAWS:,} calls and scaled; largest difference of a "
        f"draw {apart:.0e}; memory grew by {(most - before) / 2**20:.0f} MB; compiling or loading took {compiled:.1f} s"
    )
    what = f"{rows_of.LABELS} labels x {DRAWS:,} draws x {rows_of.ROWS:,} rows"
    return [Line("bootstrap", what, ours, peer, "s", peer / ours, 80.0, note)]
