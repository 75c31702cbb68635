#!/usr/bin/env python3
"""Checks a bundle of evidence, offline, in eleven numbered steps; the first bad record ends the check.

This file is ``verify.py`` in every bundle. It needs Python 3.11, its standard library and the package ``cryptography``,
and nothing of the program that wrote the bundle:

    python3 verify.py BUNDLE.zip [--vkey KEY] [--head FILE] [--json]

1.  **Archive**: it is a ZIP file that can be read safely, with the files that a bundle has, and no others.
2.  **Key**: the log's verifier keys can be read; where the reader gave keys of his own, those are the ones that count.
3.  **Head**: the checkpoint (C2SP tlog-checkpoint) is signed with such a key (C2SP signed-note, Ed25519).
4.  **Statement**: it is signed (DSSE, in-toto Statement v1) with the log's key, while that was valid, is of this head,
    and names every file of the bundle: none was removed, and none added.
5.  **Tree**: the tiles (C2SP tlog-tiles) fit each other, and lead to the root that the head names (RFC 9162, 2.1).
6.  **Entries**: each entry stands in the tree at its place, as its own proof says too (C2SP tlog-proof), and continues
    from the entry before it, where that is in the bundle.
7.  **Artifacts**: whatever an entry points to is there and has the SHA-256 by which it is named, or an entry says that
    it was erased, by itself or in the list of what went with its case.
8.  **Terms**: the clauses that were pinned are there, and have the SHA-256 by which they are named.
9.  **Files**: every file has the SHA-256 that the statement names, the report and this program included.
10. **Times**: each time stamp (RFC 3161) is of the checkpoint beside it, and that is a head of the same tree.
11. **Kept heads**: each head that somebody kept elsewhere is one that this log had.

It ends with exit code 0 where all of it holds, 1 where something is not what it was, and 2 where it cannot be checked.
What even a sound bundle does not prove is in its README.txt.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import io
import json
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# Hashing: RFC 9162, 2.1, with SHA-256

HASH = 32
"""Bytes of one hash."""

WIDTH = 256
"""Hashes in a full tile (C2SP tlog-tiles): a tile spans eight levels of the tree."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""

ReadTile = Callable[[int, int], bytes]
"""Gives the hashes of the tile at a level and number, one after another: at least as many as are asked for."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: bytes) -> bytes:
    """The root over a power of two of hashes that stand one after another."""
    row = [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tree_hash(first: int, last: int, read: ReadTile) -> bytes:
    """The hash of the leaves from ``first`` up to but without ``last``, read from tiles (RFC 9162, 2.1.1).

    ``first`` is a multiple of the largest power of two below the number of leaves, as it is wherever the RFC splits.
    """
    count = last - first
    if count == 0:
        return EMPTY_ROOT
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        level, within = divmod(height, 8)
        place = (first >> height) << within  # of its first hash, among those of the tile's level
        number, offset = divmod(place, WIDTH)
        found = read(level, number)[offset * HASH : (offset + (1 << within)) * HASH]
        if len(found) != HASH << within:
            raise LookupError(f"tile {level}/{number} is too short")
        return fold(found)
    split = first + (1 << (count - 1).bit_length() - 1)
    return node_hash(tree_hash(first, split, read), tree_hash(split, last, read))


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows the leaf at a place in a tree of a size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that a tree only grew from one size and root to another (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return old == 0 and not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    return last == 0 and (first, second) == (old_root, new_root)


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """The name of a tile under ``tile/``: its level, its number in groups of three digits, its width if not full."""
    digits = f"{number:d}"
    groups = [digits.rjust(-(-len(digits) // 3) * 3, "0")[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"{level}/{name}" + (f".p/{width}" if width < WIDTH else "")


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every tile of a tree of this size."""
    level, hashes = 0, size
    while hashes:
        full, part = divmod(hashes, WIDTH)
        yield from ((level, number, WIDTH) for number in range(full))
        if part:
            yield level, full, part
        level, hashes = level + 1, full


def tile_count(size: int) -> int:
    """How many tiles a tree of this size has."""
    count, hashes = 0, size
    while hashes:
        count, hashes = count + -(-hashes // WIDTH), hashes // WIDTH
    return count


# Signed notes: C2SP signed-note and tlog-checkpoint

_ED25519 = b"\x01"


class Unreadable(ValueError):
    """A text that is not of the form that it should have."""


@dataclass(frozen=True)
class VerifierKey:
    """A key that verifies notes: whose it is, and from when to when it signs, as far as that was said."""

    name: str
    public: bytes
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name their key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The key as one word: its vkey."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Whether it signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def is_valid(self, at: datetime) -> bool:
        """Whether it signs at an instant."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or at <= self.valid_until
        )


def read_vkey(text: str) -> VerifierKey:
    """Read one vkey.

    Raises:
        Unreadable: it is none.
    """
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if not name or len(key) != 1 + HASH or key[:1] != _ED25519:
        raise Unreadable("it is no verifier key of a signed note (NAME+ID+KEY, Ed25519)")
    found = VerifierKey(name, key[1:])
    if found.id.hex() != key_id:
        raise Unreadable("its id is not that of the key")
    return found


def read_vkeys(text: str) -> tuple[VerifierKey, ...]:
    """Read a list of vkeys, one a line; a line before it may say ``# from INSTANT until INSTANT``.

    Raises:
        Unreadable: a line is neither, or there is no key.
    """
    keys: list[VerifierKey] = []
    since = until = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if period := re.fullmatch(r"# from (\S+)(?: until (\S+))?", line):
            try:
                since, until = (datetime.fromisoformat(word) if word else None for word in period.groups())
            except ValueError:
                raise Unreadable("a key's validity is not two instants") from None
            if any(instant is not None and instant.tzinfo is None for instant in (since, until)):
                raise Unreadable("a key's validity has no zone")
        elif not line.startswith("#"):
            key = read_vkey(line)
            keys.append(VerifierKey(key.name, key.public, since, until))
            since = until = None
    if not keys:
        raise Unreadable("it holds no key")
    return tuple(keys)


@dataclass(frozen=True)
class Checkpoint:
    """A head of the log: its name, how many entries it has, the root of its tree, and who signed that."""

    origin: str
    size: int
    root: bytes
    body: bytes
    signatures: tuple[tuple[str, bytes], ...] = ()

    def signers(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Which of the keys signed it. Signatures by other keys are left out, as the format asks."""
        return tuple(
            key
            for key in keys
            for name, signature in self.signatures
            if (name, signature[:4]) == (key.name, key.id) and key.signed(signature[4:], self.body)
        )


def read_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint, whoever signed it.

    Raises:
        Unreadable: it is none.
    """
    text, blank, lines = note.partition("\n\n")
    try:
        origin, size, root = text.split("\n")[:3]
        decoded = base64.b64decode(root, validate=True)
        signatures = tuple(_signature(line) for line in lines.splitlines())
    except ValueError:  # a binascii.Error is one
        raise Unreadable("it is no checkpoint (origin, size, root, and signatures after an empty line)") from None
    if not blank or not origin or not re.fullmatch(r"0|[1-9]\d{0,18}", size) or len(decoded) != HASH:
        raise Unreadable("it is no checkpoint (origin, size, root, and signatures after an empty line)")
    return Checkpoint(origin, int(size), decoded, f"{text}\n".encode(), signatures)


def _signature(line: str) -> tuple[str, bytes]:
    dash, name, encoded = line.split(" ")
    if dash != "—":
        raise Unreadable("a line of signatures does not begin as one")
    return name, base64.b64decode(encoded, validate=True)


HEAD_LINE = re.compile(r"\bledger head (\d{1,19}) ([A-Za-z0-9+/]{43}=)")
"""A head as a notice's foot has it: its size, and its root in base 64."""


def read_heads(text: str) -> tuple[Checkpoint, ...]:
    """Find the heads in what somebody kept: checkpoints one after another, or the line at the foot of a notice.

    Raises:
        Unreadable: there is none.
    """
    heads = [Checkpoint("", int(size), base64.b64decode(root), b"") for size, root in HEAD_LINE.findall(text)]
    for note in re.findall(
        r"^[^\n]+\n\d+\n[A-Za-z0-9+/]{43}=\n(?:[^\n]+\n)*\n(?:— [^\n]+(?:\n|$))+", text, re.MULTILINE
    ):
        heads.append(read_checkpoint(note))
    if not heads:
        raise Unreadable("it holds no head: neither a checkpoint nor the line at the foot of a notice")
    return tuple(heads)


# The verdict


class Step(IntEnum):
    """The steps of the check, by their numbers."""

    ARCHIVE = 1
    KEY = 2
    HEAD = 3
    STATEMENT = 4
    TREE = 5
    ENTRIES = 6
    ARTIFACTS = 7
    TERMS = 8
    FILES = 9
    TIMES = 10
    KEPT_HEADS = 11


INTACT, NOT_INTACT, COULD_NOT_CHECK = "intact", "not intact", "could not check"
EXIT_CODES = {INTACT: 0, NOT_INTACT: 1, COULD_NOT_CHECK: 2}


@dataclass
class Verdict:
    """What the check found.

    Attributes:
        state: ``intact``, ``not intact`` or ``could not check``.
        step: the number of the step that ended the check; None where all of it holds.
        record: the first record that is not what it was, or that cannot be checked.
        reason: what is wrong, in a sentence.
        origin, size, root: the head, its root in base 64.
        key: the vkey that signed it.
        key_is_trusted: whether the reader gave that key himself; else it is the bundle's own word.
        whole: whether it is a bundle of the whole ledger.
        entries, artifacts: how many were found sound.
        without_links: how many letters are there without their links, so that their bytes as sent could not be checked.
        erased: what is kept no more, in a sentence each.
        times: what authorities say of when a head was there, in a sentence each.
        heads: how many heads kept elsewhere were found to be the log's.
    """

    state: str = INTACT
    step: int | None = None
    record: str | None = None
    reason: str | None = None
    origin: str | None = None
    size: int | None = None
    root: str | None = None
    key: str | None = None
    key_is_trusted: bool = False
    whole: bool = False
    entries: int = 0
    artifacts: int = 0
    without_links: int = 0
    erased: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    heads: int = 0

    @property
    def exit_code(self) -> int:
        """0, 1 or 2, by its state."""
        return EXIT_CODES[self.state]

    def words(self) -> str:
        """The verdict as a person reads it; what a bundle names steers no terminal."""
        return "\n".join("".join(map(_shown, line)) for line in self._lines())

    def _lines(self) -> list[str]:
        if self.state == NOT_INTACT:
            return [f"NOT INTACT. Step {self.step}, {self.record}: {self.reason}"]
        if self.state == COULD_NOT_CHECK:
            return [f"COULD NOT CHECK. Step {self.step}, {self.record}: {self.reason}"]
        of = "all" if self.whole else "some of"
        lines = [
            f"INTACT. {_many(self.entries, 'entry is', 'entries are')} unchanged ({of} the {self.size:,} in the log), "
            f"and {_many(self.artifacts, 'artifact is', 'artifacts are')} what they point to.",
            f"Head: {self.origin}, {self.size} entries, root {self.root}.",
            f"Key: {self.key}",
        ]
        if not self.key_is_trusted:
            lines.append(
                "     It is the bundle's own word that this is the log's key: compare it with the one you know, or "
                "give that one by --vkey."
            )
        if self.without_links:
            lines.append(
                f"Letters: {_many(self.without_links, 'letter is', 'letters are')} here without the links on which "
                "their readers answer; as they were sent, they have the SHA-256 that entries name, and are not here."
            )
        if self.heads:
            lines.append(
                f"Kept heads: {_many(self.heads, 'head', 'heads')} kept elsewhere {_is(self.heads)} the log's."
            )
        return [*lines, *self.erased, *self.times]


def _shown(character: str) -> str:
    """A character, or its number where it would not be seen, or cannot be written."""
    return character if character.isprintable() else ascii(character)[1:-1]


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


class _Ended(Exception):
    """The check ends here."""

    def __init__(self, state: str, step: Step, record: str, reason: str) -> None:
        super().__init__(reason)
        self.state, self.step, self.record, self.reason = state, step, record, reason


def _not_intact(step: Step, record: str, reason: str) -> _Ended:
    return _Ended(NOT_INTACT, step, record, reason)


def _cannot_check(step: Step, record: str, reason: str) -> _Ended:
    return _Ended(COULD_NOT_CHECK, step, record, reason)


# The archive

LARGEST_FILE = 512 << 20
"""Bytes of one unpacked file; the longest that a ledger writes are far below."""

MOST_TIMES_LARGER = 50
"""How many times larger than itself an archive may be once it is unpacked, beyond ``ALWAYS_ALLOWED`` bytes."""

ALWAYS_ALLOWED = 32 << 20

REQUIRED = ("README.txt", "vkey", "log/checkpoint", "report.pdf", "statement.dsse.json", "verify.py")

_HEX = "[0-9a-f]{64}"
_NAMES = re.compile(
    r"README\.txt|vkey|report\.pdf|statement\.dsse\.json|verify\.py|log/checkpoint"
    r"|log/tile/(\d{1,2}|entries)/(x\d{3}/)*\d{3}(\.p/\d{1,3})?"
    r"|entries/[1-9]\d*\.json|proofs/[1-9]\d*\.tlog-proof"
    rf"|artifacts/{_HEX}(\.erased\.json|\.without-links\.eml)?|terms/{_HEX}\.json|timestamps/[1-9]\d*\.(tsr|checkpoint)"
)

STATEMENT = "statement.dsse.json"

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:duenotice:evidence:1"
"""What the statement says of the bundle (in-toto, ``predicateType``): the log's head, and the verdicts."""

_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError)
"""What ``zipfile`` raises for what is no ZIP file, or is broken; the last for a way of packing unknown to it."""


class Archive:
    """The files of a bundle, read by name.

    Raises:
        _Ended: it cannot be read safely.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise _cannot_check(Step.ARCHIVE, str(path), f"It cannot be read ({error.strerror}).") from None
        except (*_DAMAGED, ValueError):
            raise _cannot_check(Step.ARCHIVE, str(path), "It is no ZIP file, or was cut short.") from None
        infos, size = self._zip.infolist(), path.stat().st_size
        self.path = path
        self.infos = {info.filename: info for info in infos}
        for info in infos:
            self._check(info, size)
        if len(self.infos) < len(infos):
            raise _cannot_check(Step.ARCHIVE, str(path), "It holds two files of one name.")
        unpacked = sum(info.file_size for info in infos)
        if unpacked > ALWAYS_ALLOWED + MOST_TIMES_LARGER * size:
            raise _cannot_check(
                Step.ARCHIVE, str(path), f"It would unpack to {unpacked:,} bytes, which no bundle does: a ZIP bomb."
            )
        for name in REQUIRED:
            if name not in self.infos:
                raise _not_intact(Step.ARCHIVE, name, "The bundle lacks it.")

    @staticmethod
    def _check(info: zipfile.ZipInfo, size: int) -> None:
        name = info.filename
        shown = ascii(name)[:120]
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name:
            raise _cannot_check(Step.ARCHIVE, shown, "Its path leads out of the bundle.")
        if not _NAMES.fullmatch(name):
            raise _not_intact(Step.ARCHIVE, shown, "A bundle has no file of this name.")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _cannot_check(Step.ARCHIVE, shown, "It is packed in a way that bundles are not.")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise _cannot_check(Step.ARCHIVE, shown, "It is no file, but a link or the like.")
        if not 0 <= info.header_offset < size:
            raise _not_intact(Step.ARCHIVE, shown, "It is damaged: it is said to lie outside the ZIP file.")
        if info.file_size > LARGEST_FILE:
            raise _cannot_check(Step.ARCHIVE, shown, f"It would unpack to {info.file_size:,} bytes: a ZIP bomb.")

    def __contains__(self, name: str) -> bool:
        return name in self.infos

    def under(self, folder: str) -> list[str]:
        """The names in a folder, in order."""
        return sorted(name for name in self.infos if name.startswith(f"{folder}/"))

    def read(self, name: str, step: Step) -> bytes:
        """A file's bytes."""
        return b"".join(self.chunks(name, step))

    def chunks(self, name: str, step: Step) -> Iterator[bytes]:
        """A file's bytes, a part at a time."""
        if name not in self.infos:
            raise _not_intact(step, name, "The bundle lacks it.")
        try:
            with self._zip.open(self.infos[name]) as file:
                while some := file.read(1 << 20):
                    yield some
        except (*_DAMAGED, RuntimeError):
            raise _not_intact(step, name, "It is damaged: it cannot be unpacked.") from None
        except OSError as error:
            raise _cannot_check(step, name, f"It cannot be read ({error.strerror}).") from None

    def sha256(self, name: str, step: Step) -> str:
        """A file's SHA-256, in hexadecimal."""
        digest = hashlib.sha256()
        for some in self.chunks(name, step):
            digest.update(some)
        return digest.hexdigest()

    def text(self, name: str, step: Step) -> str:
        """A file's text."""
        try:
            return self.read(name, step).decode()
        except UnicodeDecodeError:
            raise _not_intact(step, name, "It is no text.") from None

    def json(self, name: str, step: Step) -> Any:
        """What a file of JSON holds."""
        return json_of(self.read(name, step), step, name)


def json_of(content: bytes, step: Step, record: str) -> Any:
    """What some JSON holds; a member that stands there twice could be read in two ways."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) < len(members):
            raise ValueError
        return found

    try:
        return json.loads(content, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise _not_intact(step, record, "It is no JSON that can be read in one way.") from None


# The check

Watch = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Hands on what it is given, counting along: the things, what they are called, and how many there will be."""


def check(
    path: Path,
    *,
    trusted: Sequence[VerifierKey] = (),
    heads: Sequence[Checkpoint] = (),
    known_kinds: frozenset[str] | None = None,
    watch: Watch | None = None,
) -> Verdict:
    """Check a bundle.

    Args:
        path: the ZIP file.
        trusted: the log's keys, as the reader knows them from elsewhere; none takes the bundle's own word for them.
        heads: heads that somebody kept.
        known_kinds: the kinds of entries that the reader knows; None where that is no question, as for the program
            that came with the bundle.
        watch: counts along.
    """
    verdict = Verdict()
    try:
        _Check(Archive(path), verdict, trusted, heads, known_kinds, watch or _unwatched).run()
    except _Ended as end:
        verdict.state, verdict.step, verdict.record, verdict.reason = end.state, end.step, end.record, end.reason
    return verdict


def _unwatched(things: Iterable[Any], _: str, __: int) -> Iterable[Any]:
    return things


@dataclass
class _Named:
    """An artifact as entries point to it: the first that does, and whether the last that does says it was erased."""

    first: int
    erased: dict[str, Any] | None


ERASING_KINDS = frozenset({"file_erased"})
"""Kinds of entries that say that what they point to was erased."""

LISTING_KIND = "case_erased"
"""The kind of entry that says that the personal data of its case was erased: the first artifact that it points to
lists the artifacts among that, one SHA-256 a line."""

PINNING_KIND = "terms_pinned"
"""The kind of entry that points to the clauses that count for a case."""

_MEMBERS = {
    "actor", "artifacts", "at", "body", "case_id", "key", "kind", "number", "previous_hash", "recorded_at", "salt",
    "subject",
}  # fmt: skip


@dataclass
class _Check:
    archive: Archive
    verdict: Verdict
    trusted: Sequence[VerifierKey]
    heads: Sequence[Checkpoint]
    known_kinds: frozenset[str] | None
    watch: Watch
    keys: tuple[VerifierKey, ...] = ()
    signers: tuple[VerifierKey, ...] = ()
    head: Checkpoint = field(default_factory=lambda: Checkpoint("", 0, EMPTY_ROOT, b""))
    named: dict[str, _Named] = field(default_factory=dict)
    pinned: dict[str, int] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)
    newer: tuple[str, str] | None = None
    gone: dict[int, list[str]] = field(default_factory=dict)
    _tile: tuple[tuple[int, int], bytes] = ((-1, -1), b"")

    def run(self) -> None:
        """Go through the steps; the archive was the first."""
        for step, look in (
            (Step.KEY, self.check_keys),
            (Step.HEAD, self.check_head),
            (Step.STATEMENT, self.check_statement),
            (Step.TREE, self.check_tree),
            (Step.ENTRIES, self.check_entries),
            (Step.ARTIFACTS, self.check_artifacts),
            (Step.TERMS, self.check_terms),
            (Step.FILES, self.check_files),
            (Step.TIMES, self.check_times),
            (Step.KEPT_HEADS, self.check_kept_heads),
        ):
            try:
                look()
            except (TypeError, ValueError, LookupError, AttributeError) as error:  # who signs can sign nonsense
                reason = f"It holds something that has not the form of a bundle ({type(error).__name__})."
                raise _not_intact(step, str(self.archive.path), reason) from None
        if self.newer:
            record, kind = self.newer
            raise _cannot_check(
                Step.ENTRIES,
                record,
                f"Its kind, {kind}, is not known here: a newer version wrote it. All else holds; the bundle's own "
                "verify.py, or a newer version of this program, checks it.",
            )

    def check_keys(self) -> None:
        """Step 2."""
        try:
            own = read_vkeys(self.archive.text("vkey", Step.KEY))
        except Unreadable as error:
            if self.trusted:
                raise _not_intact(Step.KEY, "vkey", f"It cannot be read: {error}.") from None
            raise _cannot_check(
                Step.KEY, "vkey", f"There is no key to check with: {error}. Give one by --vkey."
            ) from None
        self.keys = tuple(self.trusted) or own

    def check_head(self) -> None:
        """Step 3."""
        record = "log/checkpoint"
        try:
            self.head = read_checkpoint(self.archive.text(record, Step.HEAD))
        except Unreadable as error:
            raise _not_intact(Step.HEAD, record, f"It cannot be read: {error}.") from None
        self.signers = self.head.signers(self.keys)
        if not self.signers:
            whose = "a key that you trust" if self.trusted else "a key that the bundle names"
            raise _not_intact(Step.HEAD, record, f"It is not signed with {whose}.")
        verdict = self.verdict
        verdict.origin, verdict.size = self.head.origin, self.head.size
        verdict.root = base64.b64encode(self.head.root).decode()
        verdict.key, verdict.key_is_trusted = self.signers[-1].text, bool(self.trusted)
        if self.signers[-1].name != self.head.origin:
            raise _not_intact(Step.HEAD, record, "It is the head of another log than the key's.")

    def check_statement(self) -> None:
        """Step 4."""
        envelope = self.archive.json(STATEMENT, Step.STATEMENT)
        try:
            payload = base64.b64decode(envelope["payload"], validate=True)
            kind = envelope["payloadType"]
            signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
            if kind != PAYLOAD_TYPE:
                raise ValueError
        except (ValueError, TypeError, KeyError):
            raise _not_intact(Step.STATEMENT, STATEMENT, "It is no DSSE envelope of a statement.") from None
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signer = next((key for key in self.keys for one in signatures if key.signed(one, message)), None)
        if signer is None:
            raise _not_intact(Step.STATEMENT, STATEMENT, "It is not signed with the log's key.")
        statement = json_of(payload, Step.STATEMENT, STATEMENT)
        try:
            self.subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
            predicate = statement["predicate"]
            size, root = predicate["log"]["size"], predicate["log"]["root"]
            made_at = datetime.fromisoformat(predicate["made_at"])
            if made_at.tzinfo is None or not all(isinstance(one, str) for one in self.subjects):
                raise ValueError
            if statement["_type"] != STATEMENT_TYPE or len(self.subjects) < len(statement["subject"]):
                raise ValueError
            says = str(statement["predicateType"])
        except (ValueError, TypeError, KeyError):
            raise _not_intact(Step.STATEMENT, STATEMENT, "It is no in-toto statement about a bundle.") from None
        if says != PREDICATE_TYPE:
            reason = f"It says something else of the bundle ({says}) than is known here ({PREDICATE_TYPE})."
            raise _cannot_check(Step.STATEMENT, STATEMENT, reason)
        if not signer.is_valid(made_at):
            raise _not_intact(Step.STATEMENT, STATEMENT, f"Its key was not valid when it was made ({made_at}).")
        if (size, root) != (self.head.size, self.verdict.root):
            raise _not_intact(
                Step.STATEMENT,
                f"log/checkpoint and {STATEMENT}",
                f"They are of different heads, of {self.head.size} and {size} entries: one was put in another's place.",
            )
        for name in sorted(self.subjects.keys() - self.archive.infos.keys(), key=_in_order):
            raise _not_intact(
                Step.STATEMENT, _called(name), "The statement names it, and it is not there: it was removed."
            )
        for name in sorted(self.archive.infos.keys() - self.subjects.keys() - {STATEMENT}, key=_in_order):
            raise _not_intact(Step.STATEMENT, _called(name), "The statement does not name it: it was added.")

    def read_tile(self, level: int, number: int) -> bytes:
        """A tile of the head's tree, as the archive has it."""
        if self._tile[0] != (level, number):
            hashes = self.head.size >> 8 * level
            width = min(WIDTH, hashes - number * WIDTH)
            name = f"log/tile/{tile_path(level, number, width)}"
            content = self.archive.read(name, Step.TREE)
            if len(content) != width * HASH:
                raise _not_intact(Step.TREE, name, f"It does not hold {width} hashes.")
            self._tile = (level, number), content
        return self._tile[1]

    def check_tree(self) -> None:
        """Step 5: each full tile folds to its hash in the tile above, and the right edge gives the root."""
        size, named = self.head.size, set[str]()
        tiles = tile_count(size)
        if tiles > len(self.archive.infos):
            raise _not_intact(
                Step.TREE, "log/tile", f"A tree of {size:,} entries has {tiles:,} tiles: some are not there."
            )
        above: tuple[tuple[int, int], bytes] = ((-1, -1), b"")
        for level, number, width in self.watch(tiles_of(size), "tiles", tiles):
            named.add(f"log/tile/{tile_path(level, number, width)}")
            hashes = self.read_tile(level, number)
            if width < WIDTH:
                continue
            if above[0] != (level, number // WIDTH):
                above = (level, number // WIDTH), self.read_tile(level + 1, number // WIDTH)
            at = number % WIDTH * HASH
            if fold(hashes) != above[1][at : at + HASH]:
                raise _not_intact(
                    Step.TREE,
                    f"log/tile/{tile_path(level, number, width)}",
                    f"Its hashes, {self._span(level, number, width)}, are not those in the tile above it.",
                )
        if tree_hash(0, size, self.read_tile) != self.head.root:
            raise _not_intact(Step.TREE, "log/tile", "The tiles do not lead to the root that the head names.")
        self.verdict.whole = size == 0 or f"log/tile/{_first_bundle(size)}" in self.archive
        if self.verdict.whole:
            named.update(f"log/tile/{name}" for name in _entry_tiles(size))
        for name in self.archive.under("log/tile"):
            if name not in named:
                raise _not_intact(Step.TREE, name, "The tree of this head has no such tile.")

    @staticmethod
    def _span(level: int, number: int, width: int) -> str:
        first = number * WIDTH << 8 * level
        return f"of entries {first + 1} to {first + (width << 8 * level)}"

    def check_entries(self) -> None:
        """Step 6."""
        previous = (0, "")
        for number, name, content in self.entries():
            record = f"entry {number}"
            leaf = leaf_hash(content)
            place = (number - 1) % WIDTH * HASH
            if number > self.head.size or self.read_tile(0, (number - 1) // WIDTH)[place : place + HASH] != leaf:
                what = "It is not the entry that stands at this place in the log: it was changed, moved or added."
                raise _not_intact(Step.ENTRIES, f"{record} ({name})", what)
            entry = json_of(content, Step.ENTRIES, record)
            if not isinstance(entry, dict) or not set(entry) >= _MEMBERS or entry["number"] != number:
                raise _not_intact(
                    Step.ENTRIES, f"{record} ({name})", "It does not hold what an entry of this number does."
                )
            record = f"entry {number} ({entry['kind']}, {entry['at']})"
            if not self.verdict.whole:
                self._check_proof(number, leaf, record)
            if previous[0] == number - 1 and number > 1 and entry["previous_hash"] != previous[1]:
                raise _not_intact(Step.ENTRIES, record, "It does not continue from the entry before it.")
            previous = number, hashlib.sha256(content).hexdigest()
            if self.known_kinds is not None and entry["kind"] not in self.known_kinds and self.newer is None:
                self.newer = record, entry["kind"]
            self._note(entry)
            self.verdict.entries += 1

    def entries(self) -> Iterator[tuple[int, str, bytes]]:
        """Number, file and bytes of each entry, in order."""
        if self.verdict.whole:
            yield from self.watch(self._from_tiles(), "entries", self.head.size)
            return
        numbers = sorted(int(Path(name).stem) for name in self.archive.under("entries"))
        for name in self.archive.under("proofs"):
            if f"entries/{Path(name).stem}.json" not in self.archive:
                raise _not_intact(Step.ENTRIES, f"entry {Path(name).stem}", "Its proof is there, and it is not.")
        for number in self.watch(numbers, "entries", len(numbers)):
            name = f"entries/{number}.json"
            yield number, name, self.archive.read(name, Step.ENTRIES)

    def _from_tiles(self) -> Iterator[tuple[int, str, bytes]]:
        number = 0
        for path in _entry_tiles(self.head.size):
            name = f"log/tile/{path}"
            content, at = self.archive.read(name, Step.ENTRIES), 0
            until = min(self.head.size, number + WIDTH)
            while at < len(content):
                length = int.from_bytes(content[at : at + 2], "big")
                number, entry = number + 1, content[at + 2 : at + 2 + length]
                yield number, name, entry
                at += 2 + length
            if number != until:
                raise _not_intact(Step.ENTRIES, name, f"It ends with entry {number}, and not with entry {until}.")

    def _check_proof(self, number: int, leaf: bytes, record: str) -> None:
        name = f"proofs/{number}.tlog-proof"
        text, _, note = self.archive.text(name, Step.ENTRIES).partition("\n\n")
        lines = text.split("\n")
        try:
            path = [base64.b64decode(line, validate=True) for line in lines[2:]]
            head = read_checkpoint(note)
        except ValueError:
            raise _not_intact(Step.ENTRIES, record, f"Its proof ({name}) cannot be read.") from None
        is_one = lines[0] == "c2sp.org/tlog-proof@v1" and lines[1:2] == [f"index {number - 1}"]
        if not is_one or (head.body, head.signers(self.keys)) != (self.head.body, self.signers):
            raise _not_intact(Step.ENTRIES, record, f"Its proof ({name}) is not of this entry and this head.")
        if not is_included(leaf, number - 1, head.size, path, head.root):
            raise _not_intact(Step.ENTRIES, record, f"Its proof ({name}) does not lead to the head.")

    def _note(self, entry: dict[str, Any]) -> None:
        for sha256 in entry["artifacts"]:
            first = self.named[sha256].first if sha256 in self.named else entry["number"]
            erased = entry if entry["kind"] in ERASING_KINDS else None
            self.named[sha256] = _Named(first, erased)
        if entry["kind"] == LISTING_KIND:
            for sha256 in self._listed(entry):
                if sha256 in self.named:
                    self.named[sha256] = _Named(self.named[sha256].first, entry)
        if entry["kind"] == PINNING_KIND:
            self.pinned.setdefault(entry["body"]["terms_hash"], entry["number"])

    def _listed(self, entry: dict[str, Any]) -> list[str]:
        """What went with a case; that the list is the one that its entry points to is seen before it is believed."""
        name = f"artifacts/{entry['artifacts'][0]}"
        record = f"entry {entry['number']}"
        if name not in self.archive:
            raise _not_intact(Step.ARTIFACTS, record, "The list of what it says was erased is not there.")
        content = self.archive.read(name, Step.ARTIFACTS)
        if hashlib.sha256(content).hexdigest() != entry["artifacts"][0]:
            raise _not_intact(Step.ARTIFACTS, record, "The list of what was erased is not the one that it points to.")
        return content.decode("ascii", errors="replace").splitlines()

    def check_artifacts(self) -> None:
        """Step 7."""
        for sha256, named in self.watch(self.named.items(), "artifacts", len(self.named)):
            record = f"artifact {sha256}, to which entry {named.first} points"
            if f"artifacts/{sha256}" in self.archive:
                if self.archive.sha256(f"artifacts/{sha256}", Step.ARTIFACTS) != sha256:
                    raise _not_intact(Step.ARTIFACTS, record, "It is not what was stored: its SHA-256 is another.")
                self.verdict.artifacts += 1
            elif f"artifacts/{sha256}.without-links.eml" in self.archive:
                self.verdict.without_links += 1
            elif f"artifacts/{sha256}.erased.json" in self.archive:
                self._check_erasure(sha256, named, record)
            else:
                raise _not_intact(Step.ARTIFACTS, record, "It is not there, and nothing says that it was erased.")
        for name in self.archive.under("artifacts"):
            if name.removeprefix("artifacts/").partition(".")[0] not in self.named:
                raise _not_intact(Step.ARTIFACTS, name, "No entry points to it.")
        for number, gone in sorted(self.gone.items()):
            by = self.named[gone[0]].erased or {}
            when = f"on {by['at']} by {by['actor']} (entry {number})."
            if by["kind"] == LISTING_KIND:
                artifacts = _many(len(gone), "artifact", "artifacts")
                what = f"the personal data of case {by['case_id']}, with {artifacts}"
                self.verdict.erased.append(f"Erased: {what}, {when}")
            else:
                self.verdict.erased.extend(f"Erased: artifact {sha256}, {when}" for sha256 in gone)

    def _check_erasure(self, sha256: str, named: _Named, record: str) -> None:
        said = self.archive.json(f"artifacts/{sha256}.erased.json", Step.ARTIFACTS)
        by = named.erased
        if by is None or not isinstance(said, dict) or said.get("entry") != by["number"]:
            raise _not_intact(
                Step.ARTIFACTS, record, "It is not there, and no entry of the bundle says that it was erased."
            )
        self.gone.setdefault(by["number"], []).append(sha256)

    def check_terms(self) -> None:
        """Step 8."""
        for sha256, number in self.pinned.items():
            name = f"terms/{sha256}.json"
            record = f"the clauses that entry {number} pinned ({name})"
            if name not in self.archive:
                raise _not_intact(Step.TERMS, record, "They are not there.")
            if self.archive.sha256(name, Step.TERMS) != sha256:
                raise _not_intact(Step.TERMS, record, "They are not those that were pinned: their SHA-256 is another.")
        for name in self.archive.under("terms"):
            if Path(name).stem not in self.pinned:
                raise _not_intact(Step.TERMS, name, "No entry pinned these clauses.")

    def check_files(self) -> None:
        """Step 9."""
        for name in self.watch(sorted(self.subjects), "files", len(self.subjects)):
            if self.archive.sha256(name, Step.FILES) != self.subjects[name]:
                raise _not_intact(Step.FILES, name, "It is not what the statement names: it was changed.")

    def check_times(self) -> None:
        """Step 10."""
        for name in self.archive.under("timestamps"):
            stem, _, ending = name.rpartition(".")
            if ending != "tsr":
                continue
            note = self.archive.read(f"{stem}.checkpoint", Step.TIMES)
            try:
                head = read_checkpoint(note.decode())
                imprint, at = read_time_stamp(self.archive.read(name, Step.TIMES))
            except ValueError:  # Unreadable and UnicodeDecodeError are such
                raise _not_intact(Step.TIMES, name, "It, or the checkpoint beside it, cannot be read.") from None
            digest = {32: hashlib.sha256, 48: hashlib.sha384, 64: hashlib.sha512}.get(len(imprint))
            if digest is None or digest(note).digest() != imprint:
                raise _not_intact(Step.TIMES, name, "It is not of the checkpoint beside it.")
            self._hold(head, Step.TIMES, name)
            self.verdict.times.append(
                f"Time: by {name}, the head of {head.size} entries was there on {at}; `openssl ts -verify -data "
                f"{stem}.checkpoint -in {name} -CAfile AUTHORITY.pem` checks whose word that is."
            )

    def check_kept_heads(self) -> None:
        """Step 11."""
        for head in self.heads:
            if head.origin and head.origin != self.head.origin:
                raise _cannot_check(Step.KEPT_HEADS, f"the kept head of {head.origin}", "It is of another log.")
            self._hold(head, Step.KEPT_HEADS, f"the kept head of {head.size} entries")
            self.verdict.heads += 1

    def _hold(self, head: Checkpoint, step: Step, record: str) -> None:
        if head.size > self.head.size:
            reason = f"It has more entries than the bundle's head ({self.head.size}): the newest were removed, or the "
            raise _not_intact(step, record, f"{reason}bundle is older than it.")
        if tree_hash(0, head.size, self.read_tile) != head.root:
            reason = f"The log had other entries then: its first {head.size} were changed since, or it is another log."
            raise _not_intact(step, record, reason)


def _in_order(name: str) -> tuple[bool, int, str]:
    """Entries first, by their numbers."""
    return not name.startswith("entries/"), len(name), name


def _called(name: str) -> str:
    """A file as people call it."""
    return f"entry {Path(name).stem} ({name})" if name.startswith("entries/") else name


def _entry_tiles(size: int) -> Iterator[str]:
    """The names of the tiles with the entries themselves, under ``tile/``."""
    for number in range(-(-size // WIDTH)):
        yield tile_path("entries", number, min(WIDTH, size - number * WIDTH))


def _first_bundle(size: int) -> str:
    return next(_entry_tiles(size))


# Time stamps: as much of RFC 3161 as tells of what and of when


def read_time_stamp(response: bytes) -> tuple[bytes, str]:
    """The digest that a time stamp is of, and its instant; whose word it is, is not checked.

    Raises:
        Unreadable: it is no answer of a time-stamping authority.
    """
    try:
        token = _children(_children(response)[0][1])[1][1]  # TimeStampResp: status, token
        signed_data = _children(_children(token)[1][1])[0][1]  # ContentInfo: type, [0] content
        content = _children(_children(signed_data)[2][1])  # SignedData: version, digests, encapsulated content
        info = _children(_children(_children(content[1][1])[0][1])[0][1])  # [0] OCTET STRING of a TSTInfo
        imprint = _children(info[2][1])[1][1]
        at = info[4][1].decode("ascii")
        return imprint, datetime.strptime(at.partition(".")[0].rstrip("Z") + "+0000", "%Y%m%d%H%M%S%z").isoformat()
    except (IndexError, ValueError):
        raise Unreadable("it is no answer of a time-stamping authority (RFC 3161)") from None


def _children(content: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each value in some DER."""
    found, at = [], 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(content[at : at + size], "big"), at + size
        if at + length > len(content):
            raise Unreadable("it was cut short")
        found.append((tag, content[at : at + length]))
        at += length
    return found


# As a program


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the bundle that the command line names, and say what was found."""
    parser = argparse.ArgumentParser(description="Check a bundle of evidence, offline.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--vkey", help="the log's key as you know it: the key itself, or a file of them")
    parser.add_argument("--head", type=Path, action="append", default=[], help="a file with heads that somebody kept")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    given = parser.parse_args(arguments)
    try:
        trusted = trusted_keys(given.vkey) if given.vkey else ()
        heads = [head for file in given.head for head in kept_heads(file)]
    except Unreadable as error:
        sys.stderr.write(f"{error}\n")
        if given.json:
            sys.stdout.write(f"{json.dumps(asdict(unusable(error)))}\n")
        return EXIT_CODES[COULD_NOT_CHECK]
    verdict = check(given.bundle, trusted=trusted, heads=heads)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.stdout.write(f"{json.dumps(asdict(verdict)) if given.json else verdict.words()}\n")
    return verdict.exit_code


def unusable(error: Unreadable) -> Verdict:
    """The verdict where a key or a head that the reader gave cannot be used."""
    return Verdict(state=COULD_NOT_CHECK, reason=str(error))


def trusted_keys(given: str) -> tuple[VerifierKey, ...]:
    """The keys that a reader gave: one itself, or the file that holds them.

    Raises:
        Unreadable: it is neither.
    """
    try:
        return read_vkeys(given if "+" in given and not Path(given).is_file() else Path(given).read_text("utf-8"))
    except Unreadable as error:
        raise Unreadable(f"The key {given} cannot be used: {error}.") from None
    except FileNotFoundError:
        raise Unreadable(f"The key {given} is neither a verifier key nor a file that holds one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"The key {given} cannot be read ({_why_unread(error)}).") from None


def kept_heads(file: Path) -> tuple[Checkpoint, ...]:
    """The heads that a reader kept in a file.

    Raises:
        Unreadable: it holds none.
    """
    try:
        return read_heads(file.read_text("utf-8"))
    except Unreadable as error:
        raise Unreadable(f"{file} cannot be used: {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file} cannot be read ({_why_unread(error)}).") from None


def _why_unread(error: OSError | UnicodeDecodeError) -> str:
    """Why a file could not be read, as the operating system says it."""
    return (error.strerror or "no reason given") if isinstance(error, OSError) else "it is no text in UTF-8"


if __name__ == "__main__":
    sys.exit(main())
