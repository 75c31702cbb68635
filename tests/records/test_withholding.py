"""Notices are kept back by one person up to their last safe moment, and past their due instant by two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from cases.acts import Approve, Decline, Learn, Release, SetDate, Undo, Withhold, WithholdPastDue
from cases.breach import BREACH
from cases.values import KeptText
from config.database import Database
from models.enums import DutyStatus, Verdict
from models.errors import NotAllowed, Refused
from models.tables import EvidenceEntry
from queries.decisions import withholdings_of
from queries.proposals import read_proposal
from queries.views import WithholdingView
from records.notices import waiting_batches
from records.overlooked import ALL_IDS, look
from tests.support.accounts import have_account
from tests.support.case_in_sql import SECOND_PERSON, CaseInSql, Place, open_in_sql, record_done

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DUE = NOW + 72 * HOUR
LAST_SAFE = DUE - HOUR
ILLINOIS = Place("ndpa-v1", "IL")
NOTICE = "breach.notice"


def text(said: str = "The court decides tomorrow.") -> KeptText:
    return KeptText.model_validate(said)


@pytest.fixture
def case(database: Database) -> CaseInSql:
    """A confirmed breach of one agreement, an hour after its confirmation."""
    case = open_in_sql(database, BREACH, [ILLINOIS], NOW, {"occurred": NOW - DAY, "confirmed": NOW})
    case.compute()
    case.now += HOUR
    have_account(database, SECOND_PERSON)
    return case


def withheld_past_due(case: CaseInSql, *, approved: bool = True) -> UUID:
    proposal = case.act(WithholdPastDue(clause=NOTICE, reason=text()))
    assert proposal
    if approved:
        case.act(Approve(proposal_id=proposal), SECOND_PERSON)
    return proposal


def decision(case: CaseInSql) -> WithholdingView:
    with case.database.reading() as session:
        *_, last = withholdings_of(session, case.id)
        return last


def sent_by(case: CaseInSql, moment: datetime) -> bool:
    case.now = moment
    case.send_what_leaves()
    return case.duty(NOTICE).status is DutyStatus.PERFORMED


def test_what_one_person_withheld_goes_on_time_and_the_lapse_is_seen(case: CaseInSql) -> None:
    case.act(Withhold(clause=NOTICE, reason=text()))
    assert (decision(case).lasts, decision(case).lapses_at) == (True, LAST_SAFE)
    assert not sent_by(case, LAST_SAFE - HOUR)
    assert sent_by(case, LAST_SAFE)
    assert case.duty(NOTICE).verdict is Verdict.ON_TIME
    seen = decision(case)
    (end,) = seen.ended
    assert (seen.decided_by, seen.lasts, seen.reason) == ("officer", False, "The court decides tomorrow.")
    assert (end.by, end.clause, end.at) == (None, NOTICE, LAST_SAFE)


def test_without_a_second_person_what_is_proposed_to_stay_goes_on_time(case: CaseInSql) -> None:
    proposal = withheld_past_due(case, approved=False)
    assert not sent_by(case, LAST_SAFE - HOUR), "the proposal itself withholds, as one person may"
    assert sent_by(case, LAST_SAFE)
    with pytest.raises(Refused, match="withheld any more"):
        case.act(Approve(proposal_id=proposal), SECOND_PERSON)


def test_with_a_second_person_it_stays_back_until_it_is_released(case: CaseInSql) -> None:
    withheld_past_due(case)
    assert (decision(case).approved_by, decision(case).lapses_at) == (SECOND_PERSON, None)
    with case.database.reading() as session:
        plans = waiting_batches(session, case.id)
    assert {(plan.withheld, plan.lapses_at) for plan in plans if plan.clause == NOTICE} == {(True, None)}
    assert not sent_by(case, DUE + 30 * DAY)
    case.act(Release(clause=NOTICE, withheld=True), "head")
    case.send_what_leaves()
    assert case.duty(NOTICE).verdict is Verdict.LATE
    (end,) = decision(case).ended
    assert (end.by, decision(case).lasts) == ("head", False)


def test_the_second_person_is_somebody_else(case: CaseInSql) -> None:
    have_account(case.database, "officer")
    proposal = withheld_past_due(case, approved=False)
    with pytest.raises(NotAllowed):
        case.act(Approve(proposal_id=proposal), "officer")


def test_declined_it_stays_withheld_as_one_person_may(case: CaseInSql) -> None:
    proposal = withheld_past_due(case, approved=False)
    case.act(Decline(proposal_id=proposal), SECOND_PERSON)
    assert not sent_by(case, LAST_SAFE - HOUR)
    assert sent_by(case, LAST_SAFE)


def test_one_person_cannot_keep_back_what_is_overdue_for_longer_than_the_grace(case: CaseInSql) -> None:
    case.act(Withhold(clause=NOTICE, reason=text()))
    case.now = LAST_SAFE - 2 * HOUR
    case.act(SetDate(name="confirmed", instant=NOW - 10 * DAY, reason=text("The log says so.")))
    assert decision(case).lapses_at == case.now + timedelta(minutes=case.policy.overdue_grace_minutes)
    assert sent_by(case, case.now + HOUR)


def test_a_decision_of_two_outlives_a_corrected_date_and_a_record_that_is_taken_back(case: CaseInSql) -> None:
    withheld_past_due(case)
    case.act(SetDate(name="confirmed", instant=NOW - 2 * HOUR, reason=text("The log says so.")))
    assert not sent_by(case, DUE + DAY)
    proposal = record_done(case, NOTICE, ILLINOIS)
    case.act(Undo(proposal_id=proposal, reason=text("It was another district.")))
    assert not sent_by(case, DUE + 3 * DAY), "what two people withheld comes back withheld"
    assert decision(case).lasts


def test_a_decision_that_was_ended_does_not_come_back_with_a_notice_planned_anew(case: CaseInSql) -> None:
    withheld_past_due(case)
    case.act(Release(clause=NOTICE, withheld=True))
    case.act(SetDate(name="confirmed", instant=NOW - 2 * HOUR, reason=text("The log says so.")))
    assert sent_by(case, LAST_SAFE)


def test_a_decision_recorded_after_the_case_let_a_batch_go_still_keeps_it_back(case: CaseInSql) -> None:
    """The case let go of it a moment before: what SQL says when it begins to leave counts."""
    with case.database.reading() as session:
        (plan,) = (plan for plan in waiting_batches(session, case.id) if plan.clause == NOTICE)
    case.act(Withhold(clause=NOTICE, reason=text()), compute=False)
    case.now = LAST_SAFE
    case.send(plan)
    assert case.duty(NOTICE).status is DutyStatus.RUNNING
    with case.database.reading() as session:
        (lapsing,) = (plan for plan in waiting_batches(session, case.id) if plan.clause == NOTICE)
    proposal = case.act(WithholdPastDue(clause=NOTICE, reason=text()), compute=False)
    assert proposal
    case.act(Approve(proposal_id=proposal), SECOND_PERSON, compute=False)
    case.send(lapsing)
    assert case.duty(NOTICE).status is DutyStatus.RUNNING


def test_what_should_have_lapsed_and_stays_is_found_by_the_watchdog(case: CaseInSql) -> None:
    case.act(Withhold(clause=NOTICE, reason=text()))

    def stayed(before: datetime) -> int:
        with case.database.reading() as session:
            return len(look(session, before, ALL_IDS.ends()[0], suspicious=9, in_turn=9).stayed)

    assert (stayed(LAST_SAFE - HOUR), stayed(DUE)) == (0, 1)
    proposal = case.act(WithholdPastDue(clause=NOTICE, reason=text()))
    assert proposal
    case.act(Approve(proposal_id=proposal), SECOND_PERSON)
    assert stayed(DUE) == 0


def test_a_supplement_has_no_due_instant_and_stays_until_it_is_released(case: CaseInSql) -> None:
    assert sent_by(case, LAST_SAFE)
    case.act(Learn(element="description", value=text("A copied key was used.")))
    case.act(Withhold(clause=NOTICE, reason=text()))
    assert decision(case).lapses_at is None
    case.now += 30 * DAY
    case.send_what_leaves()
    with case.database.reading() as session:
        assert any(plan.withheld for plan in waiting_batches(session, case.id))


def test_whoever_decides_sees_how_many_notices_would_stay(case: CaseInSql) -> None:
    detail = read_proposal(case.database, case.id, withheld_past_due(case, approved=False), limit=10)
    assert (detail.notices, [duty.reference for duty in detail.duties]) == (1, [ILLINOIS.reference])


def test_evidence_of_an_approval_names_what_is_kept_back(case: CaseInSql) -> None:
    withheld_past_due(case)
    with case.database.reading() as session:
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "act.approve")).one()
    particulars = entry.body["particulars"]
    assert (particulars["kind"], particulars["proposed_by"], len(particulars["batches"])) == ("withhold", "officer", 1)
