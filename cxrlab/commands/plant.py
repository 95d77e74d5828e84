"""`plant`: a copy of a site under a planted shift of known dose.

In:    arguments.
Out:   a store; the kinds there are; progress on standard error.
Never: formulas.
"""

import argparse
import json

from cxrlab import planted, progress, store
from cxrlab.commands import console
from cxrlab.commands.data import _Bar
from cxrlab.errors import BadInput
from cxrlab.images import corrupt
from cxrlab.paths import Lab


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `plant`."""
    parser = verbs.add_parser(
        "plant",
        help="copy a site through a shift of known dose: a photograph, another machine, another vendor",
        description="Copy a site through one planted shift into a new site. What a model loses there is known to come "
        "from that shift alone.",
    )
    parser.add_argument("from_site", metavar="SITE", nargs="?", help="the site to copy; it stays as it is")
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", help="what to plant; `plant --list` names the kinds"
    )
    parser.add_argument("severity", metavar="SEVERITY", nargs="?", help="1 (mild) to 5 (heavy); 0: a control")
    parser.add_argument("--site", metavar="NAME", help="the name that the copy gets")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other draws (default 0)")
    parser.add_argument("--list", action="store_true", help="say what each kind is and its doses")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """Plant a shift, or list the kinds."""
    if args.list:
        return _list(args.json)
    if None in (args.from_site, args.kind, args.severity, args.site):
        raise BadInput(
            "`plant` needs SITE KIND SEVERITY and --site NAME, for example "
            "`python -m cxrlab plant nih glare 3 --site nih-glare3`; `plant --list` names the kinds."
        )
    severity = int(args.severity) if args.severity.isdecimal() else args.severity
    path = planted.plant(
        Lab.here(),
        args.from_site,
        args.kind,
        severity,
        args.site,
        seed=args.seed,
        progress=progress.Progress(echo=_Bar()),
    )
    made = store.read(path)
    said = planted.facts_of(made.header)
    if args.json:
        facts = {"site": made.site, "path": str(path), "n_images": len(made), "digest": made.digest}
        print(json.dumps({**facts, "planted": said}, indent=1, ensure_ascii=False))
        return 0
    print(
        f"{made.site}: {len(made):,} images, {planted.mark_of(made.header)}; {said['measure']} {said['measured']:.3f} "
        f"here, {said['dose']:.3f} on phantoms"
        + (f"; {said['boxes_left_out']:,} boxes left the frame" if said["boxes_left_out"] else "")
        + f" → {path}"
    )
    return 0


def _list(as_json: bool) -> int:
    kinds = [
        {
            "kind": kind.name,
            "family": kind.family,
            "what": kind.title,
            "measure": kind.measure,
            "doses": [corrupt.step_of(kind.name, severity).dose for severity in corrupt.SEVERITIES],
            "strength": kind.strength,
            "strengths": [corrupt.step_of(kind.name, severity).strength for severity in corrupt.SEVERITIES],
            "note": corrupt.step_of(kind.name, 1).note,
        }
        for family in corrupt.FAMILIES
        for kind in corrupt.KINDS.values()
        if kind.family == family
    ]
    if as_json:
        print(json.dumps(kinds, indent=1, ensure_ascii=False))
        return 0
    print(
        console.table(
            [
                {name: one[name] for name in ("family", "kind", "what")}
                | {
                    "dose, severity 1 to 5": f"{one['doses'][0]:.3f} to {one['doses'][-1]:.3f} {one['measure']}"
                }
                for one in kinds
            ]
        )
    )
    print("\ndissimilarity: 1 - SSIM; displacement: mean way of a point, in sides. Measured on phantoms.")
    return 0
