"""What workflows may ask of the world: each activity's name, message types, time limits and retry policy.

Workflows import this module and never the activities themselves, so no I/O reaches the workflow sandbox. The
implementations take their name and types from here, and a mismatch fails when they are imported.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar, get_type_hints

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

from models.messages import (
    BatchOutcome,
    CaseStanding,
    CloseCase,
    OpenCase,
    ReadStanding,
    ReckonDuties,
    Reckoned,
    RecordAnchor,
    SendBatch,
)

In = TypeVar("In")
Out = TypeVar("Out")

PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)
"""Try for ever: the duty does not go away because a database or a mail server is down.

The longest pause is a minute, so that an outage which ends shortly before a due instant still ends in time.
"""


@dataclass(frozen=True)
class ActivitySignature(Generic[In, Out]):
    """The contract between workflows and one activity."""

    name: str
    takes: type[In]
    gives: type[Out]
    attempt_limit: timedelta
    heartbeat_limit: timedelta | None = None
    retry: RetryPolicy = field(default_factory=lambda: PATIENT)

    async def __call__(self, message: In, *, summary: str) -> Out:
        """Run the activity from a workflow and wait for its answer; ``summary`` is shown in the Temporal UI."""
        answer: Out = await workflow.execute_activity(
            self.name,
            message,
            result_type=self.gives,
            start_to_close_timeout=self.attempt_limit,
            heartbeat_timeout=self.heartbeat_limit,
            retry_policy=self.retry,
            summary=summary,
        )
        return answer

    def implements(self, function: Callable[[Any, In], Awaitable[Out]]) -> Callable[[Any, In], Awaitable[Out]]:
        """Register a method as this activity; raise ``TypeError`` where its types differ from the contract."""
        hints = get_type_hints(function)
        parameter = list(inspect.signature(function).parameters)[-1]
        if (hints[parameter], hints["return"]) != (self.takes, self.gives):
            raise TypeError(
                f"{function.__qualname__} does not take {self.takes.__name__} and give {self.gives.__name__}"
            )
        return activity.defn(name=self.name)(function)


OPEN_CASE = ActivitySignature("open_case", OpenCase, CaseStanding, timedelta(minutes=10), timedelta(minutes=2))
RECORD_ANCHOR = ActivitySignature("record_anchor", RecordAnchor, CaseStanding, timedelta(minutes=1))
RECKON_DUTIES = ActivitySignature("reckon_duties", ReckonDuties, Reckoned, timedelta(minutes=10), timedelta(minutes=2))
SEND_BATCH = ActivitySignature("send_batch", SendBatch, BatchOutcome, timedelta(minutes=30), timedelta(minutes=2))
READ_STANDING = ActivitySignature("read_standing", ReadStanding, CaseStanding, timedelta(minutes=1))
CLOSE_CASE = ActivitySignature("close_case", CloseCase, CaseStanding, timedelta(minutes=1))

SIGNATURES = (OPEN_CASE, RECORD_ANCHOR, RECKON_DUTIES, SEND_BATCH, READ_STANDING, CLOSE_CASE)
"""Every activity that a worker must offer."""
