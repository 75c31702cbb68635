"""A suspicion reported without "reasonably expected since": asked as a decision, and first until it is answered."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from cases.acts import NotYet
from cases.values import AnchorValue
from models.enums import DutyStatus
from models.errors import InvalidInput, Refused
from queries.cases import read_case
from queries.views import QuestionView
from starter.rehearsals.virtual_time import VirtualEngine
from starter.resources import utc_now
from tests.support.incidents import INITIAL, OFFICER, case, duties, incident, open_case
from tests.support.officers import officer
from tests.support.post import memos
from tests.support.refusing import leaving_no_trace, refusal

HOUR = timedelta(hours=1)
EXPECTED = "reasonably_expected"
DECIDED = "The security lead: a test account, so far."
PROMPT = {"last_moment_reminder_minutes": 60}
ASKED = "Please decide"


def question(engine: VirtualEngine, case_id: UUID) -> QuestionView:
    (found,) = case(engine, case_id).questions
    return found


async def test_it_is_asked_while_the_clock_has_not_started(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001", "TN-001"), **PROMPT)
    asked = question(engine, case_id)
    assert (asked.name, asked.label, asked.open) == (EXPECTED, "reasonably expected", True)
    assert asked.duties == ("Give the LEA initial notice of a suspected breach",)
    assert duties(engine, case_id, "VA")[INITIAL].status is DutyStatus.PENDING
    assert len(memos(engine, case_id, ASKED)) == 1


async def test_where_no_such_clause_is_in_scope_nothing_is_asked(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("TN-001", "OR-001"), **PROMPT)
    assert case(engine, case_id).questions == ()
    assert not memos(engine, case_id, ASKED)


async def test_since_when_starts_the_clock_and_answers_it(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001"))
    since = utc_now()
    await officer(engine).set_anchor(case_id, AnchorValue(name=EXPECTED, instant=since), actor=OFFICER)
    await engine.settle(case_id)
    assert case(engine, case_id).questions == ()
    assert duties(engine, case_id, "VA")[INITIAL].due_at == since + 24 * HOUR


async def test_not_yet_says_who_decided_it_and_it_is_asked_again_at_that_time(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001"), **PROMPT)
    again_at = utc_now() + 6 * HOUR
    await officer(engine).do(case_id, NotYet, OFFICER, name=EXPECTED, decided=DECIDED, again_at=again_at)
    decided = question(engine, case_id)
    assert (decided.open, decided.decided, decided.decided_by, decided.again_at) == (False, DECIDED, OFFICER, again_at)
    await engine.advance(case_id, 5 * HOUR)
    assert len(memos(engine, case_id, ASKED)) == 1
    await engine.advance(case_id, 2 * HOUR)
    (again,) = read_case(engine.resources.database, case_id, again_at).questions
    assert again.open
    assert len(memos(engine, case_id, ASKED)) == 2


async def test_what_nobody_asks_for_cannot_be_decided_nor_put_off_into_the_past(engine: VirtualEngine) -> None:
    case_id = await open_case(engine, incident("VA-001"))
    async with leaving_no_trace(engine, case_id):
        past = {"name": EXPECTED, "decided": DECIDED, "again_at": utc_now() - HOUR}
        assert isinstance(await refusal(officer(engine).do(case_id, NotYet, OFFICER, **past)), InvalidInput)
        other = {"name": "confirmed", "decided": DECIDED, "again_at": utc_now() + HOUR}
        assert isinstance(await refusal(officer(engine).do(case_id, NotYet, OFFICER, **other)), Refused)
