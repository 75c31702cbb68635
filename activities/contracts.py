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
    CaseStanding,
    ChaseAcknowledgements,
    CloseCase,
    OpenCase,
    RaiseOverdue,
    ReadStanding,
    ReckonDuties,
    Reckoned,
    RecordAct,
    RemindOfficer,
    SendBatch,
    Sweep,
    Swept,
)

In = TypeVar("In")
Out = TypeVar("Out")

PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)
"""Try for ever: the duty does not go away because a database or a mail server is down.

The longest pause is a minute, so that an outage which ends shortly before a due instant still ends in time.
"""


NOT_FOR_EVER = RetryPolicy(
    initial_interval=timedelta(seconds=5),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=5),
    maximum_attempts=20,
)
"""Try for about an hour and a half: a reminder that nobody could get is followed by the next, or by the watchdog."""


BEAT, SILENCE = timedelta(seconds=5), timedelta(seconds=20)
"""How often an activity tells the server that its process lives, and after how long a silence another takes over."""


@dataclass(frozen=True)
class ActivitySignature(Generic[In, Out]):
    """The contract between workflows and one activity."""

    name: str
    takes: type[In]
    gives: type[Out]
    attempt_limit: timedelta
    retry: RetryPolicy = field(default_factory=lambda: PATIENT)

    async def __call__(self, message: In, *, summary: str) -> Out:
        """Run the activity from a workflow and wait for its answer; ``summary`` is shown in the Temporal UI."""
        answer: Out = await workflow.execute_activity(
            self.name,
            message,
            result_type=self.gives,
            start_to_close_timeout=self.attempt_limit,
            heartbeat_timeout=SILENCE,
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
        await asyncio.sleep(BEAT.total_seconds())
        activity.heartbeat()


OPEN_CASE = ActivitySignature("open_case", OpenCase, CaseStanding, timedelta(minutes=10))
RECORD_ACT = ActivitySignature("record_act", RecordAct, CaseStanding, timedelta(minutes=5))
RECKON_DUTIES = ActivitySignature("reckon_duties", ReckonDuties, Reckoned, timedelta(minutes=10))
SEND_BATCH = ActivitySignature("send_batch", SendBatch, BatchOutcome, timedelta(hours=1))
READ_STANDING = ActivitySignature("read_standing", ReadStanding, CaseStanding, timedelta(minutes=1))
REMIND_OFFICER = ActivitySignature(
    "remind_officer", RemindOfficer, CaseStanding, timedelta(minutes=15), retry=NOT_FOR_EVER
)
RAISE_OVERDUE = ActivitySignature(
    "raise_overdue", RaiseOverdue, CaseStanding, timedelta(minutes=15), retry=NOT_FOR_EVER
)
CHASE_ACKNOWLEDGEMENTS = ActivitySignature(
    "chase_acknowledgements", ChaseAcknowledgements, CaseStanding, timedelta(minutes=30), retry=NOT_FOR_EVER
)
CLOSE_CASE = ActivitySignature("close_case", CloseCase, CaseStanding, timedelta(minutes=1))
SWEEP = ActivitySignature("sweep", Sweep, Swept, timedelta(minutes=30), retry=RetryPolicy(maximum_attempts=3))

SIGNATURES = (
    OPEN_CASE,
    RECORD_ACT,
    RECKON_DUTIES,
    SEND_BATCH,
    READ_STANDING,
    REMIND_OFFICER,
    RAISE_OVERDUE,
    CHASE_ACKNOWLEDGEMENTS,
    CLOSE_CASE,
    SWEEP,
)
"""Every activity that a worker must offer."""
