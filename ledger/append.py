"""The one way into the ledger: entries are numbered, chained and written here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from config.personal_data import holds_address
from ledger.chain import Body, Fields, entry_hash
from ledger.kinds import EvidenceKind
from models.errors import ConfigurationError, InvalidInput, Refused
from models.tables import EvidenceEntry, LedgerHead

_HEAD = 1
"""The id of the ledger's only head row."""

_KEYS_A_QUERY = 5_000
"""Below the number of parameters that SQLite (32,766) and PostgreSQL (65,535) take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened, before it has a number.

    Attributes:
        kind: what the entry attests.
        actor: who did it, by role or id (``system``, ``officer``), never by e-mail address.
        at: when it happened; an instant with a zone.
        key: names the happening, so that a retry adds nothing (``delivery_settled:<delivery id>:1``).
        case_id: the case it belongs to, or None.
        subject: the id of the thing it is about (a duty, a notice, a delivery), or None.
        body: the particulars as a JSON object, free of personal data: that goes into artifacts.
        artifacts: SHA-256 of each artifact that it points to, in hexadecimal.
    """

    kind: EvidenceKind
    actor: str
    at: datetime
    key: str
    case_id: UUID | None = None
    subject: str | None = None
    body: Body = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()


def append(session: Session, *entries: Entry) -> tuple[EvidenceEntry, ...]:
    """Add entries to the ledger in the session's transaction; return them as stored, in the order given.

    An entry whose key is there already is not added again; the stored one is returned in its place. Writers wait for
    each other at the head row, so the chain has no forks and no gaps.

    Args:
        session: a session of ``Database.writing()``.
        entries: any number; many at once are much cheaper than one at a time.

    Raises:
        InvalidInput: an entry holds an e-mail address, has an instant without a zone, or its body is not JSON.
        Refused: an entry's key was used for something else.
        ConfigurationError: the database was never migrated.
    """
    for entry in entries:
        _refuse_unfit(entry)
    length, last_hash = _lock_head(session)
    stored = _stored(session, [entry.key for entry in entries])
    rows: list[_Row] = []
    for entry in entries:
        if entry.key in stored:
            _refuse_other(entry, stored[entry.key])
            continue
        row = _chained(entry, length + len(rows) + 1, rows[-1]["hash"] if rows else last_hash)
        rows.append(row)
        stored[entry.key] = EvidenceEntry(**row)
    if rows:
        session.execute(insert(EvidenceEntry), rows)
        head = {"length": length + len(rows), "hash": rows[-1]["hash"]}
        session.execute(update(LedgerHead).where(col(LedgerHead.id) == _HEAD).values(head))
    return tuple(stored[entry.key] for entry in entries)


class _Row(Fields):
    """One row of the evidence table."""

    hash: str


def _lock_head(session: Session) -> tuple[int, str]:
    """Hold off other writers until this transaction ends; SQLite's writing sessions do so from their beginning."""
    head = session.execute(
        select(LedgerHead.length, LedgerHead.hash).where(LedgerHead.id == _HEAD).with_for_update()
    ).one_or_none()
    if head is None:
        raise ConfigurationError(
            "The ledger was never begun.", where="ledger_head", next_step="Migrate the database: `duenotice up` does."
        )
    return head.length, head.hash


def _stored(session: Session, keys: Sequence[str]) -> dict[str, EvidenceEntry]:
    found: dict[str, EvidenceEntry] = {}
    for first in range(0, len(keys), _KEYS_A_QUERY):
        some = keys[first : first + _KEYS_A_QUERY]
        for entry in session.exec(select(EvidenceEntry).where(col(EvidenceEntry.key).in_(some))):
            found[entry.key] = entry
    return found


def _chained(entry: Entry, number: int, previous_hash: str) -> _Row:
    fields: Fields = {
        "number": number,
        "previous_hash": previous_hash,
        "at": entry.at,
        "case_id": entry.case_id,
        "kind": entry.kind.value,
        "subject": entry.subject,
        "actor": entry.actor,
        "body": dict(entry.body),
        "artifacts": list(entry.artifacts),
        "key": entry.key,
    }
    try:
        return {**fields, "hash": entry_hash(fields)}
    except ValueError as error:
        raise InvalidInput(
            f"The particulars are not JSON that can be hashed: {error}.", where=f"evidence {entry.kind}"
        ) from None


def _refuse_other(entry: Entry, stored: EvidenceEntry) -> None:
    """Let a retry pass, and nothing else: evidence that is quietly dropped is worse than an error."""
    if (entry.kind, entry.case_id, entry.subject) != (stored.kind, stored.case_id, stored.subject):
        raise Refused(
            f"Entry {stored.number} of the ledger already has this key, for something else.",
            where=f"{entry.kind} {entry.key}",
            next_step="Give each happening a key of its own.",
        )


def _refuse_unfit(entry: Entry) -> None:
    if entry.at.tzinfo is None:
        raise InvalidInput("The ledger takes no instant without a zone.", where=f"evidence {entry.kind}")
    if any(holds_address(text) for text in _texts([entry.actor, entry.subject, entry.key, entry.body])):
        raise InvalidInput(
            "The ledger takes no e-mail address.",
            where=f"evidence {entry.kind}",
            next_step="Name people by their ids, and put personal data into an artifact.",
        )


def _texts(value: object) -> Iterator[str]:
    """Give every text inside some JSON, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _texts(name)
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)
