"""``duenotice backup`` and ``restored``: a copy of the database while it is written, and a word that one counts."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker

from config.database import Database
from config.keyring import Keyring
from ledger.append import append
from ledger.entries import FileRefused
from models.errors import InvalidInput, Unavailable
from models.tables import EvidenceEntry
from starter.cli import backups
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import Resources, utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import incident, open_case
from tests.support.shell import Shell
from workflows.watchdog import WatchdogWorkflow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "Ash Example's file, " * 400


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    """A database that has begun, with one entry, in the home that the commands use."""
    database = Database(f"sqlite:///{home / 'duenotice.sqlite3'}", Keyring.create(home / "keyring.json"))
    database.migrate()
    with database.writing() as session:
        append(session, refused())
    yield database
    database.close()


def refused(says: str = "It is broken.") -> FileRefused:
    return FileRefused(
        actor="robin", at=NOON, case_kind="breach", act=None, field="file", file_digest="0" * 64, says=says
    )


def entries(file: Path) -> int:
    with closing(sqlite3.connect(file)) as copy:
        return int(copy.execute("SELECT count(*) FROM evidence").fetchone()[0])


async def test_a_copy_is_one_private_file(database: Database, shell: Shell, home: Path) -> None:
    copy = home / "copies" / "of today?.sqlite3"
    copy.parent.mkdir()
    said = await shell("backup", str(copy))
    assert said.code == 0, said.err
    assert "with 1 entry of the ledger at least. It opens with the keyring" in said.out
    assert entries(copy) == 1
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]


def test_a_copy_holds_what_was_committed_and_waits_for_no_writer(database: Database, home: Path) -> None:
    with database.writing() as session:
        append(session, refused())
        session.flush()
        database.copy_to(home / "copy.sqlite3")
    assert (entries(home / "copy.sqlite3"), entries(home / "duenotice.sqlite3")) == (1, 2)


async def test_a_copy_is_a_database_of_the_same_installation(database: Database, shell: Shell, home: Path) -> None:
    await shell("backup", str(home / "copy.sqlite3"))
    copy = Database(f"sqlite:///{home / 'copy.sqlite3'}", Keyring.load(home / "keyring.json"))
    with copy.writing() as session:
        append(session, refused())
    copy.close()
    assert entries(home / "copy.sqlite3") == 2


async def test_what_was_deleted_is_in_no_copy(database: Database, shell: Shell, home: Path) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("CREATE TABLE written (words TEXT)")
        session.connection().exec_driver_sql("INSERT INTO written VALUES (?)", (SECRET,))
    with database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM written")
    await shell("backup", str(home / "copy.sqlite3"))
    assert SECRET[:20].encode() not in (home / "copy.sqlite3").read_bytes()


@pytest.mark.parametrize(
    ("file", "says"),
    [("keyring.json", "already. Name a new one."), ("missing/copy.sqlite3", "cannot be written: No such file")],
)
async def test_a_copy_overwrites_nothing_and_says_what_is_wrong(
    database: Database, shell: Shell, home: Path, file: str, says: str
) -> None:
    before = (home / "keyring.json").read_bytes()
    assert says in await shell.refuses("backup", str(home / file))
    assert (home / "keyring.json").read_bytes() == before


def test_a_copy_that_fails_leaves_no_file(database: Database, home: Path) -> None:
    with database.reading() as session:
        session.exec(select(EvidenceEntry)).all()
    (home / "duenotice.sqlite3").write_bytes(b"no database" * 1_000)
    with pytest.raises(InvalidInput, match="The copy cannot be written"):
        database.copy_to(home / "copy.sqlite3")
    assert not (home / "copy.sqlite3").exists()


def test_postgresql_is_copied_by_tools_of_its_own(postgresql_url: str, keyring: Keyring, home: Path) -> None:
    database = Database(postgresql_url, keyring)
    with pytest.raises(InvalidInput, match="pg_dump"):
        database.copy_to(home / "copy.sqlite3")
    database.close()
    assert not (home / "copy.sqlite3").exists()


@pytest.fixture
async def own(
    keyring: Keyring, keyring_file: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[VirtualEngine]:
    """An engine of its own, which the commands' environment names."""
    async with virtual_engine(tmp_path / "engine", keyring=keyring) as engine:
        know_demo_agreements(engine)
        monkeypatch.setenv("DUENOTICE_HOME", str(engine.resources.settings.home))
        monkeypatch.setenv("DUENOTICE_KEYRING", str(keyring_file))
        monkeypatch.setenv("TEMPORAL_ADDRESS", engine.resources.client.service_client.config.target_host)
        yield engine


async def test_on_a_persons_word_every_open_case_begins_anew(own: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(own, incident("TN-001", confirmed=utc_now()))
    first = (await own.case(case_id).describe()).run_id
    said = await shell("restored")
    assert (said.code, said.out) == (0, "1 open case began anew from what the database knows."), said.err
    assert (await own.case(case_id).describe()).run_id != first
    with own.resources.database.reading() as session:
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "cases_begun_anew")).one()
    assert (entry.body["why"], entry.actor != "duenotice") == ("said", True)


async def test_where_no_worker_runs_it_says_so_and_leaves_nothing_behind(
    keyring: Keyring, keyring_file: Path, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def idle(resources: Resources) -> Worker:
        return Worker(resources.client, task_queue="nobody", workflows=[WatchdogWorkflow])

    monkeypatch.setattr(backups, "BEGUN", 0)
    async with virtual_engine(tmp_path / "engine", keyring=keyring, worker=idle) as engine:
        monkeypatch.setenv("DUENOTICE_HOME", str(engine.resources.settings.home))
        monkeypatch.setenv("DUENOTICE_KEYRING", str(keyring_file))
        monkeypatch.setenv("TEMPORAL_ADDRESS", engine.resources.client.service_client.config.target_host)
        said = await shell("restored")
        assert said.code == Unavailable.exit_code
        assert "No worker asks for work." in said.err
        ended = [run.status async for run in engine.resources.client.list_workflows("WorkflowType = 'watchdog'")]
    assert ended == [WorkflowExecutionStatus.TERMINATED]
