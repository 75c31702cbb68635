"""The page that shows what Temporal keeps of a case beside the ledger, and says whether they agree."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ledger.append import append
from ledger.entries import ActRecorded
from models.enums import Role
from models.tables import Case
from starter.history import reading
from starter.resources import connect_client, utc_now
from tests.support.given_notices import Told
from tests.support.incident_form import NOW, opened, shows
from tests.support.installation import Installation, Visitor


def words(page: str) -> str:
    """A page as it is read."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def confirmed(officer: Visitor, title: str) -> str:
    """A case that was confirmed on its page."""
    case = await opened(officer, title, chosen="VA-001", reasonably_expected_at=NOW)
    await shows(officer, case, "Why this date")
    fields: dict[str, object] = {"confirmed_at": NOW, "zone": "UTC", "checked": "yes"}
    assert (await officer.send(case, f"{case}/acts/confirm", fields)).status_code == 303
    return case


async def test_an_auditor_reads_both_and_that_they_agree(installation: Installation, officer: Visitor) -> None:
    case = await confirmed(officer, "Beside the ledger")
    auditor = await installation.officer("ada", Role.AUDITOR)
    page = await auditor.get(f"{case}/history")
    assert page.status_code == 200
    text = words(page.text)
    assert "They agree" in text
    assert "The act “confirm” by officer, one time link" in text
    assert "act confirm no." in text
    assert "Beside the ledger" not in page.text.split("</h1>")[1], "what a person wrote is in no history"
    leads = re.search(r'href="(/cases/[^"]+\?entry=(\d+))#entry-', page.text)
    assert leads
    assert f'id="entry-{leads[2]}"' in (await auditor.get(leads[1])).text


async def test_an_act_that_only_the_ledger_has_is_flagged(installation: Installation, officer: Visitor) -> None:
    case = await confirmed(officer, "Added to the ledger")
    forged = ActRecorded(
        case_id=UUID(case.rpartition("/")[2]),
        actor="mallory",
        at=utc_now().replace(microsecond=0).replace(year=2025),
        act="dismiss",
        act_id=uuid4(),
        particulars={},
    )
    with installation.resources.database.writing() as session:
        append(session, forged)
    page = words((await officer.get(f"{case}/history")).text)
    assert "They differ: 1 line says what the other does not." in page
    assert "The ledger says that mallory did “dismiss”, and the history knows no such act." in page
    only = words((await officer.get(f"{case}/history?only=differs")).text)
    assert "mallory" in only
    assert "Pin the terms" not in only
    found = (await officer.get(f"/api{case}/history?only=differs")).json()
    assert (found["agreement"], found["total"], found["items"][0]["history"]) == ("differ", 1, None)


async def test_while_temporal_is_away_the_page_says_so_and_leads_to_the_evidence(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PATIENCE", timedelta(seconds=0.2))
    resources = told.installation.resources
    away = await connect_client(resources.settings, resources.keyring, "127.0.0.1:9", lazy=True)
    officer = await Installation(replace(resources, client=away)).officer()
    page = await officer.get(f"/cases/{told.given.case_id}/history")
    assert page.status_code == 503
    assert "Temporal does not answer" in page.text
    assert f'href="/cases/{told.given.case_id}#evidence"' in page.text


async def test_a_history_that_is_not_there_is_flagged_only_where_it_ought_to_be(told: Told) -> None:
    """By SQL, its workflow was started, which Temporal knows nothing of."""
    officer, address = await told.installation.officer(), f"/cases/{told.given.case_id}/history"

    async def says(**columns: datetime | None) -> str:
        with told.installation.resources.database.writing() as session:
            case = session.get_one(Case, told.given.case_id)
            for name, value in columns.items():
                setattr(case, name, value)
        return words((await officer.get(address)).text)

    started = utc_now() - timedelta(days=900)
    assert "Temporal ought to keep a history of this case, and has none" in await says(workflow_started_at=started)
    over = await says(closed_at=utc_now() - timedelta(days=800))
    assert "this one’s time is over. That is no fault" in over
    assert "ought to keep" not in over
    assert "ought to keep" in await says(closed_at=utc_now())
    assert "Temporal has no workflow of this case yet" in await says(workflow_started_at=None, closed_at=None)
