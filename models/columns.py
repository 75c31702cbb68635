"""Column types: instants that keep their zone, and personal data that is sealed before it reaches the disk."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from sqlalchemy import Column, DateTime, LargeBinary, Uuid, event, type_coerce
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Insert, Update
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import SQLCoreOperations
from sqlalchemy.sql.expression import ColumnElement, FromClause, TableClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from models.errors import ConfigurationError, IntegrityError

_Row: TypeAlias = Mapping[str, Any]


class Sealer(Protocol):
    """What seals and opens stored bytes; ``context`` names column and row, and is authenticated with them."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return ``plain`` encrypted and authenticated."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the bytes that were sealed, or raise ``IntegrityError``."""

    def derive(self, purpose: bytes) -> bytes:
        """Return a key that is this installation's alone for this purpose, and stays the same."""


_sealers: list[Sealer] = []


def bind_sealer(sealer: Sealer) -> None:
    """Set the sealer that every sealed column of this process uses (called once, when the database is opened)."""
    _sealers[:] = [sealer]


def _sealer() -> Sealer:
    if not _sealers:
        raise ConfigurationError(
            "No keyring is bound, so sealed columns can be neither read nor written.",
            next_step="Open the database through config.database.Database.",
        )
    return _sealers[0]


def lookup_key(name: str, context: str) -> str:
    """Name what is sealed, so that rows about the same are found without being opened: an HMAC of the name's letters.

    Nobody without the keyring can tell whose it is. ``context`` keeps the keys of different columns apart.
    """
    key = _sealer().derive(f"lookup {context}".encode())
    return hmac.new(key, " ".join(name.casefold().split()).encode(), hashlib.sha256).hexdigest()


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: stored in UTC, returned with its zone; one without a zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; raise ``ValueError`` for an instant without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _RowAndValue(FunctionElement[bytes]):
    """SQL that gives a sealed value together with the key of the row in which it stands: the key, a NUL, the value."""

    name = "row_and_value"
    inherit_cache = True


@compiles(_RowAndValue, "sqlite")
def _for_sqlite(element: _RowAndValue, compiler: SQLCompiler, **options: Any) -> str:
    key, value = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST({key} || x'00' || {value} AS BLOB)"


@compiles(_RowAndValue, "postgresql")
def _for_postgresql(element: _RowAndValue, compiler: SQLCompiler, **options: Any) -> str:
    of, _ = element.clauses
    key, value = (compiler.process(part, **options) for part in element.clauses)
    text = f"CAST({key} AS TEXT)"
    if isinstance(of.type, Uuid):
        text = f"replace({text}, '-', '')"
    return f"convert_to({text}, 'UTF8') || decode('00', 'hex') || {value}"


@dataclass(frozen=True, slots=True)
class _Placed:
    """A value on its way into one row."""

    value: Any
    key: str


Plain = TypeVar("Plain", bytes, str)


class _Sealed(TypeDecorator[Plain]):
    """What is encrypted at rest, and bound to the column and the row in which it stands.

    A column's type does not know its row. So each SELECT brings the row's key along with the value
    (``column_expression``), whoever wrote the query, and ``place_sealed_values`` gives each INSERT and UPDATE the key
    of each row. What has no row can be neither written nor read.
    """

    impl = LargeBinary
    cache_ok = True
    _bytes_of: Callable[[Any], bytes]
    _plain_of: Callable[[bytes], Plain]

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Select the row's key with the value; raise ``TypeError`` where a query does not give it."""
        return type_coerce(_RowAndValue(_key_beside(column, self.context), column), self)

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Seal on the way in; raise ``TypeError`` for a value that was given no row."""
        if value is None:
            return None
        if not isinstance(value, _Placed):
            raise TypeError(f"{self.context} is sealed for its row, so it is written by rows, with their keys")
        return _sealer().seal(self._bytes_of(value.value), self._place(value.key))

    def process_result_value(self, value: Any, dialect: Dialect) -> Plain | None:
        """Open on the way out.

        Raises:
            IntegrityError: it was changed, or was sealed for another row, column or table.
        """
        if value is None:
            return None
        key, _, sealed = bytes(value).partition(b"\0")
        return self.open(key.decode(), sealed)

    def open(self, row: str, sealed: bytes) -> Plain:
        """Open what stands in the row of a key; raise ``IntegrityError`` as above."""
        try:
            return self._plain_of(_sealer().open(sealed, self._place(row)))
        except IntegrityError as error:
            raise IntegrityError(
                "What is stored here does not open: somebody changed it, or moved it here from another place in the "
                "database.",
                where=f"{self.context} {row}",
                next_step="Restore it from a backup, and find out who could write to the database.",
            ) from error

    def _place(self, key: str) -> bytes:
        return f"{self.context}\0{key}".encode()


class SealedBytes(_Sealed[bytes]):
    """Bytes encrypted at rest and bound to their place; ``context`` names their column."""

    cache_ok = True

    _bytes_of = _plain_of = staticmethod(bytes)


class SealedText(_Sealed[str]):
    """Text encrypted at rest and bound to its place; ``context`` names its column."""

    cache_ok = True

    _bytes_of, _plain_of = staticmethod(str.encode), staticmethod(bytes.decode)


def open_elsewhere(column: SQLCoreOperations[Plain | None], key: str, sealed: bytes) -> Plain:
    """Open what was sealed for a column and the row of a key, and is kept elsewhere than in that row.

    Raises:
        IntegrityError: it was changed, or was sealed for another place.
    """
    kind = cast("ColumnElement[Plain]", column).type
    assert isinstance(kind, _Sealed)
    opened: Plain = kind.open(key, sealed)
    return opened


def place_sealed_values(engine: Engine) -> None:
    """Tell sealed columns which row each value is for that this engine writes."""
    event.listen(engine, "before_execute", _place_values, retval=True)


def _place_values(
    _: Connection, statement: Any, rows: Sequence[_Row], row: _Row, __: Mapping[str, Any]
) -> tuple[Any, Sequence[_Row], _Row]:
    if not isinstance(statement, Insert | Update) or not (sealed := _sealed_names(statement.table)):
        return statement, rows, row
    (key,) = statement.table.primary_key
    names = (str(key._label), key.key) if isinstance(statement, Update) else (key.key,)  # a WHERE uses the label

    def placed(given: _Row) -> _Row:
        wanted = [name for name in sealed if given.get(name) is not None]
        found = next((given[name] for name in names if name in given), None)
        if not wanted or found is None:
            return given
        return {**given, **{name: _Placed(given[name], _key_text(found)) for name in wanted}}

    return statement, [placed(each) for each in rows], placed(row)


def is_sealed(column: ColumnElement[Any]) -> bool:
    """Whether a column holds what is encrypted at rest."""
    return isinstance(column.type, _Sealed)


@lru_cache
def _sealed_names(table: TableClause) -> tuple[str, ...]:
    return tuple(column.key for column in table.columns if is_sealed(column))


def _key_text(key: object) -> str:
    """A row's key as both databases give it: a UUID as 32 hexadecimal digits."""
    return key.hex if isinstance(key, UUID) else str(key)


def _key_beside(column: ColumnElement[Any], context: str) -> ColumnElement[Any]:
    """The key of the row that a selected column is of, from the same table, alias or subquery."""
    for base in column.base_columns:
        if isinstance(base, Column) and len(base.table.primary_key) == 1:
            (key,) = base.table.primary_key
            source: FromClause | None = getattr(column, "table", None)
            found = source.corresponding_column(key) if source is not None else None
            if found is not None:
                return found
    raise TypeError(f"{context} is sealed for its row, so a query that selects it needs the table's one key beside it")
