"""Appending: numbered without gaps, chained, once for each key, in the caller's transaction, without personal data."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from config.database import Database
from ledger.append import append
from ledger.chain import GENESIS
from ledger.entries import Apart, Event, JsonObject, Subject
from ledger.verify import verify_ledger
from models import identifiers
from models.errors import ConfigurationError, IntegrityError, InvalidInput, Refused
from models.tables import EvidenceEntry, LedgerHead
from tests.support.patience import PATIENCE
from tests.support.pretended import pretend_kept

CASE = UUID("11111111-2222-5333-8444-555555555555")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Happened(Event):
    """An event of this test, of whatever particulars."""

    kind = "happened"
    named: Apart[str]
    about: Subject[str | None]
    particulars: JsonObject
    files: Apart[tuple[str, ...]]

    @property
    def key(self) -> str:
        return self.named

    @property
    def body(self) -> JsonObject:
        return self.particulars

    @property
    def artifacts(self) -> tuple[str, ...]:
        return self.files


class SomethingElse(Happened):
    """An event of another kind."""

    kind = "something_else"


def happened(
    named: str = "a",
    *,
    of: type[Happened] = Happened,
    case_id: UUID | None = CASE,
    actor: str = "officer",
    at: datetime = NOON,
    about: str | None = None,
    particulars: JsonObject | None = None,
    files: tuple[str, ...] = (),
) -> Happened:
    body = {"districts": 4} if particulars is None else particulars
    return of(case_id=case_id, actor=actor, at=at, named=named, about=about, particulars=body, files=files)


def count(database: Database) -> int:
    with database.reading() as session:
        return len(session.exec(select(EvidenceEntry)).all())


def test_entries_are_numbered_from_one_and_continue_each_other(database: Database) -> None:
    with database.writing() as session:
        first, second = append(session, happened("a"), happened("b"))
    with database.writing() as session:
        [third] = append(session, happened("c"))
    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert [first.previous_hash, second.previous_hash, third.previous_hash] == [GENESIS, first.hash, second.hash]
    with database.reading() as session:
        head = session.exec(select(LedgerHead)).one()
        assert (head.length, head.hash) == (3, third.hash)
        assert verify_ledger(session).sound


def test_what_is_read_is_what_was_written(database: Database) -> None:
    written = happened(
        at=datetime(2026, 3, 1, 7, 30, 1, 5, tzinfo=timezone(timedelta(hours=-5))),
        about="duty 7",
        particulars={"é \U0001f600": [1, 2.5, 1e20, None, True, {"deep": "\x00\u2028"}], "a": -0.0},
        files=("0" * 64,),
    )
    with database.writing() as session:
        pretend_kept(session, "0" * 64)
        append(session, written)
    with database.reading() as session:
        read = session.exec(select(EvidenceEntry)).one()
        assert read.at == written.at
        assert read.body == written.particulars
        assert (read.kind, read.subject, read.artifacts) == ("happened", "duty 7", ["0" * 64])
        assert verify_ledger(session).sound


def test_a_retry_adds_nothing_and_gets_the_stored_happened(database: Database) -> None:
    with database.writing() as session:
        [first] = append(session, happened("a"))
    with database.writing() as session:
        again, new = append(session, happened("a", at=NOON + timedelta(hours=1)), happened("b"))
    assert (again.hash, again.at) == (first.hash, NOON)
    assert new.previous_hash == first.hash
    assert count(database) == 2


def test_the_same_key_twice_in_one_call_is_one_happened(database: Database) -> None:
    with database.writing() as session:
        first, second = append(session, happened("a"), happened("a"))
    assert first == second
    assert count(database) == 1


@pytest.mark.parametrize("change", [{"of": SomethingElse}, {"case_id": None}, {"about": "other"}])
def test_a_key_used_for_something_else_is_refused(database: Database, change: dict[str, Any]) -> None:
    with database.writing() as session:
        append(session, happened("a"))
    with pytest.raises(Refused, match="Entry 1 of the ledger already has this key"), database.writing() as session:
        append(session, happened("a", **change))


def test_one_key_for_two_things_in_one_call_is_refused(database: Database) -> None:
    with (
        pytest.raises(Refused, match="Another one of these events already has this key"),
        database.writing() as session,
    ):
        append(session, happened("a"), happened("a", about="other"))
    assert count(database) == 0


def test_what_looks_like_an_address_only_as_json_is_none(database: Database) -> None:
    with database.writing() as session:
        [entry] = append(session, happened("a", particulars={"said": "one line\n@home"}))
    assert entry.body == {"said": "one line\n@home"}


def test_a_transaction_that_fails_leaves_no_entry_and_no_gap(database: Database) -> None:
    def fail_after_appending() -> None:
        with database.writing() as session:
            append(session, happened("a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_appending()
    with database.writing() as session:
        [first] = append(session, happened("b"))
    assert (first.number, first.previous_hash) == (1, GENESIS)


@pytest.mark.parametrize(
    "change",
    [
        {"particulars": {"to": "alex@district.test"}},
        {"particulars": {"alex@district.test": 1}},
        {"particulars": {"deep": [{"er": ["mailto:alex@district.test"]}]}},
        {"actor": "alex@district.test"},
        {"about": "Alex <alex@district.test>"},
        {"named": "acknowledged:alex@district.test"},
    ],
)
def test_no_entry_holds_an_e_mail_address(database: Database, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="takes no e-mail address") as caught, database.writing() as session:
        append(session, happened(**change))
    assert "alex" not in str(caught.value)
    assert count(database) == 0


def test_a_message_id_of_ours_is_no_address(database: Database) -> None:
    with database.writing() as session:
        append(session, happened(particulars={"message_id": identifiers.message_id(CASE, "provider.test")}))
    assert count(database) == 1


@pytest.mark.parametrize("value", [float("nan"), 2**53, NOON, b"bytes", {1: "a"}, "\ud800"])
def test_a_body_that_is_not_json_is_refused(database: Database, value: object) -> None:
    with pytest.raises(InvalidInput, match="not JSON"), database.writing() as session:
        append(session, happened(particulars={"value": value}))


def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match="without a zone"), database.writing() as session:
        append(session, happened(at=datetime(2026, 3, 1)))


def test_an_entry_that_would_point_to_nothing_is_refused_whole(database: Database) -> None:
    with database.writing() as session:
        pretend_kept(session, "1" * 64)
    with pytest.raises(IntegrityError, match="never stored") as caught, database.writing() as session:
        append(session, happened("a", files=("1" * 64,)), happened("b", files=("0" * 64,)))
    assert caught.value.where == f"evidence happened, artifact {'0' * 64}"
    assert count(database) == 0


def test_a_ledger_that_was_never_begun_says_so(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("DELETE FROM ledger_head"))
    with pytest.raises(ConfigurationError, match="never begun"), database.writing() as session:
        append(session, happened())


@pytest.mark.long
def test_thousands_at_once_are_one_statement_each_way(database: Database) -> None:
    entries = [happened(f"delivery_settled:{number}") for number in range(6_000)]
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
from uuid import NAMESPACE_OID, uuid5
from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.entries import ActRecorded

url, keyring, name = sys.argv[1:]
database = Database(url, Keyring.load(Path(keyring)))
for number in range(100):
    with database.writing() as session:
        append(session, *(
            ActRecorded(
                case_id=NAMESPACE_OID, actor="system", at=datetime.now(UTC), act=act, particulars={},
                act_id=uuid5(NAMESPACE_OID, f"{act}:{number}"),
            )
            for act in (name, "shared")
        ))
"""


@pytest.mark.long
def test_two_processes_appending_at_once_make_one_chain(database: Database, empty_url: str, keyring_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, empty_url, keyring_path, name], stderr=subprocess.PIPE)
        for name in ("first", "second")
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=PATIENCE)
        assert writer.returncode == 0, errors.decode()
    with database.reading() as session:
        found = verify_ledger(session)
        shared = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.kind) == "act.shared")).all()
    assert (found.length, found.flaw) == (300, None)
    assert len(shared) == 100
