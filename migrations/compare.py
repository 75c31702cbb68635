"""Compare ``models.tables`` with a database, and write what is missing as a revision."""

from __future__ import annotations

from typing import Literal

from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Enum
from sqlalchemy.types import TypeDecorator

from models.tables import Agreement

_TABLES = Agreement.metadata


def differences(connection: Connection) -> list[str]:
    """Return what the database lacks of the tables, or has beyond them; empty when they agree."""
    return [str(difference) for difference in compare_metadata(MigrationContext.configure(connection), _TABLES)]


def upgrade_code(connection: Connection, *, batch: bool) -> str:
    """Return the body of an ``upgrade`` that brings the database to the tables, indented by four spaces.

    ``batch`` writes changes of existing tables as copies, the only way SQLite can do most of them.
    """
    operations = produce_migrations(MigrationContext.configure(connection), _TABLES).upgrade_ops
    assert operations is not None
    code = render_python_code(operations, render_as_batch=batch, render_item=_as_stored)
    return "\n".join(line for line in code.splitlines() if not line.strip().startswith("# ###")).strip()


def _as_stored(kind: str, item: object, _: AutogenContext) -> str | Literal[False]:
    """Write our own column types as what is stored: a revision must not change when our code does."""
    if kind != "type":
        return False
    if isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    if isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False
