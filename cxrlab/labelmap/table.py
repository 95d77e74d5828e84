"""The label map: one row says what one native label of a dataset means for one label of ours.

In:    `map.csv` beside this file, or a person's edited copy of it.
Out:   LabelMap, a frozen value with a digest.
Never: data of a site.

Columns: dataset; native, the site's own word, or a beginning with * for every word that begins so, or * alone for every
other word (a word with a rule of its own has that one, else the longest beginning counts); label, ours, or blank where a native label is left out knowingly; says,
what a positive native label is evidence of ("same": whatever was said of the native label is said of ours, also
negative and uncertain; "positive", "negative", "uncertain": that, and nothing where the native label is absent);
breadth, "narrow" or "broad" (used only when the broad map is asked for; a broad rule replaces a narrow one of the same
native label and label); note.
"""

import csv
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cxrlab import files
from cxrlab.errors import BadInput, MissingInput, UnknownName
from cxrlab.labels import check_labels

COLUMNS = ("dataset", "native", "label", "says", "breadth", "note")
SAYS = ("same", "positive", "negative", "uncertain")
BREADTHS = ("narrow", "broad")
OWN = Path(__file__).with_name("map.csv")
Breadth = Literal["narrow", "broad"]


@dataclass(frozen=True)
class Rule:
    """One row of the map."""

    native: str
    label: str  # "" : left out knowingly
    says: str
    breadth: str
    note: str = ""


@dataclass(frozen=True)
class LabelMap:
    """A dataset's rules.

    `origin` is "narrow" or "broad" for the project's own map, or the name of the edited file.
    """

    dataset: str
    rules: tuple[Rule, ...]
    origin: str

    @property
    def digest(self) -> str:
        """SHA-256 of the rules, 64 hexadecimal digits: two equal maps have one digest wherever they came from."""
        return files.digest_of(*(f"{r.native}\0{r.label}\0{r.says}" for r in self.rules))

    @property
    def natives(self) -> tuple[str, ...]:
        """The native labels that a rule speaks of, in the map's order."""
        return tuple(dict.fromkeys(rule.native for rule in self.rules))

    def rules_of(self, native: str) -> list[Rule]:
        """Return the rules of a native label; upper and lower case are one.

        >>> rules = tuple(Rule(native, "Pneumonia", "same", "narrow") for native in ("pneumonia", "pneumonia/*", "*"))
        >>> known = LabelMap("covid", rules, "narrow")
        >>> [known.rules_of(word)[0].native for word in ("Pneumonia", "Pneumonia/Viral", "Gout")]
        ['pneumonia', 'pneumonia/*', '*']
        """
        word = plain(native)
        named = [plain(rule.native) for rule in self.rules]
        fits = [name for name in named if name == word] or [
            name for name in named if name.endswith("*") and word.startswith(name[:-1])
        ]
        best = max(fits, key=len, default=None)
        return [rule for rule, name in zip(self.rules, named, strict=True) if name == best]

    def to_json(self) -> dict[str, Any]:
        """Return what a store records: where the map came from, its digest and its rules."""
        rules = [[rule.native, rule.label, rule.says] for rule in self.rules]
        return {"dataset": self.dataset, "origin": self.origin, "digest": self.digest, "rules": rules}


def plain(native: str) -> str:
    """Return a native label for comparison: one space between words, no outer ones, lower case.

    >>> plain("  Pleural  Effusion ")
    'pleural effusion'
    """
    return " ".join(native.split()).lower()


def of(dataset: str, wanted: str = "narrow") -> LabelMap:
    """Return the map of `dataset`.

    Args:
        dataset: a name in the map's first column.
        wanted: "narrow", "broad" (both kinds of rows), or the path of an edited copy, all of whose rows are used.

    Raises:
        UnknownName: the map has no such dataset.
        MissingInput: there is no such file.
        BadInput: the copy's columns, labels or words are not those of a map, or it has no row for this dataset.
    """
    wanted = wanted or "narrow"
    if wanted in BREADTHS:
        known = _own()
        if dataset not in known:
            raise UnknownName(f"the label map has no dataset {dataset!r}. Known: {', '.join(known)}.")
        return LabelMap(dataset, _narrowed(known[dataset], wanted), wanted)
    path = Path(wanted).expanduser()
    if not path.is_file():
        raise MissingInput(
            f"no label map at {path}; say narrow or broad, or copy one with `python -m cxrlab labels {dataset} --out FILE`."
        )
    rules = _read(path).get(dataset)
    if not rules:
        raise BadInput(
            f"{path} has no row for {dataset!r}; copy one with `python -m cxrlab labels {dataset}`."
        )
    return LabelMap(dataset, _narrowed(rules, "broad"), path.name)


def copy(dataset: str, breadth: Breadth = "narrow") -> str:
    """Return the map of one dataset as the text of a CSV file, to be edited."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for rule in of(dataset, breadth).rules:
        lines.writerow((dataset, rule.native, rule.label, rule.says, rule.breadth, rule.note))
    return text.getvalue()


def _narrowed(rules: tuple[Rule, ...], breadth: str) -> tuple[Rule, ...]:
    if breadth == "narrow":
        return tuple(rule for rule in rules if rule.breadth == "narrow")
    broad = {(plain(rule.native), rule.label) for rule in rules if rule.breadth == "broad"}
    return tuple(
        rule for rule in rules if rule.breadth == "broad" or (plain(rule.native), rule.label) not in broad
    )


@lru_cache(maxsize=1)
def _own() -> dict[str, tuple[Rule, ...]]:
    return _read(OWN)


def _read(path: Path) -> dict[str, tuple[Rule, ...]]:
    """Return dataset → rules of a map's file."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not a table of comma-separated values ({error}).") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = [name for name in COLUMNS[:4] if name not in table]
    if missing:
        raise BadInput(f"{path} lacks the column {', '.join(missing)}; a label map has {', '.join(COLUMNS)}.")
    table = table.reindex(columns=list(COLUMNS), fill_value="").apply(lambda column: column.str.strip())
    table["breadth"] = table["breadth"].replace("", "narrow")
    found: dict[str, list[Rule]] = {}
    for i, row in enumerate(table.itertuples(index=False), start=2):
        if not row.native or not row.dataset:
            raise BadInput(
                f"{path} names no dataset or no native label in row {i}; fill both in or remove the row."
            )
        if row.says not in SAYS or row.breadth not in BREADTHS:
            raise BadInput(
                f"{path} says {row.says!r}, {row.breadth!r} in row {i}; expected one of {', '.join(SAYS)} "
                f"and one of {', '.join(BREADTHS)}."
            )
        if row.label:
            check_labels((row.label,), f"{path}, row {i},")
        found.setdefault(row.dataset, []).append(Rule(row.native, row.label, row.says, row.breadth, row.note))
    return {name: tuple(rules) for name, rules in found.items()}


DATASETS: tuple[str, ...] = tuple(_own())
