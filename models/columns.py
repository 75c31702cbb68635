"""Column types: instants that keep their zone, and personal data that is sealed before it reaches the disk."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol, TypeAlias, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Uuid,
    bindparam,
    event,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Insert, Update
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import SQLCoreOperations
from sqlalchemy.sql.expression import ColumnElement, FromClause, TableClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from models.errors import ConfigurationError, IntegrityError, Refused
from models.grouping import KEYS_A_QUERY, parts

_Row: TypeAlias = Mapping[str, Any]
_Known: TypeAlias = dict[Any, Any]

CASE_KEY_BYTES = 32


class Sealer(Protocol):
    """What seals and opens stored bytes; ``context`` names column and row, and is authenticated with them."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return ``plain`` encrypted and authenticated."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the bytes that were sealed, or raise ``IntegrityError``."""

    def derive(self, purpose: bytes) -> bytes:
        """Return a key that is this installation's alone for this purpose, and stays the same."""

    def seal_under(self, key: bytes, case: UUID, plain: bytes, context: bytes) -> bytes:
        """Return ``plain`` encrypted and authenticated under the key of a case."""

    def open_under(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        """Return the bytes that were sealed under the key of a case, or raise ``IntegrityError``."""

    def case_of(self, sealed: bytes) -> UUID | None:
        """Return the case under whose key bytes were sealed; None for the installation's own."""


ERASED = "(erased)"
"""What stands where the text of a case stood whose key was destroyed."""

_sealers: list[Sealer] = []


def bind_sealer(sealer: Sealer) -> None:
    """Set the sealer that every sealed column of this process uses (called once, when the database is opened)."""
    _sealers[:] = [sealer]
    _case_key.cache_clear()


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


CASE_KEYS = "case_key"
"""The table with the key of each case: ``case_id``, and ``key``, which is empty once it was destroyed."""

_KEY_IS_GONE = b"-"
"""What a query gives in place of the key of a case that was destroyed; of one that was never there it gives nothing."""


class _RowAndValue(FunctionElement[bytes]):
    """SQL that gives a sealed value with the key of the row in which it stands, and with its case's key.

    It is the row's key, a NUL, the case's key as it is kept (in hexadecimal), a NUL, and the value.
    """

    name = "row_and_value"
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], of: _Sealed[Any]) -> None:
        self.case = of.case
        key = _key_beside(column, of.context)
        found = (_case_beside(column, of.case.column, of.context),) if of.case else ()
        super().__init__(key, column, *found)


@dataclass(frozen=True, slots=True)
class CaseOfRow:
    """How it is found of which case a row is: a column of its own, and tables by whose rows it goes on from there.

    Attributes:
        column: the row's column: the case's id, or the id of a row of the first table.
        through: table and column, one after another, each found by its ``id``; the last column is the case's id.
    """

    column: str
    through: tuple[tuple[str, str], ...] = ()


@compiles(_RowAndValue, "sqlite")
def _for_sqlite(element: _RowAndValue, compiler: SQLCompiler, **options: Any) -> str:
    key, value, *case = (compiler.process(part, **options) for part in element.clauses)
    if not case:
        return f"CAST({key} || x'0000' || {value} AS BLOB)"
    kept = f"coalesce({_kept_key(element, case[0], 'hex(k.key)')}, '')"
    return f"CASE WHEN {value} IS NOT NULL THEN CAST({key} || x'00' || {kept} || x'00' || {value} AS BLOB) END"


@compiles(_RowAndValue, "postgresql")
def _for_postgresql(element: _RowAndValue, compiler: SQLCompiler, **options: Any) -> str:
    of = next(iter(element.clauses))
    key, value, *case = (compiler.process(part, **options) for part in element.clauses)
    text = f"CAST({key} AS TEXT)"
    if isinstance(of.type, Uuid):
        text = f"replace({text}, '-', '')"
    row, nul = f"convert_to({text}, 'UTF8')", "decode('00', 'hex')"
    if not case:
        return f"{row} || decode('0000', 'hex') || {value}"
    shown = _kept_key(element, case[0], "encode(k.key, 'hex')")
    kept = f"convert_to(coalesce({shown}, ''), 'UTF8')"
    return f"CASE WHEN {value} IS NOT NULL THEN {row} || {nul} || {kept} || {nul} || {value} END"


def _kept_key(element: _RowAndValue, of: str, shown: str) -> str:
    """SQL that gives the key of a row's case as it is kept; ``of`` is the column by which the case is found."""
    assert element.case, "what has no case has no key of one"
    for number, (table, column) in enumerate(element.case.through):
        of = f"(SELECT t{number}.{column} FROM {table} t{number} WHERE t{number}.id = {of})"  # noqa: S608  # our names
    gone = f"CASE WHEN k.key IS NULL THEN '{_KEY_IS_GONE.decode()}' ELSE {shown} END"
    return f"(SELECT {gone} FROM {CASE_KEYS} k WHERE k.case_id = {of})"  # noqa: S608  # our names


@dataclass(frozen=True, slots=True)
class _Placed:
    """A value on its way into one row, with the case that the row is of, and the key of that."""

    value: Any
    key: str
    case: tuple[UUID, bytes] | None = field(repr=False, default=None)


Plain = TypeVar("Plain", bytes, str)


class _Sealed(TypeDecorator[Plain]):
    """What is encrypted at rest, and bound to the column and the row in which it stands.

    A column's type does not know its row. So each SELECT brings the row's key along with the value
    (``column_expression``), whoever wrote the query, and ``place_sealed_values`` gives each INSERT and UPDATE the key
    of each row. What has no row can be neither written nor read.

    What belongs to one case is sealed under the key of that case: once that is destroyed, all of it is erased. Each
    SELECT brings that key along too, as it is kept, so that nothing is read with a key that was destroyed since.

    Args:
        context: names the column.
        case: how it is found of which case a row is; None for what belongs to no case.
    """

    impl = LargeBinary
    cache_ok = True
    _bytes_of: Callable[[Any], bytes]
    _plain_of: Callable[[bytes], Plain]
    _erased: Plain | None = None

    def __init__(self, context: str, case: CaseOfRow | None = None) -> None:
        super().__init__()
        self.context = context
        self.case = case

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Select the row's key with the value; raise ``TypeError`` where a query does not give it."""
        return type_coerce(_RowAndValue(column, self), self)

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Seal on the way in; raise ``TypeError`` for a value that was given no row."""
        if value is None:
            return None
        if not isinstance(value, _Placed):
            raise TypeError(f"{self.context} is sealed for its row, so it is written by rows, with their keys")
        plain, place = self._bytes_of(value.value), self._place(value.key)
        if value.case is None:
            return _sealer().seal(plain, place)
        case, key = value.case
        return _sealer().seal_under(key, case, plain, place)

    def process_result_value(self, value: Any, dialect: Dialect) -> Plain | None:
        """Open on the way out: None, or ``ERASED`` for a text, of a case whose key was destroyed.

        Raises:
            IntegrityError: it was changed, or was sealed for another row, column or table.
        """
        if value is None:
            return None
        key, _, rest = bytes(value).partition(b"\0")
        kept, _, sealed = rest.partition(b"\0")
        row, sealer = key.decode(), _sealer()
        try:
            if (case := sealer.case_of(sealed)) is None:
                return self._plain_of(sealer.open(sealed, self._place(row)))
            if kept == _KEY_IS_GONE:
                return self._erased
            return self._plain_of(sealer.open_under(_case_key(kept, case), sealed, self._place(row)))
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
    _erased = ERASED


def open_elsewhere(
    column: SQLCoreOperations[Plain | None], key: str, sealed: bytes, case_key: bytes | None
) -> Plain | None:
    """Open what was sealed for a column and the row of a key, and is kept elsewhere than in that row.

    ``case_key`` is the key of the row's case, if it is of one; None is returned where that is needed and not there.

    Raises:
        IntegrityError: it was changed, or was sealed for another place.
    """
    kind, sealer = cast("ColumnElement[Plain]", column).type, _sealer()
    assert isinstance(kind, _Sealed)
    try:
        if sealer.case_of(sealed) is None:
            plain = sealer.open(sealed, kind._place(key))
        elif case_key is None:
            return None
        else:
            plain = sealer.open_under(case_key, sealed, kind._place(key))
    except IntegrityError as error:
        raise IntegrityError(
            "What is kept for this does not open: somebody changed it, or put something else in its place.",
            where=f"{kind.context} {key}",
            next_step="Restore it from a backup, and find out who could write there.",
        ) from error
    opened: Plain = kind._plain_of(plain)
    return opened


def place_sealed_values(engine: Engine) -> None:
    """Tell sealed columns which row each value is for that this engine writes."""
    event.listen(engine, "before_execute", _place_values, retval=True)


def _place_values(
    connection: Connection, statement: Any, rows: Sequence[_Row], row: _Row, __: Mapping[str, Any]
) -> tuple[Any, Sequence[_Row], _Row]:
    if not isinstance(statement, Insert | Update):
        return statement, rows, row
    table, changed = cast("Table", statement.table), isinstance(statement, Update)
    *placed, last = placed_values(connection, table, [*rows, row], changed=changed)
    return statement, placed, last


def placed_values(connection: Connection, table: Table, rows: Sequence[_Row], *, changed: bool) -> Sequence[_Row]:
    """Tell the sealed columns of a table which row each of some values is for: rows to insert, or to be changed."""
    if not (sealed := _sealed_names(table)):
        return rows
    key = _key_of(table)
    names = (str(key._label), key.key) if changed else (key.key,)  # a WHERE uses the label
    found = {at: _key_in(given, names) for at, given in enumerate(rows) if _gives(given, sealed)}
    of_case = _case_rule(table) if found else None
    cases = _keys_of_rows(connection, table, of_case, rows, found, changed=changed) if of_case else {}

    def placed(at: int, given: _Row) -> _Row:
        if found.get(at) is None:
            return given
        wanted = [name for name in sealed if given.get(name) is not None]
        place = _key_text(found[at])
        return {**given, **{name: _Placed(given[name], place, cases.get(at)) for name in wanted}}

    return [placed(at, each) for at, each in enumerate(rows)]


def _gives(row: _Row, names: Iterable[str]) -> bool:
    return any(row.get(name) is not None for name in names)


def _key_in(row: _Row, names: Iterable[str]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _keys_of_rows(
    connection: Connection,
    table: Table,
    of: CaseOfRow,
    rows: Sequence[_Row],
    found: Mapping[int, Any],
    *,
    changed: bool,
) -> dict[int, tuple[UUID, bytes]]:
    """The case of each row that is of one, with its key; ``found`` are the rows' places among them, and their keys."""
    if of.column in table.primary_key.columns:
        cases = dict(found)
    else:
        stored = {at for at in found if of.column not in rows[at]} if changed else set[int]()
        given = {at: rows[at].get(of.column) for at in found if at not in stored}
        cases = _ends(connection, table.metadata, of.through, given)
        path = ((table.name, of.column), *of.through)
        cases |= _ends(connection, table.metadata, path, {at: found[at] for at in stored})
    keys = _have_case_keys(connection, table.metadata.tables[CASE_KEYS], {case for case in cases.values() if case})
    return {at: (case, keys[case]) for at, case in cases.items() if case}


_Path: TypeAlias = tuple[tuple[str, str], ...]
"""Tables with a column of each: the id of a row of the next, and last the id of a case."""


def _ends(connection: Connection, tables: MetaData, path: _Path, begins: Mapping[int, Any]) -> dict[int, Any]:
    """Where a path ends that begins with some keys of its first table; without tables it ends where it begins."""
    if not path or not begins:
        return dict(begins)
    ends = _looked_up(connection, _end_of(tables, path), set(begins.values()))
    return {at: ends.get(key) for at, key in begins.items()}


@lru_cache
def _end_of(tables: MetaData, path: _Path) -> Select[Any]:
    on = [tables.tables[name] for name, _ in path]
    query = select(_key_of(on[0]), on[-1].columns[path[-1][1]])
    for table, further, (_, column) in zip(on, on[1:], path, strict=False):
        query = query.join(further, _key_of(further) == table.columns[column])
    return query.where(_key_of(on[0]).in_(_KEYS))


def _key_of(table: Table) -> Column[Any]:
    (key,) = table.primary_key
    return key


_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)


def _looked_up(connection: Connection, query: Select[Any], of: set[Any]) -> _Known:
    """What a query gives for each of some keys, those that there are."""
    found: _Known = {}
    for some in parts([one for one in of if one is not None], KEYS_A_QUERY):
        found |= {row[0]: row[1] for row in connection.execute(query, {"keys": some})}
    return found


def _have_case_keys(connection: Connection, table: Table, cases: set[UUID]) -> dict[UUID, bytes]:
    """The keys of some cases; one that has none yet gets it, in the transaction that first seals something of it.

    Raises:
        Refused: a case was erased.
    """
    if not cases:
        return {}
    query = _case_keys(table)
    kept = _looked_up(connection, query, cases)
    if missing := sorted(cases - kept.keys()):
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        rows = [{"case_id": case, "key": secrets.token_bytes(CASE_KEY_BYTES)} for case in missing]
        connection.execute(make(table).on_conflict_do_nothing(), rows)
        kept = _looked_up(connection, query, cases)
    if gone := [case for case in cases if kept[case] is None]:
        raise Refused(
            "The personal data of this case was erased: nothing more of it is kept.",
            where=f"case {min(gone)}",
            next_step="Open a new case for what is new.",
        )
    return kept


@lru_cache
def _case_keys(table: Table) -> Select[Any]:
    return select(table.columns["case_id"], table.columns["key"]).where(table.columns["case_id"].in_(_KEYS))


@lru_cache(maxsize=64)
def _case_key(kept: bytes, case: UUID) -> bytes:
    """The key of a case, from how it is kept in hexadecimal.

    Raises:
        IntegrityError: it was changed, or is another case's; or there is none.
    """
    return _sealer().open(bytes.fromhex(kept.decode()), f"{CASE_KEYS}.key\0{case.hex}".encode())


def is_sealed(column: ColumnElement[Any]) -> bool:
    """Whether a column holds what is encrypted at rest."""
    return isinstance(column.type, _Sealed)


@lru_cache
def _case_rule(table: TableClause) -> CaseOfRow | None:
    """How it is found of which case a row of a table is; all its sealed columns say the same."""
    return next((column.type.case for column in table.columns if isinstance(column.type, _Sealed)), None)


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
            if (found := _beside(column, key)) is not None:
                return found
    raise TypeError(f"{context} is sealed for its row, so a query that selects it needs the table's one key beside it")


def _case_beside(column: ColumnElement[Any], name: str, context: str) -> ColumnElement[Any]:
    """The column by which the case of that row is found."""
    for base in column.base_columns:
        if isinstance(base, Column) and (found := _beside(column, base.table.columns[name])) is not None:
            return found
    raise TypeError(f"{context} is sealed for its case, so a query that selects it needs {name} beside it")


def _beside(column: ColumnElement[Any], wanted: Column[Any]) -> ColumnElement[Any] | None:
    source: FromClause | None = getattr(column, "table", None)
    return source.corresponding_column(wanted) if source is not None else None
