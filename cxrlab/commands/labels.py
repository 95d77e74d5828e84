"""The verb `labels`: what each dataset's own words mean here, and a copy of that map to edit.

In:    arguments.
Out:   a table on standard output, or JSON with --json; a CSV with --out.
Never: data of a site.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxrlab import files, labelmap
from cxrlab.commands import console
from cxrlab.errors import BadInput
from cxrlab.labelmap.table import BREADTHS, COLUMNS
from cxrlab.labels import SPACES


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `labels`."""
    parser = verbs.add_parser(
        "labels",
        help="what each dataset's own labels became; a copy of the map to edit",
        description="Without DATASET: the datasets that the label map knows, and the label spaces.",
    )
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help=", ".join(labelmap.DATASETS))
    parser.add_argument(
        "--breadth",
        choices=BREADTHS,
        default="narrow",
        help="narrow (default): words that mean the label; broad: also words that include it",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write an editable copy; use it with `ingest … --map FILE`"
    )
    parser.add_argument("--json", action="store_true", help="print the map as JSON")
    parser.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """Print the map of one dataset or the list of all, or write a copy.

    Raises:
        UnknownName: the map has no such dataset.
        BadInput: --out without a dataset, or onto a file that is there.
    """
    if args.dataset is None:
        if args.out is not None:
            raise BadInput(f"--out {args.out} needs a dataset: one of {', '.join(labelmap.DATASETS)}.")
        return _list(args.json)
    name = _map_name(args.dataset)
    known = labelmap.of(name, args.breadth)
    if args.out is not None:
        return _write(name, args)
    if args.json:
        rules = [asdict(rule) for rule in known.rules]
        return _print({"dataset": name, "breadth": known.origin, "digest": known.digest, "rules": rules})
    print(console.table([{**asdict(rule), "label": rule.label or "(left out)"} for rule in known.rules]))
    print(
        f"\n{name}, {known.origin} map, digest {known.digest[:12]}; words compared whole, * stands for any ending"
    )
    return 0


def _map_name(dataset: str) -> str:
    """Return the name in the map of what an ingest calls `dataset`.

    Raises:
        BadInput: the dataset's labels are its user's own, or it has several maps.
        UnknownName: neither the map nor an importer has this name.
    """
    if dataset in labelmap.DATASETS:
        return dataset
    from cxrlab.sites import SITES  # decoders and tables, which the map itself never needs

    if dataset == "medmnist":
        raise BadInput("medmnist holds two sets with a map each; ask for chestmnist or pneumoniamnist.")
    if SITES[dataset].label_map:
        return SITES[dataset].label_map
    raise BadInput(
        f"{dataset} has no label map of its own; where it takes one, write a .csv with the columns "
        f"{','.join(COLUMNS[:4])} and name it with `ingest … --map FILE`."
    )


def _write(name: str, args: argparse.Namespace) -> int:
    if args.out.exists():
        raise BadInput(f"{args.out} is there already; choose another name, so that no edited map is lost.")
    files.write_text(args.out, labelmap.copy(name, args.breadth))
    n = len(labelmap.of(name, args.breadth).rules)
    if args.json:
        return _print({"written": str(args.out), "rules": n})
    print(f"{n} rows of {name} → {args.out}; edit it, then `python -m cxrlab ingest … --map {args.out}`")
    return 0


def _list(as_json: bool) -> int:
    from cxrlab.sites import SITES

    datasets = [_summary(name, list(SITES.values())) for name in labelmap.DATASETS]
    if as_json:
        return _print(
            {"datasets": datasets, "spaces": {name: list(labels) for name, labels in SPACES.items()}}
        )
    print(console.table([{key: str(value) for key, value in line.items()} for line in datasets]))
    print("\nlabel spaces")
    print(console.table([{"space": name, "labels": ", ".join(labels)} for name, labels in SPACES.items()]))
    return 0


def _summary(name: str, sites: list[Any]) -> dict[str, Any]:
    narrow, broad = labelmap.of(name, "narrow"), labelmap.of(name, "broad")
    readers = [site.name for site in sites if site.label_map == name]
    if name == "pneumoniamnist":
        readers.append("medmnist")
    return {
        "dataset": name,
        "words": len(narrow.natives),
        "words (broad)": len(broad.natives),
        "labels": len({rule.label for rule in narrow.rules if rule.label}),
        "labels (broad)": len({rule.label for rule in broad.rules if rule.label}),
        "ingest as": ", ".join(readers),
    }


def _print(value: Any) -> int:
    print(json.dumps(value, indent=1, ensure_ascii=False))
    return 0
