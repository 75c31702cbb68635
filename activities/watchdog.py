"""The watchdog: finds in SQL what the clocks should have seen to and have not, and raises each once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.clock import activity_clock
from activities.notices import released_key
from activities.reminders import ReminderActivities
from activities.signatures import SWEEP
from activities.starting import start_case
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import Entry, append
from ledger.kinds import EvidenceKind
from mail.compose import utc_instant
from models import identifiers
from models.grouping import grouped
from models.messages import NoticePolicy, RaiseOverdue, Sweep, Swept
from models.tables import Batch, Case, Duty, EvidenceEntry
from models.words import BatchStatus, CaseKind, DutyStatus


@dataclass(frozen=True)
class Finding:
    """One thing that was overlooked; ``key`` names it, so that it is raised once."""

    case_id: UUID
    kind: EvidenceKind
    subject: str
    says: str
    key: str


@dataclass(frozen=True)
class Suspects:
    """What SQL makes suspicious, before Temporal is asked.

    Attributes:
        cases: those that are not closed, whose workflow should run.
        sending: batches that began to be sent a while ago and are not through.
        stayed: batches that should have left and were not withheld.
        overdue: cases with overdue duties that nobody was told of.
    """

    cases: Sequence[UUID]
    sending: Sequence[Batch]
    stayed: Sequence[Batch]
    overdue: Sequence[UUID]


class WatchdogActivities:
    """The activity behind the watchdog."""

    def __init__(self, client: Client, database: Database, reminders: ReminderActivities, policy: NoticePolicy) -> None:
        self._client = client
        self._database = database
        self._reminders = reminders
        self._policy = policy

    @SWEEP.implements
    async def sweep(self, message: Sweep) -> Swept:
        """Start lost cases again, report batches that are stuck, and raise what is overdue; each once."""
        now = activity_clock()
        suspects = await asyncio.to_thread(self._look, now() - timedelta(minutes=message.grace_minutes))
        lost = [case_id for case_id in suspects.cases if not await self._runs(_case_workflow(case_id))]
        restarted = [finding for case_id in lost for finding in await self._restart(case_id, now())]
        stuck = [_stayed(batch) for batch in suspects.stayed]
        for batch in suspects.sending:
            if not await self._runs(identifiers.batch_workflow_id(batch.id)):
                stuck.append(_stopped(batch))
        again = {finding.case_id for finding in restarted}
        stuck = await asyncio.to_thread(self._unraised, [item for item in stuck if item.case_id not in again])
        for case_id, findings in grouped([*restarted, *stuck], lambda finding: finding.case_id).items():
            await self._tell(case_id, findings, now())
        for case_id in suspects.overdue:
            await self._reminders.raise_overdue(RaiseOverdue(case_id=case_id))
        return Swept(restarted=len(restarted), stuck=len(stuck), overdue=len(suspects.overdue))

    def _look(self, before: datetime) -> Suspects:
        with self._database.reading() as session:
            unclosed = col(Case.closed_at).is_(None), col(Case.opened_at) < before
            sending = session.exec(select(Batch).where(Batch.status == BatchStatus.SENDING)).all()
            stayed = select(Batch).where(Batch.status == BatchStatus.WAITING, col(Batch.leaves_at) < before)
            overdue = (
                select(Duty.case_id)
                .join(Case, col(Case.id) == col(Duty.case_id))
                .where(*unclosed, Duty.status == DutyStatus.RUNNING)
                .where(col(Duty.due_at) < before, col(Duty.escalated_at).is_(None))
            )
            return Suspects(
                cases=session.exec(select(Case.id).where(*unclosed)).all(),
                sending=_released_before(session, sending, before),
                stayed=session.exec(stayed).all(),
                overdue=session.exec(overdue.distinct()).all(),
            )

    async def _runs(self, workflow_id: str) -> bool:
        try:
            found = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return found.status is WorkflowExecutionStatus.RUNNING

    async def _restart(self, case_id: UUID, now: datetime) -> list[Finding]:
        """Start a case again, with evidence at once: it cannot be found a second time."""
        if not await start_case(self._client, self._database, case_id, self._policy, now):
            return []
        finding = Finding(
            case_id=case_id,
            kind=EvidenceKind.CASE_RESTARTED,
            subject=str(case_id),
            says="Its clocks had stopped, since its workflow was gone. They run again, from what the database knows.",
            key=f"case-restarted:{case_id}:{now.isoformat()}",
        )
        await asyncio.to_thread(self._keep, [finding], now)
        return [finding]

    async def _tell(self, case_id: UUID, findings: Sequence[Finding], now: datetime) -> None:
        """Write to the officer first: what could not be told is found again by the next sweep."""
        reference = identifiers.case_reference(case_id)
        await self._reminders.write_to_officer(
            f"Case {reference} was found stuck",
            (
                f"The watchdog found in case {reference}:",
                *(finding.says for finding in findings),
                self._reminders.case_page(case_id),
            ),
            key="\n".join(finding.key for finding in findings),
            at=now,
        )
        await asyncio.to_thread(self._keep, findings, now)

    def _unraised(self, findings: Sequence[Finding]) -> list[Finding]:
        keys = [finding.key for finding in findings]
        with self._database.reading() as session:
            raised = set(session.exec(select(EvidenceEntry.key).where(col(EvidenceEntry.key).in_(keys))))
        return [finding for finding in findings if finding.key not in raised]

    def _keep(self, findings: Sequence[Finding], now: datetime) -> None:
        with self._database.writing() as session:
            append(session, *(_entry(finding, now) for finding in findings))


def _case_workflow(case_id: UUID) -> str:
    return identifiers.workflow_id(CaseKind.BREACH, case_id)


def _released_before(session: Session, batches: Sequence[Batch], before: datetime) -> list[Batch]:
    keys = {released_key(batch.id): batch for batch in batches}
    entry = EvidenceEntry
    return [keys[key] for key in session.exec(select(entry.key).where(col(entry.key).in_(keys), entry.at < before))]


def _stayed(batch: Batch) -> Finding:
    return _of_batch(batch, f"were to leave at {utc_instant(batch.leaves_at)}, and have not begun to")


def _stopped(batch: Batch) -> Finding:
    return _of_batch(batch, "began to leave, and nothing goes on with them")


def _of_batch(batch: Batch, what: str) -> Finding:
    return Finding(
        case_id=batch.case_id,
        kind=EvidenceKind.WATCHDOG_RAISED,
        subject=str(batch.id),
        says=f"{batch.size} notices under {batch.clause} {what}.",
        key=f"watchdog-raised:{batch.id}:{batch.status.value}",
    )


def _entry(finding: Finding, now: datetime) -> Entry:
    return Entry(
        case_id=finding.case_id,
        kind=finding.kind,
        subject=finding.subject,
        actor=ENGINE,
        at=now,
        body={"finding": finding.says},
        key=finding.key,
    )
