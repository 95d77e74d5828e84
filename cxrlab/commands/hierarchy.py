"""The verb `hierarchy`: a gate in front of a disease model, beside the model without one.

In:    arguments that name finished runs.
Out:   tables and sentences on standard output, or JSON with --json.
Never: torch, training, arithmetic (report has it).
"""

import argparse
import json

import pandas as pd

from cxrlab import gates, jobs
from cxrlab.commands import console
from cxrlab.errors import BadInput
from cxrlab.jobs import state
from cxrlab.metrics.rule_names import AIMED, KINDS, Rule
from cxrlab.paths import Lab
from cxrlab.report import estimate, number


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `hierarchy`."""
    verb = verbs.add_parser(
        "hierarchy",
        help="what a gate in front of a disease model spares, and what it loses at the same operating point",
        description="Two finished runs as one: a normal/abnormal run as gate and a run of findings, which alone is the flat "
        "model; or a run of the network 'hierarchical' beside a flat run.",
    )
    verb.add_argument("--gate", metavar="RUN", help="a run of the task 'normal'; its beginning will do")
    verb.add_argument("--disease", metavar="RUN", help="a run of findings of the same home")
    verb.add_argument("--joint", metavar="RUN", help="a run of the network 'hierarchical'")
    verb.add_argument("--flat", metavar="RUN", help="beside --joint: a run of findings of the same home")
    verb.add_argument(
        "--cut",
        metavar="RULE",
        default="sensitivity 0.95",
        help="cuts the gate on home's validation rows (default: 'sensitivity 0.95'); a network with a gate brings its own",
    )
    verb.add_argument(
        "--aim",
        metavar="RULE",
        default="sensitivity 0.9",
        help="the operating point of both, on home's validation rows (default: 'sensitivity 0.9')",
    )
    verb.add_argument("--json", action="store_true", help="print the figures as JSON")
    verb.set_defaults(carry_out=carry_out_hierarchy)


def carry_out_hierarchy(args: argparse.Namespace) -> int:
    """Print what the gate spares and loses."""
    lab, aim = Lab.here(), rule_of(args.aim)
    given = {name for name in ("gate", "disease", "joint", "flat") if getattr(args, name)}
    if given == {"gate", "disease"}:
        runs = jobs.find(lab, args.gate).run_id, jobs.find(lab, args.disease).run_id
        found = gates.apart(lab, *runs, rule_of(args.cut), aim)
    elif given == {"joint", "flat"}:
        runs = jobs.find(lab, args.joint).run_id, jobs.find(lab, args.flat).run_id
        found = gates.jointly(lab, *runs, aim)
    else:
        raise BadInput("name --gate and --disease, two runs that were trained apart, or --joint and --flat.")
    if args.json:
        tables = {"saved": found.saved, "points": found.points}
        value = {"gate_cut_by": found.rule, "operating_point": found.aim, "notes": list(found.notes)}
        value |= {name: _plain(table) for name, table in tables.items()}
        print(json.dumps(value | {"says": found.sentences}, indent=1))
        return 0
    print(f"Gate cut by {found.rule}, models compared at {found.aim}, both on home's validation rows.")
    print(console.table(_saved(found.saved)))
    print(console.table(_points(found.points)))
    for sentence in (*found.notes, *found.sentences):
        print(sentence)
    return 0


def rule_of(text: str) -> Rule:
    """Return the rule that a person typed: its name, and what it aims at.

    Raises:
        BadInput: no such rule, or no number where it needs one.

    >>> rule_of("sensitivity .9")
    Rule(kind='sensitivity', value=0.9)
    """
    kind, _, value = text.strip().partition(" ")
    try:
        made = Rule(kind, float(value)) if kind in AIMED else Rule(kind)
    except ValueError:
        made = Rule("")
    if made.kind not in KINDS or (kind not in AIMED and value):
        raise BadInput(
            f"{text!r} is no rule; expected 'sensitivity 0.95', 'specificity 0.9', 'youden' or 'max-f1'."
        )
    return made


def _plain(table: pd.DataFrame) -> list[dict]:
    return [state.plain(row) for row in table.astype(object).to_dict("records")]


def _share(row: dict, name: str, ends: str = "") -> str:
    low, high = (row.get(f"{ends or name}_{end}", float("nan")) for end in ("low", "high"))
    return estimate(row[name], low, high)


def _saved(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "site": row["site"],
            "held back": _share(row, "share"),
            "of images": str(int(row["n"])),
            "operations spared": _share(row, "spared_flops", "spared"),
            "seconds spared": number(row["spared_seconds"]),
            "gate's sensitivity": _share(row, "sensitivity"),
            "gate's specificity": _share(row, "specificity"),
        }
        for row in table.to_dict("records")
    ]


def _points(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "site": row["site"],
            "label": row["label"],
            "": row["measure"],
            "flat": number(row["flat"]),
            "with gate": number(row["gated"]),
            "difference": estimate(row["difference"], row["low"], row["high"]),
            "verdict": row["why_nan"] or row["verdict"],
        }
        for row in table.to_dict("records")
    ]
