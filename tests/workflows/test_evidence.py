"""The proof that a case leaves: in order, whole, verifiable, and without personal data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from google.protobuf.json_format import MessageToJson
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from config.keyring import Keyring
from ledger.artifacts import fetch
from ledger.verify import verify_ledger
from models.columns import bind_sealer
from models.identifiers import batch_workflow_id
from models.search_attributes import REGISTRY
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import DESCRIPTION, OFFICER, REPORTER, TITLE, case, incident, open_case
from tests.support.officers import officer

ADDRESSES = ("office@blueridge.example.org", "security@blueridge.example.org", "security@cascademeadow.example.org")
WITH_SEARCH_ATTRIBUTES = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
)
"""The events that hold something in clear: kinds, statuses, instants and counts."""

PROJECT = Path(__file__).parents[2]
PERSONAL = (TITLE, DESCRIPTION, REPORTER.name, REPORTER.email, *ADDRESSES)


@pytest.fixture(scope="module")
async def played(running_engine: VirtualEngine, keyring: Keyring) -> UUID:
    """A case played to its end."""
    bind_sealer(keyring)
    case_id = await open_case(running_engine, incident("VA-001", "OR-001", expected=utc_now()))
    await officer(running_engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    await officer(running_engine).release_notices(case_id, actor=OFFICER)
    await running_engine.settle(case_id)
    return case_id


@pytest.fixture
def case_id(played: UUID, engine: VirtualEngine) -> UUID:
    """The case, with the shared engine ready to be asked about it."""
    return played


def workflows(engine: VirtualEngine, case_id: UUID) -> list[WorkflowHandle[object, object]]:
    """The case's workflow and those of its batches."""
    released = [entry.subject for entry in case(engine, case_id).evidence if entry.kind == "notice_released"]
    client = engine.resources.client
    batches = [client.get_workflow_handle(batch_workflow_id(UUID(batch))) for batch in released if batch]
    assert len(batches) == 3
    return [client.get_workflow_handle(engine.case(case_id).id), *batches]


def test_evidence_tells_the_case_in_order(engine: VirtualEngine, case_id: UUID) -> None:
    kinds = [entry.kind for entry in case(engine, case_id).evidence]
    steps = (
        "case_opened",
        "terms_pinned",
        "duty_computed",
        "act.confirm",
        "notice_released",
        "notice_composed",
        "notice_given",
    )
    firsts = [kinds.index(step) for step in steps]
    assert firsts == sorted(firsts)
    numbers = [entry.number for entry in case(engine, case_id).evidence]
    assert numbers == sorted(numbers)


def test_every_notice_is_composed_before_it_is_given(engine: VirtualEngine, case_id: UUID) -> None:
    found = case(engine, case_id)
    entries = [(entry.kind, entry.subject) for entry in found.evidence]
    notices = [str(notice.id) for duty in found.duties for notice in duty.notices]
    assert len(notices) == 3
    for notice in notices:
        assert entries.index(("notice_composed", notice)) < entries.index(("notice_given", notice))


def test_every_artifact_that_evidence_points_to_can_be_fetched(engine: VirtualEngine, case_id: UUID) -> None:
    artifacts = {sha256 for entry in case(engine, case_id).evidence for sha256 in entry.artifacts}
    with engine.resources.database.reading() as session:
        contents = [fetch(session, sha256) for sha256 in artifacts]
    assert any(DESCRIPTION.encode() in content for content in contents), "the report as it was given"
    assert sum(content.startswith(b"From: ") for content in contents) == 3, "the letters"


def test_the_ledger_verifies(engine: VirtualEngine, case_id: UUID) -> None:
    with engine.resources.database.reading() as session:
        found = verify_ledger(session)
    assert found.sound
    assert found.length >= case(engine, case_id).evidence[-1].number


def test_no_evidence_body_holds_personal_data(engine: VirtualEngine, case_id: UUID) -> None:
    for entry in case(engine, case_id).evidence:
        told = str((entry.kind, entry.subject, entry.actor, entry.body))
        assert not [secret for secret in (*PERSONAL, "@") if secret in told]


async def test_histories_hold_ciphertext_only(engine: VirtualEngine, case_id: UUID) -> None:
    for handle in workflows(engine, case_id):
        history = await handle.fetch_history()
        payloads = 0
        for event in history.events:
            raw = event.SerializeToString()
            assert not [secret for secret in (*PERSONAL, OFFICER) if secret.encode() in raw]
            payloads += raw.count(b"binary/encrypted")
            assert event.event_type in WITH_SEARCH_ATTRIBUTES or b"json/plain" not in raw
        assert payloads > 3


async def test_search_attributes_are_the_registered_ones_and_hold_no_personal_data(
    engine: VirtualEngine, case_id: UUID
) -> None:
    description = await engine.case(case_id).describe()
    ours = {pair.key.name for pair in description.typed_search_attributes if pair.key.name.startswith("Duenotice")}
    assert ours <= {key.name for key in REGISTRY}
    shown = MessageToJson(description.raw_info)
    assert not [secret for secret in (*PERSONAL, OFFICER, "example.org") if secret in shown]


async def test_workflow_ids_are_kinds_and_uuids(engine: VirtualEngine, case_id: UUID) -> None:
    for handle in workflows(engine, case_id):
        kind, _, key = handle.id.partition(":")
        assert kind in ("breach", "notice-batch")
        assert str(UUID(key)) == key


@pytest.mark.long
def test_logs_hold_no_personal_data(tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DUENOTICE_", "TEMPORAL_"))
    }
    played = subprocess.run(
        [sys.executable, "-m", "tests.support.logged_case", str(tmp_path)],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    (case_id,) = played.stdout.split()
    lines = [json.loads(line) for line in played.stderr.splitlines() if line.startswith("{")]
    assert any(line.get("case_id") == case_id for line in lines)
    assert not [secret for secret in PERSONAL if secret in played.stderr]
