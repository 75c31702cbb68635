"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST_DIGITS = 10
"""A number longer than this is no page's."""

LAST_OFFSET = 10**9
"""The last place of a list that a program can ask for; no list is so long."""


def asked_text(asked: Mapping[str, str], name: str) -> str:
    """What an address asks for by a name, blank if it does not; without NUL, which no stored text can hold."""
    return asked.get(name, "").replace("\0", "")


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some consecutive items of a longer list; ``number`` counts from 1, ``first`` is the place of the first item."""

    items: tuple[Item, ...]
    number: int
    pages: int
    first: int
    total: int

    @property
    def last(self) -> int:
        """The place of the last item on this page."""
        return self.first + len(self.items) - 1


def read_page(read: Callable[[int, int], tuple[tuple[Item, ...], int]], number: str, size: int) -> Page[Item]:
    """Page ``number`` of a list too long to be read whole; a number that makes no sense gives the nearest there is.

    Args:
        read: gives the items from an offset, so many at most, and how many there are in all.
        number: of the page, as an address holds it.
        size: how many items a page has.
    """
    wanted = max(int(number), 1) if number.isdecimal() and len(number) < MOST_DIGITS else 1
    items, total = read((wanted - 1) * size, size)
    pages = max(1, -(-total // size))
    if wanted > pages:
        return read_page(read, str(pages), size)
    return Page(items, wanted, pages, (wanted - 1) * size + 1, total)
