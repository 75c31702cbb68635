"""Whether the engine is in order: each part it needs, looked at from outside, with a sentence on what is amiss.

A look takes seconds at most, whatever hangs, and several who ask at once get one look's answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, time
from typing import Any, TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from config.database import Database
from models.errors import DuenoticeError
from models.identifiers import TASK_QUEUE
from models.phrases import counted
from queries.figures import Figures, read_figures
from starter.resources import Resources

DATABASE, TEMPORAL, WORKER, SWEEP = "database", "temporal", "worker", "sweep"
CHECKPOINT, MAIL, ARTIFACTS, CLOCK = "checkpoint", "mail", "artifacts", "clock"
NAMES = (DATABASE, TEMPORAL, WORKER, SWEEP, CHECKPOINT, MAIL, ARTIFACTS, CLOCK)
"""The parts, in the order in which they are looked at; each is the cause of what is amiss with later ones."""

PATIENCE = 5.0
"""How many seconds one part is waited for."""

KEPT = 5.0
"""For how many seconds a look's answer is given again."""

POLLED_WITHIN = timedelta(minutes=3)
"""A worker asks for work at least this often: Temporal lets it wait for one minute, and it tries again at once."""

CLOCK_TOLERANCE = 10.0
"""By how many seconds clocks may differ: due instants are counted by the server's, and shown by this machine's."""

_NO_OBJECT = "0" * 64
"""The name of an object that there is not: that it is not there is an answer."""

_QUEUES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}

Found = TypeVar("Found")


@dataclass(frozen=True)
class Check:
    """One part: whether it is in order, what was found, and what to do about it.

    Attributes:
        name: one of ``NAMES``.
        ok: whether it is.
        says: a sentence without names, addresses or secrets.
        hidden_by: the part that is away, so that nobody can say how this one is.
    """

    name: str
    ok: bool
    says: str
    hidden_by: str | None = None


@dataclass(frozen=True)
class Health:
    """What a look found.

    Attributes:
        at: when.
        checks: each part.
        figures: what SQL counts; None where it does not answer.
        pollers: who asks Temporal for work, by the type of it, as far as known.
    """

    at: datetime
    checks: tuple[Check, ...]
    figures: Figures | None = None
    pollers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    database_clock: float | None = None

    def is_ready(self, without: Sequence[str] = ()) -> bool:
        """Whether every part is in order, save for some that do not count."""
        return all(check.ok for check in self.checks if check.name not in without)

    def of(self, name: str) -> Check:
        """What was found of a part."""
        return next(check for check in self.checks if check.name == name)


@dataclass(frozen=True)
class _Queue:
    """Who asks for work, and when last, in seconds since 1970 by the server's clock."""

    pollers: tuple[tuple[str, float], ...]


class HealthCheck:
    """Looks at every part.

    Args:
        database: the database.
        client: a client of the Temporal server, connected or not.
        sweep_minutes: how often the watchdog sweeps.
        clock: the present instant.
        checkpoint_minutes: how often a head of the ledger is signed.
    """

    def __init__(
        self,
        database: Database,
        client: Client,
        sweep_minutes: int,
        clock: Callable[[], datetime] | None = None,
        checkpoint_minutes: int = 5,
    ) -> None:
        self._database = database
        self._client = client
        self._late, self._unsigned = (timedelta(minutes=3 * every + 2) for every in (sweep_minutes, checkpoint_minutes))
        self._clock = clock or (lambda: datetime.now(UTC))
        self._looking: asyncio.Task[Health] | None = None
        self._until = 0.0
        self._stuck: dict[str, asyncio.Future[Any]] = {}

    async def look(self) -> Health:
        """Look at every part, or give what a look of a moment ago found."""
        if self._looking is None or (self._looking.done() and monotonic() > self._until):
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> Health:
        now = self._clock()
        database, temporal, artifacts = await asyncio.gather(
            self._in_time(DATABASE, lambda: asyncio.to_thread(self._read, now)),
            self._in_time(TEMPORAL, self._queues),
            self._in_time(ARTIFACTS, lambda: asyncio.to_thread(self._ask_store)),
        )
        figures = None if isinstance(database, str) else database[0]
        ahead = None if isinstance(database, str) else database[1]
        queues = {} if isinstance(temporal, str) else temporal
        checks = (
            Check(DATABASE, True, "It answers.") if figures else Check(DATABASE, False, str(database)),
            Check(TEMPORAL, True, "It answers.") if queues else Check(TEMPORAL, False, str(temporal)),
            self._worker(queues),
            self._sweep(figures, now),
            self._checkpoint(figures, now),
            _mail(figures),
            _artifacts(figures, artifacts),
            _clocks(figures, ahead, queues),
        )
        self._until = monotonic() + KEPT
        pollers = {name: tuple(who for who, at in queue.pollers if _is_recent(at)) for name, queue in queues.items()}
        return Health(now, checks, figures, pollers, ahead)

    async def _in_time(self, name: str, ask: Callable[[], Awaitable[Found]]) -> Found | str:
        """What a part answers, or why it does not; one that hangs is not asked a second time beside that."""
        if (stuck := self._stuck.get(name)) and not stuck.done():
            return f"It has not answered within {PATIENCE:.0f} seconds."
        asking = asyncio.ensure_future(ask())
        done, _ = await asyncio.wait([asking], timeout=PATIENCE)
        if not done:
            self._stuck[name] = asking
            return f"It has not answered within {PATIENCE:.0f} seconds."
        match asking.exception():
            case None:
                return asking.result()
            case DuenoticeError() as error:
                return error.message
            case RPCError() as error:
                return f"It does not answer: {error.status.name.lower().replace('_', ' ')}."
            case RuntimeError() if name == TEMPORAL:  # what the SDK raises where it cannot connect
                return "It does not answer."
            case error:
                return f"It cannot be asked ({type(error).__name__})."

    def _read(self, now: datetime) -> tuple[Figures, float | None]:
        ahead = self._database.clock_ahead()
        return read_figures(self._database, now), ahead

    def _ask_store(self) -> bool:
        """Whether there is a store of artifacts outside the database, once it has answered."""
        if self._database.objects is None:
            return False
        self._database.objects.exists(_NO_OBJECT)
        return True

    async def _queues(self) -> dict[str, _Queue]:
        found = {}
        for name, kind in _QUEUES.items():
            request = DescribeTaskQueueRequest(
                namespace=self._client.namespace, task_queue=TaskQueue(name=TASK_QUEUE), task_queue_type=kind
            )
            answer = await self._client.workflow_service.describe_task_queue(
                request, timeout=timedelta(seconds=PATIENCE)
            )
            found[name] = _Queue(
                tuple((one.identity, one.last_access_time.ToNanoseconds() / 1e9) for one in answer.pollers)
            )
        return found

    def _worker(self, queues: dict[str, _Queue]) -> Check:
        if not queues:
            return _hidden(WORKER, TEMPORAL)
        recent = {name: [who for who, at in queue.pollers if _is_recent(at)] for name, queue in queues.items()}
        missing = [name for name, pollers in recent.items() if not pollers]
        if missing:
            return Check(
                WORKER, False, "No worker asks for work, so no clock goes on and nothing leaves. Start the worker."
            )
        return Check(WORKER, True, f"{counted(len(set(recent['workflow'])), 'worker process', 'worker processes')}.")

    def _sweep(self, figures: Figures | None, now: datetime) -> Check:
        if figures is None:
            return _hidden(SWEEP, DATABASE)
        if figures.sweep is None:
            return Check(SWEEP, False, "The watchdog has not swept yet; it does so once a worker has started.")
        age = now - figures.sweep.ended_at
        minutes = counted(int(age / timedelta(minutes=1)), "minute") if age >= timedelta(minutes=1) else "a moment"
        if age > self._late:
            says = (
                f"The watchdog's last sweep ended {minutes} ago, so what is stuck or overdue is raised to nobody. "
                "The worker's log says why."
            )
            return Check(SWEEP, False, says)
        return Check(SWEEP, True, f"The watchdog's last sweep ended {minutes} ago.")

    def _checkpoint(self, figures: Figures | None, now: datetime) -> Check:
        if figures is None:
            return _hidden(CHECKPOINT, DATABASE)
        since = figures.unsigned_since
        if since is None or now - since <= self._unsigned:
            return Check(CHECKPOINT, True, "The ledger's head is signed as often as it should be.")
        entries = counted(figures.unsigned_entries, "entry", "entries")
        minutes = counted(int((now - since) / timedelta(minutes=1)), "minute")
        says = (
            f"{entries} of the ledger wait for a signed head, the oldest for {minutes}. The worker's log says why: the "
            "key may be missing, or what was recorded may have been changed (`duenotice ledger verify`)."
        )
        return Check(CHECKPOINT, False, says)


def health_check(resources: Resources, clock: Callable[[], datetime] | None = None) -> HealthCheck:
    """What looks at the parts of a running installation."""
    settings = resources.settings
    return HealthCheck(
        resources.database, resources.client, settings.watchdog_minutes, clock, settings.checkpoint_minutes
    )


def _mail(figures: Figures | None) -> Check:
    if figures is None:
        return _hidden(MAIL, DATABASE)
    waiting = counted(figures.waiting_notices, "notice waits", "notices wait")
    if figures.mail_paused_at:
        return Check(MAIL, False, f"Mail is paused, since many notices were refused alike: {waiting}.")
    if figures.mail_away_since:
        return Check(MAIL, False, f"The mail server takes no mail: {waiting}.")
    return Check(MAIL, True, "Nothing is known to keep mail from leaving.")


def _artifacts(figures: Figures | None, store: bool | str) -> Check:
    match store:
        case str():
            says = f"{store} Nothing that is due waits for it; what was moved there cannot be read."
            return Check(ARTIFACTS, False, says)
        case True:
            return Check(ARTIFACTS, True, "The store of artifacts answers.")
        case False if figures is None:
            return _hidden(ARTIFACTS, DATABASE)
        case False:
            return Check(ARTIFACTS, True, "They are kept in the database.")


def _clocks(figures: Figures | None, ahead: float | None, queues: dict[str, _Queue]) -> Check:
    """The clocks against each other, as far as they can be read.

    Temporal tells no time; but a worker cannot have asked for work in the future, and each sweep compares the worker's
    clock with the instant at which Temporal says that it began.
    """
    if figures is None:
        return _hidden(CLOCK, DATABASE)
    found = {"the database's": ahead or 0.0}
    if figures.sweep:
        found["Temporal's (the worker's clock)"] = figures.sweep.clock_ahead
    asked = [at for queue in queues.values() for _, at in queue.pollers]
    if asked and (behind := max(asked) - time()) > CLOCK_TOLERANCE:
        found["Temporal's"] = -behind
    whose, worst = max(found.items(), key=lambda item: abs(item[1]))
    if abs(worst) > CLOCK_TOLERANCE:
        where = "ahead of" if worst > 0 else "behind"
        says = f"A clock is {counted(round(abs(worst)), 'second')} {where} {whose}. Set both by one time server (NTP)."
        return Check(CLOCK, False, says)
    return Check(CLOCK, True, f"The clocks agree within {CLOCK_TOLERANCE:.0f} seconds.")


def _hidden(name: str, by: str) -> Check:
    return Check(name, False, f"Nobody can say while the {by} does not answer.", hidden_by=by)


def _is_recent(at: float) -> bool:
    return time() - at < POLLED_WITHIN.total_seconds()
