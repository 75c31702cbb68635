"""A district's own installation: it tells the provider of a breach that it finds (NDPA v2, 3.4; v1, III.4).

It chases the disposal that it has directed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from config.keyring import Keyring
from models.columns import bind_sealer
from models.enums import CaseStatus, DutyStatus, HolderMail, Party, Verdict
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.directives import HOSTING
from tests.support.dispositions import DAY, certify, open_for
from tests.support.incidents import OFFICER, case, duties, incident, letter, open_case, text
from tests.support.officers import officer

LEA_NOTICE = "breach.lea-notice"


@pytest.fixture
async def district(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VirtualEngine]:
    """An engine that stands on the LEA's side; the contacts of its agreements are the providers'."""
    folder = tmp_path_factory.mktemp("district")
    overrides = {"side": Party.LEA, "release": "immediate", "chase_hours": ()}
    async with virtual_engine(folder, keyring=keyring, overrides=overrides) as engine:
        know_demo_agreements(engine)
        yield engine
    bind_sealer(keyring)


async def test_v2_gives_the_lea_72_hours_from_its_own_confirmation_and_nothing_else(district: VirtualEngine) -> None:
    case_id = await open_case(district, incident("OR-001"))
    assert duties(district, case_id, "OR")[LEA_NOTICE].status is DutyStatus.PENDING

    confirmed = utc_now()
    await officer(district).confirm_breach(case_id, confirmed, actor=OFFICER)
    await district.settle(case_id)
    found = duties(district, case_id, "OR")
    assert set(found) == {LEA_NOTICE}
    assert (found[LEA_NOTICE].owed_to, found[LEA_NOTICE].anchor) == (Party.PROVIDER, "lea_confirmed")
    assert found[LEA_NOTICE].due_at == confirmed + timedelta(hours=72)
    assert found[LEA_NOTICE].verdict is Verdict.ON_TIME


async def test_v1_asks_the_lea_to_tell_the_provider_promptly_once_it_knows(district: VirtualEngine) -> None:
    case_id = await open_case(district, incident("MO-001"))
    duty = duties(district, case_id, "MO")[LEA_NOTICE]
    assert duty.anchor == "lea_discovered"
    assert any("default" in flag for flag in duty.flags), "no number is in the clause, so the one used is a default"


async def test_the_notice_tells_what_happened_although_the_clause_asks_for_no_contents(district: VirtualEngine) -> None:
    report = incident("OR-001", confirmed=utc_now())
    case_id = await open_case(district, report)
    body = text(letter(district, case_id, duties(district, case_id, "OR")[LEA_NOTICE]))
    assert report.description in body
    assert "Student name" in body


@pytest.mark.long
async def test_a_directive_to_the_provider_is_chased_and_its_own_word_ends_it(district: VirtualEngine) -> None:
    case_id = await open_for(district, "IL-001", HOSTING)
    later = await district.advance(case_id, 33 * DAY)
    duty = duties(district, case_id, "IL")["disposition.request"]
    assert (duty.owed_by, duty.status, duty.due_at and duty.due_at < later) == (
        Party.PROVIDER,
        DutyStatus.RUNNING,
        True,
    )
    found = case(district, case_id)
    assert [entry.kind for entry in found.evidence].count("escalated") == 1, (
        "overdue is raised to the district's officer"
    )
    written = {holder.name: [letter.why for letter in holder.letters] for holder in found.holders}
    reminders = [HolderMail.REMINDED] * 4
    assert written == {
        HOSTING: [HolderMail.ASKED, *reminders],
        "provider": [HolderMail.DIRECTED, *[HolderMail.OTHERS_MISSING] * 4],
    }
    await certify(district, case_id, HOSTING)
    await certify(district, case_id, "provider")
    found = case(district, case_id)
    assert [(duty.owed_by, duty.verdict) for duty in found.duties] == [(Party.PROVIDER, Verdict.LATE)]
    assert found.status is CaseStatus.CLOSED
    assert [letter.why for holder in found.holders for letter in holder.letters].count(HolderMail.RECEIPT) == 2
