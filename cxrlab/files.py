"""Files are written whole or not at all.

In:    a path and bytes, text or a value.
Out:   that file, complete, or the old one untouched.
Never: what a file means.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxrlab.errors import BadInput, NoSpace

SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path`; sync and move it there only if the block succeeds.

    Raises:
        NoSpace: the disk filled up; the old file, if any, is untouched and the part is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        with no_space_is_a_sentence(path):
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)  # atomic within one file system
    finally:
        part.unlink(missing_ok=True)


def reserve(path: Path, size: int) -> None:
    """Take room for `size` bytes in `path`, which is made if need be and grows to that size.

    Raises:
        OSError: there is no room. Where a file system cannot reserve, nothing happens.
    """
    with path.open("ab") as opened:
        try:
            os.posix_fallocate(opened.fileno(), 0, max(size, 1))
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise


def remove_parts(path: Path) -> None:
    """Remove what killed processes left of `path`. Call it only where no other process may be writing `path`."""
    for part in path.parent.glob(f"{path.name}.part-*"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def no_space_is_a_sentence(path: Path) -> Iterator[None]:
    """Turn the operating system's 'no space left', 'quota exceeded' and 'file too large' into NoSpace, naming `path`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        # HDF5 wraps the system's error in text and loses its number; on closing, h5py gives a RuntimeError.
        code = getattr(error, "errno", None)
        why = next(
            (why for number, why in _FULL.items() if code == number or os.strerror(number) in str(error)),
            None,
        )
        if why is None:
            raise
        raise NoSpace(
            f"{why} while writing {path}; nothing was written under that name. "
            "Free some space there or set CXRLAB_HOME to a larger disk, then start again."
        ) from error


_FULL = {
    errno.ENOSPC: "the disk filled up",
    errno.EDQUOT: "your disk quota was used up",
    errno.EFBIG: "the largest file size allowed here was reached (`ulimit -f`, or the file system's own limit)",
}


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:  # JSON is any of six types
    """Write `value` as indented JSON, whole or not at all. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`.

    Raises:
        FileNotFoundError: there is none.
        BadInput: the file is not JSON.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for without end
            raise BadInput(f"{path} is no file; remove it.")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (ValueError, RecursionError, OSError) as error:
        raise BadInput(f"{path} is not JSON ({error}); write it again or remove it.") from error


def digest_of(*parts: bytes | str) -> str:
    """Return the SHA-256 of `parts`, 64 hexadecimal digits."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))  # so that ("ab", "c") and ("a", "bc") differ
        sha.update(data)
    return sha.hexdigest()


def size_in_words(n_bytes: float) -> str:
    """Return an amount of disk or memory for people.

    >>> size_in_words(1500), size_in_words(2.5e9)
    ('1.5 kB', '2.5 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" or n_bytes >= 100 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def check_name(name: str, what: str) -> None:
    """Raise BadInput unless `name` can be a file's name on every system and in a URL."""
    if not SAFE_NAME.fullmatch(name) or name.endswith("."):
        raise BadInput(
            f"{name!r} cannot be a {what}'s name; use lower-case letters, digits, '-', '_' and '.', "
            "starting with a letter or digit, at most 64."
        )
