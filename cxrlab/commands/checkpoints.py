"""The verb `import-checkpoint`: a classifier that was trained elsewhere becomes a run.

In:    arguments.
Out:   a run with a network; what was read and scored, as text or JSON.
Never: an assumption that a person did not see: every one is printed.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from cxrlab import jobs
from cxrlab import spec as specs
from cxrlab.commands import runs
from cxrlab.jobs.executors import EXECUTORS
from cxrlab.paths import Lab, RunPaths


def add(verbs: argparse._SubParsersAction) -> None:
    """Register `import-checkpoint`."""
    parser = verbs.add_parser(
        "import-checkpoint",
        help="a run of a classifier that was trained elsewhere, from its weights",
        description="Read a trained chest X-ray classifier, backbone and head, into a run that scores any site. A checkpoint of a "
        "cxrlab says its network, labels and grey values itself.",
    )
    parser.add_argument(
        "file", metavar="FILE", type=Path, help=".safetensors, or torch's .pth/.pt with tensors alone"
    )
    parser.add_argument(
        "--network", default="", metavar="NAME", help="densenet121, resnet50, …, or timm:NAME"
    )
    parser.add_argument(
        "--labels", default="", metavar='"A,B,C"', help="all outputs in the file's order; - for one not used"
    )
    parser.add_argument(
        "--site", default="", metavar="HOME", help="the site of this lab where it was trained, if any"
    )
    parser.add_argument("--name", default="", metavar="NAME", help="the run's name (default: the file's)")
    parser.add_argument(
        "--image-px", type=int, default=0, metavar="PX", help="side of its images (default: 224)"
    )
    for name, what in (("mean", "mean"), ("std", "deviation")):
        parser.add_argument(
            f"--{name}", type=float, nargs="+", default=(), metavar="X",
            help=f"{what} of its input of grey 0 to 1, one number or one a colour (default: ImageNet's)",
        )  # fmt: skip
    parser.add_argument(
        "--colours",
        choices=("auto", "keep", "sum", "average"),
        default="auto",
        help="a first layer for three colours: keep it, or make it one (default: auto, whichever is exact)",
    )
    parser.add_argument(
        "--softmax",
        action="store_true",
        help="its two outputs exclude one another (trained with cross-entropy)",
    )
    parser.add_argument("--official-split", action="store_true", help="home's own split tells its test rows")
    parser.add_argument(
        "--licence", default="", metavar="NAME", help="of the weights, for example mit or cc-by-nc-4.0"
    )
    parser.add_argument(
        "--allow-noncommercial",
        action="store_true",
        help="the licence is not free for every use, and allows yours",
    )
    parser.add_argument("--score", nargs="+", default=[], metavar="SITE", help="score it there at once")
    parser.add_argument(
        "--allow-overlap",
        action="store_true",
        help="score a site though it shares images or patients with home",
    )
    parser.add_argument("--executor", default="local", metavar="|".join(EXECUTORS), help="where it is scored")
    parser.add_argument("--dry-run", action="store_true", help="say what would be read and write nothing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.set_defaults(carry_out=carry_out)


def carry_out(args: argparse.Namespace) -> int:
    """Import, say what came, and score."""
    from cxrlab.foreign import classifier, outputs  # brings torch, which --help need not wait for

    lab = Lab.here()
    said = classifier.Said(
        network=args.network,
        labels=outputs.parse(args.labels),
        site=args.site,
        name=args.name,
        image_px=args.image_px,
        mean=tuple(args.mean),
        std=tuple(args.std),
        colours=args.colours,
        softmax=args.softmax,
        official_split=args.official_split,
        licence=args.licence,
        allow_noncommercial=args.allow_noncommercial,
    )
    found = classifier.read(lab, args.file, said)
    wanted = _scores(lab, found.spec, args)
    notes = found.notes + classifier.enlarged(lab, found, (*found.spec.view.source, *args.score))
    told = {"run": found.spec.run_id, "spec": found.spec.model_dump(mode="json"), "notes": list(notes)}
    if args.dry_run:
        _tell(told, found.spec, args, "nothing was written (--dry-run)")
        return 0
    already = classifier.place(lab, found)
    run = lab.run(jobs.submit(lab, found.spec, args.executor))
    runs.check_done(run, runs.wait(run))
    last = run
    if wanted is not None:
        last = lab.run(jobs.submit(lab, wanted, args.executor))
        runs.check_done(last, runs.wait(last))
    what = f"run {run.run_id}" + (", which had this file already" if already else "")
    _tell({**told, "already": already}, found.spec, args, what, last if _is_scored(run) else None)
    return 0


def _scores(lab: Lab, spec: specs.BroughtSpec, args: argparse.Namespace) -> specs.ScoreSpec | None:
    """Return what --score asks for; a site that has no store is refused before anything is written."""
    from cxrlab.jobs import request

    for site in args.score:
        request.open_store(lab, site)
    sites = [site for site in dict.fromkeys(args.score) if site not in spec.view.source]
    if not sites:
        return None
    fields = {"kind": "score", "run": spec.run_id, "sites": sites, "allow_overlap": args.allow_overlap}
    made = specs.build(fields)
    return made if isinstance(made, specs.ScoreSpec) else None


def _is_scored(run: RunPaths) -> bool:
    return any(run.predictions_folder.glob("*.parquet"))


def _tell(
    told: dict[str, Any],
    spec: specs.BroughtSpec,
    args: argparse.Namespace,
    what: str,
    scored: RunPaths | None = None,
) -> None:
    from cxrlab.commands import outcome

    if args.json:
        tables = outcome.values(scored) if scored else {}
        print(json.dumps({**told, "scored": tables}, indent=1, ensure_ascii=False, allow_nan=False))
        return
    file = spec.file
    print(
        f"{file.name}: {file.loaded} tensors loaded, 0 missing, {file.unexpected} left over; network {spec.model.name}"
    )
    print(f"SHA-256 {file.digest}; {f'licence {file.licence}' if file.licence else 'no licence stated'}")
    if spec.task == "labels":
        used = [name for name in file.outputs if name != "-"]
        print(
            "labels: "
            + ", ".join(
                f"{there} = {here}" if there != here else here
                for there, here in zip(used, spec.view.labels, strict=True)
            )
        )
    print(f"images: {spec.view.image_px} px; home: {', '.join(spec.view.source) or 'not known'}")
    for note in told["notes"]:
        print(f"- {note}")
    print(what)
    if scored:
        outcome.tell(scored)
