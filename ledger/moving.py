"""Moving artifacts between the database, where each is kept first, and the store outside it that a setting names.

An artifact is in the database before the entry that points to it, in one transaction with it, whatever becomes of the
store; nothing that is due waits for that. What is moved is sealed already, and is moved as it is.

Each step can be repeated, by several at once: first the row says which object there is going to be; then the object is
put, and read back; and only then the content leaves the row. So an object always has a row that names it, and a
content is always in one of both places. The object of what is erased meanwhile, or sealed anew, is named in a table of
its own until nobody can be putting it any more (``ObjectToGo``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, LargeBinary, Update, bindparam, func, null, type_coerce, update
from sqlalchemy import select as select_columns
from sqlmodel import case, col, delete, select

from config.database import Database
from config.object_store import ObjectStore, get_object
from ledger.watching import Watch, unwatched
from models.errors import IntegrityError, NotFound, Refused
from models.identifiers import sha256_hex
from models.tables import Artifact, ObjectToGo

_ROWS_A_LOOK = 20_000
_MOVED_TOGETHER, _BYTES_TOGETHER, _AT_ONCE = 200, 32 * 2**20, 8

PUT_WITHIN = timedelta(days=1)
"""How long after it is to go somebody may still be putting an object: far longer than a request takes."""

_SEALED = type_coerce(col(Artifact.content), LargeBinary)
"""The content as it stands in the row: to be moved, and not to be opened."""

_IN_DATABASE = (col(Artifact.content).is_not(None), col(Artifact.erased_at).is_(None))
_IN_STORE = (col(Artifact.object_sha256).is_not(None), col(Artifact.erased_at).is_(None))


@dataclass(frozen=True)
class Moved:
    """What was moved.

    Attributes:
        count: how many artifacts.
        size: how many bytes, packed and sealed.
        place: where to go on: the SHA-256 of the last artifact that was looked at; empty once all were.
    """

    count: int = 0
    size: int = 0
    place: str = ""


class _Row(NamedTuple):
    """An artifact, and how many bytes it takes where it is to be moved from; 0 if it is not there."""

    sha256: str
    size: int
    stored_at: datetime


def move_out(
    database: Database,
    at_least: int,
    *,
    before: datetime | None = None,
    place: str = "",
    rows: int | None = None,
    seconds: float | None = None,
    watch: Watch = unwatched,
) -> Moved:
    """Move recorded artifacts from the database to the store.

    Args:
        database: where they are, opened with the store.
        at_least: those that take so many bytes, packed and sealed.
        before: those that were stored before an instant; what is new may be read at once.
        place: those that follow this one.
        rows: how many to look at; without it, all.
        seconds: after how long to stop.
        watch: counts along.

    Raises:
        Refused: no setting names a store.
        Unavailable: the store or the database does not answer; what was moved until then stays there.
        IntegrityError: the store gives other bytes than it was given; they are in the database still.
    """
    objects = _store_of(database)
    here = case((col(Artifact.claimed) & _IN_DATABASE[0] & _IN_DATABASE[1], func.length(_SEALED)), else_=0)
    ends_at = None if seconds is None else monotonic() + seconds
    few, looked, count, size = list[_Row](), 0, 0, 0
    with _pool() as pool:
        for row in watch(_rows(database, here, place, rows), "artifacts", _total(database, rows)):
            looked, place = looked + 1, row.sha256
            if row.size >= max(at_least, 1) and (before is None or row.stored_at < before):
                few.append(row)
            if _is_full(few):
                moved = _put_away(database, objects, pool, few)
                few, count, size = [], count + len(moved), size + sum(map(len, moved.values()))
                if ends_at is not None and monotonic() > ends_at:
                    return Moved(count, size, place)
        moved = _put_away(database, objects, pool, few)
    return Moved(count + len(moved), size + sum(map(len, moved.values())), place if looked == rows else "")


def move_back(database: Database, *, watch: Watch = unwatched) -> Moved:
    """Move every artifact from the store into the database; the store then holds nothing of this installation's.

    Nobody should be reading meanwhile: what began to read before looks for them in the store.

    Raises:
        Refused: no setting names a store.
        Unavailable: the store or the database does not answer; what was moved until then stays there.
        IntegrityError: what is in the store is not what was moved there, or is missing.
    """
    objects = _store_of(database)
    there = case((_IN_STORE[0] & _IN_STORE[1], col(Artifact.size) + 1), else_=0)
    few, count, size = list[_Row](), 0, 0
    with _pool() as pool:
        for row in watch(_rows(database, there, "", None), "artifacts", _total(database, None)):
            if row.size:
                few.append(row)
            if _is_full(few):
                moved = _take_back(database, objects, pool, few)
                few, count, size = [], count + len(moved), size + sum(map(len, moved.values()))
        moved = _take_back(database, objects, pool, few)
    return Moved(count + len(moved), size + sum(map(len, moved.values())))


def let_go(database: Database, now: datetime) -> int:
    """Have the objects go that no artifact names any more; return how many there were.

    Raises:
        Unavailable: the store or the database does not answer.
    """
    if database.objects is None:
        return 0
    with database.reading() as session:
        rows = session.exec(select(ObjectToGo).order_by(col(ObjectToGo.since))).all()
    for row in rows:
        database.objects.delete(row.sha256)
    if settled := [row.sha256 for row in rows if row.since < now - PUT_WITHIN]:
        with database.writing() as session:
            session.execute(delete(ObjectToGo).where(col(ObjectToGo.sha256).in_(settled)))
    return len(rows)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that wait for the store; once one of them fails, those that wait for their turn do nothing more."""
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="moving")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _store_of(database: Database) -> ObjectStore:
    if database.objects is None:
        raise Refused(
            "Artifacts are kept in the database: no setting names another store.",
            where="DUENOTICE_ARTIFACTS",
            next_step="Name a folder (DUENOTICE_ARTIFACTS__DIRECTORY) or a bucket (DUENOTICE_ARTIFACTS__BUCKET).",
        )
    return database.objects


def _total(database: Database, rows: int | None) -> int:
    if rows is not None:
        return rows
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(Artifact)).one()


def _rows(database: Database, size: ColumnElement[int], place: str, rows: int | None) -> Iterator[_Row]:
    """Every artifact that follows one, in the order of their SHA-256, some thousands a session."""
    while rows is None or rows > 0:
        limit = _ROWS_A_LOOK if rows is None else min(rows, _ROWS_A_LOOK)
        query = select_columns(col(Artifact.sha256), size, col(Artifact.stored_at)).where(col(Artifact.sha256) > place)
        with database.reading() as session:
            some = session.execute(query.order_by(col(Artifact.sha256)).limit(limit)).all()
        yield from map(_Row._make, some)
        if len(some) < limit:
            return
        place, rows = some[-1][0], None if rows is None else rows - limit


def _is_full(few: Sequence[_Row]) -> bool:
    return len(few) >= _MOVED_TOGETHER or sum(row.size for row in few) >= _BYTES_TOGETHER


_OF, _NAMED = col(Artifact.sha256) == bindparam("of"), col(Artifact.object_sha256) == bindparam("named")


def _put_away(
    database: Database, objects: ObjectStore, pool: ThreadPoolExecutor, few: Sequence[_Row]
) -> dict[str, bytes]:
    """Move some from the database to the store; return what was moved, sealed."""
    sealed = _sealed(database, few)
    names = {sha256: sha256_hex(content) for sha256, content in sealed.items()}
    rows = [{"of": sha256, "name": name, "named": name} for sha256, name in names.items()]
    begun = update(Artifact).where(_OF, *_IN_DATABASE).values(object_sha256=bindparam("name"))
    _update(database, begun, [{"of": row["of"], "name": row["name"]} for row in rows])
    for _ in pool.map(partial(_put, objects), names.values(), sealed.values()):
        pass
    done = update(Artifact).where(_OF, _NAMED, *_IN_DATABASE).values(content=null())
    _update(database, done, [{"of": row["of"], "named": row["named"]} for row in rows])
    there = _objects_of(database, list(names))
    for sha256 in [sha256 for sha256, name in names.items() if there.get(sha256) != name]:
        objects.delete(names[sha256])  # it was erased while it was put
        del sealed[sha256]
    return sealed


def _put(objects: ObjectStore, name: str, sealed: bytes) -> None:
    """Put an object, and see that it is there, before the only other copy goes."""
    objects.put(name, sealed)
    with suppress(NotFound):
        if get_object(objects, name) == sealed:
            return
    raise IntegrityError(
        "The store of artifacts does not give what was put there a moment ago.",
        where=f"object {name}, {objects.called}",
        next_step="Nothing is lost: it is in the database still. Use another store.",
    )


def _take_back(
    database: Database, objects: ObjectStore, pool: ThreadPoolExecutor, few: Sequence[_Row]
) -> dict[str, bytes]:
    """Move some from the store into the database; return what was moved, sealed."""
    names = _objects_of(database, [row.sha256 for row in few])
    there = dict(zip(names, pool.map(partial(get_object, objects), names.values()), strict=True))
    content = type_coerce(bindparam("sealed", type_=LargeBinary), LargeBinary)
    kept = update(Artifact).where(_OF, _NAMED, *_IN_STORE).values(content=content)
    rows = [{"of": sha256, "named": names[sha256], "sealed": sealed} for sha256, sealed in there.items()]
    _update(database, kept, rows)
    for _ in pool.map(objects.delete, names.values()):
        pass
    gone = update(Artifact).where(_OF, _NAMED, *_IN_DATABASE).values(object_sha256=null())
    _update(database, gone, [{"of": sha256, "named": name} for sha256, name in names.items()])
    return there


def _sealed(database: Database, few: Sequence[_Row]) -> dict[str, bytes]:
    query = select_columns(col(Artifact.sha256), _SEALED).where(
        col(Artifact.sha256).in_([row.sha256 for row in few]), *_IN_DATABASE
    )
    with database.reading() as session:
        return {sha256: bytes(content) for sha256, content in session.execute(query)}


def _objects_of(database: Database, names: Sequence[str]) -> dict[str, str]:
    """Of some artifacts those that are in the store and nowhere else, each with its object's name."""
    query = select_columns(col(Artifact.sha256), col(Artifact.object_sha256)).where(
        col(Artifact.sha256).in_(names), *_IN_STORE, col(Artifact.content).is_(None)
    )
    with database.reading() as session:
        return {sha256: name for sha256, name in session.execute(query) if name}


def _update(database: Database, statement: Update, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        with database.writing() as session:
            session.connection().execute(statement, rows)
