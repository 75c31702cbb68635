"""What entries say of each row, on disk for as long as a check lasts: memory stays flat, however long the ledger."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple, TypeAlias
from uuid import UUID

Value: TypeAlias = str | int | bool | datetime | UUID | Enum | Sequence[str] | None

_CACHE_KIB = 32_768
"""How much of it SQLite holds in memory."""

_FOUND = {"notice": "SELECT id FROM said WHERE fact = 'notice' AND value = ? AND sort = ? ORDER BY id"}
"""The facts by which rows are found, each with its query: in these words, the index is used."""


class Said(NamedTuple):
    """What an entry says that a column holds: the value as text (None for nothing), and the entry's number.

    ``entry`` is None where no entry says anything.
    """

    value: str | None
    entry: int | None


NOTHING = Said(None, None)

Facts: TypeAlias = Mapping[str, Said]
"""What entries say of one row, by the name of the fact."""


def written(value: Value) -> str | None:
    """A value as facts are compared: instants in UTC, ids with hyphens, lists as JSON; None stays None."""
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case str() | int() | UUID():
            return str(value)
        case _:
            return json.dumps(list(value))


class Scratch:
    """Facts by what they are about: a sort (``duty``) and an id, each fact with the entry that said it last."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # a file that goes by itself
        self._file.executescript(
            f"""
            PRAGMA journal_mode = OFF;
            PRAGMA synchronous = OFF;
            PRAGMA cache_size = -{_CACHE_KIB};
            CREATE TABLE said (
                sort TEXT, id TEXT, fact TEXT, value TEXT, entry INTEGER, PRIMARY KEY (sort, id, fact)
            ) WITHOUT ROWID;
            CREATE INDEX found ON said (fact, value, sort) WHERE fact = 'notice';
            BEGIN;
            """
        )

    def close(self) -> None:
        """Let all of it go."""
        self._file.close()

    def say(self, sort: str, key: str, entry: int, **facts: Value) -> None:
        """Keep what an entry says of one row, in place of what was said of the same facts before."""
        rows = [(sort, key, fact, written(value), entry) for fact, value in facts.items()]
        self._file.executemany("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?, ?)", rows)

    def say_first(self, sort: str, key: str, entry: int, **facts: Value) -> None:
        """Keep what an entry says of one row, unless the same facts were said before."""
        rows = [(sort, key, fact, written(value), entry) for fact, value in facts.items()]
        self._file.executemany("INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?)", rows)

    def count(self, sort: str, fact: str) -> int:
        """Of how many rows of a sort a fact was said."""
        query = "SELECT count(*) FROM said WHERE sort = ? AND fact = ?"
        number: int = self._file.execute(query, (sort, fact)).fetchone()[0]
        return number

    def facts(self, sort: str, key: str) -> Facts:
        """What was said of one row."""
        rows = self._file.execute("SELECT fact, value, entry FROM said WHERE sort = ? AND id = ?", (sort, key))
        return {fact: Said(value, entry) for fact, value, entry in rows}

    def last(self, sort: str, key: str, fact: str) -> str | None:
        """One fact of one row, or None."""
        row = self._file.execute(
            "SELECT value FROM said WHERE sort = ? AND id = ? AND fact = ?", (sort, key, fact)
        ).fetchone()
        return row[0] if row else None

    def found(self, sort: str, fact: str, value: str) -> list[str]:
        """The rows of a sort of which a fact (one of ``_FOUND``) was said to be so."""
        query = _FOUND[fact]
        return [row[0] for row in self._file.execute(query, (value, sort))]

    def in_order(self, sort: str, fact: str) -> Iterator[tuple[str, Facts]]:
        """As ``all``, for each row of which a fact was said, in the order of the entries that said it."""
        query = "SELECT id FROM said WHERE sort = ? AND fact = ? ORDER BY entry, id"
        for (key,) in self._file.execute(query, (sort, fact)):
            yield key, self.facts(sort, key)

    def all(self, sort: str) -> Iterator[tuple[str, Facts]]:
        """Everything said of each row of a sort, in the order of their ids."""
        key: str | None = None
        facts: dict[str, Said] = {}
        query = "SELECT id, fact, value, entry FROM said WHERE sort = ? ORDER BY id"
        for found, fact, value, entry in self._file.execute(query, (sort,)):
            if found != key:
                if key is not None:
                    yield key, facts
                key, facts = found, {}
            facts[fact] = Said(value, entry)
        if key is not None:
            yield key, facts
