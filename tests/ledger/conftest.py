"""A migrated database for each test, on SQLite and on a throw-away PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.database import Database
from config.keyring import Keyring


@pytest.fixture(scope="session")
def keyring_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keyring.json"
    Keyring.create(path)
    return path


@pytest.fixture(scope="session")
def keyring(keyring_path: Path) -> Keyring:
    return Keyring.load(keyring_path)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is, or for SQLite may be."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/home/duenotice.sqlite3"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
def database(empty_url: str, keyring: Keyring) -> Iterator[Database]:
    database = Database(empty_url, keyring)
    database.migrate()
    yield database
    database.close()
