"""Internal dates in virtual time: reminders and the escalation follow them, the verdict follows the agreement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from config.keyring import Keyring
from models.enums import CaseStatus, DutyStatus, Verdict
from queries.duties import DutyFilter, duties_of
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import NOTICE, case, duties, incident, know_offices, open_case, text
from tests.support.matters import dated_matter, open_matter
from tests.support.post import letters, memos

pytestmark = pytest.mark.long

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WAITING, PAST = " for release", "past the internal date"


@pytest.fixture(scope="module")
async def ahead(keyring: Keyring, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VirtualEngine]:
    """An installation that wants breach notices a day ahead, and audits allowed three business days ahead."""
    folder = tmp_path_factory.mktemp("ahead")
    file = folder / "internal.yaml"
    file.write_text("breach.notice: 24 hours\naudit.notice: 3 business days\n", encoding="utf-8")
    async with virtual_engine(folder / "engine", keyring=keyring, overrides={"internal_due_dates": file}) as engine:
        know_demo_agreements(engine)
        yield engine


def reminded(engine: VirtualEngine, case_id: UUID) -> list[str]:
    return [text(memo) for memo in memos(engine, case_id, WAITING)]


async def test_reminders_follow_the_internal_date_and_the_verdict_the_agreement(ahead: VirtualEngine) -> None:
    case_id = await open_case(ahead, incident("TN-001", confirmed=utc_now()), reminder_fractions=(0.5, 0.75, 0.9))
    await ahead.advance(case_id, 24 * HOUR - timedelta(minutes=2))
    assert reminded(ahead, case_id) == []
    await ahead.advance(case_id, timedelta(minutes=4))
    (half,) = reminded(ahead, case_id)
    assert "50% of the time is over" in half
    assert "counted up to the internal date" in half
    await ahead.advance(case_id, 23 * HOUR)
    assert ["90% of the time" in said for said in reminded(ahead, case_id)] == [False, False, True]
    assert not memos(ahead, case_id, PAST)

    await ahead.advance(case_id, 2 * HOUR)
    (memo,) = memos(ahead, case_id, PAST)
    assert "Nothing of it is overdue" in text(memo)
    with ahead.resources.database.reading() as session:
        (duty,) = duties_of(session, case_id, DutyFilter(state="TN"), await ahead.now(case_id))
    assert (duty.overdue, duty.past_internal, duty.status) == (False, True, DutyStatus.RUNNING)
    assert duty.due_at
    assert duty.internal_due_at
    assert duty.due_at - duty.internal_due_at == DAY

    await ahead.advance(case_id, 17 * HOUR)
    after = reminded(ahead, case_id)[3:]
    assert ["75%" in said or "90%" in said for said in after] == [True, True], (
        "of the whole time, after 54 and 64.8 hours"
    )
    assert all("The internal date" in said and "has passed" in said for said in after)

    await ahead.advance(case_id, 5 * HOUR)
    duty = duties(ahead, case_id, "TN")[NOTICE]
    assert (duty.verdict, duty.past_internal) == (Verdict.ON_TIME, False)
    assert duty.performed_at
    assert duty.due_at
    assert duty.due_at - duty.performed_at <= HOUR, "at the last safe moment"
    (letter,) = letters(ahead, case_id, duty)
    assert "internal" not in text(letter).lower()
    kinds = [entry.kind for entry in case(ahead, case_id).evidence]
    assert kinds.count("reminder_sent") == 5
    assert kinds.count("internal_date_passed") == 1
    assert "escalated" not in kinds


async def test_a_duty_that_no_notice_performs_is_raised_at_its_internal_date_and_again_when_overdue(
    ahead: VirtualEngine,
) -> None:
    know_offices(ahead, "MA-730")
    asked = utc_now()
    case_id = await open_matter(ahead, dated_matter("audit.notice@requested", asked.date(), "MA-730"))
    duty = duties(ahead, case_id, "MA")["audit.notice"]
    assert duty.due_at
    assert duty.internal_due_at
    await ahead.advance(case_id, duty.internal_due_at - asked - HOUR)
    assert not memos(ahead, case_id, PAST)
    await ahead.advance(case_id, 2 * HOUR)
    assert len(memos(ahead, case_id, PAST)) == 1
    assert not memos(ahead, case_id, "overdue")
    await ahead.advance(case_id, duty.due_at - duty.internal_due_at)
    assert len(memos(ahead, case_id, "overdue, late or undelivered")) == 1
    assert len(memos(ahead, case_id, PAST)) == 1
    assert case(ahead, case_id).status is CaseStatus.OPEN


async def test_what_is_overdue_from_the_first_moment_is_raised_as_that_alone(ahead: VirtualEngine) -> None:
    know_offices(ahead, "MA-731")
    day = utc_now().date() - timedelta(days=40)
    case_id = await open_matter(ahead, dated_matter("audit.notice@requested", day, "MA-731"))
    duty = duties(ahead, case_id, "MA")["audit.notice"]
    assert (duty.overdue, duty.past_internal) == (True, False)
    assert not memos(ahead, case_id, PAST)
    assert len(memos(ahead, case_id, "overdue, late or undelivered")) == 1


def test_the_file_is_read_at_the_start(ahead: VirtualEngine) -> None:
    file = ahead.resources.settings.internal_due_dates
    assert isinstance(file, Path)
    assert set(ahead.resources.leads.by_clause) == {NOTICE, "audit.notice"}
