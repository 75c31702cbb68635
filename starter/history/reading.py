"""Fetches the history of a case's workflow from Temporal: each of its runs, the oldest first, and not more than fits.

A case has one workflow id and may have several runs: a long history continues as a new one, and a case that was lost or
reopened is started again. Temporal forgets a run once its retention is over, which is no fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from models.errors import Unavailable

MOST_EVENTS = 20_000
"""How many events are read; a run begins anew long before it has so many."""

MOST_RUNS = 200
"""How many runs of a case are looked for; the newest are read first."""

PATIENCE = timedelta(seconds=5)
"""How long Temporal may take to answer one question; a page waits for it."""

_EVENTS_A_CALL = 1_000

_AWAY = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}


@dataclass(frozen=True)
class Run:
    """One run of a workflow: its id, its events in order, and whether it has more of them than were read."""

    run_id: str
    events: tuple[HistoryEvent, ...]
    cut: bool = False


@dataclass(frozen=True)
class History:
    """What Temporal keeps of one workflow.

    Attributes:
        runs: those that were read, the oldest first; none where Temporal knows none. Only the newest may be cut.
        left_out: how many older runs Temporal still keeps that were not read, since all are too long to be.
        retention: for how long Temporal keeps a run that has ended; None where it does not say.
    """

    runs: tuple[Run, ...]
    left_out: int
    retention: timedelta | None


async def read_history(client: Client, workflow_id: str) -> History:
    """Fetch what Temporal keeps of a workflow.

    Raises:
        Unavailable: Temporal does not answer.
    """
    try:
        found = await _runs(client, workflow_id)
        runs: list[Run] = []
        left = MOST_EVENTS
        while found and left > 0:
            run = await _run(client, workflow_id, found.pop(), left)
            if run is None:
                continue  # its retention ended just now
            if run.cut and runs:
                return History(tuple(reversed(runs)), len(found) + 1, await _retention(client))
            runs.append(run)
            left -= len(run.events)
            before = run.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
            if before and before not in found:
                found.append(before)
        return History(tuple(reversed(runs)), len(found), await _retention(client))
    except RPCError as error:
        if error.status not in _AWAY:
            raise
        raise _away() from error
    except RuntimeError as error:  # what the client raises where it never was connected
        raise _away() from error


def _away() -> Unavailable:
    return Unavailable(
        "Temporal does not answer, so the workflow's history cannot be read now.",
        next_step="What the ledger says is on the case's page. Look whether Temporal's server runs, and ask again.",
    )


async def _runs(client: Client, workflow_id: str) -> list[str]:
    """The ids of a workflow's runs, the oldest first.

    Temporal's list is a moment behind: the newest run is asked for by itself.
    """
    listed: dict[str, datetime] = {}
    query = f"WorkflowId = '{workflow_id}'"
    async for one in client.list_workflows(query, limit=MOST_RUNS, rpc_timeout=PATIENCE):
        listed[one.run_id] = one.start_time
    try:
        newest = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=PATIENCE)
        listed[newest.run_id] = newest.start_time
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return sorted(listed, key=listed.__getitem__)


async def _run(client: Client, workflow_id: str, run_id: str, most: int) -> Run | None:
    """One run, with its first events if it has more than fit; None where Temporal keeps it no more."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    events: list[HistoryEvent] = []
    try:
        async for event in handle.fetch_history_events(page_size=_EVENTS_A_CALL, rpc_timeout=PATIENCE):
            if len(events) == most:
                return Run(run_id, tuple(events), cut=True)
            events.append(event)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return Run(run_id, tuple(events)) if events else None


async def _retention(client: Client) -> timedelta | None:
    try:
        answer = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), retry=True, timeout=PATIENCE
        )
    except RPCError as error:
        if error.status in _AWAY:
            raise
        return None  # who may read histories need not be allowed to ask about the namespace
    return answer.config.workflow_execution_retention_ttl.ToTimedelta() or None
