"""One engine in virtual time, shared by the tests of the spine; each test has a case of its own in it."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import structlog

from agreements.importing import DEMO_FILE, import_agreements
from cases.kinds import KINDS
from config.database import Database
from config.keyring import Keyring
from models.columns import bind_sealer
from starter import case_service, health
from starter.history import reading
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.support.compiled import share_compiled_pages, share_compiled_sql
from tests.support.migrated import copy_what_was_migrated
from tests.support.patience import PATIENCE

gc.disable()  # until all is collected, for what is imported stays

# How long an example takes says how busy the machine is; what is slow is found in bench/.
hypothesis.settings.register_profile("duenotice", deadline=None)
hypothesis.settings.load_profile("duenotice")


# A person who acts gets an answer after a second, whatever is still being computed. Tests look at what was computed.
case_service.FIRST_EFFECT = timedelta(seconds=30)

# A page of a history waits for Temporal, and then says that it is away.
reading.PATIENCE = timedelta(seconds=PATIENCE)


share_compiled_pages()
share_compiled_sql()
copy_what_was_migrated()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Leave what was imported and collected out of garbage collection.

    A full one took up to 2.6 s of a loaded machine, and a workflow that does not yield within 2 s is taken for stuck.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)  # at every 700th object it took a tenth of the tests' time
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files without long tests alone where only those are asked for: each worker would import four times more."""
    if config.option.markexpr != "long" or not collection_path.match("test_*.py"):
        return None
    return not _has_long_tests(collection_path) or None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Refuse a long test that would be left alone so."""
    if item.get_closest_marker("long") and not _has_long_tests(item.path):
        raise pytest.UsageError(f"{item.nodeid} is long: write {LONG} in its file, where it is looked for")


LONG = "mark.long"


@cache
def _has_long_tests(file: Path) -> bool:
    return LONG in file.read_text("utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-histories", nargs="?", const="", metavar="STORY", help="Play the kept histories, or one, anew."
    )


@pytest.fixture(scope="session")
def keyring_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keyring.json"


@pytest.fixture(scope="session")
def keyring(keyring_file: Path) -> Keyring:
    """One keyring for all engines: a process seals under one at a time, whichever database was opened last."""
    return Keyring.create(keyring_file)


@pytest.fixture(scope="session")
async def running_engine(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VirtualEngine]:
    """An engine that knows the demo's agreements."""
    async with virtual_engine(tmp_path_factory.mktemp("engine"), keyring=keyring) as engine:
        know_demo_agreements(engine)
        yield engine


@pytest.fixture
def engine(running_engine: VirtualEngine, keyring: Keyring) -> VirtualEngine:
    """The shared engine, sealing under its keyring again after tests that opened databases of their own."""
    bind_sealer(keyring)
    return running_engine


@pytest.fixture(autouse=True)
def _only_kinds_of_this_test() -> Iterator[None]:
    """Take away the kinds that a test made known: a worker of a later test would look for their workflows."""
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a test configured: where logs go belongs to the process, and every command configures it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def database(keyring: Keyring, tmp_path: Path) -> Iterator[Database]:
    """A SQLite database of its own for each test that asks for one."""
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    yield database
    database.close()


def know_demo_agreements(engine: VirtualEngine) -> None:
    """Import the fictional districts, one a state."""
    import_agreements(
        engine.resources.database,
        engine.resources.catalogue,
        DEMO_FILE.read_text("utf-8"),
        file_name=DEMO_FILE.name,
        now=utc_now(),
        actor="officer",
    )


@pytest.fixture
def patient_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of an installation are waited for as long as a busy machine takes to answer."""
    monkeypatch.setattr(health, "PATIENCE", PATIENCE)
