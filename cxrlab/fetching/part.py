"""What has come of one file so far, and whether it is what was published.

In:    bytes on disk, what the server said of them, what the catalogue says.
Out:   how much is there; what is wrong with it.
Never: the network.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from cxrlab import files
from cxrlab.errors import BadInput
from cxrlab.fetching.catalogue import RemoteFile
from cxrlab.progress import Progress


class Part:
    """The unfinished file, and what the server said of the thing it is a part of."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.part"
        self._facts = folder / f"{name}.part.json"

    @property
    def size(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def facts(self) -> dict[str, Any]:
        """What the server said when the first byte came: url, etag, modified, total; {} when unknown."""
        try:
            said = files.read_json(self._facts)
        except (FileNotFoundError, BadInput):
            return {}
        return said if isinstance(said, dict) else {}

    def begin(self, facts: dict[str, Any]) -> None:
        """Start anew, from a thing that the server describes by `facts`."""
        self.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(self._facts, facts)

    def clear(self) -> None:
        """Forget what has come."""
        self.path.unlink(missing_ok=True)
        self._facts.unlink(missing_ok=True)


def compare(path: Path, file: RemoteFile, known_sha256: str | None, tell: Progress) -> tuple[str, str]:
    """Return (what is wrong with the file at `path`, "" if nothing; its SHA-256)."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"it has {size:,} bytes, published are {file.bytes:,}", ""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as opened:
        os.fsync(opened.fileno())
        done = 0
        while chunk := opened.read(2**22):
            md5.update(chunk)
            sha256.update(chunk)
            done += len(chunk)
            tell.step(done)
    for kind, found, wanted in (
        ("MD5", md5.hexdigest(), file.md5),
        ("SHA-256", sha256.hexdigest(), file.sha256),
        ("SHA-256 of the first download (in SHA256SUMS)", sha256.hexdigest(), known_sha256),
    ):
        if wanted is not None and found != wanted:
            return f"its {kind} should be {wanted} and is {found}", sha256.hexdigest()
    return "", sha256.hexdigest()
