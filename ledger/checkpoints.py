"""Heads of the ledger: signed statements of its length and the root of its tree (C2SP tlog-checkpoint), kept in SQL.

A head is signed only over entries that continue the chain, and a tree that still gives the root of the head before it:
what was changed in the tables in between is found here, and not blessed. Growing the tree reads the new entries and the
tiles at its right edge, so that a head costs the same however long the ledger is.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select, update

from config.database import Database
from ledger.chain import GENESIS, entry_bytes
from ledger.log_keys import LogKeys, Signer
from ledger.tree import Place, grown
from ledger.verify import fields_of, flaw_of, stream
from ledger.verify_bundle import EMPTY_ROOT, leaf_hash, tree_hash
from models.errors import IntegrityError
from models.grouping import parts
from models.tables import EvidenceEntry, LedgerCheckpoint, LedgerHead, LedgerTile, LedgerTree

_TREE = 1
"""The id of the only row of ``ledger_tree``."""

_TILES_A_STATEMENT = 200


@dataclass(frozen=True)
class Head:
    """A signed head: how many entries, the root of their tree in hexadecimal, and the note that says so."""

    size: int
    root: str
    note: str
    kept_at: datetime

    @property
    def line(self) -> str:
        """It as the foot of a notice has it."""
        return head_line(self.size, self.root)


def head_line(size: int, root: str) -> str:
    """A head as the foot of a notice has it; ``root`` in hexadecimal."""
    return f"ledger head {size} {base64.b64encode(bytes.fromhex(root)).decode()}"


def newest_head(session: Session) -> Head | None:
    """The newest head that was signed, if there is one."""
    row = session.exec(select(LedgerCheckpoint).order_by(col(LedgerCheckpoint.size).desc()).limit(1)).first()
    return Head(row.size, row.root, row.note, row.kept_at) if row else None


def unsigned_entries(session: Session) -> int:
    """How many entries there are that no head covers yet."""
    size = session.exec(select(LedgerTree.size)).one()
    return session.exec(select(LedgerHead.length)).one() - size


def sign_head(database: Database, keys: LogKeys, now: datetime, *, at_most: int) -> Head | None:
    """Add at most so many entries to the tree, and sign its head; return the newest head, if there is any.

    Raises:
        IntegrityError: entries or tiles are not what they were; nothing is signed over them.
        ConfigurationError: no key is valid.
    """
    signers = keys.signers(now)
    with database.reading() as session:  # what is read here never changes, so that others can write meanwhile
        new = _new_entries(session, at_most)
    if not new.leaves:
        with database.reading() as session:
            return newest_head(session)
    with database.writing() as session:
        size = session.execute(select(LedgerTree.size).where(LedgerTree.id == _TREE).with_for_update()).scalar_one()
        if size != new.size:  # another process was faster
            return newest_head(session)
        return _grow(session, new, keys.origin, signers, now)


def unsigned_since(session: Session) -> datetime | None:
    """When the first entry was written that no head covers yet; None where every entry is under one."""
    size = session.exec(select(LedgerTree.size)).one()
    return session.exec(select(EvidenceEntry.recorded_at).where(EvidenceEntry.number == size + 1)).one_or_none()


@dataclass(frozen=True)
class _New:
    """Entries that the tree does not hold yet: how many it holds, and the hashes of the next leaves."""

    size: int
    leaves: Sequence[bytes]


def _new_entries(session: Session, at_most: int) -> _New:
    size = session.exec(select(LedgerTree.size)).one()
    length = session.exec(select(LedgerHead.length)).one()
    if length < size:
        raise _not_signed(size, f"The tree holds {size} entries, and the ledger's head says that there are {length}.")
    before = session.exec(select(EvidenceEntry.hash).where(EvidenceEntry.number == size)).first() if size else GENESIS
    leaves: list[bytes] = []
    for entry in islice(stream(session, after=size), min(at_most, length - size)):
        content = entry_bytes(fields_of(entry))
        if flaw := flaw_of(entry, content, size + len(leaves) + 1, before or ""):
            raise _not_signed(flaw.number, flaw.reason)
        before = entry.hash
        leaves.append(leaf_hash(content))
    if len(leaves) < min(at_most, length - size):
        raise _not_signed(size + len(leaves) + 1, "The entry is missing.")
    return _New(size, leaves)


def _grow(session: Session, new: _New, origin: str, signers: Sequence[Signer], now: datetime) -> Head:
    tiles = Tiles(session)
    before = newest_head(session)
    known = bytes.fromhex(before.root) if before else EMPTY_ROOT
    if (before.size if before else 0, known) != (new.size, _root(new.size, tiles)):
        raise _not_signed(new.size, "The tree no longer gives the root of the head that was signed before.")
    changed = grown(new.size, new.leaves, tiles)
    size = new.size + len(new.leaves)
    root = tree_hash(0, size, tiles.with_changed(changed))
    note = signed_note(origin, size, root, signers)
    _keep_tiles(session, changed)
    session.add(LedgerCheckpoint(size=size, root=root.hex(), note=note, kept_at=now))
    session.execute(update(LedgerTree).where(col(LedgerTree.id) == _TREE).values(size=size))
    return Head(size, root.hex(), note, now)


def _root(size: int, tiles: Tiles) -> bytes | None:
    try:
        return tree_hash(0, size, tiles)
    except LookupError:
        return None


def _not_signed(number: int, reason: str) -> IntegrityError:
    return IntegrityError(
        f"{reason} No head is signed over it.",
        where=f"entry {number:,} of the ledger",
        next_step="`duenotice ledger verify` says more; compare with a backup, and find out who could write there.",
    )


class Tiles:
    """Reads tiles, each once if it may ``keep`` them in memory.

    A tile is given as long as it is kept, which may be longer than a smaller tree needs.

    Raises:
        LookupError: there is no such tile.
    """

    def __init__(self, session: Session, *, keep: bool = True) -> None:
        self._session = session
        self._keep = keep
        self._known: dict[Place, bytes] = {}

    def __call__(self, level: int, number: int) -> bytes:
        """The hashes of a tile."""
        if (level, number) not in self._known:
            there = select(LedgerTile.hashes).where(LedgerTile.level == level, LedgerTile.number == number)
            found = self._session.exec(there).one_or_none()
            if found is None:
                raise LookupError(f"there is no tile {level}/{number}")
            if not self._keep:
                return found
            self._known[level, number] = found
        return self._known[level, number]

    def with_changed(self, changed: dict[Place, bytes]) -> Tiles:
        """The same, with what has changed and is not kept yet."""
        tiles = Tiles(self._session)
        tiles._known = self._known | changed
        return tiles


def _keep_tiles(session: Session, changed: dict[Place, bytes]) -> None:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(LedgerTile)
    statement = statement.on_conflict_do_update(
        index_elements=["level", "number"], set_={"hashes": statement.excluded.hashes}
    )
    rows = [{"level": level, "number": number, "hashes": hashes} for (level, number), hashes in changed.items()]
    for some in parts(rows, _TILES_A_STATEMENT):
        session.connection().execute(statement, some)


def signed_note(origin: str, size: int, root: bytes, signers: Sequence[Signer]) -> str:
    """Write a head as a signed note (C2SP signed-note): its three lines, and a line for each signature."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    signatures = (
        f"— {signer.key.name} {base64.b64encode(signer.key.id + signer.secret.sign(text.encode())).decode()}\n"
        for signer in signers
    )
    return f"{text}\n{''.join(signatures)}"
