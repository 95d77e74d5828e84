"""What a person must know before anything is fetched: licence, citation, size, what nobody vouches for.

In:    a collection.
Out:   lines of text.
Never: the network.
"""

from cxrlab.fetching.catalogue import Collection


def said_size(collection: Collection, variant: str | None) -> str:
    """Return what is published of a collection's size."""
    known, all_of_it = collection.bytes_of(variant)
    if all_of_it:
        return amount(known)
    return f"over {amount(known)}" if known else "not published"


def amount(n: float) -> str:
    """Return a number of bytes in words.

    >>> amount(900), amount(4_170_669), amount(45_060_565_780)
    ('900 B', '4.2 MB', '45.1 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n:.0f} B"


def licence(collection: Collection, variant: str | None) -> str:
    """Return what must be shown before anything is fetched."""
    files = collection.files_of(variant)
    lines = [
        collection.title,
        f"licence: {collection.licence}",
        f"cite:    {collection.citation}",
        f"page:    {collection.page}",
        f"size:    {said_size(collection, variant)} in {len(files)} file{'s' * (len(files) > 1)}",
    ]
    if unsure := [file.name for file in files if not file.has_checksum]:
        lines.append(
            f"check:   no checksum is published of {', '.join(unsure)}; what comes first is noted in SHA256SUMS"
        )
    return "\n".join(lines + ([f"note:    {collection.note}"] if collection.note else []))
