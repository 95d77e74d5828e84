"""An archive becomes a folder, whole or not at all; nothing it says can reach outside that folder.

In:    a .zip or .tar.gz, the folder that it shall become.
Out:   the folder, moved into place when its last file is written.
Never: links, devices, names that lead outside, more bytes than an archive of that size can honestly hold.
"""

import contextlib
import gzip
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cxrlab import files
from cxrlab.errors import BadInput, NoSpace
from cxrlab.progress import Progress

# Radiographs hardly shrink; reports do, about tenfold. Past this an archive is a bomb.
LARGEST_RATIO, ALWAYS_ALLOWED = 50, 256 * 2**20  # bytes
MOST_FILES = 2_000_000
CHUNK = 2**20
_JUNK = frozenset((".DS_Store", "Thumbs.db"))
_DRIVE = re.compile(r"[A-Za-z]:")


class Damaged(BadInput):
    """An archive that ends early or does not match its own checksums."""


def unpack(archive: Path, into: Path, tell: Progress, strip: int = 0) -> int:
    """Unpack `archive` to the new folder `into`; return how many files it holds.

    An interrupted call leaves a hidden neighbour, which the next call throws away. `strip` leading folders are dropped.

    Raises:
        Damaged: it cannot be read to its end.
        BadInput: a name leads outside, a member is a link or a device, or it holds too much. Nothing is unpacked.
        NoSpace: the disk is full. Nothing is unpacked.
    """
    staging = into.with_name(f".{into.name}.unpacking")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        with files.no_space_is_a_sentence(into):
            kept = _pour(archive, staging, tell, strip)
        if not kept:
            raise Damaged(f"{archive} holds no file.")
        os.sync()  # the archive may be removed after this; ten thousand single syncs would take minutes
        staging.replace(into)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return kept


def _pour(archive: Path, staging: Path, tell: Progress, strip: int) -> int:
    limit = max(ALWAYS_ALLOWED, LARGEST_RATIO * archive.stat().st_size)
    is_zip = archive.suffix.lower() == ".zip"
    kept = seen = total = 0
    try:
        for name, size, stream in _zip_members(archive, tell) if is_zip else _tar_members(archive, tell):
            seen, total = seen + 1, total + size
            if total > limit or seen > MOST_FILES:
                raise BadInput(
                    f"{archive} claims more than {min(total, limit):,} bytes in {seen:,} files, out of {archive.stat().st_size:,}; "
                    "nothing was unpacked. It is not what its owner published: remove it and fetch it again."
                )
            parts = _safe(archive, name)[strip:]
            if not parts or parts[0] == "__MACOSX" or parts[-1] in _JUNK or parts[-1].startswith("._"):
                continue
            _write(archive, staging.joinpath(*parts), size, stream)
            kept += 1
    except (
        zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, struct.error, UnicodeError,
        NotImplementedError, RuntimeError,
    ) as error:  # fmt: skip
        raise Damaged(
            f"{archive} cannot be unpacked ({error}); nothing was. Remove it and fetch it again."
        ) from error
    return kept


def _zip_members(archive: Path, tell: Progress) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        total = sum(member.file_size for member in members)
        room = shutil.disk_usage(archive.parent).free
        limit = max(ALWAYS_ALLOWED, LARGEST_RATIO * archive.stat().st_size)
        if room < total <= limit:
            raise NoSpace(
                f"{archive.name} unpacks to {total / 1e9:,.2f} GB and {archive.parent} has {room / 1e9:,.2f} GB; make room, start again."
            )
        tell.stage(f"unpacking {archive.name}", total)
        done = 0
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, member.filename, "is a link or a device")
            if not member.is_dir():
                with opened.open(member) as stream:
                    yield member.filename, member.file_size, stream
            done += member.file_size
            tell.step(done)


def _tar_members(archive: Path, tell: Progress) -> Iterator[tuple[str, int, IO[bytes]]]:
    with archive.open("rb") as raw, gzip.open(raw) as plain, tarfile.open(fileobj=plain, mode="r|") as opened:
        tell.stage(f"unpacking {archive.name}", archive.stat().st_size)
        for member in opened:
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise _refused(archive, member.name, "is a link or a device")
            stream = opened.extractfile(member)
            if stream is None:
                raise _refused(archive, member.name, "has no content")
            yield member.name, member.size, stream
            tell.step(raw.tell())
        # tarfile stops at the end mark; gzip's own checksum comes after it.
        for _ in range(ALWAYS_ALLOWED // CHUNK):
            if not plain.read(CHUNK):
                break
        tell.step(archive.stat().st_size)


def _safe(archive: Path, name: str) -> tuple[str, ...]:
    """Return a member's folders and name. Raises BadInput when they lead outside."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or "\0" in name
        or _DRIVE.match(name)
    ):
        raise _refused(archive, name, "leads outside the folder")
    if any(len(part.encode()) > 255 for part in parts):
        raise _refused(archive, name[:80], "has too long a name")
    return parts


def _refused(archive: Path, name: str, why: str) -> BadInput:
    return BadInput(
        f"{archive} holds {name!r}, which {why}; nothing was unpacked. It is not what its owner published: "
        "remove it and fetch it again."
    )


def _write(archive: Path, path: Path, size: int, stream: Any) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        out = path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise _refused(archive, path.name, "is there twice") from error
    done = 0
    with contextlib.closing(out):
        while chunk := stream.read(CHUNK):
            done += len(chunk)
            if done > size:
                raise _refused(archive, path.name, "is larger than it claims")
            out.write(chunk)
    if done != size:
        raise Damaged(
            f"{archive} ends within {path.name}; nothing was unpacked. Remove it and fetch it again."
        )
