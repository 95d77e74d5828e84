"""Two runs as one: a gate and a disease model trained apart, or a network with a gate beside one without.

In:    the folders of finished runs.
Out:   report's tables of a hierarchy beside a flat model, site by site.
Never: torch, training; arithmetic on results (report/).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlab import files, predictions, report
from cxrlab import spec as specs
from cxrlab.choices.networks import disease_of, is_gated
from cxrlab.errors import BadInput, MissingInput
from cxrlab.metrics.rule_names import Rule
from cxrlab.metrics.thresholds import Threshold
from cxrlab.paths import Lab, RunPaths
from cxrlab.predictions import Predictions
from cxrlab.report.gating import Cost, Gated
from cxrlab.spec import TrainSpec

Scores = tuple[Predictions, list[Predictions]]  # at home and elsewhere


@dataclass(frozen=True)
class Compared:
    """A hierarchy beside a flat model."""

    saved: pd.DataFrame  # report.saved
    points: pd.DataFrame  # report.at_one_point
    rule: str  # by which the gate was cut
    aim: str  # of the operating point
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What the tables say, a sentence or two a site."""
        return report.says(self.saved, self.points)


def apart(lab: Lab, gate: str, disease: str, rule: Rule, aim: Rule) -> Compared:
    """Put a normal/abnormal run before a run of findings; that run alone is the flat model.

    Args:
        lab: where they lie.
        gate: run id.
        disease: run id.
        rule: cuts the gate on home's validation rows.
        aim: the operating point.

    Raises:
        MissingInput: a run or its scores are not there.
        BadInput: the runs do not fit, or the gate knows one kind of image alone.
    """
    runs = _run(lab, gate), _run(lab, disease)
    sites = _sites(*runs)
    (gate_home, gates), (flat_home, flats) = (_scores(run, sites) for run in runs)
    found = report.cut_gate(gate_home, rule)
    made = [
        report.apart(one, other, found.threshold)
        for one, other in zip((gate_home, *gates), (flat_home, *flats), strict=True)
    ]
    cost, notes = _cost_apart(*runs)
    return _compared((flat_home, flats), made, dict.fromkeys(sites, cost), found, aim, notes)


def jointly(lab: Lab, joint: str, flat: str, aim: Rule) -> Compared:
    """Put a run whose network has a gate beside one whose network has none. Raises as `apart`."""
    runs = _run(lab, joint), _run(lab, flat)
    if not is_gated(_spec(runs[0]).model):
        raise BadInput(f"the network of {joint} has no gate; name a run of the network 'hierarchical'.")
    sites = [site for site in _sites(*runs) if runs[0].hierarchy(site).exists()]
    if not sites:
        raise MissingInput(f"{joint} has not scored its home yet; let it finish, or resume it.")
    (home, others), flats = (_scores(run, sites) for run in runs)
    told = {site: files.read_json(runs[0].hierarchy(site)) for site in sites}
    made = [report.jointly(one, told[one.site]["cut"]) for one in (home, *others)]
    efficiency = _efficiency(runs[1])
    same = disease_of(_spec(runs[0]).model).name == _spec(runs[1]).model.name
    costs = {site: _cost_jointly(one, efficiency, same) for site, one in told.items()}
    gate = _efficiency(runs[0]).get("gate", {})
    found = Threshold(rule=str(gate.get("rule", "")), why_rule=str(gate.get("why_rule", "")))
    notes = (f"{found.why_rule}.",) if found.why_rule else ()
    return _compared(flats, made, costs, found, aim, notes)


def _compared(
    flat: Scores,
    made: list[Gated],
    costs: dict[str, Cost],
    found: Threshold,
    aim: Rule,
    notes: tuple[str, ...],
) -> Compared:
    points = report.at_one_point(flat, (made[0], made[1:]), aim)
    return Compared(report.saved(made, costs), points, found.rule, str(aim), notes)


def _run(lab: Lab, run_id: str) -> RunPaths:
    run = lab.run(run_id)
    if not run.spec.exists():
        raise MissingInput(f"no run named {run_id!r}; `python -m cxrlab runs` lists them.")
    return run


def _spec(run: RunPaths) -> TrainSpec:
    spec = specs.read(run.spec)
    if not isinstance(spec, TrainSpec):
        raise BadInput(f"{run.run_id} is no training run; name one that was trained here.")
    return spec


def _sites(one: RunPaths, other: RunPaths) -> list[str]:
    """Return the sites that both have scored, home first."""
    homes = [_spec(run).view.source for run in (one, other)]
    if homes[0][0] != homes[1][0]:
        raise BadInput(
            f"{one.run_id} was trained at {homes[0][0]} and {other.run_id} at {homes[1][0]}; what is tuned at one home says "
            "nothing of the other: name runs of one home."
        )
    there = [path.stem for path in sorted(one.predictions_folder.glob("*.parquet"))]
    both = [site for site in there if other.predictions(site).exists() and site not in set(sum(homes, ()))]
    return [homes[0][0], *both]


def _scores(run: RunPaths, sites: list[str]) -> Scores:
    home, *others = (predictions.read(run.predictions(site)) for site in sites)
    return home, others


def _efficiency(run: RunPaths) -> dict:
    return files.read_json(run.efficiency) if run.efficiency.exists() else {}


def _cost_apart(gate: RunPaths, disease: RunPaths) -> tuple[Cost, tuple[str, ...]]:
    """Return what each run measured of itself after its training."""
    first, second = _efficiency(gate), _efficiency(disease)
    gate_flops, gate_seconds = _flops(first), _seconds(first)
    notes = ["Seconds are each run's own, measured after its training."]
    if below := _spec(gate).model.latents_of:
        encoder = _efficiency(gate.lab.run(below))
        gate_flops, gate_seconds = gate_flops + _flops(encoder), gate_seconds + _seconds(encoder)
        notes.append(
            "The gate reads latents: all of its autoencoder is counted, though the gate needs its first half alone."
        )
    if first.get("device") != second.get("device"):
        gate_seconds = np.nan
        notes.append("The two were timed on different devices, so their seconds are not compared.")
    flops, seconds = _flops(second), _seconds(second)
    return Cost(gate_flops, flops, flops, gate_seconds, seconds, seconds), tuple(notes)


def _cost_jointly(told: dict, flat: dict, same: bool) -> Cost:
    """Return what was measured while the site was scored; of another flat network, what it measured after its training.

    Args:
        told: hierarchy/<site>.json.
        flat: the flat run's efficiency.json.
        same: the flat network is the one behind the gate, so what an image took there it would take.
    """
    passed = told["passed"]
    seconds = told["disease_seconds"] / passed if passed else 0.0
    return Cost(
        gate_flops=told["gate_flops"],
        disease_flops=told["disease_flops"],
        flat_flops=_flops(flat),
        gate_seconds=told["gate_seconds"] / told["images"],
        disease_seconds=seconds,
        flat_seconds=seconds if same and passed else _seconds(flat),
    )


def _flops(efficiency: dict) -> float:
    return float(efficiency.get("forward_flops", np.nan))


def _seconds(efficiency: dict) -> float:
    return 1 / float(efficiency.get("inference", {}).get("images_per_s", np.nan))
