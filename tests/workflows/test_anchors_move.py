"""Anchors move: dates that are corrected or learnt later move what is open, and nothing that is done."""

from __future__ import annotations

from datetime import UTC, date, timedelta

import pytest

from cases.values import AnchorValue
from models.enums import BatchStatus, CaseStatus, DutyStatus, Verdict
from models.errors import InvalidInput, Refused
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import AUDIT, INITIAL, NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.refusing import leaving_no_trace, refusal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = timedelta(minutes=31)
"""How long what is overdue when it is reported waits for a person, and a minute."""
REASON = "The log of the on-call engineer gives another time."


@pytest.mark.parametrize("by", [-10 * HOUR, 10 * HOUR], ids=["earlier", "later"])
async def test_a_corrected_confirmation_moves_the_notice_that_waits(engine: VirtualEngine, by: timedelta) -> None:
    confirmed = utc_now() - 20 * HOUR
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    corrected = AnchorValue(name="confirmed", instant=confirmed + by)
    summary = await officer(engine).set_anchor(case_id, corrected, actor=OFFICER, reason=REASON)
    assert summary.next_due_at == confirmed + by + 72 * HOUR
    assert summary.waiting_notices == 1
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.status, duty.starts_at, duty.due_at) == (
        DutyStatus.RUNNING,
        confirmed + by,
        confirmed + by + 72 * HOUR,
    )
    assert sorted(notice.batch_status for notice in duty.notices) == [BatchStatus.CANCELLED, BatchStatus.WAITING]


async def test_evidence_holds_the_old_date_the_new_one_and_the_reason(engine: VirtualEngine) -> None:
    confirmed = (utc_now() - 20 * HOUR).replace(microsecond=0)
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    corrected = AnchorValue(name="confirmed", instant=confirmed + HOUR)
    await officer(engine).set_anchor(case_id, corrected, actor=OFFICER, reason=REASON)
    (entry,) = (entry for entry in case(engine, case_id).evidence if entry.kind == "act.date")
    assert entry.body["particulars"]["before"] == [
        {"name": "confirmed", "instant": f"{confirmed.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    ]
    assert entry.body["particulars"]["anchor"]["instant"] == f"{(confirmed + HOUR).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert len(entry.artifacts) == 1
    dues = [e.body["due_at"] for e in case(engine, case_id).evidence if e.kind == "duty_computed"]
    assert len(set(dues)) == 2, "both due instants stay in the ledger"


async def test_the_verdict_of_a_performed_duty_is_frozen(engine: VirtualEngine) -> None:
    confirmed = utc_now() - 80 * HOUR
    case_id = await open_case(engine, incident("TN-001", "OR-001", confirmed=confirmed))
    await engine.advance(case_id, GRACE)
    before = duties(engine, case_id, "TN")[NOTICE]
    assert before.verdict is Verdict.LATE
    corrected = AnchorValue(name="confirmed", instant=utc_now() - HOUR)
    await officer(engine).set_anchor(case_id, corrected, actor=OFFICER, reason=REASON)
    assert duties(engine, case_id, "TN")[NOTICE] == before
    assert duties(engine, case_id, "OR")[AUDIT].starts_at == corrected.instant


async def test_an_expectation_that_is_recorded_later_starts_virginias_clock(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "TN-001"))
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.PENDING
    expected = AnchorValue(name="reasonably_expected", instant=utc_now() - HOUR)
    await officer(engine).set_anchor(case_id, expected, actor=OFFICER)
    found = duties(engine, case_id, "VA")
    assert expected.instant is not None
    assert (found[INITIAL].status, found[INITIAL].due_at) == (DutyStatus.RUNNING, expected.instant + DAY)
    assert found[NOTICE].status is DutyStatus.PENDING
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.PENDING


async def test_a_correction_needs_a_reason(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now() - 20 * HOUR))
    corrected = AnchorValue(name="confirmed", instant=utc_now() - 10 * HOUR)
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).set_anchor(case_id, corrected, actor=OFFICER))
    assert isinstance(error, InvalidInput)
    assert "needs a reason" in str(error)


async def test_a_correction_that_changes_nothing_is_refused(engine: VirtualEngine) -> None:
    confirmed = utc_now() - 20 * HOUR
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    same = AnchorValue(name="confirmed", instant=confirmed)
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).set_anchor(case_id, same, actor=OFFICER, reason=REASON))
    assert isinstance(error, Refused)


@pytest.mark.parametrize(
    ("anchor", "says"),
    [
        (AnchorValue(name="guessed", instant=utc_now() - HOUR), "know no date"),
        (AnchorValue(name="hold_lifted", instant=utc_now() - HOUR), "know no date"),
        (AnchorValue(name="confirmed", first_day=utc_now().date()), "needs an instant"),
        (AnchorValue(name="reasonably_expected"), "No date is given"),
        (AnchorValue(name="occurred", instant=utc_now() + DAY), "in the future"),
        (AnchorValue(name="occurred", first_day=date(2199, 1, 1)), "in the future"),
        (AnchorValue(name="occurred", first_day=date(2026, 1, 2), last_day=date(2026, 1, 1)), "ends before it begins"),
        (AnchorValue(name="occurred", instant=utc_now() - HOUR), "before the breach occurred"),
    ],
    ids=lambda value: value.name if isinstance(value, AnchorValue) else value.replace(" ", "-"),
)
async def test_a_date_that_no_clock_can_take_is_refused(engine: VirtualEngine, anchor: AnchorValue, says: str) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now() - 20 * HOUR))
    async with leaving_no_trace(engine, case_id):
        error = await refusal(officer(engine).set_anchor(case_id, anchor, actor=OFFICER, reason=REASON))
    assert isinstance(error, InvalidInput)
    assert says in str(error)
    assert case(engine, case_id).status is CaseStatus.OPEN
