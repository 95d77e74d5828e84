"""The verb `sweep`: many runs from one file or from a study preset.

In:    a file, the name of a sweep of this lab, or a preset and its sites.
Out:   what would run and what it takes; the runs; their table.
Never: torch: each run is a job of its own.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxrlab import files
from cxrlab import spec as specs
from cxrlab.commands import console
from cxrlab.commands.runs import check_done, wait
from cxrlab.errors import BadInput
from cxrlab.jobs import state
from cxrlab.paths import Lab

if TYPE_CHECKING:
    import pandas as pd

    from cxrlab.facts.estimate import Estimate
    from cxrlab.sweeps.expand import Cell, Expansion
    from cxrlab.sweeps.presets import Preset

NOTE = (
    "home, at: AUROC, mean over labels, ± sd over seeds. gap: home minus there, positive is worse there; [95 % interval over "
    "patients] and what it allows to say."
)
BY_HOME = "External sites have no say in that."
LISTED = 40  # runs of a dry run on a terminal; --json has all


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `sweep`."""
    verb = verbs.add_parser(
        "sweep",
        help="many runs: a grid or list over fields, or a study preset",
        description="Start every run that a sweep names and this lab does not have yet; print their table when they are "
        "done. Running it again starts only what is missing.",
    )
    verb.add_argument(
        "sweep",
        nargs="?",
        default="",
        metavar="SWEEP.json",
        help="a file, or the name of a sweep of this lab",
    )
    preset = verb.add_argument_group("study presets")
    preset.add_argument(
        "--preset", default="", metavar="NAME", help="instead of a file; --presets lists them"
    )
    preset.add_argument("--presets", action="store_true", help="list the study presets and stop")
    preset.add_argument("--home", nargs="+", default=[], metavar="SITE", help="the site that training sees")
    preset.add_argument(
        "--external", nargs="+", default=[], metavar="SITE", help="sites that training never sees"
    )
    preset.add_argument(
        "--role", action="append", default=[], metavar="NAME=SITE[,SITE]", help="any other role of the preset"
    )
    preset.add_argument(
        "--mini", action="store_true", help="tiny images, few epochs, few arms: minutes on a laptop"
    )
    preset.add_argument(
        "--allow-overlap",
        action="store_true",
        help="score a site as external though it shares images or patients with home; every result says so",
    )
    verb.add_argument("--seeds", nargs="+", type=int, default=[], metavar="N", help="instead of the sweep's")
    verb.add_argument(
        "--skip-invalid", action="store_true", help="leave out runs that cannot be, and say why"
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="say what would run and what it takes; start nothing"
    )
    verb.add_argument("--table", action="store_true", help="print what has come out so far; start nothing")
    verb.add_argument("--by-run", action="store_true", help="one line a run instead of mean ± sd over seeds")
    verb.add_argument("--save", type=Path, metavar="FILE", help="write the sweep to a file; start nothing")
    console.add_executor(verb)
    verb.add_argument("--no-wait", action="store_true", help="start it and return at once")
    verb.add_argument("--json", action="store_true", help="print figures as JSON")
    verb.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """Do what was asked of a sweep."""
    from cxrlab.sweeps import plan, shelf

    if args.presets:
        return list_presets(as_json=args.json)
    lab = Lab.here()
    sweep = asked_for(lab, args)
    if args.save:
        from cxrlab import files

        files.write_text(args.save, json.dumps(sweep.model_dump(mode="json"), indent=1) + "\n")
        print(json.dumps({"file": str(args.save)}) if args.json else args.save)
        return 0
    if args.table:
        return tell(lab, shelf.find(lab, sweep.name), args)
    if args.dry_run:
        return tell_plan(lab, sweep, plan.outline(lab, sweep), as_json=args.json)
    return submit(lab, sweep, args)


def submit(lab: Lab, sweep: specs.SweepSpec, args: argparse.Namespace) -> int:
    """Start a sweep, wait unless told otherwise, and print what came out."""
    from cxrlab.sweeps import plan, shelf

    found = plan.outline(lab, sweep)
    run = lab.run(shelf.submit(lab, sweep, args.executor))
    if args.no_wait:
        print(json.dumps({"run": run.run_id, "runs": len(found.cells)}) if args.json else run.run_id)
        return 0
    for key, why in found.invalid.items():
        print(f"left out: {key}: {why}", file=sys.stderr)
    for key, first in found.same.items():
        print(f"{key}: the same run as {first}, carried out once", file=sys.stderr)
    print(cost_line(found, plan.cost(lab, found)), file=sys.stderr)
    now = wait(run)
    tell(lab, shelf.find(lab, sweep.name), args, now=state.as_dict(now))
    return check_done(run, now)


def asked_for(lab: Lab, args: argparse.Namespace) -> specs.SweepSpec:
    """Return the sweep that the arguments name.

    Raises:
        BadInput: neither a file nor a preset was named, or both.
        BadSpec, MissingInput, UnknownName: what was named cannot be read.
    """
    from cxrlab.sweeps import presets, shelf

    if bool(args.preset) == bool(args.sweep):
        raise BadInput(
            "name a sweep's file or a preset: `sweep SWEEP.json`, or `sweep --preset NAME --home SITE --external SITE`; "
            f"presets: {', '.join(presets.names())}."
        )
    if args.preset:
        preset = presets.read(args.preset)
        sites = roles_of(args)
        sweep = presets.bind(
            lab, preset, sites, mini=args.mini, seeds=args.seeds, allow_overlap=args.allow_overlap
        )
    else:
        named = Path(args.sweep)
        is_file = named.suffix == ".json" or named.exists()
        sweep = shelf.read(named) if is_file else shelf.find(lab, args.sweep)
        if args.seeds:
            # Built anew: seeds are asked what they are, as a file's.
            sweep = specs.build({**sweep.model_dump(mode="json"), "seeds": args.seeds})
    return sweep.model_copy(update={"skip_invalid": True}) if args.skip_invalid else sweep


def roles_of(args: argparse.Namespace) -> dict[str, list[str]]:
    """Return role → sites. Raises BadInput for a --role without a name or a site."""
    sites = {role: getattr(args, role) for role in ("home", "external") if getattr(args, role)}
    for said in args.role:
        role, equals, named = said.partition("=")
        if not (role and equals and named):
            raise BadInput(f"--role {said!r} says no site; write it as --role NAME=SITE.")
        sites[role] = named.split(",")
    return sites


def list_presets(*, as_json: bool) -> int:
    """Print every study preset with its question."""
    from cxrlab.sweeps import presets

    known = [presets.read(name) for name in presets.names()]
    if as_json:
        print(json.dumps([_as_json(one) for one in known], indent=1))
        return 0
    for one in known:
        weights = ", ".join(presets.weights_of(one)) or "none, it starts from random ones"
        print(
            f"{one.name}: {one.title}. {presets.count(one)} runs, roughly {one.needs.gpu_hours:g} GPU hours."
        )
        print(
            f"  {one.question}\n  data: {one.needs.data}\n  images: {one.needs.images}\n  first weights: {weights}"
        )
        for role, what in one.roles.items():
            example = f" (for example {what.example})" if what.example else ""
            print(f"  {presets.option_of(role)}: {what.what}{example}{', may be left out' * what.optional}")
    print(
        "Each in miniature, minutes on a laptop: add --mini. What it would run and take, nothing started: --dry-run."
    )
    return 0


def _as_json(one: "Preset") -> dict[str, Any]:
    from cxrlab.sweeps import presets

    said = one.model_dump(mode="json", exclude={"sweep", "miniature"})
    return {
        **said,
        "runs": presets.count(one),
        "needs": {**said["needs"], "weights": presets.weights_of(one)},
    }


def tell_plan(lab: Lab, sweep: specs.SweepSpec, found: "Expansion", *, as_json: bool) -> int:
    """Print what would run, what cannot, and what it takes; 2 when it would be refused."""
    from cxrlab.sweeps import expand, plan

    cost = plan.cost(lab, found)
    if as_json:
        value = {
            "sweep": sweep.name,
            "runs": [{"key": cell.key, "needs": cell.needs, "added_for": cell.added} for cell in found.cells],
            "invalid": found.invalid,
            "same": found.same,
            "seconds": round(cost.seconds, 1),
            "seconds_low": round(cost.low, 1),
            "seconds_high": round(cost.high, 1),
            "bytes": round(cost.n_bytes),
            "basis": cost.basis,
        }
        print(json.dumps(value, indent=1))
    else:
        for cell in found.cells[:LISTED]:
            print(f"{cell.key}{_beside(cell)}")
        if len(found.cells) > LISTED:
            print(f"… and {len(found.cells) - LISTED} more")
        for key, first in found.same.items():
            print(f"{key}: the same run as {first}")
        for key, why in found.invalid.items():
            print(f"{key}: cannot be: {why}")
        print(cost_line(found, cost))
    expand.refuse(found, skip_invalid=sweep.skip_invalid)
    return 0


def _beside(cell: "Cell") -> str:
    said = [f"added: {cell.added} needs it"] if cell.added else []
    said += [f"after {', '.join(cell.needs.values())}"] if cell.needs else []
    return f" ({'; '.join(said)})" if said else ""


def cost_line(found: "Expansion", cost: "Estimate") -> str:
    """Return how many runs there are and what they take, in a sentence."""
    n, added = len(found.cells), len(found.added)
    runs = f"{n} run{'s' * (n != 1)}" + (f", {added} of them added because others need them" if added else "")
    return (
        f"{runs}: about {console.seconds(cost.seconds)} (between {console.seconds(cost.low)} and "
        f"{console.seconds(cost.high)}) and at most {files.size_in_words(cost.n_bytes)} of disk; time {cost.basis}."
    )


def tell(lab: Lab, sweep: specs.SweepSpec, args: argparse.Namespace, now: dict | None = None) -> int:
    """Print the table of what has come out."""
    from cxrlab.report import sweep_table
    from cxrlab.sweeps import results

    by_run = results.table(lab, sweep)
    table = by_run if getattr(args, "by_run", False) else sweep_table.over_seeds(by_run)
    if args.json:
        rows = [state.plain(row) for row in table.astype(object).to_dict("records")]
        print(json.dumps({"sweep": sweep.name, "run": sweep.run_id, **(now or {}), "table": rows}, indent=1))
        return 0
    print(console.table(worded(table)))
    for sentence in beneath(lab, table, by_run):
        print(sentence)
    return 0


def beneath(lab: Lab, table: "pd.DataFrame", by_run: "pd.DataFrame") -> list[str]:
    """Return what a table of a sweep leaves open: what its numbers are, who is ahead, what is not there and why."""
    from cxrlab.report import sweep_lead, sweep_table

    said = []
    if sweep_table.HOME in table and table[sweep_table.HOME].notna().any():
        said.append(NOTE)
    over = sweep_table.over_seeds(by_run)
    scored = by_run[by_run[sweep_table.HOME].notna()] if sweep_table.HOME in by_run else by_run[:0]
    homes = {specs.read(lab.run(run_id).spec).view.source for run_id in scored[sweep_table.RUN]}
    if len(homes) > 1:
        said.append(sweep_lead.SEVERAL_HOMES)
    elif (found := sweep_lead.lead(over)) is not None:
        setting = sweep_table.setting_of(by_run)
        first, second = (
            ", ".join(str(over.loc[k, name]) for name in setting) for k in (found.first, found.second)
        )
        by = f"{first} is ahead of {second} by {found.by:.3f} at home"
        if found.is_clear:
            said.append(f"{by}; training again moves that by about {found.moves:.3f}. {BY_HOME}")
        else:
            known = not math.isnan(found.moves)
            but = (
                f"training again moves that by about {found.moves:.3f}"
                if known
                else "with one seed nothing says by chance or not"
            )
            said.append(f"{by}, but {but}: it cannot be told which is better. {BY_HOME}")
    lost = by_run[by_run[sweep_table.WHY] != ""]
    for _, row in lost.iterrows():
        name = " ".join(str(row[column]) for column in sweep_table.setting_of(by_run) if row[column] != "")
        said.append(
            f"not there: {name} seed {row[sweep_table.SEED]} {row[sweep_table.RUN]} {row[sweep_table.WHY]}"
        )
    return said


def worded(table: "pd.DataFrame") -> list[dict[str, str]]:
    """Return a table's rows as texts: a number with its sd beside it, a gap with its interval and verdict too."""
    from cxrlab.report import sweep_table

    numbers = sweep_table.numbers_of(table)
    beside = {
        *sweep_table.beside_of(table),
        sweep_table.WHY,
        *(f"{name}{sweep_table.SD}" for name in numbers),
    }
    return [
        {name: _worded(row, name, numbers) for name in table if name not in beside}
        for row in table.to_dict("records")
    ]


def _worded(row: dict[str, Any], name: str, numbers: list[str]) -> str:
    from cxrlab.report import sweep_table

    if name not in numbers:
        return str(row[name])
    said = sweep_table.spread(row[name], row.get(f"{name}{sweep_table.SD}", math.nan))
    low, high, says = (
        row.get(f"{name}{end}", math.nan) for end in (sweep_table.LOW, sweep_table.HIGH, sweep_table.SAYS)
    )
    if isinstance(says, str) and not math.isnan(row[name]):
        said += (f" [{low:.3f}, {high:.3f}]" if not math.isnan(low) else "") + f" {says}"
    return said
