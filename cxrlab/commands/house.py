"""Verbs about the house itself: `bench` measures it, `doctor` says what this machine has and lacks.

In:    arguments.
Out:   tables on standard output, or JSON with --json.
Never: studies and runs.
"""

import argparse
import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import asdict

from cxrlab import bench, doctor
from cxrlab.bench.base import Line
from cxrlab.errors import UnknownName


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `bench` and `doctor`."""
    names = ", ".join(bench_names())
    measure = verbs.add_parser("bench", help="our speed beside a peer's, in the same run, as ratios")
    measure.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {names}")
    measure.add_argument("--json", action="store_true", help="print the figures as JSON")
    measure.set_defaults(carry_out=carry_out_bench)
    look = verbs.add_parser("doctor", help="what this machine has and lacks, each with its remedy")
    look.add_argument("--json", action="store_true", help="print the findings as JSON")
    look.set_defaults(carry_out=carry_out_doctor)


def bench_names() -> list[str]:
    """Return the benchmarks' names: one a file in cxrlab/bench."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name != "base")


def carry_out_bench(args: argparse.Namespace) -> int:
    """Run the named benchmarks one after the other. Raises UnknownName for one that is not there."""
    unknown = [name for name in args.names if name not in bench_names()]
    if unknown:
        raise UnknownName(f"no benchmark named {unknown[0]!r}; known: {', '.join(bench_names())}.")
    lines: list[Line] = []
    for name in args.names or bench_names():
        run: Callable[[], list[Line]] = importlib.import_module(f"cxrlab.bench.{name}").run
        for line in run():
            lines.append(line)
            if not args.json:
                print(sentence(line), flush=True)
    if args.json:
        print(json.dumps([asdict(line) for line in lines], indent=1))
    return 0


def sentence(line: Line) -> str:
    """Return one line of text.

    >>> sentence(Line("loader", "images delivered", 300.0, 10.0, "images/s", 30.0, 25.0))
    'loader: images delivered 300 images/s, peer 10 images/s, ratio 30.00 (bar 25.00, met)'
    """
    verdict = "met" if line.ratio >= line.bar else f"missed by {line.bar - line.ratio:.2f}"
    text = (
        f"{line.name}: {line.what} {line.ours:.4g} {line.unit}, peer {line.peer:.4g} {line.unit}, "
        f"ratio {line.ratio:.2f} (bar {line.bar:.2f}, {verdict})"
    )
    return f"{text}; {line.note}" if line.note else text


def carry_out_doctor(args: argparse.Namespace) -> int:
    """Print what was found; the exit status is 0 when nothing that is needed is missing, else 2."""
    findings = doctor.examine()
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(
                f"{finding.state:8} {finding.what}: {finding.found}"
                + (f" -> {finding.remedy}" if finding.remedy else "")
            )
    return 2 if any(finding.state == "missing" for finding in findings) else 0
