"""What every site's reader needs: tables as text, an index of the images, ages and sexes.

In:    a raw folder's tables and file names.
Out:   frames of strings, matched paths, numbers with NaN where the site does not say.
Never: one particular dataset.
"""

import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from cxrlab import textfile
from cxrlab.errors import BadInput, MissingInput

IMAGE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".dcm", ".dicom")
)
OLDEST = 120  # years; older ages are typing errors
SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "w": "F", "o": "O", "other": "O", "d": "O"}
VIEWS = {
    "pa": "PA",
    "posteroanterior": "PA",
    "ap": "AP",
    "ap supine": "AP",
    "ap erect": "AP",
    "ap_horizontal": "AP",
    "anteroposterior": "AP",
    "l": "LATERAL",
    "ll": "LATERAL",
    "rl": "LATERAL",
    "lateral": "LATERAL",
}
_AGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([YMWD]?)\s*", re.IGNORECASE)
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def read_text_table(path: Path, header: bool = True, columns: Collection[str] | None = None) -> pd.DataFrame:
    """Return a CSV as strings, "" where a cell is blank; names stripped, unnamed trailing columns dropped.

    Args:
        path: a .csv or .csv.gz.
        header: whether the first line names the columns.
        columns: only those of these names, whether upper or lower case, are read; None: all. Long reports cost memory.

    Raises:
        MissingInput: no such file.
        BadInput: not a table, one without rows, or one that is cut off; see textfile.frame.
    """
    wanted = None if columns is None else {name.lower() for name in columns}
    table = textfile.frame(
        path,
        header=header,
        usecols=None if wanted is None else lambda name: str(name).strip().lower() in wanted,
    )
    table.columns = [str(name).strip() for name in table.columns]
    table = table[[name for name in table.columns if name and not name.startswith("Unnamed:")]]
    if wanted is not None and table.shape[1] == 0:
        raise BadInput(
            f"{path} has none of the columns {', '.join(columns)}. Is it the table of this dataset?"
        )
    if table.empty:
        raise BadInput(f"{path} has no rows; fetch it again.")
    return table.apply(lambda column: column.str.strip())


def need_columns(table: pd.DataFrame, names: Iterable[str], path: Path) -> None:
    """Raise BadInput unless `table` has all `names`."""
    missing = [name for name in names if name not in table]
    if missing:
        raise BadInput(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"it has {', '.join(map(str, table.columns[:20]))}. Is it the table of this dataset?"
        )


def find_file(raw: Path, names: Iterable[str], expects: str) -> Path:
    """Return the first of `names` that lies in `raw` or one folder below.

    Raises:
        MissingInput: none does.
    """
    for name in names:
        for found in (raw / name, *sorted(raw.glob(f"*/{name}"))):
            if found.is_file():
                return found
    raise MissingInput(f"{raw} holds no {' or '.join(names)}; this dataset expects {expects}")


def check_file_names(folder: str, names: Iterable[str]) -> None:
    """Raise BadInput for a name that is no text: nothing that a store or a table holds could mean it."""
    for name in (folder, *names):
        if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
            shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            raise BadInput(
                f"{folder} holds the name {shown!r}, which is not UTF-8; rename it, for example with convmv."
            )


def list_images(folder: Path) -> list[str]:
    """Return the image files below `folder`, relative, with forward slashes, sorted; hidden ones and Mac shadows not."""
    found: list[str] = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__MACOSX" and not name.startswith(".")]
        below = Path(here).relative_to(folder).as_posix()
        prefix = "" if below == "." else below + "/"
        check_file_names(here, names)
        found += [
            prefix + name
            for name in names
            if not name.startswith(".") and PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
        ]
    return sorted(found)


class ImageIndex:
    """Finds the file that a table means, though top folders and suffixes differ between copies of a dataset.

    Only files that were listed can be found: a table cannot point outside its folder. A name with folders must agree in
    at least the nearest one: `patient2/view1.jpg` is never answered with patient1's view1.jpg.

    >>> index = ImageIndex(["images_001/images/00000001_000.jpg", "p1/view1.jpg"])
    >>> index.find("images/00000001_000.png"), index.find("00000001_000.png")
    ('images_001/images/00000001_000.jpg', 'images_001/images/00000001_000.jpg')
    >>> index.find("train/p1/view1.jpg"), index.find("p2/view1.jpg")
    ('p1/view1.jpg', None)
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._by: dict[str, list[str]] = {}
        for path in paths:
            parts = PurePosixPath(path).with_suffix("").as_posix().lower().split("/")
            for k in range(len(parts)):
                self._by.setdefault("/".join(parts[k:]), []).append(path)

    def find(self, name: str) -> str | None:
        """Return the listed path for `name`; None when there is none or several could be meant.

        Of several copies of a name without folders, the first is taken.
        """
        pure = PurePosixPath(name.replace("\\", "/"))
        if not pure.name or ".." in pure.parts:
            return None
        parts = pure.with_suffix("").as_posix().lower().strip("/").split("/")
        least = 1 if len(parts) == 1 else 2  # parts that must agree
        for k in range(len(parts) - least + 1):
            found = self._by.get("/".join(parts[k:]), [])
            exact = [path for path in found if path == name] or [
                path for path in found if PurePosixPath(path).suffix.lower() == pure.suffix.lower()
            ]
            found = exact or found
            if found:
                return found[0] if len(found) == 1 or len(parts) == 1 or found[0] == name else None
        return None


def numbers(column: pd.Series, path: Path) -> pd.Series:
    """Return a column of text as float64, NaN where a cell is blank or says nan.

    Raises:
        BadInput: a cell is neither blank nor a number.
    """
    made = pd.to_numeric(column.str.strip(), errors="coerce")
    odd = made.isna() & ~column.str.strip().str.lower().isin(("", "nan"))
    if odd.any():
        i = int(odd.to_numpy().argmax())
        raise BadInput(
            f"{path} has {column.iloc[i]!r} under {column.name!r} in row {i + 2}; expected a number."
        )
    return made.astype(float)


def age_years(text: str) -> float:
    """Return an age in years from "58", "058Y", "011M" or "003D"; NaN when blank, unreadable or above 120.

    >>> [age_years("058Y"), age_years("018M"), age_years("411"), age_years("")]
    [58.0, 1.5, nan, nan]
    """
    match = _AGE.fullmatch(text)
    if match is None:
        return np.nan
    years = float(match[1]) * _YEARS[match[2].upper()]
    return years if years <= OLDEST else np.nan


def sex(text: str) -> str:
    """Return "F", "M", "O" or "" (not said)."""
    return SEXES.get(text.strip().lower(), "")


def view(text: str) -> str:
    """Return "PA", "AP", "LATERAL" or "" (not said, or another projection)."""
    return VIEWS.get(text.strip().lower(), "")


def finish_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `rows` with every column that a store needs; what is absent is "", NaN or 0."""
    from cxrlab.store.format import ROW_COLUMNS

    rows = rows.reset_index(drop=True).copy()
    for column, kind in ROW_COLUMNS.items():
        if column not in rows:
            rows[column] = "" if kind == "str" else np.nan if kind == "float32" else 0
    return rows[list(ROW_COLUMNS)]
