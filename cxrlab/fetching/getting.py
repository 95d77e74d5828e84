"""A whole collection: every file fetched, checked, unpacked, and its origin written beside it.

In:    a collection's name, a lab or a folder.
Out:   the folder that its reader takes; a second call fetches only what is missing.
Never: asking whether a licence is accepted; whoever calls has shown it.
"""

import contextlib
import fcntl
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from cxrlab import files
from cxrlab.errors import BadInput, BadRun, UnknownName
from cxrlab.fetching import download, sums, unpack
from cxrlab.fetching.catalogue import Collection, RemoteFile
from cxrlab.fetching.download import Patience
from cxrlab.fetching.gated import GATED
from cxrlab.fetching.openly import OPEN
from cxrlab.fetching.part import compare
from cxrlab.ingest import SMALLEST
from cxrlab.paths import Lab
from cxrlab.progress import Progress

CATALOGUE: dict[str, Collection] = {collection.name: collection for collection in (*OPEN, *GATED)}


def find(name: str, variant: str | None = None) -> Collection:
    """Return the collection `name`.

    Raises:
        UnknownName: there is none.
        BadInput: it has no such variant.
    """
    if name not in CATALOGUE:
        raise UnknownName(f"no collection named {name!r}; known: {', '.join(CATALOGUE)}.")
    found = CATALOGUE[name]
    if variant is not None and variant not in found.variants:
        sizes = f"its sizes are {', '.join(found.variants)}" if found.variants else "it has one size only"
        raise BadInput(f"{name} has no size {variant!r}; {sizes}.")
    return found


def folder_of(lab: Lab, name: str) -> Path:
    """Return where the collection's files go unless another folder is named."""
    return lab.fetched(find(name).folder or name)


def is_fetched(folder: Path, name: str, variant: str | None = None) -> bool:
    """Return whether every file of the collection stands in `folder`."""
    return all((folder / file.product).exists() for file in find(name, variant).files_of(variant)) and bool(
        find(name).files
    )


def ingest_commands(folder: Path, name: str, variant: str | None = None) -> list[str]:
    """Return what to type next: one command a site."""
    collection = find(name, variant)
    if not collection.one_site_a_file:
        return [
            f"python -m cxrlab ingest {collection.dataset} {shlex.quote(str(folder))} --site {collection.folder or name}"
        ]
    px = max(SMALLEST, int(variant or collection.variants[0]))
    return [
        f"python -m cxrlab ingest {collection.dataset} {shlex.quote(str(folder / file.name))} "
        f"--site {Path(file.name).stem} --size {px}"
        for file in collection.files_of(variant)
    ]


def fetch(
    lab: Lab,
    name: str,
    *,
    progress: Progress | None = None,
    variant: str | None = None,
    base: str | None = None,
    to: Path | None = None,
    patience: Patience | None = None,
) -> Path:
    """Fetch what is missing of a collection and return its folder. The licence was shown by whoever calls.

    Args:
        lab: where `fetched/<name>` lies.
        name: of the collection.
        progress: hears stages in bytes.
        variant: a side in pixels, for collections that have several.
        base: a mirror: a folder over HTTP that holds the files under the catalogue's names.
        to: another folder.
        patience: how long to put up with a bad line.

    Raises:
        UnknownName: no such collection.
        BadInput: it must be asked for in person, or what came is not what was published.
        BadRun: another process is fetching into this folder.
        MissingInput: a server cannot be reached or does not have a file.
        NoSpace: the disk is full; what has come is kept.
    """
    collection = find(name, variant)
    if collection.gated:
        raise BadInput(
            f"{collection.title} must be asked for in person; `python -m cxrlab fetch {name}` says how, step by step."
        )
    tell, folder = progress or Progress(), to or folder_of(lab, name)
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file; choose a folder with --to.")
    if base is not None:
        download.check_address(base, mirror=True)
    with files.no_space_is_a_sentence(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for file in collection.files_of(variant):
            _bring(file, folder, base, tell, patience or Patience())
        files.write_text(folder / f"SOURCE-{name}.txt", _origin(collection, variant, folder))
    return folder


def _bring(file: RemoteFile, folder: Path, base: str | None, tell: Progress, patience: Patience) -> None:
    """Make one file's product stand in `folder`."""
    product, target, known = folder / file.product, folder / file.name, sums.read(folder).get(file.name)
    if product.exists() and (file.unpack_to or known is not None):
        return
    by_hand = target.exists() and known is None
    if by_hand:
        tell.stage(f"checking {file.name}", target.stat().st_size)
        wrong, sha256 = compare(target, file, None, tell)
        if wrong:
            raise BadInput(
                f"{target} is not the file that was published: {wrong}. Remove it and start again."
            )
        sums.note(folder, file.name, sha256)
    elif not target.exists():
        url = file.url if base is None else f"{base.rstrip('/')}/{file.name}"
        download.check_address(url, mirror=base is not None)
        sums.note(folder, file.name, download.download(file, url, folder, tell, patience, known_sha256=known))
    if file.unpack_to:
        try:
            unpack.unpack(target, product, tell, file.strip)
        except unpack.Damaged:
            if not by_hand:  # it came without a checksum that could have told; the next call fetches it anew
                target.unlink()
                sums.forget(folder, file.name)
            raise
        if not by_hand:
            target.unlink()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel frees it at death. Raises BadRun when another process holds it."""
    handle = os.open(folder / ".fetching", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise BadRun(f"another process is fetching into {folder}; wait for it, or end it first.") from error
    try:
        yield
    finally:
        os.close(handle)


def _origin(collection: Collection, variant: str | None, folder: Path) -> str:
    known = sums.read(folder)
    lines = [
        collection.title,
        f"licence: {collection.licence}",
        f"cite: {collection.citation}",
        f"owner's page: {collection.page}",
    ]
    lines += [f"note: {collection.note}"] if collection.note else []
    for file in collection.files_of(variant):
        checked = (
            f"checked against {'MD5 ' + file.md5 if file.md5 else f'SHA-256 {file.sha256}'}"
            if file.has_checksum
            else "no checksum is published: what came first is trusted"
        )
        lines.append(
            f"{file.name}: from {urlsplit(file.url).netloc}, {checked}; SHA-256 {known.get(file.name, 'unknown')}"
        )
        lines.append(f"  {file.url} ({file.said_by})")
    return "\n".join(lines) + "\n"
