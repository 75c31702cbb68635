"""A migrated SQLite database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.database import Database
from config.keyring import Keyring


@pytest.fixture
def database(keyring: Keyring, tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    yield database
    database.close()
