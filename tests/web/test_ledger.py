"""What the last check of the ledger found stands on the board, and on a page of its own."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.checks import check_ledger
from models.enums import LedgerState, Role
from models.tables import LedgerCheck
from starter.resources import utc_now
from tests.support.installation import Installation


def found(installation: Installation, **columns: Any) -> None:
    """Keep what a check is to have found."""
    now = utc_now()
    with installation.resources.database.writing() as session:
        session.merge(LedgerCheck(id=1, began_at=now, ended_at=now, **columns))


async def test_before_the_first_check_it_says_so(fresh: Installation) -> None:
    officer = await fresh.officer()
    for page in ("/", "/ledger"):
        assert "The ledger was not checked yet" in (await officer.get(page)).text
    assert (await officer.get("/api/ledger")).json() is None


async def test_what_was_checked_stands_on_the_board_with_its_time(fresh: Installation) -> None:
    kept = check_ledger(fresh.resources.database, utc_now)
    auditor = await fresh.officer("auditor", Role.AUDITOR)
    board = (await auditor.get("/")).text
    assert "The ledger was checked <time" in board
    assert 'href="/ledger"' in board
    page = (await auditor.get("/ledger")).text
    assert str(kept.head) in page
    assert "What it does not prove" in page
    assert "every 24 hours" in " ".join(page.split())
    said = (await auditor.get("/api/ledger")).json()
    assert (said["state"], said["length"], said["says"]) == ("intact", kept.length, kept.says)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (LedgerState.NOT_INTACT, "is not what it was"),
        (LedgerState.NOT_CHECKED, "The ledger could not be checked"),
    ],
)
async def test_what_is_amiss_is_the_first_thing_on_the_board(
    fresh: Installation, state: LedgerState, says: str
) -> None:
    found(fresh, state=state, says="The duty 7 is “late”.", failing_since=utc_now())
    officer = await fresh.officer()
    board = (await officer.get("/")).text
    assert board.index('role="alert"') < board.index("Two steps") if "Two steps" in board else 'role="alert"' in board
    assert says in board
    page = (await officer.get("/ledger")).text
    assert "The duty 7 is “late”." in page
    assert "Found so since" in page
