"""A case at a size where one history is not enough: nothing is lost where one ends and the next begins."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.api.enums.v1 import EventType

from config.keyring import Keyring
from models import identifiers
from queries.cases import read_case
from records import notices as planning
from starter.case_service import CaseService
from starter.resources import Resources, utc_now
from tests.support.districts import check_each_given_once, installation, many_agreements, until_begun, until_given
from tests.support.incidents import DESCRIPTION, OFFICER, incident
from tests.support.officers import officer
from worker import build_worker

pytestmark = pytest.mark.long

LONG = 60
"""After how many events the server of this test suggests a new history, instead of 4,096."""

MOST_EVENTS = 600
"""What the window lets one history grow to: twenty batches, their outcomes, and what was decided meanwhile."""


async def runs(resources: Resources, case_id: UUID) -> list[int]:
    """How many events each history of a case holds, the newest first."""
    workflow_id = identifiers.workflow_id("breach", case_id)
    run_id, lengths = (await resources.client.get_workflow_handle(workflow_id).describe()).run_id, []
    while run_id:
        events = (await resources.client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()).events
        assert events[0].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        lengths.append(len(events))
    return lengths


async def test_nothing_is_lost_between_two_histories_of_a_case(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "BATCH_SIZE", 4)
    suggest = f"limit.historyCount.suggestContinueAsNew={LONG}"
    async with installation(tmp_path, keyring, "--dynamic-config-value", suggest) as resources:
        references, service = many_agreements(resources, 240), CaseService(resources)
        async with build_worker(resources):
            reported = await officer(service).report_breach(incident(*references, confirmed=utc_now()), actor=OFFICER)
            case_id = reported.case_id
            await until_begun(resources, case_id)
            for _ in range(12):  # the same each time: what is known otherwise would be told in supplements
                await officer(service).learn(case_id, "description", DESCRIPTION, actor=OFFICER)
                await asyncio.sleep(0.1)
            await until_given(resources, case_id)
            await officer(service).learn(case_id, "description", DESCRIPTION, actor=OFFICER)
            lengths = await runs(resources, case_id)
        assert check_each_given_once(resources, case_id) >= len(references) * 11 / 12
        recorded = read_case(resources.database, case_id, utc_now()).evidence
        assert sum(entry.kind == "act.learn" for entry in recorded) == 13
    assert len(lengths) >= 3
    assert max(lengths) < MOST_EVENTS
