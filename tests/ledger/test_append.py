"""Appending: numbered without gaps, chained, once for each key, in the caller's transaction, without personal data."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from config.database import Database
from ledger.append import Entry, append
from ledger.chain import GENESIS
from ledger.kinds import EvidenceKind
from ledger.verify import verify_ledger
from models import identifiers
from models.errors import ConfigurationError, InvalidInput, Refused
from models.tables import EvidenceEntry, LedgerHead

CASE = UUID("11111111-2222-5333-8444-555555555555")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(key: str = "case_opened:1", **changes: Any) -> Entry:
    usual = Entry(kind=EvidenceKind.CASE_OPENED, actor="officer", at=NOON, case_id=CASE, key=key, body={"districts": 4})
    return replace(usual, **changes)


def count(database: Database) -> int:
    with database.reading() as session:
        return len(session.exec(select(EvidenceEntry)).all())


def test_entries_are_numbered_from_one_and_continue_each_other(database: Database) -> None:
    with database.writing() as session:
        first, second = append(session, entry("a"), entry("b"))
    with database.writing() as session:
        [third] = append(session, entry("c"))
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert [first.previous_hash, second.previous_hash, third.previous_hash] == [GENESIS, first.hash, second.hash]
    with database.reading() as session:
        head = session.exec(select(LedgerHead)).one()
        assert (head.length, head.hash) == (3, third.hash)
        assert verify_ledger(session).sound


def test_what_is_read_is_what_was_written(database: Database) -> None:
    written = entry(
        at=datetime(2026, 3, 1, 7, 30, 1, 5, tzinfo=timezone(timedelta(hours=-5))),
        subject="duty 7",
        body={"é \U0001f600": [1, 2.5, None, True, {"deep": "\x00\u2028"}], "a": -0.0},
        artifacts=("0" * 64,),
    )
    with database.writing() as session:
        append(session, written)
    with database.reading() as session:
        read = session.exec(select(EvidenceEntry)).one()
        assert read.at == written.at
        assert read.body == written.body
        assert (read.kind, read.subject, read.artifacts) == ("case_opened", "duty 7", ["0" * 64])
        assert verify_ledger(session).sound


def test_a_retry_adds_nothing_and_gets_the_stored_entry(database: Database) -> None:
    with database.writing() as session:
        [first] = append(session, entry("a"))
    with database.writing() as session:
        again, new = append(session, entry("a", at=NOON + timedelta(hours=1)), entry("b"))
    assert (again.hash, again.at) == (first.hash, NOON)
    assert new.previous_hash == first.hash
    assert count(database) == 2


def test_the_same_key_twice_in_one_call_is_one_entry(database: Database) -> None:
    with database.writing() as session:
        first, second = append(session, entry("a"), entry("a"))
    assert first == second
    assert count(database) == 1


@pytest.mark.parametrize("change", [{"kind": EvidenceKind.CASE_CLOSED}, {"case_id": None}, {"subject": "other"}])
def test_a_key_used_for_something_else_is_refused(database: Database, change: dict[str, Any]) -> None:
    with database.writing() as session:
        append(session, entry("a"))
    with pytest.raises(Refused, match="Entry 1 of the ledger already has this key"), database.writing() as session:
        append(session, entry("a", **change))


def test_a_transaction_that_fails_leaves_no_entry_and_no_gap(database: Database) -> None:
    def fail_after_appending() -> None:
        with database.writing() as session:
            append(session, entry("a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_appending()
    with database.writing() as session:
        [first] = append(session, entry("b"))
    assert (first.number, first.previous_hash) == (1, GENESIS)


@pytest.mark.parametrize(
    "change",
    [
        {"body": {"to": "alex@district.test"}},
        {"body": {"alex@district.test": 1}},
        {"body": {"deep": [{"er": ["mailto:alex@district.test"]}]}},
        {"actor": "alex@district.test"},
        {"subject": "Alex <alex@district.test>"},
        {"key": "acknowledged:alex@district.test"},
    ],
)
def test_no_entry_holds_an_e_mail_address(database: Database, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="takes no e-mail address") as caught, database.writing() as session:
        append(session, entry(**change))
    assert "alex" not in str(caught.value)
    assert count(database) == 0


def test_a_message_id_of_ours_is_no_address(database: Database) -> None:
    with database.writing() as session:
        append(session, entry(body={"message_id": identifiers.message_id(CASE, "provider.test")}))
    assert count(database) == 1


@pytest.mark.parametrize("value", [float("nan"), 2**53, NOON, b"bytes", {1: "a"}, "\ud800"])
def test_a_body_that_is_not_json_is_refused(database: Database, value: object) -> None:
    with pytest.raises(InvalidInput, match="not JSON"), database.writing() as session:
        append(session, entry(body={"value": value}))


def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match="without a zone"), database.writing() as session:
        append(session, entry(at=datetime(2026, 3, 1)))


def test_a_ledger_that_was_never_begun_says_so(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("DELETE FROM ledger_head"))
    with pytest.raises(ConfigurationError, match="never begun"), database.writing() as session:
        append(session, entry())


def test_thousands_at_once_are_one_statement_each_way(database: Database) -> None:
    entries = [entry(f"delivery_settled:{number}") for number in range(6_000)]
    with database.writing() as session:
        stored = append(session, *entries)
    assert [e.number for e in stored] == list(range(1, 6_001))
    with database.writing() as session:
        assert [e.number for e in append(session, *entries)] == list(range(1, 6_001))
    with database.reading() as session:
        assert verify_ledger(session).length == 6_000


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from config.database import Database
from config.keyring import Keyring
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind

url, keyring, name = sys.argv[1:]
database = Database(url, Keyring.load(Path(keyring)))
for number in range(100):
    with database.writing() as session:
        append(session, *(
            Entry(kind=EvidenceKind.NOTICE_GIVEN, actor="system", at=datetime.now(UTC), key=key)
            for key in (f"{name}:{number}", f"shared:{number}")
        ))
"""


def test_two_processes_appending_at_once_make_one_chain(database: Database, empty_url: str, keyring_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, empty_url, keyring_path, name], stderr=subprocess.PIPE)
        for name in ("first", "second")
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors.decode()
    with database.reading() as session:
        found = verify_ledger(session)
        shared = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.key).startswith("shared:"))).all()
    assert (found.length, found.flaw) == (300, None)
    assert len(shared) == 100
