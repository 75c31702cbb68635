"""A request for access in SQL: what is due when and why, what performs it, and what the LEA takes back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest

from cases.acts import parse_act
from config.database import Database
from models.enums import CaseStatus, DutyStatus, Verdict
from models.errors import InvalidFields, Refused
from models.tables import Case
from queries.cases import read_case_head
from tests.support.access_requests import (
    CONFIRMATION,
    CORRECTION,
    REQUEST,
    corrected,
    given,
    open_request,
)
from tests.support.case_in_sql import CaseInSql, Place

VIRGINIA, OREGON = Place("ndpa-v1", "VA"), Place("ndpa-v2", "OR")
DAY = timedelta(days=1)
NEW_YEAR = datetime.fromisoformat("2027-01-05T05:59:59+00:00")
"""The end of 4 January in Illinois: five days after 30 December."""


def do(case: CaseInSql, says: Mapping[str, object]) -> None:
    case.act(parse_act(says))


def test_the_five_days_of_illinois_over_a_new_year_are_performed_by_giving(database: Database) -> None:
    case = open_request(database)
    assert case.duty(REQUEST).due_at == NEW_YEAR
    case.now += 3 * DAY
    do(case, given(case.now))
    duty = case.duty(REQUEST)
    assert (duty.status, duty.verdict, duty.performed_at) == (DutyStatus.PERFORMED, Verdict.ON_TIME, case.now)


def test_the_sooner_of_the_clause_and_of_state_law_counts_and_both_are_said(database: Database) -> None:
    case = open_request(database, VIRGINIA, answer_by=date(2027, 1, 8))
    due = case.due_date(REQUEST)
    assert due.due_at == datetime.fromisoformat("2027-01-09T05:59:59+00:00")
    why = "\n".join(due.why)
    assert "45 calendar days counted from Thu 31 Dec 2026; due Sat 13 Feb 2027" in why
    assert "To be answered by Fri 8 Jan 2027; that day; due Fri 8 Jan 2027" in why
    assert "The sooner limit counts: state law on the LEA's own answer to a parent or student." in why
    assert not [flag for flag in due.flags if flag == "sooner-limit-not-recorded"]


def test_what_was_due_before_it_was_recorded_is_not_said_to_be_in_time_by_one_person(database: Database) -> None:
    case = open_request(database)
    case.now = NEW_YEAR + DAY
    with pytest.raises(Refused, match="is recorded only now"):
        do(case, given(NEW_YEAR - DAY))
    do(case, given(NEW_YEAR + timedelta(hours=1)))
    assert case.duty(REQUEST).verdict is Verdict.LATE


def test_a_correction_has_a_clock_of_its_own_and_its_letter_waits_for_it(database: Database) -> None:
    case = open_request(database)
    note = {"act": "note-inaccuracy", "received_on": "2026-12-31", "to_correct": "The date of birth."}
    do(case, note)
    assert case.duty(CORRECTION).due_at == datetime.fromisoformat("2027-04-01T04:59:59+00:00")
    assert case.duty(CONFIRMATION).waits_for == ["correction_date", "correction_confirmation"]
    do(case, given(case.now))
    assert case.statuses() == {
        REQUEST: DutyStatus.PERFORMED,
        CORRECTION: DutyStatus.RUNNING,
        CONFIRMATION: DutyStatus.RUNNING,
    }
    do(case, corrected(case.now))
    assert case.duty(CORRECTION).verdict is Verdict.ON_TIME
    assert (case.duty(CONFIRMATION).status, case.duty(CONFIRMATION).waits_for) == (DutyStatus.RUNNING, [])
    case.now = datetime.fromisoformat("2027-04-01T04:30:00+00:00")
    case.send_what_leaves()
    assert case.duty(CONFIRMATION).verdict is Verdict.ON_TIME


def ask_the_lea(case: CaseInSql) -> None:
    do(case, {"act": "put-question", "asked_at": case.now, "question": "Which of two students is meant?"})


def test_a_question_to_the_lea_stops_no_clock_unless_the_terms_say_so(database: Database) -> None:
    case = open_request(database)
    ask_the_lea(case)
    assert (case.duty(REQUEST).status, case.duty(REQUEST).due_at) == (DutyStatus.RUNNING, NEW_YEAR)
    assert read_case_head(database, case.id, case.now).awaits_answer


def test_where_the_terms_say_so_the_clock_stands_still_and_runs_again_once_the_answer_is_recorded(
    database: Database,
) -> None:
    pause = {"pauses": {"since": "lea_asked", "until": "lea_answered", "then": "3 days"}}
    case = open_request(database, agreed=pause)
    ask_the_lea(case)
    assert (case.duty(REQUEST).status, case.duty(REQUEST).due_at) == (DutyStatus.SUSPENDED, None)
    case.now += 20 * DAY
    do(case, {"act": "record-answer", "answered_at": case.now, "answer": "The older one."})
    again = case.duty(REQUEST)
    assert (again.status, again.due_at) == (DutyStatus.RUNNING, datetime.fromisoformat("2027-01-24T05:59:59+00:00"))
    head = read_case_head(database, case.id, case.now)
    assert (head.awaits_answer, head.shown["The LEA answered"]) == (False, "The older one.")


def test_giving_something_corrects_nothing(database: Database) -> None:
    case = open_request(database, VIRGINIA, asks="correct")
    with pytest.raises(Refused, match="Nothing is open that is performed by giving"):
        do(case, given(case.now))
    do(case, corrected(case.now))
    assert case.statuses() == {CORRECTION: DutyStatus.PERFORMED}


def test_what_the_terms_ask_nothing_about_is_refused_with_a_way_out(database: Database) -> None:
    with pytest.raises(InvalidFields, match="ask nothing of you about this"):
        open_request(database, OREGON, asks="transfer")
    assert open_request(database, VIRGINIA, asks="transfer").statuses() == {
        "access.separate-account": DutyStatus.RUNNING
    }


def test_what_the_lea_takes_back_is_owed_no_more(database: Database) -> None:
    case = open_request(database)
    do(case, {"act": "refuse-request", "ground": "not-entitled", "reason": "The registrar: a court order says so."})
    assert case.statuses() == {REQUEST: DutyStatus.CANCELLED}
    with database.reading() as session:
        assert session.get_one(Case, case.id).status is CaseStatus.DISMISSED
    shown = read_case_head(database, case.id, case.now).shown
    assert shown["Why nothing is given"] == "Not entitled. The registrar: a court order says so."


def test_what_was_given_and_corrected_stands_on_the_page(database: Database) -> None:
    case = open_request(database)
    do(case, given(case.now))
    shown = read_case_head(database, case.id, case.now).shown
    assert shown["Student"] == "student 4711"
    assert "The registrar." in shown["What was given"]
