"""The worker: registers every workflow and activity, and drains on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib import import_module
from importlib.metadata import version
from uuid import UUID

from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.cases import CaseActivities
from activities.duties import DutyActivities
from activities.heartbeat import HEARTBEAT_INTERVAL
from activities.holders import HolderActivities
from activities.letters import LetterSender
from activities.notices import NoticeActivities
from activities.reminders import ReminderActivities
from activities.upcoming import UpcomingActivities
from activities.watchdog import WatchdogActivities
from cases.kind import Kind
from cases.kinds import KINDS
from config.logging import configure_logging, get_logger
from config.settings import load_settings
from mail.alerts import Alerts
from models.identifiers import TASK_QUEUE
from records.occurrences import Opening
from starter.bounce_ways import taking_bounces
from starter.bounces import BounceIntake
from starter.resources import Resources, connect
from starter.schedules import keep_upcoming, keep_watchdog
from starter.start import end_rules, intake_namer, notice_policy, start_case
from starter.writing import mail_transport, manager_of, notice_writer, pause_rule, return_path
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
    return (*(_workflow_of(kind) for kind in KINDS.values()), NoticeBatchWorkflow, WatchdogWorkflow, UpcomingWorkflow)


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
    )
    letters = LetterSender(database, transport, writer, unknown_resends=settings.unknown_resends)
    holders = HolderActivities(database, transport, writer, reminders.telling, deputy_share=settings.deputy_share)
    policy = notice_policy(settings)

    def start(case_id: UUID, now: datetime) -> Awaitable[bool]:
        return start_case(resources.client, database, case_id, policy, now)

    watchdog = WatchdogActivities(
        resources.client,
        database,
        reminders,
        letters,
        start,
        end_rules(resources),
        reminder_fractions=settings.reminder_fractions,
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
        ],
        activity_executor=ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="activity"),
        workflow_runner=sandbox(),
        build_id=f"duenotice-{version('duenotice')}",  # else all modules are read and hashed: a fifth of a start
        max_cached_workflows=cached_workflows,
        max_heartbeat_throttle_interval=HEARTBEAT_INTERVAL,
        graceful_shutdown_timeout=DRAIN,
    )


async def run() -> None:
    """Work until SIGINT or SIGTERM, then let running activities finish."""
    settings = load_settings()
    configure_logging(settings)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    resources = await connect(settings)
    await keep_watchdog(resources.client, settings.watchdog_minutes)
    await keep_upcoming(resources.client, settings.upcoming_minutes)
    async with build_worker(resources), taking_bounces(BounceIntake(resources), settings):
        get_logger("worker").info("worker started", task_queue=TASK_QUEUE)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(run())
