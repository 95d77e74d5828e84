"""The verb `import-scores`: scores of a model that we do not have become a run.

In:    arguments.
Out:   a run; what was read, as text or JSON.
Never: a guess that a person did not see: what every column was taken for is printed.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from cxrlab.errors import BadInput
from cxrlab.paths import Lab


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `import-scores`."""
    parser = verbs.add_parser(
        "import-scores",
        help="a run of a model that we do not have, from its scores",
        description="Read one site's scores and truths, one row an image, into a run that the number pages show.",
        epilog="meanings for --map: image_id, patient_id, age_years, sex, view, split, prob:LABEL, logit:LABEL, "
        "y:LABEL, group:NAME, skip. Columns named like prob_Edema and true_Edema need none.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="CSV (plain or .gz) or parquet")
    parser.add_argument("--site", required=True, metavar="NAME", help="where the images come from")
    parser.add_argument(
        "--run", default="", metavar="NAME", help="the run; its name again adds a site (default: from FILE)"
    )
    parser.add_argument(
        "--map", action="append", default=[], metavar="COLUMN=MEANING", help="what a column is; repeatable"
    )
    parser.add_argument(
        "--truth",
        action="append",
        default=[],
        metavar="'READER:LABEL=COLUMN:WORD vs WORD'",
        help="what somebody else says of a label; | parts words, * is every other word; repeatable",
    )
    parser.add_argument(
        "--as-home",
        action="store_true",
        help="the model was trained at this site (on other images): tune thresholds on a third of the patients",
    )
    parser.add_argument("--replace", action="store_true", help="take this file for the site's former one")
    parser.add_argument("--dry-run", action="store_true", help="say what would be read and write nothing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """Import, and say what was taken for what."""
    from cxrlab import foreign  # brings tables and metrics, which --help need not wait for

    said = _said(args.map)
    how = {"as_home": args.as_home, "said": said, "truths": args.truth}
    if args.dry_run:
        done = foreign.preview(args.file, args.site, **how)
    else:
        done = foreign.import_scores(
            Lab.here(), args.file, args.site, run=args.run, replace=args.replace, **how
        )
    if args.json:
        print(json.dumps(asdict(done), indent=1, ensure_ascii=False))
        return 0
    splits = ", ".join(f"{n:,} {name}" for name, n in done.splits.items())
    print(f"{done.site}: {done.n_images:,} images of {done.n_patients:,} patients ({splits})")
    print(f"labels: {', '.join(done.labels)}")
    print("columns: " + ", ".join(f"{name} = {meaning}" for name, meaning in done.columns.items()))
    for what, names in (("properties", done.groups), ("other truths", list(done.readers))):
        if names:
            print(f"{what}: {', '.join(names)}")
    if done.n_pictures:
        print(f"pictures: {done.n_pictures:,} of them are in this lab's store")
    for note in done.notes:
        print(f"- {note}")
    tail = "nothing was written (--dry-run)" if args.dry_run else f"run {done.run_id}"
    print(tail + (", which had this file already" if done.already else ""))
    return 0


def _said(texts: list[str]) -> dict[str, str]:
    said = {}
    for text in texts:
        name, sign, meaning = text.rpartition("=")
        if not sign or not name.strip() or not meaning.strip():
            raise BadInput(
                f"--map {text!r} is not of the form COLUMN=MEANING, for example 'p_eff=prob:Pleural Effusion'."
            )
        said[name.strip()] = meaning.strip()
    return said
