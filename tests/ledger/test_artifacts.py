"""Artifacts: kept once, sealed, and handed back only if they are still what they are named for."""

from __future__ import annotations

import hashlib
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from ledger.artifacts import Content, drop_unclaimed, fetch, store, store_many
from models.errors import IntegrityError, NotFound
from models.tables import Artifact

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LETTER = "Dear district: \N{SNOWMAN}".encode()


def test_an_artifact_is_named_by_its_content(database: Database) -> None:
    with database.writing() as session:
        name = store(session, LETTER, "text/plain", NOON)
    assert name == hashlib.sha256(LETTER).hexdigest()
    with database.reading() as session:
        assert fetch(session, name) == LETTER
        kept = session.exec(select(Artifact)).one()
        assert (kept.media_type, kept.size, kept.stored_at) == ("text/plain", len(LETTER), NOON)


def test_storing_the_same_bytes_again_changes_nothing(database: Database) -> None:
    for hour in range(2):
        with database.writing() as session:
            store(session, LETTER, "text/plain", NOON + timedelta(hours=hour))
    with database.reading() as session:
        assert [kept.stored_at for kept in session.exec(select(Artifact))] == [NOON]


def test_many_are_named_in_the_order_given(database: Database) -> None:
    letters = [b"letter %d" % (number % 1_100) for number in range(1_200)]
    with database.writing() as session:
        names = store_many(session, (Content(letter, "text/plain") for letter in letters), NOON)
    assert list(names) == [hashlib.sha256(letter).hexdigest() for letter in letters]
    with database.reading() as session:
        assert len(session.exec(select(Artifact.sha256)).all()) == 1_100


def test_the_database_holds_no_plain_content(database: Database) -> None:
    with database.writing() as session:
        store(session, LETTER, "text/plain", NOON)
        [kept] = session.execute(text("SELECT content FROM artifact")).scalars()
    assert b"district" not in bytes(kept)


def test_an_artifact_that_is_not_kept_is_named(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFound, match=r"^0{64}: "):
        fetch(session, "0" * 64)


def test_changed_bytes_are_not_handed_out(database: Database) -> None:
    with database.writing() as session:
        name = store(session, LETTER, "text/plain", NOON)
        session.execute(text("UPDATE artifact SET content = :bytes"), {"bytes": b"DNS1 something else"})
    with database.reading() as session, pytest.raises(IntegrityError):
        fetch(session, name)


def test_another_artifact_s_bytes_are_not_handed_out(database: Database, keyring: Keyring) -> None:
    """Sealed under the right key and for the right column, but for another row."""
    with database.writing() as session:
        name = store(session, LETTER, "text/plain", NOON)
        other = keyring.seal(zlib.compress(b"another letter"), b"artifact.content")
        session.execute(text("UPDATE artifact SET content = :bytes"), {"bytes": other})
    with database.reading() as session, pytest.raises(IntegrityError, match="not what was stored"):
        fetch(session, name)


def test_what_no_act_claimed_is_dropped_after_a_while_and_what_is_recorded_stays(database: Database) -> None:
    hour = timedelta(hours=1)
    with database.writing() as session:
        recorded = store(session, b"recorded", "text/plain", NOON)
        lost, sent_again = (store(session, given, "text/plain", NOON, claimed=False) for given in (b"lost", b"again"))
        store(session, b"again", "text/plain", NOON + 2 * hour, claimed=False)
        assert store(session, b"recorded", "text/plain", NOON + 2 * hour, claimed=False) == recorded
    with database.writing() as session:
        drop_unclaimed(session, NOON + hour)
    with database.reading() as session:
        assert set(session.exec(select(Artifact.sha256))) == {recorded, sent_again}
        assert session.get_one(Artifact, recorded).stored_at == NOON
        assert session.get(Artifact, lost) is None
