"""`variants`: stores with prepared images, made ahead of a run, listed and removed.

In:    arguments.
Out:   derived stores; tables on standard output, or JSON with --json; progress on standard error.
Never: runs.
"""

import argparse
import json
import math
from dataclasses import asdict
from typing import Any, get_args

from cxrlab import progress, store, variants
from cxrlab.commands import console
from cxrlab.commands.data import _Bar
from cxrlab.errors import BadInput, BadSpec
from cxrlab.paths import Lab
from cxrlab.spec import PreprocessSpec, ViewSpec


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `variants`."""
    parser = verbs.add_parser(
        "variants", help="sites with prepared images: list, make ahead of a run, remove"
    )
    parser.set_defaults(carry_out=carry_out_list, json=False)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    deeds = parser.add_subparsers(dest="deed", metavar="list|make|rm")
    listing = deeds.add_parser("list", help="every variant: what was done, its size, who uses it")
    listing.set_defaults(carry_out=carry_out_list)
    make = deeds.add_parser("make", help="prepare sites now; a run would do it on its own")
    make.add_argument("sites", nargs="+", metavar="SITE")
    for name in ("crop", "contrast", "shape"):
        field = PreprocessSpec.model_fields[name]
        make.add_argument(
            f"--{name}", choices=get_args(field.annotation), default=field.default, help=field.description
        )
    make.add_argument(
        "--home",
        nargs="+",
        default=(),
        metavar="SITE",
        help="with --contrast nyul: the home site of the runs",
    )
    make.add_argument(
        "--official-split", action="store_true", help="with --contrast nyul: home's own split decides"
    )
    make.set_defaults(carry_out=carry_out_make)
    remove = deeds.add_parser("rm", help="remove variants; a run makes them again when it needs them")
    remove.add_argument("names", nargs="*", metavar="NAME", help="as `variants list` names them")
    remove.add_argument("--unused", action="store_true", help="all that no run uses or could use again")
    remove.set_defaults(carry_out=carry_out_remove)
    for deed in (listing, make, remove):
        # SUPPRESS: `variants --json list` must not be undone by this parser's default.
        deed.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def carry_out_list(args: argparse.Namespace) -> int:
    """Print one line a variant."""
    lab = Lab.here()
    there = variants.listed(lab)
    if args.json:
        return _print_json([_plain(one) for one in there])
    rows = [
        {
            "name": one.name,
            "images": f"{one.n_images:,} {one.words}",
            "size": f"{one.n_bytes / 1e6:,.0f} MB",
            "lungs not found": "" if math.isnan(one.fallback_rate) else f"{one.fallback_rate:.1%}",
            "used by": ", ".join(one.used_by) or "no run",
            "": one.stale,
        }
        for one in there
    ]
    print(console.table(rows) if rows else f"no variants in {lab.derived}; a run makes those that it needs.")
    return 0


def _plain(one: variants.Variant) -> dict[str, Any]:
    rate = one.fallback_rate
    return asdict(one) | {"fallback_rate": None if math.isnan(rate) else rate}


def carry_out_make(args: argparse.Namespace) -> int:
    """Make the variants of some sites."""
    lab = Lab.here()
    if args.contrast == "nyul" and not args.home:
        raise BadSpec("--contrast nyul standardises to a home site; name it with --home SITE.")
    opened = {site: store.read(lab.store(site)) for site in dict.fromkeys((*args.sites, *args.home))}
    view = ViewSpec(
        source=tuple(args.home) or tuple(args.sites),
        preprocess=PreprocessSpec(crop=args.crop, contrast=args.contrast, shape=args.shape),
        official_split=args.official_split,
    )
    recipe = variants.recipe_of(view, {site: one.digest for site, one in opened.items()})
    if recipe is None:
        raise BadSpec("nothing is asked to be done to the images; choose --crop, --contrast or --shape.")
    told = progress.Progress(echo=_Bar())
    recipe = variants.fitted(recipe, [opened[site] for site in view.source], told)
    names = [variants.opened(lab, opened[site], recipe, told).path.stem for site in args.sites]
    made = [one for one in variants.listed(lab) if one.name in names]
    if args.json:
        return _print_json([_plain(one) for one in made])
    for one in made:
        whole = "" if math.isnan(one.fallback_rate) else f"; lungs not found on {one.fallback_rate:.1%}"
        print(f"{one.name}: {one.n_images:,} images, {one.words}, {one.n_bytes / 1e6:,.0f} MB{whole}")
        for reason, n in one.fallback.items():
            print(f"  {n:,} whole: {reason}")
    return 0


def carry_out_remove(args: argparse.Namespace) -> int:
    """Remove variants by name, or all that no run uses or could use again: their site is gone or another."""
    lab = Lab.here()
    if bool(args.names) == args.unused:
        raise BadInput("say which variants to remove: names, as `variants list` shows them, or --unused.")
    names = args.names or [one.name for one in variants.listed(lab) if one.stale or not one.used_by]
    freed = sum(variants.remove(lab, name) for name in names)
    if args.json:
        return _print_json({"removed": list(names), "bytes": freed})
    print(f"removed {len(names)} variants, {freed / 1e6:,.0f} MB")
    return 0


def _print_json(value: Any) -> int:
    print(json.dumps(value, indent=1, ensure_ascii=False))
    return 0
