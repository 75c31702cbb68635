"""The rules of a request for access: what it is, what is recorded of it when, and what its page offers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from cases.acts import TakeAct, parse_act
from cases.parent_access import (
    ANSWER_BY,
    CORRECTED,
    CORRECTION_REQUESTED,
    LEA_ANSWERED,
    LEA_ASKED,
    PARENT_ACCESS,
    REVIEW_REQUESTED,
    TRANSFER_REQUESTED,
    AccessRequest,
)
from cases.rules import check, take
from cases.state import CaseState, CaseVocabulary
from cases.values import AnchorValue
from models.errors import DuenoticeError, InvalidInput
from tests.support.access_requests import NOW, access_request, corrected, given

DAY = timedelta(days=1)
ASKED = AnchorValue(name=REVIEW_REQUESTED, first_day=date(2026, 12, 30))
VOCABULARY = CaseVocabulary(
    elements=("correction_date", "correction_confirmation"),
    anchors=(REVIEW_REQUESTED, CORRECTION_REQUESTED, ANSWER_BY, LEA_ASKED, LEA_ANSWERED, CORRECTED),
)
NOTE = {"act": "note-inaccuracy", "received_on": "2026-12-31", "to_correct": "The date of birth."}
QUESTION = {"act": "put-question", "asked_at": NOW, "question": "Which of two students is meant?"}
ANSWER = {"act": "record-answer", "answered_at": NOW, "answer": "The older one."}


def state(*anchors: AnchorValue) -> CaseState:
    given = {anchor.name: anchor for anchor in (ASKED, *anchors)}
    return CaseState(anchors=given, vocabulary=VOCABULARY, opened=True, computed=1)


def message(says: Mapping[str, object]) -> TakeAct:
    return TakeAct(act=parse_act(says), actor="officer", act_id=uuid4())


def do(case: CaseState, *acts: Mapping[str, object], now: datetime = NOW) -> CaseState:
    for says in acts:
        check(PARENT_ACCESS, message(says), case, now)
        take(PARENT_ACCESS, message(says), case)
    return case


def refused(case: CaseState, says: Mapping[str, object]) -> str:
    with pytest.raises(DuenoticeError) as error:
        check(PARENT_ACCESS, message(says), case, NOW)
    return error.value.message


def problems(request: AccessRequest) -> dict[str | None, str]:
    found: list[InvalidInput] = list(request.problems(NOW))
    return {problem.where: problem.message for problem in found}


@pytest.mark.parametrize(
    ("changed", "where", "says"),
    [
        ({"asks": "delete"}, "asks", "A deletion is a disposition"),
        ({"requested_on": date(2027, 1, 3)}, "requested_on", "in the future"),
        ({"answer_by": date(2026, 12, 29)}, "answer_by", "before the date of the request, Wed 30 Dec 2026"),
        ({"requested_by": {"name": "Office", "email": "nowhere"}}, "requested_by", "has no @"),
        ({"agreements": ("A", "B")}, "agreements", "one agreement"),
    ],
)
def test_what_a_request_cannot_be_is_said_at_its_field(changed: dict[str, object], where: str, says: str) -> None:
    (found,) = problems(access_request("IL-001", **changed)).items()
    assert found[0] == where
    assert says in found[1]


@pytest.mark.parametrize(
    ("asks", "anchor"),
    [
        ("review", REVIEW_REQUESTED),
        ("copy", REVIEW_REQUESTED),
        ("correct", CORRECTION_REQUESTED),
        ("transfer", TRANSFER_REQUESTED),
    ],
)
def test_each_begins_a_clock_of_its_own_and_doubts_name_the_field(asks: str, anchor: str) -> None:
    request = access_request("IL-001", asks=asks, answer_by=date(2027, 1, 9))
    assert {where: fact.name for where, fact in request.dates().items()} == {
        "requested_on": anchor,
        "answer_by": ANSWER_BY,
    }
    assert not problems(request)


def test_the_student_is_in_no_dated_fact_and_in_no_title() -> None:
    request = access_request("IL-001")
    assert "4711" in request.facts()["student"]
    assert "4711" not in f"{request.title} {request.anchors()}"


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (given(NOW + DAY), "in the future"),
        (given(NOW - 5 * DAY), "before the request"),
        (NOTE | {"received_on": "2027-01-20"}, "in the future"),
        (corrected(NOW + DAY), "in the future"),
        (QUESTION | {"asked_at": NOW + DAY}, "in the future"),
        (ANSWER, "No question is open."),
        ({"act": "learn", "element": "correction_date", "value": "10 March"}, "told once the correction is recorded"),
        ({"act": "impossible", "element": "correction_confirmation"}, "told once the correction is recorded"),
        ({"act": "date", "name": CORRECTED, "instant": NOW}, "More than a date belongs to 'corrected'."),
        ({"act": "date", "name": LEA_ANSWERED, "instant": NOW}, "More than a date belongs to 'lea_answered'."),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(says: Mapping[str, object], why: str) -> None:
    assert why in refused(state(), says)


def test_a_correction_is_noted_once_and_made_once() -> None:
    case = do(state(), NOTE)
    assert "A correction is asked for already." in refused(case, NOTE)
    assert "before the request" in refused(case, corrected(NOW - 5 * DAY))
    do(case, corrected(NOW))
    assert "recorded already" in refused(case, corrected(NOW))


def test_one_question_is_open_at_a_time_and_may_be_followed_by_another() -> None:
    case = do(state(), QUESTION)
    assert PARENT_ACCESS.awaits_answer(case)
    assert "A question is open already." in refused(case, QUESTION)
    assert "before the request" in refused(case, ANSWER | {"answered_at": NOW - DAY})
    do(case, ANSWER)
    assert not PARENT_ACCESS.awaits_answer(case)
    later = NOW + timedelta(hours=1)
    do(case, QUESTION | {"asked_at": later}, now=later)
    assert PARENT_ACCESS.awaits_answer(case)


def test_the_page_offers_what_is_not_done() -> None:
    names = [act.act_name() for act in PARENT_ACCESS.own_acts(state())]
    assert names == ["give", "note-inaccuracy", "put-question", "refuse-request"]
    noted = do(state(), NOTE, QUESTION)
    names = [act.act_name() for act in PARENT_ACCESS.own_acts(noted)]
    assert names == ["give", "correct", "record-answer", "refuse-request"]
    do(noted, corrected(NOW))
    assert "correct" not in {act.act_name() for act in PARENT_ACCESS.own_acts(noted)}


def test_what_the_lea_takes_back_ends_the_case() -> None:
    says = {"act": "refuse-request", "ground": "not-their-student", "reason": "The registrar: of another district."}
    case = do(state(), says)
    assert case.dismissed
    assert "dismissed" in refused(case, given(NOW))
