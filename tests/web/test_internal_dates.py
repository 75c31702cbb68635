"""Internal dates on the pages: beside the due date, in the order of the board, and never called overdue."""

from __future__ import annotations

import html
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from agreements.importing import import_agreements
from cases.breach import BREACH
from config.keyring import Keyring
from starter.resources import utc_now
from tests.support.case_in_sql import Place, open_in_sql
from tests.support.installation import Installation, demo_agreements, open_installation

HOUR = timedelta(hours=1)


@pytest.fixture
def ahead(temporal: Client, keyring: Keyring, tmp_path: Path) -> Installation:
    """An installation that wants some things done ahead, and that knows the demo's agreements."""
    file = tmp_path / "internal.yaml"
    file.write_text("breach.notice: 24 hours\naudit.annual: 100 days\n", encoding="utf-8")
    resources = open_installation(tmp_path, keyring, temporal, internal_due_dates=file)
    import_agreements(
        resources.database,
        resources.catalogue,
        demo_agreements(),
        file_name="agreements.csv",
        now=utc_now(),
        actor="officer",
        leads=resources.leads,
    )
    return Installation(resources)


def confirmed(ahead: Installation, hours: int, *, wanted_ahead: bool = True) -> str:
    """A breach that was confirmed so many hours ago; its case's id."""
    at = utc_now() - hours * HOUR
    place = Place("ndpa-v1", "TN")
    case = open_in_sql(ahead.resources.database, BREACH, [place], utc_now(), {"occurred": at, "confirmed": at})
    case.leads = ahead.resources.leads if wanted_ahead else case.leads
    case.compute()
    return str(case.id)


async def test_the_board_is_in_the_order_of_internal_dates_and_shows_both(ahead: Installation) -> None:
    later = confirmed(ahead, 60, wanted_ahead=False)
    sooner = confirmed(ahead, 50)
    officer = await ahead.officer()
    board = (await officer.get("/")).text.partition("<h2>Cases</h2>")[2]
    assert board.index(sooner) < board.index(later), "wanted two hours ago, and due after the other"
    row = board[: board.index(later)]
    assert "internally" in row
    assert "1 past the internal date" in row
    assert '<tr class="late">' not in board, "nothing is overdue"
    cases = (await officer.get("/api/cases")).json()["items"]
    assert [(one["past_internal"], one["overdue_duties"]) for one in cases] == [(1, 0), (0, 0)]
    assert cases[0]["next_internal_at"] < cases[1]["next_due_at"] < cases[0]["next_due_at"]


async def test_it_is_among_what_needs_somebody_and_on_the_page_of_its_case(ahead: Installation) -> None:
    case_id = confirmed(ahead, 50)
    officer = await ahead.officer()
    needs = html.unescape((await officer.get("/")).text.partition("<h2>Cases</h2>")[0])
    assert "1 duty is past the internal date, and not overdue." in needs
    assert f'href="/cases/{case_id}#duties"' in needs
    page = html.unescape((await officer.get(f"/cases/{case_id}")).text)
    assert '<span class="status past_internal">past internal</span>' in page
    assert "Internal due date, a setting of this installation and no law: 24 hours counted back" in page
    assert "overdue." not in page.partition('id="duties"')[2]


async def test_what_is_coming_shows_both(ahead: Installation) -> None:
    officer = await ahead.officer()
    page = html.unescape((await officer.get("/upcoming?days=3000&clause=audit.annual")).text)
    assert "Audit security each year" in page
    assert "internally" in page
    (item,) = (await officer.get("/api/upcoming?days=3000&clause=audit.annual")).json()["items"]
    assert item["internal_due_at"] < item["due_at"]


async def test_what_would_follow_from_a_report_shows_both(ahead: Installation) -> None:
    officer = await ahead.officer()
    now = utc_now()
    report = {
        "title": "A laptop was stolen",
        "occurred": {"kind": "instant", "at": (now - 3 * HOUR).isoformat()},
        "discovered_at": (now - 2 * HOUR).isoformat(),
        "confirmed_at": (now - HOUR).isoformat(),
        "description": "A laptop with rosters.",
        "data_types": ["Student name"],
        "agreements": ["TN-001"],
        "reporter": {"name": "Robin Example", "email": "robin@example.org", "phone": "+1 555 0102"},
    }
    foreseen = (await officer.http.post("/api/cases/new/breach?dry_run=true", json=report)).json()
    (notice,) = [line for line in foreseen["foreseen"]["duties"] if line["clause"] == "breach.notice"]
    assert notice["internal_due_at"] < notice["due_at"]
    assert "no law" in notice["why"][-1]
