"""What a run has come to, as tables: its epochs, its key number, how runs differ.

In:    run folders.
Out:   tidy tables that a page or the command line prints.
Never: torch, streamlit; an end that is not on disk.
"""

import contextlib
from typing import Any

import numpy as np
import pandas as pd

from cxrlab import files, progress
from cxrlab import spec as specs
from cxrlab.paths import RunPaths

# Rule of selection on home's validation rows, by task.
RULES = {
    "autoencoder": "validation MSE",
    "labels": "validation AUROC",
    "normal": "validation AUROC",
    "moco": "validation loss",
}

# What training.select names, where it is not left to the task.
CHOSEN_BY = {
    "val-macro-auroc": "validation AUROC",
    "val-macro-auprc": "validation AUPRC",
    "val-loss": "validation loss",
    "val-mse": "validation MSE",
}


def rule_of(spec: Any) -> str:
    """Return the name of the value that a training run's epochs are judged by, on home's validation rows."""
    return CHOSEN_BY.get(spec.training.select, RULES[spec.task])


def history(run: RunPaths) -> pd.DataFrame:
    """Return epoch, loss, val, best, one row a finished epoch; a resumed epoch counts once, as it was last."""
    lines = [line for line in progress.read(run.progress) if "epoch" in line and "loss" in line]
    table = pd.DataFrame(lines, columns=["epoch", "loss", "val", "best"])
    return table.drop_duplicates("epoch", keep="last").sort_values("epoch").reset_index(drop=True)


def key_number(run: RunPaths, spec: Any) -> tuple[str, float]:
    """Return (what, value) of the number that the weights were chosen by; NaN before the first epoch."""
    if spec.kind != "train":
        return "", np.nan
    table = history(run)
    return rule_of(spec), float(table["best"].iloc[-1]) if len(table) else np.nan


def flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested fields as dotted names, without the stores' digests.

    >>> flat({"a": {"b": 1}, "c": 2, "data": {"x": "0"}})
    {'a.b': 1, 'c': 2}
    """
    out: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "data":
            continue
        if isinstance(value, dict):
            out |= flat(value, f"{prefix}{name}.")
        else:
            out[f"{prefix}{name}"] = value
    return out


def compare(runs: dict[str, Any]) -> pd.DataFrame:
    """Return the fields in which runs differ, one row a run.

    Args:
        runs: run id → spec.
    """
    table = pd.DataFrame({run_id: flat(spec.model_dump(mode="json")) for run_id, spec in runs.items()}).T
    text = table.map(_worded)
    return text[[column for column in text if text[column].nunique() > 1]].rename_axis("run").reset_index()


def _worded(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if isinstance(value, float) and np.isnan(value) else str(value)  # a field that this kind lacks


def efficiency(run: RunPaths) -> dict[str, Any]:
    """Return what training cost; {} before it has ended."""
    with contextlib.suppress(FileNotFoundError):
        return files.read_json(run.efficiency)
    return {}


def disk(run: RunPaths) -> int:
    """Return the bytes that a run fills."""
    return sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())


def depends_on(run_id: str, known: dict[str, specs.TrainSpec]) -> list[str]:
    """Return the runs that take their inputs from this one."""
    return [
        other for other, spec in known.items() if spec.kind == "train" and spec.model.latents_of == run_id
    ]


def goes_on_from(run_id: str, known: dict[str, specs.TrainSpec]) -> list[str]:
    """Return the runs that began with this one's weights, or with what it said as a teacher."""
    trained = {other: spec for other, spec in known.items() if spec.kind == "train"}
    return [other for other, spec in trained.items() if run_id in (spec.strategy.start_from, spec.teacher)]
