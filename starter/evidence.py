"""Making a bundle of evidence, for every face: who asked is recorded, a head is signed over that, and it is written."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from config.database import Database
from config.settings import Settings
from ledger.append import append
from ledger.bundle import Bundle, Said, Scope, refuse_to_overwrite, write_bundle
from ledger.checkpoints import Head, newest_head, sign_head, unsigned_entries
from ledger.entries import EvidenceAskedFor
from ledger.log_keys import LogKeys, load_log_keys
from ledger.watching import Watch
from mail.links import message_without_links
from mail.verification import Line
from models.errors import Refused
from queries.evidence_report import report_pdf, tell
from records.scope import require_case


def export_bundle(
    database: Database,
    settings: Settings,
    scope: Scope,
    path: Path,
    *,
    actor: str,
    now: datetime,
    as_sent: bool,
    watch: Watch,
) -> Bundle:
    """Write a bundle of evidence, with an entry that says who asked for it.

    Args:
        database: where the evidence is.
        settings: name the key that signs, and how many entries one head may add.
        scope: a case, a time, or the whole ledger.
        path: where to; nothing that is there is overwritten.
        actor: who asked.
        now: the present instant, by the wall clock.
        as_sent: whether letters are in it as they were sent, with the links on which their readers answer.
        watch: counts along.

    Raises:
        NotFound: there is no such case.
        InvalidInput: there is a file already, no folder for it, or nothing within the scope.
        IntegrityError: the ledger is not what it was.
        ConfigurationError: there is no key to sign with.
    """
    keys = load_log_keys(settings.log_key)
    keys.signers(now)
    refuse_to_overwrite(path)
    with database.writing() as session:
        if scope.case_id:
            require_case(session, scope.case_id)
        said = EvidenceAskedFor(
            case_id=scope.case_id,
            actor=actor,
            at=now,
            export_id=uuid4(),
            since=scope.since,
            until=scope.until,
            as_sent=as_sent,
        )
        append(session, said)
    head = sign_all(database, keys, lambda: now, at_most=settings.checkpoint_entries)
    with database.reading() as session:
        report, verdicts = tell(session, scope, head.size, _proof(head, keys), now, settings.organisation.name)
        said_of_it = Said(report_pdf(report, now), verdicts)
        redact = None if as_sent else message_without_links
        return write_bundle(session, path, scope, head, keys, said_of_it, now, redact=redact, watch=watch)


def sign_all(database: Database, keys: LogKeys, clock: Callable[[], datetime], *, at_most: int) -> Head:
    """Sign heads until one covers every entry that is there; return the newest.

    Raises:
        Refused: there is no entry.
        IntegrityError: the ledger is not what it was.
        ConfigurationError: there is no key to sign with.
    """
    while True:
        head = sign_head(database, keys, clock(), at_most=at_most)
        with database.reading() as session:
            newest = newest_head(session)
            if newest and not unsigned_entries(session):
                return newest
        if head is None:
            raise Refused("The ledger holds no entry yet, and so it has no head.")


def _proof(head: Head, keys: LogKeys) -> tuple[Line, ...]:
    return (
        Line(label="Log", value=keys.origin),
        Line(label="Entries in it", value=f"{head.size:,}"),
        Line(label="Root", value=base64.b64encode(bytes.fromhex(head.root)).decode()),
        Line(label="Signed", value=head.kept_at.isoformat()),
        Line(label="Key", value=keys.keys[-1].text),
    )
