"""What happens to tables on their way to a person: each fault takes a table's bytes and gives other bytes.

In:    the bytes of a table of comma-separated values in UTF-8.
Out:   the bytes of a damaged one. Faults in WHOLE keep every row and every cell; those in BROKEN do not.
"""

import csv
import io
from collections.abc import Callable

import numpy as np

Cells = list[list[str]]
Fault = Callable[[bytes, np.random.Generator], bytes]
LONG = 1_000_000  # characters


def parsed(data: bytes) -> Cells:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def text(cells: Cells, **how: object) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", **how).writerows(cells)
    return out.getvalue().encode()


def on_cells(change: Callable[[Cells, np.random.Generator], Cells]) -> Fault:
    """Return a fault that changes parsed cells."""
    return lambda data, rng: text(change(parsed(data), rng))


def lines(change: Callable[[list[bytes], np.random.Generator], list[bytes]]) -> Fault:
    """Return a fault that changes lines; a cell may hold several of them."""
    return lambda data, rng: b"\n".join(change(data.rstrip(b"\n").split(b"\n"), rng)) + b"\n"


def added(name: str, cell: str) -> Fault:
    return on_cells(lambda cells, rng: [[*row, cell if k else name] for k, row in enumerate(cells)])


def in_every_column(value: str) -> Fault:
    """Return a fault that writes `value` into every column but the first, each time in another row."""

    def change(cells: Cells, rng: np.random.Generator) -> Cells:
        start = int(rng.integers(len(cells)))
        for k in range(1, len(cells[0])):
            row = cells[1 + (k + start) % (len(cells) - 1)] if len(cells) > 1 else cells[0]
            if k < len(row):
                row[k] = value
        return cells

    return on_cells(change)


def named(before: str) -> Fault:
    """Return a fault that writes `before` before a row's first cell, which mostly names the image."""

    def change(cells: Cells, rng: np.random.Generator) -> Cells:
        row = cells[int(rng.integers(min(1, len(cells) - 1), len(cells)))]
        row[0] = before + row[0]
        return cells

    return on_cells(change)


def without(which: float) -> Fault:
    def change(cells: Cells, rng: np.random.Generator) -> Cells:
        at = int(which * (len(cells[0]) - 1))
        return [row[:at] + row[at + 1 :] for row in cells]

    return on_cells(change)


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(data)
    for at in rng.integers(0, len(out), max(4, len(out) // 200)):
        out[int(at)] ^= 1 << int(rng.integers(8))
    return bytes(out)


def reordered(cells: Cells, rng: np.random.Generator) -> Cells:
    order = rng.permutation(len(cells[0]))
    return [[row[k] if k < len(row) else "" for k in order] for row in cells]


def short(cells: Cells, rng: np.random.Generator) -> Cells:
    return [row[:-1] if k == 1 else row for k, row in enumerate(cells)]


# Every row is there, spelled otherwise: an import that succeeds must say the same as from the sound table.
WHOLE: dict[str, Fault] = {
    "byte-order mark": lambda data, rng: b"\xef\xbb\xbf" + data,
    "lines of Windows": lambda data, rng: data.replace(b"\n", b"\r\n"),
    "lines of an old Mac": lambda data, rng: data.replace(b"\n", b"\r"),
    "no newline at the end": lambda data, rng: data.rstrip(b"\n"),
    "blank lines at the end": lambda data, rng: data + b"\n\n\n",
    "UTF-16": lambda data, rng: data.decode().encode("utf-16"),
    "UTF-16 of the other order": lambda data, rng: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "UTF-16 without a mark": lambda data, rng: data.decode().encode("utf-16-le"),
    "UTF-32": lambda data, rng: data.decode().encode("utf-32"),
    "a column of latin-1": lambda data, rng: added("Arzt", "Müller")(data, rng).decode("utf-8-sig").encode("latin-1"),
    "a column of emoji": added("🫁", "🩻🩻"),
    "a column of a megabyte": on_cells(
        lambda cells, rng: [[*row, "x" * LONG if k == 1 else "x"] for k, row in enumerate(cells)]
    ),
    "a column without a name": added("", "1"),
    "a column name twice": on_cells(lambda cells, rng: [[*row, *row[:1]] for row in cells]),
    "every cell quoted": lambda data, rng: text(parsed(data), quoting=csv.QUOTE_ALL),
    "every row twice": on_cells(lambda cells, rng: cells + cells[1:]),
    "one row doubled": on_cells(lambda cells, rng: [*cells, cells[-1]]),
    "the header again in the middle": on_cells(lambda cells, rng: [*cells[:2], cells[0], *cells[2:]]),
    "a trailing comma on every row": on_cells(lambda cells, rng: [[*row, ""] for row in cells]),
    "a trailing comma on all but the header": on_cells(
        lambda cells, rng: [[*row, ""] if k else row for k, row in enumerate(cells)]
    ),
    "rows in another order": on_cells(lambda cells, rng: [cells[0], *sorted(cells[1:], key=lambda row: row[:1])]),
    "columns in another order": on_cells(reordered),
    "spaces around every comma": on_cells(lambda cells, rng: [[f" {cell} " for cell in row] for row in cells]),
}  # fmt: skip

# Something is gone or wrong: one sentence, or every image is in the store or in its quarantine.
BROKEN: dict[str, Fault] = {
    "empty": lambda data, rng: b"",
    "one newline": lambda data, rng: b"\n",
    "only the header": on_cells(lambda cells, rng: cells[:1]),
    "no header": on_cells(lambda cells, rng: cells[1:]),
    "cut in the middle of a line": lambda data, rng: data[: int(len(data) * 0.6)],
    "cut in the last line": lambda data, rng: data.rstrip(b"\n")[:-7],
    "cut in the header": lambda data, rng: data[: len(data.splitlines()[0]) // 2],
    "the first column gone": without(0.0),
    "a middle column gone": without(0.5),
    "the last column gone": without(1.0),
    "names of columns misspelled": on_cells(
        lambda cells, rng: [[name.replace("a", "4").replace("e", "3") for name in cells[0]], *cells[1:]]
    ),
    "semicolons": lambda data, rng: data.replace(b",", b";"),
    "tabs": lambda data, rng: data.replace(b",", b"\t"),
    "a quote that never ends": lines(
        lambda found, rng: [*found[: len(found) // 2], b'"' + found[len(found) // 2], *found[len(found) // 2 + 1 :]]
    ),
    "a comma too many in one row": on_cells(lambda cells, rng: [*cells[:1], [*cells[-1][:1], "x", *cells[-1][1:]], *cells[1:]]),
    "a comma too many in every row": on_cells(lambda cells, rng: [cells[0], *([*row[:1], "x", *row[1:]] for row in cells[1:])]),
    "a cell too few in one row": on_cells(short),
    "NUL bytes": lines(lambda found, rng: [found[0], *(b"\0" + line for line in found[1:])]),
    "a hole of zeros": lambda data, rng: data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 :],
    "a megabyte of zeros behind": lambda data, rng: data + bytes(2**20),
    "flipped bits": flipped,
    "random bytes": lambda data, rng: rng.bytes(3000),
    "a web page": lambda data, rng: b"<!DOCTYPE html>\n<html><body>Sign in, please, to go on</body></html>\n",
    "a Git LFS pointer": lambda data, rng: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
    "a ZIP": lambda data, rng: b"PK\x03\x04" + rng.bytes(500),
    "an old workbook": lambda data, rng: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + rng.bytes(500),
    "escapes of a terminal": lambda data, rng: data.replace(b",", b"\x1b[2J,"),
    "1e400 in every column": in_every_column("1e400"),
    "NaN in every column": in_every_column("NaN"),
    "negative numbers": in_every_column("-987654321"),
    "a newline in every column": in_every_column("a\nb"),
    "emoji in every column": in_every_column("🩻"),
    "a formula in every column": in_every_column('=HYPERLINK("x")'),
    "blank cells": in_every_column(""),
    "digits of Arabic": in_every_column("٣"),
    "a name that climbs": named("../../"),
    "an absolute name": named("/etc/"),
    "a name with a newline": named("a\nb"),
    "a name of Windows": named("C:\\data\\"),
    "a name of four thousand letters": named("x" * 4000 + "/"),
    "a name of one dot": on_cells(lambda cells, rng: [*cells[:1], *([".", *row[1:]] for row in cells[1:2]), *cells[2:]]),
    "a blank name": on_cells(lambda cells, rng: [*cells[:1], *(["", *row[1:]] for row in cells[1:2]), *cells[2:]]),
}  # fmt: skip
