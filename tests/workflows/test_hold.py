"""Law-enforcement holds: they suspend what the clause lets them suspend, for as long as they last, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from config.keyring import Keyring
from ledger.verify import verify_all
from models.enums import CaseStatus, DutyStatus, Verdict
from models.errors import InvalidInput, Refused
from starter.rehearsals.virtual_time import VirtualEngine, virtual_engine
from starter.resources import utc_now
from tests.conftest import know_demo_agreements
from tests.support.incidents import INITIAL, NOTICE, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.post import facts_of, letters
from tests.support.refusing import leaving_no_trace, refusal

HOUR = timedelta(hours=1)
REASONABLE = timedelta(hours=24)
"""The default for "within a reasonable time"."""

PARTICULARS = "Bureau of Examples, reference 24-117, asked for by Agent Example"
DELAYED = "Whether law enforcement delayed this notice"


async def hold(
    engine: VirtualEngine,
    case_id: UUID,
    *,
    until: datetime | None = None,
    agreement: str | None = None,
    shareable: bool = True,
) -> UUID:
    return await officer(engine).place_hold(
        case_id,
        PARTICULARS,
        begins_at=utc_now() - HOUR,
        actor=OFFICER,
        until=until,
        agreement=agreement,
        shareable=shareable,
    )


async def test_a_hold_suspends_the_72_hours_but_not_virginias_initial_notice(engine: VirtualEngine) -> None:
    confirmed = utc_now()
    case_id = await open_case(engine, incident("VA-001", "TN-001", "OR-001", confirmed=confirmed))
    await hold(engine, case_id)
    for state in ("VA", "TN", "OR"):
        duty = duties(engine, case_id, state)[NOTICE]
        assert (duty.status, duty.due_at) == (DutyStatus.SUSPENDED, None)
    initial = duties(engine, case_id, "VA")[INITIAL]
    assert (initial.status, initial.due_at) == (DutyStatus.RUNNING, confirmed + 24 * HOUR)
    await engine.advance(case_id, 80 * HOUR)
    found = duties(engine, case_id, "VA")
    assert (found[INITIAL].verdict, found[NOTICE].status) == (Verdict.ON_TIME, DutyStatus.SUSPENDED)
    assert "escalated" not in [entry.kind for entry in case(engine, case_id).evidence]
    assert case(engine, case_id).status is CaseStatus.OPEN


async def test_virginias_initial_notice_does_not_claim_a_delay(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", expected=utc_now()))
    await hold(engine, case_id)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    (notice,) = letters(engine, case_id, duties(engine, case_id, "VA")[INITIAL])
    assert f"{DELAYED} No. This notice was not delayed" in facts_of(notice)


async def test_a_hold_for_one_lea_suspends_its_duty_alone(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "MA-001", confirmed=utc_now()))
    await hold(engine, case_id, agreement="MA-001")
    assert duties(engine, case_id, "MA")[NOTICE].status is DutyStatus.SUSPENDED
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.RUNNING
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    (told,) = letters(engine, case_id, duties(engine, case_id, "TN")[NOTICE])
    assert f"{DELAYED} No." in facts_of(told)


async def test_a_lifted_hold_leaves_a_reasonable_time_shown_as_a_default(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OR-001", confirmed=utc_now() - 60 * HOUR))
    hold_id = await hold(engine, case_id)
    lifted = await engine.advance(case_id, 30 * HOUR)
    await officer(engine).lift_hold(case_id, hold_id, actor=OFFICER)
    for state in ("TN", "OR"):
        duty = duties(engine, case_id, state)[NOTICE]
        assert (duty.status, duty.anchor) == (DutyStatus.RUNNING, "hold_lifted")
        assert duty.due_at is not None
        assert lifted + REASONABLE <= duty.due_at < lifted + REASONABLE + timedelta(seconds=30)
        assert "default:reasonable_time_hours" in duty.flags
        assert any("is a default (reasonable_time_hours)" in sentence for sentence in duty.why)


async def test_a_hold_that_ends_early_leaves_the_original_time(engine: VirtualEngine) -> None:
    confirmed = utc_now()
    case_id = await open_case(engine, incident("TN-001", confirmed=confirmed))
    hold_id = await hold(engine, case_id)
    await officer(engine).lift_hold(case_id, hold_id, actor=OFFICER)
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.status, duty.anchor, duty.due_at) == (DutyStatus.RUNNING, "confirmed", confirmed + 72 * HOUR)
    assert case(engine, case_id).waiting_notices == 1


async def test_a_hold_with_an_end_ends_by_itself(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now() - 60 * HOUR))
    until = utc_now() + 30 * HOUR
    await hold(engine, case_id, until=until)
    await engine.advance(case_id, 29 * HOUR)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.SUSPENDED
    await engine.advance(case_id, 2 * HOUR)
    duty = duties(engine, case_id, "TN")[NOTICE]
    assert (duty.status, duty.due_at) == (DutyStatus.RUNNING, until + REASONABLE)


async def test_a_suspicion_may_be_held_before_it_is_confirmed(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001"))
    await hold(engine, case_id)
    await officer(engine).confirm_breach(case_id, utc_now(), actor=OFFICER)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.SUSPENDED


async def test_a_delayed_notice_says_so(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OR-001", confirmed=utc_now() - 60 * HOUR))
    hold_id = await hold(engine, case_id)
    await engine.advance(case_id, 30 * HOUR)
    await officer(engine).lift_hold(case_id, hold_id, actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    for state in ("TN", "OR"):
        (notice,) = letters(engine, case_id, duties(engine, case_id, state)[NOTICE])
        assert f"{DELAYED} Yes. This notice was delayed at the request of law enforcement." in facts_of(notice)


async def test_what_may_not_be_shared_is_withheld(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("OR-001", confirmed=utc_now() - 60 * HOUR))
    hold_id = await hold(engine, case_id, shareable=False)
    await engine.advance(case_id, 30 * HOUR)
    await officer(engine).lift_hold(case_id, hold_id, actor=OFFICER)
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    (notice,) = letters(engine, case_id, duties(engine, case_id, "OR")[NOTICE])
    assert f"{DELAYED} Withheld, because sharing it is not permitted at present." in facts_of(notice)
    assert "request of law enforcement" not in facts_of(notice)


async def test_evidence_holds_the_hold_and_its_lifting_but_names_nobody(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    hold_id = await hold(engine, case_id)
    await officer(engine).lift_hold(case_id, hold_id, actor="counsel")
    placed, lifted = (e for e in case(engine, case_id).evidence if e.kind in ("act.hold", "act.lift"))
    assert (placed.actor, lifted.actor) == (OFFICER, "counsel")
    assert placed.body["particulars"]["hold_id"] == lifted.body["particulars"]["hold_id"] == str(hold_id)
    assert len(placed.artifacts) == 1
    assert "Agent" not in str(placed.body)


async def test_a_hold_that_makes_no_sense_is_refused(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now()))
    async with leaving_no_trace(engine, case_id):
        ended = await refusal(hold(engine, case_id, until=utc_now() - HOUR))
        elsewhere = await refusal(hold(engine, case_id, agreement="MA-001"))
        none_there = await refusal(officer(engine).lift_hold(case_id, UUID(int=1), actor=OFFICER))
    assert isinstance(ended, InvalidInput)
    assert isinstance(elsewhere, InvalidInput)
    assert "is not in this case" in str(elsewhere)
    assert isinstance(none_there, Refused)


@pytest.fixture
async def untouched(keyring: Keyring, tmp_path: Path) -> AsyncIterator[VirtualEngine]:
    """An engine of its own: other tests change tables behind the ledger's back."""
    async with virtual_engine(tmp_path / "engine", keyring=keyring) as engine:
        know_demo_agreements(engine)
        yield engine


async def test_a_hold_that_begins_after_the_due_instant_keeps_back_and_makes_nothing_on_time(
    untouched: VirtualEngine,
) -> None:
    engine = untouched
    due_at = utc_now() - 18 * HOUR
    case_id = await open_case(engine, incident("TN-001", confirmed=due_at - 72 * HOUR), last_moment_hours=0)
    hold_id = await hold(engine, case_id)
    held = duties(engine, case_id, "TN")[NOTICE]
    assert (held.status, held.due_at, held.flags) == (DutyStatus.SUSPENDED, due_at, ("overdue-before-hold",))
    with engine.resources.database.reading() as session:
        assert verify_all(session).sound, "the ledger says the same of the duty"
    await officer(engine).lift_hold(case_id, hold_id, actor=OFFICER)
    assert duties(engine, case_id, "TN")[NOTICE].due_at == due_at
    await officer(engine).release_notices(case_id, actor=OFFICER)
    await engine.settle(case_id)
    assert duties(engine, case_id, "TN")[NOTICE].verdict is Verdict.LATE


async def test_short_holds_one_after_another_do_not_move_what_is_left(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now() - 60 * HOUR))
    hold_id = await hold(engine, case_id)
    lifted = await engine.advance(case_id, 30 * HOUR)
    await officer(engine).lift_hold(case_id, hold_id, actor=OFFICER)
    left = duties(engine, case_id, "TN")[NOTICE].due_at
    assert left
    assert left < lifted + REASONABLE + timedelta(seconds=30)
    again = await engine.advance(case_id, HOUR)
    second = await officer(engine).place_hold(case_id, f"{PARTICULARS}, again", begins_at=again, actor=OFFICER)
    assert duties(engine, case_id, "TN")[NOTICE].status is DutyStatus.SUSPENDED
    await officer(engine).lift_hold(case_id, second, actor=OFFICER)
    assert duties(engine, case_id, "TN")[NOTICE].due_at == left


async def test_a_hold_that_was_recorded_only_after_the_due_instant_says_so(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", confirmed=utc_now() - 90 * HOUR), last_moment_hours=0)
    await officer(engine).place_hold(case_id, PARTICULARS, begins_at=utc_now() - 80 * HOUR, actor=OFFICER)
    held = duties(engine, case_id, "TN")[NOTICE]
    assert (held.status, held.due_at, held.flags) == (DutyStatus.SUSPENDED, None, ("hold-recorded-late",))
