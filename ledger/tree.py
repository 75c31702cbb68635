"""The Merkle tree over the entries (RFC 9162, 2.1), kept as tiles (C2SP tlog-tiles), and the proofs read from them.

Entry ``number`` is the leaf at index ``number - 1``; its bytes are the canonical JSON that its hash is of
(``ledger.chain.entry_bytes``). A tree that grows touches the tiles at its right edge alone, so that a head of a million
entries costs as much as one of a thousand. Hashing, and checking proofs, is in ``ledger/verify_bundle.py``, which
leaves in every bundle and imports nothing of this program.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ledger.verify_bundle import EMPTY_ROOT, HASH, WIDTH, ReadTile, fold, node_hash, tree_hash

Place = tuple[int, int]
"""Level and number of a tile."""


def grown(size: int, leaves: Sequence[bytes], read: ReadTile) -> dict[Place, bytes]:
    """Return the tiles that change as leaves are added to a tree of ``size``, each with all hashes it then has.

    Args:
        size: how many leaves the tree has.
        leaves: the hashes of those to add.
        read: gives the tiles there are; only partial ones at the right edge are asked for.
    """
    changed: dict[Place, bytes] = {}
    level, hashes = 0, b"".join(leaves)
    while hashes:
        there = size >> 8 * level
        number, used = divmod(there, WIDTH)
        row = (read(level, number)[: used * HASH] if used else b"") + hashes
        above = []
        for at in range(0, len(row), WIDTH * HASH):
            tile = row[at : at + WIDTH * HASH]
            changed[level, number] = tile
            if len(tile) == WIDTH * HASH:
                above.append(fold(tile))
            number += 1
        level, hashes = level + 1, b"".join(above)
    return changed


def inclusion_proof(index: int, size: int, read: ReadTile) -> tuple[bytes, ...]:
    """The hashes that lead from a leaf to the root of the tree of the first ``size`` leaves (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    return tuple(_path(index, 0, size, read))


def _path(index: int, first: int, last: int, read: ReadTile) -> Iterator[bytes]:
    if last - first == 1:
        return
    split = first + (1 << (last - first - 1).bit_length() - 1)
    if index < split:
        yield from _path(index, first, split, read)
        yield tree_hash(split, last, read)
    else:
        yield from _path(index, split, last, read)
        yield tree_hash(first, split, read)


def consistency_proof(old: int, new: int, read: ReadTile) -> tuple[bytes, ...]:
    """The hashes that show that the tree of ``new`` leaves begins with that of ``old`` (RFC 9162, 2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError(f"no tree of {old} at the beginning of one of {new}")
    return tuple(_subproof(old, 0, new, read, is_whole=True))


def _subproof(old: int, first: int, last: int, read: ReadTile, *, is_whole: bool) -> Iterator[bytes]:
    if old == last:
        if not is_whole:
            yield tree_hash(first, last, read)
        return
    split = first + (1 << (last - first - 1).bit_length() - 1)
    if old <= split:
        yield from _subproof(old, first, split, read, is_whole=is_whole)
        yield tree_hash(split, last, read)
    else:
        yield from _subproof(old, split, last, read, is_whole=False)
        yield tree_hash(first, split, read)


@dataclass
class RunningRoot:
    """The root of a tree that leaves are added to one by one, in little memory: for checking a whole ledger."""

    size: int = 0
    _peaks: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """Add the hash of one leaf."""
        full, self.size = self.size, self.size + 1
        while full & 1:
            leaf, full = node_hash(self._peaks.pop(), leaf), full >> 1
        self._peaks.append(leaf)

    @property
    def root(self) -> bytes:
        """The root of what was added until now."""
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            found = node_hash(peak, found)
        return found
