"""The one way into the ledger: entries are numbered, chained and written here, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, overload
from uuid import UUID

from sqlalchemy import Connection, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from config.personal_data import holds_address
from ledger.artifacts import share
from ledger.chain import (
    LONGEST_ENTRY,
    Envelope,
    Unchained,
    canonical,
    key_digest,
    new_salts,
    plainly_written,
    written_chained,
    written_instant,
    written_texts,
    written_unchained,
)
from ledger.entries import Event
from models.bulk import among, insert_rows, tables_of
from models.errors import ConfigurationError, IntegrityError, InvalidInput, Refused
from models.grouping import KEYS_A_QUERY, parts
from models.identifiers import sha256_hex
from models.tables import Artifact, EvidenceEntry, LedgerHead
from models.written_json import Written

_HEAD = 1
"""The id of the ledger's only head row."""

_ENTRY, _LEDGER_HEAD, _ARTIFACT = tables_of(EvidenceEntry, LedgerHead, Artifact)

_OF_HEAD = _LEDGER_HEAD.c.id == _HEAD
_LOCKED = select_columns(_LEDGER_HEAD.c.length, _LEDGER_HEAD.c.hash).where(_OF_HEAD).with_for_update()
_MOVED = update(_LEDGER_HEAD).where(_OF_HEAD)
_THERE = select_columns(_ENTRY.c.number).where(among(_ENTRY.c.key_digest, "digests"))
_POINTED_TO = select_columns(_ARTIFACT.c.sha256, _ARTIFACT.c.case_id).where(among(_ARTIFACT.c.sha256, "names"))


def append(session: Session, *events: Event) -> Sequence[EvidenceEntry]:
    """Add an entry for each event in the session's transaction; return them as stored, in the order given.

    An event whose key is there already is not added again; the stored entry is returned in its place. Writers wait for
    each other at the head row, so the chain has no forks and no gaps. What an event points to has to be stored before.

    Args:
        session: a session of ``Database.writing()``.
        events: any number; many at once are much cheaper than one at a time.

    Raises:
        InvalidInput: an event holds an e-mail address, has an instant without a zone, or its body is not JSON; or its
            entry would be too long.
        Refused: an event's key was used for something else.
        IntegrityError: an event points to an artifact that was never stored.
        ConfigurationError: the database was never migrated.
    """
    unchained = [_fit(event) for event in events]
    session.flush()  # before others are held off
    connection = session.connection()
    length, last_hash = _lock_head(connection)
    stored = _stored(session, [entry.key_digest for entry in unchained])
    new: dict[str, _Unchained] = {}
    for entry in unchained:
        if there := stored.get(entry.key) or new.get(entry.key):
            _refuse_other(entry, there)
        else:
            new[entry.key] = entry
    rows = _chain(new.values(), length, last_hash)
    if rows:
        _require_artifacts(session, new.values())
        insert_rows(session, EvidenceEntry, rows)
        connection.execute(_MOVED, {"length": length + len(rows), "hash": rows[-1]["hash"]})
    return Appended([entry.key for entry in unchained], stored, rows)


class Appended(Sequence[EvidenceEntry]):
    """Entries as they are stored, in the order in which they were given; each is made once somebody looks at it.

    Few do, and to make one takes as long as to append it.
    """

    def __init__(self, keys: Sequence[str], stored: dict[str, EvidenceEntry], rows: Sequence[_Row]) -> None:
        self._keys, self._stored = keys, stored
        self._rows = {row["key"]: row for row in rows}

    def __len__(self) -> int:
        """How many were given."""
        return len(self._keys)

    @overload
    def __getitem__(self, place: int) -> EvidenceEntry: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[EvidenceEntry]: ...

    def __getitem__(self, place: int | slice) -> EvidenceEntry | Sequence[EvidenceEntry]:
        """The entry, or entries, at a place."""
        if isinstance(place, slice):
            return [self._entry(key) for key in self._keys[place]]
        return self._entry(self._keys[place])

    def _entry(self, key: str) -> EvidenceEntry:
        if key not in self._stored:
            row = self._rows[key]
            read = {"body": json.loads(row["body"]), "artifacts": json.loads(row["artifacts"])}
            self._stored[key] = EvidenceEntry(**{**row, **read})
        return self._stored[key]


def ledger_length(session: Session) -> int:
    """How many entries the ledger has; 0 where it was never begun."""
    return session.exec(select(LedgerHead.length)).one_or_none() or 0


def is_recorded(session: Session, event: Event) -> bool:
    """Whether this happening is an entry already, so that what comes again and again need not wait for nothing."""
    there = select(EvidenceEntry.number).where(EvidenceEntry.key_digest == key_digest(event.key))
    return session.exec(there).first() is not None


class _Unchained(NamedTuple):
    """An event as its entry will hold it, and written so far, before it is chained."""

    kind: str
    case_id: UUID | None
    subject: str | None
    actor: str
    at: datetime
    artifacts: tuple[str, ...]
    artifacts_written: Written
    body_written: Written
    key: str
    key_digest: bytes
    written: Unchained


class _Row(Envelope):
    """One row of the evidence table; what is JSON in it is written."""

    body: Written
    artifacts: Written
    key_digest: bytes
    hash: str


def _lock_head(connection: Connection) -> tuple[int, str]:
    """Hold off other writers until this transaction ends; SQLite's writing sessions do so from their beginning."""
    head = connection.execute(_LOCKED).one_or_none()
    if head is None:
        raise ConfigurationError(
            "The ledger was never begun.", where="ledger_head", next_step="Migrate the database: `duenotice up` does."
        )
    return head.length, head.hash


def _stored(session: Session, digests: Sequence[bytes]) -> dict[str, EvidenceEntry]:
    """The entries that have some keys already; mostly there is none."""
    connection, found = session.connection(), dict[str, EvidenceEntry]()
    for some in parts(digests, KEYS_A_QUERY):
        if there := connection.execute(_THERE, {"digests": some}).scalars().all():
            entries = session.exec(select(EvidenceEntry).where(col(EvidenceEntry.number).in_(there)))
            found |= {entry.key: entry for entry in entries}
    return found


def _require_artifacts(session: Session, entries: Collection[_Unchained]) -> None:
    """Refuse an entry that would point to nothing: nobody could tell it from one whose artifact was taken away.

    What an entry of another case points to, or one of none, goes with no case any more.
    """
    named = {(sha256, entry.case_id) for entry in entries for sha256 in entry.artifacts}
    names, kept = list({sha256 for sha256, _ in named}), dict[str, UUID | None]()
    for some in parts(names, KEYS_A_QUERY):
        for sha256, case in session.connection().execute(_POINTED_TO, {"names": some}):
            kept[sha256] = case
    if missing := set(names) - kept.keys():
        sha256 = min(missing)
        kind = next(entry.kind for entry in entries if sha256 in entry.artifacts)
        raise IntegrityError(
            "An entry would point to an artifact that was never stored.",
            where=f"evidence {kind}, artifact {sha256}",
            next_step="Nothing was recorded. Store what evidence points to before its entry.",
        )
    if shared := {sha256 for sha256, case in named if kept[sha256] and kept[sha256] != case}:
        share(session, sorted(shared))


def _chain(entries: Collection[_Unchained], length: int, last_hash: str) -> list[_Row]:
    """Chain entries behind those that are there; what is written here is all that is left to write."""
    now = datetime.now(UTC)
    recorded_at, previous_hash = written_instant(now), last_hash
    rows: list[_Row] = []
    for number, (entry, salt) in enumerate(zip(entries, new_salts(len(entries)), strict=True), start=length + 1):
        try:
            written = written_chained(entry.written, number, previous_hash, recorded_at, salt)
        except ValueError as error:
            raise _not_json(entry.kind, error) from None
        if len(written) > LONGEST_ENTRY:
            raise InvalidInput(
                f"The entry would have {len(written):,} bytes, and {LONGEST_ENTRY:,} are the most.",
                where=f"evidence {entry.kind}",
                next_step="Put what is long into an artifact.",
            )
        row: _Row = {
            "number": number,
            "previous_hash": previous_hash,
            "at": entry.at,
            "case_id": entry.case_id,
            "kind": entry.kind,
            "subject": entry.subject,
            "actor": entry.actor,
            "body": entry.body_written,
            "artifacts": entry.artifacts_written,
            "key": entry.key,
            "key_digest": entry.key_digest,
            "recorded_at": now,
            "salt": salt,
            "hash": sha256_hex(written),
        }
        rows.append(row)
        previous_hash = row["hash"]
    return rows


def _refuse_other(entry: _Unchained, there: EvidenceEntry | _Unchained) -> None:
    """Let a retry pass, and nothing else: evidence that is quietly dropped is worse than an error."""
    if (entry.kind, entry.case_id, entry.subject) == (there.kind, there.case_id, there.subject):
        return
    which = f"Entry {there.number} of the ledger" if isinstance(there, EvidenceEntry) else "Another one of these events"
    raise Refused(
        f"{which} already has this key, for something else.",
        where=f"{entry.kind} {entry.key}",
        next_step="Give each happening a key of its own.",
    )


def _fit(event: Event) -> _Unchained:
    """The event as its entry will hold it, if the ledger may take it."""
    kind, subject, key, artifacts = event.stored_kind, event.subject, event.key, event.artifacts
    if event.at.tzinfo is None:
        raise InvalidInput("The ledger takes no instant without a zone.", where=f"evidence {kind}")
    try:
        body, pointed_to, digest = event.body, written_texts(artifacts), key_digest(key)
        plain = plainly_written(body)
        written = written_unchained(
            actor=event.actor,
            artifacts=pointed_to,
            at=event.at,
            body=canonical(body) if plain is None else plain,
            case_id=event.case_id,
            key=key,
            kind=kind,
            subject=subject,
        )
    except ValueError as error:
        raise _not_json(kind, error) from None
    if any(map(holds_address, written)) and any(map(holds_address, _texts([event.actor, subject, key, body]))):
        raise InvalidInput(
            "The ledger takes no e-mail address.",
            where=f"evidence {kind}",
            next_step="Name people by their ids, and put personal data into an artifact.",
        )
    return _Unchained(
        kind=kind,
        case_id=event.case_id,
        subject=subject,
        actor=event.actor,
        at=event.at,
        artifacts=artifacts,
        artifacts_written=Written(pointed_to),
        body_written=Written(json.dumps(body) if plain is None else plain),
        key=key,
        key_digest=digest,
        written=written,
    )


def _not_json(kind: str, error: ValueError) -> InvalidInput:
    return InvalidInput(f"The particulars are not JSON that can be hashed: {error}.", where=f"evidence {kind}")


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
