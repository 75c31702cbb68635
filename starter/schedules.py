"""What Temporal starts by itself: watchdog, heads and checks of the ledger, and what is coming."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from cases.messages import CheckLedger, KeepHeads, RenewUpcoming, Sweep
from config.settings import Settings
from models.identifiers import TASK_QUEUE
from workflows.heads import HeadsWorkflow
from workflows.ledger_check import LedgerCheckWorkflow
from workflows.upcoming import UpcomingWorkflow
from workflows.watchdog import WatchdogWorkflow

WATCHDOG = "watchdog"
"""The id of the schedule; its workflows are named after it and the instant at which each starts."""

UPCOMING = "upcoming"
"""The id of the schedule by which what is coming is derived anew."""

LEDGER_CHECK = "ledger-check"
"""The id of the schedule by which the ledger is checked."""

HEADS = "ledger-heads"
"""The id of the schedule by which heads of the ledger are signed."""

CATCH_UP = timedelta(minutes=1)
"""How late a sweep may start: those missed while the server was down are not made up for, since one does it all."""


async def keep_schedules(client: Client, settings: Settings) -> None:
    """Have all of it done as often as the settings say; for the first time at once."""
    await keep_watchdog(client, settings.watchdog_minutes)
    await keep_upcoming(client, settings.upcoming_minutes)
    await keep_heads(client, settings.checkpoint_minutes)
    await keep_ledger_check(client, settings.ledger_check_hours)


async def keep_watchdog(client: Client, minutes: int) -> None:
    """Have the watchdog sweep every ``minutes``, whatever was agreed on before, and now.

    At each start, since something may have been restored while nothing ran.
    """
    action = ScheduleActionStartWorkflow(WatchdogWorkflow.run, Sweep(), id=WATCHDOG, task_queue=TASK_QUEUE)
    if await _keep(client, action, minutes):
        await client.get_schedule_handle(WATCHDOG).trigger()


async def keep_upcoming(client: Client, minutes: int) -> None:
    """Have what is coming derived anew every ``minutes``; for the first time at once."""
    action = ScheduleActionStartWorkflow(UpcomingWorkflow.run, RenewUpcoming(), id=UPCOMING, task_queue=TASK_QUEUE)
    await _keep(client, action, minutes)


async def keep_heads(client: Client, minutes: int) -> None:
    """Have a head of the ledger signed every ``minutes``; for the first time at once."""
    action = ScheduleActionStartWorkflow(HeadsWorkflow.run, KeepHeads(), id=HEADS, task_queue=TASK_QUEUE)
    await _keep(client, action, minutes)


async def keep_ledger_check(client: Client, hours: int) -> None:
    """Have the ledger checked every ``hours``, and now: at each start, which does not wait for it."""
    action = ScheduleActionStartWorkflow(LedgerCheckWorkflow.run, CheckLedger(), id=LEDGER_CHECK, task_queue=TASK_QUEUE)
    # One that cannot tell anybody what it found, as no mail leaves, must not keep the next one from looking.
    if await _keep(client, action, hours * 60, overlap=ScheduleOverlapPolicy.CANCEL_OTHER):
        await client.get_schedule_handle(LEDGER_CHECK).trigger()


async def _keep(
    client: Client,
    action: ScheduleActionStartWorkflow,
    minutes: int,
    *,
    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP,
) -> bool:
    """Start ``action`` every ``minutes`` under the schedule of its id, and now; return whether it was one already.

    What becomes of one that still runs then, ``overlap`` says.
    """
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes))]),
        policy=SchedulePolicy(overlap=overlap, catchup_window=CATCH_UP),
    )

    def changed(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule)

    try:
        await client.create_schedule(action.id, schedule, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(action.id).update(changed)
        return True
    return False
