"""Tables of the CheXpert kind: one column for each of fourteen labels, `1`, `0`, `-1` or blank.

In:    CSV files, gzipped or not, whose columns stand in any order.
Out:   cells as codes of evidence, facts as text, and which rows are left out and why.
Never: one particular dataset; policies for blanks and doubt.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrlab import textfile
from cxrlab.errors import BadInput
from cxrlab.labelmap import Said, from_columns
from cxrlab.labels import CHEXPERT, Evidence
from cxrlab.sites import tables

NATIVES = (*CHEXPERT, "Airspace Opacity")  # the last is MIMIC-CXR-JPG 2.1.0's name of Lung Opacity
BLANK = frozenset(("", "nan", "none"))
CODES = {1.0: Evidence.POSITIVE, 0.0: Evidence.NEGATIVE, -1.0: Evidence.UNCERTAIN}
ODD = -9  # a cell that is none of the four
ABSENT = "the table names it but there is no such image"
NAMELESS = "no table names this image"
LATERAL = "lateral view; option views=all keeps it"
VIEWS = "frontal (default) or all; images of unknown view are kept in both"
PARTS = "all (default), or some of train, val, test, separated by commas"


def plain(column: str) -> str:
    """Return a column's name for comparison: lower case, `/` and spaces as `_`.

    >>> plain("Frontal/Lateral"), plain("AP_PA"), plain(" Lung  Lesion")
    ('frontal_lateral', 'ap_pa', 'lung_lesion')
    """
    return "_".join(column.strip().lower().replace("/", " ").replace("_", " ").split())


_SPELLED = {plain(native): native for native in NATIVES}


@dataclass(frozen=True)
class Wide:
    """Rows of a table."""

    facts: pd.DataFrame  # (N, the wanted columns that are there) str
    codes: (
        np.ndarray
    )  # (N, len(NATIVES)) int8 of labels.Evidence; NOT_ANNOTATED where the table has no such column
    faults: pd.Series  # (N,) "" or why the row's labels cannot be read

    def lacking(self, path: str) -> list[tuple[str, str]]:
        """Return (path, reason) for each of the fourteen labels that the table has no column for.

        Raises:
            BadInput: it has none of them.
        """
        known = dict(zip(NATIVES, (self.codes != Evidence.NOT_ANNOTATED).all(axis=0), strict=True))
        known["Lung Opacity"] |= known["Airspace Opacity"]
        if not any(known.values()):
            raise BadInput(f"{path} has no column of a finding such as Edema; fetch it again.")
        return [
            (path, f"no column {name}: not annotated in its rows") for name in CHEXPERT if not known[name]
        ]


def header(path: Path) -> tuple[str, ...]:
    """Return a table's column names as `plain` spells them.

    Raises:
        BadInput: the file cannot be read as text.
    """
    return tuple(plain(name) for name in textfile.first_row(path))


def read(path: Path, wanted: Iterable[str], need: Sequence[str] = ()) -> Wide:
    """Return the rows of a table; every column is found by its name.

    Args:
        path: a CSV, gzipped or not.
        wanted: names of further columns, as `plain` spells them.
        need: those of them without which it is not this dataset's table.

    Raises:
        BadInput: a needed column is lacking, there are no rows, or the file is damaged; see textfile.frame.
    """
    keep = {*wanted, *need, *_SPELLED}
    table = textfile.frame(path, usecols=lambda name: plain(str(name)) in keep)
    table.columns = [plain(name) for name in table.columns]
    table = table.loc[:, ~table.columns.duplicated()]
    tables.need_columns(table, need, path)
    if table.empty:
        raise BadInput(f"{path} has no rows; fetch it again.")
    table = table.apply(lambda column: column.str.strip())
    codes, faults = _codes(table)
    return Wide(table.drop(columns=[name for name in table if name in _SPELLED]), codes, faults)


def _codes(table: pd.DataFrame) -> tuple[np.ndarray, pd.Series]:
    codes = np.full((len(table), len(NATIVES)), int(Evidence.NOT_ANNOTATED), np.int8)
    faults = pd.Series("", index=table.index)
    for k, native in enumerate(NATIVES):
        if plain(native) not in table:
            continue
        cells = table[plain(native)]
        codes[:, k] = by_unique(cells, _code).to_numpy()
        odd = (codes[:, k] == ODD) & (faults == "").to_numpy()
        if odd.any():
            faults[odd] = f"{native} is '" + cells[odd] + "'; expected 1, 0, -1 or blank"
    return codes, faults


def _code(cell: str) -> int:
    if cell.lower() in BLANK:
        return int(Evidence.NOT_MENTIONED)
    try:
        return int(CODES.get(float(cell), ODD))
    except ValueError:
        return ODD


def by_unique(cells: pd.Series, meaning: Callable[[str], Any]) -> pd.Series:
    """Return meaning(cell) of every cell, asked once for each different cell."""
    return cells.map({cell: meaning(cell) for cell in cells.unique()})


def look_up(keys: pd.Series, known: pd.Series) -> pd.Series:
    """Return known[key] of each key, "" where there is none; the index of `known` is unique."""
    values = np.append(known.to_numpy(object), "")  # -1, not there, is the last
    return pd.Series(values[known.index.get_indexer(keys)], index=keys.index, dtype="str")


def groups(texts: "pd.Series | Sequence[str]", pattern: str) -> pd.DataFrame:
    """Return the groups of `pattern` in each text, columns 0, 1 and so on; "" where it does not fit."""
    # An empty frame of texts comes back as one of numbers.
    return pd.Series(texts, dtype="str").str.extract(pattern).astype("str").fillna("")


def said(codes: np.ndarray) -> Said:
    """Return (N, len(NATIVES)) codes as what the site said; columns that no image is annotated for are left away."""
    there = (codes != Evidence.NOT_ANNOTATED).any(axis=0)
    return from_columns(
        [name for name, is_there in zip(NATIVES, there, strict=True) if is_there], codes[:, there]
    )


def words(codes: np.ndarray) -> np.ndarray:
    """Return (N,) text: the positive labels and, with a question mark, the doubtful ones, separated by bars.

    >>> words(np.array([[0, -2, -1, 1] + [-2] * 11], np.int8)).tolist()
    ['Cardiomegaly?|Lung Opacity']
    """
    patterns, which = np.unique(codes, axis=0, return_inverse=True)
    marks = {int(Evidence.POSITIVE): "", int(Evidence.UNCERTAIN): "?"}
    texts = [
        "|".join(
            name + marks[int(code)] for name, code in zip(NATIVES, pattern, strict=True) if int(code) in marks
        )
        for pattern in patterns
    ]
    return np.array(texts, object)[which.reshape(-1)]


def projection(text: str) -> str:
    """Return "AP", "PA", "LATERAL" or "" of a view's name; an AP of a lying patient is an AP.

    >>> [projection(text) for text in ("AP LLD", "pa", "LL", "XTABLE LATERAL", "RLO", "")]
    ['AP', 'PA', 'LATERAL', 'LATERAL', '', '']
    """
    if known := tables.view(text):
        return known
    parts = text.upper().split()
    if parts and parts[0] in ("AP", "PA"):
        return parts[0]
    return "LATERAL" if "LATERAL" in parts else ""


def choice(options: dict[str, Any], name: str, allowed: Sequence[str]) -> str:
    """Return an option's value; the first of `allowed` is the default.

    Raises:
        BadInput: it is none of them.
    """
    chosen = str(options.get(name) or allowed[0]).strip().lower()
    if chosen not in allowed:
        raise BadInput(f"the option {name} is {chosen!r}; expected {' or '.join(allowed)}.")
    return chosen


class Sieve:
    """Which rows are still in, and why the others are not. A row leaves once, for the first reason found."""

    def __init__(self, names: pd.Series, files: pd.Series | None = None) -> None:
        """Args: names, (N,) what the table calls each row; files, (N,) its file, "" where there is none."""
        self.names = names.reset_index(drop=True)
        self.names = self.names.mask(self.names == "", [f"row {i + 2}" for i in range(len(names))])
        if files is not None:
            self.found(files)
        self.inside = np.ones(len(names), bool)
        self.out: list[tuple[str, str]] = []

    def found(self, files: pd.Series) -> None:
        """Call each row by its file where it has one, so that what was left out can be looked at."""
        self.names = files.reset_index(drop=True).where(files.to_numpy() != "", self.names)

    def drop(self, where: "np.ndarray | pd.Series", reason: "str | pd.Series") -> None:
        """Leave out the rows at `where`, (N,) bool, for one reason or one each, (N,) text."""
        leaving = np.asarray(where, bool) & self.inside
        if leaving.any():
            reasons = [reason] * int(leaving.sum()) if isinstance(reason, str) else reason.to_numpy()[leaving]
            self.out += zip(self.names.to_numpy()[leaving], reasons, strict=True)
            self.inside &= ~leaving

    def drop_views(self, options: dict[str, Any], view: pd.Series, shown: pd.Series) -> None:
        """Leave out laterals and other named views that are not frontal, unless the options keep them.

        Args:
            options: the site's; `views` is read.
            view: (N,) "AP", "PA", "LATERAL" or "".
            shown: (N,) the site's own word for the view, "" where it has none.
        """
        if choice(options, "views", ("frontal", "all")) == "frontal":
            self.drop(view == "LATERAL", LATERAL)
            other = (view == "") & (shown != "")
            self.drop(other, "view " + shown + ", not frontal; option views=all keeps it")

    def drop_parts(self, options: dict[str, Any], part: pd.Series) -> None:
        """Leave out the rows of parts, (N,) text, that the option `parts` does not name."""
        said = options.get("parts") or "all"
        wanted = [str(one).strip().lower() for one in (said.split(",") if isinstance(said, str) else said)]
        if wanted == ["all"]:
            return
        if unknown := [one for one in wanted if one not in ("train", "val", "test")]:
            raise BadInput(
                f"the option parts names {unknown[0]!r}; expected all, or some of train, val, test."
            )
        self.drop(~part.isin(wanted), "of another part than the option parts names")
