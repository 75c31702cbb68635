"""``duenotice ledger history``: what Temporal keeps of a case beside the ledger, in the terminal."""

from __future__ import annotations

import json

from sqlmodel import select

from ledger.entries import CaseRead
from models.identifiers import case_reference
from models.tables import EvidenceEntry
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import incident, open_case
from tests.support.shell import Shell


async def test_a_case_is_shown_line_by_line_and_its_reading_is_an_entry(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("VA-001", expected=utc_now()))
    said = await shell("ledger", "history", case_reference(case_id))
    assert said.code == 0, said.err
    assert "The case’s workflow was started" in said.out
    assert "They agree" in said.out
    with installed.resources.database.reading() as session:
        of_case = EvidenceEntry.case_id == case_id, EvidenceEntry.kind == CaseRead.kind
        assert [entry.body["what"] for entry in session.exec(select(EvidenceEntry).where(*of_case))] == ["history"]


async def test_as_json_it_has_every_decoded_value(installed: VirtualEngine, shell: Shell) -> None:
    case_id = await open_case(installed, incident("VA-001", expected=utc_now()))
    found = json.loads((await shell("ledger", "history", str(case_id), "--json", "--only", "in both")).out)
    assert found["agreement"] == "agree"
    assert {line["standing"] for line in found["items"]} == {"in both"}
    assert str(case_id) in found["items"][0]["history"]["details"]["What it was given"]


async def test_a_standing_that_there_is_not_is_named(installed: VirtualEngine, shell: Shell) -> None:
    assert "--only" in await shell.refuses("ledger", "history", "00000000", "--only", "nowhere")
