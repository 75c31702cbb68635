"""What a role may do to the tables on PostgreSQL: the engine's own owns none of them, and only adds to the ledger.

The role that owns the tables makes and changes them (``duenotice migrate``), and nothing else connects as it. What the
database itself refuses needs no trust in this program; the verifier relies on none of it all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from sqlalchemy import Connection, text

if TYPE_CHECKING:
    from psycopg.abc import AdaptContext

_LEDGER = "evidence"

_ALL = "SELECT, INSERT, UPDATE, DELETE"

_FEWER = {
    _LEDGER: "SELECT, INSERT",
    "ledger_head": "SELECT, UPDATE",
    "ledger_tree": "SELECT, UPDATE",
    "ledger_tile": "SELECT, INSERT, UPDATE",
    "ledger_checkpoint": "SELECT, INSERT, UPDATE (timestamp_token)",
    "alembic_version": "SELECT",
}
"""What the engine's role may do to the tables of which it may not do all that it needs elsewhere."""


class Excess(NamedTuple):
    """What a role could do to the ledger, and must not: the role, and what it is or may, in words."""

    role: str
    could: str


def give_rights(connection: Connection, role: str) -> None:
    """Give a role what the engine needs, and take from it whatever is more; the connection is the owner's."""
    name = _quoted(connection, role)
    database = connection.execute(text("SELECT current_database()")).scalar_one()
    _run(connection, f"GRANT CONNECT ON DATABASE {_quoted(connection, database)} TO {name}")
    _run(connection, f"GRANT USAGE ON SCHEMA public TO {name}")
    _run(connection, f"REVOKE CREATE ON SCHEMA public FROM {name}")
    _run(connection, f"GRANT {_ALL} ON ALL TABLES IN SCHEMA public TO {name}")
    for table, rights in _FEWER.items():
        _run(connection, f"REVOKE ALL ON {table} FROM {name}, PUBLIC")
        _run(connection, f"GRANT {rights} ON {table} TO {name}")
    _run(connection, f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}")


def make_role(connection: Connection, role: str, password: str | None) -> bool:
    """Make a role that signs in and may nothing yet, unless it is there; return whether it was made."""
    there = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first()
    if there:
        return False
    secret = f" PASSWORD {_literal(connection, password)}" if password else ""
    _run(connection, f"CREATE ROLE {_quoted(connection, role)} LOGIN{secret}")
    return True


def excess_rights(connection: Connection) -> Excess | None:
    """What the role of a connection could do to the ledger besides reading it and adding to it; None if nothing."""
    row = connection.execute(
        text(
            """
            SELECT current_user AS role, owner.rolsuper AS all_of_it, owner.rolcreaterole AS makes_roles,
                   pg_has_role(current_user, ledger.relowner, 'MEMBER') AS owns,
                   pg_has_role(current_user, room.nspowner, 'MEMBER') AS owns_schema,
                   has_any_column_privilege(ledger.oid, 'UPDATE') AS updates,
                   has_table_privilege(ledger.oid, 'DELETE') AS deletes,
                   has_table_privilege(ledger.oid, 'TRUNCATE') AS empties,
                   has_table_privilege(ledger.oid, 'TRIGGER') AS triggers
            FROM pg_class ledger JOIN pg_namespace room ON room.oid = ledger.relnamespace, pg_roles owner
            WHERE ledger.oid = to_regclass(:ledger) AND owner.rolname = current_user
            """
        ),
        {"ledger": _LEDGER},
    ).first()
    if row is None:
        return None
    words = (
        (row.all_of_it, "is a superuser"),
        (row.owns, "owns the ledger"),
        (row.owns_schema, "owns the schema that the ledger is in"),
        (row.makes_roles, "can give itself other roles"),
        (row.updates, "may change entries"),
        (row.deletes or row.empties, "may remove entries"),
        (row.triggers, "may put triggers on the ledger"),
    )
    could = next((says for holds, says in words if holds), None)
    return Excess(row.role, could) if could else None


def _run(connection: Connection, statement: str) -> None:
    """Run what takes no parameters, such as a grant: the driver would take a per cent sign in it for one."""
    connection.exec_driver_sql(statement.replace("%", "%%"))


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name).replace("%%", "%")


def _literal(connection: Connection, value: str) -> str:
    from psycopg import sql  # an installation on SQLite never needs the driver

    driver = cast("AdaptContext", connection.connection.driver_connection)
    return sql.Literal(value).as_string(driver)
