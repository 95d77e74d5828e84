"""A file of scores → the columns of a predictions table.

In:    a CSV (plain or .gz) or parquet file, and what its columns mean.
Out:   a table that predictions.check accepts, and notes on what a person should know.
Never: a lab, runs; a number for a cell that holds none.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import logit

from cxrlab import views
from cxrlab.errors import BadInput, MissingInput
from cxrlab.foreign.columns import Mapping
from cxrlab.foreign.truths import OtherTruth
from cxrlab.predictions import GROUP
from cxrlab.sites import tables

# A probability of exactly 0 or 1 has no logit: it is held this far away, which no printed digit shows.
EPSILON = 1e-12
BLANK = ("", "nan", "na", "null", "none", "<na>")
MOST_GROUPS = 20  # a text column with more different words is no property to look at apart
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val"}
SPLITS |= {"validation": "val", "test": "test", "testing": "test"}


@dataclass(frozen=True)
class Read:
    """A predictions table, and notes on it."""

    table: pd.DataFrame
    notes: tuple[str, ...]


def load(path: Path) -> pd.DataFrame:
    """Return the file as text and numbers, names stripped.

    Raises:
        MissingInput: there is no such file.
        BadInput: it is neither CSV nor parquet, is damaged, or has no rows.
    """
    if not path.is_file():
        raise MissingInput(f"no file at {path}; name a CSV (plain or .gz) or parquet file of scores.")
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path).to_pandas()
        else:
            # Text first: "007" must stay a patient's name. utf-8-sig: spreadsheets begin with a byte-order mark.
            read = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
            table = pd.read_csv(path, **read)
            if table.shape[1] == 1 and any(mark in table.columns[0] for mark in ";\t"):
                table = pd.read_csv(path, sep=";" if ";" in table.columns[0] else "\t", **read)
    except (ValueError, OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise BadInput(
            f"{path.name} cannot be read as {path.suffix or 'CSV'} ({error}); expected a CSV, .csv.gz or .parquet "
            "with one row an image."
        ) from error
    table.columns = [str(name).strip() for name in table.columns]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise BadInput(f"{path.name} has two columns named {twice[0]!r}; rename one.")
    if table.empty:
        raise BadInput(f"{path.name} has no rows; expected one an image.")
    return table.reset_index(drop=True)


def text_of(column: pd.Series) -> pd.Series:
    """Return cells as stripped text, "" where blank."""
    # A column of whole numbers with holes arrives as 17.0; a patient's name must not depend on the holes.
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    text = column.astype(str).str.strip()
    return text.mask(text.str.lower().isin(BLANK), "")


def numbers_of(column: pd.Series, where: str) -> np.ndarray:
    """Return (N,) float64, NaN where blank. Raises BadInput for the first cell that is neither blank nor a number."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    text = text_of(column)
    values = pd.to_numeric(text.mask(text == ""), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = np.flatnonzero(np.isnan(values) & (text != "").to_numpy())
    if len(wrong):
        raise BadInput(
            f"{where}, column {column.name}, row {wrong[0] + 1} says {text.iloc[wrong[0]]!r}; expected a number or an "
            "empty cell."
        )
    return values


def logits_of(column: pd.Series, kind: str, where: str) -> np.ndarray:
    """Return (N,) float64 logits of a column of kind "prob" or "logit", NaN where blank.

    Raises:
        BadInput: a probability outside [0, 1], an infinite logit, no number at all.
    """
    values = numbers_of(column, where)
    said = f"{where}, column {column.name}"
    if np.isnan(values).all():
        raise BadInput(f"{said} is empty; leave it out with --map '{column.name}=skip'.")
    if kind == "logit":
        if np.isinf(values).any():
            raise BadInput(f"{said} holds an infinite logit; give probabilities, which may be 0 and 1.")
        return values
    outside = np.flatnonzero((values < 0) | (values > 1))
    if len(outside):
        raise BadInput(
            f"{said}, row {outside[0] + 1} says {values[outside[0]]:g}; expected probabilities from 0 to 1. If these "
            f"are logits, say --map '{column.name}=logit:LABEL'; per cent must be divided by 100."
        )
    return logit(np.clip(values, EPSILON, 1 - EPSILON))


def truths_of(column: pd.Series, where: str) -> np.ndarray:
    """Return (N,) float64 of 0, 1 and NaN (blank). Raises BadInput for anything else."""
    values = numbers_of(column, where) if not pd.api.types.is_bool_dtype(column) else column.to_numpy(float)
    wrong = np.flatnonzero(~np.isin(values, (0, 1)) & ~np.isnan(values))
    if len(wrong):
        raise BadInput(
            f"{where}, column {column.name}, row {wrong[0] + 1} says {values[wrong[0]]:g}; expected 0, 1 or an empty "
            "cell. Decide what doubtful labels mean before importing."
        )
    return values


def build(
    raw: pd.DataFrame, mapping: Mapping, truths: tuple[OtherTruth, ...], site: str, *, home: bool, where: str
) -> Read:
    """Return the predictions table.

    Args:
        raw: from `load`.
        mapping: from columns.guess.
        truths: what somebody else says, from columns of words.
        site: its name, which the patient split depends on.
        home: the model was trained at this site: rows are validation and test, else external.
        where: the file's name, for sentences.

    Raises:
        BadInput: a cell that cannot be; an image twice; a truth from a column that is not there.
    """
    notes: list[str] = []
    table = _facts(raw, mapping, site, notes, home=home, where=where)
    for label in mapping.labels:
        column = mapping.score_of(label)
        table[f"y:{label}"] = truths_of(raw[mapping.of(f"y:{label}")], where)
        table[f"logit:{label}"] = logits_of(raw[column], mapping.columns[column].partition(":")[0], where)
    if mapping.alone:
        notes.append(f"left out, with a score or a truth only: {', '.join(mapping.alone)}")
    for one in truths:
        if one.column not in raw:
            raise BadInput(f"{where} has no column {one.column!r} to take {one.reader}'s truth from.")
        if one.label not in mapping.labels:
            raise BadInput(f"{where} has no score of {one.label}, of which {one.reader} is to say the truth.")
        table[one.name] = one.read(text_of(raw[one.column]).to_numpy(object), where)
    named = {one.removeprefix(GROUP): c for c, one in mapping.columns.items() if one.startswith(GROUP)}
    for name, column in (named | {c: c for c in mapping.others}).items():
        text = text_of(raw[column])
        if name in named or (
            1 < text[text != ""].nunique() <= MOST_GROUPS and not _is_number(raw[column], text)
        ):
            table[GROUP + name] = text
        else:
            notes.append(f"left out, as nothing says what it is: {column}")
    return Read(table, tuple(notes))


def _is_number(column: pd.Series, text: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return True
    return bool(pd.to_numeric(text[text != ""], errors="coerce").notna().all())


def _facts(
    raw: pd.DataFrame, mapping: Mapping, site: str, notes: list[str], *, home: bool, where: str
) -> pd.DataFrame:
    n = len(raw)

    def column(meaning: str) -> pd.Series | None:
        name = mapping.of(meaning)
        return None if name is None else text_of(raw[name])

    image, patient = column("image_id"), column("patient_id")
    if image is None:
        image = pd.Series([f"row-{i + 1:07d}" for i in range(n)])
        notes.append("no column names the images; they are numbered")
    twice = image[image.duplicated() & (image != "")]
    if len(twice):
        raise BadInput(
            f"{where} has {image.name} {twice.iloc[0]!r} more than once ({len(twice)} rows too many); every image may "
            "count once only."
        )
    if patient is None or (patient == "").any():
        alone = "every image" if patient is None else f"{int((patient == '').sum())} images without a patient"
        notes.append(f"{alone} counts as a patient; with several images a patient, intervals are too narrow")
        patient = ("image " + image) if patient is None else patient.where(patient != "", "image " + image)
    age, sex, view = column("age_years"), column("sex"), column("view")
    return pd.DataFrame(
        {
            "image_id": image.to_numpy(object),
            "row": np.full(n, -1),
            "patient_id": patient.to_numpy(object),
            "split": _split(column("split"), patient, site, home=home, where=where),
            "age_years": np.nan if age is None else _each(age, tables.age_years).astype(np.float64),
            "sex": "" if sex is None else _each(sex, tables.sex),
            "view": "" if view is None else _each(view, tables.view),
        }
    )


def _each(text: pd.Series, read: object) -> np.ndarray:
    """Return `read` of every cell; each different one is read once."""
    return text.map({cell: read(cell) for cell in text.unique()}).to_numpy()


def _split(
    said: pd.Series | None, patient: pd.Series, site: str, *, home: bool, where: str
) -> np.ndarray | str:
    if not home:
        return "external"
    if said is None:
        of = {p: split_of(p, site) for p in patient.unique()}
        return patient.map(of).to_numpy(object)
    named = said.str.lower().map(SPLITS)
    if named.isna().any():
        raise BadInput(
            f"{where}, column {said.name}, says {said[named.isna()].iloc[0]!r}; expected train, val or test. "
            f"Without it patients are divided by rule: --map '{said.name}=skip'."
        )
    parts = named.groupby(patient.to_numpy()).nunique()
    if (parts > 1).any():
        raise BadInput(
            f"{where}: the patient {parts.idxmax()!r} is in {parts.max()} splits; leave the column out with "
            f"--map '{said.name}=skip', and patients are divided by rule."
        )
    return named.to_numpy(object)


def split_of(patient_id: str, site: str) -> str:
    """Return "val" (31 %) or "test" (69 %): rows that a model from elsewhere never trained on.

    Patients that our own runs validate or test on keep that part, so both models can be compared on the same test rows;
    those that our own runs train on are divided anew.
    """
    part = views.split_of(patient_id, site)
    if part == "train":
        return "test" if views.split_of(patient_id, f"{site}/elsewhere") == "train" else "val"
    return part
