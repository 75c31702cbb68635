"""The first database of a process is migrated, on SQLite and on PostgreSQL; every further new one is a copy of it."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql
from sqlalchemy import URL, inspect

from config.database import Database
from models.columns import _sealer
from tests.plugins.postgresql import TEST_DATABASE

really_migrate = Database.migrate
"""As an installation does it, for tests of migrating itself."""


def copy_what_was_migrated() -> None:
    """Have new databases copied: migrating one takes a tenth of a second, and a thousand tests want one."""

    def migrate(database: Database) -> None:
        url = database.engine.url
        # Opening a database made its file, for its owner alone.
        if url.get_backend_name() == "sqlite" and not (file := Path(str(url.database))).stat().st_size:
            file.write_bytes(_migrated())
        elif (url.database or "").startswith(TEST_DATABASE) and not inspect(database.engine).get_table_names():
            _copy_on_postgresql(database, url)
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


def _copy_on_postgresql(database: Database, url: URL) -> None:
    """Put a copy of the server's template in the place of an empty database; the first one becomes the template."""
    template = sql.Identifier("migrated")
    name = sql.Identifier(str(url.database))
    server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        there = connection.execute("SELECT FROM pg_database WHERE datname = 'migrated'").fetchone()
        if there is None:
            really_migrate(database)
            database.close()  # nobody may use a database while it is copied
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(template, name))
        else:
            database.close()
            connection.execute(sql.SQL("DROP DATABASE {}").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, template))
