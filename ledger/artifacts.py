"""The bytes that evidence points to: stored sealed, named by the SHA-256 (FIPS 180-4) of their plain content.

They are kept in the database, and the larger ones are moved from there to a store that a setting names
(``ledger/moving.py``); so whatever an entry points to is kept before the entry, and no transaction waits for a server.

They are packed by zlib (RFC 1950) first. Many letters that say nearly the same are packed against what they have in
common, which is kept once beside them: of each, only what is its own takes room.

What only one case names is sealed under the key of that case, so that it can be erased with it. What a second case
names too, or what belongs to none, is the installation's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy import case as conditional
from sqlalchemy import select as select_columns
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, delete, or_, select, update

from config.object_store import ObjectStore, get_object, objects_of
from ledger.entries import JsonObject
from models.bulk import among, tables_of, update_rows
from models.columns import ERASED, open_elsewhere
from models.errors import Gone, IntegrityError, InvalidInput, NotFound, Unavailable
from models.identifiers import sha256_hex
from models.phrases import instant_words
from models.tables import UNCLAIMED, Artifact, ArtifactOutline, CaseKey, ObjectToGo

_ARTIFACTS_A_STATEMENT = 500

LARGEST_ARTIFACT = 64 * 2**20
"""How many bytes an artifact has at most: twice what the largest request brings, as it becomes longer in a mail."""

_AHEAD, _AHEAD_BYTES, _AT_ONCE = 64, 64 * 2**20, 8
"""How many artifacts are read ahead, in how many bytes, and how many objects are asked for at the same time."""

_OUTLINES = 16
"""How many outlines are kept ready to be packed against."""

_LEVEL, _LEVEL_AGAINST_AN_OUTLINE = 1, 3
"""How hard zlib tries: more takes longer and packs letters little better."""


class Outdated(Unavailable):
    """What a session began to read before, was erased or moved meanwhile: what it sees no longer holds."""


class Content(NamedTuple):
    """Some bytes and what they are (a media type of RFC 6838, such as ``message/rfc822``)."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class Packed:
    """Some bytes ready to be kept: their name, what they are, and themselves in little room."""

    sha256: str
    media_type: str
    size: int
    packed: bytes = field(repr=False)
    outline: bytes | None = field(default=None, repr=False)


def pack(content: Content, outline: bytes | None = None) -> Packed:
    """Make some bytes ready to be kept, by themselves or against an outline; it takes no transaction.

    Raises:
        InvalidInput: they are more than ``LARGEST_ARTIFACT``.
    """
    if len(content.content) > LARGEST_ARTIFACT:
        raise InvalidInput(
            f"This is larger than {LARGEST_ARTIFACT // 2**20} MiB, which is the most that evidence points to.",
            next_step="Give it in parts.",
        )
    work = _against(outline).copy() if outline else zlib.compressobj(_LEVEL)
    packed = work.compress(content.content) + work.flush()
    return Packed(sha256_hex(content.content), content.media_type, len(content.content), packed, outline)


@lru_cache(_OUTLINES)
def _against(outline: bytes) -> zlib._Compress:
    """What packs against an outline, to be copied: reading an outline takes as long as packing a letter against it."""
    return zlib.compressobj(_LEVEL_AGAINST_AN_OUTLINE, zdict=outline)


def store(
    session: Session,
    content: bytes,
    media_type: str,
    at: datetime,
    *,
    claimed: bool = True,
    case: UUID | None = None,
) -> str:
    """Keep some bytes and return their SHA-256 in hexadecimal; bytes that are kept already stay as they are.

    What is not ``claimed`` came with something that is not recorded yet, and may be let go of again. What is of a
    ``case`` is erased with it, unless something else names it too.

    Raises:
        InvalidInput: they are more than ``LARGEST_ARTIFACT``.
        Refused: the case was erased.
    """
    return store_many(session, [Content(content, media_type)], at, claimed=claimed, case=case)[0]


def store_many(
    session: Session,
    contents: Iterable[Content | Packed],
    at: datetime,
    *,
    claimed: bool = True,
    case: UUID | None = None,
) -> tuple[str, ...]:
    """Keep many artifacts and return their SHA-256, in the order given, holding a few hundred in memory at a time."""
    connection = session.connection()
    statement = _keeping(connection.dialect.name, claimed=claimed)
    hashes: list[str] = []
    remaining = iter(contents)
    while some := list(islice(remaining, _ARTIFACTS_A_STATEMENT)):
        ready = [item if isinstance(item, Packed) else pack(item) for item in some]
        outlines = _keep_outlines(session, ready, case)
        rows = [
            {
                "sha256": item.sha256,
                "media_type": item.media_type,
                "size": item.size,
                "case_id": case,
                "content": item.packed,
                "outline_sha256": outlines[item.outline] if item.outline else None,
                "stored_at": at,
                "claimed": claimed,
            }
            for item in ready
        ]
        connection.execute(statement, rows)
        names = [item.sha256 for item in ready]
        share(session, names, other_than=case)
        hashes += names
    return tuple(hashes)


@cache
def _keeping(dialect: str, *, claimed: bool) -> sqlite.Insert | postgresql.Insert:
    """The statement that keeps artifacts.

    Two writers may bring the same bytes at once: on conflict, the first stays, and is claimed if either claims it. What
    nothing claims yet waits anew, so that it is not dropped while an act that brings it again is recorded. What was
    erased is kept again, as it is brought.
    """
    statement = _insert(dialect)(Artifact)
    brought = statement.excluded

    def unless_erased(name: str) -> ColumnElement[Any]:
        return conditional((col(Artifact.erased_at).is_(None), col(getattr(Artifact, name))), else_=brought[name])

    columns = ("content", "outline_sha256", "object_sha256", "case_id")
    again = {name: unless_erased(name) for name in columns} | {"erased_at": None}
    if claimed:
        return statement.on_conflict_do_update(index_elements=["sha256"], set_={"claimed": True} | again)
    not_settled = or_(col(Artifact.claimed).is_(False), col(Artifact.erased_at).is_not(None))
    waiting = {"stored_at": brought["stored_at"]} | again
    return statement.on_conflict_do_update(index_elements=["sha256"], set_=waiting, where=not_settled)


def claim(session: Session, names: Collection[str], case: UUID) -> set[str]:
    """Mark artifacts as evidence of a case, so that nothing lets go of them any more; return those that there are.

    What came before it had a case, and nothing else points to, is sealed for it now.
    """
    there = session.exec(
        select(Artifact.sha256, Artifact.case_id, Artifact.claimed).where(col(Artifact.sha256).in_(names))
    ).all()
    _move(session, [sha256 for sha256, of, claimed in there if of is None and not claimed], case)
    session.execute(update(Artifact).where(col(Artifact.sha256).in_(names)).values(claimed=True))
    return {sha256 for sha256, _, _ in there}


def share(session: Session, names: Sequence[str], *, other_than: UUID | None = None) -> None:
    """Make those of some artifacts the installation's that are a case's, and another one's than it is.

    So nothing goes with one case that another, or what belongs to none, names too.
    """
    found = session.connection().execute(_OF_A_CASE, {"names": names}).all()
    _move(session, [sha256 for sha256, case in found if case != other_than], None)


def _move(session: Session, names: Sequence[str], case: UUID | None) -> None:
    """Seal artifacts under the key of another case, or under the installation's."""
    if names:
        rows = [
            {
                "sha256": sha256,
                "content": pack(Content(fetch(session, sha256), "")).packed,
                "outline_sha256": None,
                "object_sha256": None,
                "case_id": case,
            }
            for sha256 in names
        ]
        _let_go(session, col(Artifact.sha256).in_(names), datetime.now(UTC))
        update_rows(session, Artifact, rows)


def _keep_outlines(session: Session, items: Iterable[Packed], case: UUID | None) -> dict[bytes, str]:
    """Keep what some artifacts of a case, or of none, were packed against, each once; return the names."""
    of_case = case.bytes if case else b""
    names = {outline: sha256_hex(of_case + outline) for outline in {item.outline for item in items} if outline}
    if names:
        connection = session.connection()
        # Letters of many chunks are packed against the same, which is packed and sealed once.
        there = set(connection.execute(_OUTLINES_THERE, {"names": list(names.values())}).scalars())
        new = ((outline, name) for outline, name in names.items() if name not in there)
        rows = [{"sha256": name, "case_id": case, "content": zlib.compress(outline)} for outline, name in new]
        if rows:
            connection.execute(_insert(connection.dialect.name)(ArtifactOutline).on_conflict_do_nothing(), rows)
    return names


def _insert(dialect: str) -> Callable[[type[SQLModel]], sqlite.Insert | postgresql.Insert]:
    return sqlite.insert if dialect == "sqlite" else postgresql.insert


def drop_unclaimed(session: Session, before: datetime) -> None:
    """Drop what was stored before an instant and nothing recorded points to: its act never arrived."""
    session.execute(delete(Artifact).where(UNCLAIMED, col(Artifact.stored_at) < before))


def erase(session: Session, sha256: str, at: datetime) -> None:
    """Let the bytes with this SHA-256 go for good: their name, size and type stay, so that evidence still names them.

    The ledger has to say so in the same transaction (``ledger.entries.FileErased``), or verifying finds them missing.
    What was moved to the store of artifacts goes there first, so that nothing is said to be erased that is not. If the
    transaction fails after that, erasing it again heals that.

    Raises:
        Unavailable: the store does not answer, so that nothing was erased.
    """
    this = col(Artifact.sha256) == sha256
    for name in _let_go(session, this, at):
        _objects(session).delete(name)
    session.execute(update(Artifact).where(this).values(**_NOTHING, erased_at=at))


_IS_KEPT = col(Artifact.erased_at).is_(None) & (
    col(Artifact.content).is_not(None) | col(Artifact.object_sha256).is_not(None)
)
"""What an artifact is whose bytes are in the database, or should be in the store."""

_ARTIFACT, _OUTLINE = tables_of(Artifact, ArtifactOutline)
_OF_A_CASE = (
    select_columns(_ARTIFACT.c.sha256, _ARTIFACT.c.case_id)
    .where(among(_ARTIFACT.c.sha256, "names"), _ARTIFACT.c.case_id.is_not(None))
    .where(_IS_KEPT)
)
_OUTLINES_THERE = select_columns(_OUTLINE.c.sha256).where(among(_OUTLINE.c.sha256, "names"))

_NOTHING = {"content": None, "outline_sha256": None, "object_sha256": None}
"""What stays of an artifact's bytes once they were erased."""


def _let_go(session: Session, which: ColumnElement[bool], at: datetime) -> Sequence[str]:
    """Have the objects of some artifacts go with the next sweep, once this is committed; return their names."""
    query = select(Artifact.object_sha256).where(which, col(Artifact.object_sha256).is_not(None))
    names = [name for name in session.exec(query) if name]
    if names:
        rows = [{"sha256": name, "since": at} for name in names]
        connection = session.connection()
        connection.execute(_insert(connection.dialect.name)(ObjectToGo).on_conflict_do_nothing(), rows)
    return names


def erase_case(session: Session, case: UUID, at: datetime) -> tuple[str, ...]:
    """Destroy the key of a case, and let what is sealed under it go; return the SHA-256 of the artifacts among that.

    What other copies hold of it opens no more, and neither do its objects in the store of artifacts, which go with the
    next sweep. The ledger has to say so in the same transaction (``ledger.entries.CaseErased``).
    """
    of_case = (col(Artifact.case_id) == case) & _IS_KEPT
    names = tuple(session.exec(select(Artifact.sha256).where(of_case).order_by(col(Artifact.sha256))))
    _let_go(session, of_case, at)
    session.execute(update(Artifact).where(of_case).values(**_NOTHING, erased_at=at))
    session.execute(delete(ArtifactOutline).where(col(ArtifactOutline.case_id) == case))
    session.execute(update(CaseKey).where(col(CaseKey.case_id) == case).values(key=None, destroyed_at=at))
    return names


def store_list(session: Session, name: str, lines: Sequence[str], at: datetime) -> JsonObject:
    """Keep a list as an artifact, one line each, and return what evidence says of it: how many, and its SHA-256.

    So an entry stays short, however many agreements, duties or messages an act touches.
    """
    content = "".join(f"{line}\n" for line in lines).encode()
    return {name: len(lines), f"{name}_sha256": store(session, content, "text/plain", at)}


def media_type_of(session: Session, sha256: str) -> str:
    """What the bytes with this SHA-256 are, as it was found when they were stored.

    Raises:
        NotFound: they are not kept here.
    """
    found = session.exec(select(Artifact.media_type).where(col(Artifact.sha256) == sha256)).one_or_none()
    if found is None:
        raise NotFound("There is no artifact with this SHA-256.", where=sha256)
    return found


def is_kept(session: Session, sha256: str) -> bool:
    """Whether the bytes with this SHA-256 are kept here, and were not erased."""
    there = select(Artifact.sha256).where(col(Artifact.sha256) == sha256, col(Artifact.erased_at).is_(None))
    return session.exec(there).first() is not None


def fetch(session: Session, sha256: str) -> bytes:
    """Return the bytes with this SHA-256.

    Raises:
        NotFound: they are not kept here.
        Gone: they were erased.
        IntegrityError: what is kept under this name is not what was stored, or is missing in the store of artifacts.
        Unavailable: they are in that store, and it does not answer, or no setting names it.
        Outdated: they went from there after this session began to read.
    """
    return _fetch(session, sha256, lambda name: _from_store(session, sha256, name))


def reading_ahead(session: Session, names: Iterable[str]) -> Generator[tuple[str, Callable[[], bytes]], None, None]:
    """Give each name with what fetches its bytes, which raises as ``fetch`` does.

    Of a few dozen at a time, those in the store of artifacts are asked for together: one answer takes a server as long
    as many. In memory are those alone, and at most ``_AHEAD_BYTES`` of them besides the last.
    """
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="artifacts")
    try:
        remaining = iter(names)
        while some := list(islice(remaining, _AHEAD)):
            for few in _within(_AHEAD_BYTES, some, _moved(session, some)):
                asked = {sha256: pool.submit(_from_store, session, sha256, name) for sha256, name in few if name}
                for sha256, _ in few:
                    given = asked.get(sha256)
                    yield (
                        sha256,
                        partial(_fetch, session, sha256, _answer_of(given))
                        if given
                        else partial(fetch, session, sha256),
                    )
    finally:
        pool.shutdown(cancel_futures=True)


def _answer_of(given: Future[bytes]) -> Callable[[str], bytes]:
    return lambda _: given.result()


def _moved(session: Session, names: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Of some artifacts those that are in the store: the object's name, and how many bytes it has at most."""
    rows = session.execute(
        select_columns(col(Artifact.sha256), col(Artifact.object_sha256), col(Artifact.size)).where(
            col(Artifact.sha256).in_(names),
            col(Artifact.object_sha256).is_not(None),
            col(Artifact.content).is_(None),
            col(Artifact.erased_at).is_(None),
        )
    )
    return {sha256: (name, size) for sha256, name, size in rows}


def _within(
    most: int, names: Sequence[str], moved: Mapping[str, tuple[str, int]]
) -> Iterator[list[tuple[str, str | None]]]:
    """Names in their order, each with its object's, if it has one; a few at a time, of so many bytes together."""
    few, size = list[tuple[str, str | None]](), 0
    for sha256 in names:
        name, longer = moved.get(sha256, (None, 0))
        if few and size + longer > most:
            yield few
            few, size = [], 0
        few.append((sha256, name))
        size += longer
    yield few


def _fetch(session: Session, sha256: str, from_store: Callable[[str], bytes]) -> bytes:
    columns = (Artifact.content, ArtifactOutline.content, Artifact.erased_at, Artifact.object_sha256, Artifact.case_id)
    kept = session.execute(
        select_columns(*map(col, columns))
        .outerjoin(ArtifactOutline, col(ArtifactOutline.sha256) == col(Artifact.outline_sha256))
        .where(col(Artifact.sha256) == sha256)
    ).one_or_none()
    if kept is None:
        raise NotFound("There is no artifact with this SHA-256.", where=sha256)
    packed, outline, erased_at, moved, case = kept
    if packed is None and moved and not erased_at:
        key = session.exec(select(CaseKey.key).where(col(CaseKey.case_id) == case)).first() if case else None
        packed = open_elsewhere(col(Artifact.content), sha256, from_store(moved), key)
    if packed is None or erased_at:
        when = f" on {instant_words(erased_at)}" if erased_at else ""
        raise Gone(f"The artifact with this SHA-256 was erased{when}.", where=sha256)
    content = _unpacked(packed, outline)
    if sha256_hex(content) != sha256:
        raise IntegrityError(
            "The artifact is not what was stored under this SHA-256.",
            where=sha256,
            next_step="Restore it from a backup, and find out who could write there.",
        )
    return content


def _from_store(session: Session, sha256: str, name: str) -> bytes:
    """The sealed bytes of an artifact's object, which have the SHA-256 by which the object is named."""
    objects = _objects(session)
    try:
        return get_object(objects, name)
    except NotFound:
        if not _is_still_there(session, sha256, name):
            raise Outdated(
                "The artifact was erased, or moved, while this was read.", where=sha256, next_step="Try again."
            ) from None
        raise IntegrityError(
            "What was moved to the store of artifacts is no longer there.",
            where=f"object {name}, {objects.called}",
            next_step="Restore it from a backup, and find out who could remove it.",
        ) from None


def _is_still_there(session: Session, sha256: str, name: str) -> bool:
    """Whether an artifact should be in the store at this moment, which a session that began before cannot see."""
    with Session(session.get_bind()) as now:
        return _moved(now, [sha256]).get(sha256, ("", 0))[0] == name


def _objects(session: Session) -> ObjectStore:
    objects = objects_of(session)
    if objects is None:
        raise Unavailable(
            "Some artifacts were moved to a store, and no setting names it.",
            where="DUENOTICE_ARTIFACTS",
            next_step="Name the folder or the bucket again; `duenotice evidence move-artifacts --back` brings all of "
            "them into the database.",
        )
    return objects


def text_of(session: Session, sha256: str) -> str:
    """Return the text with this SHA-256, for people to read: ``ERASED`` where it was erased.

    Raises:
        NotFound, IntegrityError: as ``fetch`` does.
    """
    try:
        return fetch(session, sha256).decode()
    except Gone:
        return ERASED


def _unpacked(packed: bytes, outline: bytes | None) -> bytes:
    work = zlib.decompressobj(zdict=zlib.decompress(outline)) if outline else zlib.decompressobj()
    content = work.decompress(packed) + work.flush()
    if not work.eof:
        raise zlib.error("it ends too early")
    return content
