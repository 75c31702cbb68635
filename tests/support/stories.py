"""Cases as they were played once, whose histories are kept beside the tests and replayed by every later version."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from config.keyring import Keyring
from models.identifiers import batch_workflow_id
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.support.answered_requests import answered_and_corrected
from tests.support.direct_requests import referred_once_the_lea_is_found
from tests.support.dispositions import confirmed_by_each_holder
from tests.support.incidents import INITIAL, NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.matters import an_addendum_nobody_objects_to
from tests.support.officers import officer
from tests.support.patience import PATIENCE
from tests.support.played_ends import disposed_of_after_the_end, ended_by_mistake
from tests.support.scripted_server import scripted_server
from tests.support.successors import told_answered_and_silent

HISTORIES = Path(__file__).parents[1] / "workflows" / "histories"
FINGERPRINTS = HISTORIES.with_name("fingerprints")
HOUR = timedelta(hours=1)

LONG = 45
"""After how many events a history is long in the story that begins one anew; it has to be so when a timer fires."""

_PROCESS = re.compile(r"\b\d+@[\w.-]+")
"""How a worker names its process and machine, in identities and in the names of its own task queues."""


async def suspected_then_confirmed(engine: VirtualEngine) -> UUID:
    """Nobody releases: each notice leaves at its last safe moment, the later ones after the confirmation."""
    case_id = await open_case(engine, incident("VA-001", "MO-001", expected=utc_now()))
    confirmed = await engine.advance(case_id, 30 * HOUR)
    await officer(engine).confirm_breach(case_id, confirmed, actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    return case_id


async def released_by_an_officer(engine: VirtualEngine) -> UUID:
    """Everything is known from the start, and an officer lets all notices go."""
    now = utc_now()
    case_id = await open_case(engine, incident("VA-001", "IL-001", "OR-001", expected=now, confirmed=now))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    return case_id


async def still_open(engine: VirtualEngine) -> UUID:
    """A suspicion that is neither confirmed nor dismissed."""
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    await engine.advance(case_id, 30 * HOUR)
    return case_id


async def acted_upon(engine: VirtualEngine) -> UUID:
    """Officers do nearly all that can be done: hold and lift, propose and decide, withhold, learn and release."""
    case_id = await open_case(engine, incident("VA-001", "IL-001", "OR-001", expected=utc_now()))
    service = engine.service
    now = await engine.advance(case_id, HOUR)
    await officer(service).confirm_breach(case_id, now, actor=OFFICER)
    hold = await officer(service).place_hold(
        case_id, "Agency A, reference 1", begins_at=now, actor=OFFICER, agreement="OR-001"
    )
    proposal = await officer(service).propose_not_required(
        case_id, NOTICE, "no_student_data", "None of theirs was stored.", actor=OFFICER, agreements=("IL-001",)
    )
    await officer(service).decide_proposal(case_id, proposal, approve=True, actor="another officer")
    await officer(service).withhold_notices(case_id, "Counsel reads them first.", actor=OFFICER)
    await officer(service).learn(case_id, "description", "A copied key opened the roster service.", actor=OFFICER)
    await officer(service).lift_hold(case_id, hold, actor=OFFICER)
    await officer(service).release_notices(case_id, actor=OFFICER, withheld=True)
    await engine.advance(case_id, 2 * HOUR)
    await officer(service).learn(case_id, "impacted_individuals", "Twelve students of grade 4.", actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    return case_id


async def all_at_once(engine: VirtualEngine) -> UUID:
    """All that a case's clock does falls on one instant, so that another order of it is another order of commands.

    At ``meeting`` a hold ends, a notice leaves, another is reminded of, a withheld one is overdue, a given one chased.
    """
    report = incident("VA-001", "TN-001", expected=utc_now())
    case_id = await open_case(engine, report, reminder_fractions=(0.5,), chase_hours=(24,))
    who = officer(engine)
    await who.release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    given = duties(engine, case_id, "VA")[INITIAL].performed_at
    assert given
    meeting = given.replace(second=0, microsecond=0) + timedelta(minutes=1) + 24 * HOUR
    await who.confirm_breach(case_id, meeting - 72 * HOUR, actor=OFFICER)
    await who.keep_back_past_due(case_id, "Counsel reads them first.", actor=OFFICER)
    for agreement, confirmed in (("IL-001", meeting - 71 * HOUR), ("OR-001", meeting - 36 * HOUR)):
        await who.add_agreements(
            case_id, (agreement,), confirmed_at=confirmed, reason="Found in its own logs.", actor=OFFICER
        )
    await who.place_hold(
        case_id, "Agency A, reference 2", begins_at=utc_now(), until=meeting, agreement="TN-001", actor=OFFICER
    )
    await engine.advance_to(case_id, meeting + HOUR / 2)
    return case_id


async def withheld_by_one(engine: VirtualEngine) -> UUID:
    """One person withholds notices; the last of them is told of, lapses, and leaves at its last safe moment.

    Of one clause a second person agrees, and another's notice is recorded as given by other means, and taken back.
    """
    case_id = await open_case(engine, incident("VA-001", "TN-001", expected=utc_now()))
    who, now = officer(engine), await engine.advance(case_id, HOUR)
    await who.confirm_breach(case_id, now, actor=OFFICER)
    await who.keep_back_past_due(case_id, "The court decides tomorrow.", clause=INITIAL, actor=OFFICER)
    await who.withhold_notices(case_id, "Counsel reads them first.", actor=OFFICER)
    done = await who.propose_done(
        case_id,
        NOTICE,
        b"A letter.",
        done_at=await engine.now(case_id),
        actor=OFFICER,
        agreements=("TN-001",),
        to_whom="The superintendent.",
    )
    await who.decide_proposal(case_id, done, approve=True, actor="another officer")
    await engine.advance(case_id, 24 * HOUR)
    await who.undo(case_id, done, "It was another district.", actor=OFFICER)
    await engine.advance(case_id, 80 * HOUR)
    await who.release_notices(case_id, actor=OFFICER, withheld=True)
    await engine.advance(case_id, HOUR)
    return case_id


async def learnt_while_leaving(engine: VirtualEngine) -> UUID:
    """Something is learnt while the mail server takes no mail: then duties and summary are behind at once."""
    reported = await officer(engine).report_breach(incident("IL-001", confirmed=utc_now()), actor=OFFICER)
    case_id = reported.case_id
    async with asyncio.timeout(PATIENCE):
        while not case(engine, case_id).troubles:  # noqa: ASYNC110 (it is told by SQL alone)
            await asyncio.sleep(0.02)
    await officer(engine).learn(case_id, "students_involved", "Those of grade 4.", actor=OFFICER)
    await engine.settle(case_id)
    return case_id


async def begun_anew(engine: VirtualEngine) -> UUID:
    """The history becomes long at the moment of a reminder, which the next run then gives."""
    every_hour = tuple(hour / 72 for hour in range(1, 72))
    case_id = await open_case(engine, incident("MO-001", confirmed=utc_now()), reminder_fractions=every_hour)
    await engine.advance(case_id, 73 * HOUR)
    return case_id


Playing = Callable[[Path, Keyring], AbstractAsyncContextManager[VirtualEngine]]


@asynccontextmanager
async def usual_engine(folder: Path, keyring: Keyring) -> AsyncIterator[VirtualEngine]:
    """An engine as it is."""
    async with virtual_engine(folder, keyring=keyring) as engine:
        yield engine


@asynccontextmanager
async def engine_with_mail_trouble(folder: Path, keyring: Keyring) -> AsyncIterator[VirtualEngine]:
    """An engine without release by people, whose mail server takes the first mail only when it is asked again."""
    async with scripted_server(MAIL=["421 4.3.2 Shutting down"]) as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": 1}
        settings = {"smtp": smtp, "release": "immediate"}
        async with virtual_engine(folder, keyring=keyring, overrides=settings) as engine:
            yield engine


@asynccontextmanager
async def engine_of_short_histories(folder: Path, keyring: Keyring) -> AsyncIterator[VirtualEngine]:
    """An engine whose server suggests a new history early."""
    suggest = ("--dynamic-config-value", f"limit.historyCount.suggestContinueAsNew={LONG}")
    async with virtual_engine(folder, keyring=keyring, server_options=suggest) as engine:
        yield engine


@dataclass(frozen=True)
class Story:
    """A case to be played, and the engine that it needs."""

    play: Callable[[VirtualEngine], Awaitable[UUID]]
    engine: Playing = usual_engine

    @property
    def name(self) -> str:
        """What its files are called by."""
        return self.play.__name__


STORIES = (
    Story(suspected_then_confirmed),
    Story(released_by_an_officer),
    Story(still_open),
    Story(acted_upon),
    Story(all_at_once),
    Story(withheld_by_one),
    Story(learnt_while_leaving, engine_with_mail_trouble),
    Story(begun_anew, engine_of_short_histories),
    Story(confirmed_by_each_holder),
    Story(told_answered_and_silent),
    Story(an_addendum_nobody_objects_to),
    Story(disposed_of_after_the_end),
    Story(ended_by_mistake),
    Story(answered_and_corrected),
    Story(referred_once_the_lea_is_found),
)


def story_keyring(folder: Path) -> Keyring:
    """The keyring under which the kept histories are sealed; it guards nothing, so its secret is no secret."""
    secret = hashlib.sha256(b"histories of fictional cases").digest()
    key = {"id": "stories", "created_at": "2026-01-01T00:00:00Z", "secret": base64.b64encode(secret).decode()}
    file = folder / "keyring.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"format": "duenotice-keyring/1", "keys": [key]}), "utf-8")
    return Keyring.load(file)


async def histories(engine: VirtualEngine, case_id: UUID) -> list[WorkflowHistory]:
    """The case's first history and that of its first batch."""
    batch = next(entry.subject for entry in case(engine, case_id).evidence if entry.kind == "notice_released")
    assert batch
    first_batch = engine.resources.client.get_workflow_handle(batch_workflow_id(UUID(batch)))
    run_id = (await engine.case(case_id).describe()).raw_description.workflow_execution_info.first_run_id
    first_run = engine.resources.client.get_workflow_handle(engine.case(case_id).id, run_id=run_id)
    return [await first_run.fetch_history(), await first_batch.fetch_history()]


def keep(story: str, history: WorkflowHistory) -> None:
    """Write a history into its file, without the names of the processes that made it."""
    kind = history.workflow_id.partition(":")[0]
    kept = {"workflow_id": history.workflow_id, "history": _anonymous(json.loads(history.to_json()))}
    (HISTORIES / f"{story}.{kind}.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    (FINGERPRINTS / f"{story}.{kind}.txt").write_text(fingerprint(history), "utf-8")


def fingerprint(history: WorkflowHistory) -> str:
    """What a workflow asked of the server, and what came from outside, in order: one line each."""
    return "".join(f"{line}\n" for event in history.events if (line := _line(event)))


def _line(event: HistoryEvent) -> str | None:
    match event.WhichOneof("attributes"):
        case "activity_task_scheduled_event_attributes":
            return f"activity {event.activity_task_scheduled_event_attributes.activity_type.name}"
        case "start_child_workflow_execution_initiated_event_attributes":
            return f"child {event.start_child_workflow_execution_initiated_event_attributes.workflow_type.name}"
        case "workflow_execution_update_accepted_event_attributes":
            accepted = event.workflow_execution_update_accepted_event_attributes
            return f"update {accepted.accepted_request.input.name}"
        case (
            "timer_started_event_attributes"
            | "timer_fired_event_attributes"
            | "timer_canceled_event_attributes" as name
        ):
            return name.removesuffix("_event_attributes").replace("_", " ")
        case "upsert_workflow_search_attributes_event_attributes":
            return "search attributes"
        case "workflow_execution_completed_event_attributes":
            return "completed"
        case "workflow_execution_continued_as_new_event_attributes":
            return "continued as new"
        case _:
            return None


def kept(file: Path) -> WorkflowHistory:
    """Read a history from its file."""
    found = json.loads(file.read_text("utf-8"))
    return WorkflowHistory.from_json(found["workflow_id"], found["history"])


def _anonymous(value: object) -> object:
    if isinstance(value, dict):
        return {key: _anonymous(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_anonymous(member) for member in value]
    return _PROCESS.sub("test", value) if isinstance(value, str) else value
