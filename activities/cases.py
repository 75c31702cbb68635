"""Opening and closing a case, recording its dated facts, and reading how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session, col, update

from activities.clock import activity_clock
from activities.contracts import CLOSE_CASE, OPEN_CASE, RECORD_ACT, SUMMARISE_CASE
from cases.messages import AdoptTerms, CaseSummary, CloseCase, OpenCase, RecordAct, SummariseCase
from config.database import Database
from models.enums import BatchStatus, CaseStatus
from models.tables import Batch, Case
from records.acts import record_act
from records.cases import close_case
from records.scope import pin_terms, unpin_terms
from records.summary import summarise
from terms.catalogue import Catalogue

Answer = TypeVar("Answer")


class CaseActivities:
    """The activities that keep a case's own rows."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    @OPEN_CASE.implements
    async def open_case(self, message: OpenCase) -> CaseSummary:
        """Pin the effective terms of every agreement in scope and mark the case open."""
        now = activity_clock()
        return await asyncio.to_thread(self._in_writing, lambda session: self._open(session, message.case_id, now()))

    @RECORD_ACT.implements
    async def record_act(self, message: RecordAct) -> CaseSummary:
        """Store what a person did in the case, with its evidence."""
        return await asyncio.to_thread(self._in_writing, lambda session: self._record(session, message))

    @SUMMARISE_CASE.implements
    async def summarise(self, message: SummariseCase) -> CaseSummary:
        """Count what is open in the case."""
        return await asyncio.to_thread(self._read, message.case_id)

    @CLOSE_CASE.implements
    async def close_case(self, message: CloseCase) -> CaseSummary:
        """Close the case, with its last evidence."""
        now = activity_clock()
        return await asyncio.to_thread(self._in_writing, lambda session: close_case(session, message.case_id, now()))

    def _read(self, case_id: UUID) -> CaseSummary:
        with self._database.reading() as session:
            return summarise(session, case_id)

    def _in_writing(self, act: Callable[[Session], Answer]) -> Answer:
        with self._database.writing() as session:
            return act(session)

    def _open(self, session: Session, case_id: UUID, now: datetime) -> CaseSummary:
        pin_terms(session, self._catalogue, case_id, now)
        case = session.get_one(Case, case_id)
        if case.status is CaseStatus.REPORTED:
            case.status = CaseStatus.OPEN
        # Nothing is being sent while a case is opened: where one was lost in the midst of it, it begins again.
        session.execute(
            update(Batch)
            .where(col(Batch.case_id) == case_id, col(Batch.status) == BatchStatus.SENDING)
            .values(status=BatchStatus.WAITING)
        )
        return summarise(session, case_id)

    def _record(self, session: Session, message: RecordAct) -> CaseSummary:
        if isinstance(message.act, AdoptTerms):
            unpin_terms(session, message.case_id)
            pin_terms(session, self._catalogue, message.case_id, message.at)
        record_act(message.act, session, message.case_id, message.at)
        return summarise(session, message.case_id)
