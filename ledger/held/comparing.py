"""Going through the tables row by row, each beside what entries say of it; the first that disagrees ends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, col, func, select

from ledger.held.rules import HELD, Held, Row, Why, id_of
from ledger.held.saying import Sayings
from ledger.held.scratch import NOTHING, Facts, Said, Scratch, written
from ledger.watching import Watch, unwatched
from models.errors import ConfigurationError, DuenoticeError, IntegrityError
from models.tables import Case, DueDate, EvidenceEntry

_ROWS_A_FETCH = 1_000

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, IntegrityError, ConfigurationError)
"""What is raised where a row no longer holds what its columns can hold, or what was sealed there."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The first row that is not what the entries say.

    Attributes:
        table: the table.
        row: the id of the row.
        column: the column; None where the row itself is missing, or is one too many.
        holds: what the table holds, as text; None for nothing.
        says: what the entry says.
        entry: the number of the entry; None where none says anything.
        sentence: all of it in words.
    """

    table: str
    row: str
    column: str | None
    holds: str | None
    says: str | None
    entry: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What holding the tables against the ledger found: how many rows agree, by table, and the first that does not."""

    rows: dict[str, int] = field(default_factory=dict)
    disagreement: Disagreement | None = None


class Holding:
    """Takes entries one by one, and then holds the tables against them.

    Args:
        session: a session of ``Database.reading()``, which sees one moment of it: entries and tables alike.
        scratch: keeps what entries say.
    """

    def __init__(self, session: Session, scratch: Scratch) -> None:
        self._session = session
        self._scratch = scratch
        self._sayings = Sayings(session, scratch)

    def take(self, entry: EvidenceEntry) -> None:
        """Take what the next entry says.

        Raises:
            IntegrityError: it does not hold what its kind holds.
        """
        self._sayings.take(entry)

    def compare(self, watch: Watch = unwatched) -> Comparison:
        """Hold every table against what was taken.

        Raises:
            IntegrityError: what an entry lists can be read no more, so that nothing can be held against it.
        """
        if self._sayings.unread:
            raise self._sayings.unread
        rows: dict[str, int] = {}
        for table, held in HELD.items():
            name = str(table.__tablename__)
            total = self._session.exec(select(func.count()).select_from(table)).one()
            rows[name] = 0
            each = _beside(watch(self._rows(table), name, total), held, self._scratch)
            try:
                for found in each:
                    if disagreement := self._disagreement(name, held, *found):
                        return Comparison(rows, disagreement)
                    rows[name] += 1
            except _UNREADABLE as error:
                return Comparison(rows, _unreadable(name, held, rows[name], error))
        return Comparison(rows)

    def _rows(self, table: type[SQLModel]) -> Iterator[Any]:
        keys = [table.__mapper__.attrs[column.key] for column in inspect(table).primary_key]  # type: ignore[attr-defined]
        order = [col(getattr(table, key.key)) for key in keys]
        query = select(table).order_by(*order).execution_options(yield_per=_ROWS_A_FETCH)
        for row in self._session.exec(query):
            if isinstance(row, DueDate):
                self._note_reasons(row)
            yield row
            self._session.expunge(row)

    def _note_reasons(self, row: DueDate) -> None:
        """A duty's parties stand in its reasons, whose SHA-256 an entry names; that it is theirs is seen next."""
        said = {name: row.body[name] for name in ("owed_by", "owed_to", "performed_by")}
        entry = self._scratch.facts("due_date", row.id).get("due_at", NOTHING).entry
        self._scratch.say("reasons", row.id, entry or 0, **said)

    def _disagreement(self, table: str, held: Held, key: str, row: Any, facts: Facts) -> Disagreement | None:
        if row is None:
            return self._missing(table, held, key, facts) if held.kept else None
        if not facts and held.goes_with_case and self._was_erased(row):
            return None
        if not facts and held.attested:
            sentence = f"{_called(held, key, row)} stands in the table, and no entry says anything of it."
            return Disagreement(table, id_of(key), None, None, None, None, sentence)
        beside = Row(row, facts, self._scratch)
        for column, rule in held.columns.items():
            if isinstance(rule, Why):
                continue
            said = rule(beside, column)
            holds = written(getattr(row, column))
            if said is not None and holds != said.value:
                return self._differs(table, held, key, row, column, holds, said)
        return None

    def _was_erased(self, row: Any) -> bool:
        return row.case_id is not None and bool(self._scratch.last("case_key", row.case_id.hex, "destroyed_at"))

    def _missing(self, table: str, held: Held, key: str, facts: Facts) -> Disagreement:
        entry = max(said.entry or 0 for said in facts.values())
        sentence = f"{_called(held, key)} is missing in the table; {self._entry(entry)} speaks of it."
        return Disagreement(table, id_of(key), None, None, None, entry, sentence)

    def _differs(
        self, table: str, held: Held, key: str, row: Any, column: str, holds: str | None, said: Said
    ) -> Disagreement:
        personal = column in PERSONAL
        here = "something else" if personal else _quoted(holds)
        sentence = f"{_called(held, key, row)}: the table has {here} as its {column}, "
        if said.entry is None:
            sentence += "and no entry says so."
        else:
            sentence += f"and not what {self._entry(said.entry)} says{'' if personal else f': {_quoted(said.value)}'}."
        values = (None, None) if personal else (holds, said.value)
        return Disagreement(table, id_of(key), column, *values, said.entry, sentence)

    def _entry(self, number: int) -> str:
        kind = self._session.exec(select(EvidenceEntry.kind).where(EvidenceEntry.number == number)).first()
        return f"entry {number:,} ({kind})"


def hold_tables(session: Session, entries: Iterable[EvidenceEntry], watch: Watch = unwatched) -> Comparison:
    """Hold the tables against entries, from the first to the last; for entries that were found sound.

    Raises:
        IntegrityError: an entry does not hold what its kind holds, or what it lists can be read no more.
    """
    with closing(Scratch()) as scratch:
        holding = Holding(session, scratch)
        for entry in entries:
            holding.take(entry)
        return holding.compare(watch)


def _beside(rows: Iterable[Any], held: Held, scratch: Scratch) -> Iterator[tuple[str, Any, Facts]]:
    """Each row with its facts, and what has only one of both, in the order of their ids."""
    said = scratch.all(held.sort)
    next_said = next(said, None)
    for row in rows:
        key = held.key(row)
        while next_said is not None and next_said[0] < key:
            yield next_said[0], None, next_said[1]
            next_said = next(said, None)
        if next_said is not None and next_said[0] == key:
            yield key, row, next_said[1]
            next_said = next(said, None)
        else:
            yield key, row, {}
    while next_said is not None:
        yield next_said[0], None, next_said[1]
        next_said = next(said, None)


PERSONAL = frozenset({"name", "email", "postal_address", "key"})
"""The columns whose values are never repeated: it is said that they differ, and of which row."""


def _unreadable(table: str, held: Held, before: int, error: Exception) -> Disagreement:
    says = error.message if isinstance(error, DuenoticeError) else f"It holds what it cannot ({type(error).__name__})."
    place = "first row" if before == 0 else f"row after the first {before:,}"
    sentence = f"A {held.called}, in the {place} of its table, cannot be read. {says}"
    return Disagreement(table, "", None, None, None, None, sentence)


def _called(held: Held, key: str, row: Any = None) -> str:
    return f"The {held.called} {id_of(key)}{_of_case(row)}"


def _of_case(row: Any) -> str:
    case_id = getattr(row, "case_id", None)
    return f" of case {case_id}" if case_id and not isinstance(row, Case) else ""


def _quoted(value: str | None) -> str:
    return "nothing" if value is None else f"“{value}”"
