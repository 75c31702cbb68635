"""A ledger with a case in it, its bundles, and what somebody could make of them."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from agreements.importing import import_agreements
from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from ledger.append import append
from ledger.artifacts import erase, store
from ledger.bundle import Bundle, Scope, signed_statement
from ledger.entries import ActRecorded, FileErased, WatchdogRaised
from ledger.log_keys import LogKeys, create_log_key
from ledger.verify_bundle import STATEMENT
from models.enums import BatchStatus
from models.identifiers import sha256_hex
from starter.evidence import export_bundle
from starter.resources import utc_now
from terms.catalogue import load_catalogue
from tests.support.given_notices import give_notices
from tests.support.installation import demo_agreements

REASON, PROOF, GONE = b"Counsel asks for it.", b"A signed receipt.", b"A list of pupils."
LETTER = (
    b"From: a@provider.test\r\nTo: b@lea.test\r\nSubject: Told\r\n\r\nhttps://provider.test/n/" + 46 * b"x" + b"\r\n"
)
OTHERS = 300
"""How many entries of other cases stand before those of the case: more than a tile holds."""


@dataclass(frozen=True)
class Evidence:
    """A ledger: entries of other cases, and of one with reasons, proofs, a letter, and a file that was erased."""

    database: Database
    settings: Settings
    keys: LogKeys
    case_id: UUID
    reason: str
    proof: str
    letter: str
    gone: str

    def export(
        self, path: Path, scope: Scope | None = None, *, settings: Settings | None = None, as_sent: bool = True
    ) -> Bundle:
        """Export the case, or another scope."""
        return export_bundle(
            self.database,
            settings or self.settings,
            scope or Scope(self.case_id),
            path,
            actor="auditor",
            now=utc_now(),
            as_sent=as_sent,
            watch=unwatched,
        )

    def others(self, first: int, last: int) -> None:
        """Let something happen in other cases."""
        with self.database.writing() as session:
            append(session, *(happened(number) for number in range(first, last + 1)))


def unwatched(things: Iterable[Any], _: str, __: int) -> Iterable[Any]:
    return things


def happened(number: int) -> WatchdogRaised:
    """Something in another case."""
    return WatchdogRaised(
        case_id=UUID(int=7),
        actor="duenotice",
        at=utc_now(),
        batch_id=UUID(int=number),
        status=BatchStatus.WAITING,
        finding="stuck",
    )


def keep_evidence(folder: Path, keyring: Keyring, **settings_given: str) -> Evidence:
    """Keep a ledger in a folder, or in another database."""
    chosen = {"home": folder / "home", "log_key": folder / "log" / "key.json"}
    settings = Settings.model_validate(chosen | settings_given)
    now = utc_now()
    keys = create_log_key(settings.log_key, "provider.test", now - timedelta(minutes=1))
    database = Database(settings.database_url.get_secret_value(), keyring)
    database.migrate()
    catalogue = load_catalogue()
    with database.writing() as session:
        append(session, *(happened(number) for number in range(1, OTHERS + 1)))
    import_agreements(
        database, catalogue, demo_agreements(), file_name="agreements.csv", now=now - timedelta(days=1), actor="officer"
    )
    case_id = give_notices(database, catalogue, now).case_id
    with database.writing() as session:
        contents = ((REASON, "text/plain"), (PROOF, "text/plain"), (LETTER, "message/rfc822"), (GONE, "text/csv"))
        reason, proof, letter, gone = (store(session, content, of, now) for content, of in contents)
        append(
            session,
            *(act(case_id, number, kept, now) for number, kept in enumerate(((reason, gone), (proof, letter), ()))),
        )
        append(session, _erased(case_id, gone, now))
        erase(session, gone, now)
    return Evidence(database, settings, keys, case_id, reason, proof, letter, gone)


def _erased(case_id: UUID, gone: str, now: datetime) -> FileErased:
    return FileErased(case_id=case_id, actor="duenotice", at=now, handed_over=UUID(int=9), link=1, content_sha256=gone)


def act(case_id: UUID, number: int, kept: tuple[str, ...], now: datetime) -> ActRecorded:
    """A decision of an officer."""
    return ActRecorded(
        case_id=case_id,
        actor="officer",
        at=now,
        act="withhold",
        act_id=UUID(int=number),
        particulars={"number": number},
        kept_sha256=kept,
    )


Change = Callable[[bytes], bytes]


def _unchanged(content: bytes) -> bytes:
    return content


def rewritten(
    bundle: Path,
    out: Path,
    changes: Mapping[str, bytes | Change | None] | None = None,
    added: Mapping[str, bytes] | None = None,
    signed: LogKeys | None = None,
) -> Path:
    """A copy of a bundle with some files changed, removed (None) or added; ``signed`` anew by whoever has the key."""
    changes = changes or {}
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        assert set(changes) <= set(old.namelist()), "only what is there is changed"
        for name in old.namelist():
            change = changes.get(name, _unchanged)
            if change is not None:
                new.writestr(name, change if isinstance(change, bytes) else change(old.read(name)))
        for name, content in (added or {}).items():
            new.writestr(name, content)
    return _signed_again(out, signed) if signed else out


def _signed_again(bundle: Path, keys: LogKeys) -> Path:
    """A bundle whose statement is of what it holds now."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != STATEMENT}
        statement = json.loads(base64.b64decode(json.loads(archive.read(STATEMENT))["payload"]))
    subject = [{"name": name, "digest": {"sha256": sha256_hex(content)}} for name, content in files.items()]
    envelope = signed_statement(statement | {"subject": subject}, keys.signers(utc_now()))
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (files | {STATEMENT: envelope}).items():
            archive.writestr(name, content)
    return bundle


def names(bundle: Path, folder: str) -> list[str]:
    """The files of a folder in a bundle; numbered ones in the order of their numbers."""
    with zipfile.ZipFile(bundle) as archive:
        found = [name for name in archive.namelist() if name.startswith(f"{folder}/")]
    return sorted(found, key=lambda name: (len(name), name))
