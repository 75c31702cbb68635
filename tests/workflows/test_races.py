"""Acts that race batches, computations and timers, before a worker that remembers nothing: every history replays.

What this looks for is ``temporalio/sdk-python#1591``. A workflow task that gave no command is folded into the next one
when a worker that does not have the case in memory takes that one; within it, an update's handler runs before what the
folded task had brought. A handler whose commands depend on that gives other commands than every later replay does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from config.converter import data_converter
from config.keyring import Keyring
from models.enums import DutyStatus
from models.errors import DuenoticeError
from starter import case_service
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import Resources, utc_now
from tests.conftest import know_demo_agreements
from tests.support.gate import Gate
from tests.support.incidents import NOTICE, OFFICER, duties, incident, open_case
from tests.support.officers import officer
from tests.support.patience import PATIENCE
from worker import all_workflows, build_worker

pytestmark = pytest.mark.long

SEEDS = range(3)
MOVES = 8
LOOK_AGAIN = 0.03
"""How often a race looks for its next event, in seconds."""

COMPUTING = ("compute_duties", "summarise_case")
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Events:
    """What a case's history says: how many activities are open, which children, and how many updates were accepted."""

    activities: int
    children: frozenset[str]
    accepted: int
    in_a_task: bool

    @classmethod
    def of(cls, history: WorkflowHistory) -> Events:
        """Go through a history; a workflow task that failed in it is the fault that is looked for."""
        activities, children, accepted, last = set[int](), dict[int, str](), 0, ""
        for event in history.events:
            last = str(event.WhichOneof("attributes")).removesuffix("_event_attributes")
            attributes = getattr(event, f"{last}_event_attributes")
            match last:
                case "activity_task_scheduled":
                    activities.add(event.event_id)
                case "activity_task_completed" | "activity_task_failed":
                    activities.remove(attributes.scheduled_event_id)
                case "start_child_workflow_execution_initiated":
                    children[event.event_id] = attributes.workflow_id
                case "child_workflow_execution_completed":
                    del children[attributes.initiated_event_id]
                case "workflow_execution_update_accepted":
                    accepted += 1
                case "workflow_task_failed":
                    raise AssertionError(attributes.failure.message)
        in_a_task = last in ("workflow_task_scheduled", "workflow_task_started")
        return cls(len(activities), frozenset(children.values()), accepted, in_a_task)


@dataclass
class Race:
    """A case whose next event is drawn."""

    engine: VirtualEngine
    gate: Gate
    case_id: UUID
    draw: Random
    under_way: list[asyncio.Task[None]] = field(default_factory=list)

    async def events(self) -> Events:
        return Events.of(await self.engine.case(self.case_id).fetch_history())

    async def act(self, work: Awaitable[object]) -> None:
        """Begin an act, and go on once the case has accepted or refused it."""

        async def tried() -> None:
            with suppress(DuenoticeError):
                await work

        accepted, task = (await self.events()).accepted, asyncio.create_task(tried())
        self.under_way.append(task)
        async with asyncio.timeout(PATIENCE):
            while not task.done() and (await self.events()).accepted == accepted:  # noqa: ASYNC110 (history tells nobody)
                await asyncio.sleep(LOOK_AGAIN)

    def an_act(self) -> Awaitable[object]:
        """Something an officer may do; the case may find it senseless."""
        who, case_id, number = officer(self.engine), self.case_id, self.draw.random()
        acts: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: who.learn(case_id, "description", f"Version {number}", actor=OFFICER),
            lambda: who.place_hold(case_id, f"Reference {number}", begins_at=utc_now() - HOUR, actor=OFFICER),
            lambda: who.withhold_notices(case_id, "Counsel reads them first.", actor=OFFICER),
            lambda: who.release_notices(case_id, actor=OFFICER),
        )
        return self.draw.choice(acts)()

    async def come_to_rest(self) -> None:
        """Wait until nothing moves but what is held at the gate, seen twice.

        A worker that remembers nothing drops a task that comes while it lets go of the one before, and the server gives
        it anew only after ten seconds.
        """
        seen = 0
        async with asyncio.timeout(PATIENCE):
            while seen < 2:
                await asyncio.sleep(LOOK_AGAIN)
                seen = seen + 1 if self._rests(await self.events()) else 0

    def _rests(self, events: Events) -> bool:
        held = [workflow_id for workflow_id, _, _ in self.gate.held]
        own = held.count(self.engine.case(self.case_id).id)
        return not events.in_a_task and own == events.activities and events.children <= set(held)

    async def end(self, activity_type: str) -> None:
        """Let the first held activity of a type end."""
        await self.come_to_rest()
        self.gate.let_through(next(key for key in self.gate.held if key[1] == activity_type))
        await self.come_to_rest()

    async def move(self) -> None:
        """One event, drawn: an act, the signal to look again, or the end of what is held, an act behind it or not."""
        match self.draw.choice(("act", "look", "end", "end", "overtaken", "overtaken")):
            case "act":
                await self.act(self.an_act())
            case "look":
                await self.engine.service.look_again(self.case_id)
            case "end":
                self.end_one()
            case _:
                self.end_one()
                await self.come_to_rest()
                await self.act(self.an_act())
        await self.come_to_rest()

    def end_one(self) -> None:
        """Let something that is held end; a computation, during which the others' ends give no command, the last."""
        held = sorted(self.gate.held, key=lambda key: (key[1] in COMPUTING, key[1] != "record_act", self.draw.random()))
        for key in held[:1]:
            self.gate.let_through(key)


@pytest.fixture
async def racing(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[VirtualEngine, Gate]]:
    """An engine whose worker replays a case at every step, without the sandbox, which would take most of the time."""
    gate = Gate()
    monkeypatch.setattr("worker.sandbox", UnsandboxedWorkflowRunner)

    def worker(resources: Resources) -> Worker:
        config = resources.client.config()
        config["interceptors"] = [*config["interceptors"], gate]
        return build_worker(replace(resources, client=Client(**config)), cached_workflows=0)

    async with virtual_engine(tmp_path, keyring=keyring, worker=worker) as engine:
        know_demo_agreements(engine)
        yield engine, gate
        gate.lift()


async def race(engine: VirtualEngine, gate: Gate, seed: int) -> list[WorkflowHistory]:
    """Play one order of events; return the histories of the case and of its batches.

    They begin while notices leave and duties are computed anew; at the end an act comes while time passes.
    """
    now = utc_now()
    report = incident("VA-001", "IL-001", "OR-001", expected=now, confirmed=now)
    case_id = await open_case(engine, report, chase_hours=(24,), reminder_fractions=(0.25,))
    case, who = Race(engine, gate, case_id, Random(seed)), officer(engine)
    gate.closed = True
    await case.act(who.release_notices(case_id, actor=OFFICER))
    await case.end("record_act")
    await case.end("compute_duties")
    await case.act(who.learn(case_id, "description", "What was learnt first.", actor=OFFICER))
    await case.end("record_act")
    for _ in range(MOVES):
        await case.move()
    gate.lift()
    await asyncio.gather(*case.under_way)
    await asyncio.gather(engine.advance(case_id, 30 * HOUR), case.act(case.an_act()))
    await asyncio.gather(*case.under_way)
    await engine.settle(case_id)
    of_case = await engine.case(case_id).fetch_history()
    started = [event.child_workflow_execution_started_event_attributes for event in of_case.events]
    batches = {child.workflow_execution.workflow_id for child in started if child.workflow_execution.workflow_id}
    handles = [engine.resources.client.get_workflow_handle(batch) for batch in sorted(batches)]
    return [of_case, *[await handle.fetch_history() for handle in handles]]


@pytest.fixture(autouse=True)
def _answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An act is answered once it is recorded: what is computed after it is held back here."""
    monkeypatch.setattr(case_service, "FIRST_EFFECT", timedelta())


async def test_every_history_of_a_race_replays(racing: tuple[VirtualEngine, Gate], keyring: Keyring) -> None:
    replayer = Replayer(
        workflows=all_workflows(),
        data_converter=data_converter(keyring),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    unheard = 0
    for seed in SEEDS:
        histories = await race(*racing, seed)
        for history in histories:
            await replayer.replay_workflow(history)
        unheard += folds(histories[0])
    assert unheard, "in no race came an act right after the end of a batch that gave no command"


def folds(history: WorkflowHistory) -> int:
    """How often the end of a batch made a task without a command, right before one that an update brought."""
    fold = (
        "child_workflow_execution_completed",
        *("workflow_task_scheduled", "workflow_task_started", "workflow_task_completed"),
        *("workflow_task_scheduled", "workflow_task_started", "workflow_task_completed"),
        "workflow_execution_update_accepted",
    )
    names = [str(event.WhichOneof("attributes")).removesuffix("_event_attributes") for event in history.events]
    return sum(tuple(names[place : place + len(fold)]) == fold for place in range(len(names)))


async def test_a_hold_that_ends_while_duties_are_computed_suspends_nothing_afterwards(
    racing: tuple[VirtualEngine, Gate],
) -> None:
    engine, gate = racing
    now = utc_now()
    case_id = await open_case(engine, incident("OR-001", confirmed=now))
    case, who = Race(engine, gate, case_id, Random(0)), officer(engine)
    gate.closed = True
    for seconds in (2, 10, 30):  # on a busy machine one may be over before it is placed, and is refused
        until = utc_now() + timedelta(seconds=seconds)
        await case.act(who.place_hold(case_id, "Agency A, reference 1", begins_at=now, until=until, actor=OFFICER))
        if not case.under_way[-1].done():
            break
    await case.end("record_act")
    async with asyncio.timeout(PATIENCE):
        while await engine.now(case_id) < until:  # noqa: ASYNC110 (a clock tells nobody)
            await asyncio.sleep(LOOK_AGAIN)
    gate.lift()
    await asyncio.gather(*case.under_way)
    async with asyncio.timeout(PATIENCE):  # without a cache, a case can look at rest between two of its steps
        while duties(engine, case_id, "OR")[NOTICE].status is not DutyStatus.RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN)
