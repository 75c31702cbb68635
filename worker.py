"""The worker: registers every workflow and activity, in one process or several, and drains on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timedelta
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from uuid import UUID

from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.cases import CaseActivities
from activities.duties import DutyActivities
from activities.heads import HeadsActivities
from activities.heartbeat import HEARTBEAT_INTERVAL
from activities.holders import HolderActivities
from activities.ledger_check import LedgerActivities
from activities.letters import LetterSender
from activities.notices import NoticeActivities
from activities.reminders import ReminderActivities
from activities.upcoming import UpcomingActivities
from activities.watchdog import WatchdogActivities
from cases.kind import Kind
from cases.kinds import KINDS
from config.logging import configure_logging, get_logger
from config.private_files import keep_files_private
from config.settings import Settings, load_settings
from ledger.timestamps import Stamping
from mail.alerts import Alerts
from mail.facts import Mailbox
from models.errors import Unavailable
from models.identifiers import TASK_QUEUE
from records.occurrences import Opening
from starter.bounce_ways import taking_bounces
from starter.bounces import BounceIntake
from starter.metrics import sdk_runtime
from starter.resources import Resources, connect, settle
from starter.schedules import keep_schedules
from starter.start import end_rules, intake_namer, notice_policy, start_case
from starter.writing import mail_sender, mail_transport, manager_of, notice_writer, pause_rule, return_path
from workflows.heads import HeadsWorkflow
from workflows.ledger_check import LedgerCheckWorkflow
from workflows.notice_batch import NoticeBatchWorkflow
from workflows.upcoming import UpcomingWorkflow
from workflows.watchdog import WatchdogWorkflow

DATABASE_THREADS = 8
"""How many activities of one worker may be in SQL at once; the database itself lets one write at a time."""

DRAIN = timedelta(seconds=10)
"""How long running activities may take to finish once the worker is told to stop."""

PASSED_THROUGH = (
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "cases",
    "models",
    "activities.contracts",
)
"""Modules that workflows share with the worker instead of importing anew: pure, and slow to import."""


def all_workflows() -> tuple[type, ...]:
    """The workflow class of every kind of case, and those that serve every kind."""
    kinds = (_workflow_of(kind) for kind in KINDS.values())
    return (*kinds, NoticeBatchWorkflow, WatchdogWorkflow, UpcomingWorkflow, HeadsWorkflow, LedgerCheckWorkflow)


def _workflow_of(kind: Kind) -> type:
    module, _, name = kind.workflow.partition(":")
    found: type = getattr(import_module(module), name)
    return found


def sandbox() -> SandboxedWorkflowRunner:
    """The workflow sandbox: what is pure is shared with the worker, the modules of every kind included."""
    kinds = (kind.intake.__module__ for kind in KINDS.values())
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH, *kinds)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def build_worker(resources: Resources, *, cached_workflows: int = 1000) -> Worker:
    """Make the worker that runs every workflow and activity of this installation.

    It keeps ``cached_workflows`` in memory; each of the others is replayed from its history at every step.
    """
    settings, database = resources.settings, resources.database
    cases = CaseActivities(database, resources.catalogue)
    duties = DutyActivities(
        database,
        resources.catalogue,
        settings.defaults,
        settings.side,
        organisation=settings.organisation.name,
        leads=resources.leads,
    )
    transport, writer = mail_transport(settings), notice_writer(settings, resources.keyring)
    sender = mail_sender(settings, resources.keyring, database, transport)
    notices = NoticeActivities(
        database,
        transport,
        writer,
        unknown_resends=settings.unknown_resends,
        pause=pause_rule(settings),
        return_path=return_path(settings, resources.keyring),
    )
    soon = timedelta(hours=settings.leaves_soon_hours)
    reminders = ReminderActivities(
        database,
        transport,
        writer,
        Alerts(settings.alert_urls),
        deputy_share=settings.deputy_share,
        soon=soon,
        time_zone=settings.time_zone or "UTC",
        manager=manager_of(settings.organisation),
        sender=sender,
    )
    letters = LetterSender(database, sender, writer, unknown_resends=settings.unknown_resends)
    holders = HolderActivities(database, sender, writer, reminders.telling, deputy_share=settings.deputy_share)
    policy = notice_policy(settings)

    def start(case_id: UUID, now: datetime, *, anew: bool = False) -> Awaitable[bool]:
        return start_case(resources.client, database, case_id, policy, now, anew=anew)

    watchdog = WatchdogActivities(
        resources.client,
        database,
        reminders,
        letters,
        start,
        end_rules(resources),
        reminder_fractions=settings.reminder_fractions,
        at_least_bytes=settings.artifacts.at_least_bytes,
    )
    upcoming = UpcomingActivities(
        database,
        resources.catalogue,
        settings.defaults,
        reminders.telling,
        settings.term_reminder_days,
        Opening(settings.side, timedelta(days=settings.standing_lead_days), intake_namer(resources.keyring)),
        start,
        leads=resources.leads,
    )
    ledger = LedgerActivities(database, reminders.telling)
    heads = HeadsActivities(
        database,
        settings.log_key,
        at_most=settings.checkpoint_entries,
        file=settings.heads_file,
        keeper=(reminders.telling, Mailbox(name=keeper.name, email=keeper.email))
        if (keeper := settings.heads_to)
        else None,
        stamping=Stamping(settings.timestamp_ca_file)
        if settings.timestamp_url and settings.timestamp_ca_file
        else None,
        timestamp_url=settings.timestamp_url or "",
    )
    return Worker(
        resources.client,
        task_queue=TASK_QUEUE,
        workflows=all_workflows(),
        activities=[
            cases.open_case,
            cases.record_act,
            cases.summarise_case,
            cases.close_case,
            duties.compute_duties,
            notices.send_batch,
            reminders.remind_officer,
            reminders.ask_for_decision,
            reminders.raise_overdue,
            reminders.chase_acknowledgements,
            holders.ask_holders,
            watchdog.sweep,
            upcoming.renew_upcoming,
            ledger.check_ledger,
            ledger.tell_of_ledger,
            heads.keep_heads,
        ],
        activity_executor=ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="activity"),
        workflow_runner=sandbox(),
        build_id=f"duenotice-{version('duenotice')}",  # else all modules are read and hashed: a fifth of a start
        max_cached_workflows=cached_workflows,
        max_heartbeat_throttle_interval=HEARTBEAT_INTERVAL,
        graceful_shutdown_timeout=DRAIN,
    )


async def run() -> None:
    """Work until SIGINT or SIGTERM, then let running activities finish.

    Raises:
        Unavailable: one of the worker processes has ended by itself; the others were stopped.
    """
    settings = load_settings()
    configure_logging(settings)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    resources = await connect(settings, runtime=sdk_runtime(settings))
    await keep_schedules(resources.client, settings)
    others = further_processes(settings, process_count(settings) - 1)
    async with others as lost, build_worker(resources), taking_bounces(BounceIntake(resources), settings):
        settle()
        get_logger("worker").info("worker started", task_queue=TASK_QUEUE, processes=process_count(settings))
        lost.add_done_callback(lambda _: stop.set())
        await stop.wait()
        if lost.done():
            raise Unavailable(
                "A worker process has ended by itself, so the others were stopped.",
                next_step="Its last words in the log say why; start the worker again to go on.",
            )


def process_count(settings: Settings) -> int:
    """In how many processes the worker runs: as the settings say, or one for each core."""
    return settings.worker_processes or os.cpu_count() or 1


@asynccontextmanager
async def further_processes(
    settings: Settings, count: int, *, address: str | None = None, log: Path | None = None
) -> AsyncIterator[asyncio.Future[None]]:
    """Run so many processes with a worker each beside this one; in the end they finish what they have begun.

    Python runs one thread at a time in a process, so that one process uses one core. The future that this gives is
    done when one of them has ended by itself. They also end when this process is killed.

    Args:
        settings: the installation's settings.
        count: how many.
        address: where Temporal is, if the environment does not say.
        log: the file that they log to; without one, to stderr.
    """
    loop, spawn = asyncio.get_running_loop(), get_context("spawn")
    lost: asyncio.Future[None] = loop.create_future()
    processes: list[tuple[SpawnProcess, Connection]] = []

    def ended(process: SpawnProcess) -> None:
        loop.remove_reader(process.sentinel)
        if not lost.done():
            lost.set_result(None)

    try:
        for number in range(1, count + 1):
            theirs, ours = spawn.Pipe(duplex=False)
            process = spawn.Process(target=_work, args=(settings, number, address, log, theirs))
            process.start()
            theirs.close()
            processes.append((process, ours))
            loop.add_reader(process.sentinel, ended, process)
        yield lost
    finally:
        for process, _ in processes:
            loop.remove_reader(process.sentinel)
        for _, ours in processes:
            ours.close()
        for process, _ in processes:
            await asyncio.to_thread(process.join)


def _work(settings: Settings, number: int, address: str | None, log: Path | None, until_closed: Connection) -> None:
    """A further process: it ends when the other end of the pipe is closed, also by the death of who holds it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the first process, which stops this one

    async def work() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_reader(until_closed.fileno(), stop.set)
        resources = await connect(settings, address=address, runtime=sdk_runtime(settings, number))
        async with build_worker(resources):
            settle()
            await stop.wait()
        resources.database.close()

    with log.open("a", encoding="utf-8") if log else nullcontext() as stream:
        configure_logging(settings, stream)
        asyncio.run(work())


if __name__ == "__main__":
    keep_files_private()
    asyncio.run(run())
