"""What Temporal knows of the workflows that should run: how many there are, and whether each of them goes on.

Counts and lists come from Temporal's visibility, which is a moment behind; only a workflow's own description is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from mail.handover import MailServerUnavailable
from models import identifiers
from records.mail_state import MailIsPaused
from records.overlooked import IdRange
from records.troubles import WORKFLOW_STUCK, failing_activity

BATCH = "notice-batch"
"""The workflow type of a batch of notices, and the beginning of its workflow ids."""

_PROBLEMS = "TemporalReportedProblems IN ('category=WorkflowTaskFailed', 'category=WorkflowTaskTimedOut')"
"""What a server from version 1.30 on says of a workflow whose task has failed several times in a row."""

_SHOWN_ON_THE_BATCH = {MailServerUnavailable.code, MailIsPaused.code}
"""Failures that a batch of notices keeps as its own trouble."""


@dataclass(frozen=True)
class Health:
    """How a workflow is: whether it runs, what keeps it from going on, and with which run it began.

    ``first_run_id`` is blank where the server is too old to say so. One that was ``set_back`` goes on from an earlier
    point of its history.
    """

    runs: bool
    trouble: str | None = None
    children: tuple[str, ...] = ()
    first_run_id: str = ""
    set_back: bool = False


GONE = Health(runs=False)


class RunningWorkflows:
    """Asks Temporal.

    Args:
        client: of the server.
        attempts: a step that has been begun so often without success is a trouble.
    """

    def __init__(self, client: Client, attempts: int) -> None:
        self._client = client
        self._attempts = attempts

    async def count(self, kind: str, ids: IdRange) -> int:
        """How many workflows of a type and of a range of ids run."""
        return (await self._client.count_workflows(_running(kind, ids.ends()))).count

    async def ids(self, kind: str, ids: IdRange) -> set[UUID]:
        """The ids of the workflows of a type and of a range that run."""
        return {_id_of(found.id) async for found in self._client.list_workflows(_running(kind, ids.ends()))}

    async def stuck(self, kind: str, place: UUID, limit: int) -> set[UUID]:
        """Workflows of a type that the server itself reports as stuck, ``limit`` at most, from a place of the ids on.

        It is empty where the server is too old to say so.
        """
        whole = IdRange()
        parts = IdRange(place.int, whole.last), IdRange(whole.first, max(place.int - 1, 0))
        found: set[UUID] = set()
        for part in parts:
            query = f"{_running(kind, part.ends())} AND {_PROBLEMS}"
            try:
                found |= {_id_of(one.id) async for one in self._client.list_workflows(query, limit=limit - len(found))}
            except RPCError as error:
                if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                    raise
                return set()
            if len(found) >= limit:
                break
        return found

    async def begun_since(self, kind: str, since: datetime, limit: int) -> dict[UUID, str]:
        """The runs of a type that began after an instant, by the ids of their cases, ``limit`` at most."""
        query = f"{_running(kind, IdRange().ends())} AND StartTime > '{since.isoformat()}'"
        return {_id_of(found.id): found.run_id async for found in self._client.list_workflows(query, limit=limit)}

    async def case_health(self, kind: str, case_id: UUID) -> Health:
        """How the workflow of a case is, and with it the batches of notices that it sends."""
        case = await self.health(identifiers.workflow_id(kind, case_id))
        for child in case.children if case.trouble is None else ():
            if trouble := (await self.health(child)).trouble:
                return replace(case, trouble=trouble)
        return case

    async def keeps(self, workflow_id: str) -> bool:
        """Whether Temporal keeps a workflow, be it running or over."""
        return await self._description(workflow_id) is not None

    async def batch_runs(self, batch_id: UUID) -> bool:
        """Whether the workflow of a batch of notices runs."""
        return (await self.health(identifiers.batch_workflow_id(batch_id))).runs

    async def health(self, workflow_id: str) -> Health:
        """How one workflow is, by its own description."""
        found = await self._description(workflow_id)
        if found is None or found.status is not WorkflowExecutionStatus.RUNNING:
            return GONE
        children = tuple(child.workflow_id for child in found.raw_description.pending_children)
        set_back = found.raw_description.workflow_extended_info.HasField("last_reset_time")
        return Health(True, self._trouble(found), children, found.raw_info.first_run_id, set_back=set_back)

    async def end_case(self, kind: str, case_id: UUID, reason: str) -> None:
        """End the workflow of a case, so that it can be started again."""
        try:
            await self._client.get_workflow_handle(identifiers.workflow_id(kind, case_id)).terminate(reason=reason)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _description(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        try:
            return await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    def _trouble(self, found: WorkflowExecutionDescription) -> str | None:
        raw = found.raw_description
        if raw.HasField("pending_workflow_task") and raw.pending_workflow_task.attempt >= self._attempts:
            return WORKFLOW_STUCK
        failing = [item.activity_type.name for item in raw.pending_activities if self._fails(item)]
        return failing_activity(min(failing)) if failing else None

    def _fails(self, item: PendingActivityInfo) -> bool:
        shown = item.last_failure.application_failure_info.type in _SHOWN_ON_THE_BATCH
        return item.attempt >= self._attempts and item.HasField("last_failure") and not shown


def _running(kind: str, ends: tuple[UUID, UUID]) -> str:
    first, last = ends
    return (
        f"ExecutionStatus = 'Running' AND WorkflowType = '{kind}' "
        f"AND WorkflowId BETWEEN '{kind}:{first}' AND '{kind}:{last}'"
    )


def _id_of(workflow_id: str) -> UUID:
    return UUID(workflow_id.partition(":")[2])
