"""A migrated SQLite database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cases.kinds import KINDS
from config.database import Database
from config.keyring import Keyring


@pytest.fixture(autouse=True)
def _only_kinds_of_this_test() -> Iterator[None]:
    """Take away the kinds that a test made known: a worker of a later test would look for their workflows."""
    before = dict(KINDS)
    yield
    KINDS.clear()
    KINDS.update(before)


@pytest.fixture
def database(keyring: Keyring, tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    yield database
    database.close()
