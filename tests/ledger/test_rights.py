"""On PostgreSQL the engine's role adds to the ledger, and the database itself refuses it anything else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlmodel import select

from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from ledger.append import append
from ledger.artifacts import drop_unclaimed, erase, store
from ledger.entries import AgreementAmended
from ledger.verify import verify_all
from models.errors import ConfigurationError
from models.tables import EvidenceEntry
from starter.cli.main import run
from starter.resources import open_database
from tests.support.migrated import really_migrate

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "it's 100% a :secret"


@pytest.fixture
def role(postgresql_server: str) -> Iterator[str]:
    """The name of a role that is not there yet; it is taken away again."""
    name = f"engine-{uuid4().hex}"
    yield name
    with psycopg.connect(f"{postgresql_server}/postgres", autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))


@pytest.fixture
def engine_url(postgresql_url: str, role: str) -> str:
    return make_url(postgresql_url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)


@pytest.fixture
def as_engine(
    postgresql_url: str, engine_url: str, keyring_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A database as the engine's own role sees it, which ``duenotice migrate`` has made."""
    monkeypatch.setattr(Database, "migrate", really_migrate)  # the copy that tests take knows nothing of roles
    _settings(monkeypatch, engine_url, postgresql_url, keyring_path)
    assert run(["migrate"]) == 0
    database = Database(engine_url, Keyring.load(keyring_path))
    yield database
    database.close()


def _settings(monkeypatch: pytest.MonkeyPatch, engine: str, owner: str | None, keyring: Path) -> None:
    monkeypatch.setenv("DUENOTICE_KEYRING", str(keyring))
    monkeypatch.setenv("DUENOTICE_DATABASE_URL", engine)
    monkeypatch.setenv("DUENOTICE_LOG_LEVEL", "error")
    if owner:
        monkeypatch.setenv("DUENOTICE_OWNER_DATABASE_URL", owner)


def _amend(database: Database) -> None:
    with database.writing() as session:
        name = store(session, b"changes", "text/plain", NOON)
        append(session, AgreementAmended(actor="officer", at=NOON, agreement_id=uuid4(), file_sha256=name))


def test_the_engine_s_role_does_all_that_the_engine_does(as_engine: Database) -> None:
    assert as_engine.excess_rights() is None
    _amend(as_engine)
    with as_engine.writing() as session:
        gone = store(session, b"handed over", "text/plain", NOON)
        erase(session, gone, NOON)
        store(session, b"with an act", "text/plain", NOON, claimed=False)
        drop_unclaimed(session, NOON.replace(hour=13))
    with as_engine.reading() as session:
        assert verify_all(session).sound


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET actor = 'other'",
        "DELETE FROM evidence",
        "TRUNCATE evidence",
        "DELETE FROM ledger_head",
        "ALTER TABLE evidence DISABLE TRIGGER ALL",
        "DROP TRIGGER evidence_is_append_only ON evidence",
        "DROP TABLE evidence",
        "CREATE TABLE another (id INTEGER)",
        "SET session_replication_role = 'replica'",
        "UPDATE alembic_version SET version_num = '9999'",
    ],
)
def test_the_database_refuses_the_engine_s_role_whatever_could_change_the_ledger(
    as_engine: Database, statement: str
) -> None:
    _amend(as_engine)
    with pytest.raises(Exception, match=r"permission denied|must be owner"), as_engine.writing() as session:
        session.execute(text(statement))
    with as_engine.reading() as session:
        assert len(session.exec(select(EvidenceEntry)).all()) == 1


def test_what_the_engine_s_role_may_not_do_is_said_in_a_sentence(as_engine: Database) -> None:
    with pytest.raises(ConfigurationError, match="duenotice migrate"), as_engine.writing() as session:
        session.execute(text("DELETE FROM evidence"))


def test_migrating_again_makes_no_second_role(as_engine: Database, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["migrate"]) == 0
    assert capsys.readouterr().out.startswith("The tables are up to date. The role engine-")
    _amend(as_engine)


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        ("GRANT UPDATE (actor) ON evidence TO {}", "may change entries"),
        ("GRANT DELETE ON evidence TO {}", "may remove entries"),
        ("GRANT TRIGGER ON evidence TO {}", "may put triggers"),
        ("GRANT duenotice TO {}", "owns the ledger"),
        ("ALTER SCHEMA public OWNER TO {}", "owns the schema"),
        ("ALTER ROLE {} CREATEROLE", "can give itself other roles"),
        ("ALTER ROLE {} SUPERUSER", "is a superuser"),
    ],
)
def test_production_refuses_to_work_as_a_role_that_could_change_the_ledger(
    as_engine: Database, postgresql_url: str, engine_url: str, role: str, keyring: Keyring, gives: str, says: str
) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(sql.SQL(gives).format(sql.Identifier(role)))
    production = _production(engine_url)
    with pytest.raises(ConfigurationError, match=says) as caught:
        open_database(production, keyring)
    assert caught.value.where == "DUENOTICE_DATABASE_URL"
    assert PASSWORD not in str(caught.value)
    open_database(production.model_copy(update={"environment": "local"}), keyring).close()


def test_production_works_as_a_role_that_only_adds(as_engine: Database, engine_url: str, keyring: Keyring) -> None:
    production = _production(engine_url)
    open_database(production, keyring).close()


def _production(url: str) -> Settings:
    """As far as opening the database asks for it."""
    return Settings.model_construct(environment="production", database_url=SecretStr(url))


def test_an_engine_that_may_not_make_tables_says_who_does(
    postgresql_url: str, engine_url: str, role: str, keyring: Keyring
) -> None:
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    database = Database(engine_url, keyring)
    with pytest.raises(ConfigurationError, match="duenotice migrate"):
        really_migrate(database)
    database.close()


@pytest.mark.parametrize("same", [True, False], ids=["the same role", "no owner"])
def test_migrate_asks_for_an_owner_who_is_somebody_else(
    postgresql_url: str,
    keyring_path: Path,
    same: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _settings(monkeypatch, postgresql_url, postgresql_url if same else None, keyring_path)
    assert run(["migrate"]) == ConfigurationError.exit_code
    assert ("connect as the owner" if same else "as whom the tables are made") in capsys.readouterr().err


def test_migrate_on_sqlite_says_that_it_knows_no_roles(
    tmp_path: Path, keyring_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _settings(monkeypatch, f"sqlite:///{tmp_path}/kept.sqlite3", None, keyring_path)
    assert run(["migrate"]) == 0
    assert "SQLite knows no roles" in capsys.readouterr().out
