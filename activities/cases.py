"""Opening and closing a case, recording its dated facts, and reading how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select, update

from activities.acts import record_act
from activities.clock import activity_clock
from activities.directory import exhibit_h_changes
from activities.signatures import CLOSE_CASE, OPEN_CASE, READ_STANDING, RECORD_ACT
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind
from models.messages import AdoptTerms, CaseStanding, CloseCase, OpenCase, ReadStanding, RecordAct
from models.tables import Agreement, Batch, Case, CaseAgreement, Duty, Notice, TermsSnapshot
from models.words import OPEN_STATUSES, BatchStatus, CaseStatus
from terms.catalogue import Catalogue
from terms.effective import Amendment, EffectiveTerms, effective_terms

Answer = TypeVar("Answer")


class CaseActivities:
    """The activities that keep a case's own rows."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    @OPEN_CASE.implements
    async def open_case(self, message: OpenCase) -> CaseStanding:
        """Pin the effective terms of every agreement in scope and mark the case open."""
        now = activity_clock()
        return await asyncio.to_thread(self._in_writing, lambda session: self._open(session, message.case_id, now()))

    @RECORD_ACT.implements
    async def record_act(self, message: RecordAct) -> CaseStanding:
        """Store what a person did in the case, with its evidence."""
        return await asyncio.to_thread(self._in_writing, lambda session: self._record(session, message))

    @READ_STANDING.implements
    async def read_standing(self, message: ReadStanding) -> CaseStanding:
        """Count what is open in the case."""
        return await asyncio.to_thread(self._read, message.case_id)

    @CLOSE_CASE.implements
    async def close_case(self, message: CloseCase) -> CaseStanding:
        """Close the case, with its last evidence."""
        now = activity_clock()
        return await asyncio.to_thread(self._in_writing, lambda session: _close(session, message.case_id, now()))

    def _read(self, case_id: UUID) -> CaseStanding:
        with self._database.reading() as session:
            return read_standing(session, case_id)

    def _in_writing(self, act: Callable[[Session], Answer]) -> Answer:
        with self._database.writing() as session:
            return act(session)

    def _open(self, session: Session, case_id: UUID, now: datetime) -> CaseStanding:
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
        return read_standing(session, case_id)

    def _record(self, session: Session, message: RecordAct) -> CaseStanding:
        if isinstance(message.act, AdoptTerms):
            unpin_terms(session, message.case_id)
            pin_terms(session, self._catalogue, message.case_id, message.at)
        record_act(message.act, session, message.case_id, message.at)
        return read_standing(session, message.case_id)


def read_standing(session: Session, case_id: UUID) -> CaseStanding:
    """How many duties of a case are open and which due instants they have, and what notices still wait for."""
    in_case = Duty.case_id == case_id
    open_duties = col(Duty.status).in_(OPEN_STATUSES)
    due = [
        instant
        for instant in session.exec(
            select(Duty.due_at).where(in_case, open_duties, col(Duty.due_at).is_not(None)).distinct()
        )
        if instant
    ]
    notices = Notice.case_id == case_id, col(Notice.dropped).is_(False)
    given = col(Notice.given_at).is_not(None)
    return CaseStanding(
        open_duties=_count(session, Duty, in_case, open_duties),
        waiting_notices=session.exec(
            select(func.count())
            .select_from(Notice)
            .join(Batch, col(Batch.id) == col(Notice.batch_id))
            .where(*notices, Batch.status == BatchStatus.WAITING)
        ).one(),
        next_due_at=min(due, default=None),
        lacking_notices=_count(session, Duty, in_case, Duty.lacking_count > 0),
        unacknowledged=_count(session, Notice, *notices, given, col(Notice.acknowledged_at).is_(None)),
        due_instants=tuple(sorted(due)),
    )


def _count(session: Session, table: type[Duty] | type[Notice], *where: ColumnElement[bool] | bool) -> int:
    return session.exec(select(func.count()).select_from(table).where(*where)).one()


def unpin_terms(session: Session, case_id: UUID) -> None:
    """Let go of the terms pinned for a case, so that those in force now can be pinned."""
    session.execute(update(CaseAgreement).where(col(CaseAgreement.case_id) == case_id).values(terms_hash=None))


def pin_terms(session: Session, catalogue: Catalogue, case_id: UUID, now: datetime) -> None:
    """Give every agreement of the case that has none yet the terms in force for it on this day.

    Agreements with the same form, state and Exhibit H changes share one snapshot, stored under its hash.
    """
    unpinned = session.exec(
        select(Agreement)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == case_id, col(CaseAgreement.terms_hash).is_(None))
    ).all()
    changes = exhibit_h_changes(session, [agreement.id for agreement in unpinned])
    hashes: dict[str, list[UUID]] = {}
    known: dict[tuple[str, str, tuple[Amendment, ...]], EffectiveTerms] = {}
    for agreement in unpinned:
        key = (agreement.form, agreement.state, changes.get(agreement.id, ()))
        if key not in known:
            known[key] = effective_terms(catalogue, key[0], key[1], amendments=key[2], on=now.date())
            _keep_snapshot(session, known[key], now)
        hashes.setdefault(known[key].hash, []).append(agreement.id)
    for terms_hash, agreements in hashes.items():
        _pin(session, case_id, terms_hash, agreements, now)


def _keep_snapshot(session: Session, terms: EffectiveTerms, now: datetime) -> None:
    if session.get(TermsSnapshot, terms.hash) is None:
        session.add(
            TermsSnapshot(
                hash=terms.hash, form=terms.form, state=terms.state or "", body=terms.snapshot(), taken_at=now
            )
        )
        session.flush()


def _pin(session: Session, case_id: UUID, terms_hash: str, agreements: list[UUID], now: datetime) -> None:
    session.execute(
        update(CaseAgreement),
        [{"case_id": case_id, "agreement_id": agreement, "terms_hash": terms_hash} for agreement in agreements],
    )
    append(
        session,
        Entry(
            case_id=case_id,
            kind=EvidenceKind.TERMS_PINNED,
            subject=terms_hash,
            actor=ENGINE,
            at=now,
            body={"terms_hash": terms_hash, "agreements": [str(agreement) for agreement in agreements]},
            key=f"terms-pinned:{case_id}:{terms_hash}:{agreements[0]}:{now.isoformat()}",
        ),
    )


def _close(session: Session, case_id: UUID, now: datetime) -> CaseStanding:
    case = session.get_one(Case, case_id)
    if case.status is not CaseStatus.DISMISSED:
        case.status = CaseStatus.CLOSED
    case.closed_at = case.closed_at or now
    session.add(case)
    verdicts = session.exec(
        select(Duty.status, Duty.verdict, func.count())
        .where(Duty.case_id == case_id)
        .group_by(col(Duty.status), col(Duty.verdict))
    ).all()
    append(
        session,
        Entry(
            case_id=case_id,
            kind=EvidenceKind.CASE_CLOSED,
            actor=ENGINE,
            at=now,
            body={"duties": {f"{verdict or status}": count for status, verdict, count in verdicts}},
            key=f"case-closed:{case_id}",
        ),
    )
    return read_standing(session, case_id)
