"""What lies in a raw folder of hundreds of thousands of files, in one walk.

In:    a raw folder.
Out:   its images and its tables, relative paths with forward slashes, sorted.
Never: what is in them.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cxrlab.sites.tables import IMAGE_SUFFIXES, check_file_names

TABLES = (".csv", ".csv.gz")


@dataclass(frozen=True)
class Survey:
    """Files of a raw folder."""

    images: list[str]
    tables: list[str]  # the uppermost first

    def named(self, *names: str) -> list[str]:
        """Return the tables of these names, with or without .gz, upper or lower case; in the order of `names`."""
        wanted = [name.lower() for name in names]
        found = [(_plain(path), path) for path in self.tables]
        return [path for name in wanted for plain, path in found if plain == name]


def look(folder: Path) -> Survey:
    """Return what lies below `folder`; hidden files and Mac shadows are passed over."""
    images: list[str] = []
    tables: list[str] = []
    root = os.fspath(folder)
    for here, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != "__MACOSX" and not name.startswith(".")]
        below = here[len(root) :].replace(os.sep, "/").strip("/")
        prefix = below + "/" if below else ""
        check_file_names(here, names)
        for name in names:
            if name.startswith("."):
                continue
            lower = name.lower()
            if lower.endswith(TABLES):
                tables.append(prefix + name)
            elif "." in lower and lower[lower.rindex(".") :] in IMAGE_SUFFIXES:
                images.append(prefix + name)
    return Survey(sorted(images), sorted(tables, key=lambda path: (path.count("/"), path)))


def _plain(path: str) -> str:
    return path.rsplit("/", 1)[-1].lower().removesuffix(".gz")
