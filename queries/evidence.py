"""The evidence of a case, and the messages as sent."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, func, select

from config.database import Database
from ledger.artifacts import fetch
from ledger.entries import HolderWritten
from models.errors import NotFound
from models.tables import Delivery, EvidenceEntry, Letter, Notice
from queries.views import EvidenceView


def read_evidence(
    database: Database, case_id: UUID, *, offset: int, limit: int
) -> tuple[tuple[EvidenceView, ...], int]:
    """Some of the evidence of a case, in order, and how much there is."""
    with database.reading() as session:
        there = select(func.count()).select_from(EvidenceEntry).where(EvidenceEntry.case_id == case_id)
        return evidence_of(session, case_id, offset=offset, limit=limit), session.exec(there).one()


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
        select(EvidenceEntry)
        .where(EvidenceEntry.case_id == case_id)
        .order_by(col(EvidenceEntry.number))
        .offset(offset)
        .limit(limit)
    )
    return tuple(EvidenceView(**row.model_dump(exclude={"case_id", "key", "salt"})) for row in rows)
