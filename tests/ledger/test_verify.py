"""Verification: whatever is changed in a ledger, removed from it or put into it is found, at its number."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from config.database import Database
from ledger.append import append
from ledger.chain import GENESIS, Fields, entry_hash, key_digest
from ledger.entries import NoticeGiven, WatchdogRaised
from ledger.verify import fields_of, stream, verify, verify_ledger
from models.enums import BatchStatus
from models.tables import EvidenceEntry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LENGTH = 4
UNHURRIED = settings(deadline=None)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.floats(allow_nan=False, width=32) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "inf" not in repr(value))
bodies = st.dictionaries(texts, json_values, max_size=4)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
other_values: dict[str, st.SearchStrategy[object]] = {
    "number": st.integers(1, 10),
    "at": st.datetimes(timezones=st.just(UTC)),
    "case_id": st.none() | st.uuids(),
    "kind": st.sampled_from(["notice_given", "case_closed"]) | texts,
    "subject": st.none() | texts,
    "actor": texts,
    "body": bodies,
    "artifacts": st.lists(hashes, max_size=2),
    "key": texts,
    "key_digest": st.binary(min_size=16, max_size=16),
    "recorded_at": st.datetimes(timezones=st.just(UTC)),
    "salt": texts,
    "previous_hash": hashes,
    "hash": hashes,
}


def chain() -> list[EvidenceEntry]:
    """Four entries, as ``append`` would chain them."""
    entries: list[EvidenceEntry] = []
    for number in range(1, LENGTH + 1):
        fields: Fields = {
            "number": number,
            "previous_hash": entries[-1].hash if entries else GENESIS,
            "at": NOON + timedelta(seconds=number),
            "case_id": UUID(int=number),
            "kind": NoticeGiven.kind,
            "subject": "notice",
            "actor": "system",
            "body": {"given": ["notice_date"], "attempt": number},
            "artifacts": ["0" * 64],
            "key": f"notice_given:{number}",
            "recorded_at": NOON + timedelta(minutes=number),
            "salt": f"{number:032x}",
        }
        entries.append(EvidenceEntry(**fields, key_digest=key_digest(fields["key"]), hash=entry_hash(fields)))
    return entries


def test_every_column_is_covered() -> None:
    assert set(other_values) == set(EvidenceEntry.model_fields)


def test_a_whole_chain_is_sound() -> None:
    found = verify(chain())
    assert (found.sound, found.length, found.head) == (True, LENGTH, chain()[-1].hash)


def test_an_empty_ledger_is_sound() -> None:
    assert (verify([]).length, verify([]).head) == (0, GENESIS)


def test_the_hash_is_what_the_description_says() -> None:
    """Anyone can recompute it with a JSON writer and SHA-256: here, the standard library's."""
    first = chain()[0]
    described = {
        "actor": "system",
        "artifacts": ["0" * 64],
        "at": "2026-03-01T12:00:01.000000Z",
        "body": {"attempt": 1, "given": ["notice_date"]},
        "case_id": "00000000-0000-0000-0000-000000000001",
        "key": "notice_given:1",
        "kind": "notice_given",
        "number": 1,
        "previous_hash": hashlib.sha256(b"duenotice ledger 1").hexdigest(),
        "recorded_at": "2026-03-01T12:01:00.000000Z",
        "salt": "00000000000000000000000000000001",
        "subject": "notice",
    }
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(canonical).hexdigest() == first.hash


@pytest.mark.parametrize("field", sorted(other_values))
def test_a_change_of_any_field_of_any_entry_is_found(field: str) -> None:
    @UNHURRIED
    @given(place=st.integers(0, LENGTH - 1), value=other_values[field])
    def change(place: int, value: object) -> None:
        entries = chain()
        assume(getattr(entries[place], field) != value)
        setattr(entries[place], field, value)
        found = verify(entries)
        assert found.flaw is not None
        assert found.flaw.number == place + 1
        assert found.length == place

    change()


@UNHURRIED
@given(place=st.integers(0, LENGTH - 2))
def test_a_missing_entry_is_found(place: int) -> None:
    entries = chain()
    del entries[place]
    flaw = verify(entries).flaw
    assert flaw is not None
    assert (flaw.number, "is missing" in flaw.reason) == (place + 1, True)


@UNHURRIED
@given(order=st.permutations(range(LENGTH)))
def test_entries_out_of_order_are_found(order: list[int]) -> None:
    entries = chain()
    assert verify([entries[place] for place in order]).sound == (order == list(range(LENGTH)))


@UNHURRIED
@given(place=st.integers(0, LENGTH - 1))
def test_a_change_whose_hash_was_made_good_is_found_at_the_next_entry(place: int) -> None:
    entries = chain()
    forged = entries[place]
    forged.actor = "somebody else"
    forged.hash = entry_hash(fields_of(forged))
    found = verify(entries)
    assert found.length == (place + 1 if place < LENGTH - 1 else LENGTH)
    assert found.sound == (place == LENGTH - 1)  # the last one is the head's matter


@UNHURRIED
@given(bodies)
def test_a_body_s_hash_outlives_storage_as_json(body: dict[str, object]) -> None:
    fields: Fields = {**fields_of(chain()[0]), "body": body}
    assert entry_hash({**fields, "body": json.loads(json.dumps(body))}) == entry_hash(fields)


def troubled(what: str) -> WatchdogRaised:
    return WatchdogRaised(
        case_id=UUID(int=1), actor="system", at=NOON, batch_id=uuid4(), status=BatchStatus.SENDING, finding=what
    )


@pytest.fixture
def tampered(database: Database) -> Database:
    """A ledger of four entries whose guards somebody with full rights has taken away."""
    with database.writing() as session:
        append(
            session,
            *(troubled(str(number)) for number in range(LENGTH)),
        )
        if database.engine.dialect.name == "sqlite":
            for act in ("changed", "removed"):
                session.execute(text(f"DROP TRIGGER evidence_is_never_{act}"))
        else:
            session.execute(text("DROP TRIGGER evidence_is_append_only ON evidence"))
    return database


@pytest.mark.parametrize(
    ("statement", "number", "reason"),
    [
        ("UPDATE evidence SET actor = 'other' WHERE number = 2", 2, "changed"),
        ("""UPDATE evidence SET body = '{"trouble": "9"}' WHERE number = 3""", 3, "changed"),
        ("UPDATE evidence SET at = '2026-03-02 12:00:00.000000' WHERE number = 4", 4, "changed"),
        ("UPDATE evidence SET previous_hash = hash WHERE number = 4", 4, "does not continue"),
        ("UPDATE evidence SET key_digest = hash WHERE number = 4", 4, "not found by its key"),
        ("DELETE FROM evidence WHERE number = 1", 1, "is missing"),
        ("DELETE FROM evidence WHERE number = 4", 4, "says that there are 4 entries"),
        ("DELETE FROM evidence", 1, "says that there are 4 entries"),
        ("DELETE FROM ledger_head", 5, "head is missing"),
    ],
)
def test_a_change_behind_our_back_is_found(tampered: Database, statement: str, number: int, reason: str) -> None:
    with tampered.reading() as session:
        assert verify_ledger(session).sound
    with tampered.writing() as session:
        session.execute(text(statement))
    with tampered.reading() as session:
        flaw = verify_ledger(session).flaw
    assert flaw is not None
    assert (flaw.number, reason in flaw.reason) == (number, True), flaw


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_an_entry_that_can_no_longer_be_read_is_found(tampered: Database) -> None:
    with tampered.writing() as session:
        session.execute(text("UPDATE evidence SET body = 'not json' WHERE number = 3"))
    with tampered.reading() as session:
        flaw = verify_ledger(session).flaw
    assert flaw is not None
    assert (flaw.number, "cannot be read" in flaw.reason) == (3, True), flaw


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET actor = 'other'",
        "UPDATE evidence SET number = number",
        "DELETE FROM evidence WHERE number = 1",
    ],
)
def test_the_database_itself_refuses_to_change_the_ledger(database: Database, statement: str) -> None:
    with database.writing() as session:
        append(session, troubled("a"))
    with pytest.raises(DatabaseError, match="evidence is append-only"), database.writing() as session:
        session.execute(text(statement))
    with database.reading() as session:
        assert verify_ledger(session).length == 1


def test_the_database_itself_refuses_to_replace_or_empty_the_ledger(database: Database) -> None:
    with database.writing() as session:
        append(session, troubled("a"))
    statement = (
        "INSERT OR REPLACE INTO evidence SELECT * FROM evidence"
        if database.engine.dialect.name == "sqlite"
        else "TRUNCATE evidence"
    )
    with pytest.raises(DatabaseError, match="evidence is append-only"), database.writing() as session:
        session.execute(text(statement))


def test_entries_can_be_streamed_from_any_number(tampered: Database) -> None:
    with tampered.reading() as session:
        assert [entry.number for entry in stream(session, after=2)] == [3, 4]
