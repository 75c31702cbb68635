"""What workflows may ask of the world: each activity's name, message types, time limits and retry policy.

Workflows import this module and never the activities themselves, so no I/O reaches the workflow sandbox. The
implementations take their name and types from here, and a mismatch fails when they are imported.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from typing import Any, Generic, TypeVar, get_type_hints

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from cases.messages import (
    BatchOutcome,
    CaseSummary,
    ChaseAcknowledgements,
    CloseCase,
    ComputedDuties,
    ComputeDuties,
    OpenCase,
    RaiseOverdue,
    RecordAct,
    RemindOfficer,
    SendBatch,
    SummariseCase,
    Sweep,
    Swept,
)

In = TypeVar("In")
Out = TypeVar("Out")

RETRY_FOREVER = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)
"""Try for ever: the duty does not go away because a database or a mail server is down.

The longest pause is a minute, so that an outage which ends shortly before a due instant still ends in time.
"""


RETRY_FOR_A_WHILE = RetryPolicy(
    initial_interval=timedelta(seconds=5),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=5),
    maximum_attempts=20,
)
"""Try for about an hour and a half: a reminder that nobody could get is followed by the next, or by the watchdog."""


HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT = timedelta(seconds=5), timedelta(seconds=20)
"""How often an activity tells the server that its process lives, and after how long a silence another takes over."""


@dataclass(frozen=True)
class ActivitySignature(Generic[In, Out]):
    """The contract between workflows and one activity."""

    name: str
    takes: type[In]
    gives: type[Out]
    attempt_limit: timedelta
    retry: RetryPolicy = field(default_factory=lambda: RETRY_FOREVER)

    async def __call__(self, message: In, *, summary: str) -> Out:
        """Run the activity from a workflow and wait for its answer; ``summary`` is shown in the Temporal UI."""
        answer: Out = await workflow.execute_activity(
            self.name,
            message,
            result_type=self.gives,
            start_to_close_timeout=self.attempt_limit,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=self.retry,
            summary=summary,
        )
        return answer

    def implements(self, function: Callable[[Any, In], Awaitable[Out]]) -> Callable[[Any, In], Awaitable[Out]]:
        """Register a method as this activity, with a heartbeat while it is at work.

        Raises:
            TypeError: its types differ from the contract.
        """
        hints = get_type_hints(function)
        parameter = list(inspect.signature(function).parameters)[-1]
        if (hints[parameter], hints["return"]) != (self.takes, self.gives):
            raise TypeError(
                f"{function.__qualname__} does not take {self.takes.__name__} and give {self.gives.__name__}"
            )

        @wraps(function)
        async def alive(owner: Any, message: In) -> Out:
            beating = asyncio.create_task(_beat())
            try:
                return await function(owner, message)
            finally:
                beating.cancel()

        return activity.defn(name=self.name)(alive)


async def _beat() -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
        activity.heartbeat()


OPEN_CASE = ActivitySignature("open_case", OpenCase, CaseSummary, timedelta(minutes=10))
RECORD_ACT = ActivitySignature("record_act", RecordAct, CaseSummary, timedelta(minutes=5))
COMPUTE_DUTIES = ActivitySignature("compute_duties", ComputeDuties, ComputedDuties, timedelta(minutes=10))
SEND_BATCH = ActivitySignature("send_batch", SendBatch, BatchOutcome, timedelta(hours=1))
SUMMARISE_CASE = ActivitySignature("summarise_case", SummariseCase, CaseSummary, timedelta(minutes=1))
REMIND_OFFICER = ActivitySignature(
    "remind_officer", RemindOfficer, CaseSummary, timedelta(minutes=15), retry=RETRY_FOR_A_WHILE
)
RAISE_OVERDUE = ActivitySignature(
    "raise_overdue", RaiseOverdue, CaseSummary, timedelta(minutes=15), retry=RETRY_FOR_A_WHILE
)
CHASE_ACKNOWLEDGEMENTS = ActivitySignature(
    "chase_acknowledgements", ChaseAcknowledgements, CaseSummary, timedelta(minutes=30), retry=RETRY_FOR_A_WHILE
)
CLOSE_CASE = ActivitySignature("close_case", CloseCase, CaseSummary, timedelta(minutes=1))
SWEEP = ActivitySignature("sweep", Sweep, Swept, timedelta(minutes=30), retry=RetryPolicy(maximum_attempts=3))

SIGNATURES = (
    OPEN_CASE,
    RECORD_ACT,
    COMPUTE_DUTIES,
    SEND_BATCH,
    SUMMARISE_CASE,
    REMIND_OFFICER,
    RAISE_OVERDUE,
    CHASE_ACKNOWLEDGEMENTS,
    CLOSE_CASE,
    SWEEP,
)
"""Every activity that a worker must offer."""
