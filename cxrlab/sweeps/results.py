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
Measure = Callable[[str], dict[str, float]]


def table(lab: Lab, sweep: specs.SweepSpec, measure: Measure | None = None) -> pd.DataFrame:
    """Return one row a run: arm, axes, seed, run, state, then report.sweep_table's numbers; NaN where it has none yet.

    Args:
        lab: where the runs are.
        sweep: which; complete, as it was submitted.
        measure: run id → numbers; a page keeps them.
    """
    measure = measure or (lambda run_id: measured(lab, run_id))
    rows = []
    for one in shelf.members(lab, sweep):
        row = {ARM: one.arm} if sweep.arms else {}
        row |= {path: expand.worded(value) for path, value in one.values.items()}
        state = jobs.status(lab.run(one.run_id)).state if one.run_id else "not begun"
        row |= {sweep_table.SEED: one.seed, sweep_table.RUN: one.run_id, sweep_table.STATE: state}
        rows.append(row | (measure(one.run_id) if one.run_id else {}))
    made = sweep_table.without_repeats(pd.DataFrame(rows))
    numbers = sweep_table.numbers_of(made)
    rest = [column for column in made if column not in numbers]
    setting = [column for column in rest if column not in sweep_table.FACTS]
    made[setting] = made[setting].fillna("")  # an arm need not have another arm's axes
    return made[[*setting, *sweep_table.FACTS, *numbers]]


def measured(lab: Lab, run_id: str) -> dict[str, float]:
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
