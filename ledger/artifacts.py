"""The bytes that evidence points to: stored sealed, named by the SHA-256 (FIPS 180-4) of their plain content.

They are packed by zlib (RFC 1950) first. Many letters that say nearly the same are packed against what they have in
common, which is kept once beside them: of each, only what is its own takes room.

What only one case names is sealed under the key of that case, so that it can be erased with it. What a second case
names too, or what belongs to none, is the installation's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam
from sqlalchemy import case as conditional
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, delete, or_, select, update

from ledger.entries import JsonObject
from models.columns import ERASED
from models.errors import Gone, IntegrityError, InvalidInput, NotFound
from models.identifiers import sha256_hex
from models.phrases import instant_words
from models.tables import UNCLAIMED, Artifact, ArtifactOutline, CaseKey

_ARTIFACTS_A_STATEMENT = 500

LARGEST_ARTIFACT = 64 * 2**20
"""How many bytes an artifact has at most: twice what the largest request brings, as it becomes longer in a mail."""

_LEVEL, _LEVEL_AGAINST_AN_OUTLINE = 1, 3
"""How hard zlib tries: more takes longer and packs letters little better."""


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
    against = _LEVEL_AGAINST_AN_OUTLINE
    work = zlib.compressobj(against, zdict=outline) if outline else zlib.compressobj(_LEVEL)
    packed = work.compress(content.content) + work.flush()
    return Packed(sha256_hex(content.content), content.media_type, len(content.content), packed, outline)


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
    # Two writers may bring the same bytes at once: on conflict, the first stays, and is claimed if either claims it.
    # What nothing claims yet waits anew, so that it is not dropped while an act that brings it again is recorded. What
    # was erased is kept again, as it is brought.
    statement = _insert(session)(Artifact)
    again = {
        name: conditional((col(Artifact.content).is_(None), statement.excluded[name]), else_=getattr(Artifact, name))
        for name in ("content", "outline_sha256", "case_id")
    } | {"erased_at": None}
    not_settled = or_(col(Artifact.claimed).is_(False), col(Artifact.erased_at).is_not(None))
    statement = (
        statement.on_conflict_do_update(index_elements=["sha256"], set_={"claimed": True} | again)
        if claimed
        else statement.on_conflict_do_update(
            index_elements=["sha256"], set_={"stored_at": at} | again, where=not_settled
        )
    )
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
        session.connection().execute(statement, rows)
        names = [item.sha256 for item in ready]
        share(session, names, other_than=case)
        hashes += names
    return tuple(hashes)


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
    found = session.exec(
        select(Artifact.sha256, Artifact.case_id)
        .where(col(Artifact.sha256).in_(names), col(Artifact.case_id).is_not(None))
        .where(col(Artifact.content).is_not(None))
    ).all()
    _move(session, [sha256 for sha256, case in found if case != other_than], None)


def _move(session: Session, names: Sequence[str], case: UUID | None) -> None:
    """Seal artifacts under the key of another case, or under the installation's."""
    if names:
        rows = [
            {
                "artifact_sha256": sha256,
                "content": pack(Content(fetch(session, sha256), "")).packed,
                "outline_sha256": None,
                "case_id": case,
            }
            for sha256 in names
        ]
        moved = update(Artifact).where(col(Artifact.sha256) == bindparam("artifact_sha256"))
        session.connection().execute(moved, rows)


def _keep_outlines(session: Session, items: Iterable[Packed], case: UUID | None) -> dict[bytes, str]:
    """Keep what some artifacts of a case, or of none, were packed against, each once; return the names."""
    of_case = case.bytes if case else b""
    names = {outline: sha256_hex(of_case + outline) for outline in {item.outline for item in items} if outline}
    if names:
        rows = [{"sha256": name, "case_id": case, "content": zlib.compress(outline)} for outline, name in names.items()]
        session.connection().execute(_insert(session)(ArtifactOutline).on_conflict_do_nothing(), rows)
    return names


def _insert(session: Session) -> Callable[[type[SQLModel]], sqlite.Insert | postgresql.Insert]:
    return sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert


def drop_unclaimed(session: Session, before: datetime) -> None:
    """Drop what was stored before an instant and nothing recorded points to: its act never arrived."""
    session.execute(delete(Artifact).where(UNCLAIMED, col(Artifact.stored_at) < before))


def erase(session: Session, sha256: str, at: datetime) -> None:
    """Let the bytes with this SHA-256 go for good: their name, size and type stay, so that evidence still names them.

    The ledger has to say so in the same transaction (``ledger.entries.FileErased``), or verifying finds them missing.
    """
    session.execute(
        update(Artifact).where(col(Artifact.sha256) == sha256).values(content=None, outline_sha256=None, erased_at=at)
    )


def erase_case(session: Session, case: UUID, at: datetime) -> tuple[str, ...]:
    """Destroy the key of a case, and let what is sealed under it go; return the SHA-256 of the artifacts among that.

    What other copies hold of it opens no more. The ledger has to say so in the same transaction
    (``ledger.entries.CaseErased``).
    """
    of_case = (col(Artifact.case_id) == case, col(Artifact.content).is_not(None))
    names = tuple(session.exec(select(Artifact.sha256).where(*of_case).order_by(col(Artifact.sha256))))
    session.execute(update(Artifact).where(*of_case).values(content=None, outline_sha256=None, erased_at=at))
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
        IntegrityError: what is kept under this name is not what was stored.
    """
    kept = session.exec(
        select(Artifact.content, ArtifactOutline.content, Artifact.erased_at)
        .outerjoin(ArtifactOutline, col(ArtifactOutline.sha256) == col(Artifact.outline_sha256))
        .where(col(Artifact.sha256) == sha256)
    ).one_or_none()
    if kept is None:
        raise NotFound("There is no artifact with this SHA-256.", where=sha256)
    packed, outline, erased_at = kept
    if packed is None:
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
