"""Grouping rows by a key, and going through many a part at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key")


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Return the rows of each key in the order given; a key that has none gives an empty list."""
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


KEYS_A_QUERY = 5_000
"""How many keys one statement names: below the parameters that SQLite (32,766) and PostgreSQL (65,535) take."""


def parts(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    """Give the rows in their order, at most ``size`` at a time."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
