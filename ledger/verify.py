"""Checking the ledger, in seven numbered steps; the first thing that is wrong ends the check, named by its step.

1. **Order**: entries are numbered from 1, and none is missing.
2. **Chain**: each entry's ``previous_hash`` is the hash of the entry before it; the first one's is ``GENESIS``.
3. **Content**: each entry's ``hash`` is that of what it holds, as ``ledger/chain.py`` describes it, and it is found by
   its key.
4. **Head**: the head row says how many entries there are, and the hash of the last one.
5. **Artifacts**: every artifact that an entry points to is kept, opens, and has the SHA-256 by which it is named; or
   the last entry that points to it, or that lists it, says that it was erased.
6. **Signed heads**: each head that was signed, and each that somebody kept elsewhere, is of the entries there are.
7. **Tables**: what the tables of duties, notices, deliveries, addresses and so on hold is what entries say of it
   (``ledger/held``).

What this cannot show: somebody with full rights over the database could remove the newest entries and set the head row
back, or write every entry anew from some entry on, and the signed heads that are kept here with them. What is left is a
sound ledger, only a shorter or another one. Both show against a head that somebody kept elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from itertools import tee
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import select as rows_of
from sqlmodel import Session, SQLModel, col, func, select

from ledger.artifacts import Outdated, fetch, is_kept, reading_ahead
from ledger.chain import GENESIS, Fields, entry_bytes, key_digest
from ledger.entries import CaseErased, FileErased
from ledger.held.comparing import Comparison, Holding
from ledger.held.scratch import Facts, Scratch
from ledger.tree import RunningRoot
from ledger.verify_bundle import leaf_hash
from ledger.watching import Watch, unwatched
from models.errors import ConfigurationError, DuenoticeError, Gone, IntegrityError, NotFound, Unavailable
from models.identifiers import sha256_hex
from models.tables import EvidenceEntry, LedgerCheckpoint, LedgerHead

_ENTRIES_A_FETCH = 1_000

_UNREADABLE = (ValueError, TypeError, AttributeError)
"""What is raised where a row no longer holds what its columns can hold."""

_NAMED = "artifact"
"""The sort of facts that say which entries point to an artifact."""


class Step(IntEnum):
    """The steps of the check, by their numbers."""

    ORDER = 1
    CHAIN = 2
    CONTENT = 3
    HEAD = 4
    ARTIFACTS = 5
    SIGNED_HEADS = 6
    TABLES = 7


@dataclass(frozen=True, slots=True)
class Flaw:
    """The first place where the ledger is not what it was.

    Attributes:
        step: the step that found it.
        number: the number of the entry that is not what it was, or that is missing; 0 where a table holds what no entry
            says.
        reason: what is wrong, in a sentence.
        artifact: the SHA-256 of the artifact that is not what it was, if that is what is wrong.
    """

    step: Step
    number: int
    reason: str
    artifact: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """An artifact that was erased: the entry that says so, when, and by whom; ``case`` is that with which it went."""

    artifact: str
    number: int
    at: datetime
    by: str
    case: UUID | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check found.

    Attributes:
        length: how many entries, from the first on, are sound.
        head: the hash of the last sound entry (``GENESIS`` if there is none).
        flaw: the first flaw, or None if everything given is sound.
        artifacts: how many artifacts were found to be what was stored.
        erased: those that are kept no more, each with the entry that says so.
        heads: how many signed heads, and heads that somebody kept, are of these entries.
        tables: what holding the tables against the entries found; None where that was not done.
    """

    length: int
    head: str
    flaw: Flaw | None = None
    artifacts: int = 0
    erased: tuple[Erased, ...] = ()
    heads: int = 0
    tables: Comparison | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.flaw is None


class HeldHeads:
    """Holds the entries to heads of their tree, as they are gone through.

    Args:
        heads: how many entries each is of, and the root of their tree.
    """

    def __init__(self, heads: Iterable[tuple[int, bytes]]) -> None:
        self._roots: dict[int, set[bytes]] = {}
        for size, root in heads:
            self._roots.setdefault(size, set()).add(root)
        self._tree = RunningRoot()

    @property
    def count(self) -> int:
        """How many there are, each size once."""
        return len(self._roots)

    def take(self, content: bytes) -> Flaw | None:
        """Add the next entry's bytes; say if a head of so many entries is of others."""
        self._tree.add(leaf_hash(content))
        size = self._tree.size
        if size not in self._roots or self._roots[size] == {self._tree.root}:
            return None
        reason = f"A head of {size} entries that was signed, or kept, is of other entries: some of them were changed."
        return Flaw(Step.SIGNED_HEADS, size, reason)

    def beyond(self) -> Flaw | None:
        """Say if a head is of more entries than were taken."""
        longest = max(self._roots, default=0)
        if longest <= self._tree.size:
            return None
        reason = (
            f"A head of {longest} entries was signed, or kept, and there are {self._tree.size}: the newest are gone."
        )
        return Flaw(Step.SIGNED_HEADS, self._tree.size + 1, reason)


def signed_heads(session: Session) -> list[tuple[int, bytes]]:
    """The heads that were signed and are kept here."""
    rows = session.exec(select(LedgerCheckpoint.size, LedgerCheckpoint.root))
    return [(size, bytes.fromhex(root)) for size, root in rows]


def verify(entries: Iterable[EvidenceEntry], held: HeldHeads | None = None) -> Verification:
    """Check a chain from its first entry on (steps 1 to 3), holding one entry at a time; stop at the first flaw.

    With ``held``, the entries are held to heads as well (step 6, but for those beyond the last entry).
    """
    length, head = 0, GENESIS
    try:
        for entry in entries:
            content = entry_bytes(fields_of(entry))
            if flaw := flaw_of(entry, content, length + 1, head):
                return Verification(length, head, flaw)
            length, head = entry.number, entry.hash
            if held and (flaw := held.take(content)):
                return Verification(length, head, flaw)
    except _UNREADABLE as error:
        reason = f"An entry cannot be read ({type(error).__name__})."
        return Verification(length, head, Flaw(Step.CONTENT, length + 1, reason))
    return Verification(length, head)


def verify_ledger(session: Session) -> Verification:
    """Check all entries, and that the head row agrees with them (steps 1 to 4).

    Args:
        session: a session of ``Database.reading()``, which sees one moment of it.
    """
    return _with_head(session, verify(stream(session)))


def verify_all(
    session: Session,
    watch: Watch | None = None,
    *,
    kept_heads: Iterable[tuple[int, bytes]] = (),
    tables: bool = True,
) -> Verification:
    """Check all entries, the head row, what entries point to, the signed heads, and the tables (steps 1 to 7).

    Args:
        session: a session of ``Database.reading()``, which sees one moment of it.
        watch: counts along.
        kept_heads: heads that somebody kept elsewhere: how many entries, and the root of their tree.
        tables: whether the tables are held against the entries; without, step 7 is left out.

    Raises:
        IntegrityError: a sound entry does not hold what its kind holds here, so that no table can be held against it.
    """
    watched = watch or unwatched
    count = session.exec(select(func.count()).select_from(EvidenceEntry)).one()
    held = HeldHeads([*signed_heads(session), *kept_heads])
    with closing(Scratch()) as scratch:
        holding = Holding(session, scratch) if tables else None
        entries = _noting(session, watched(stream(session), "entries", count), scratch, holding)
        found = _with_held(_with_head(session, verify(entries, held)), held)
        if found.sound:
            named = watched(scratch.in_order(_NAMED, "first"), "artifacts", scratch.count(_NAMED, "first"))
            found = _with_artifacts(session, found, named)
        return _with_tables(found, holding.compare(watched)) if found.sound and holding is not None else found


class _Read(NamedTuple):
    """An entry as it was read: its fields are had ten times as fast as those of a row."""

    number: int
    at: datetime
    case_id: UUID | None
    kind: str
    subject: str | None
    actor: str
    body: dict[str, Any]
    artifacts: list[str]
    key: str
    key_digest: bytes
    recorded_at: datetime
    salt: str
    previous_hash: str
    hash: str


def stream(session: Session, *, after: int = 0) -> Iterator[EvidenceEntry]:
    """Give the entries that follow number ``after``, in order, a thousand in memory at a time.

    What it gives is read as an entry is, and is a plain row: to make objects of a million would take longer than to
    hash them.

    Raises:
        ValueError, TypeError, AttributeError: the next entry cannot be read.
    """
    try:
        for entry in _fetched(session, after, _ENTRIES_A_FETCH):
            after = entry.number
            yield entry
    except _UNREADABLE:  # one of the thousand: those before it are still to be given
        yield from _fetched(session, after, 1)


def _fetched(session: Session, after: int, at_once: int) -> Iterator[EvidenceEntry]:
    columns = SQLModel.metadata.tables["evidence"].c
    query = rows_of(*(columns[name] for name in _Read._fields)).where(columns.number > after).order_by(columns.number)
    for row in session.execute(query, execution_options={"yield_per": at_once}):
        yield cast("EvidenceEntry", _Read._make(row))


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
        "recorded_at": entry.recorded_at,
        "salt": entry.salt,
    }


def flaw_of(entry: EvidenceEntry, content: bytes, number: int, previous_hash: str) -> Flaw | None:
    """Say why this is not the sound entry that should follow, or None if it is."""
    if entry.number != number:
        reason = f"Entry {number} is missing; entry {entry.number} stands in its place."
        return Flaw(Step.ORDER, number, reason)
    if entry.previous_hash != previous_hash:
        return Flaw(Step.CHAIN, number, "The entry does not continue from the one before it.")
    if sha256_hex(content) != entry.hash:
        return Flaw(Step.CONTENT, number, "The entry's hash is not that of what it holds: it was changed.")
    if entry.key_digest != key_digest(entry.key):
        return Flaw(Step.CONTENT, number, "The entry is not found by its key: it was changed.")
    return None


def _with_head(session: Session, found: Verification) -> Verification:
    """Step 4, once the entries are sound."""
    if not found.sound:
        return found
    head = session.exec(select(LedgerHead)).one_or_none()
    if head is None or (head.length, head.hash) != (found.length, found.head):
        claimed = "is missing" if head is None else _claim(head)
        reason = f"The ledger's head {claimed}, and does not agree with the {found.length} that are there."
        return Verification(found.length, found.head, Flaw(Step.HEAD, found.length + 1, reason))
    return found


def _with_held(found: Verification, held: HeldHeads) -> Verification:
    """Step 6, for heads of more entries than there are."""
    if not found.sound:
        return found
    return replace(found, flaw=held.beyond(), heads=held.count)


def _with_artifacts(session: Session, found: Verification, named: Iterable[tuple[str, Facts]]) -> Verification:
    """Step 5, once the entries and their heads are sound."""
    sound, gone = 0, list[Erased]()
    each, beside = tee(named)
    read = reading_ahead(session, (sha256 for sha256, _ in beside))
    with closing(read):
        for (sha256, said), (_, content) in zip(each, read, strict=True):
            erased, first = said["erased"], said["first"].entry or 0
            if erased.value and erased.entry and not is_kept(session, sha256):
                entry = session.get_one(EvidenceEntry, erased.entry)
                gone.append(_erased(entry, sha256))
                session.expunge(entry)
                continue
            try:
                reason = _artifact_reason(content)
            except Outdated:
                gone.append(_erased_since(session, sha256, found.length))
                continue
            if reason:
                flaw = Flaw(Step.ARTIFACTS, first, reason, sha256)
                return replace(found, flaw=flaw, artifacts=sound, erased=tuple(gone))
            sound += 1
    return replace(found, artifacts=sound, erased=tuple(gone))


def _erased(entry: EvidenceEntry, sha256: str) -> Erased:
    case = entry.case_id if entry.kind == CaseErased.kind else None
    return Erased(sha256, entry.number, entry.at, entry.actor, case)


def _erased_since(session: Session, sha256: str, length: int) -> Erased:
    """Who erased an artifact after the check had begun, as an entry says that this session cannot see.

    Raises:
        Outdated: no entry says so.
    """
    with Session(session.get_bind()) as now:
        erasing = col(EvidenceEntry.kind).in_((FileErased.kind, CaseErased.kind))
        for entry in now.exec(select(EvidenceEntry).where(EvidenceEntry.number > length, erasing)):
            if sha256 in (entry.artifacts if entry.kind == FileErased.kind else _erased_by(now, entry)):
                return _erased(entry, sha256)
    raise Outdated("An artifact was moved while the ledger was checked.", where=sha256, next_step="Check it again.")


def _with_tables(found: Verification, tables: Comparison) -> Verification:
    """Step 7, once the ledger itself is sound."""
    wrong = tables.disagreement
    flaw = Flaw(Step.TABLES, wrong.entry or 0, wrong.sentence) if wrong else None
    return replace(found, tables=tables, flaw=flaw)


def _claim(head: LedgerHead) -> str:
    return f"says that there are {head.length} entries, the last one with the hash {head.hash}"


def _noting(
    session: Session, entries: Iterable[EvidenceEntry], scratch: Scratch, holding: Holding | None
) -> Iterator[EvidenceEntry]:
    """Hand on the entries, and take each once it was found sound.

    Noted is each artifact with the first entry that points to it, and whether the last one erased it.
    """
    for entry in entries:
        yield entry
        for sha256 in entry.artifacts:
            scratch.say_first(_NAMED, sha256, entry.number, first=entry.number)
            scratch.say(_NAMED, sha256, entry.number, erased=True if entry.kind == FileErased.kind else None)
        if entry.kind == CaseErased.kind:
            for sha256 in _erased_by(session, entry):
                scratch.say(_NAMED, sha256, entry.number, erased=True)
        if holding is not None:
            holding.take(entry)


def _erased_by(session: Session, entry: EvidenceEntry) -> list[str]:
    """The artifacts that went with a case; none where their list cannot be read, which step 5 then says.

    Raises:
        Unavailable: it is in the store of artifacts, which does not answer.
    """
    try:
        return fetch(session, entry.artifacts[0]).decode().splitlines()
    except Unavailable:
        raise
    except (DuenoticeError, zlib.error, ValueError, IndexError):
        return []


def _artifact_reason(content: Callable[[], bytes]) -> str | None:
    """Step 5 for one artifact: say why it is not what was stored, or None if it is."""
    try:
        content()
    except (NotFound, Gone):
        return "An artifact that the entry points to is no longer kept, and nothing says that it was erased."
    except (IntegrityError, ConfigurationError) as error:
        return f"An artifact that the entry points to is not what was stored: {error.message}"
    except zlib.error:
        return "An artifact that the entry points to is not what was stored: it cannot be unpacked."
    return None
