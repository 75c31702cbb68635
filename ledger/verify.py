"""Checking the ledger: that every entry is what it was when written, in its place, and none is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, select

from ledger.chain import GENESIS, Fields, entry_hash
from models.tables import EvidenceEntry, LedgerHead

_ENTRIES_A_FETCH = 1_000


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first place where the ledger is not what it was: the number that should stand there, and what is wrong."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found.

    Attributes:
        length: how many entries, from the first on, are sound.
        head: the hash of the last sound entry (``GENESIS`` if there is none).
        flaw: the first flaw, or None if everything given is sound.
    """

    length: int
    head: str
    flaw: Flaw | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.flaw is None


def verify(entries: Iterable[EvidenceEntry]) -> Verification:
    """Check a chain from its first entry on, holding one entry at a time; stop at the first flaw."""
    length, head = 0, GENESIS
    try:
        for entry in entries:
            reason = _reason(entry, length + 1, head)
            if reason:
                return Verification(length, head, Flaw(length + 1, reason))
            length, head = entry.number, entry.hash
    except (ValueError, TypeError) as error:  # the row no longer holds what its columns can hold
        return Verification(length, head, Flaw(length + 1, f"An entry cannot be read ({type(error).__name__})."))
    return Verification(length, head)


def verify_ledger(session: Session) -> Verification:
    """Check the whole ledger of a database against its head, so that entries cut off at the end are noticed too.

    Args:
        session: a session of ``Database.reading()``, which sees one moment of it.
    """
    found = verify(stream(session))
    head = session.exec(select(LedgerHead)).one_or_none()
    if not found.sound:
        return found
    if head is None or (head.length, head.hash) != (found.length, found.head):
        claimed = "is missing" if head is None else f"says that there are {head.length} entries"
        reason = f"The ledger's head {claimed}, and does not agree with the {found.length} that are there."
        return Verification(found.length, found.head, Flaw(found.length + 1, reason))
    return found


def stream(session: Session, *, after: int = 0) -> Iterator[EvidenceEntry]:
    """Give the entries that follow number ``after``, in order, a thousand in memory at a time."""
    query = select(EvidenceEntry).where(col(EvidenceEntry.number) > after).order_by(col(EvidenceEntry.number))
    for entry in session.exec(query.execution_options(yield_per=_ENTRIES_A_FETCH)):
        yield entry
        session.expunge(entry)


def fields_of(entry: EvidenceEntry) -> Fields:
    """Return what the hash of a stored entry covers."""
    return {
        "number": entry.number,
        "previous_hash": entry.previous_hash,
        "at": entry.at,
        "case_id": entry.case_id,
        "kind": entry.kind,
        "subject": entry.subject,
        "actor": entry.actor,
        "body": entry.body,
        "artifacts": entry.artifacts,
        "key": entry.key,
    }


def _reason(entry: EvidenceEntry, number: int, previous_hash: str) -> str | None:
    """Say why this is not the sound entry that should follow, or None if it is."""
    if entry.number != number:
        return f"Entry {number} is missing; entry {entry.number} stands in its place."
    if entry.previous_hash != previous_hash:
        return "The entry does not continue from the one before it."
    computed = entry_hash(fields_of(entry))
    return None if computed == entry.hash else "The entry's hash is not that of what it holds: it was changed."
