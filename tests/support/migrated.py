"""The first SQLite database of a process is migrated; every further new one is a copy of that, table for table."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from config.database import Database
from models.columns import _sealer

really_migrate = Database.migrate
"""As an installation does it, for tests of migrating itself."""


def copy_what_was_migrated() -> None:
    """Have new SQLite databases copied: migrating one takes a third of a second, and hundreds of tests want one."""

    def migrate(database: Database) -> None:
        url = database.engine.url
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            Path(url.database).write_bytes(_migrated())
        else:
            really_migrate(database)

    Database.migrate = migrate  # type: ignore[method-assign, assignment]


@cache
def _migrated() -> bytes:
    """The file of a database with all tables and no rows."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "migrated.sqlite3"
        database = Database(f"sqlite:///{file}", _sealer())  # the one that is bound, which stays so
        really_migrate(database)
        database.close()
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()
