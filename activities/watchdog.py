"""The watchdog: finds in SQL what the clocks should have seen to and have not, and raises each once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.clock import activity_clock
from activities.contracts import WatchdogContract
from activities.reminders import ReminderActivities
from cases.messages import RaiseOverdue, Sweep, Swept
from config.database import Database
from models import identifiers
from models.grouping import grouped
from records.overlooked import Finding, Suspects, keep_findings, look, restarted, stayed, stopped


class WatchdogActivities(WatchdogContract):
    """The activity behind the watchdog."""

    def __init__(
        self,
        client: Client,
        database: Database,
        reminders: ReminderActivities,
        start: Callable[[UUID, datetime], Awaitable[bool]],
    ) -> None:
        self._client = client
        self._database = database
        self._reminders = reminders
        self._start = start

    @activity.defn
    async def sweep(self, message: Sweep) -> Swept:
        """Start lost cases again, report batches that are stuck, and raise what is overdue; each once."""
        now = activity_clock()
        suspects = await asyncio.to_thread(self._look, now() - timedelta(minutes=message.grace_minutes))
        lost = [case_id for case_id, kind in suspects.cases if not await self._runs(_case_workflow(case_id, kind))]
        begun = [finding for case_id in lost for finding in await self._restart(case_id, now())]
        stuck = [stayed(batch, now()) for batch in suspects.stayed]
        for batch in suspects.sending:
            if not await self._runs(identifiers.batch_workflow_id(batch.id)):
                stuck.append(stopped(batch, now()))
        again = {finding.case_id for finding in begun}
        stuck = [finding for finding in stuck if finding.case_id not in again]
        for case_id, findings in grouped([*begun, *stuck], lambda finding: finding.case_id).items():
            await self._tell(case_id, findings, now())
        for case_id in suspects.overdue:
            await self._reminders.raise_overdue(RaiseOverdue(case_id=case_id))
        return Swept(restarted=len(begun), stuck=len(stuck), overdue=len(suspects.overdue))

    def _look(self, before: datetime) -> Suspects:
        with self._database.reading() as session:
            return look(session, before)

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
        if not await self._start(case_id, now):
            return []
        finding = restarted(case_id, now)
        await asyncio.to_thread(self._keep, [finding])
        return [finding]

    async def _tell(self, case_id: UUID, findings: Sequence[Finding], now: datetime) -> None:
        """Write to the officer first: what could not be told is found again by the next sweep."""
        reference = identifiers.case_reference(case_id)
        await self._reminders.write_to_officer(
            f"Case {reference} was found stuck",
            (
                f"The watchdog found in case {reference}:",
                *(finding.finding for finding in findings),
                self._reminders.case_page(case_id),
            ),
            key="\n".join(finding.key for finding in findings),
            at=now,
        )
        await asyncio.to_thread(self._keep, findings)

    def _keep(self, findings: Sequence[Finding]) -> None:
        with self._database.writing() as session:
            keep_findings(session, findings)


def _case_workflow(case_id: UUID, kind: str) -> str:
    return identifiers.workflow_id(kind, case_id)
