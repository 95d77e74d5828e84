"""One file over HTTP: it goes on where it stopped, it is checked, and it appears whole or not at all.

In:    a RemoteFile, the address to take it from, the folder to put it in.
Out:   the file; until then `<name>.part` and `<name>.part.json` beside it, which the next call goes on with.
Never: archives, licences, several files.

Sources: RFC 9110 §13.1.5 (If-Range), §14 (Range, Content-Range), §8.8.3 (weak and strong ETags).
"""

import http.client
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cxrlab import __version__, files
from cxrlab.errors import BadInput, MissingInput, NoSpace
from cxrlab.fetching.catalogue import RemoteFile
from cxrlab.fetching.part import Part, compare
from cxrlab.progress import Progress

CHUNK = 2**18  # bytes; one read at most, so that a slow line still shows progress
LONGEST_WAIT = 300.0  # seconds; a server may ask for more (Retry-After), we do not hang that long
AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
HERE = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True)
class Patience:
    """How long to put up with a bad line."""

    stall: float = 60.0  # seconds without a byte
    tries: int = 6  # failures in a row, none of which brought a byte that was not there
    first_wait: float = 1.0  # seconds; doubled after each failure


class _Passing(Exception):
    """A failure that may be gone a moment later; its text says what happened."""

    def __init__(self, why: str, wait: float = 0.0, unreachable: bool = False) -> None:
        super().__init__(why)
        self.wait, self.unreachable = wait, unreachable


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows a redirect, but never from https to plain http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise BadInput(
                f"{urlsplit(req.full_url).netloc} sends on to the unprotected address {newurl}; nothing was fetched."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_address(url: str, *, mirror: bool = False) -> None:
    """Raise BadInput unless `url` may be fetched: https; plain http on this machine or from a chosen mirror."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and (mirror or parts.hostname in HERE):
        return
    raise BadInput(f"{url!r} cannot be fetched from; give an address that begins with https://.")


def download(
    file: RemoteFile,
    url: str,
    folder: Path,
    tell: Progress,
    patience: Patience,
    known_sha256: str | None = None,
) -> str:
    """Put `file` into `folder` and return its SHA-256. The caller holds the folder's lock.

    Args:
        file: what is fetched; its size and checksums are what must arrive.
        url: where from: its own address or a mirror's.
        folder: where to; what an earlier call left of it is gone on with.
        tell: hears stages in bytes.
        patience: how long to put up with a bad line.
        known_sha256: what a first download noted, where nobody published a checksum.

    Raises:
        MissingInput: the server cannot be reached, or does not have the file.
        BadInput: what came is not what was published; the part is removed.
        NoSpace: the disk is full; the part is kept.
    """
    target, part = folder / file.name, Part(folder, file.name)
    for attempt in range(2):
        resumed = part.size > 0
        _bring(file, url, part, tell, patience)
        tell.stage(f"checking {file.name}", part.size)
        wrong, sha256 = compare(part.path, file, known_sha256, tell)
        if not wrong:
            part.path.replace(target)
            part.clear()
            return sha256
        part.clear()
        if not (resumed and attempt == 0):  # two halves may not belong together; a whole one is tried once
            raise BadInput(
                f"{file.name} came damaged or was replaced by its owner: {wrong}. What came was removed; start again, "
                f"and if it comes to the same, look at {url} and tell us."
            )
    raise AssertionError("the second attempt is never a resumed one")


def _bring(file: RemoteFile, url: str, part: Part, tell: Progress, patience: Patience) -> None:
    """Fill `part` until it is whole, with as many connections as it takes."""
    failures, best = 0, part.size
    while True:
        try:
            _transfer(file, url, part, tell, patience)
            return
        except _Passing as problem:
            failures = 1 if part.size > best else failures + 1
            best = max(best, part.size)
            # Nobody at home is a cable, a proxy or a typing error: fewer tries, a sooner answer.
            if failures >= (min(3, patience.tries) if problem.unreachable and not best else patience.tries):
                raise MissingInput(_gave_up(file, url, part, problem)) from problem
            wait = min(max(patience.first_wait * 2 ** (failures - 1), problem.wait), LONGEST_WAIT)
            tell.stage(f"waiting {wait:.0f} s for {urlsplit(url).netloc}: {problem}")
            time.sleep(wait)


def _gave_up(file: RemoteFile, url: str, part: Part, problem: _Passing) -> str:
    host = urlsplit(url).netloc
    kept = f" {part.size:,} bytes have come and are kept." if part.size else ""
    what = f"{host} cannot be reached ({problem})" if problem.unreachable else f"{host}: {problem}"
    return (
        f"{what}.{kept} Check the network and the proxy (HTTPS_PROXY) and start again; or fetch {url} with a browser, "
        f"put it at {part.path.with_name(file.name)} and start again."
    )


def _transfer(file: RemoteFile, url: str, part: Part, tell: Progress, patience: Patience) -> None:
    """Make one connection. Raises _Passing when it ends before the file does."""
    have, facts = _held(file, url, part)
    if have and have in (file.bytes, facts.get("total")):
        return
    request = urllib.request.Request(
        url, headers={"User-Agent": f"cxrlab/{__version__}", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        if validator := facts.get("etag") or facts.get("modified"):
            request.add_header("If-Range", validator)
    with _open(request, part, have, patience) as answer:
        total = _begin(answer, file, url, part, have)
        have = part.size
        left = None if total is None else total - have
        room = shutil.disk_usage(part.path.parent).free
        if left is not None and left > room:
            raise NoSpace(
                f"{file.name} needs {left / 1e9:,.2f} GB more and {part.path.parent} has {room / 1e9:,.2f} GB; "
                "make room there, or choose another folder with --to or CXRLAB_HOME, then start again."
            )
        whole = f"{have / 1e6:,.0f} MB were there" if have else ""
        tell.stage(f"fetching {file.name}" + (f" ({whole})" if whole else ""), left or 0)
        _pour(answer, part, tell)
    if total is not None and part.size != total:
        if part.size > total:
            part.clear()
        raise _Passing(f"the connection ended after {part.size:,} of {total:,} bytes")


def _held(file: RemoteFile, url: str, part: Part) -> tuple[int, dict[str, Any]]:
    """Return how many bytes may be gone on with, and what the server said of them."""
    facts = part.facts
    # Without a mark of the server's and without a checksum nothing would tell two halves of different files apart.
    joinable = facts.get("url") == url and (facts.get("etag") or facts.get("modified") or file.has_checksum)
    if not joinable or (file.bytes is not None and part.size > file.bytes):
        part.clear()
        return 0, {}
    return part.size, facts


def _open(request: urllib.request.Request, part: Part, have: int, patience: Patience) -> Any:
    host = urlsplit(request.full_url).netloc
    try:
        return urllib.request.build_opener(_Redirect).open(request, timeout=patience.stall)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # there is less than we have: it is another file by now
                part.clear()
                raise _Passing("the file there changed") from error
            if error.code in AGAIN:
                asked = error.headers.get("Retry-After", "")
                wait = float(asked) if asked.isdigit() else 0.0
                raise _Passing(f"the server says {error.code} {error.reason}", wait) from error
        raise MissingInput(
            f"{host} does not give {request.full_url} ({error.code} {error.reason}); its owner may have moved it: see the "
            f"owner's page, put the file at {part.path.with_name(part.path.name.removesuffix('.part'))} and start again."
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise MissingInput(
                f"{host} shows a certificate that this machine does not trust ({reason.verify_message}); a proxy may stand "
                "between: set SSL_CERT_FILE to its certificate, or fetch the file with a browser."
            ) from error
        if isinstance(reason, TimeoutError):
            raise _Passing(f"no answer within {patience.stall:.0f} s", unreachable=True) from error
        if isinstance(reason, socket.gaierror):
            raise _Passing("its name is not known here", unreachable=True) from error
        unreachable = isinstance(error, urllib.error.URLError) and not isinstance(
            reason, ConnectionResetError
        )
        raise _Passing(str(reason) or type(reason).__name__, unreachable=unreachable) from error


def _begin(answer: Any, file: RemoteFile, url: str, part: Part, have: int) -> int | None:
    """Read the answer's head; begin `part` anew where it is not the rest of what we have. Return the whole's size."""
    head = answer.headers
    if head.get_content_type() == "text/html" and not file.name.endswith((".html", ".htm")):
        raise MissingInput(
            f"{urlsplit(url).netloc} sent a web page instead of {file.name}; its owner may have moved it or ask for a click: "
            f"fetch {url} with a browser, put it at {part.path.with_name(file.name)} and start again."
        )
    etag = head.get("ETag", "")
    facts = {
        "url": url,
        "etag": "" if etag.startswith("W/") else etag,  # a weak mark may not join halves
        "modified": head.get("Last-Modified", ""),
    }
    if answer.status == 206:
        first, total = _range_of(head.get("Content-Range", ""))
        was = part.facts
        if first != have or any(
            was.get(key) and facts[key] and was[key] != facts[key] for key in ("etag", "modified")
        ):
            part.clear()
            raise _Passing("the file there changed")
        return total
    length = head.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    if file.bytes is not None and total not in (None, file.bytes):
        part.clear()
        raise BadInput(
            f"{urlsplit(url).netloc} offers {total:,} bytes as {file.name}, published are {file.bytes:,}: it was replaced or "
            "is no copy of it. Nothing was fetched; see the owner's page."
        )
    part.begin(facts | {"total": total})
    return total


def _range_of(said: str) -> tuple[int, int | None]:
    """Return (first byte, whole size) of a Content-Range; (-1, None) when it is not one.

    >>> _range_of("bytes 5-9/10"), _range_of("bytes 5-9/*"), _range_of("lines 1-2/3")
    ((5, 10), (5, None), (-1, None))
    """
    unit, _, rest = said.partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        return -1, None
    return int(first), int(total) if total.isdigit() else None


def _pour(answer: Any, part: Part, tell: Progress) -> None:
    """Append what comes to `part`, piece by piece as it comes."""
    done = 0
    with files.no_space_is_a_sentence(part.path), part.path.open("ab") as out:
        while True:
            try:
                chunk = answer.read1(CHUNK)
            except TimeoutError as error:
                raise _Passing("no byte came for a long time") from error
            except (OSError, http.client.HTTPException) as error:
                raise _Passing(f"the connection broke ({error or type(error).__name__})") from error
            if not chunk:
                return
            out.write(chunk)
            done += len(chunk)
            tell.step(done)
