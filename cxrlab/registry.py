"""Names → plug-ins, for sites, models, losses and rules alike.

In:    objects and the names they register under.
Out:   a mapping that refuses duplicates and explains misses.
Never: knowledge of what it holds.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from cxrlab.errors import UnknownName

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Plug-ins by name.

    >>> colours = Registry("colour")
    >>> colours.add("teal")(0x0B6E75)
    749173
    >>> colours["teall"]
    Traceback (most recent call last):
    cxrlab.errors.UnknownName: no colour named 'teall'; did you mean 'teal'? Known: teal.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._items: dict[str, T] = {}

    def add(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its object as `name` and hands it back unchanged."""

        def register(item: T) -> T:
            if name in self._items:
                raise ValueError(f"two plug-ins want to be the {self.what} {name!r}")
            self._items[name] = item
            return item

        return register

    def __getitem__(self, name: str) -> T:
        if name in self._items:
            return self._items[name]
        near = difflib.get_close_matches(name, self._items, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownName(f"no {self.what} named {name!r}; {hint}Known: {', '.join(sorted(self._items))}.")

    def __contains__(
        self, name: object
    ) -> bool:  # Mapping's own asks for the item, and a miss is no KeyError here
        return name in self._items

    def get(self, name: str, default: T | None = None) -> T | None:
        """Return the plug-in named so, or `default`: for asking whether there is one."""
        return self._items.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
