"""Text files of other people's programs: which encoding they have, and whether they are whole and text at all.

In:    a path to a table or list, gzipped or not, whatever its name says.
Out:   its text, its lines as cells, a frame of strings; or one sentence why it is none.
Never: what columns mean.
"""

import codecs
import contextlib
import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from cxrlab.errors import BadInput, MissingInput

MAX_BYTES = 4 * 2**30  # unpacked; the largest table of labels has a twentieth, a gzip bomb has no end
CHUNK = 2**20
TAIL = 2**16  # bytes; an even number, because UTF-16 has two a letter
_GZIP = b"\x1f\x8b"
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}
_OTHERS = (
    (codecs.BOM_UTF32_LE, "is UTF-32; save it as UTF-8"),
    (b"PK\x03\x04", "is a ZIP file or a workbook; unpack it, or save it as comma-separated values"),
    (b"\xd0\xcf\x11\xe0", "is an Excel workbook; save it as comma-separated values"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file; fetch it with `git lfs pull`"),
    (b"PAR1", "is a Parquet file; save it as comma-separated values"),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml")
_DAMAGED = (EOFError, zlib.error, OSError)


@dataclass(frozen=True)
class Kind:
    """How a text file is to be read."""

    encoding: str  # "utf-8-sig", "utf-16" or "latin-1"
    gzipped: bool
    rest: str  # what stands behind the last line's end; "" where that line has one


def look(path: Path) -> Kind:
    """Return how to read `path`; every byte is looked at once, about a gigabyte a second.

    Raises:
        MissingInput: no such file, or a folder, a pipe or a device in its place.
        BadInput: it is damaged, something else than text, or holds zero bytes.
    """
    if not path.is_file():
        raise MissingInput(f"no file at {path}; put the dataset's own table there, under its own name.")
    try:
        return _look(path)
    except _DAMAGED as error:
        raise BadInput(f"{path} is damaged or cut off ({_why(error)}); fetch it again.") from error


def _look(path: Path) -> Kind:
    with _unpacked(path) as opened:
        chunk = opened.read(CHUNK)
        _check_start(path, chunk)
        mark = chunk[:2]
        encoding = next((name for known, name in _MARKS.items() if chunk.startswith(known)), "")
        wide = encoding == "utf-16"
        decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8")()
        n, fits, tail = 0, True, b""
        while chunk:
            if not wide:
                _check_zeros(path, chunk, n)
            fits, n, tail = fits and _decodes(decoder, chunk), n + len(chunk), (tail + chunk)[-TAIL:]
            if n > MAX_BYTES:
                raise BadInput(
                    f"{path} unpacks to more than {MAX_BYTES / 1e9:.0f} GB; it is no table of labels."
                )
            chunk = opened.read(CHUNK)
        fits = fits and _decodes(decoder, b"", final=True)
        gzipped = isinstance(opened, gzip.GzipFile)
    if wide and not fits:
        raise BadInput(f"{path} begins as UTF-16 and goes on as something else; fetch it again.")
    encoding = (encoding or "utf-8-sig") if fits else "latin-1"
    order = "utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-16-le"
    rest = tail.decode(order if wide else encoding, "replace").replace("\r", "\n").rpartition("\n")[2]
    return Kind(encoding, gzipped, rest)


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _check_zeros(path: Path, chunk: bytes, before: int = 0) -> None:
    if (at := chunk.find(b"\0")) >= 0:
        raise BadInput(
            f"{path} holds a zero byte at {before + at:,}; it is UTF-16 without its mark, or a part of it was never written. "
            "Fetch it again, or save it as UTF-8."
        )


def _check_start(path: Path, start: bytes) -> None:
    for magic, what in _OTHERS:
        if start.startswith(magic):
            raise BadInput(f"{path} {what}.")
    if start[:256].lstrip().lower().startswith(_PAGES):
        raise BadInput(f"{path} is a web page, not a table; sign in where it came from and fetch it again.")


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    # The bytes decide: browsers unpack a .gz and keep its name.
    with path.open("rb") as opened:
        gzipped = opened.read(2) == _GZIP
        opened.seek(0)
        if not gzipped:
            yield opened
            return
        with gzip.GzipFile(fileobj=opened) as unpacked:
            yield unpacked


def read(path: Path) -> str:
    """Return the text of `path`, without a byte-order mark.

    Raises:
        MissingInput, BadInput: as `look`.
    """
    kind = look(path)
    with _unpacked(path) as opened:
        return opened.read().decode(kind.encoding)


def rows(path: Path) -> list[list[str]]:
    """Return the cells of every line that is not blank, as many as each line has.

    Raises:
        MissingInput, BadInput: as `look`; a cell is longer than any label.
    """
    try:
        lines = csv.reader(io.StringIO(read(path), newline=""))
        return [line for line in lines if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise BadInput(f"{path} is no table of comma-separated values ({error}); fetch it again.") from error


def first_row(path: Path) -> list[str]:
    """Return the cells of the first line; the rest is not read.

    Raises:
        MissingInput, BadInput: as `look`, as far as the beginning shows it.
    """
    if not path.is_file():
        raise MissingInput(f"no file at {path}; put the dataset's own table there, under its own name.")
    try:
        with _unpacked(path) as opened:
            start = opened.read(CHUNK)
    except _DAMAGED as error:
        raise BadInput(f"{path} is damaged or cut off ({_why(error)}); fetch it again.") from error
    _check_start(path, start)
    encoding = next((name for known, name in _MARKS.items() if start.startswith(known)), "utf-8-sig")
    if encoding != "utf-16":
        _check_zeros(path, start)
    try:
        return next(csv.reader(io.StringIO(start.decode(encoding, "replace"), newline="")), [])
    except csv.Error as error:
        raise BadInput(f"{path} is no table of comma-separated values ({error}); fetch it again.") from error


def frame(path: Path, *, header: bool = True, usecols: Callable[[Any], bool] | None = None) -> pd.DataFrame:
    """Return a table of comma-separated values as strings, "" where a cell is blank or absent; names as they stand.

    Args:
        path: plain or gzipped.
        header: whether the first line names the columns.
        usecols: tells of a column's name whether it is wanted; None: all.

    Raises:
        MissingInput, BadInput: as `look`; a row has more cells than the header; the last row is cut off.
    """
    kind = look(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = _parse(path, kind, header, usecols)
    except pd.errors.ParserWarning as warning:
        _check_surplus(path, warning)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            table = _parse(path, kind, header, usecols)
    _check_end(path, kind)
    for k, kind in enumerate(table.dtypes):
        if kind.kind == "f":  # a column that no row reaches
            table.isetitem(k, "")
    return table.fillna("").astype(str)


def _check_end(path: Path, kind: Kind) -> None:
    """Raise BadInput for a last row that stops before its last cell: a blank cell says something, a lost one does not."""
    # With a quote that began lines before, its cells cannot be counted.
    if not kind.rest or kind.rest.count('"') % 2 or len(kind.rest) >= TAIL // 2:
        return
    n, wanted = len(next(csv.reader([kind.rest]), [])), len(first_row(path))
    if n < wanted:
        raise BadInput(f"{path} is cut off: its last row has {n} of {wanted} cells. Fetch it again.")


def _parse(path: Path, kind: Kind, header: bool, usecols: Callable[[Any], bool] | None) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            dtype=str,
            keep_default_na=False,
            header=0 if header else None,
            usecols=usecols,
            encoding=kind.encoding,
            compression="gzip" if kind.gzipped else None,
            index_col=False,  # a comma too many on every row must not make the first column an index
        )
    except pd.errors.EmptyDataError as error:
        raise BadInput(f"{path} is empty; fetch it again.") from error
    except (pd.errors.ParserError, ValueError, *_DAMAGED) as error:
        raise BadInput(
            f"{path} is no whole table of comma-separated values ({_why(error)}); fetch it again."
        ) from error


def _check_surplus(path: Path, warning: Warning) -> None:
    """Raise BadInput for a row whose surplus cells hold something: all its cells may stand in the wrong column."""
    first, *others = rows(path) or [[]]
    for i, line in enumerate(others, start=2):
        if any(cell.strip() for cell in line[len(first) :]):
            raise BadInput(
                f"{path} has {len(line)} cells in row {i:,} and {len(first)} names of columns; put cells with commas into "
                "quotes, or fetch it again."
            ) from warning


def _why(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
