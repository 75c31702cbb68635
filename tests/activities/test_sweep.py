"""One sweep over many cases: what it finds by counting, what it finds in turn, and how much it looks at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlmodel import col, select, update
from temporalio import workflow
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.letters import LetterSender
from activities.reminders import ReminderActivities
from activities.watchdog import LOOK_AGAIN, SweepBounds, WatchdogActivities
from cases.breach import BREACH
from cases.messages import Sweep, Swept
from config.keyring import Keyring
from ledger.artifacts import is_kept, store
from ledger.verify import verify_all
from mail.alerts import Alerts
from mail.transport import SmtpTransport
from models import identifiers
from models.columns import bind_sealer
from models.enums import CaseStatus, Role
from models.errors import Refused
from models.tables import Account, Artifact, Case, EvidenceEntry, HandedOver
from people.accounts import add_account
from queries.case_lists import list_cases
from queries.cases import read_case_head
from records.overlooked import ALL_IDS, place_of
from records.troubles import WORKFLOW_STUCK, failing_activity
from starter.case_service import CaseService
from starter.resources import Resources, utc_now
from starter.start import end_rules
from starter.writing import notice_writer, smtp_server
from tests.support.districts import installation, many_agreements
from tests.support.handed_over import A_MONTH, hand_a_file_over
from tests.support.incidents import OFFICER, incident
from tests.support.patience import PATIENCE
from worker import build_worker

REPORTING = ("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2")
"""Lets the server report a workflow as stuck after two failures in a row rather than five, which take a minute."""

NOTHING_BUT_COUNTS = SweepBounds(suspicious=0, in_turn=0, part=4, parts=3)
KINDS_RAISED = ("watchdog_raised", "trouble_raised")
HOUR = timedelta(hours=1)


@workflow.defn(name="breach", sandboxed=False)
class OtherSteps:
    """A case as a worker would run it whose code no longer takes the steps that open cases have taken."""

    @workflow.run
    async def run(self, message: object) -> None:
        await workflow.sleep(HOUR)


@dataclass
class Watched:
    """An installation with a Temporal server of its own, on which cases are only started: nobody works on them."""

    resources: Resources
    started: list[UUID] = field(default_factory=list)

    async def start(self, case_id: UUID, now: datetime, *, anew: bool = False) -> bool:
        """Start a workflow by the name of a case."""
        self.started.append(case_id)
        await self.resources.client.start_workflow(
            "breach", id=identifiers.workflow_id("breach", case_id), task_queue="nobody"
        )
        return True

    async def sweep(self, bounds: SweepBounds, at: datetime | None = None) -> Swept:
        """Sweep once with these bounds, at an instant."""
        self.started.clear()
        environment = ActivityEnvironment()
        environment.info = replace(
            environment.info, started_time=at or utc_now(), workflow_id=None
        )  # asked by no workflow
        settings, database = self.resources.settings, self.resources.database
        async with SmtpTransport(smtp_server(settings)) as transport:
            writer = notice_writer(settings, self.resources.keyring)
            reminders = ReminderActivities(database, transport, writer, Alerts(settings.alert_urls))
            letters = LetterSender(database, reminders.sender, writer)
            rules = end_rules(self.resources)
            watchdog = WatchdogActivities(
                self.resources.client, database, reminders, letters, self.start, rules, bounds
            )
            return await environment.run(watchdog.sweep, Sweep(grace_minutes=0))

    def keep(self, count: int, **values: object) -> list[UUID]:
        """Keep so many open cases, opened an hour ago."""
        opened = utc_now() - HOUR
        rows = [
            Case(
                id=(case_id := uuid4()),
                kind="breach",
                event="breach",
                status=CaseStatus.OPEN,
                title="One of many",
                report_digest=str(case_id),
                opened_by="robin",
                opened_at=opened,
                workflow_started_at=opened,
            )
            for _ in range(count)
        ]
        with self.resources.database.writing() as session:
            session.add_all(rows)
            session.flush()
            if values:
                session.execute(update(Case).where(col(Case.id).in_([row.id for row in rows])).values(**values))
        return [row.id for row in rows]

    async def run(self, *cases: UUID) -> None:
        """Let Temporal run them, and wait until its lists say so."""
        await asyncio.gather(*(self.start(case_id, utc_now()) for case_id in cases))
        self.started.clear()

    async def listed(self, count: int) -> None:
        """Wait until Temporal's visibility counts so many running cases."""
        query = "ExecutionStatus = 'Running' AND WorkflowType = 'breach'"

        async def agrees() -> bool:
            return (await self.resources.client.count_workflows(query)).count == count

        await until(agrees)

    async def end_all(self) -> None:
        """End every workflow, also those that Temporal's lists come to show only now."""
        client = self.resources.client

        async def none_runs() -> bool:
            running = [found.id async for found in client.list_workflows("ExecutionStatus = 'Running'")]
            for name in running:
                with suppress(RPCError):  # it has ended, and the lists do not show that yet
                    await client.get_workflow_handle(name).terminate()
            return not running

        await until(none_runs)
        await self.listed(0)

    def handle(self, case_id: UUID) -> WorkflowHandle[object, object]:
        """The workflow of a case."""
        return self.resources.client.get_workflow_handle(identifiers.workflow_id("breach", case_id))

    async def signals(self, case_id: UUID) -> list[str]:
        """The signals that a case was sent."""
        events = (await self.handle(case_id).fetch_history()).events
        found = [event.workflow_execution_signaled_event_attributes.signal_name for event in events]
        return [name for name in found if name]

    def trouble(self, case_id: UUID) -> str | None:
        """The trouble that is kept on a case."""
        with self.resources.database.reading() as session:
            return session.exec(select(Case.trouble).where(Case.id == case_id)).one()

    def shown(self, case_id: UUID) -> tuple[str, ...]:
        """The troubles that the page of a case shows."""
        head = read_case_head(self.resources.database, case_id, utc_now())
        return tuple(trouble.sentence for trouble in head.troubles)

    def is_marked(self, case_id: UUID) -> bool:
        """Whether the list of cases marks a case."""
        cases = list_cases(self.resources.database, utc_now(), limit=1_000).items
        return next(case.troubled for case in cases if case.id == case_id)

    def raised(self, case_id: UUID) -> int:
        """How often something of a case was raised, as the ledger says."""
        wanted = EvidenceEntry.case_id == case_id, col(EvidenceEntry.kind).in_(KINDS_RAISED)
        with self.resources.database.reading() as session:
            return len(session.exec(select(EvidenceEntry.number).where(*wanted)).all())

    def told(self, case_id: UUID, words: str) -> int:
        """How many messages with these words the officer got about a case."""
        reference = identifiers.case_reference(case_id)
        mails = (
            " ".join(file.read_text("ascii").split()) for file in (self.resources.settings.home / "mail").iterdir()
        )
        return sum(reference in mail and words in mail for mail in mails)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds of the server, which tells nobody."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def home_of_many(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    async with installation(tmp_path_factory.mktemp("many"), keyring, *REPORTING) as resources:
        yield Watched(resources)


@pytest.fixture
async def watched(home_of_many: Watched, keyring: Keyring) -> AsyncIterator[Watched]:
    """The installation, without the cases of other tests."""
    bind_sealer(keyring)
    yield home_of_many
    await home_of_many.end_all()
    with home_of_many.resources.database.writing() as session:
        session.execute(update(Case).values(closed_at=utc_now()))


async def test_a_lost_case_is_found_by_counting_alone(watched: Watched) -> None:
    lost, *others = watched.keep(30)
    await watched.run(*others)
    await watched.listed(len(others))
    swept = await watched.sweep(NOTHING_BUT_COUNTS)
    assert (swept.restarted, watched.started) == (1, [lost])
    assert watched.told(lost, "Its clocks had stopped") == 1


async def test_what_a_sweep_finds_of_a_case_is_told_to_whose_it_is_and_all_of_it_to_the_organisation(
    watched: Watched,
) -> None:
    database = watched.resources.database
    with suppress(Refused):
        email = "robin@provider.example.org"
        add_account(database, "robin", Role.OFFICER, email=email, made_by="cli:someone", now=utc_now())
    with database.reading() as session:
        robin = session.exec(select(Account.id).where(Account.name == "robin")).one()
    (own,), (other,) = watched.keep(1, responsible_id=robin), watched.keep(1)
    await watched.sweep(replace(NOTHING_BUT_COUNTS, suspicious=10))
    mails = [path.read_text() for path in (watched.resources.settings.home / "mail").glob("*.eml")]
    mine, theirs = (identifiers.case_reference(case_id) for case_id in (own, other))
    (told,) = [mail for mail in mails if 'To: "robin"' in mail]
    assert mine in told
    assert theirs not in told
    assert any(mine in mail and theirs in mail for mail in mails if 'To: "robin"' not in mail)


async def test_where_all_are_lost_as_many_are_started_as_one_sweep_may_and_the_next_goes_on(watched: Watched) -> None:
    cases = watched.keep(20)
    bounds = replace(NOTHING_BUT_COUNTS, restarts=8)
    first = await watched.sweep(bounds)
    assert 8 <= first.restarted < 20
    await watched.listed(first.restarted)
    while (await watched.sweep(bounds)).restarted:
        pass
    for case_id in cases:
        assert (await watched.handle(case_id).describe()).status


async def test_a_case_that_visibility_has_not_heard_of_is_not_started_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = watched.keep(3)
    await watched.run(*cases)

    async def none(*_: object) -> int:
        return 0

    async def nobody(*_: object) -> set[UUID]:
        return set()

    monkeypatch.setattr("activities.running_workflows.RunningWorkflows.count", none)
    monkeypatch.setattr("activities.running_workflows.RunningWorkflows.ids", nobody)
    assert (await watched.sweep(NOTHING_BUT_COUNTS)).restarted == 0


async def test_equal_counts_do_not_hide_a_lost_case_for_ever(watched: Watched) -> None:
    lost, *others = watched.keep(30)
    await watched.run(*others, UUID(int=lost.int ^ 1))
    await watched.listed(30)
    assert (await watched.sweep(NOTHING_BUT_COUNTS)).restarted == 0, "the counts agree, and so hide it"
    now, some = utc_now(), replace(NOTHING_BUT_COUNTS, in_turn=5)
    # When its turn comes lies in its id and in the time of day; most often it is one of the first twenty sweeps.
    for number in range(300):
        if (swept := await watched.sweep(some, now + timedelta(minutes=5 * number))).restarted:
            break
    assert (swept.restarted, watched.started) == (1, [lost])
    assert (await watched.sweep(some, now)).restarted == 0


@pytest.mark.parametrize("interval", [1, 5, 7, 10, 60])
def test_in_time_it_is_every_case_s_turn(interval: int) -> None:
    begin, parts = datetime.fromisoformat("2026-03-07T22:15Z"), 500
    places = sorted(place_of(begin + timedelta(minutes=interval * number)).int for number in range(20 * parts))
    gaps = [after - before for before, after in pairwise(places)]
    assert max(gaps) < ALL_IDS.last // parts


async def test_what_no_workflow_has_heard_of_is_handed_on(watched: Watched) -> None:
    now = utc_now()
    behind, never, computed, just_now = watched.keep(4, changed_at=now - HOUR)
    for case_id, values in (
        (behind, {"computed_at": now - 2 * HOUR}),
        (computed, {"computed_at": now}),
        (just_now, {"changed_at": now + HOUR}),
    ):
        with watched.resources.database.writing() as session:
            session.execute(update(Case).where(col(Case.id) == case_id).values(**values))
    await watched.run(behind, never, computed, just_now)
    await watched.listed(4)
    assert (await watched.sweep(SweepBounds())).handed_on == 2
    assert await watched.signals(behind) == await watched.signals(never) == [LOOK_AGAIN]
    assert await watched.signals(computed) == await watched.signals(just_now) == []


async def test_what_came_with_an_act_that_never_arrived_is_dropped_a_day_later(watched: Watched) -> None:
    now, database = utc_now(), watched.resources.database
    with database.writing() as session:
        said = store(session, b"Nobody was told.", "text/plain", now, claimed=False)
    for later, kept in ((timedelta(hours=23), True), (timedelta(hours=25), False)):
        await watched.sweep(NOTHING_BUT_COUNTS, now + later)
        with database.reading() as session:
            assert (session.get(Artifact, said) is not None) is kept


async def test_a_file_that_was_handed_over_is_erased_in_time_also_after_its_case(
    watched: Watched,
) -> None:
    database = watched.resources.database
    handed = hand_a_file_over(database)
    with database.writing() as session:
        session.execute(update(Case).where(col(Case.id) == handed.case.id).values(closed_at=utc_now()))
    for later, kept in ((A_MONTH - HOUR, True), (A_MONTH + HOUR, False), (2 * A_MONTH, False)):
        await watched.sweep(NOTHING_BUT_COUNTS, handed.case.now + later)
        with database.reading() as session:
            file = session.exec(select(HandedOver.content_sha256).where(HandedOver.case_id == handed.case.id)).one()
            assert is_kept(session, file) is kept
            assert verify_all(session, tables=False).sound
    with database.reading() as session:
        erased = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "file_erased")).all()
    assert [(entry.actor, entry.artifacts) for entry in erased] == [("duenotice", [file])]


async def test_a_case_that_somebody_outside_opened_is_told_of_once(watched: Watched) -> None:
    (opened,) = watched.keep(1, untold=True)
    await watched.run(opened)
    for _ in range(2):
        await watched.sweep(NOTHING_BUT_COUNTS)
    assert watched.told(opened, "Somebody outside opened") == 1


async def test_no_sweep_looks_at_more_suspects_than_it_may_and_all_come_to_their_turn(watched: Watched) -> None:
    cases = watched.keep(40, changed_at=utc_now() - HOUR)
    await watched.run(*cases)
    await watched.listed(40)
    few, now = SweepBounds(suspicious=10, in_turn=0), utc_now()
    swept = [await watched.sweep(few, now + timedelta(minutes=5 * number)) for number in range(90)]
    assert {one.handed_on for one in swept} == {10}
    assert all([await watched.signals(case_id) for case_id in cases])


@asynccontextmanager
async def reported(watched: Watched) -> AsyncIterator[UUID]:
    """A case that a real worker has begun, and nobody works on any more."""
    in_tennessee = next(name for name in many_agreements(watched.resources, 20) if name.startswith("TN-"))
    service = CaseService(watched.resources)
    async with build_worker(watched.resources):
        case_id = (await service.open_case(BREACH, incident(in_tennessee), actor=OFFICER)).case_id
        yield case_id


@pytest.mark.long
async def test_a_case_that_the_worker_cannot_go_on_with_is_found_shown_and_raised_once_and_heals(
    watched: Watched,
) -> None:
    resources = watched.resources
    async with reported(watched) as case_id:
        await until(lambda: rests(watched, case_id))
    by_its_description = SweepBounds(attempts=2)
    by_the_server = SweepBounds(attempts=1_000, in_turn=0)
    async with Worker(
        resources.client, task_queue=identifiers.TASK_QUEUE, workflows=[OtherSteps], max_cached_workflows=0
    ):
        await watched.handle(case_id).signal(LOOK_AGAIN)
        await until(lambda: fails(watched, case_id, attempts=2))
        for _ in range(2):
            await watched.sweep(by_its_description)
        assert watched.trouble(case_id) == WORKFLOW_STUCK
        assert "The clocks of this case stand still" in watched.shown(case_id)[0]
        assert watched.is_marked(case_id)
        assert watched.raised(case_id) == watched.told(case_id, "clocks of this case stand still") == 1

        with resources.database.writing() as session:
            session.execute(update(Case).where(col(Case.id) == case_id).values(trouble=None, trouble_since=None))
        await until(lambda: is_reported(watched, case_id))
        await watched.sweep(by_the_server)
        assert watched.trouble(case_id) == WORKFLOW_STUCK, "the server's own report is enough"
    async with build_worker(resources):
        await until(lambda: rests(watched, case_id))
        await watched.sweep(by_its_description)
    assert watched.trouble(case_id) is None
    assert watched.shown(case_id) == ()
    assert not watched.is_marked(case_id)


async def test_a_step_that_fails_again_and_again_is_found_shown_and_raised_once_and_heals(watched: Watched) -> None:
    resources, bounds = watched.resources, SweepBounds(attempts=2)
    failing = "CREATE TRIGGER no_room BEFORE INSERT ON duty BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END"
    with resources.database.writing() as session:
        session.execute(text(failing))
    async with reported(watched) as case_id:
        await until(lambda: retries(watched, case_id, attempts=2))
        for _ in range(2):
            await watched.sweep(bounds)
        assert watched.trouble(case_id) == failing_activity("compute_duties")
        assert "One step of this case (compute duties) fails" in watched.shown(case_id)[0]
        assert watched.raised(case_id) == watched.told(case_id, "fails again and again") == 1
        with resources.database.writing() as session:
            session.execute(text("DROP TRIGGER no_room"))
        await until(lambda: rests(watched, case_id))
        await watched.sweep(bounds)
        assert watched.shown(case_id) == ()


async def test_findings_are_told_by_the_next_sweep_where_the_mail_server_was_down(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case_id,) = watched.keep(1, trouble=WORKFLOW_STUCK, trouble_since=utc_now())
    await watched.run(case_id)
    await watched.listed(1)

    async def still_stuck(*_: object) -> set[UUID]:
        return {case_id}

    monkeypatch.setattr("activities.running_workflows.RunningWorkflows.stuck", still_stuck)
    by_the_server, there = SweepBounds(suspicious=0, in_turn=0), watched.resources.settings
    away = there.model_copy(update={"smtp": there.smtp.model_copy(update={"port": 1})})
    without_mail = Watched(replace(watched.resources, settings=away))
    assert (await without_mail.sweep(by_the_server)).troubled == 1
    assert watched.raised(case_id) == 0
    for _ in range(2):
        await watched.sweep(by_the_server)
    assert watched.raised(case_id) == watched.told(case_id, "stand still") == 1


async def rests(watched: Watched, case_id: UUID) -> bool:
    """Whether a case that was begun waits for nothing but time and people."""
    raw = (await watched.handle(case_id).describe()).raw_description
    busy = raw.HasField("pending_workflow_task") or raw.pending_activities or raw.pending_children
    return raw.workflow_execution_info.history_length > 10 and not busy


async def fails(watched: Watched, case_id: UUID, attempts: int) -> bool:
    return (await watched.handle(case_id).describe()).raw_description.pending_workflow_task.attempt >= attempts


async def retries(watched: Watched, case_id: UUID, attempts: int) -> bool:
    pending = (await watched.handle(case_id).describe()).raw_description.pending_activities
    return any(item.attempt >= attempts for item in pending)


async def is_reported(watched: Watched, case_id: UUID) -> bool:
    """Whether the server's lists name the case as stuck."""
    query = f"WorkflowId = 'breach:{case_id}' AND TemporalReportedProblems IS NOT NULL"
    return (await watched.resources.client.count_workflows(query)).count == 1
