"""The database: whole transactions or none, one moment for readers, and sentences when something is wrong."""

from __future__ import annotations

import errno
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import IntegrityError as ConstraintViolated
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from models.enums import ContactRole
from models.errors import ConfigurationError, Unavailable
from models.tables import Agreement, AgreementContact, LastSweep
from tests.support.patience import PATIENCE


def agreement(reference: str = "A-1") -> Agreement:
    return Agreement(
        id=uuid4(),
        reference=reference,
        form="ndpa-v1",
        state="ZZ",
        lea_name="Example District",
        time_zone="America/Chicago",
        executed_on=date(2025, 7, 1),
        exhibit_h_note="a note between two parties",
        imported_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


def count(database: Database) -> int:
    with database.reading() as session:
        return len(session.exec(select(Agreement)).all())


def test_what_is_written_together_is_kept_together_or_not_at_all(database: Database) -> None:
    with database.writing() as session:
        session.add_all([agreement("A-1"), agreement("A-2")])

    def repeat_a_reference() -> None:
        with database.writing() as session:
            session.add_all([agreement("A-3"), agreement("A-1")])

    with pytest.raises(ConstraintViolated) as caught:
        repeat_a_reference()
    assert "Example District" not in str(caught.value)
    assert count(database) == 2


def test_what_was_loaded_can_be_used_after_the_session(database: Database) -> None:
    with database.writing() as session:
        session.add(written := agreement())
    assert written.lea_name == "Example District"
    with database.reading() as session:
        read = session.exec(select(Agreement)).one()
    assert (read.exhibit_h_note, read.imported_at) == (written.exhibit_h_note, written.imported_at)


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.reading() as session:
        before = session.exec(select(Agreement.id)).all()
        with database.writing() as writer:
            writer.add(agreement())
        assert session.exec(select(Agreement.id)).all() == before == []
    assert count(database) == 1


def test_a_reader_cannot_write(database: Database) -> None:
    def write() -> None:
        with database.reading() as session:
            session.add(agreement())
            session.flush()

    with pytest.raises((Unavailable, DatabaseError), match=r"read-?only"):
        write()
    with database.writing() as session:
        session.add(agreement())
    assert count(database) == 1


def test_foreign_keys_are_held(database: Database) -> None:
    stranger = AgreementContact(
        id=uuid4(), agreement_id=uuid4(), role=ContactRole.GENERAL, name="A", email="a@district.test"
    )

    def write() -> None:
        with database.writing() as session:
            session.add(stranger)

    with pytest.raises(ConstraintViolated, match=r"(?i)foreign key"):
        write()


def test_personal_data_is_sealed_on_the_disk(database: Database) -> None:
    with database.writing() as session:
        session.add(agreement())
        session.flush()
        [kept] = session.execute(text("SELECT exhibit_h_note FROM agreement")).scalars()
    assert bytes(kept).startswith(b"DNS1")
    assert b"note" not in bytes(kept)


def test_sqlite_is_durable_and_private(tmp_path: Path, keyring: Keyring) -> None:
    database = Database(f"sqlite:///{tmp_path}/home/duenotice.sqlite3", keyring)
    with database.reading() as session:
        pragmas = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    database.close()


def test_a_writer_holds_off_the_next_from_its_first_moment(tmp_path: Path, keyring: Keyring) -> None:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    with database.writing() as session:
        session.connection()
        other = sqlite3.connect(tmp_path / "duenotice.sqlite3", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    database.close()


def test_a_start_that_finds_its_tables_waits_for_no_writer(tmp_path: Path, keyring: Keyring) -> None:
    file = tmp_path / "duenotice.sqlite3"
    database = Database(f"sqlite:///{file}", keyring)
    database.migrate()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    database.migrate()
    assert time.monotonic() - began < PATIENCE / 10
    other.close()
    database.close()


def test_a_disk_that_cannot_be_written_is_a_sentence_with_the_place(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()

    def read_only(file: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(file))

    monkeypatch.setattr("config.database.private_file", read_only)
    with pytest.raises(Unavailable, match="cannot be written: Read-only file system"), database.writing():
        pass
    database.close()


def test_whoever_computes_lets_a_writer_of_the_same_process_end_first(tmp_path: Path, keyring: Keyring) -> None:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    database.give_way()  # nobody writes, so nobody is waited for
    with ThreadPoolExecutor(1) as others:
        with database.writing():
            computing = others.submit(database.give_way)
            for _ in range(100):
                time.sleep(0)  # lets the other thread go on, if it does
            assert not computing.done()
        computing.result(timeout=PATIENCE)
    database.close()


def test_a_database_without_tables_says_what_to_do(empty_url: str, keyring: Keyring) -> None:
    database = Database(empty_url, keyring)
    with pytest.raises(ConfigurationError, match="Migrate it"):
        count(database)
    database.close()


def test_tables_from_before_a_column_was_added_say_what_to_do(database: Database) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("ALTER TABLE last_sweep DROP COLUMN workflow_id")
    with pytest.raises(ConfigurationError, match="not those of this version") as caught, database.reading() as session:
        session.get(LastSweep, 1)
    assert "begin with a new DUENOTICE_HOME" in str(caught.value)


def test_a_role_that_is_not_made_yet_is_told_who_makes_it(postgresql_url: str, keyring: Keyring) -> None:
    nobody = make_url(postgresql_url).set(username="nobody-yet").render_as_string(hide_password=False)
    with pytest.raises(Unavailable, match="`duenotice migrate` makes the engine's role and the tables"):
        count(Database(nobody, keyring))


def test_a_database_that_does_not_answer_is_unavailable(keyring: Keyring) -> None:
    database = Database("postgresql://duenotice:hunter2@127.0.0.1:1/duenotice", keyring)
    with pytest.raises(Unavailable, match="does not answer") as caught:
        database.migrate()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/duenotice", "nonsense", ""])
def test_another_kind_of_database_is_refused(url: str, keyring: Keyring) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///path/to/file"):
        Database(url, keyring)
