"""Long lists, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


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


def cut(items: Sequence[Item], number: str | int, size: int) -> Page[Item]:
    """Page ``number`` of ``items``; a number that makes no sense gives the nearest page there is."""
    pages = max(1, -(-len(items) // size))
    try:
        wanted = min(max(int(number), 1), pages)
    except ValueError:
        wanted = 1
    start = (wanted - 1) * size
    return Page(tuple(items[start : start + size]), wanted, pages, start + 1, len(items))
