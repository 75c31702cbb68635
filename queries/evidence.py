"""The evidence of a case, and the messages as sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from cases.acts import Vouch
from config.database import Database
from ledger.artifacts import fetch
from ledger.entries import ActRecorded, CaseRead, HolderWritten, JsonObject, LetterTookEffect, NoticeGiven
from models.errors import NotFound
from models.tables import Batch, Delivery, EvidenceEntry, Letter, Notice
from queries.views import EvidenceView

_VOUCHED = f"{ActRecorded.kind}.{Vouch.act_name()}"


def read_evidence(
    database: Database, case_id: UUID, *, offset: int, limit: int
) -> tuple[tuple[EvidenceView, ...], int]:
    """Some of the evidence of a case, in order, and how much there is; who read it is listed by itself."""
    with database.reading() as session:
        there = select(func.count()).select_from(EvidenceEntry).where(*_of_case(case_id))
        return evidence_of(session, case_id, offset=offset, limit=limit), session.exec(there).one()


def count_evidence_before(database: Database, case_id: UUID, number: int) -> int:
    """How many entries of a case's evidence come before the entry of a number."""
    with database.reading() as session:
        earlier = col(EvidenceEntry.number) < number
        return session.exec(select(func.count()).select_from(EvidenceEntry).where(*_of_case(case_id), earlier)).one()


def read_message(database: Database, case_id: UUID, sha256: str) -> bytes:
    """The message of one of the case's deliveries, or of a letter in it, as sent, or one to a holder without its link.

    Raises:
        NotFound: none of the case holds it.
    """
    with database.reading() as session:
        of_case = session.exec(
            select(Delivery.id)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case_id, Delivery.message_sha256 == sha256)
        ).first()
        of_letter = select(Letter.id).where(Letter.case_id == case_id, Letter.message_sha256 == sha256)
        is_kept = of_case is not None or session.exec(of_letter).first() is not None
        if not is_kept and sha256 not in _to_holders(session, case_id):
            raise NotFound("No such message was sent in this case.", next_step="Open it from the case's page.")
        return fetch(session, sha256)


def _of_case(case_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """The conditions for the entries of a case but for those that say who read it, which have a list of their own."""
    return col(EvidenceEntry.case_id) == case_id, col(EvidenceEntry.kind) != CaseRead.kind


def _to_holders(session: Session, case_id: UUID) -> set[str]:
    rows = session.exec(
        select(EvidenceEntry.artifacts).where(
            EvidenceEntry.case_id == case_id, EvidenceEntry.kind == HolderWritten.kind
        )
    )
    return {sha256 for artifacts in rows for sha256 in artifacts}


def evidence_of(
    session: Session, case_id: UUID, *, offset: int = 0, limit: int | None = None
) -> tuple[EvidenceView, ...]:
    rows = session.exec(
        select(EvidenceEntry).where(*_of_case(case_id)).order_by(col(EvidenceEntry.number)).offset(offset).limit(limit)
    )
    return tuple(EvidenceView(**row.model_dump(exclude={"case_id", "key", "key_digest", "salt"})) for row in rows)


@dataclass(frozen=True, slots=True)
class EntryBrief:
    """One entry, as far as it is held against the history of its case's workflow.

    Attributes:
        batch_id: the batch of notices that it is about, where it is about one.
        gives: how many notices it says were given, by mail, by post, or on a person's word.
    """

    number: int
    kind: str
    at: datetime
    actor: str
    subject: str | None
    batch_id: UUID | None
    gives: int


def read_briefs(database: Database, case_id: UUID, *, limit: int) -> tuple[EntryBrief, ...]:
    """The first entries of a case but for readings, in order, each as far as a history can say the same."""
    with database.reading() as session:
        batch_of = {
            str(notice): batch
            for notice, batch in session.execute(
                select_columns(col(Notice.id), col(Notice.batch_id)).where(col(Notice.case_id) == case_id)
            )
        }
        of_case = select(Batch.id).where(Batch.case_id == case_id)
        batches = {str(batch): batch for batch in session.exec(of_case)}
        columns = (EvidenceEntry.number, EvidenceEntry.kind, EvidenceEntry.at, EvidenceEntry.actor)
        rows = session.execute(
            select_columns(*map(col, columns), col(EvidenceEntry.subject), col(EvidenceEntry.body))
            .where(*_of_case(case_id))
            .order_by(col(EvidenceEntry.number))
            .limit(limit)
        )
        return tuple(
            EntryBrief(
                number,
                kind,
                at,
                actor,
                subject,
                batch_id=_batch_of(subject, body, batch_of, batches),
                gives=_given_by(kind, body),
            )
            for number, kind, at, actor, subject, body in rows
        )


def _batch_of(
    subject: str | None, body: JsonObject, batch_of: Mapping[str, UUID], batches: Mapping[str, UUID]
) -> UUID | None:
    """The batch that an entry is about: by its notice, or because it names it."""
    if subject and subject in batch_of:
        return batch_of[subject]
    return batches.get(str(body.get("batch_id", subject)))


def _given_by(kind: str, body: JsonObject) -> int:
    if kind == _VOUCHED:
        return len(body.get("deliveries", ()))
    return int(kind in (NoticeGiven.kind, LetterTookEffect.kind))
