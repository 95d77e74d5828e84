"""SHA256SUMS beside fetched files: what came first, so that the same may be asked for later.

In:    a folder, a file's name, its SHA-256.
Out:   a file that `sha256sum -c --ignore-missing` can read.
Never: checksums that somebody else published; those are in the catalogue.
"""

import re
from pathlib import Path

from cxrlab import files

HEAD = (
    "# SHA-256 of each file at its first download into this folder.\n"
    "# Where its owner publishes no checksum, what came first is trusted and later downloads are compared with it.\n"
    "# Remove a file's line to accept another version of it. Archives are removed once they are unpacked.\n"
)
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def _path(folder: Path) -> Path:
    return folder / "SHA256SUMS"


def read(folder: Path) -> dict[str, str]:
    """Return name → SHA-256; {} where nothing was noted."""
    try:
        text = _path(folder).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[2]: match[1] for match in found if match}


def note(folder: Path, name: str, sha256: str) -> None:
    """Note a file's checksum."""
    _write(folder, read(folder) | {name: sha256})


def forget(folder: Path, name: str) -> None:
    """Take a file's checksum out."""
    _write(folder, {other: sha256 for other, sha256 in read(folder).items() if other != name})


def _write(folder: Path, known: dict[str, str]) -> None:
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(known.items()))
    files.write_text(_path(folder), HEAD + lines)
