"""Do intervals hold the truth as often as they say? A simulation, not a speed.

In:    nothing; studies are drawn, with images of one patient alike.
Out:   coverage of our interval and of plain DeLong's, and how often a gap is found where there is none.
Never: real data; a scenario chosen to flatter (rare labels and AUROC near 1 are among them).
"""

import numpy as np
import pandas as pd
from scipy import stats

from cxrlab.bench.base import Line
from cxrlab.metrics import auroc, gap, interval

STUDIES = 2_000
PROMISED_COVERAGE, PROMISED_FALSE = 0.015, 0.01  # how far from 95 % and 5 % is allowed
CORRELATION = 0.6  # share of a score's noise that a patient's images have in common
# (patients at home, patients outside, share of ill patients, AUROC at both)
SCENARIOS = (
    (400, 300, 0.5, 0.75),
    (400, 300, 0.2, 0.85),
    (1000, 500, 0.1, 0.85),
    (400, 300, 0.3, 0.95),
    (200, 150, 0.2, 0.85),
    (1000, 500, 0.05, 0.98),
)


def study(
    rng: np.random.Generator, patients: int, ill: float, truth: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw y_true (N,), score (N,), patient (N,): one to five images a patient, mostly of one class."""
    patient = np.repeat(np.arange(patients), rng.integers(1, 6, patients))
    of_patient = rng.random(patients) < ill
    y_true = np.where(rng.random(len(patient)) < 0.9, of_patient[patient], rng.random(len(patient)) < ill)
    shared = np.sqrt(CORRELATION) * rng.normal(size=patients)[patient]
    own = np.sqrt(1 - CORRELATION) * rng.normal(size=len(patient))
    return y_true.astype(float), shared + own + np.sqrt(2) * stats.norm.ppf(truth) * y_true, patient


def simulate(studies: int = STUDIES, seed: int = 0) -> pd.DataFrame:
    """Return one row a scenario.

    Returns:
        patients, outside, ill, auroc, pos_patients (mean at home), coverage and coverage_outside of our interval,
        delong (coverage of theta ± 1.96 of DeLong's standard error at home), false_gaps (share of studies with p < .05
        though both sites are the same), false_gaps_delong, no_interval (studies left out: a class was absent).
    """
    return pd.DataFrame([_scenario(*one, studies, seed + i) for i, one in enumerate(SCENARIOS)])


def _scenario(
    patients: int, outside: int, ill: float, truth: float, studies: int, seed: int
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    sides: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    plain: tuple[list[float], list[float]] = ([], [])
    for i in range(studies):
        for side, naive, n in zip(sides, plain, (patients, outside), strict=True):
            y_true, score, patient = study(rng, n, ill, truth)
            side.append(auroc.by_label(y_true, score, patient, [str(i)]))
            naive.append(np.sqrt(auroc.delong_variance(y_true, score)))
    home, there = (pd.concat(side, ignore_index=True) for side in sides)
    known = (home["low"].notna() & there["low"].notna()).to_numpy()
    home, there = home[known], there[known]
    se_home, se_there = (np.array(naive)[known] for naive in plain)
    z = (home["auroc"].to_numpy() - there["auroc"].to_numpy()) / np.hypot(se_home, se_there)
    return {
        "patients": patients,
        "outside": outside,
        "ill": ill,
        "auroc": truth,
        "pos_patients": float(home["pos_patients"].mean()),
        "coverage": float(((home["low"] <= truth) & (home["high"] >= truth)).mean()),
        "coverage_outside": float(((there["low"] <= truth) & (there["high"] >= truth)).mean()),
        "delong": float((np.abs(home["auroc"] - truth) <= interval.Z * se_home).mean()),
        "false_gaps": float((gap.by_label(home, there)["p"] < 0.05).mean()),
        "false_gaps_delong": float((np.abs(z) > interval.Z).mean()),
        "no_interval": int((~known).sum()),
    }


def run() -> list[Line]:
    """Give one line a scenario and promise; ratio is promised error over seen error, so 1 or more keeps it."""
    lines = []
    for row in simulate().itertuples():
        where = f"{row.patients} and {row.outside} patients, {row.ill:.0%} ill, AUROC {row.auroc}"
        covered = [("home", row.coverage), ("outside", row.coverage_outside)]
        lines += [
            Line(
                "coverage", f"95 % interval {side}, {where}", share, row.delong, "share",
                PROMISED_COVERAGE / max(abs(share - interval.LEVEL), 1e-3), 1.0,
                "peer: plain DeLong at home, which takes a patient's images for patients",
            )
            for side, share in covered
        ]  # fmt: skip
        lines.append(
            Line(
                "coverage", f"false gaps at 5 %, {where}", row.false_gaps, row.false_gaps_delong, "share",
                PROMISED_FALSE / max(abs(row.false_gaps - 0.05), 1e-3), 1.0,
                "peer: z test on DeLong's standard errors",
            )
        )  # fmt: skip
    return lines
