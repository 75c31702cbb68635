"""Internal dates drive reminders and lists; due date, what is overdue, and every verdict go by the agreement alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from cases.acts import Hold, Lift, SetDate
from cases.breach import BREACH
from cases.disposition import Extend
from cases.values import KeptText
from config.database import Database
from models.enums import DutyStatus, HolderMail, Verdict
from models.tables import Batch, EvidenceEntry
from queries.duties import EVERY_DUTY, duties_of, read_cohorts
from records.escalations import raise_internal
from records.holders import ladder
from records.need_sorts import NeedKind
from records.needs import Asking, NeedView, read_needs
from records.notices import waiting_batches
from records.outbox import OutgoingMessage
from records.summary import summarise
from terms.internal import NO_LEAD_TIMES, LeadTimes
from terms.limits import parse_limit
from tests.support.case_in_sql import QUEUED, CaseInSql, Place, open_in_sql
from tests.support.directives import (
    BACKUP,
    HOSTING,
    LADDER,
    REQUEST,
    VERIFICATION,
    DirectiveInSql,
    open_directive,
    text_of,
)
from tests.support.directives import NOW as ASKED_ON

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = NOW + 72 * HOUR
INTERNAL = DUE - 24 * HOUR
NOTICE = "breach.notice"


def ahead(clause: str, lead: str) -> LeadTimes:
    return LeadTimes({clause: parse_limit(f"{lead} before")})


@pytest.fixture
def case(database: Database) -> CaseInSql:
    """A confirmed breach whose notice the installation wants given a day ahead."""
    case = open_in_sql(database, BREACH, [Place("ndpa-v1", "TN")], NOW, {"occurred": NOW - DAY, "confirmed": NOW})
    case.leads = ahead(NOTICE, "24 hours")
    case.compute()
    return case


def evidence(database: Database, kind: str) -> list[dict[str, Any]]:
    with database.reading() as session:
        entries = select(EvidenceEntry).where(EvidenceEntry.kind == kind).order_by(col(EvidenceEntry.number))
        return [row.body for row in session.exec(entries)]


def raised(case: CaseInSql) -> int:
    """How many duties are raised now, since they are past their internal dates."""
    with case.database.writing() as session:
        return len(raise_internal(session, case.id, case.now))


def needs(case: CaseInSql) -> dict[NeedKind, NeedView]:
    found, _ = read_needs(case.database, Asking("cli:ops"), case.now, offset=0, limit=50)
    return {need.kind: need for need in found}


def batch(case: CaseInSql) -> Batch:
    with case.database.reading() as session:
        return session.exec(select(Batch).where(Batch.case_id == case.id)).one()


class TestTheDateItself:
    def test_it_stands_beside_a_due_date_that_is_the_same_without_it(self, case: CaseInSql) -> None:
        duty = case.duty(NOTICE)
        assert (duty.due_at, duty.internal_due_at, duty.target_at) == (DUE, INTERNAL, INTERNAL)
        case.leads = NO_LEAD_TIMES
        case.compute()
        without = case.duty(NOTICE)
        assert (without.due_at, without.internal_due_at, without.target_at) == (DUE, None, DUE)
        assert (without.due_date_id, without.internal_why) == (duty.due_date_id, None)

    def test_it_is_said_to_be_no_law_where_the_due_date_is_explained(self, case: CaseInSql) -> None:
        with case.database.reading() as session:
            (view,) = duties_of(session, case.id, EVERY_DUTY, case.now)
        assert "no law" in view.why[-1]
        assert not any("no law" in sentence for sentence in case.due_date(NOTICE).why), "that is the agreement's"

    def test_it_is_evidence_of_its_own_beside_the_due_date(self, case: CaseInSql) -> None:
        (body,) = evidence(case.database, "duty_computed")
        assert body["due_at"] == DUE.isoformat().replace("+00:00", "Z")
        assert body["internal_due_at"] == INTERNAL.isoformat().replace("+00:00", "Z")
        case.now += HOUR
        case.leads = NO_LEAD_TIMES
        case.compute()
        assert "internal_due_at" not in evidence(case.database, "duty_computed")[-1]

    def test_it_moves_with_the_due_date(self, case: CaseInSql) -> None:
        later = NOW + 5 * HOUR
        case.now = later
        case.act(SetDate.model_validate({"name": "confirmed", "instant": later, "reason": "The log says so."}))
        assert (case.duty(NOTICE).due_at, case.duty(NOTICE).internal_due_at) == (DUE + 5 * HOUR, INTERNAL + 5 * HOUR)

    def test_a_hold_suspends_it_and_it_comes_back_with_the_due_date(self, case: CaseInSql) -> None:
        hold = case.act(Hold(particulars=KeptText.model_validate("Agency A, reference 1"), begins_at=case.now))
        assert hold
        assert case.duty(NOTICE).internal_due_at is None
        case.now = DUE + 10 * HOUR
        case.act(Lift(hold_id=hold))
        duty = case.duty(NOTICE)
        assert duty.due_at == case.now + 24 * HOUR, "the clause's reasonable time after a hold"
        assert duty.internal_due_at == case.now, "a day ahead of that is at once"

    def test_what_is_performed_keeps_the_one_that_it_had(self, case: CaseInSql) -> None:
        case.now = INTERNAL + HOUR
        case.send_what_leaves()
        (plan,) = plans(case)
        case.send(plan)
        case.leads = ahead(NOTICE, "48 hours")
        case.compute()
        assert case.duty(NOTICE).internal_due_at == INTERNAL


def plans(case: CaseInSql) -> Any:
    with case.database.reading() as session:
        return waiting_batches(session, case.id)


class TestNotices:
    def test_a_notice_leaves_by_itself_at_the_last_safe_moment_before_the_due_date(self, case: CaseInSql) -> None:
        (plan,) = plans(case)
        assert (plan.due_at, plan.internal_due_at, plan.leaves_at) == (DUE, INTERNAL, DUE - HOUR)
        case.now = INTERNAL + HOUR
        case.send_what_leaves()
        assert case.duty(NOTICE).status is DutyStatus.RUNNING
        case.now = DUE - HOUR
        case.send_what_leaves()
        assert case.duty(NOTICE).verdict is Verdict.ON_TIME, "given after the internal date, it is on time all the same"

    def test_no_letter_says_anything_of_it(self, case: CaseInSql) -> None:
        sent: list[OutgoingMessage] = []
        case.now = DUE - HOUR

        def take(letter: OutgoingMessage) -> Any:
            sent.append(letter)
            return QUEUED

        case.send_what_leaves(take)
        (letter,) = sent
        assert b"internal" not in letter.raw.lower()
        assert INTERNAL.strftime("%d %b").lstrip("0").encode() not in letter.raw

    def test_another_setting_moves_the_reminders_of_a_draft_and_drafts_nothing_anew(self, case: CaseInSql) -> None:
        before = batch(case)
        case.now += HOUR
        case.leads = ahead(NOTICE, "12 hours")
        case.compute()
        after = batch(case)
        assert after.internal_due_at == DUE - 12 * HOUR
        assert (after.id, after.planned_at, after.leaves_at) == (before.id, before.planned_at, before.leaves_at)
        case.leads = NO_LEAD_TIMES
        case.compute()
        assert batch(case).internal_due_at is None


class TestWhatIsRaised:
    def test_it_is_raised_once_when_it_has_passed_and_is_not_overdue(self, case: CaseInSql) -> None:
        case.now = INTERNAL
        assert not raised(case)
        case.now += HOUR
        assert raised(case) == 1
        assert not raised(case)
        (body,) = evidence(case.database, "internal_date_passed")
        assert body["clause"] == NOTICE
        assert case.duty(NOTICE).escalated_at is None, "that is raised where it is overdue"

    def test_it_is_raised_again_where_a_later_one_passes(self, case: CaseInSql) -> None:
        case.now = INTERNAL + HOUR
        assert raised(case)
        case.leads = ahead(NOTICE, "12 hours")
        case.compute()
        assert not raised(case)
        case.now = DUE - 11 * HOUR
        assert raised(case) == 1

    def test_what_is_overdue_is_raised_as_that_and_not_as_this(self, case: CaseInSql) -> None:
        case.now = DUE + HOUR
        assert not raised(case)

    def test_the_clock_of_the_case_wakes_for_it_until_it_was_raised(self, case: CaseInSql) -> None:
        def instants() -> tuple[datetime, ...]:
            with case.database.reading() as session:
                return summarise(session, case.id).internal_instants

        assert instants() == (INTERNAL,)
        case.now = INTERNAL + HOUR
        raised(case)
        assert instants() == ()


class TestLists:
    def test_what_is_past_it_is_shown_as_that_and_not_as_overdue(self, case: CaseInSql) -> None:
        case.now = INTERNAL + HOUR
        with case.database.reading() as session:
            (view,) = duties_of(session, case.id, EVERY_DUTY, case.now)
        assert (view.overdue, view.past_internal, view.internal_due_at) == (False, True, INTERNAL)
        (cohort,) = read_cohorts(case.database, case.id, case.now)
        assert (cohort.overdue, cohort.past_internal, cohort.internal_due_at) == (0, 1, INTERNAL)
        case.now = DUE + HOUR
        with case.database.reading() as session:
            (view,) = duties_of(session, case.id, EVERY_DUTY, case.now)
        assert (view.overdue, view.past_internal) == (True, False)

    def test_it_is_among_what_needs_people(self, case: CaseInSql) -> None:
        assert needs(case).keys() == {NeedKind.DRAFTS}
        assert (needs(case)[NeedKind.DRAFTS].until, needs(case)[NeedKind.DRAFTS].internal_at) == (DUE, INTERNAL)
        case.now = INTERNAL + HOUR
        need = needs(case)[NeedKind.PAST_INTERNAL]
        assert need.says == "1 duty is past the internal date, and not overdue."
        assert (need.until, need.internal_at, need.overdue) == (DUE, INTERNAL, False)
        case.now = DUE + HOUR
        assert NeedKind.PAST_INTERNAL not in needs(case)

    def test_what_needs_people_is_read_in_the_order_of_internal_dates(self, database: Database) -> None:
        def confirmed(at: datetime, leads: LeadTimes) -> UUID:
            one = open_in_sql(database, BREACH, [Place("ndpa-v1", "TN")], NOW, {"occurred": at, "confirmed": at})
            one.leads = leads
            one.compute()
            return one.id

        sooner = confirmed(NOW, NO_LEAD_TIMES)
        later = confirmed(NOW + HOUR, ahead(NOTICE, "24 hours"))
        found, _ = read_needs(database, Asking("cli:ops"), NOW, offset=0, limit=50)
        assert [need.case_id for need in found] == [later, sooner]


class TestHolders:
    @pytest.fixture
    def asked(self, database: Database) -> DirectiveInSql:
        """A directive of which two subprocessors were asked, and that the installation wants done ten days ahead."""
        case = open_directive(database, HOSTING, BACKUP)
        case.leads = ahead(REQUEST, "10 days")
        case.compute()
        case.write()
        return case

    def test_a_ladder_goes_by_the_internal_date_and_from_then_on_by_the_due_date(self) -> None:
        due, internal = ASKED_ON + 100 * HOUR, ASKED_ON + 60 * HOUR
        hours = [(step - ASKED_ON) / HOUR for step in ladder(ASKED_ON, due, LADDER, internal)]
        assert hours == [30, 36, 45, 54, 60, 75, 76, 90, 100]
        assert ladder(internal + HOUR, due, LADDER, internal) == ladder(internal + HOUR, due, LADDER)

    def test_they_are_reminded_by_it_and_told_the_due_date_alone(self, asked: DirectiveInSql) -> None:
        task = asked.tasks()[HOSTING]
        assert task.due_at
        assert task.internal_due_at
        assert task.asked_at
        assert task.internal_due_at.date() == date(2026, 6, 22), "ten days before 1 July, the last second of 21 June"
        half = (task.internal_due_at - task.asked_at) / 2
        asked.now = task.asked_at + half - HOUR
        assert asked.written() == {}
        asked.now += 2 * HOUR
        letters = {letter.holder: letter for letter in asked.write()}
        assert letters[HOSTING].why is HolderMail.REMINDED
        assert 0.5 <= letters[HOSTING].share < 0.51
        said = " ".join(text_of(letters[HOSTING]).split())
        assert "nternally" not in said
        assert "by Wednesday, July 1, 2026" in said

    def test_our_own_office_reads_of_it(self, asked: DirectiveInSql) -> None:
        for holder in (HOSTING, BACKUP):
            asked.answer(holder)
        (letter,) = asked.write()
        assert letter.owing
        assert "Our own date for it is earlier:" in " ".join(text_of(letter).split())

    def test_another_day_that_was_agreed_on_moves_it_as_well(self, asked: DirectiveInSql) -> None:
        due = asked.duty(REQUEST).due_at
        assert due
        words = {"agreed_by": "The superintendent, by telephone.", "reason": "The tapes are elsewhere."}
        asked.act(Extend.model_validate({"directed": (due + 20 * DAY).date(), **words}))
        moved = asked.duty(REQUEST)
        assert moved.due_at
        assert moved.internal_due_at
        assert moved.due_at - moved.internal_due_at == 10 * DAY

    def test_their_word_after_it_is_on_time(self, asked: DirectiveInSql) -> None:
        internal = asked.duty(REQUEST).internal_due_at
        assert internal
        asked.now = internal + DAY
        for holder in (HOSTING, BACKUP, "provider"):
            asked.write()
            asked.answer(holder)
        assert asked.duty(REQUEST).verdict is Verdict.ON_TIME
        assert asked.duty(VERIFICATION).internal_due_at is None, "that clause has no lead time"

    def test_where_the_setting_is_taken_away_the_ladder_goes_on_by_the_due_date(self, asked: DirectiveInSql) -> None:
        internal = asked.tasks()[HOSTING].internal_due_at
        assert internal
        asked.now = internal + HOUR
        asked.write()
        asked.leads = NO_LEAD_TIMES
        asked.compute()
        task = asked.tasks()[HOSTING]
        assert task.internal_due_at is None
        assert task.due_at
        assert task.asked_at
        steps = ladder(task.asked_at, task.due_at, asked.policy)
        assert task.again_at == next(step for step in steps if step > asked.now)
