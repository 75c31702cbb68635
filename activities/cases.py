"""Opening and closing a case, recording its dated facts, and reading how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from typing import TypeVar
from uuid import UUID, uuid5

from sqlalchemy import func
from sqlmodel import Session, col, select, update

from activities.clock import activity_clock
from activities.signatures import CLOSE_CASE, OPEN_CASE, READ_STANDING, RECORD_ANCHOR
from config.database import Database
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind
from models.messages import CaseStanding, CloseCase, OpenCase, ReadStanding, RecordAnchor
from models.tables import Agreement, Batch, Case, CaseAgreement, CaseAnchor, Duty, ExhibitHChange, TermsSnapshot
from models.words import OPEN_STATUSES, BatchStatus, CaseStatus
from terms.catalogue import Catalogue
from terms.effective import Amendment, EffectiveTerms, effective_terms

ENGINE = "duenotice"
"""The actor of what no person did."""

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

    @RECORD_ANCHOR.implements
    async def record_anchor(self, message: RecordAnchor) -> CaseStanding:
        """Store one dated fact of the case, with its evidence."""
        now = activity_clock()
        return await asyncio.to_thread(self._in_writing, lambda session: _record_anchor(session, message, now()))

    @READ_STANDING.implements
    async def read_standing(self, message: ReadStanding) -> CaseStanding:
        """Count what is open in the case."""
        return await asyncio.to_thread(self._in_writing, lambda session: read_standing(session, message.case_id))

    @CLOSE_CASE.implements
    async def close_case(self, message: CloseCase) -> CaseStanding:
        """Close the case, with its last evidence."""
        now = activity_clock()
        return await asyncio.to_thread(self._in_writing, lambda session: _close(session, message.case_id, now()))

    def _in_writing(self, act: Callable[[Session], Answer]) -> Answer:
        with self._database.writing() as session:
            return act(session)

    def _open(self, session: Session, case_id: UUID, now: datetime) -> CaseStanding:
        pin_terms(session, self._catalogue, case_id, now)
        case = session.get_one(Case, case_id)
        case.status = CaseStatus.OPEN
        session.add(case)
        return read_standing(session, case_id)


def read_standing(session: Session, case_id: UUID) -> CaseStanding:
    """How many duties of a case are open, how many notices wait, and when the next running duty is due."""
    open_duties = col(Duty.status).in_(OPEN_STATUSES)
    count, next_due = session.exec(
        select(func.count(), func.min(Duty.due_at)).where(Duty.case_id == case_id, open_duties)
    ).one()
    waiting = session.exec(
        select(func.coalesce(func.sum(Batch.size), 0)).where(
            Batch.case_id == case_id, Batch.status == BatchStatus.WAITING
        )
    ).one()
    return CaseStanding(open_duties=count, waiting_notices=waiting, next_due_at=next_due)


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


def exhibit_h_changes(session: Session, agreements: list[UUID]) -> dict[UUID, tuple[Amendment, ...]]:
    """The Exhibit H changes of the agreements that have any, in order of their effective dates."""
    wanted = set(agreements)
    rows = session.exec(
        select(ExhibitHChange).order_by(col(ExhibitHChange.agreement_id), col(ExhibitHChange.effective_on))
    )
    grouped = groupby((row for row in rows if row.agreement_id in wanted), key=lambda row: row.agreement_id)
    return {agreement: tuple(Amendment.model_validate(row.operation) for row in group) for agreement, group in grouped}


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
            key=f"terms-pinned:{case_id}:{terms_hash}:{agreements[0]}",
        ),
    )


def _record_anchor(session: Session, message: RecordAnchor, now: datetime) -> CaseStanding:
    anchor = message.anchor
    value = anchor.model_dump(mode="json", exclude_none=True)
    row_id = uuid5(message.case_id, f"anchor:{sorted(value.items())}")
    if session.get(CaseAnchor, row_id) is None:
        session.add(
            CaseAnchor(
                id=row_id,
                case_id=message.case_id,
                name=anchor.name,
                instant=anchor.instant,
                first_day=anchor.first_day,
                last_day=anchor.last_day,
                recorded_at=now,
                recorded_by=message.actor,
            )
        )
    append(
        session,
        Entry(
            case_id=message.case_id,
            kind=EvidenceKind.ANCHOR_RECORDED,
            subject=anchor.name,
            actor=message.actor,
            at=now,
            body=value,
            key=f"anchor-recorded:{row_id}",
        ),
    )
    return read_standing(session, message.case_id)


def _close(session: Session, case_id: UUID, now: datetime) -> CaseStanding:
    case = session.get_one(Case, case_id)
    case.status, case.closed_at = CaseStatus.CLOSED, case.closed_at or now
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
