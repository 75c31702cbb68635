"""Whoever reaches Temporal without the installation's keys: nothing that he says counts, and no case stops for it.

Played with the real ``temporal`` command, and with payloads that were copied out of Temporal's own histories.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select, update
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Stage
from temporalio.api.update.v1 import Input, Meta, Request
from temporalio.api.workflowservice.v1 import (
    RespondActivityTaskCompletedByIdRequest,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHistory
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from cases.state import BatchPlan, CaseInput, CaseSummary, NoticePolicy
from config.keyring import Keyring
from models.enums import CaseStatus, DutyStatus
from models.identifiers import TASK_QUEUE
from models.tables import Batch, Case, EvidenceEntry
from records.notices import waiting_batches
from records.restore import restore_state
from starter import case_service
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.gate import Gate, held_engine
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.sweeping import sweep

HOUR = timedelta(hours=1)
TEMPORAL = shutil.which("temporal", path=str(Path(sys.executable).parent))
REFUSED = "did not seal for this workflow"


async def temporal(engine: VirtualEngine, *words: str) -> tuple[int, str]:
    """Run the ``temporal`` command as another account of the machine could; return its exit code and its words."""
    assert TEMPORAL
    address = engine.resources.client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        *(TEMPORAL, *words, "--address", address, "--command-timeout", "20s"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def a_release(case_id: UUID) -> str:
    act_id = str(uuid4())
    return json.dumps({"act": {"act": "release", "withheld": False}, "actor": OFFICER, "act_id": act_id})


def acts(engine: VirtualEngine, case_id: UUID) -> list[str]:
    """The acts that the ledger knows."""
    return [entry.kind for entry in case(engine, case_id).evidence if entry.kind.startswith("act.")]


async def still_works(engine: VirtualEngine, case_id: UUID) -> None:
    """The case takes the act of a person who may do it, and notices leave."""
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED


@pytest.fixture
async def case_id(engine: VirtualEngine) -> UUID:
    """A confirmed case whose notice waits for an officer."""
    return await open_case(engine, incident("TN-001", confirmed=utc_now()))


@pytest.mark.parametrize("encoding", ["json/plain", "binary/encrypted", "binary/not-sealed", "binary/key-missing"])
async def test_an_update_from_the_command_line_releases_nothing(
    engine: VirtualEngine, case_id: UUID, encoding: str
) -> None:
    code, says = await temporal(
        engine,
        *("workflow", "update", "execute", "--workflow-id", engine.case(case_id).id, "--name", "release"),
        *("--input", a_release(case_id), "--input-meta", f"encoding={encoding}"),
    )
    assert code != 0, says
    assert acts(engine, case_id) == []
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING
    await still_works(engine, case_id)


async def test_an_update_sealed_under_a_key_that_nobody_knows_stops_no_case(
    engine: VirtualEngine, case_id: UUID, tmp_path: Path
) -> None:
    foreign = Keyring.create(tmp_path / "foreign.json").seal(b"whatever", b"temporal.payload")
    code, _ = await temporal(
        engine,
        *("workflow", "update", "execute", "--workflow-id", engine.case(case_id).id, "--name", "release"),
        *("--input", base64.b64encode(foreign).decode(), "--input-base64", "--input-meta", "encoding=binary/encrypted"),
    )
    assert code != 0
    await still_works(engine, case_id)


async def test_a_signal_with_words_is_dropped(engine: VirtualEngine, case_id: UUID) -> None:
    handle = engine.case(case_id)
    words = ("workflow", "signal", "--workflow-id", handle.id, "--name", "look_again", "--input", '"at this"')
    assert (await temporal(engine, *words))[0] == 0
    await still_works(engine, case_id)


async def accepted_inputs(client: Client, workflow_id: str) -> list[Payloads]:
    """The sealed inputs of the updates of a workflow, as anybody reads them who reaches Temporal."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    accepted = [event.workflow_execution_update_accepted_event_attributes for event in history.events]
    return [update.accepted_request.input.args for update in accepted if update.protocol_instance_id]


async def send_copied(
    client: Client, workflow_id: str, name: str, args: Payloads, update_id: str
) -> UpdateWorkflowExecutionResponse:
    request = UpdateWorkflowExecutionRequest(
        namespace=client.namespace,
        request=Request(meta=Meta(update_id=update_id, identity="outsider"), input=Input(name=name, args=args)),
    )
    request.workflow_execution.workflow_id = workflow_id
    request.wait_policy.lifecycle_stage = Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
    return await client.workflow_service.update_workflow_execution(request, timeout=timedelta(seconds=20))


async def test_an_officer_s_act_copied_from_another_case_is_refused(engine: VirtualEngine, case_id: UUID) -> None:
    other = await open_case(engine, incident("TN-001", "OR-001", confirmed=utc_now()))
    await officer(engine).release_notices(other, actor=OFFICER)
    client = engine.resources.client
    [copied] = await accepted_inputs(client, engine.case(other).id)
    answer = await send_copied(client, engine.case(case_id).id, "release", copied, str(uuid4()))
    assert answer.outcome.failure.ByteSize()
    assert acts(engine, case_id) == []
    await still_works(engine, case_id)


async def test_an_officer_s_act_is_not_done_twice_by_sending_it_again(engine: VirtualEngine, case_id: UUID) -> None:
    await officer(engine).withhold_notices(case_id, "Counsel reads them first.", actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER, withheld=True)
    client = engine.resources.client
    withheld, _ = await accepted_inputs(client, engine.case(case_id).id)
    before = acts(engine, case_id)
    answer = await send_copied(client, engine.case(case_id).id, "withhold", withheld, str(uuid4()))
    assert answer.outcome.failure.ByteSize()
    assert acts(engine, case_id) == before


async def test_a_case_started_from_the_command_line_does_nothing(engine: VirtualEngine, case_id: UUID) -> None:
    started = json.dumps({"case_id": str(case_id), "state": {"anchors": {}, "opened": True}})
    code, says = await temporal(
        engine,
        *("workflow", "execute", "--type", "breach", "--task-queue", TASK_QUEUE),
        *("--workflow-id", f"breach:{uuid4()}", "--input", started),
    )
    assert code != 0, says
    await still_works(engine, case_id)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be done after a test, whatever came of it."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
async def held(keyring: Keyring, tmp_path: Path) -> AsyncIterator[tuple[VirtualEngine, Gate]]:
    """An engine whose activities can be held, so that somebody else can end them."""
    async with held_engine(tmp_path, keyring) as (engine, gate):
        know_demo_agreements(engine)
        yield engine, gate


def answers(history: WorkflowHistory, activity_type: str) -> list[Payload]:
    """The sealed answers of the activities of a type, as anybody reads them who reaches Temporal."""
    of_type = {
        event.event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == activity_type
    }
    ended = (event.activity_task_completed_event_attributes for event in history.events)
    return [one.result.payloads[0] for one in ended if one.scheduled_event_id in of_type]


async def answer_from_outside(client: Client, workflow_id: str, activity_id: str, payload: Payload) -> None:
    await client.workflow_service.respond_activity_task_completed_by_id(
        RespondActivityTaskCompletedByIdRequest(
            namespace=client.namespace,
            workflow_id=workflow_id,
            activity_id=activity_id,
            result=Payloads(payloads=[payload]),
            identity="outsider",
        )
    )


@pytest.mark.long
async def test_a_step_that_is_ended_from_the_command_line_starts_the_case_again_from_what_sql_knows(
    held: tuple[VirtualEngine, Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_service, "FIRST_EFFECT", timedelta())  # the act below has none that it could wait for
    engine, gate = held
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    gate.closed = True
    act = asyncio.create_task(officer(engine).learn(case_id, "description", "What was learnt.", actor=OFFICER))
    gate.let_through(await gate.next_held("record_act"))
    workflow_id, _, activity_id = await gate.next_held("compute_duties")
    words = ("activity", "complete", "--workflow-id", workflow_id, "--activity-id", activity_id, "--result", "{}")
    assert (await temporal(engine, *words))[0] == 0
    with pytest.raises(WorkflowFailureError) as failed:
        await engine.case(case_id).result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert REFUSED in failed.value.cause.message
    gate.lift()
    await asyncio.gather(act, return_exceptions=True)

    await sweep(engine)
    await engine.settle(case_id)
    assert (await engine.case(case_id).describe()).status is WorkflowExecutionStatus.RUNNING
    await still_works(engine, case_id)


@pytest.mark.long
async def test_an_act_is_believed_only_once_the_engine_recorded_it(
    held: tuple[VirtualEngine, Gate], stack: ExitStack
) -> None:
    engine, gate = held
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    await officer(engine).learn(case_id, "description", "What was learnt.", actor=OFFICER)
    [of_another_act] = answers(await engine.case(case_id).fetch_history(), "record_act")
    gate.closed = True
    act = asyncio.create_task(officer(engine).release_notices(case_id, actor=OFFICER))
    key = await gate.next_held("record_act")
    # Held apart, since what runs here still has to end before its worker can.
    stack.callback(gate.held.pop(key).set)
    await answer_from_outside(engine.resources.client, key[0], key[2], of_another_act)
    again = await gate.next_held("record_act")
    assert again[2] != key[2]
    assert acts(engine, case_id) == ["act.learn"]
    gate.lift()
    await act
    await engine.settle(case_id)
    assert acts(engine, case_id) == ["act.learn", "act.release"]
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED


def waiting(engine: VirtualEngine, case_id: UUID) -> BatchPlan:
    """The one batch of a case, as it waits."""
    with engine.resources.database.reading() as session:
        [plan] = waiting_batches(session, case_id)
    return plan


async def sealed_input(engine: VirtualEngine, case_id: UUID, **said: object) -> Payload:
    """What a run of a case's workflow began with, as it stands in Temporal's history: its state was then as is said."""
    with engine.resources.database.reading() as session:
        known = restore_state(session, case_id, NoticePolicy())
    state = known.model_copy(update={"opened": True, "computed": known.facts, **said})
    client = engine.resources.client
    context = WorkflowSerializationContext(client.namespace, engine.case(case_id).id)
    began = CaseInput(case_id=case_id, policy=NoticePolicy(), state=state)
    [payload] = await client.data_converter.with_context(context).encode([began])
    return payload


async def start_from(engine: VirtualEngine, case_id: UUID, began: Payload) -> None:
    """End a case's workflow and start it under its own id with an input that was copied, by the command line."""
    workflow_id = engine.case(case_id).id
    assert (await temporal(engine, "workflow", "terminate", "--workflow-id", workflow_id))[0] == 0
    encoding = began.metadata["encoding"].decode()
    code, says = await temporal(
        engine,
        *("workflow", "start", "--type", "breach", "--task-queue", TASK_QUEUE, "--workflow-id", workflow_id),
        *("--input", base64.b64encode(began.data).decode(), "--input-base64", "--input-meta", f"encoding={encoding}"),
    )
    assert code == 0, says


def restarts(engine: VirtualEngine, case_id: UUID) -> list[str]:
    """What the ledger says of the case's workflow being started again."""
    wanted = EvidenceEntry.kind == "case_restarted", EvidenceEntry.case_id == case_id
    with engine.resources.database.reading() as session:
        return [str(entry.body["finding"]) for entry in session.exec(select(EvidenceEntry).where(*wanted))]


@pytest.mark.parametrize("said", ["released", "due"])
async def test_a_case_started_from_an_old_state_lets_nothing_go_and_is_started_anew(
    engine: VirtualEngine, case_id: UUID, said: str
) -> None:
    """An input copied from its own past opens: it was sealed for this workflow. What it says is held against SQL."""
    plan = waiting(engine, case_id)
    early = plan.model_copy(update={"leaves_at": utc_now() - HOUR})
    stale = {"released": {plan.batch_id: OFFICER}} if said == "released" else {}
    await start_from(engine, case_id, await sealed_input(engine, case_id, waiting={plan.batch_id: early}, **stale))
    await engine.settle(case_id)
    assert waiting(engine, case_id) == plan, "nothing left"
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING

    assert (await sweep(engine)).restarted >= 1
    await engine.settle(case_id)
    [finding] = restarts(engine, case_id)
    assert finding.startswith("Somebody else had started its workflow, or had set it back.")
    await sweep(engine)
    assert len(restarts(engine, case_id)) == 1, "what the engine started is its own"
    await still_works(engine, case_id)


async def test_a_case_started_from_a_state_in_which_it_was_dismissed_is_not_closed(
    engine: VirtualEngine, case_id: UUID
) -> None:
    await start_from(engine, case_id, await sealed_input(engine, case_id, dismissed=True))
    with pytest.raises(WorkflowFailureError):
        await engine.case(case_id).result()
    await sweep(engine)
    await engine.settle(case_id)
    assert case(engine, case_id).status is CaseStatus.OPEN
    await still_works(engine, case_id)


async def test_a_case_that_does_not_know_of_a_batch_hears_of_it(engine: VirtualEngine, case_id: UUID) -> None:
    """Somebody sets a case back so that it has forgotten what waits: the notice leaves nevertheless, if late."""
    plan = waiting(engine, case_id)
    with engine.resources.database.writing() as session:
        session.execute(update(Batch).where(col(Batch.id) == plan.batch_id).values(leaves_at=utc_now() - HOUR))
        session.execute(update(Case).where(col(Case.id) == case_id).values(workflow_run_id=None))
    knows_of_none = CaseSummary(open_duties=1)
    await start_from(engine, case_id, await sealed_input(engine, case_id, summary=knows_of_none))
    await engine.settle(case_id)
    assert waiting(engine, case_id).batch_id == plan.batch_id
    assert (await sweep(engine)).handed_on >= 1
    await engine.settle(case_id)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED


async def test_a_case_that_is_set_back_keeps_what_was_decided_since_and_is_started_anew(
    engine: VirtualEngine, case_id: UUID
) -> None:
    await officer(engine).withhold_notices(case_id, "Counsel reads them first.", actor=OFFICER)
    await engine.settle(case_id)
    code, says = await temporal(
        engine,
        *("workflow", "reset", "--workflow-id", engine.case(case_id).id, "--type", "FirstWorkflowTask"),
        *("--reapply-exclude", "All", "--reason", "as somebody says"),
    )
    assert code == 0, says
    await engine.settle(case_id)
    assert waiting(engine, case_id).withheld
    await sweep(engine)
    await engine.settle(case_id)
    assert len(restarts(engine, case_id)) == 1
    await officer(engine).release_notices(case_id, actor=OFFICER, withheld=True)
    await engine.settle(case_id)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PERFORMED
