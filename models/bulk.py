"""Many rows at once: read as plain tuples of the columns that are needed, and written by one statement for a table.

The ORM makes an object of each row and watches it, which costs more than all else that is done with thousands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, Dialect, Insert, Table, Update, bindparam, insert, update
from sqlmodel import Session, SQLModel

from models.columns import placed_values


def columns_of(model: type[SQLModel], *names: str) -> tuple[ColumnElement[Any], ...]:
    """Some columns of a table, to be selected; what is sealed opens as it is read."""
    columns = table_of(model).columns
    return tuple(columns[name] for name in names)


def table_of(model: type[SQLModel]) -> Table:
    """The table that a model stands for."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def tables_of(*models: type[SQLModel]) -> tuple[Table, ...]:
    """The tables that some models stand for."""
    return tuple(table_of(model) for model in models)


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """That a column has one of the values that a statement is given under a name, however many these are.

    Such a statement is made once: making it anew, and finding how it was compiled, costs more than running it.
    """
    return column.in_(bindparam(name, expanding=True))


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows, each with a value for the same columns: what a model would fill in has to be given."""
    if rows:
        _write(session, table_of(model), rows, changed=False)


def update_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Change rows, each with its key and a value for the same columns; objects of this session do not learn of it."""
    if rows:
        _write(session, table_of(model), rows, changed=True)


def _write(session: Session, table: Table, rows: Sequence[Mapping[str, Any]], *, changed: bool) -> None:
    connection = session.connection()
    statement = _for_driver(connection.dialect, table, tuple(rows[0]), changed)
    # What is given to the driver itself passes by what places sealed values otherwise.
    placed = placed_values(connection, table, rows, changed=changed)
    connection.exec_driver_sql(statement.text, [statement.values(row) for row in placed])


@dataclass(frozen=True)
class _ForDriver:
    """A statement as the database's driver takes it.

    SQLAlchemy prepares the values of each row anew, which takes longer than all else that it does with the row.

    Attributes:
        text: the statement.
        prepared: the columns that it has values for, in its order, each with what prepares a value, if anything does.
        named: the names by which the driver knows these; None where it knows them by their order.
    """

    text: str
    prepared: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    named: tuple[str, ...] | None

    def values(self, row: Mapping[str, Any]) -> Any:
        """The values of one row."""
        values = tuple([prepare(row[name]) if prepare else row[name] for name, prepare in self.prepared])
        return values if self.named is None else dict(zip(self.named, values, strict=True))


@lru_cache
def _for_driver(dialect: Dialect, table: Table, columns: tuple[str, ...], changed: bool) -> _ForDriver:
    named = {f"row_{name}": table.columns[name] for name in columns}  # a value's name must be no column's
    compiled = (_update(table, named) if changed else _insert(table, named)).compile(dialect=dialect)
    order = compiled.positiontup or list(named)
    prepared = [(named[name].key, named[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in order]
    return _ForDriver(str(compiled), tuple(prepared), None if compiled.positiontup else tuple(order))


def _insert(table: Table, named: Mapping[str, Column[Any]]) -> Insert:
    return insert(table).values({column.key: bindparam(name) for name, column in named.items()})


def _update(table: Table, named: Mapping[str, Column[Any]]) -> Update:
    """The change of the row with a key to values."""
    (key,) = table.primary_key
    bound: dict[str, BindParameter[Any]] = {column.key: bindparam(name) for name, column in named.items()}
    return update(table).where(key == bound.pop(key.key)).values(bound)
