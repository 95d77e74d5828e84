"""The verb `fetch`: which published collections there are, and getting one.

In:    arguments.
Out:   a collection's files, or the steps to ask for them; tables on standard output, or JSON with --json.
Never: a download before its licence was shown and accepted.
"""

import argparse
import json
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from cxrlab import fetching, progress
from cxrlab.commands import console
from cxrlab.errors import BadInput
from cxrlab.fetching import Collection, sums
from cxrlab.fetching.terms import amount, licence, said_size
from cxrlab.paths import Lab

QUIET_SECONDS = 15.0  # between lines, where they cannot renew themselves


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `fetch`."""
    parser = verbs.add_parser(
        "fetch",
        help="open data: what there is, and getting it; for the rest, how to ask for it",
        description="Without a name: every collection. With one: its licence, then its files; "
        "for a collection that must be asked for, the steps (nothing is fetched then, and the exit status is 0).",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(fetching.CATALOGUE))
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where to (default: fetched/NAME in the lab)"
    )
    parser.add_argument(
        "--size", metavar="28|64|128|224", help="MedMNIST: the images' side, pixels (default 28)"
    )
    parser.add_argument("--yes", action="store_true", help="the licence is accepted")
    parser.add_argument(
        "--url-base",
        metavar="URL",
        help="take the files from this mirror: URL/FILE, under the names of --json",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """List the collections, say one's steps, or fetch it."""
    if args.name is None:
        return _list(args)
    collection = fetching.find(args.name, args.size)
    folder = (args.to or fetching.folder_of(Lab.here(), args.name)).expanduser().resolve()
    if collection.gated:
        return _say_steps(collection, folder, args.json)
    print(licence(collection, args.size), file=sys.stderr if args.json else sys.stdout, flush=True)
    _need_consent(collection, args.yes)
    try:
        fetching.fetch(
            Lab.here(),
            args.name,
            progress=progress.Progress(echo=_Bar()),
            variant=args.size,
            base=args.url_base,
            to=folder,
        )
    except KeyboardInterrupt:
        print("\nWhat has come is kept; the same command goes on from there.", file=sys.stderr)
        raise
    return _tell(collection, folder, args)


def _list(args: argparse.Namespace) -> int:
    collections = fetching.CATALOGUE.values()
    if args.json:
        print(json.dumps([_as_dict(collection) for collection in collections], indent=1, ensure_ascii=False))
        return 0
    rows = [
        {
            "name": one.name,
            "title": one.title,
            "access": "ask its owner" if one.gated else "open",
            "size": _size(one),
            "licence": textwrap.shorten(one.licence, 44, placeholder=" …"),
        }
        for one in collections
    ]
    print(console.table(rows))
    print(
        "`python -m cxrlab fetch NAME` fetches an open one, and says the steps for one that must be asked for."
    )
    return 0


def _size(collection: Collection) -> str:
    if collection.gated:
        return "see its page"
    smallest = said_size(collection, None)
    if len(collection.variants) < 2:
        return smallest
    return f"{smallest} to {said_size(collection, collection.variants[-1])}"


def _as_dict(collection: Collection) -> dict[str, Any]:
    return {
        "name": collection.name,
        "title": collection.title,
        "dataset": collection.dataset,
        "gated": collection.gated,
        "licence": collection.licence,
        "citation": collection.citation,
        "page": collection.page,
        "note": collection.note,
        "variants": list(collection.variants),
        "steps": list(collection.steps),
        "layout": collection.layout.splitlines(),
        "files": [vars(file) for file in collection.files],
    }


def _need_consent(collection: Collection, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput(
            f"{collection.name} is fetched when its licence is accepted: read it above, then add --yes."
        )
    print("Do you accept this licence? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("the licence was not accepted; nothing was fetched.")


def _say_steps(collection: Collection, folder: Path, as_json: bool) -> int:
    commands = fetching.ingest_commands(folder, collection.name)
    if as_json:
        facts = {**_as_dict(collection), "fetched": False, "folder": str(folder), "next": commands}
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return 0
    print(f"{collection.title} must be asked for in person; nothing was fetched.")
    print(f"licence: {collection.licence}\ncite:    {collection.citation}\npage:    {collection.page}\n")
    for number, step in enumerate(collection.steps, 1):
        print(
            textwrap.fill(
                step, 110, initial_indent=f"{number}. ", subsequent_indent="   ", break_long_words=False
            )
        )
    print(f"\nThen {folder} (or any folder) must look like this:")
    print(textwrap.indent(collection.layout, "  "))
    if collection.note:
        print(f"\n{collection.note}")
    print("\nRead it in:\n  " + "\n  ".join(commands))
    return 0


def _tell(collection: Collection, folder: Path, args: argparse.Namespace) -> int:
    commands = fetching.ingest_commands(folder, collection.name, args.size)
    if args.json:
        known = sums.read(folder)
        files = [
            {
                "name": file.name,
                "path": str(folder / file.product),
                "sha256": known.get(file.name),
                "checksum_published": file.has_checksum,
            }
            for file in collection.files_of(args.size)
        ]
        print(
            json.dumps(
                {
                    "name": collection.name,
                    "fetched": True,
                    "folder": str(folder),
                    "files": files,
                    "next": commands,
                },
                indent=1,
            )
        )
        return 0
    print(f"{collection.name} is in {folder}; SOURCE-{collection.name}.txt there says where it comes from.")
    print("Read it in:\n  " + "\n  ".join(commands))
    return 0


class _Bar:
    """One line on a terminal that renews itself; where standard error is a file, a line a stage and now and then."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []
        self._at = -QUIET_SECONDS

    def __call__(self, line: dict[str, Any]) -> None:
        """Show where the fetch stands after one more progress line."""
        new = not self._lines or self._lines[-1]["stage"] != line["stage"] or line["done"] == 0
        self._lines = [line] if new else [self._lines[0], line]
        text = bar(progress.now(self._lines))
        if sys.stderr.isatty():
            end = "\n" if line["of"] and line["done"] >= line["of"] else ""
            print(f"\r\x1b[K{text}", end=end, file=sys.stderr, flush=True)
        elif new or time.monotonic() - self._at > QUIET_SECONDS:
            print(text, file=sys.stderr, flush=True)
            self._at = time.monotonic()


def bar(now: progress.Now) -> str:
    """Return one line: stage, bytes, rate, time left.

    >>> bar(progress.Now("fetching a.zip", 3_000_000, 12_000_000, 500_000.0, 18.0))
    'fetching a.zip  3.0 MB of 12.0 MB  0.5 MB/s  18 s left'
    """
    parts = [now.stage]
    if now.of:
        parts.append(f"{amount(now.done)} of {amount(now.of)}")
    elif now.done:
        parts.append(amount(now.done))
    if now.rate == now.rate and now.done < (now.of or now.done + 1):  # not NaN, and not over
        parts.append(f"{now.rate / 1e6:.1f} MB/s")
        if now.of:
            parts.append(f"{console.seconds(now.seconds_left)} left")
    return "  ".join(parts)
