"""Writing a bundle of evidence: a ZIP file that an auditor checks without us (``ledger/verify_bundle.py`` says how).

It is written file by file, with little in memory, into a file that only its owner can read; what it holds, and in which
formats, is in ``docs/evidence.md``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

from securesystemslib.dsse import Envelope
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select

from ledger.artifacts import fetch, media_type_of, reading_ahead
from ledger.chain import entry_bytes
from ledger.checkpoints import Head, Tiles
from ledger.entries import JsonObject
from ledger.log_keys import LogKeys, Signer
from ledger.tree import inclusion_proof
from ledger.verify import fields_of
from ledger.verify_bundle import (
    ERASING_KINDS,
    HASH,
    LISTING_KIND,
    PAYLOAD_TYPE,
    PINNING_KIND,
    PREDICATE_TYPE,
    STATEMENT,
    STATEMENT_TYPE,
    WIDTH,
    tile_count,
    tile_path,
    tiles_of,
)
from ledger.watching import Watch
from models.errors import Gone, InvalidInput, NotFound, Unavailable
from models.identifiers import sha256_hex
from models.phrases import instant_words
from models.tables import EvidenceEntry, LedgerCheckpoint, TermsSnapshot

_ENTRIES_A_FETCH = 500
_LETTER = "message/rfc822"

Redact = Callable[[bytes], bytes]
"""Takes the links out of a letter on which its reader answers."""


@dataclass(frozen=True)
class Scope:
    """What a bundle is of: a case, a time, both, or the whole ledger.

    ``since`` is the first instant, ``until`` the first after it, by when things happened.
    """

    case_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def whole(self) -> bool:
        """Whether it is of the whole ledger, so that the entries stand in the log's own tiles."""
        return (self.case_id, self.since, self.until) == (None, None, None)

    def said(self) -> JsonObject:
        """The same, as the statement has it."""
        instants = {"since": self.since, "until": self.until}
        return {"case": str(self.case_id) if self.case_id else None} | {
            name: at.astimezone(UTC).isoformat() if at else None for name, at in instants.items()
        }


def entries_of(scope: Scope, upto: int) -> list[ColumnElement[bool]]:
    """The conditions for the entries of a scope, up to the one of a number.

    What was erased after its time is among them too: without that, nobody could tell why an artifact is not there.
    """
    entry = EvidenceEntry
    conditions = [col(entry.number) <= upto]
    if scope.case_id:
        conditions.append(col(entry.case_id) == scope.case_id)
    if scope.since:
        conditions.append(col(entry.at) >= scope.since)
    if scope.until:
        erasing = col(entry.kind).in_((*ERASING_KINDS, LISTING_KIND))
        conditions.append(or_(col(entry.at) < scope.until, erasing))
    return conditions


@dataclass(frozen=True)
class Said:
    """What the program says about the evidence besides it: the report as a PDF, and the verdicts as data."""

    report: bytes
    verdicts: JsonObject


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written: how many entries and artifacts it holds, and how many artifacts were erased."""

    path: Path
    size: int
    entries: int
    artifacts: int
    erased: int


def refuse_to_overwrite(path: Path) -> None:
    """Return where no file is there yet, and one can be.

    Raises:
        InvalidInput: there is one, or no folder for it.
    """
    if path.exists():
        raise InvalidInput(
            "There is a file already.", where=str(path), next_step="Name another, or move it away first."
        )
    if not path.parent.is_dir():
        raise InvalidInput("There is no such folder.", where=str(path.parent), next_step="Make it, or name another.")


def write_bundle(
    session: Session,
    path: Path,
    scope: Scope,
    head: Head,
    keys: LogKeys,
    said: Said,
    now: datetime,
    *,
    redact: Redact | None = None,
    watch: Watch,
) -> Bundle:
    """Write a bundle of the entries of a scope that a head covers.

    Args:
        session: a session of ``Database.reading()``, which sees one moment of it.
        path: where to; a file that is there is never overwritten.
        scope: which entries.
        head: the head that they are shown to be under.
        keys: what signs the statement.
        said: what the program says of them.
        now: when it is made.
        redact: takes the links out of letters; without it, they are as they were sent, with the links on which their
            readers answer.
        watch: counts along.

    Raises:
        InvalidInput: there is a file already, or no entry within the scope.
        Unavailable: it cannot be written there.
        IntegrityError: an artifact is not what was stored.
        Unavailable: one is in the store of artifacts, and that does not answer.
        ConfigurationError: no key is valid.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
                    writer = _Writer(session, archive, scope, head, keys, now, redact, watch)
                    writer.write(said)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        refuse_to_overwrite(path)
        raise
    except OSError as error:
        raise Unavailable(f"The bundle cannot be written: {error.strerror}.", where=str(path)) from error
    return Bundle(path, path.stat().st_size, writer.entries, writer.artifacts, writer.erased)


@dataclass
class _Writer:
    session: Session
    archive: zipfile.ZipFile
    scope: Scope
    head: Head
    keys: LogKeys
    now: datetime
    redact: Redact | None
    watch: Watch
    entries: int = 0
    artifacts: int = 0
    erased: int = 0
    _asked_for: int = 0
    _subjects: dict[str, str] = field(default_factory=dict)
    _named: dict[str, EvidenceEntry | None] = field(default_factory=dict)
    _terms: set[str] = field(default_factory=set)
    _numbers: list[int] = field(default_factory=list)

    def write(self, said: Said) -> None:
        signers = self.keys.signers(self.now)
        self.add("README.txt", _readme(self.scope, self.head, self.keys, self.now))
        self.add("verify.py", files("ledger").joinpath("verify_bundle.py").read_bytes())
        self.add("vkey", self.keys.vkeys().encode())
        self.add("log/checkpoint", self.head.note.encode())
        self._add_tiles()
        self._add_whole() if self.scope.whole else self._add_entries()
        if not self._asked_for:
            raise InvalidInput("There is no entry of this to export.", next_step="Name another case, or another time.")
        self._add_artifacts()
        self._add_terms()
        self._add_times()
        self.add("report.pdf", said.report)
        self.archive.writestr(self._info(STATEMENT), self._statement(said, signers))

    def add(self, name: str, content: bytes, *, packed: bool = True) -> None:
        """Add a file, and note its SHA-256 for the statement."""
        self.archive.writestr(self._info(name, packed=packed), content)
        self._subjects[name] = sha256_hex(content)

    def _info(self, name: str, *, packed: bool = True) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self.now.astimezone(UTC).timetuple()[:6])
        info.external_attr = 0o100600 << 16
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        return info

    def _add_tiles(self) -> None:
        """The tiles as the head's tree has them; kept ones may have grown since."""
        tiles = Tiles(self.session, keep=False)
        places = tiles_of(self.head.size)
        for level, number, width in self.watch(places, "tiles", tile_count(self.head.size)):
            content = tiles(level, number)[: width * HASH]
            self.add(f"log/tile/{tile_path(level, number, width)}", content, packed=False)

    def _rows(self) -> Iterator[EvidenceEntry]:
        conditions = entries_of(self.scope, self.head.size)
        count = self.session.exec(select(func.count()).select_from(EvidenceEntry).where(*conditions)).one()
        rows = self.session.exec(
            select(EvidenceEntry)
            .where(*conditions)
            .order_by(col(EvidenceEntry.number))
            .execution_options(yield_per=_ENTRIES_A_FETCH)
        )
        for row in self.watch(rows, "entries", count):
            yield row
            self.session.expunge(row)

    def _add_entries(self) -> None:
        tiles = Tiles(self.session)
        for row in self._rows():
            self.add(f"entries/{row.number}.json", entry_bytes(fields_of(row)))
            proof = inclusion_proof(row.number - 1, self.head.size, tiles)
            self.add(f"proofs/{row.number}.tlog-proof", _written_proof(row.number - 1, proof, self.head))
            self._note(row)

    def _add_whole(self) -> None:
        """The entries in the log's own tiles: each after its length, 256 together."""
        some: list[bytes] = []
        for row in self._rows():
            content = entry_bytes(fields_of(row))
            some.append(len(content).to_bytes(2, "big") + content)
            self._note(row)
            if len(some) == WIDTH or self.entries == self.head.size:
                number = (self.entries - 1) // WIDTH
                self.add(f"log/tile/{tile_path('entries', number, len(some))}", b"".join(some))
                some.clear()

    def _note(self, row: EvidenceEntry) -> None:
        self.entries += 1
        # What was erased later is there to explain what is missing, and is nothing that was asked for.
        self._asked_for += self.scope.until is None or row.at < self.scope.until
        self._numbers.append(row.number)
        for sha256 in row.artifacts:
            self._named[sha256] = row if row.kind in ERASING_KINDS else None
        if row.kind == LISTING_KIND:
            went = fetch(self.session, row.artifacts[0]).decode().splitlines()
            self._named |= {sha256: row for sha256 in went if sha256 in self._named}
        if row.kind == PINNING_KIND:
            self._terms.add(row.body["terms_hash"])

    def _add_artifacts(self) -> None:
        read = reading_ahead(self.session, self._named)
        for sha256, content_of in self.watch(read, "artifacts", len(self._named)):
            try:
                content = content_of()
            except Gone:
                self._add_erasure(sha256, self._named[sha256])
                continue
            self.artifacts += 1
            if self.redact and media_type_of(self.session, sha256) == _LETTER:
                self.add(f"artifacts/{sha256}.without-links.eml", self.redact(content))
            else:
                self.add(f"artifacts/{sha256}", content)

    def _add_erasure(self, sha256: str, erased: EvidenceEntry | None) -> None:
        self.erased += 1
        said = {"sha256": sha256, "entry": erased.number if erased else None}
        self.add(f"artifacts/{sha256}.erased.json", json.dumps(said).encode())

    def _add_terms(self) -> None:
        for terms_hash in sorted(self._terms):
            body = self.session.exec(select(TermsSnapshot.body).where(TermsSnapshot.hash == terms_hash)).one_or_none()
            if body is None:
                raise NotFound("The clauses that a case pinned are no longer kept.", where=f"terms {terms_hash}")
            self.add(f"terms/{terms_hash}.json", body)

    def _add_times(self) -> None:
        """For each entry, the first time stamp of a head that covers it."""
        stamped = self.session.exec(
            select(LedgerCheckpoint)
            .where(col(LedgerCheckpoint.timestamp_token).is_not(None), col(LedgerCheckpoint.size) <= self.head.size)
            .order_by(col(LedgerCheckpoint.size))
        ).all()
        first = {bisect_left(stamped, number, key=lambda row: row.size) for number in self._numbers} if stamped else ()
        for place in sorted(first):
            if place < len(stamped):
                row = stamped[place]
                self.add(f"timestamps/{row.size}.checkpoint", row.note.encode())
                self.add(f"timestamps/{row.size}.tsr", row.timestamp_token or b"")

    def _statement(self, said: Said, signers: Sequence[Signer]) -> bytes:
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": sha}} for name, sha in sorted(self._subjects.items())],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "made_at": self.now.astimezone(UTC).isoformat(),
                "log": {
                    "origin": self.keys.origin,
                    "size": self.head.size,
                    "root": base64.b64encode(bytes.fromhex(self.head.root)).decode(),
                },
                "scope": self.scope.said(),
                "entries": self.entries,
                "artifacts": {"kept": self.artifacts, "erased": self.erased},
                **said.verdicts,
            },
        }
        return signed_statement(statement, signers)


def signed_statement(statement: JsonObject, signers: Sequence[Signer]) -> bytes:
    """An in-toto statement in its envelope (DSSE), signed by each of the keys."""
    envelope = Envelope(json.dumps(statement).encode(), PAYLOAD_TYPE, {})
    for signer in signers:
        envelope.sign(_as_signer(signer))
    return json.dumps(envelope.to_dict()).encode()


def _as_signer(signer: Signer) -> CryptoSigner:
    public = SSlibKey.from_crypto(signer.secret.public_key(), keyid=signer.key.id.hex())
    return CryptoSigner(signer.secret, public)


def _written_proof(index: int, proof: Iterable[bytes], head: Head) -> bytes:
    """An inclusion proof as C2SP tlog-proof has it."""
    hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{head.note}".encode()


def _readme(scope: Scope, head: Head, keys: LogKeys, now: datetime) -> bytes:
    text = files("ledger").joinpath("bundle_readme.txt").read_text("utf-8")
    of = "the whole ledger" if scope.whole else f"case {scope.case_id}" if scope.case_id else "a part of the ledger"
    words: dict[str, Any] = {
        "of": of,
        "origin": keys.origin,
        "size": head.size,
        "root": base64.b64encode(bytes.fromhex(head.root)).decode(),
        "made": instant_words(now.astimezone(UTC)),
        "vkey": keys.keys[-1].text,
        "fingerprint": hashlib.sha256(keys.keys[-1].public).hexdigest(),
    }
    return text.format_map(words).encode()
