"""Reminders: officers of drafts that wait for release, LEAs of notices that nobody has acknowledged."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from mail.links import LINK_PURPOSE, notice_link
from models.enums import CaseStatus
from models.tables import Notice
from records.links import revoke_links
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import NOTICE, OFFICER, case, duties, incident, only_notice, open_case
from tests.support.officers import officer
from tests.support.post import memos

pytestmark = pytest.mark.long

HOUR = timedelta(hours=1)
WAITING, CHASE = " for release", "Please acknowledge"


def acknowledge(engine: VirtualEngine, case_id: UUID, state: str) -> None:
    """Note an acknowledgement as the notice's link does."""
    notice_id = only_notice(duties(engine, case_id, state)[NOTICE]).id
    with engine.resources.database.writing() as session:
        notice = session.get_one(Notice, notice_id)
        notice.acknowledged_at = utc_now()
        session.add(notice)


@pytest.mark.parametrize(
    ("fractions", "parts"),
    [((0.5, 0.75, 0.9), ("50%", "75%", "90%")), ((0.25,), ("25%",)), ((), ())],
    ids=["as it comes", "one", "none"],
)
async def test_an_officer_is_reminded_as_the_time_of_a_draft_runs_out(
    engine: VirtualEngine, fractions: tuple[float, ...], parts: tuple[str, ...]
) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), reminder_fractions=fractions)
    await engine.advance(case_id, 70 * HOUR)
    reminders = memos(engine, case_id, WAITING)
    assert len(reminders) == len(parts)
    for memo, part in zip(reminders, parts, strict=True):
        assert f"{part} of the time is over" in " ".join(memo.get_content().split())
        assert "Cumberland Hollow Schools" in memo.get_content()
        assert "security@provider.example.org" in memo["To"]
    noted = [entry.body for entry in case(engine, case_id).evidence if entry.kind == "reminder_sent"]
    assert [body["part"] for body in noted] == [str(fraction) for fraction in fractions]
    assert {body["waiting"] for body in noted} <= {1}


async def test_each_reminder_comes_at_its_part_of_the_time_and_not_before(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), reminder_fractions=(0.5,))
    await engine.advance(case_id, 36 * HOUR - timedelta(minutes=1))
    assert not memos(engine, case_id, WAITING)
    await engine.advance(case_id, timedelta(minutes=2))
    assert len(memos(engine, case_id, WAITING)) == 1


async def test_leas_that_are_due_together_are_named_in_one_reminder(engine: VirtualEngine) -> None:
    report = incident("TN-001", "MA-001", confirmed=utc_now() - 40 * HOUR)
    case_id = await open_case(engine, report, reminder_fractions=(0.5,))
    (memo,) = memos(engine, case_id, "2 notices")
    assert "Cumberland Hollow Schools" in memo.get_content()
    assert "Harbor Point Public Schools" in memo.get_content()


async def test_of_reminders_that_are_past_already_only_the_last_is_given(engine: VirtualEngine) -> None:
    report = incident("TN-001", confirmed=utc_now() - 60 * HOUR)
    case_id = await open_case(engine, report, reminder_fractions=(0.5, 0.75, 0.9))
    (memo,) = memos(engine, case_id, WAITING)
    assert "75% of the time" in " ".join(memo.get_content().split())


async def test_nobody_is_reminded_of_what_is_released_or_withheld(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now()), reminder_fractions=(0.5,))
    await officer(engine).release_notices(case_id, actor=OFFICER)
    other = await open_case(engine, incident("OR-001", confirmed=utc_now()), reminder_fractions=(0.5,))
    await officer(engine).withhold_notices(other, "The court decides tomorrow.", actor=OFFICER)
    for each in (case_id, other):
        await engine.advance(each, 40 * HOUR)
        assert not memos(engine, each, WAITING)


async def test_leas_that_have_not_acknowledged_are_asked_on_the_ladder_and_others_left_alone(
    engine: VirtualEngine,
) -> None:
    report = incident("TN-001", "MA-001", confirmed=utc_now())
    case_id = await open_case(engine, report, release="immediate", chase_hours=(24, 72))
    acknowledge(engine, case_id, "MA")
    await engine.advance(case_id, 23 * HOUR)
    assert not memos(engine, case_id, CHASE)
    await engine.advance(case_id, 2 * HOUR)
    (first,) = memos(engine, case_id, CHASE)
    assert "office@cumberlandhollow.example.org" in first["To"]
    link = notice_link(
        engine.resources.settings.public_url,
        engine.resources.keyring.derive(LINK_PURPOSE),
        only_notice(duties(engine, case_id, "TN")[NOTICE]).id,
        1,
    )
    assert link in first.get_content()
    assert case(engine, case_id).status is CaseStatus.OPEN, "an answer is still asked for"
    notice_id = only_notice(duties(engine, case_id, "TN")[NOTICE]).id
    revoke_links(engine.resources.database, case_id, notice_id, "Forwarded.", actor=OFFICER, now=utc_now())
    await engine.advance(case_id, 48 * HOUR)
    _, second = memos(engine, case_id, CHASE)
    assert "/n/" not in second.get_content(), "its link was taken back"
    assert "Please confirm to Security Office" in " ".join(second.get_content().split())
    assert case(engine, case_id).status is CaseStatus.CLOSED
    noted = [entry.body for entry in case(engine, case_id).evidence if entry.kind == "acknowledgement_asked"]
    assert [body["reminder"] for body in noted] == [1, 2]


async def test_a_case_in_which_all_have_acknowledged_asks_nobody_and_closes(engine: VirtualEngine) -> None:
    report = incident("TN-001", "MA-001", confirmed=utc_now())
    case_id = await open_case(engine, report, release="immediate", chase_hours=(24, 72, 168))
    acknowledge(engine, case_id, "MA")
    acknowledge(engine, case_id, "TN")
    await engine.advance(case_id, 25 * HOUR)
    assert not memos(engine, case_id, CHASE)
    assert case(engine, case_id).status is CaseStatus.CLOSED


async def test_who_acknowledges_after_the_first_step_is_not_asked_again(engine: VirtualEngine) -> None:
    report = incident("TN-001", confirmed=utc_now())
    case_id = await open_case(engine, report, release="immediate", chase_hours=(24, 72))
    await engine.advance(case_id, 25 * HOUR)
    acknowledge(engine, case_id, "TN")
    await engine.advance(case_id, 50 * HOUR)
    assert len(memos(engine, case_id, CHASE)) == 1
