"""Verbs about data: `ingest` makes a site's store, `sites` says what the lab holds.

In:    arguments.
Out:   a store; tables on standard output, or JSON with --json; progress on standard error.
Never: runs.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cxrlab import ingest, planted, progress, store
from cxrlab.commands import console
from cxrlab.errors import BadInput, CxrlabError, MissingInput
from cxrlab.paths import Lab
from cxrlab.sites import SITES
from cxrlab.store import census


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `ingest` and `sites`."""
    _add_ingest(verbs)
    sites = verbs.add_parser("sites", help="what the lab's sites hold; check or remove a store")
    sites.set_defaults(carry_out=carry_out_list, json=False)
    sites.add_argument("--json", action="store_true", help="print the figures as JSON")
    deeds = sites.add_subparsers(dest="deed", metavar="list|show|check|rm")
    for name, help_text, carry_out in (
        ("list", "every site of the lab", carry_out_list),
        ("show", "one site's counts, labels, splits, ledger and what was left out", carry_out_show),
        ("check", "read every image of a store and compare it with its checksum", carry_out_check),
        ("rm", "remove a site's store", carry_out_remove),
    ):
        deed = deeds.add_parser(name, help=help_text)
        if name != "list":
            deed.add_argument("site", metavar="SITE")
        if name == "rm":
            deed.add_argument("--yes", action="store_true", help="really remove it")
        # SUPPRESS: `sites --json list` must not be undone by this parser's default.
        deed.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
        deed.set_defaults(carry_out=carry_out)


def _add_ingest(verbs: argparse._SubParsersAction) -> None:
    known = "\n".join(f"  {name:10} {site.title}: {site.expects}" for name, site in sorted(SITES.items()))
    parser = verbs.add_parser(
        "ingest",
        help="raw folder → store",
        description="Read a raw folder, as its owner publishes it, into the lab.",
        epilog=f"datasets:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", metavar="DATASET", help=", ".join(sorted(SITES)))
    parser.add_argument("raw", metavar="RAW", type=Path, help="the raw folder")
    parser.add_argument(
        "--site", required=True, metavar="NAME", help="the name that the site gets in this lab"
    )
    parser.add_argument(
        "--size", type=int, default=224, help="side of the stored images, pixels (default 224)"
    )
    parser.add_argument("--limit", type=int, help="at most so many images, the same ones each time")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="K=V",
        help="a setting of the dataset's reader; repeatable",
    )
    parser.add_argument(
        "--map",
        metavar="FILE|narrow|broad",
        help="the label map: narrow (default), broad, or an edited copy (`labels DATASET --out FILE`)",
    )
    parser.add_argument("--workers", type=int, help="decoding processes (default: one a core)")
    parser.add_argument("--replace", action="store_true", help="write over a site of this name")
    parser.add_argument("--dry-run", action="store_true", help="say what would be read and write nothing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(carry_out=carry_out_ingest)


def carry_out_ingest(args: argparse.Namespace) -> int:
    """Make a store, or say what one would hold."""
    options = _options(args.option)
    if args.map is not None:
        if "map" in options:
            raise BadInput(
                f"--map {args.map} and --option map={options['map']} say the same; give one of them."
            )
        options["map"] = args.map
    if args.dry_run:
        return _preview(args, options)
    done = ingest.ingest(
        Lab.here(),
        args.dataset,
        args.raw,
        args.site,
        px=args.size,
        limit=args.limit,
        options=options,
        workers=args.workers,
        progress=progress.Progress(echo=_Bar()),
        replace_old=args.replace,
    )
    if args.json:
        return _print_json({**vars(done), "path": str(done.path)})
    print(
        f"{done.site}: {done.n_images:,} images of {done.n_patients:,} patients"
        + (
            f", {done.n_quarantined:,} left out (`sites show {done.site}` says why)"
            if done.n_quarantined
            else ""
        )
        + (f"; {done.n_resumed:,} were already decoded" if done.n_resumed else "")
        + (f"; it was already there, nothing was done: {done.path}" if done.already else f" → {done.path}")
    )
    return 0


def _options(said: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for text in said:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise BadInput(
                f"--option {text!r} is not of the form NAME=VALUE; write for example --option table=labels.csv."
            )
        options[name.strip()] = value.strip()
    return options


def _preview(args: argparse.Namespace, options: dict[str, str]) -> int:
    seen = ingest.preview(args.dataset, args.raw, args.site, options)
    if args.json:
        return _print_json(
            {
                "title": seen.title,
                "source": seen.source,
                "n_images": seen.n_images,
                "n_patients": seen.n_patients,
                "labels": seen.labels.to_dict("records"),
                "ledger": list(seen.ledger),
                "quarantine": census.count_reasons([reason for _, reason in seen.quarantine]),
                "odd": seen.odd,
            }
        )
    print(
        f"{seen.title}\n{seen.source}\n{seen.n_images:,} images of {seen.n_patients:,} patients would be read\n"
    )
    print(_table(seen.labels.to_dict("records")), "\n")
    print(_table(list(seen.ledger)))
    for sentence in seen.odd:
        print(f"- {sentence}")
    print("Nothing was written (--dry-run).")
    return 0


class _Bar:
    """One line on a terminal that renews itself; where standard error is a file, a line a stage."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []

    def __call__(self, line: dict[str, Any]) -> None:
        """Show where the ingest stands after one more progress line."""
        new = not self._lines or self._lines[-1]["stage"] != line["stage"]
        self._lines = [line] if new else [self._lines[0], line]
        now = progress.now(self._lines)
        parts = [f"{now.stage} {now.done:,}" + (f"/{now.of:,}" if now.of else "")]
        if now.rate == now.rate:  # not NaN
            parts.append(f"{now.rate:,.0f} images/s")
        if now.seconds_left == now.seconds_left and now.seconds_left > 0:
            parts.append(f"{console.seconds(now.seconds_left)} left")
        if sys.stderr.isatty():
            end = "\n" if now.of and now.done >= now.of else ""
            print("\r\x1b[K" + "  ".join(parts), end=end, file=sys.stderr, flush=True)
        elif now.of and now.done >= now.of:
            print("  ".join(parts), file=sys.stderr)


def carry_out_list(args: argparse.Namespace) -> int:
    """Print one line a site; a damaged store is a line too."""
    lab = Lab.here()
    rows: list[dict[str, Any]] = []
    for site in lab.sites():
        try:
            opened = store.read(lab.store(site))
        except CxrlabError as error:
            rows.append(
                {
                    "site": site,
                    "images": 0,
                    "patients": 0,
                    "px": 0,
                    "left_out": 0,
                    "title": f"damaged: {error}",
                }
            )
            continue
        rows.append(
            {
                "site": site,
                "images": len(opened),
                "patients": int(opened.rows["patient_id"].nunique()),
                "px": int(opened.image_shape[0]),
                "left_out": len(opened.quarantine),
                "title": opened.header.title + (" [synthetic]" if opened.header.synthetic else ""),
            }
        )
    if args.json:
        return _print_json(rows)
    print(
        _table(rows)
        or f"no sites in {lab.root}; make one with `python -m cxrlab ingest` or `python -m cxrlab demo`."
    )
    return 0


def carry_out_show(args: argparse.Namespace) -> int:
    """Print what one store holds."""
    opened = store.read(Lab.here().store(args.site))
    facts = census.take(opened)
    if args.json:
        return _print_json(facts)
    print(f"{facts['site']}: {facts['title']}" + (" [synthetic]" if facts["synthetic"] else ""))
    print(facts["source"])
    if mark := planted.mark_of(opened.header):
        print(mark)
    print(
        f"{facts['n_images']:,} images of {facts['n_patients']:,} patients, {facts['px']} px, digest {facts['digest'][:12]}"
    )
    for what in ("splits", "views", "sexes"):
        print(f"{what}: " + ", ".join(f"{name or 'not said'} {n:,}" for name, n in facts[what].items()))
    age = facts["age_years"]
    print(
        f"age: {age['n']:,} known"
        + (f", median {age['median']:.0f} [{age['low']:.0f}, {age['high']:.0f}]" if age["n"] else "")
    )
    print("\n" + _table(facts["evidence"]))
    print("\nwhat became what\n" + (_table(facts["ledger"]) or "nothing was said"))
    print(f"\nleft out: {facts['n_quarantined']:,}")
    if facts["quarantine"]:
        print(_table(facts["quarantine"]))
    return 0


def carry_out_check(args: argparse.Namespace) -> int:
    """Read a whole store; exit 2 when something is wrong with it."""
    wrong = store.check(Lab.here().store(args.site))
    if args.json:
        _print_json({"site": args.site, "wrong": wrong})
    else:
        print("\n".join(wrong) or f"{args.site} is whole: every image matches its checksum.")
    return 2 if wrong else 0


def carry_out_remove(args: argparse.Namespace) -> int:
    """Remove a store; runs that used it keep their predictions."""
    path = Lab.here().store(args.site)
    if not path.exists():
        raise MissingInput(
            f"no site {args.site!r} in {Lab.here().root}; it has: {', '.join(Lab.here().sites()) or 'none'}."
        )
    if not args.yes:
        raise BadInput(
            f"`sites rm {args.site}` would remove {path} ({path.stat().st_size / 1e6:.0f} MB); say --yes."
        )
    ingest.remove(Lab.here(), args.site)
    if args.json:
        return _print_json({"removed": str(path)})
    print(f"removed {path}")
    return 0


def _print_json(value: Any) -> int:
    print(json.dumps(value, indent=1, ensure_ascii=False))
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    def text(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, float):
            return f"{value:.3f}"
        return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

    return console.table([{key: text(value) for key, value in row.items()} for row in rows])
