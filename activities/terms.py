"""Reckoning: what each agreement in a case obliges, when it is due and why, and which notices that takes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import rfc8785
from sqlmodel import Session, col, insert, select, update

from activities.cases import ENGINE, read_standing
from activities.clock import activity_clock
from activities.signatures import RECKON_DUTIES
from config.database import Database
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind
from models import identifiers
from models.anchors import clock_anchors
from models.messages import AnchorValue, BatchPlan, ReckonDuties, Reckoned
from models.tables import Agreement, Batch, CaseAgreement, CaseAnchor, Duty, Notice, Reckoning, TermsSnapshot
from models.words import BatchStatus, DutyStatus, NoticeKind, Party
from terms.duties import DueDuty, duties_for
from terms.effective import EffectiveTerms

BATCH_SIZE = 200
"""How many notices one batch holds at most: one activity's worth of work between two heartbeats of the case."""

EVENT = "breach"
"""The event, as the clause catalogue names it, that this case kind reckons."""


class TermsActivities:
    """The activity that turns dated facts into duties and planned notices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @RECKON_DUTIES.implements
    async def reckon_duties(self, message: ReckonDuties) -> Reckoned:
        """Compute every duty of the case again, keep what changed, and plan the notices not yet planned."""
        now = activity_clock()
        return await asyncio.to_thread(self._reckon, message.case_id, now())

    def _reckon(self, case_id: UUID, now: datetime) -> Reckoned:
        with self._database.writing() as session:
            reckoned = list(_reckon_scope(session, case_id))
            _keep_reckonings(session, {item.reckoning_id: item.body for item in reckoned})
            changed = _keep_duties(session, case_id, reckoned)
            _leave_evidence(session, case_id, changed, now)
            _plan_notices(session, case_id, [item for item in reckoned if item.needs_notice])
            session.flush()
            return Reckoned(batches=_waiting_batches(session, case_id), standing=read_standing(session, case_id))


@dataclass(frozen=True)
class ReckonedDuty:
    """One duty of one agreement as just computed; ``reckoning_id`` names the reasons it shares with others."""

    agreement_id: UUID
    duty: DueDuty
    reckoning_id: str
    body: dict[str, Any]

    @property
    def needs_notice(self) -> bool:
        """Whether its clock runs."""
        return self.duty.due_at is not None


def current_anchors(session: Session, case_id: UUID) -> dict[str, AnchorValue]:
    """The dated facts of a case that nothing has superseded."""
    rows = session.exec(
        select(CaseAnchor).where(CaseAnchor.case_id == case_id, col(CaseAnchor.superseded_at).is_(None))
    )
    return {
        row.name: AnchorValue(name=row.name, instant=row.instant, first_day=row.first_day, last_day=row.last_day)
        for row in rows
    }


def _reckon_scope(session: Session, case_id: UUID) -> Iterable[ReckonedDuty]:
    anchors = clock_anchors(current_anchors(session, case_id))
    scope = session.exec(
        select(Agreement.id, Agreement.time_zone, CaseAgreement.terms_hash)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == case_id)
        .order_by(col(Agreement.id))
    ).all()
    terms = {
        row.hash: EffectiveTerms.from_snapshot(row.body)
        for row in session.exec(
            select(TermsSnapshot).where(col(TermsSnapshot.hash).in_({terms_hash for _, _, terms_hash in scope}))
        )
    }
    shared: dict[tuple[str, str], list[tuple[DueDuty, str, dict[str, Any]]]] = {}
    for agreement_id, zone, terms_hash in scope:
        key = (terms_hash or "", zone)
        if key not in shared:
            shared[key] = [
                (duty, *_reckoning(duty, key[0], zone))
                for duty in duties_for(terms[key[0]], EVENT, anchors, zone=zone)
                if duty.owed_by == Party.PROVIDER.value and duty.contents
            ]
        for duty, reckoning_id, body in shared[key]:
            yield ReckonedDuty(agreement_id, duty, reckoning_id, body)


def _reckoning(duty: DueDuty, terms_hash: str, zone: str) -> tuple[str, dict[str, Any]]:
    body = duty.model_dump(mode="json") | {"terms_hash": terms_hash, "time_zone": zone}
    return identifiers.sha256_hex(rfc8785.dumps(body)), body


def _keep_reckonings(session: Session, bodies: dict[str, dict[str, Any]]) -> None:
    known = set(session.exec(select(Reckoning.id).where(col(Reckoning.id).in_(bodies))))
    session.add_all(Reckoning(id=key, body=body) for key, body in bodies.items() if key not in known)
    session.flush()


def _keep_duties(session: Session, case_id: UUID, reckoned: list[ReckonedDuty]) -> list[ReckonedDuty]:
    """Insert new duties and update those whose reckoning changed and that are still open; return both."""
    kept = {
        duty_id: (reckoning_id, status)
        for duty_id, reckoning_id, status in session.exec(
            select(Duty.id, Duty.reckoning_id, Duty.status).where(Duty.case_id == case_id)
        )
    }
    new, moved, changed = [], [], []
    for item in reckoned:
        duty_id = identifiers.duty_id(case_id, item.agreement_id, item.duty.clause)
        row = {
            "id": duty_id,
            "status": DutyStatus(item.duty.status),
            "reckoning_id": item.reckoning_id,
            "due_at": item.duty.due_at,
        }
        if duty_id not in kept:
            new.append(
                row
                | {
                    "case_id": case_id,
                    "agreement_id": item.agreement_id,
                    "clause": item.duty.clause,
                    "owed_by": Party(item.duty.owed_by),
                    "owed_to": Party(item.duty.owed_to),
                }
            )
        elif kept[duty_id][0] != item.reckoning_id and kept[duty_id][1] in (DutyStatus.PENDING, DutyStatus.RUNNING):
            moved.append(row)
        else:
            continue
        changed.append(item)
    if new:
        session.execute(insert(Duty), new)
    if moved:
        session.execute(update(Duty), moved)
    return changed


def _leave_evidence(session: Session, case_id: UUID, changed: list[ReckonedDuty], now: datetime) -> None:
    cohorts: dict[str, list[ReckonedDuty]] = defaultdict(list)
    for item in changed:
        cohorts[item.reckoning_id].append(item)
    append(
        session,
        *(
            Entry(
                case_id=case_id,
                kind=EvidenceKind.DUTY_RECKONED,
                subject=reckoning_id,
                actor=ENGINE,
                at=now,
                body=items[0].body | {"agreements": [str(item.agreement_id) for item in items]},
                key=f"duty-reckoned:{case_id}:{reckoning_id}:{items[0].agreement_id}",
            )
            for reckoning_id, items in cohorts.items()
        ),
    )


def _plan_notices(session: Session, case_id: UUID, running: list[ReckonedDuty]) -> None:
    planned = set(session.exec(select(Notice.duty_id).where(Notice.case_id == case_id)))
    cohorts: dict[str, list[UUID]] = defaultdict(list)
    clauses = {item.reckoning_id: item.duty.clause for item in running}
    for item in running:
        duty_id = identifiers.duty_id(case_id, item.agreement_id, item.duty.clause)
        if duty_id not in planned:
            cohorts[item.reckoning_id].append(duty_id)
    for reckoning_id, duties in cohorts.items():
        for start in range(0, len(duties), BATCH_SIZE):
            _plan_batch(session, case_id, clauses[reckoning_id], reckoning_id, duties[start : start + BATCH_SIZE])


def _plan_batch(session: Session, case_id: UUID, clause: str, reckoning_id: str, duties: list[UUID]) -> None:
    batch_id = identifiers.batch_id(case_id, NoticeKind.NOTICE, clause, duties[0], reckoning_id)
    session.add(
        Batch(
            id=batch_id,
            case_id=case_id,
            kind=NoticeKind.NOTICE,
            clause=clause,
            reckoning_id=reckoning_id,
            status=BatchStatus.WAITING,
            size=len(duties),
        )
    )
    session.flush()
    session.execute(
        insert(Notice),
        [
            {
                "id": identifiers.notice_id(batch_id, duty_id),
                "batch_id": batch_id,
                "duty_id": duty_id,
                "case_id": case_id,
                "kind": NoticeKind.NOTICE,
                "given": [],
                "lacking": [],
            }
            for duty_id in duties
        ],
    )


def _waiting_batches(session: Session, case_id: UUID) -> tuple[BatchPlan, ...]:
    rows = session.exec(
        select(Batch, Reckoning)
        .join(Reckoning, col(Reckoning.id) == col(Batch.reckoning_id))
        .where(Batch.case_id == case_id, Batch.status == BatchStatus.WAITING)
    )
    return tuple(
        BatchPlan(
            batch_id=batch.id,
            kind=batch.kind,
            clause=batch.clause,
            due_at=datetime.fromisoformat(reckoning.body["due_at"]),
            size=batch.size,
        )
        for batch, reckoning in rows
    )
