"""The runs of a sweep as one table: what was varied, how it does at home and elsewhere, over seeds.

In:    Predictions of each run at its homes and elsewhere; what each run varies.
Out:   one row a run, or one a setting with mean ± sd over seeds.
Never: a run that is not there as a number; an interval over patients (report.performance has it) called a doubt of training.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxrlab.metrics import auroc
from cxrlab.metrics.auroc import MACRO
from cxrlab.metrics.gap import CANNOT_SAY
from cxrlab.predictions import Predictions
from cxrlab.report.gaps import gaps
from cxrlab.report.performance import judged

HOME, AT, GAP = "home", "at ", "gap "  # columns: "home", "at <site>", "gap <site>"
LOW, HIGH, SAYS = " low", " high", " says"  # behind "gap <site>": its interval over patients, and its verdict
RUN, STATE, SEED, SEEDS, SD = "run", "state", "seed", "seeds", " sd"
WHY = "why"  # what became of a run that is not there
FACTS = (SEED, RUN, STATE, WHY)


def measure(homes: Sequence[Predictions], externals: Sequence[Predictions]) -> dict[str, float | str]:
    """Return one run's numbers: AUROC averaged over labels, at home, at each other site, and the gaps.

    Args:
        homes: of the sites that it was trained on; their test rows count. "home" is the mean over them.
        externals: of the others, all rows.

    Returns:
        "home", "at <site>" (of a site that was trained on, its test rows), "gap <site>". A gap is home minus there over the
        labels that both support, so it need not be the difference of the two columns; with several homes, the mean over
        them. Beside each gap its 95 % interval over patients, "gap <site> low" and "… high", and its verdict, "… says", as
        report.gaps has them; with several homes see `mean_gap`. Nothing for a run without labels.
    """
    if not homes or not homes[0].labels:
        return {}
    inside = {f"{AT}{one.site}": _macro(one) for one in homes}
    found = {HOME: float(np.mean(list(inside.values()))), **inside}
    between = [gaps(one, list(externals)).set_index(["site", "label"]) for one in homes]
    for one in externals:
        found[f"{AT}{one.site}"] = _macro(one)
        rows = pd.DataFrame([table.loc[(one.site, MACRO)] for table in between])
        parts = zip(
            ("", LOW, HIGH, SAYS),
            mean_gap(*(rows[name] for name in ("gap", "low", "high", "verdict"))),
            strict=True,
        )
        found |= {f"{GAP}{one.site}{end}": value for end, value in parts}
    return found


def mean_gap(
    values: pd.Series, low: pd.Series, high: pd.Series, says: pd.Series
) -> tuple[float, float, float, str]:
    """Return the mean of gaps of the same patients, its interval over patients, and what all of them say.

    The interval is the mean of the intervals: the standard error of a mean is at most the mean of the standard errors,
    whatever the gaps have in common, so it is too wide rather than too narrow. Gaps that differ in their verdict say
    "cannot say".

    >>> gaps = pd.DataFrame([(0.1, 0.0, 0.2, "cannot say"), (0.2, 0.1, 0.3, "worse")])
    >>> [round(x, 3) if isinstance(x, float) else x for x in mean_gap(*(gaps[k] for k in range(4)))]
    [0.15, 0.05, 0.25, 'cannot say']
    """
    there = values.notna().to_numpy()
    if not there.any():
        return np.nan, np.nan, np.nan, CANNOT_SAY
    verdicts = set(says[there])
    one = verdicts.pop() if len(verdicts) == 1 else CANNOT_SAY
    # An interval that one of them lacks cannot be made up from the others.
    ends = [float(end[there].mean(skipna=False)) for end in (low, high)]
    return float(values[there].mean()), *ends, str(one)


def _macro(one: Predictions) -> float:
    rows = judged(one)
    patients = rows.table["patient_id"].to_numpy()
    return float(auroc.macro(auroc.measure(rows.y_true(), rows.logit(), patients, rows.labels))["auroc"])


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a setting: mean and sd of every number over its seeds.

    Args:
        table: one row a run: columns that say the setting, then seed, run, state, then numbers (HOME, AT…, GAP…).

    Returns:
        The setting's columns, seeds (runs that have the number at home), and each number with its "<number> sd" (n − 1 in
        the denominator; NaN with one seed): how much training again moves it. A gap keeps its interval over patients and
        its verdict, of the mean over seeds: see `mean_gap`. "why" where runs are not there. A setting none of whose runs is there keeps its row, of NaN.

    >>> rows = [("adamw", 0, "a", "done", 0.8), ("adamw", 1, "b", "done", 0.9), ("sam", 0, "", "", float("nan"))]
    >>> table = pd.DataFrame(rows, columns=["training.optimizer", "seed", "run", "state", "home"])
    >>> over_seeds(table).round(3).values.tolist()
    [['adamw', 2, 0.85, 0.071], ['sam', 0, nan, nan]]
    """
    numbers, setting = numbers_of(table), setting_of(table)
    out = []
    groups = table.groupby(setting, sort=False, dropna=False) if setting else [((), table)]
    for key, part in groups:
        row = dict(zip(setting, key if isinstance(key, tuple) else (key,), strict=True))
        row[SEEDS] = int(part[HOME].notna().sum()) if HOME in part else 0
        for name in numbers:
            values = part[name].to_numpy(np.float64)
            values = values[~np.isnan(values)]
            row[name] = values.mean() if len(values) else np.nan
            row[f"{name}{SD}"] = values.std(ddof=1) if len(values) > 1 else np.nan
            if f"{name}{LOW}" in part:
                _, low, high, says = mean_gap(*(part[f"{name}{end}"] for end in ("", LOW, HIGH, SAYS)))
                row |= {f"{name}{LOW}": low, f"{name}{HIGH}": high, f"{name}{SAYS}": says}
        if WHY in part and (
            wrong := [f"seed {one[SEED]} {one[WHY]}" for _, one in part.iterrows() if one[WHY]]
        ):
            row[WHY] = "; ".join(wrong)
        out.append(row)
    made = pd.DataFrame(out)
    return made.fillna({WHY: ""}) if WHY in made else made


def without_repeats(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without the column of a site that is the only home of every run: "home" says the same."""
    there = table[HOME].notna() if HOME in table else pd.Series(False, table.index)
    same = [name for name in table if str(name).startswith(AT) and there.any()]
    same = [name for name in same if (table.loc[there, name] == table.loc[there, HOME]).all()]
    return table.drop(columns=same)


def numbers_of(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold numbers with a mean and an sd, home's first."""
    return [
        column for column in table if _is_number(str(column)) and not str(column).endswith((LOW, HIGH, SAYS))
    ]


def beside_of(table: pd.DataFrame) -> list[str]:
    """Return the columns that stand beside a gap: its interval and its verdict."""
    return [
        column for column in table if str(column).startswith(GAP) and str(column).endswith((LOW, HIGH, SAYS))
    ]


def setting_of(table: pd.DataFrame) -> list[str]:
    """Return the columns that say what was varied."""
    return [column for column in table if column not in (*FACTS, SEEDS) and not _is_number(str(column))]


def _is_number(column: str) -> bool:
    return column == HOME or column.startswith((f"{HOME}{SD}", AT, GAP))


def spread(mean: float, sd: float, places: int = 3) -> str:
    """Return a mean with its sd as text.

    >>> spread(0.85, 0.0707), spread(0.85, float("nan")), spread(float("nan"), float("nan"))
    ('0.850 ± 0.071', '0.850', '–')
    """
    if np.isnan(mean):
        return "–"
    return f"{mean:.{places}f}" + ("" if np.isnan(sd) else f" ± {sd:.{places}f}")
