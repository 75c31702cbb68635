"""What Temporal starts by itself: the watchdog, every few minutes."""

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

from cases.messages import Sweep
from models.identifiers import TASK_QUEUE
from workflows.watchdog import WatchdogWorkflow

WATCHDOG = "watchdog"
"""The id of the schedule; its workflows are named after it and the instant at which each starts."""

CATCH_UP = timedelta(minutes=1)
"""How late a sweep may start: those missed while the server was down are not made up for, since one does it all."""


async def keep_watchdog(client: Client, minutes: int) -> None:
    """Have the watchdog sweep every ``minutes``, whatever was agreed on before; it makes its first sweep at once."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(WatchdogWorkflow.run, Sweep(), id=WATCHDOG, task_queue=TASK_QUEUE),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )

    def changed(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule)

    try:
        await client.create_schedule(WATCHDOG, schedule, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(WATCHDOG).update(changed)
