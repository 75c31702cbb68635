"""Many rows at once: read as plain tuples of the columns that are needed, and written by one statement for a table.

The ORM makes an object of each row and watches it, which costs more than all else that is done with thousands of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, insert, update
from sqlmodel import Session, SQLModel


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
        session.connection().execute(insert(table_of(model)), rows)


def update_rows(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Change rows, each with its key and a value for the same columns; objects of this session do not learn of it."""
    if rows:
        table = table_of(model)
        (key,) = table.primary_key
        # Named as sealed columns look for it (``models.columns``).
        named = f"{table.name}_{key.name}"
        changed = [{named if name == key.name else name: value for name, value in row.items()} for row in rows]
        session.connection().execute(update(table).where(key == bindparam(named)), changed)
