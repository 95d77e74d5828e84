"""`python -m cxrlab.bench.gpu`: what a person starts on a machine with a GPU.

In:    arguments.
Out:   a table, or JSON; exit status 0 when every check holds, 1 when one fails, 2 when nothing could be measured.
Never: measuring.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from cxrlab.bench.gpu import needs


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry it out; return the exit status."""
    args = _parser().parse_args(arguments)
    problem = needs.problem(args.device)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    from cxrlab.bench.gpu import ground, told, whole
    from cxrlab.errors import CxrlabError

    size = ground.MINIATURE if args.miniature else ground.FULL
    if args.batch:
        size = replace(size, batches=tuple(args.batch))
    if args.network:
        size = replace(size, networks=tuple(args.network))
    parts = [args.only] if args.only else ["check", "time"]
    try:
        # A training says on standard output what did not go as asked; here that belongs to the results alone.
        with contextlib.redirect_stdout(sys.stderr):
            found = whole.measure(
                size, args.device, parts=parts, compiled=args.compile, autotune=args.autotune
            )
    except CxrlabError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(told.plain(found), indent=1) if args.json else told.table(found))
    return 0 if found.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cxrlab.bench.gpu",
        description=f"On a machine with a GPU: {needs.MEASURES}.",
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--miniature", action="store_true", help="small networks, few steps: a smoke test")
    parser.add_argument("--only", choices=("check", "time"), help="one part alone")
    parser.add_argument(
        "--batch",
        type=int,
        action="append",
        metavar="N",
        help="batch to time, may be repeated: the largest that fits",
    )
    parser.add_argument("--network", action="append", metavar="NAME", help="network to time, may be repeated")
    parser.add_argument("--compile", action="store_true", help="time compiled networks too")
    parser.add_argument(
        "--autotune", action="store_true", help="let cuDNN try its kernels for ours too, as timm always does"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
