"""What happens to tables on their way to a person: each fault takes a file's bytes and gives other bytes.

In:    the bytes of a table of comma-separated values.
Out:   the bytes of a broken one. Faults in WHOLE keep every row and every cell that matters.
"""

import csv
import io
from collections.abc import Callable

import numpy as np

Fault = Callable[[bytes, np.random.Generator], bytes]


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def _table(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def _text(table: list[list[str]], **how: object) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", **how).writerows(table)
    return out.getvalue().encode()


def _some_row(table: list[list[str]], rng: np.random.Generator) -> int:
    return int(rng.integers(1, len(table)))


def _cells(data: bytes, rng: np.random.Generator, value: str) -> bytes:
    """Put `value` into every column once, down the rows, never into the first cell of a row."""
    table = _table(data)
    for k in range(1, len(table[0])):
        row = table[1 + (k + int(rng.integers(len(table)))) % (len(table) - 1)] if len(table) > 1 else table[0]
        if k < len(row):
            row[k] = value
    return _text(table)


def _names(data: bytes, rng: np.random.Generator, before: str) -> bytes:
    """Change the first cell of one row, which mostly names the image."""
    table = _table(data)
    row = table[_some_row(table, rng)]
    row[0] = before + row[0]
    return _text(table)


def _without_column(data: bytes, which: float) -> bytes:
    table = _table(data)
    at = int(which * (len(table[0]) - 1))
    return _text([row[:at] + row[at + 1 :] for row in table])


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for at in rng.integers(0, len(out), max(4, len(out) // 200)):
        out[int(at)] ^= 1 << int(rng.integers(8))
    return bytes(out)


def _shuffled_columns(data: bytes, rng: np.random.Generator) -> bytes:
    table = _table(data)
    width = len(table[0])
    order = rng.permutation(width)
    return _text([[row[k] if k < len(row) else "" for k in order] for row in table])


def _cut_in_a_quote(data: bytes, rng: np.random.Generator) -> bytes:
    lines = _lines(data)
    at = len(lines) // 2
    return b"\n".join([*lines[:at], b'"' + lines[at], *lines[at + 1 :]])


# Every row is still there, spelled otherwise: where the import succeeds, it must say the same.
WHOLE: dict[str, Fault] = {
    "byte-order mark": lambda data, rng: b"\xef\xbb\xbf" + data,
    "lines of Windows": lambda data, rng: data.replace(b"\n", b"\r\n"),
    "lines of an old Mac": lambda data, rng: data.replace(b"\n", b"\r"),
    "blank lines between": lambda data, rng: data.replace(b"\n", b"\n\n"),
    "no newline at the end": lambda data, rng: data.rstrip(b"\n"),
    "UTF-16": lambda data, rng: data.decode().encode("utf-16"),
    "UTF-16 without a mark": lambda data, rng: data.decode().encode("utf-16-le"),
    "an added column of latin-1": lambda data, rng: b"\n".join(
        line + (b",M\xfcller" if k else b",Arzt") for k, line in enumerate(_lines(data.rstrip(b"\n")))
    ),
    "an added column of emoji": lambda data, rng: b"\n".join(
        line + ("," + "🫁" * 3).encode() for line in _lines(data.rstrip(b"\n"))
    ),
    "an added column of a megabyte": lambda data, rng: b"\n".join(
        line + (b"," + b"x" * 1_000_000 if k == 1 else b",x") for k, line in enumerate(_lines(data.rstrip(b"\n")))
    ),
    "a column name twice": lambda data, rng: b"\n".join(
        line + b"," + line.split(b",")[0] for line in _lines(data.rstrip(b"\n"))
    ),
    "every cell quoted": lambda data, rng: _text(_table(data), quoting=csv.QUOTE_ALL),
    "every row twice": lambda data, rng: data + b"\n".join(_lines(data)[1:]),
    "one row doubled": lambda data, rng: data.rstrip(b"\n") + b"\n" + _lines(data.rstrip(b"\n"))[-1] + b"\n",
    "the header again in the middle": lambda data, rng: data.rstrip(b"\n") + b"\n" + _lines(data)[0] + b"\n",
    "a trailing comma on every row": lambda data, rng: data.rstrip(b"\n").replace(b"\n", b",\n") + b",",
    "rows in another order": lambda data, rng: b"\n".join(
        [_lines(data)[0], *reversed(_lines(data.rstrip(b"\n"))[1:])]
    ),
    "columns in another order": _shuffled_columns,
    "spaces around every comma": lambda data, rng: _text([[f" {cell} " for cell in row] for row in _table(data)]),
}  # fmt: skip

# Something is gone or wrong: a sentence, or every image in the store or in its quarantine.
BROKEN: dict[str, Fault] = {
    "empty": lambda data, rng: b"",
    "one newline": lambda data, rng: b"\n",
    "only the header": lambda data, rng: _lines(data)[0] + b"\n",
    "no header": lambda data, rng: b"\n".join(_lines(data)[1:]),
    "cut in the middle of a line": lambda data, rng: data[: int(len(data) * 0.6)],
    "cut in the header": lambda data, rng: data[: len(_lines(data)[0]) // 2],
    "the first column gone": lambda data, rng: _without_column(data, 0.0),
    "a middle column gone": lambda data, rng: _without_column(data, 0.5),
    "the last column gone": lambda data, rng: _without_column(data, 1.0),
    "names of columns misspelled": lambda data, rng: b"\n".join(
        [_lines(data)[0].replace(b"a", b"4").replace(b"e", b"3").replace(b"i", b"1"), *_lines(data)[1:]]
    ),
    "semicolons": lambda data, rng: data.replace(b",", b";"),
    "tabs": lambda data, rng: data.replace(b",", b"\t"),
    "a quote that never ends": _cut_in_a_quote,
    "a cell too many in one row": lambda data, rng: b"\n".join(
        [*_lines(data)[:2], b"x," * 3 + (_lines(data)[2] if len(_lines(data)) > 2 else b""), *_lines(data)[3:]]
    ),
    "a cell too few in one row": lambda data, rng: b"\n".join(
        [*_lines(data)[:1], _lines(data)[1].rpartition(b",")[0] if len(_lines(data)) > 1 else b"", *_lines(data)[2:]]
    ),
    "NUL bytes": lambda data, rng: b"\n".join([_lines(data)[0], *(b"\0" + line for line in _lines(data)[1:])]),
    "sparse: a megabyte of zeros behind": lambda data, rng: data + bytes(2**20),
    "flipped bits": _flipped,
    "random bytes": lambda data, rng: rng.bytes(3000),
    "a web page": lambda data, rng: b"<!DOCTYPE html>\n<html><body>Sign in, please, to go on</body></html>\n",
    "a Git LFS pointer": lambda data, rng: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
    "a ZIP": lambda data, rng: b"PK\x03\x04" + rng.bytes(500),
    "a workbook's name for nothing": lambda data, rng: data.replace(b",", b",#N/A,"),
    "1e400 in every column": lambda data, rng: _cells(data, rng, "1e400"),
    "NaN in every column": lambda data, rng: _cells(data, rng, "NaN"),
    "negative numbers": lambda data, rng: _cells(data, rng, "-987654321"),
    "a newline in every column": lambda data, rng: _cells(data, rng, "a\nb"),
    "emoji in every column": lambda data, rng: _cells(data, rng, "🩻"),
    "a formula in every column": lambda data, rng: _cells(data, rng, '=HYPERLINK("x")'),
    "blank cells": lambda data, rng: _cells(data, rng, ""),
    "a NUL in every column": lambda data, rng: _cells(data, rng, "a\0b"),
    "a name that climbs": lambda data, rng: _names(data, rng, "../../"),
    "an absolute name": lambda data, rng: _names(data, rng, "/etc/"),
    "a name with a newline": lambda data, rng: _names(data, rng, "a\nb"),
    "a name of Windows": lambda data, rng: _names(data, rng, "C:\\data\\"),
    "a name of four thousand letters": lambda data, rng: _names(data, rng, "x" * 4000 + "/"),
    "a blank name": lambda data, rng: b"\n".join(
        [_lines(data)[0], *(b"," + line.partition(b",")[2] for line in _lines(data.rstrip(b"\n"))[1:2]), *_lines(data)[2:]]
    ),
}  # fmt: skip
