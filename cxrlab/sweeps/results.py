"""What came out of a sweep, as far as it has come.

In:    a sweep's runs, their predictions.
Out:   a table of what is varied and what came of it, by run or over seeds.
Never: torch; formulas (report.sweep_table).
"""

from collections.abc import Callable

import pandas as pd

from cxrlab import jobs, predictions
from cxrlab import spec as specs
from cxrlab.paths import Lab
from cxrlab.report import sweep_table
from cxrlab.sweeps import expand, shelf

ARM = "arm"
Measure = Callable[[str], dict[str, float | str]]


def table(lab: Lab, sweep: specs.SweepSpec, measure: Measure | None = None) -> pd.DataFrame:
    """Return one row a run: arm, axes, seed, run, state, why, then report.sweep_table's numbers; NaN where it has none yet.

    Args:
        lab: where the runs are.
        sweep: which; complete, as it was submitted.
        measure: run id → numbers; a page keeps them.
    """
    measure = measure or (lambda run_id: measured(lab, run_id))
    rows, members = [], shelf.members(lab, sweep)
    has_arms = any(one.arm for one in members)  # also of a run that was added to a sweep without arms
    for one in members:
        row = {ARM: one.arm} if has_arms else {}
        row |= {path: expand.worded(value) for path, value in one.values.items()}
        now = jobs.status(lab.run(one.run_id)) if one.run_id else None
        state = now.state if now else "not begun"
        row |= {sweep_table.SEED: one.seed, sweep_table.RUN: one.run_id, sweep_table.STATE: state}
        # A run that failed at one site may have numbers of the others.
        row[sweep_table.WHY] = (
            "" if state == "done" else f"{state}{f': {now.reason}' if now and now.reason else ''}"
        )
        rows.append(row | (measure(one.run_id) if one.run_id else {}))
    made = sweep_table.without_repeats(pd.DataFrame(rows))
    setting = sweep_table.setting_of(made)
    made[setting] = made[setting].fillna("")  # an arm need not have another arm's axes
    rest = [column for column in made if column not in (*setting, *sweep_table.FACTS)]
    return made[[*setting, *sweep_table.FACTS, *rest]]


def measured(lab: Lab, run_id: str) -> dict[str, float | str]:
    """Return a run's numbers from the sites that are scored; {} before all its homes are."""
    run = lab.run(run_id)
    spec = specs.read(run.spec)
    if not isinstance(spec, specs.TrainSpec) or spec.task in ("autoencoder", "moco"):
        return {}
    if not all(run.predictions(site).exists() for site in spec.view.source):
        return {}
    there = [site for site in spec.view.external if run.predictions(site).exists()]
    homes = [predictions.read(run.predictions(site)) for site in spec.view.source]
    return sweep_table.measure(homes, [predictions.read(run.predictions(site)) for site in there])
