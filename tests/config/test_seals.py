"""What is sealed opens in its own place alone: another row, column or table is another place, as is a changed byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import JSON, Column, Enum, Table, TypeDecorator, bindparam, insert, select, text, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from config import seals
from config.database import Database
from config.keyring import Keyring
from config.seals import not_opening, not_opening_near, rows_that_open, sealed_tables
from models.columns import CASE_KEY_BYTES, SealedBytes, SealedText, is_sealed
from models.enums import ContactRole
from models.errors import IntegrityError
from models.tables import AgreementContact, Case, KeyCheck

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST, SECOND = UUID(int=1), UUID(int=2)

SEALED = [(table, column) for table in sealed_tables() for column in table.columns if is_sealed(column)]
"""Every sealed column that there is: a new one is among them."""

EMAIL = next(column for _, column in SEALED if str(column) == "agreement_contact.email")


def some(column: Column[Any], number: int) -> Any:
    """Some value that a column can hold; a key says which row it is."""
    if is_sealed(column):
        words = f"{column} of row {number}".ljust(CASE_KEY_BYTES)[:CASE_KEY_BYTES]  # one is a key
        return words if isinstance(column.type, SealedText) else words.encode()
    if isinstance(column.type, Enum):
        assert column.type.enum_class
        return next(iter(column.type.enum_class))
    kind: Any = column.type.impl.python_type if isinstance(column.type, TypeDecorator) else column.type.python_type
    if isinstance(column.type, JSON):
        return []
    examples: dict[type, Any] = {
        UUID: UUID(int=number) if column.primary_key else uuid4(),
        str: str(number) if column.primary_key or column.unique else "w",
        int: number,
        bool: False,
        date: NOON.date(),
        datetime: NOON,
    }
    return examples[kind]


def fill(session: Session, table: Table) -> None:
    """Put two rows into a table, each column filled."""
    rows = [
        {column.key: some(column, number) for column in table.columns if is_sealed(column) or not column.nullable}
        for number in (1, 2)
    ]
    session.connection().execute(insert(table), rows)


@contextmanager
def filled(database: Database) -> Iterator[Session]:
    """Two rows in every table with sealed columns, whose neighbours are not there; nothing of it stays."""
    with database.writing() as session:
        free = "PRAGMA defer_foreign_keys = ON"
        if database.engine.dialect.name == "postgresql":
            free = "SET LOCAL session_replication_role = replica"
        session.execute(text(free))
        for table in sealed_tables():
            fill(session, table)
        yield session
        session.rollback()


def keys(table: Table) -> list[Any]:
    (key,) = table.primary_key
    return [some(key, number) for number in (1, 2)]


def context_of(column: Column[Any]) -> str:
    """What a column's values are sealed for, besides their row."""
    assert isinstance(column.type, SealedText | SealedBytes)
    return column.type.context


def opened(session: Session, column: Column[Any], key: object) -> object:
    (of,) = column.table.primary_key
    return session.execute(select(column).where(of == key)).scalar_one()


def stored(session: Session, column: Column[Any], key: Any) -> bytes:
    """The bytes that stand in the database, as its owner sees them."""
    (of,) = column.table.primary_key
    query = text(f"SELECT {column.name} FROM {column.table.name} WHERE {of.name} = :key")
    found = session.execute(query.bindparams(bindparam("key", key, of.type))).scalar_one()
    return bytes(found)


def put(session: Session, column: Column[Any], key: Any, content: bytes) -> None:
    """Write bytes into the database past this program."""
    (of,) = column.table.primary_key
    change = text(f"UPDATE {column.table.name} SET {column.name} = :content WHERE {of.name} = :key")
    session.execute(change.bindparams(bindparam("key", key, of.type), content=content))


def test_each_column_is_sealed_for_a_place_of_its_own() -> None:
    contexts = [context_of(column) for _, column in SEALED]
    assert len(contexts) == len(set(contexts)) > 30


def test_every_sealed_value_opens_where_it_was_written(database: Database) -> None:
    with filled(database) as session:
        for table, column in SEALED:
            assert [opened(session, column, key) for key in keys(table)] == [some(column, 1), some(column, 2)]


def test_a_value_that_was_moved_to_another_row_does_not_open_there(database: Database) -> None:
    with filled(database) as session:
        for table, column in SEALED:
            here, there = keys(table)
            put(session, column, here, stored(session, column, there))
            with pytest.raises(IntegrityError) as refused:
                opened(session, column, here)
            name = here.hex if isinstance(here, UUID) else str(here)
            assert refused.value.where == f"{context_of(column)} {name}"
            assert "moved it here from another place" in str(refused.value)
            assert "Restore it from a backup" in str(refused.value)
            assert opened(session, column, there) == some(column, 2), "its own place is as it was"


def test_a_value_that_was_moved_to_another_column_or_table_does_not_open_there(database: Database) -> None:
    with filled(database) as session:
        before = [(column, keys(table)[0], stored(session, column, keys(table)[0])) for table, column in SEALED]
        for (column, key, own), (_, _, foreign) in zip(before, before[1:] + before[:1], strict=True):
            put(session, column, key, foreign)
            with pytest.raises(IntegrityError):
                opened(session, column, key)
            put(session, column, key, own)
            opened(session, column, key)


def test_a_changed_or_cut_value_does_not_open(database: Database) -> None:
    with filled(database) as session:
        whole = stored(session, EMAIL, FIRST)
        for spoilt in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), b"", b"plain@example.org", b"DNS1"):
            put(session, EMAIL, FIRST, spoilt)
            with pytest.raises(IntegrityError):
                opened(session, EMAIL, FIRST)


def contact(key: UUID, email: str) -> AgreementContact:
    return AgreementContact(id=key, role=ContactRole.GENERAL, name="Office", email=email)


def test_rows_are_read_by_whatever_query_finds_them(database: Database) -> None:
    with database.writing() as session:
        session.add_all([contact(FIRST, "one@example.org"), contact(SECOND, "two@example.org")])
    other = aliased(AgreementContact)
    with database.reading() as session:
        assert session.get_one(AgreementContact, FIRST).email == "one@example.org"
        pairs = select_rows(AgreementContact.email, other.email).join(other, col(other.id) != AgreementContact.id)
        assert set(session.exec(pairs)) == {
            ("one@example.org", "two@example.org"),
            ("two@example.org", "one@example.org"),
        }
        inner = select_rows(AgreementContact).where(col(AgreementContact.id) == SECOND).subquery()
        assert session.execute(select(inner.c.email)).scalar_one() == "two@example.org"
        keyless = select_rows(AgreementContact.email).subquery()
        with pytest.raises(TypeError, match="needs the table's one key"):
            session.execute(select(keyless.c.email))


def test_a_change_is_sealed_for_its_row_and_null_needs_no_row(database: Database) -> None:
    with database.writing() as session:
        session.add(contact(FIRST, "one@example.org"))
    with database.writing() as session:
        session.get_one(AgreementContact, FIRST).email = "new@example.org"
    with database.writing() as session:
        session.execute(update(AgreementContact), [{"id": FIRST, "name": "Another Office"}])
    with database.reading() as session:
        found = session.get_one(AgreementContact, FIRST)
        assert (found.name, found.email) == ("Another Office", "new@example.org")
    with database.writing() as session:
        session.merge(KeyCheck(id=1, key_id="a", word="one"))
        session.merge(KeyCheck(id=1, key_id="b", word="two"))
    with database.reading() as session:
        assert session.get_one(KeyCheck, 1).word == "two"


def test_what_is_given_no_row_is_not_written(database: Database) -> None:
    """One value for many rows would open in none of them; nobody is to find that out later."""
    with database.writing() as session, pytest.raises(StatementError, match="written by rows"):
        session.execute(update(Case).values(title="The same for all"))


def test_after_a_rotation_older_rows_open_and_newer_ones_are_bound_as_well(
    database: Database, keyring: Keyring
) -> None:
    with database.writing() as session:
        session.add(contact(FIRST, "one@example.org"))
    rotated = Keyring.rotate(keyring._path)
    newer = Database(str(database.engine.url.render_as_string(hide_password=False)), rotated)
    with newer.writing() as session:
        session.add(contact(SECOND, "two@example.org"))
    with newer.writing() as session:
        assert [opened(session, EMAIL, key) for key in (FIRST, SECOND)] == ["one@example.org", "two@example.org"]
        put(session, EMAIL, FIRST, stored(session, EMAIL, SECOND))
        with pytest.raises(IntegrityError):
            opened(session, EMAIL, FIRST)
    newer.close()


def test_all_that_does_not_open_is_named_and_the_rest_is_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "ROWS_AT_ONCE", 1)
    with filled(database) as session:
        assert list(not_opening(session)) == []
        put(session, EMAIL, FIRST, stored(session, EMAIL, SECOND))
        here = f"agreement_contact.email {FIRST.hex}"
        assert [error.where for error in not_opening(session)] == [here]
        assert [error.where for error in not_opening_near(session, UUID(int=0), 5)] == [here]
        assert not_opening_near(session, FIRST, 1) == [], "it begins after that row"
        assert [error.where for error in not_opening_near(session, SECOND, 1)] == [here], "after the last, the first"
        session.expire_all()
        found = rows_that_open(session, select_rows(AgreementContact), col(AgreementContact.id))
        assert [row.id for row in found] == [SECOND]
