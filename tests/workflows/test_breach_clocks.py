"""When the notices of a breach are due, and when they leave: each test is named after the sentence it checks."""

from __future__ import annotations

from datetime import timedelta

from models.enums import CaseStatus, DutyStatus, Verdict
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import (
    INITIAL,
    NOTICE,
    OFFICER,
    case,
    duties,
    incident,
    letter,
    only_notice,
    open_case,
    text,
)
from tests.support.officers import officer
from tests.support.post import memos

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAST_SAFE = timedelta(minutes=60)
UNREVIEWED = "reviewed"


async def test_virginia_initial_notice_is_due_24_hours_after_a_breach_is_reasonably_expected(
    engine: VirtualEngine,
) -> None:
    expected = utc_now() - HOUR
    case_id = await open_case(engine, incident("VA-001", expected=expected))
    duty = duties(engine, case_id, "VA")[INITIAL]
    assert (duty.anchor, duty.starts_at, duty.due_at) == ("reasonably_expected", expected, expected + DAY)
    assert any("24 hours" in sentence for sentence in duty.why)


async def test_virginia_initial_notice_is_due_24_hours_after_confirmation_when_nobody_expected_the_breach(
    engine: VirtualEngine,
) -> None:
    case_id = await open_case(engine, incident("VA-001"))
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.PENDING
    confirmed = utc_now()
    await officer(engine).confirm_breach(case_id, confirmed, actor=OFFICER)
    await engine.settle(case_id)
    duty = duties(engine, case_id, "VA")[INITIAL]
    assert (duty.anchor, duty.due_at) == ("confirmed", confirmed + DAY)


async def test_virginia_initial_notice_counts_from_expectation_or_confirmation_whichever_came_first(
    engine: VirtualEngine,
) -> None:
    now = utc_now()
    expected_first = await open_case(engine, incident("VA-001", expected=now - 3 * HOUR, confirmed=now - HOUR))
    assert duties(engine, expected_first, "VA")[INITIAL].due_at == now - 3 * HOUR + DAY
    confirmed_first = await open_case(engine, incident("VA-001", expected=now - HOUR, confirmed=now - 3 * HOUR))
    assert duties(engine, confirmed_first, "VA")[INITIAL].due_at == now - 3 * HOUR + DAY


async def test_a_notice_that_nobody_releases_leaves_at_its_last_safe_moment_and_not_before(
    engine: VirtualEngine,
) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    due_at = duties(engine, case_id, "VA")[INITIAL].due_at
    assert due_at is not None
    leaves_at = due_at - LAST_SAFE

    await engine.advance_to(case_id, leaves_at - timedelta(minutes=1))
    assert not duties(engine, case_id, "VA")[INITIAL].performed_at

    await engine.advance_to(case_id, leaves_at + timedelta(seconds=1))
    duty = duties(engine, case_id, "VA")[INITIAL]
    assert duty.verdict is Verdict.ON_TIME
    assert duty.performed_at is not None
    assert leaves_at <= duty.performed_at < due_at, "one second before its last safe moment nothing was sent"
    assert only_notice(duty).released_by is None
    assert UNREVIEWED not in text(letter(engine, case_id, duty))


async def test_the_last_safe_moment_is_a_setting(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()), last_safe_minutes=0)
    due_at = duties(engine, case_id, "VA")[INITIAL].due_at
    assert due_at is not None
    await engine.advance_to(case_id, due_at - timedelta(minutes=1))
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.RUNNING


async def test_a_notice_whose_time_is_over_waits_for_a_person_and_then_leaves_late(engine: VirtualEngine) -> None:
    reported = utc_now()
    case_id = await open_case(engine, incident("VA-001", expected=reported - DAY - timedelta(seconds=1)))
    await engine.advance(case_id, timedelta(minutes=29))
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.RUNNING
    (alarm,) = memos(engine, case_id, "overdue")
    assert "waiting for your release" in text(alarm)
    await engine.advance(case_id, timedelta(minutes=2))
    duty = duties(engine, case_id, "VA")[INITIAL]
    assert (duty.status, duty.verdict) == (DutyStatus.PERFORMED, Verdict.LATE)
    assert duty.performed_at is not None
    assert duty.performed_at >= reported + timedelta(minutes=30)


async def test_a_notice_that_is_due_within_the_grace_waits_for_half_of_its_time_and_is_on_time(
    engine: VirtualEngine,
) -> None:
    expected = utc_now() - DAY + timedelta(minutes=20)
    case_id = await open_case(engine, incident("VA-001", expected=expected))
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.RUNNING
    await engine.advance_to(case_id, expected + DAY - timedelta(minutes=5))
    assert duties(engine, case_id, "VA")[INITIAL].verdict is Verdict.ON_TIME


async def test_notices_leave_at_once_where_the_installation_says_so(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()), release="immediate")
    assert duties(engine, case_id, "VA")[INITIAL].verdict is Verdict.ON_TIME


async def test_a_confirmation_in_the_report_starts_the_72_hours(engine: VirtualEngine) -> None:
    confirmed = utc_now() - 2 * HOUR
    case_id = await open_case(engine, incident("TN-001", "OR-001", confirmed=confirmed))
    for state in ("TN", "OR"):
        duty = duties(engine, case_id, state)[NOTICE]
        assert (duty.anchor, duty.due_at) == ("confirmed", confirmed + 72 * HOUR)


async def test_a_later_confirmation_starts_the_72_hours(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OR-001", expected=utc_now()))
    assert {duty.status for duty in case(engine, case_id).duties if duty.clause == NOTICE} == {DutyStatus.PENDING}
    confirmed = await engine.advance(case_id, 30 * HOUR)
    summary = await officer(engine).confirm_breach(case_id, confirmed, actor=OFFICER)
    assert summary.next_due_at == confirmed + 72 * HOUR
    assert case(engine, case_id).own_acts == ()
    for state in ("TN", "OR"):
        duty = duties(engine, case_id, state)[NOTICE]
        assert (duty.status, duty.due_at) == (DutyStatus.RUNNING, confirmed + 72 * HOUR)


async def test_virginia_gets_the_72_hour_notice_as_well(engine: VirtualEngine) -> None:
    now = utc_now()
    case_id = await open_case(engine, incident("VA-001", expected=now - HOUR, confirmed=now))
    await engine.advance(case_id, 73 * HOUR)
    found = duties(engine, case_id, "VA")
    initial, notice = found[INITIAL], found[NOTICE]
    assert initial.performed_at is not None
    assert notice.performed_at is not None
    assert now + 22 * HOUR <= initial.performed_at < now + 23 * HOUR
    assert now + 71 * HOUR <= notice.performed_at < now + 72 * HOUR
    assert initial.verdict is notice.verdict is Verdict.ON_TIME
    assert letter(engine, case_id, notice)["In-Reply-To"] == letter(engine, case_id, initial)["Message-ID"]


async def test_virginia_confirmed_at_once_gets_one_message_for_both_and_its_case_ends(engine: VirtualEngine) -> None:
    now = utc_now()
    case_id = await open_case(engine, incident("VA-001", expected=now, confirmed=now))
    await engine.advance(case_id, 73 * HOUR)
    assert case(engine, case_id).status is CaseStatus.CLOSED
    found = duties(engine, case_id, "VA")
    performed_at = found[INITIAL].performed_at
    assert performed_at is not None
    assert now + 23 * HOUR <= performed_at < now + 24 * HOUR
    assert found[NOTICE].performed_at == performed_at
    assert letter(engine, case_id, found[INITIAL])["Message-ID"] == letter(engine, case_id, found[NOTICE])["Message-ID"]


async def test_a_suspicion_that_is_never_confirmed_keeps_its_case_open(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    await engine.advance(case_id, 10 * DAY)
    assert case(engine, case_id).status is CaseStatus.OPEN
    assert duties(engine, case_id, "VA")[NOTICE].status is DutyStatus.PENDING


async def test_a_case_whose_duties_are_all_performed_is_closed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()), release="immediate")
    await engine.case(case_id).result()
    found = case(engine, case_id)
    assert found.status is CaseStatus.CLOSED
    assert found.evidence[-1].kind == "case_closed"
    assert found.evidence[-1].body == {"duties": {"on_time": 1}}
