"""Migrations: they lead an empty database to the tables of ``models.tables``, all at once, from any process."""

from __future__ import annotations

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from config.database import Database
from config.keyring import Keyring
from ledger.chain import GENESIS
from migrations.__main__ import VERSIONS
from migrations.compare import differences
from tests.support import migrated
from tests.support.migrated import really_migrate
from tests.support.patience import PATIENCE

REVISIONS = sorted(VERSIONS.glob("[0-9]*.py"))


def assigned(revision: Path, name: str) -> object:
    """The literal that a revision's file assigns to a name."""
    for statement in ast.parse(revision.read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise AssertionError(f"{revision.name} does not assign {name}")


def test_the_migrated_tables_are_those_of_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        assert differences(connection) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    really_migrate(database)
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM ledger_head")).scalar() == 1


def test_a_database_of_an_older_version_is_brought_to_this_one(empty_url: str, keyring: Keyring) -> None:
    database = Database(empty_url, keyring)
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    with database.writing() as session:
        config.attributes["connection"] = session.connection()
        command.upgrade(config, REVISIONS[0].name[:4])
        assert session.execute(text("SELECT count(*) FROM ledger_head")).scalar() == 0
    really_migrate(database)
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM ledger_head")).scalar() == 1
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISIONS[-1].name[:4]
    database.close()


def test_processes_that_start_together_migrate_once(empty_url: str, keyring: Keyring) -> None:
    starting = [Database(empty_url, keyring) for _ in range(4)]
    with ThreadPoolExecutor(len(starting)) as processes:
        list(processes.map(really_migrate, starting))
    with starting[0].reading() as session:
        assert session.execute(text("SELECT count(*) FROM ledger_head")).scalar() == 1
    for database in starting:
        database.close()


def test_the_tests_migrate_one_database_and_copy_it(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        database = Database(f"sqlite:///{tmp_path}/{name}.sqlite3", keyring)
        database.migrate()
        with database.engine.connect() as connection:
            assert differences(connection) == []
        database.close()
        monkeypatch.delattr(migrated, "really_migrate", raising=False)


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str, keyring: Keyring) -> None:
    database = Database(empty_url, keyring)
    with database.writing() as session:
        session.execute(text("CREATE TABLE duty (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="duty"):
        really_migrate(database)
    assert inspect(database.engine).get_table_names() == ["duty"]
    database.close()


def test_the_revisions_follow_each_other() -> None:
    numbers = [revision.name[:4] for revision in REVISIONS]
    assert [assigned(revision, "revision") for revision in REVISIONS] == numbers
    assert [assigned(revision, "down_revision") for revision in REVISIONS] == [None, *numbers[:-1]]


def test_the_chain_begins_where_the_ledger_says() -> None:
    assert assigned(REVISIONS[1], "GENESIS") == GENESIS


def test_the_first_revision_can_be_written_anew(tmp_path: Path) -> None:
    copy = tmp_path / "migrations"
    (copy / "versions").mkdir(parents=True)
    for source in VERSIONS.parent.glob("*.py"):
        (copy / source.name).write_bytes(source.read_bytes())
    writing = [sys.executable, "-m", "migrations", "first"]
    said = subprocess.run(writing, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    assert said.startswith("migrations/versions/0001_create_the_tables.py")
    written = (copy / "versions" / "0001_create_the_tables.py").read_text()
    assert 'op.create_table("evidence"' in written.replace("(\n", "(").replace("( ", "(").replace("'", '"')
