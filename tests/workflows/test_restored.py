"""The database or Temporal was restored from a copy: every open case begins anew from what the database knows."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import select, update
from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleSpec,
    WorkflowExecutionStatus,
)
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from cases.messages import Sweep, Swept
from config.converter import data_converter
from config.keyring import Keyring
from models.enums import CaseStatus, DutyStatus
from models.errors import Refused
from models.tables import EvidenceEntry, LastSweep
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from starter.schedules import WATCHDOG, keep_watchdog
from tests.conftest import know_demo_agreements
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.installation import eventually
from tests.support.officers import officer
from tests.support.sweeping import AT_ONCE, sweep


@pytest.fixture
async def engine(keyring: Keyring, tmp_path: Path) -> AsyncIterator[VirtualEngine]:
    """An engine of its own, since all its cases begin anew."""
    async with virtual_engine(tmp_path / "engine", keyring=keyring) as engine:
        know_demo_agreements(engine)
        yield engine


def copied(engine: VirtualEngine, file: Path) -> Path:
    """A copy of the database as it is now."""
    with sqlite3.connect(file) as copy, sqlite3.connect(_file(engine)) as database:
        database.backup(copy)
    return file


def restore(engine: VirtualEngine, copy: Path) -> None:
    """Put a copy in the place of the database."""
    with sqlite3.connect(copy) as source, sqlite3.connect(_file(engine)) as database:
        source.backup(database)


def _file(engine: VirtualEngine) -> Path:
    return Path(str(engine.resources.database.engine.url.database))


def begun_anew(engine: VirtualEngine) -> list[dict[str, Any]]:
    """What the ledger says of it."""
    with engine.resources.database.reading() as session:
        found = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "cases_begun_anew"))
        return [entry.body for entry in found]


async def status(engine: VirtualEngine, case_id: UUID) -> WorkflowExecutionStatus | None:
    return (await engine.case(case_id).describe()).status


def mails(engine: VirtualEngine, words: str) -> int:
    return sum(words in " ".join(file.read_text("ascii").split()) for file in engine.mail.glob("*.eml"))


async def test_what_was_recorded_since_the_copy_can_be_recorded_again(engine: VirtualEngine, tmp_path: Path) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    copy = copied(engine, tmp_path / "copy.sqlite3")
    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    await engine.settle(case_id)
    since = await open_case(engine, incident("OR-001", confirmed=utc_now()))
    before = await sweep(engine)

    restore(engine, copy)
    with pytest.raises(Refused, match=r"already confirmed.* `duenotice restored`"):  # by what its workflow knows alone
        await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    after = await sweep(engine, Sweep(grace_minutes=0, last=before))
    await engine.settle(case_id)
    assert after.entries < before.entries
    [entry] = begun_anew(engine)
    assert entry == {"why": "database", "entries_before": before.entries, "cases": 1, "unknown": 1}
    assert mails(engine, "The database was restored from a copy: look at every open case") == 1
    assert await status(engine, since) is WorkflowExecutionStatus.TERMINATED

    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED


async def test_it_is_seen_to_once_though_the_sweep_that_did_never_ended(engine: VirtualEngine, tmp_path: Path) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    copy = copied(engine, tmp_path / "copy.sqlite3")
    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    before = await sweep(engine)
    restore(engine, copy)
    for _ in range(2):
        await sweep(engine, Sweep(grace_minutes=0, last=before))
        await engine.settle(case_id)
    assert len(begun_anew(engine)) == 1
    assert sum(entry.kind == "case_restarted" for entry in case(engine, case_id).evidence) == 1


async def test_a_case_that_was_closed_since_the_copy_goes_on(engine: VirtualEngine, tmp_path: Path) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    copy = copied(engine, tmp_path / "copy.sqlite3")
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.case(case_id).result()
    before = await sweep(engine)

    restore(engine, copy)
    await sweep(engine, Sweep(grace_minutes=0, last=before))
    await engine.settle(case_id)
    assert await status(engine, case_id) is WorkflowExecutionStatus.RUNNING
    assert case(engine, case_id).status is CaseStatus.OPEN


async def test_where_temporal_does_not_know_the_last_sweep_cases_begin_anew(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    first = (await engine.case(case_id).describe()).run_id
    await sweep(engine)
    with engine.resources.database.writing() as session:
        session.execute(update(LastSweep).values(workflow_id=f"sweep:{uuid4()}"))
    await sweep(engine)
    await engine.settle(case_id)
    assert begun_anew(engine) == [{"why": "temporal", "cases": 1, "unknown": 0}]
    assert (await engine.case(case_id).describe()).run_id != first
    await sweep(engine)
    assert len(begun_anew(engine)) == 1


async def test_what_was_long_ago_need_not_be_known_to_temporal_any_more(engine: VirtualEngine) -> None:
    await open_case(engine, incident("TN-001", confirmed=utc_now()))
    with engine.resources.database.writing() as session:
        ended = utc_now() - timedelta(days=1, minutes=1)
        session.merge(LastSweep(id=1, began_at=ended, ended_at=ended, clock_ahead=0, workflow_id="long-ago"))
    await sweep(engine)
    assert begun_anew(engine) == []


async def test_a_person_may_say_that_one_was_restored(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    swept = await sweep(engine, AT_ONCE.model_copy(update={"restored_by": "robin"}))
    await engine.settle(case_id)
    assert swept.restarted == 1
    assert begun_anew(engine) == [{"why": "said", "cases": 1, "unknown": 0}]


async def test_the_schedule_tells_each_sweep_what_the_last_one_found(engine: VirtualEngine, tmp_path: Path) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    copy = copied(engine, tmp_path / "copy.sqlite3")
    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    await keep_watchdog(engine.resources.client, 60)
    schedule = engine.resources.client.get_schedule_handle(WATCHDOG)
    await _swept(schedule, engine.resources.client, 1)
    restore(engine, copy)
    await keep_watchdog(engine.resources.client, 60)
    await _swept(schedule, engine.resources.client, 2)
    assert [entry["why"] for entry in begun_anew(engine)] == ["database"]


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_sweep_whose_result_cannot_be_read_tells_the_next_one_nothing(
    engine: VirtualEngine, tmp_path: Path, sealed: bool
) -> None:
    ours, converter = engine.resources.client, pydantic_data_converter
    if sealed:  # under a key that is not in the keyring any more
        converter = data_converter(Keyring.create(tmp_path / "other.json"))
    plain = await Client.connect(ours.service_client.config.target_host, data_converter=converter)
    elsewhere = ScheduleActionStartWorkflow(Impostor.run, id=WATCHDOG, task_queue="elsewhere")
    schedule = await plain.create_schedule(
        WATCHDOG, Schedule(action=elsewhere, spec=ScheduleSpec()), trigger_immediately=True
    )
    async with Worker(plain, task_queue="elsewhere", workflows=[Impostor]):
        await _swept(schedule, plain, 1)
    await keep_watchdog(ours, 60)
    await _swept(schedule, ours, 2)
    with engine.resources.database.reading() as session:
        assert session.get(LastSweep, 1) is not None


@workflow.defn(name="watchdog", sandboxed=False)
class Impostor:
    """A sweep by a worker that has another keyring, or none."""

    @workflow.run
    async def run(self) -> Swept:
        return Swept(entries=1_000_000)


async def _swept(schedule: ScheduleHandle, client: Client, times: int) -> None:
    """Wait until so many sweeps were started by the schedule, and the last of them has ended well."""

    async def last() -> str | None:
        recent = (await schedule.describe()).info.recent_actions
        started = recent[-1].action if len(recent) >= times else None
        return started.workflow_id if isinstance(started, ScheduleActionExecutionStartWorkflow) else None

    await client.get_workflow_handle(await eventually(last), result_type=Swept).result()
