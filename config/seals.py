"""Whether what is sealed in the database opens where it stands: what was changed or moved there is found and named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, bindparam
from sqlalchemy import select as select_columns
from sqlalchemy.orm import Mapped
from sqlmodel import Session, SQLModel, col, update
from sqlmodel.sql.expression import SelectOfScalar

from config.logging import get_logger
from models.columns import is_sealed
from models.errors import IntegrityError
from models.tables import Artifact, ArtifactOutline, CaseKey

_log = get_logger("seals")

ROWS_AT_ONCE = 500
"""How many rows of a table are opened at a time."""

Row = TypeVar("Row")


def seal_case_keys_anew(session: Session) -> None:
    """Seal the key of each case under the keyring's newest key, after a rotation; what they seal stays as it is."""
    after: UUID | None = None
    while True:
        query = select_columns(col(CaseKey.case_id), col(CaseKey.key)).where(col(CaseKey.key).is_not(None))
        query = query if after is None else query.where(col(CaseKey.case_id) > after)
        rows = session.execute(query.order_by(col(CaseKey.case_id)).limit(ROWS_AT_ONCE)).all()
        if not rows:
            return
        after = rows[-1][0]
        # One that was destroyed meanwhile stays so.
        anew = update(CaseKey).where(
            col(CaseKey.case_id) == bindparam("case_key_case_id"), col(CaseKey.key).is_not(None)
        )
        session.connection().execute(anew, [{"case_key_case_id": case, "key": key} for case, key in rows])


@cache
def sealed_tables() -> tuple[Table, ...]:
    """Every table with a sealed column, in the order of their names."""
    tables = SQLModel.metadata.tables.values()
    return tuple(
        sorted((table for table in tables if any(map(is_sealed, table.columns))), key=lambda table: table.name)
    )


def not_opening(session: Session) -> Iterator[IntegrityError]:
    """Open every sealed value there is, and name each that does not open.

    Raises:
        ConfigurationError: something was sealed under a key that the keyring does not hold.
    """
    for table in sealed_tables():
        (key,) = table.primary_key
        after: Any = None
        while keys := _keys(session, table, after, ROWS_AT_ONCE):
            yield from _not_opening(session, table, key.in_(keys))
            after = keys[-1]


def not_opening_near(session: Session, place: UUID, rows: int) -> list[IntegrityError]:
    """Open the sealed values of so many rows of each table, and name each that does not open.

    They are those that follow an id; after the last row, the first ones follow.
    Artifacts are left out: they may be large, and verifying the ledger opens them all.
    """
    contents = {table for name, table in SQLModel.metadata.tables.items() if name in _ARTIFACTS}
    found: list[IntegrityError] = []
    for table in sealed_tables():
        (key,) = table.primary_key
        if table in contents or key.type.python_type is not UUID:
            continue
        keys = {*_keys(session, table, place, rows)}
        keys.update(_keys(session, table, None, rows - len(keys)) if len(keys) < rows else ())
        found += _not_opening(session, table, key.in_(keys))
    return found


_ARTIFACTS = {str(Artifact.__tablename__), str(ArtifactOutline.__tablename__)}


def rows_that_open(session: Session, query: SelectOfScalar[Row], key: Mapped[Any]) -> list[Row]:
    """What a query finds, less the rows in which something sealed does not open, which the log names.

    So nothing is done with what stands there, and no other row waits for it. ``key`` is the key of what is found.
    """
    try:
        return list(session.exec(query))
    except IntegrityError:
        pass
    opened: list[Row] = []
    for found in session.scalars(query.with_only_columns(key)).all():
        try:
            opened += session.exec(query.where(key == found)).all()
        except IntegrityError as error:
            _log.error("something sealed does not open", where=error.where, code=error.code)
    return opened


def tuples_that_open(
    session: Session, query: Select[Any], key: ColumnElement[Any], values: Mapping[str, Any]
) -> Sequence[Sequence[Any]]:
    """The same for a query of some columns of one table, with the values that it is asked with."""
    try:
        return session.execute(query, values).all()
    except IntegrityError:
        pass
    opened: list[Sequence[Any]] = []
    for found in session.scalars(query.with_only_columns(key), values).all():
        try:
            opened += session.execute(query.where(key == found), values).all()
        except IntegrityError as error:
            _log.error("something sealed does not open", where=error.where, code=error.code)
    return opened


def _keys(session: Session, table: Table, after: object, rows: int) -> Sequence[Any]:
    (key,) = table.primary_key
    query = select_columns(key).order_by(key).limit(rows)
    return session.scalars(query if after is None else query.where(key > after)).all()


def _not_opening(session: Session, table: Table, which: ColumnElement[bool]) -> Iterator[IntegrityError]:
    (key,) = table.primary_key
    sealed = [column for column in table.columns if is_sealed(column)]
    try:
        session.execute(select_columns(*sealed).where(which)).all()
    except IntegrityError:
        for row in session.scalars(select_columns(key).where(which).order_by(key)).all():
            for column in sealed:
                try:
                    session.execute(select_columns(column).where(key == row)).all()
                except IntegrityError as error:
                    yield error
