"""Heads: signed over what is new, in bounded work, by one process at a time, and never over what was changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import event, text, update
from sqlmodel import Session, col, select

from config.database import Database
from ledger.append import append
from ledger.chain import entry_bytes
from ledger.checkpoints import Head, Tiles, newest_head, sign_head, unsigned_entries
from ledger.entries import WatchdogRaised
from ledger.log_keys import LogKeys, create_log_key, load_log_keys, rotate_log_key
from ledger.tree import RunningRoot
from ledger.verify import fields_of, stream
from ledger.verify_bundle import leaf_hash, read_checkpoint, read_vkey, read_vkeys, tiles_of, tree_hash
from models.enums import BatchStatus
from models.errors import ConfigurationError, IntegrityError, Refused
from models.tables import LedgerCheckpoint, LedgerTile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CASE = UUID(int=1)
MANY = 10_000


@pytest.fixture
def keys(tmp_path: Path) -> LogKeys:
    return create_log_key(tmp_path / "log" / "key.json", "provider.test", NOON)


def happened(number: int) -> WatchdogRaised:
    at = NOON + timedelta(seconds=number)
    about = {"batch_id": UUID(int=number), "status": BatchStatus.WAITING, "finding": "stuck"}
    return WatchdogRaised(case_id=CASE, actor="duenotice", at=at, **about)


def add(database: Database, first: int, last: int) -> None:
    with database.writing() as session:
        append(session, *(happened(number) for number in range(first, last + 1)))


def root_of_all(session: Session) -> str:
    running = RunningRoot()
    for entry in stream(session):
        running.add(leaf_hash(entry_bytes(fields_of(entry))))
    return running.root.hex()


def test_an_empty_ledger_has_no_head(database: Database, keys: LogKeys) -> None:
    assert sign_head(database, keys, NOON, at_most=MANY) is None


def test_a_head_covers_what_is_there_and_is_signed_by_the_log_s_key(database: Database, keys: LogKeys) -> None:
    add(database, 1, 300)
    head = sign_head(database, keys, NOON, at_most=MANY)
    assert head is not None
    with database.reading() as session:
        assert (head.size, head.root) == (300, root_of_all(session))
        assert newest_head(session) == head
        kept = {(tile.level, tile.number): len(tile.hashes) // 32 for tile in session.exec(select(LedgerTile))}
        assert kept == {(level, number): width for level, number, width in tiles_of(300)}
    note = read_checkpoint(head.note)
    assert (note.origin, note.size, note.root.hex()) == (keys.origin, head.size, head.root)
    assert note.signers(keys.keys) == keys.keys


def test_a_head_adds_at_most_so_many_entries(database: Database, keys: LogKeys) -> None:
    add(database, 1, 7)
    sizes = [head.size for _ in range(4) if (head := sign_head(database, keys, NOON, at_most=3))]
    assert sizes == [3, 6, 7, 7]
    with database.reading() as session:
        roots = session.exec(select(LedgerCheckpoint).order_by(col(LedgerCheckpoint.size))).all()
        assert [tree_hash(0, row.size, Tiles(session)).hex() for row in roots] == [row.root for row in roots]
        assert unsigned_entries(session) == 0


def test_a_further_head_reads_the_new_entries_and_the_edge_of_the_tree_alone(database: Database, keys: LogKeys) -> None:
    add(database, 1, 1_000)
    sign_head(database, keys, NOON, at_most=MANY)
    add(database, 1_001, 1_001)
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *of: statements.append(of[2]))
    head = sign_head(database, keys, NOON, at_most=MANY)
    assert head is not None
    assert head.size == 1_001
    tiles = [statement for statement in statements if statement.startswith("SELECT") and "ledger_tile" in statement]
    assert len(tiles) <= 3, "the tiles at the right edge, one a level, and those that the root is made of"


def test_two_processes_sign_one_head(database: Database, keys: LogKeys) -> None:
    add(database, 1, 500)
    with ThreadPoolExecutor(4) as threads:
        heads = list(threads.map(lambda _: sign_head(database, keys, NOON, at_most=MANY), range(4)))
    assert {head and head.size for head in heads} == {500}
    with database.reading() as session:
        assert len(session.exec(select(LedgerCheckpoint)).all()) == 1


def open_up(database: Database) -> Iterator[Session]:
    """A session of somebody with all rights, whom no trigger stops."""
    with database.writing() as session:
        if session.get_bind().dialect.name == "sqlite":
            for name in ("changed", "removed"):
                session.execute(text(f"DROP TRIGGER IF EXISTS evidence_is_never_{name}"))
        else:
            session.execute(text("ALTER TABLE evidence DISABLE TRIGGER ALL"))
        yield session


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE evidence SET actor = 'somebody else' WHERE number = 4", "entry 4 .*it was changed"),
        ("DELETE FROM evidence WHERE number = 4", "entry 4 .*is missing"),
        ("DELETE FROM evidence WHERE number = 5", "entry 5 .*is missing"),
        ("UPDATE ledger_head SET length = 2", "entry 3 .*the ledger's head says that there are 2"),
        ("DELETE FROM ledger_tile", "entry 3 .*no longer gives the root"),
        ("UPDATE ledger_checkpoint SET root = substr(root, 2) || '0'", "entry 3 .*no longer gives the root"),
        ("DELETE FROM ledger_checkpoint", "entry 3 .*no longer gives the root"),
    ],
)
def test_nothing_is_signed_over_what_was_changed(database: Database, keys: LogKeys, tampering: str, found: str) -> None:
    add(database, 1, 3)
    sign_head(database, keys, NOON, at_most=MANY)
    add(database, 4, 5)
    for session in open_up(database):
        session.execute(text(tampering))
    with pytest.raises(IntegrityError, match=found):
        sign_head(database, keys, NOON, at_most=MANY)


# The keys


def test_two_keys_sign_while_the_log_changes_hands(database: Database, keys: LogKeys, tmp_path: Path) -> None:
    path = tmp_path / "log" / "key.json"
    add(database, 1, 1)
    both = rotate_log_key(path, NOON + timedelta(days=1), timedelta(days=30))
    while_both = signed(database, both, NOON + timedelta(days=2))
    assert [key.public for key in read_checkpoint(while_both.note).signers(both.keys)] == [
        key.public for key in both.keys
    ]
    add(database, 2, 2)
    after = signed(database, load_log_keys(path), NOON + timedelta(days=40))
    assert read_checkpoint(after.note).signers(both.keys) == both.keys[1:]
    again = rotate_log_key(path, NOON + timedelta(days=41))
    assert [key.public for key in again.keys[:2]] == [key.public for key in both.keys], "old keys still verify"
    assert len(again.signers(NOON + timedelta(days=42))) == 2, "and the secret of the oldest is gone"
    assert path.read_text().count('"secret": null') == 1


def signed(database: Database, keys: LogKeys, at: datetime) -> Head:
    head = sign_head(database, keys, at, at_most=MANY)
    assert head is not None
    return head


def test_a_log_key_is_private_and_never_replaced(keys: LogKeys, tmp_path: Path) -> None:
    path = tmp_path / "log" / "key.json"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="There is a key already"):
        create_log_key(path, "provider.test", NOON)
    path.chmod(0o604)
    with pytest.raises(ConfigurationError, match="Every user of this machine may read or change"):
        load_log_keys(path)


def test_a_file_that_is_no_log_key_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"keys": "hunter2"}')
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="not a sound key of the ledger's heads") as error:
        load_log_keys(path)
    assert "hunter2" not in str(error.value)
    with pytest.raises(ConfigurationError, match="There is no key of the ledger's heads"):
        load_log_keys(tmp_path / "absent.json")


def test_keys_are_written_as_verifiers_read_them(keys: LogKeys) -> None:
    (key,) = read_vkeys(keys.vkeys())
    assert (key, key.valid_from) == (keys.keys[0], NOON)
    assert read_vkey(key.text).public == key.public


def test_a_published_key_and_note_are_read() -> None:
    """Those of the specification of signed notes (Go's golang.org/x/mod/sumdb/note has them in its documentation)."""
    key = read_vkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    body = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert signature[:4] == key.id
    assert key.signed(signature[4:], body)


def test_tiles_are_kept_once(database: Database, keys: LogKeys) -> None:
    add(database, 1, 256)
    sign_head(database, keys, NOON, at_most=MANY)
    with database.writing() as session:
        session.execute(update(LedgerTile).where(col(LedgerTile.level) == 1).values(hashes=b""))
    add(database, 257, 257)
    with pytest.raises(IntegrityError, match="no longer gives the root"):
        sign_head(database, keys, NOON, at_most=MANY)
