"""What a published collection is: its files, its licence, its owner's conditions.

In:    nothing.
Out:   `Collection` and `RemoteFile`, which openly.py and gated.py fill in.
Never: the network; how a raw folder is read.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class RemoteFile:
    """One file on a server. Nothing here is guessed: what nobody published is None."""

    url: str
    name: str  # its name in the collection's folder, and on a mirror
    bytes: int | None = None  # exact
    md5: str | None = None
    sha256: str | None = None
    said_by: str = ""  # who published the address, the size and the checksum
    variant: str = ""  # which variant it belongs to; "": all of them
    unpack_to: str = ""  # an archive: the folder that it becomes
    strip: int = 0  # leading folders inside the archive that are dropped

    @property
    def has_checksum(self) -> bool:
        """Whether somebody published a checksum of it."""
        return self.md5 is not None or self.sha256 is not None

    @property
    def product(self) -> PurePosixPath:
        """What stands in the collection's folder once it is fetched: the file, or the folder it was unpacked to."""
        return PurePosixPath(self.unpack_to or self.name)


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One published collection of radiographs."""

    name: str
    title: str
    dataset: str  # the reader's name in sites.SITES
    licence: str
    citation: str
    page: str  # the owner's own page
    gated: bool = False
    steps: tuple[str, ...] = ()  # gated: what a person must do, in order
    layout: str = ""  # what the folder must look like for the reader, one line a file or folder
    files: tuple[RemoteFile, ...] = ()
    variants: tuple[str, ...] = ()  # the first is the default; (): there is only one
    folder: str = ""  # collections that share a folder; "": its name
    one_site_a_file: bool = False  # each file is a site of its own
    note: str = ""  # what a person should know before fetching

    def files_of(self, variant: str | None = None) -> tuple[RemoteFile, ...]:
        """Return the files of `variant` (None: the default)."""
        wanted = variant or (self.variants[0] if self.variants else "")
        return tuple(file for file in self.files if file.variant in ("", wanted))

    def bytes_of(self, variant: str | None = None) -> tuple[int, bool]:
        """Return how many bytes are known to come, and whether that is all of them."""
        sizes = [file.bytes for file in self.files_of(variant)]
        return sum(size for size in sizes if size is not None), None not in sizes
