"""The verb `leaks`: which sites of the lab share images or patients, and which images a site holds twice.

In:    arguments.
Out:   tables on standard output, or JSON with --json; progress on standard error.
Never: refusing anything; that is for the guard of each spec.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import asdict

from cxrlab import store
from cxrlab.commands import console
from cxrlab.errors import BadInput, MissingInput
from cxrlab.leaks import hashes, survey
from cxrlab.paths import Lab
from cxrlab.store import Store

SHOWN = 20  # pairs of images in a table; --json has all


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `leaks`."""
    leaks = verbs.add_parser(
        "leaks",
        help="which sites share images or patients, and which images a site holds twice",
        description="Compare every pair of sites by dataset, patients and pixels, and each site with itself.",
    )
    leaks.add_argument("sites", nargs="*", metavar="SITE", help="which sites (default: all)")
    leaks.add_argument("--json", action="store_true", help="print the figures as JSON")
    leaks.set_defaults(carry_out=carry_out_leaks)


def carry_out_leaks(args: argparse.Namespace) -> int:
    """Print what the named sites share; one site alone is compared with all others."""
    lab = Lab.here()
    known = lab.sites()
    missing = [site for site in args.sites if site not in known]
    if missing:
        raise MissingInput(f"no site {missing[0]!r} in {lab.root}; it has: {', '.join(known) or 'none'}.")
    if len(set(args.sites)) < len(args.sites):
        raise BadInput("a site is named twice; name each once.")
    chosen = args.sites or known
    couples = list(itertools.combinations(chosen, 2))
    if len(args.sites) == 1:
        couples = [(args.sites[0], site) for site in known if site != args.sites[0]]
    opened = {
        site: store.read(lab.store(site)) for site in dict.fromkeys([*chosen, *itertools.chain(*couples)])
    }
    for one in opened.values():
        hashes.fingerprints(lab, one, _teller(one))
    between = [survey.between(lab, opened[a], opened[b]) for a, b in couples]
    within = [survey.within(lab, opened[site]) for site in chosen]
    if args.json:
        print(json.dumps({"between": [asdict(row) for row in between], "within": [asdict(row) for row in within]},
                         indent=1, ensure_ascii=False))  # fmt: skip
        return 0
    _print_between(between)
    for row in within:
        _print_within(row)
    return 0


def _teller(one: Store) -> Callable[[int], None]:
    """Return what shows on a terminal how many images are hashed."""

    def tell(done: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done >= len(one) else ""
            print(f"\r\x1b[K{one.site}: hash {done:,}/{len(one):,}", end=end, file=sys.stderr, flush=True)

    return tell


def _print_between(rows: list[survey.Between]) -> None:
    if not rows:
        print("fewer than two sites: nothing to compare.")
        return
    print(console.table([{
        "site": row.a,
        "other": row.b,
        "patients in both": f"{row.n_patients:,}" if row.patients_comparable else "names differ",
        "near-duplicates": f"{row.n_copies_a:,} of {row.n_a:,} = {row.n_copies_b:,} of {row.n_b:,}" if row.pairs else "0",
        "kinship": row.kin or "none known",
    } for row in rows]))  # fmt: skip
    for row in rows:
        if row.pairs:
            print(f"\n{row.a} = {row.b} (agreement of pixels, 1 and more: copies)")
            print(
                console.table(
                    [{"image": a, "is": b, "agreement": f"{alike:.3f}"} for a, b, alike in row.pairs[:SHOWN]]
                )
            )
            _print_rest(len(row.pairs))


def _print_within(row: survey.Within) -> None:
    if not row.pairs:
        print(f"\n{row.site}: no image under two patients' names among {row.n:,}.")
        return
    print(
        f"\n{row.site}: {len(row.pairs):,} pairs of near-duplicates under different patients' names, "
        f"{row.n_across:,} of them in different splits"
    )
    print(
        console.table([{**asdict(pair), "agreement": f"{pair.agreement:.3f}"} for pair in row.pairs[:SHOWN]])
    )
    _print_rest(len(row.pairs))


def _print_rest(n: int) -> None:
    if n > SHOWN:
        print(f"and {n - SHOWN:,} more; --json has all.")
