"""What workflows may ask of the world: one class of typed stubs for each group of activities, and their time limits.

Workflows import this module and never the activities themselves, so no I/O reaches the workflow sandbox, not even by
import. They call a stub by ``workflow.execute_activity_method``; a worker registers a subclass that does the work. A
method here and there has the same name, and mypy holds that it has the same types.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TypedDict
from uuid import UUID

from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from cases.messages import (
    AskForDecision,
    AskHolders,
    BatchOutcome,
    ChaseAcknowledgements,
    Chased,
    CloseCase,
    ComputedDuties,
    ComputeDuties,
    HeadsKept,
    KeepHeads,
    OpenCase,
    RaiseOverdue,
    RecordAct,
    RemindOfficer,
    Renewed,
    RenewUpcoming,
    SendBatch,
    SummariseCase,
    Sweep,
    Swept,
)
from cases.state import CaseSummary
from cases.values import Message
from models.errors import DuenoticeError, InvalidFields, InvalidInput, NotAllowed, NotFound, Refused

RETRY_FOREVER = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1)
)
"""The duty does not go away because a database or a mail server is down.

The longest pause is a minute, so that an outage which ends shortly before a due instant still ends in time. What fails
on and on is found by the watchdog, shown on the case and raised.
"""

RETRY_FOR_A_WHILE = RetryPolicy(
    initial_interval=timedelta(seconds=5),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(minutes=5),
    maximum_attempts=20,
)
"""About an hour and a half: a reminder that nobody could get is followed by the next, or by the watchdog."""

HEARTBEAT_TIMEOUT = timedelta(seconds=20)
"""After how long without progress of the work another worker takes it over."""


class TimeLimits(TypedDict):
    """How long an activity may take, after what silence it counts as lost, and how it is tried again."""

    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy


ONE_TRANSACTION = TimeLimits(
    start_to_close_timeout=timedelta(seconds=20), heartbeat_timeout=None, retry_policy=RETRY_FOREVER
)
"""One short transaction: what it did not do within this time it did not do."""

WHOLE_CASE = TimeLimits(
    start_to_close_timeout=timedelta(minutes=10), heartbeat_timeout=HEARTBEAT_TIMEOUT, retry_policy=RETRY_FOREVER
)
"""Work that grows with the case; it reports its progress."""

ONE_BATCH = TimeLimits(
    start_to_close_timeout=timedelta(hours=1), heartbeat_timeout=HEARTBEAT_TIMEOUT, retry_policy=RETRY_FOREVER
)
MAIL_TO_PEOPLE = TimeLimits(
    start_to_close_timeout=timedelta(minutes=30), heartbeat_timeout=HEARTBEAT_TIMEOUT, retry_policy=RETRY_FOR_A_WHILE
)
ONE_SWEEP = TimeLimits(
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=HEARTBEAT_TIMEOUT,
    retry_policy=RetryPolicy(maximum_attempts=3),
)


class CaseContract(ABC):
    """A case's own rows."""

    @activity.defn
    @abstractmethod
    def open_case(self, message: OpenCase) -> None:
        """Pin the effective terms of every agreement in scope and mark the case open."""

    @activity.defn
    @abstractmethod
    def record_act(self, message: RecordAct) -> UUID:
        """Store what a person did in the case, with its evidence; again changes nothing. Answers with the act's id.

        Raises:
            ApplicationError: it can never be recorded; not retryable, with the refusal in its details.
        """

    @activity.defn
    @abstractmethod
    def summarise_case(self, message: SummariseCase) -> CaseSummary:
        """Count what is open in the case."""

    @activity.defn
    @abstractmethod
    def close_case(self, message: CloseCase) -> CaseSummary:
        """Close the case, with its last evidence."""


class DutyContract(ABC):
    """From dated facts to duties and planned notices."""

    @activity.defn
    @abstractmethod
    def compute_duties(self, message: ComputeDuties) -> ComputedDuties:
        """Compute every duty of the case again, keep what changed, and plan the notices not yet planned."""


class NoticeContract(ABC):
    """Giving notices."""

    @activity.defn
    @abstractmethod
    async def send_batch(self, message: SendBatch) -> BatchOutcome:
        """Give every notice of the batch that can be given now."""


class ReminderContract(ABC):
    """Reminding people."""

    @activity.defn
    @abstractmethod
    async def remind_officer(self, message: RemindOfficer) -> None:
        """Write to the officer about notices that wait for release."""

    @activity.defn
    @abstractmethod
    async def ask_for_decision(self, message: AskForDecision) -> None:
        """Write to the officer about a decision without which a clock has not started."""

    @activity.defn
    @abstractmethod
    async def raise_overdue(self, message: RaiseOverdue) -> None:
        """Raise what is overdue, late or undelivered, each once."""

    @activity.defn
    @abstractmethod
    async def chase_acknowledgements(self, message: ChaseAcknowledgements) -> Chased:
        """Ask each LEA whose notice has gone unacknowledged."""


class HolderContract(ABC):
    """Asking the holders of data to dispose of it, and to confirm that."""

    @activity.defn
    @abstractmethod
    async def ask_holders(self, message: AskHolders) -> None:
        """Write to each holder what is to be said to it by now."""


class WatchdogContract(ABC):
    """Looking for what was overlooked."""

    @activity.defn
    @abstractmethod
    async def sweep(self, message: Sweep) -> Swept:
        """Sweep once."""


class UpcomingContract(ABC):
    """What is coming by the agreements' own dates."""

    @activity.defn
    @abstractmethod
    async def renew_upcoming(self, message: RenewUpcoming) -> Renewed:
        """Derive it anew, open cases about what is due soon, and tell people of terms that end."""


class HeadsContract(ABC):
    """The signed heads of the ledger."""

    @activity.defn
    @abstractmethod
    async def keep_heads(self, message: KeepHeads) -> HeadsKept:
        """Sign a head over what is new, and bring the newest out of this machine."""


class Problem(Message):
    """One thing wrong with what was given, as it travels through Temporal."""

    message: str
    where: str | None = None
    next_step: str | None = None


class Refusal(Message):
    """An error that no retry heals, as it travels through Temporal: its code, and each thing wrong."""

    code: str
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, error: DuenoticeError) -> Refusal:
        """The refusal that tells of an error."""
        problems = error.problems if isinstance(error, InvalidFields) else (error,)
        return cls(
            code=error.code,
            problems=tuple(Problem(message=one.message, where=one.where, next_step=one.next_step) for one in problems),
        )

    def error(self) -> DuenoticeError:
        """The error that was told of; one of unknown code is ``Refused``."""
        if self.code == InvalidFields.code:
            return InvalidFields(
                tuple(InvalidInput(one.message, where=one.where, next_step=one.next_step) for one in self.problems)
            )
        first = self.problems[0]
        kind = next((kind for kind in (InvalidInput, NotFound, NotAllowed) if kind.code == self.code), Refused)
        return kind(first.message, where=first.where, next_step=first.next_step)


def refusal(error: DuenoticeError) -> ApplicationError:
    """An error as an activity or update raises it: not retryable, ``where`` and ``next_step`` in its details."""
    return ApplicationError(str(error), Refusal.of(error), type=error.code, non_retryable=True)


def from_refusal(error: ApplicationError) -> DuenoticeError:
    """The error that a failure was made from; one without a refusal is ``Refused`` with its sentence."""
    if not error.details:
        return Refused(error.message)
    return Refusal.model_validate(error.details[0]).error()
