"""Who read what of a case, the latest first."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import col, func, select

from config.database import Database
from ledger.entries import CaseRead, DocumentFetched, FileFetched
from models.enums import Reading
from models.tables import EvidenceEntry
from models.view import View

_FETCHED = {DocumentFetched.kind: Reading.DOCUMENT, FileFetched.kind: Reading.FILE}
"""What was fetched through a link, by the kind of its entry."""


class ReadingView(View):
    """One reading: the entry that holds it, who read, what, and which one of several."""

    number: int
    at: datetime
    actor: str
    what: Reading
    thing: str | None


def read_readings(database: Database, case_id: UUID, *, offset: int, limit: int) -> tuple[tuple[ReadingView, ...], int]:
    """Some of the readings of a case, the latest first, and how many there are."""
    of_case = EvidenceEntry.case_id == case_id, col(EvidenceEntry.kind).in_((CaseRead.kind, *_FETCHED))
    with database.reading() as session:
        total = session.exec(select(func.count()).select_from(EvidenceEntry).where(*of_case)).one()
        query = select(EvidenceEntry).where(*of_case).order_by(col(EvidenceEntry.number).desc())
        rows = session.exec(query.offset(offset).limit(limit))
        return tuple(_view(row) for row in rows), total


def _view(row: EvidenceEntry) -> ReadingView:
    what = _FETCHED.get(row.kind) or Reading(row.body["what"])
    return ReadingView(number=row.number, at=row.at, actor=row.actor, what=what, thing=row.subject)
