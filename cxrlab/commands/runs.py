"""Verbs about runs: `run`, `score`, `study` and `runs`.

In:    arguments.
Out:   runs of the lab, their states and their figures as text or JSON.
Never: torch: whatever computes is a job of its own.
"""

import argparse
import json
import sys
from pathlib import Path

from cxrlab import jobs
from cxrlab import spec as specs
from cxrlab.commands import console
from cxrlab.errors import BadRun
from cxrlab.jobs import state
from cxrlab.leaks import memory
from cxrlab.paths import Lab, RunPaths


def add(verbs: argparse._SubParsersAction) -> None:
    """Register the verbs about runs."""
    run = verbs.add_parser("run", help="carry out a spec: `run SPEC.json`")
    run.add_argument("spec", type=Path, metavar="SPEC.json", help="a train, score, study or sweep spec")
    run.set_defaults(carry_out=carry_out_run)
    score = verbs.add_parser("score", help="score a frozen checkpoint on more sites")
    score.add_argument("run", metavar="RUN", help="the run whose checkpoint is used; its beginning will do")
    score.add_argument("sites", nargs="+", metavar="SITE")
    score.set_defaults(carry_out=carry_out_score)
    study = verbs.add_parser(
        "study", help="autoencoder, classifier, normal heads, scores and gaps for named sites"
    )
    study.add_argument(
        "--source", required=True, metavar="SITE", help="the home site: the only one that training sees"
    )
    study.add_argument(
        "--external", nargs="+", default=[], metavar="SITE", help="sites that training never sees"
    )
    study.add_argument(
        "--preset", choices=("quick", "full"), default="quick", help="quick: minutes on a laptop; full: a GPU"
    )
    study.add_argument("--seed", type=int, default=0)
    for verb in (score, study):
        verb.add_argument(
            "--allow-overlap",
            action="store_true",
            help="score a site as external though it shares images or patients with home; every result says so",
        )
    study.set_defaults(carry_out=carry_out_study)
    for verb in (run, score, study):
        console.add_executor(verb)
        verb.add_argument("--no-wait", action="store_true", help="start it and return at once")
        verb.add_argument("--json", action="store_true", help="print the outcome as JSON")
    _add_runs(verbs)


def _add_runs(verbs: argparse._SubParsersAction) -> None:
    runs = verbs.add_parser("runs", help="what is queued, running, done, failed or lost")
    whats = runs.add_subparsers(dest="what", metavar="list|show|cancel|resume|rm")
    runs.set_defaults(carry_out=carry_out_list, json=False)
    listing = whats.add_parser("list", help="every run of this lab, the latest first")
    listing.set_defaults(carry_out=carry_out_list)
    show = whats.add_parser("show", help="one run: state, reason, times, its last words")
    show.add_argument("runs", nargs=1, metavar="RUN")
    show.set_defaults(carry_out=carry_out_show)
    for name, what in (
        ("cancel", "end it; returns when its process is gone"),
        ("resume", "start it again where it stood"),
        ("rm", "delete its folder"),
    ):
        verb = whats.add_parser(name, help=what)
        verb.add_argument("runs", nargs="+", metavar="RUN", help="its name, or the beginning of it")
        verb.set_defaults(carry_out=carry_out_each, do=name)
    runs.add_argument("--json", action="store_true", help="print the figures as JSON")
    for verb in whats.choices.values():
        # SUPPRESS: `runs --json list` must not be undone by this parser's default.
        verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def carry_out_run(args: argparse.Namespace) -> int:
    """Submit the spec in a file."""
    spec = specs.read(args.spec)
    if isinstance(spec, specs.SweepSpec):
        from cxrlab.commands import sweep

        return sweep.submit(Lab.here(), spec, args)
    return _submit(spec, args)


def carry_out_score(args: argparse.Namespace) -> int:
    """Submit a ScoreSpec."""
    run = jobs.find(Lab.here(), args.run)
    fields = {
        "kind": "score",
        "run": run.run_id,
        "sites": args.sites,
        "allow_overlap": args.allow_overlap,
    }
    return _submit(specs.build(fields), args)


def carry_out_study(args: argparse.Namespace) -> int:
    """Submit a StudySpec; print its gap table when it is done."""
    fields = {
        "kind": "study",
        "source": args.source,
        "external": args.external,
        "preset": args.preset,
        "seed": args.seed,
        "allow_overlap": args.allow_overlap,
    }
    return _submit(specs.build(fields), args)


def _submit(spec: jobs.AnySpec, args: argparse.Namespace) -> int:
    lab = Lab.here()
    run = lab.run(jobs.submit(lab, spec, args.executor))
    for one in memory.recorded(run):
        print(f"{one.external} is not all new to {one.home}: {one.says}.", file=sys.stderr)
    if args.no_wait:
        print(json.dumps({"run": run.run_id}) if args.json else run.run_id)
        return 0
    now = wait(run)
    from cxrlab.commands import outcome  # reads predictions and counts: not needed to look at runs

    outcome.tell(run, as_json=args.json)
    return check_done(run, now)


def wait(run: RunPaths) -> jobs.Status:
    """Show the run's progress until it ends and return how; Ctrl-C ends the showing only."""
    try:
        return console.watch(run)
    except KeyboardInterrupt:
        print(
            f"\nIt goes on without this window. See it: python -m cxrlab runs show {run.run_id}. "
            f"End it: python -m cxrlab runs cancel {run.run_id}",
            file=sys.stderr,
        )
        raise


def check_done(run: RunPaths, now: jobs.Status) -> int:
    """Return 0 for a run that is done. Raises BadRun with its reason for any other."""
    if now.state != "done":
        raise BadRun(f"{run.run_id} {now.state}: {now.reason}")
    return 0


def carry_out_list(args: argparse.Namespace) -> int:
    """Print every run with its state."""
    lab = Lab.here()
    now = {run_id: jobs.status(lab.run(run_id)) for run_id in lab.run_ids()}
    latest = sorted(now, key=lambda run_id: -lab.run(run_id).spec.stat().st_mtime_ns)
    if args.json:
        print(json.dumps([{"run": run_id, **state.as_dict(now[run_id])} for run_id in latest], indent=1))
    elif not latest:
        print(f"No run in {lab.root} yet. `python -m cxrlab demo` makes a whole study.")
    else:
        print(console.table([_row(run_id, now[run_id]) for run_id in latest]))
    return 0


def _row(run_id: str, now: jobs.Status) -> dict[str, str]:
    took = (
        console.seconds((now.ended or 0) - now.started)
        if now.ended == now.ended and now.started == now.started
        else ""
    )
    what = console.line(now) if now.is_alive else now.reason
    return {
        "run": run_id,
        "state": now.state,
        "submitted": console.clock(now.submitted),
        "took": took,
        "what": " ".join(what.split())[:120],
    }


def carry_out_show(args: argparse.Namespace) -> int:
    """Print one run: state, reason, times, runs of a study, and the last lines of its log."""
    run = jobs.find(Lab.here(), args.runs[0])
    now, children = jobs.status(run), jobs.children(run)
    if args.json:
        print(json.dumps({"run": run.run_id, **state.as_dict(now), "children": children}, indent=1))
        return 0
    print(f"{run.run_id}: {now.state}{f' ({now.reason})' if now.reason else ''}")
    print(console.line(now))
    for name, t in (("submitted", now.submitted), ("started", now.started), ("ended", now.ended)):
        print(f"{name:9} {console.clock(t) or 'not yet'}")
    for task, child in children.items():
        its = run.lab.run(child)
        print(f"{task}: {child} {jobs.status(its).state if its.spec.exists() else 'to come'}")
    print(jobs.log_tail(run, 15))
    return 0


def carry_out_each(args: argparse.Namespace) -> int:
    """Cancel, resume or delete the named runs."""
    lab, told = Lab.here(), []
    for run in [jobs.find(lab, name) for name in args.runs]:
        if args.do == "cancel":
            now = jobs.cancel(run).state
        elif args.do == "resume":
            jobs.resume(lab, run.run_id)
            now = jobs.status(run).state
        else:
            jobs.remove(lab, run.run_id)
            now = "removed"
        told.append({"run": run.run_id, "state": now})
    print(
        json.dumps(told, indent=1)
        if args.json
        else "\n".join(f"{row['run']}: {row['state']}" for row in told)
    )
    return 0
