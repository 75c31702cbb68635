"""The bytes that evidence points to: stored sealed, named by the SHA-256 (FIPS 180-4) of their plain content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlmodel import Session, col, delete, func, or_, select, update

from ledger.entries import JsonObject
from models.errors import Gone, IntegrityError, NotFound
from models.identifiers import sha256_hex
from models.phrases import instant_words
from models.tables import UNCLAIMED, Artifact

_ARTIFACTS_A_STATEMENT = 500


class Content(NamedTuple):
    """Some bytes and what they are (a media type of RFC 6838, such as ``message/rfc822``)."""

    content: bytes
    media_type: str


def store(session: Session, content: bytes, media_type: str, at: datetime, *, claimed: bool = True) -> str:
    """Keep some bytes and return their SHA-256 in hexadecimal; bytes that are kept already stay as they are.

    What is not ``claimed`` came with something that is not recorded yet, and may be let go of again.
    """
    return store_many(session, [Content(content, media_type)], at, claimed=claimed)[0]


def store_many(session: Session, contents: Iterable[Content], at: datetime, *, claimed: bool = True) -> tuple[str, ...]:
    """Keep many artifacts and return their SHA-256, in the order given, holding a few hundred in memory at a time."""
    # Two writers may bring the same bytes at once: on conflict, the first stays, and is claimed if either claims it.
    # What nothing claims yet waits anew, so that it is not dropped while an act that brings it again is recorded. What
    # was erased is kept again.
    insert = insert_sqlite if session.get_bind().dialect.name == "sqlite" else insert_postgresql
    statement = insert(Artifact)
    again = {"content": func.coalesce(col(Artifact.content), statement.excluded.content), "erased_at": None}
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
        rows = [
            {
                "sha256": sha256_hex(content),
                "media_type": media_type,
                "size": len(content),
                "content": content,
                "stored_at": at,
                "claimed": claimed,
            }
            for content, media_type in some
        ]
        session.connection().execute(statement, rows)
        hashes += [str(row["sha256"]) for row in rows]
    return tuple(hashes)


def drop_unclaimed(session: Session, before: datetime) -> None:
    """Drop what was stored before an instant and nothing recorded points to: its act never arrived."""
    session.execute(delete(Artifact).where(UNCLAIMED, col(Artifact.stored_at) < before))


def erase(session: Session, sha256: str, at: datetime) -> None:
    """Let the bytes with this SHA-256 go for good: their name, size and type stay, so that evidence still names them.

    The ledger has to say so in the same transaction (``ledger.entries.FileErased``), or verifying finds them missing.
    """
    session.execute(update(Artifact).where(col(Artifact.sha256) == sha256).values(content=None, erased_at=at))


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
        select(Artifact.content, Artifact.erased_at).where(col(Artifact.sha256) == sha256)
    ).one_or_none()
    if kept is None:
        raise NotFound("There is no artifact with this SHA-256.", where=sha256)
    content, erased_at = kept
    if content is None:
        when = f" on {instant_words(erased_at)}" if erased_at else ""
        raise Gone(f"The artifact with this SHA-256 was erased{when}.", where=sha256)
    if sha256_hex(content) != sha256:
        raise IntegrityError(
            "The artifact is not what was stored under this SHA-256.",
            where=sha256,
            next_step="Restore it from a backup, and find out who could write there.",
        )
    return content
