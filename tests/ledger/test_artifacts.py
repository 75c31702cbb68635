"""Artifacts: kept once, sealed, and handed back only if they are still what they are named for."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from config.database import Database
from config.keyring import Keyring
from ledger import artifacts
from ledger.append import append
from ledger.artifacts import Content, drop_unclaimed, erase, fetch, pack, store, store_many
from ledger.entries import AgreementAmended
from ledger.verify import Step, verify_all
from models.errors import Gone, IntegrityError, InvalidInput, NotFound
from models.tables import Artifact, ArtifactOutline
from tests.support.patience import PATIENCE

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


def test_another_artifact_s_bytes_are_not_handed_out(database: Database) -> None:
    """Sealed under the right key and for the right column, but for another row."""
    with database.writing() as session:
        name, other = (store(session, content, "text/plain", NOON) for content in (LETTER, b"another letter"))
        moved = text("UPDATE artifact SET content = (SELECT content FROM artifact WHERE sha256 = :other)")
        session.execute(moved, {"other": other})
    with database.reading() as session, pytest.raises(IntegrityError, match=f"^artifact.content {name}: "):
        fetch(session, name)


def test_bytes_that_were_sealed_for_a_name_that_is_not_theirs_are_not_handed_out(
    database: Database, keyring: Keyring
) -> None:
    """Whoever holds the keyring could seal them for the row; the name still says what they were."""
    with database.writing() as session:
        name = store(session, LETTER, "text/plain", NOON)
        other = keyring.seal(zlib.compress(b"another letter"), f"artifact.content\0{name}".encode())
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


OUTLINE = b"".join(b"Line %d of what every district is told alike.\r\n" % number for number in range(200))
LETTERS = [OUTLINE.replace(b"Line 100 ", b"District %d " % number) for number in range(20)]


def _keep(session: Session, letters: Sequence[bytes]) -> tuple[str, ...]:
    return store_many(session, (pack(Content(letter, "message/rfc822"), OUTLINE) for letter in letters), NOON)


def test_letters_that_say_nearly_the_same_take_little_room_and_are_read_back(database: Database) -> None:
    with database.writing() as session:
        names = _keep(session, LETTERS)
    assert list(names) == [hashlib.sha256(letter).hexdigest() for letter in LETTERS]
    with database.reading() as session:
        assert [fetch(session, name) for name in names] == LETTERS
        assert [kept.size for kept in session.exec(select(Artifact))] == list(map(len, LETTERS))
        kept = session.execute(text("SELECT max(length(content)) FROM artifact")).scalar_one()
        assert kept < len(LETTERS[0]) / 20
        assert len(session.exec(select(ArtifactOutline.sha256)).all()) == 1


def test_an_outline_is_sealed(database: Database) -> None:
    with database.writing() as session:
        _keep(session, LETTERS)
        [kept] = session.execute(text("SELECT content FROM artifact_outline")).scalars()
    assert b"district" not in bytes(kept)
    assert bytes(kept) != zlib.compress(OUTLINE)


def test_letters_packed_against_an_outline_are_read_by_whoever_has_the_database_and_its_keys(
    empty_url: str, keyring_path: Path
) -> None:
    first = Database(empty_url, Keyring.load(keyring_path))
    first.migrate()
    with first.writing() as session:
        (name,) = _keep(session, LETTERS[:1])
    first.close()
    second = Database(empty_url, Keyring.load(keyring_path))
    with second.reading() as session:
        assert fetch(session, name) == LETTERS[0]
    second.close()


def test_of_the_same_bytes_packed_two_ways_the_first_stay(database: Database) -> None:
    with database.writing() as session:
        store(session, LETTERS[0], "message/rfc822", NOON)
        (name,) = _keep(session, LETTERS[:1])
    with database.reading() as session:
        assert fetch(session, name) == LETTERS[0]
        assert session.exec(select(Artifact.outline_sha256)).one() is None


@pytest.mark.parametrize("again", [True, False], ids=["against the outline", "by itself"])
def test_what_was_erased_is_gone_and_may_be_kept_again(database: Database, again: bool) -> None:
    with database.writing() as session:
        first, second = _keep(session, LETTERS[:2])
        erase(session, first, NOON)
    with database.reading() as session:
        assert fetch(session, second) == LETTERS[1]
        with pytest.raises(Gone):
            fetch(session, first)
    with database.writing() as session:
        if again:
            _keep(session, LETTERS[:1])
        else:
            store(session, LETTERS[0], "message/rfc822", NOON)
    with database.reading() as session:
        assert fetch(session, first) == LETTERS[0]


def test_an_outline_that_was_changed_is_found_when_the_ledger_is_verified(database: Database) -> None:
    with database.writing() as session:
        (name,) = _keep(session, LETTERS[:1])
        append(session, AgreementAmended(actor="engine", at=NOON, agreement_id=UUID(int=1), file_sha256=name))
    with database.reading() as session:
        assert verify_all(session, tables=False).sound
    with database.writing() as session:
        outline = session.exec(select(ArtifactOutline)).one()
        outline.content = zlib.compress(OUTLINE.replace(b"every", b"no one"))
        session.add(outline)
    with database.reading() as session:
        found = verify_all(session, tables=False).flaw
    assert found is not None
    assert (found.step, found.artifact) == (Step.ARTIFACTS, name)


def test_what_is_larger_than_an_artifact_may_be_is_refused(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    monkeypatch.setattr(artifacts, "LARGEST_ARTIFACT", len(LETTER))
    with database.writing() as session:
        store(session, LETTER, "text/plain", NOON)
    with pytest.raises(InvalidInput, match="larger than"), database.writing() as session:
        store(session, LETTER + b"!", "text/plain", NOON)


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import AgreementAmended

url, keyring, claimed = sys.argv[1:]
database = Database(url, Keyring.load(Path(keyring)))
noon = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stop_here():
    print("stored", flush=True)
    sys.stdin.read()


if claimed == "before":
    with database.writing() as session:
        store(session, b"lost", "text/plain", noon, claimed=False)
    stop_here()
with database.writing() as session:
    name = store(session, b"lost", "text/plain", noon)
    if claimed == "together":
        stop_here()
    append(session, AgreementAmended(actor="engine", at=noon, agreement_id=UUID(int=1), file_sha256=name))
"""


@pytest.mark.parametrize("claimed", ["before", "together"])
def test_a_kill_between_an_artifact_and_its_entry_leaves_no_entry_and_nothing_that_stays(
    database: Database, empty_url: str, keyring_path: Path, claimed: str
) -> None:
    """Whether the artifact is kept for an act to come, or in the transaction of its entry."""
    command = [sys.executable, "-c", KILLED, empty_url, str(keyring_path), claimed]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"stored\n"
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    with database.reading() as session:
        kept = session.exec(select(Artifact)).all()
        assert [artifact.claimed for artifact in kept] == ([False] if claimed == "before" else [])
        assert (verify_all(session, tables=False).sound, verify_all(session, tables=False).length) == (True, 0)
    with database.writing() as session:
        drop_unclaimed(session, NOON + timedelta(days=1))
        name = store(session, b"lost", "text/plain", NOON)
        append(session, AgreementAmended(actor="engine", at=NOON, agreement_id=UUID(int=1), file_sha256=name))
    with database.reading() as session:
        assert (verify_all(session, tables=False).sound, verify_all(session, tables=False).artifacts) == (True, 1)
