"""What came out of a run or study, as tables for a terminal or as JSON.

In:    a run's folder with its predictions.
Out:   text, or JSON values; an undefined number keeps its reason.
Never: arithmetic (report has it), torch.
"""

import json
from typing import Any

import pandas as pd

from cxrlab import jobs, report, studies
from cxrlab import predictions as predictions_file
from cxrlab import spec as specs
from cxrlab.commands import console
from cxrlab.jobs import state
from cxrlab.leaks import memory
from cxrlab.metrics import thresholds
from cxrlab.metrics.auroc import MACRO
from cxrlab.paths import RunPaths
from cxrlab.predictions import Predictions
from cxrlab.report import estimate, number


def tell(run: RunPaths, *, as_json: bool = False) -> None:
    """Print the run's outcome, as far as it came: its tables, or those of each run of a study."""
    if as_json:
        print(json.dumps(values(run), indent=1))
        return
    found = {task: measure(run.lab.run(run_id)) for task, run_id in trained(run).items()}
    for task, tables in found.items():
        print(f"\n{studies.NAMES[task]} ({trained(run)[task]})")
        # With one label the mean over labels would say the same line twice.
        tables = {
            name: table[table["label"] != MACRO] if _has_one_label(table) else table
            for name, table in tables.items()
        }
        for name, draw in (
            ("performance", _performance),
            ("gaps", _gaps),
            ("reconstruction", _reconstruction),
        ):
            if name in tables and len(tables[name]):
                print(console.table(draw(tables[name])))
        print(_headline(tables))
    for task, why in left_out(run).items():
        print(f"\n{studies.NAMES[task]}: left out, {why}")
    for sentence in overlaps(run):
        print(f"\n{sentence}")


def values(run: RunPaths) -> dict[str, Any]:
    """Return the run's outcome as JSON values."""
    found = {task: measure(run.lab.run(run_id)) for task, run_id in trained(run).items()}
    tables = {task: {name: _plain(table) for name, table in tables.items()} for task, tables in found.items()}
    state_now = state.as_dict(jobs.status(run))
    return {"run": run.run_id, **state_now, "runs": trained(run), "tables": tables, "overlaps": overlaps(run)}


def overlaps(run: RunPaths) -> list[str]:
    """Return a sentence for each reason why a site called external is not new to home."""
    folders = [run, *(run.lab.run(run_id) for run_id in trained(run).values())]
    return list(
        dict.fromkeys(
            f"{'Overlap allowed' if one.is_fatal else 'Overlap'} of {one.external} with home {one.home}: {one.says}."
            for folder in folders
            for one in memory.recorded(folder)
        )
    )


def headline(run: RunPaths) -> str:
    """Return a plain sentence on how a run, or a study's classifier, travels; "" while there is nothing to say."""
    ids = trained(run)
    tables = measure(run.lab.run(ids["labels"])) if "labels" in ids else {}
    return _headline(tables)


def _headline(tables: dict[str, pd.DataFrame]) -> str:
    return report.headline(tables["gaps"], tables["performance"]["site"].iloc[0]) if "gaps" in tables else ""


def trained(run: RunPaths) -> dict[str, str]:
    """Return the training runs that `run` is about, task → run id."""
    spec = specs.read(run.spec)
    if isinstance(spec, specs.StudySpec):
        return {task: name for task, name in jobs.children(run).items() if run.lab.run(name).spec.exists()}
    if isinstance(spec, specs.ScoreSpec):
        run = run.lab.run(spec.run)
        spec = specs.read(run.spec)
    return {studies.task_of(spec): run.run_id}


def left_out(run: RunPaths) -> dict[str, str]:
    """Return the tasks that a study could not do, task → why."""
    return next((study.left_out for study in studies.study_runs(run.lab) if study.run_id == run.run_id), {})


def measure(run: RunPaths) -> dict[str, pd.DataFrame]:
    """Return the tables of one run, from the sites that are scored; {} before home is. Without a home there are no gaps."""
    spec = specs.read(run.spec)
    if not spec.view.source:
        sites = [predictions_file.read(path) for path in sorted(run.predictions_folder.glob("*.parquet"))]
        return {"performance": _all_performance(run, sites)} if sites else {}
    home_site = spec.view.source[0]
    if not run.predictions(home_site).exists():
        return {}
    home = predictions_file.read(run.predictions(home_site))
    scored = sorted(path.stem for path in run.predictions_folder.glob("*.parquet"))
    order = [site for site in spec.view.external if site in scored]
    order += [site for site in scored if site not in (*spec.view.source, *order)]
    externals = [predictions_file.read(run.predictions(site)) for site in order]
    if spec.task == "autoencoder":
        return {"reconstruction": report.reconstruction(home, externals, spec.seed)}
    return {"performance": _all_performance(run, [home, *externals]), "gaps": report.gaps(home, externals)}


def _all_performance(run: RunPaths, sites: list[Predictions]) -> pd.DataFrame:
    tuned = thresholds.read(run.thresholds) if run.thresholds.exists() else None
    return pd.concat([report.performance(site, tuned) for site in sites], ignore_index=True)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [state.plain(row) for row in table.astype(object).to_dict("records")]


def _performance(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "site": row["site"],
            "label": row["label"],
            "AUROC": _or_why(estimate(row["auroc"], row["low"], row["high"]), row["why_nan"]),
            "AUPRC": number(row["auprc"]),
            "prevalence": number(row["prevalence"]),
            "bal. acc.": number(row["balanced_accuracy"]),
            "MCC": number(row["mcc"]),
            "F1": number(row["f1"]),
            "n+": _count(row["n_pos"]),
            "n-": _count(row["n_neg"]),
        }
        for _, row in table.iterrows()
    ]


def _gaps(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "site": row["site"],
            "label": row["label"],
            "home": number(row["internal"]),
            "there": number(row["external"]),
            "gap": estimate(row["gap"], row["low"], row["high"]),
            "verdict": _or_why(row["verdict"], row["why"]),
        }
        for _, row in table.iterrows()
    ]


def _reconstruction(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "site": row["site"],
            "n": _count(row["n"]),
            "median RE": f"{row['median']:.5f}",
            "AUROC against home": _or_why(
                estimate(row["auroc_vs_home"], row["low"], row["high"]), row["why_nan"]
            ),
            "KS": number(row["ks"]),
            "verdict": row["verdict"],
        }
        for _, row in table.iterrows()
    ]


def _has_one_label(table: pd.DataFrame) -> bool:
    return "label" in table and len(set(table["label"]) - {MACRO}) == 1


def _or_why(text: str, why: Any) -> str:
    return f"{text} ({why})" if isinstance(why, str) and why else text


def _count(n: float) -> str:
    return "" if pd.isna(n) else str(int(n))
