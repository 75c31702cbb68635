"""Which duties a case opens, which of them wait, and what comes round again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from cases.acts import Learn, SetDate
from cases.breach import BREACH
from cases.values import KeptText
from config.database import Database
from models.enums import BatchStatus, DutyStatus, Party, Verdict
from models.identifiers import duty_id
from models.tables import Batch, CaseAnchor, Duty, ExhibitHChange
from records.scope import clauses_of_agreement
from terms.clauses import Change, Content, Step
from terms.effective import Amendment
from tests.support.case_in_sql import CaseInSql, Place, keep_agreement, open_in_sql, record_done, standing_kind

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
ILLINOIS = Place("ndpa-v1", "IL")
MAINE = Place("ndpa-v1", "ME")
MASSACHUSETTS = Place("ndpa-v1", "MA")
CERTIFIED = Place("ndpa-v1", "NH", choices=("alternative_security_standard",))
MISSOURI = Place("ndpa-v1", "MO")
NEW_YORK = Place("ndpa-v1", "NY")
OREGON = Place("ndpa-v2", "OR")
UPDATE = "subcontractors.list-update"
CHANGE = "framework.change"


def given(text: str) -> KeptText:
    return KeptText.model_validate(text)


def date_of(name: str, instant: datetime, reason: str | None = None) -> SetDate:
    return SetDate(name=name, instant=instant, reason=given(reason) if reason else None)


def test_a_request_opens_only_the_clauses_that_a_request_starts(database: Database) -> None:
    case = open_in_sql(
        database, standing_kind("disposition"), [ILLINOIS], NOW, {"disposal_requested": NOW, "received": NOW}
    )
    case.compute()
    assert case.statuses()["disposition.request"] is DutyStatus.RUNNING
    assert set(case.statuses().values()) == {DutyStatus.RUNNING}, "nothing waits for a fact that nobody awaits"
    assert "disposition.termination" not in case.statuses()


def test_a_fact_that_is_awaited_keeps_its_clause_pending_until_it_is_known(database: Database) -> None:
    awaiting = standing_kind("disposition", awaits=frozenset({"terminated"}))
    case = open_in_sql(database, awaiting, [ILLINOIS], NOW, {"received": NOW})
    case.compute()
    waiting = case.duty("disposition.termination")
    assert (waiting.status, waiting.due_at) == (DutyStatus.PENDING, None)
    pending = {clause for clause, status in case.statuses().items() if status is DutyStatus.PENDING}
    assert pending == {"disposition.termination", "disposition.final-review"}, "no other clause begins with that fact"
    case.act(date_of("terminated", NOW))
    started = case.duty("disposition.termination")
    assert (started.id, started.status) == (waiting.id, DutyStatus.RUNNING)


def test_a_suspected_breach_is_open_until_confirmed_and_then_waits_for_nothing(database: Database) -> None:
    case = open_in_sql(database, BREACH, [ILLINOIS], NOW, {"occurred": NOW, "discovered": NOW})
    case.compute()
    assert DutyStatus.PENDING in case.statuses().values()
    case.give_dates({"confirmed": NOW})
    case.compute()
    assert DutyStatus.PENDING not in case.statuses().values()
    assert case.duty("breach.notice").status is DutyStatus.RUNNING


def test_a_duty_given_up_runs_again_once_a_new_fact_starts_it(database: Database) -> None:
    case = open_in_sql(
        database, standing_kind("disposition", awaits=frozenset({"terminated"})), [ILLINOIS], NOW, {"received": NOW}
    )
    case.compute()
    with database.writing() as session:
        session.get_one(Duty, case.duty("disposition.termination").id).status = DutyStatus.CANCELLED
    case.act(date_of("terminated", NOW))
    again = case.duty("disposition.termination")
    assert again.status is DutyStatus.RUNNING
    assert again.due_at is not None


def test_a_date_of_the_agreement_starts_its_clock(database: Database) -> None:
    case = open_in_sql(database, standing_kind("term"), [MAINE], NOW)
    case.compute()
    assert case.duty("term.expiry").status is DutyStatus.RUNNING


def test_a_request_ends_the_date_that_the_clause_set_by_itself(database: Database) -> None:
    case = open_in_sql(database, standing_kind("disposition"), [MISSOURI], NOW, {"terminated": NOW})
    case.compute()
    assert case.duty("disposition.termination").status is DutyStatus.RUNNING
    case.act(date_of("disposal_requested", NOW))
    ended = case.duty("disposition.termination")
    assert (ended.status, ended.due_at) == (DutyStatus.CANCELLED, None)
    assert case.statuses()["disposition.prior-notice"] is DutyStatus.CANCELLED
    assert [duty.clause for duty in case.duties if duty.due_at] == ["disposition.request"]


def test_what_a_request_prevents_is_not_opened(database: Database) -> None:
    facts = {"terminated": NOW, "disposal_requested": NOW}
    case = open_in_sql(database, standing_kind("disposition"), [MISSOURI], NOW, facts)
    case.compute()
    assert set(case.statuses()) == {"disposition.request"}


def test_a_prior_notice_as_it_was_given_sets_the_earliest_day_and_only_a_default_the_last_one(
    database: Database,
) -> None:
    kind = standing_kind("disposition", ahead=frozenset({"disposal"}))
    facts = {"terminated": NOW, "disposal": NOW + timedelta(days=91)}
    case = open_in_sql(database, kind, [NEW_YORK], NOW, facts)
    case.compute()
    assert case.due_date("disposition.termination").earliest_local is None
    case.now += timedelta(days=3)
    case.send_what_leaves()
    assert case.duty("disposition.prior-notice").verdict is Verdict.LATE
    case.compute()
    disposal, due = case.duty("disposition.termination"), case.due_date("disposition.termination")
    assert (disposal.status, due.due_local) == (DutyStatus.RUNNING, "2026-06-30T23:59:59-05:00")
    assert due.earliest_local == "2026-06-03T00:00:00-05:00"
    assert due.flags == ("default:disposal_after_notice_days",)


def test_the_facts_of_one_agreement_hold_for_it_alone(database: Database) -> None:
    case = open_in_sql(database, standing_kind("disposition"), [MASSACHUSETTS, MAINE], NOW, {"disposal_requested": NOW})
    later = NOW + timedelta(days=5)
    with database.writing() as session:
        session.add(
            CaseAnchor(
                id=uuid4(),
                case_id=case.id,
                agreement_id=MASSACHUSETTS.agreement,
                name="disposal_requested",
                instant=later,
                recorded_at=NOW,
                recorded_by="officer",
            )
        )
    case.compute()
    due = {duty.agreement_id: duty.due_at for duty in case.duties if duty.clause == "disposition.request"}
    own, other = due[MASSACHUSETTS.agreement], due[MAINE.agreement]
    assert own
    assert other
    assert own > other


def recurring(database: Database, *, recurs: bool) -> CaseInSql:
    case = open_in_sql(database, standing_kind("subcontractors", recurs=recurs), [ILLINOIS], NOW)
    case.compute()
    return case


def test_what_recurs_comes_round_again_with_an_id_of_its_own_once_it_is_performed(database: Database) -> None:
    case = recurring(database, recurs=True)
    first = case.duty(UPDATE)
    assert first.due_at
    case.now += timedelta(days=10)
    record_done(case, UPDATE, ILLINOIS)
    performed, second = case.duty(UPDATE), case.duty(UPDATE, 2)
    assert (performed.id, performed.status, performed.verdict) == (
        first.id,
        DutyStatus.PERFORMED,
        Verdict.ON_TIME_BY_OTHER_MEANS,
    )
    assert second.id == duty_id(case.id, ILLINOIS.agreement, UPDATE, 2) != first.id
    assert second.status is DutyStatus.RUNNING
    assert second.due_at
    assert second.due_at > first.due_at
    case.compute()
    assert [duty.occurrence for duty in case.duties if duty.clause == UPDATE] == [1, 2], "the third is not owed yet"


def test_what_recurs_is_owed_once_in_a_case_that_does_not(database: Database) -> None:
    case = recurring(database, recurs=False)
    record_done(case, UPDATE, ILLINOIS)
    assert [duty.occurrence for duty in case.duties if duty.clause == UPDATE] == [1]


def test_a_late_duty_stays_late_whatever_date_is_given_afterwards(database: Database) -> None:
    case = open_in_sql(database, standing_kind("certification"), [CERTIFIED], NOW, {"requested": NOW})
    case.compute()
    clause = "certification.request"
    case.now += timedelta(days=800)
    record_done(case, clause, CERTIFIED)
    assert case.duty(clause).verdict is Verdict.LATE_BY_OTHER_MEANS
    case.act(date_of("requested", case.now, "The letter came later."))
    assert (case.duty(clause).status, case.duty(clause).verdict) == (
        DutyStatus.PERFORMED,
        Verdict.LATE_BY_OTHER_MEANS,
    )


def agree(database: Database, contents: Mapping[str, Content]) -> None:
    """Agree with Oregon that its notice of a new framework is sent only with these contents."""
    change = Change(citation="Exhibit H", says="sent together with more.", contents=dict(contents), incomplete="waits")
    agreed = Amendment(clause=CHANGE, step=Step(amends=change), effective=date(2026, 1, 1), entered_by="counsel")
    with database.writing() as session:
        keep_agreement(session, OREGON, NOW.date(), NOW)
        session.add(
            ExhibitHChange(
                id=uuid4(),
                agreement_id=OREGON.agreement,
                effective_on=agreed.effective,
                entered_by=agreed.entered_by,
                entered_at=NOW,
                operation=agreed.model_dump(mode="json", exclude_unset=True),
            )
        )


LOCATIONS = {"storage_locations": Content(required="at_once")}


def test_a_notice_that_waits_for_something_is_not_sent_and_becomes_overdue(database: Database) -> None:
    agree(database, LOCATIONS)
    case = open_in_sql(database, standing_kind("framework"), [OREGON], NOW, {"changed": NOW})
    case.compute()
    assert case.duty(CHANGE).waits_for == ["storage_locations"]
    case.now += timedelta(days=400)
    case.compute()
    case.send_what_leaves()
    case.raise_overdue()
    duty = case.duty(CHANGE)
    assert (duty.status, duty.performed_at, duty.escalated_at) == (DutyStatus.RUNNING, None, case.now)
    assert duty.id not in case.noticed(), "nothing leaves that does not say what is required at once"


def test_a_notice_that_waited_leaves_once_what_it_requires_is_known(database: Database) -> None:
    agree(database, LOCATIONS)
    case = open_in_sql(database, standing_kind("framework"), [OREGON], NOW, {"changed": NOW})
    case.compute()
    case.act(Learn(element="storage_locations", value=given("Ohio and Oregon.")))
    due_at = case.duty(CHANGE).due_at
    assert due_at
    case.now = due_at - timedelta(minutes=case.policy.last_safe_minutes)
    case.send_what_leaves()
    duty = case.duty(CHANGE)
    assert (duty.status, duty.verdict, duty.waits_for) == (DutyStatus.PERFORMED, Verdict.ON_TIME, [])


@pytest.mark.parametrize("element", ["notice_date", "reporting_lea", "provider_contact"])
def test_no_notice_waits_for_what_every_notice_can_say(database: Database, element: str) -> None:
    agree(database, {element: Content(required="at_once")})
    case = open_in_sql(database, standing_kind("framework"), [OREGON], NOW, {"changed": NOW})
    case.compute()
    assert case.duty(CHANGE).waits_for == []
    with database.reading() as session:
        planned = session.exec(select(Batch).where(Batch.case_id == case.id, Batch.clause == CHANGE)).one()
    assert planned.status is BatchStatus.WAITING


def test_the_clauses_of_an_agreement_in_a_case_are_those_of_its_event(database: Database) -> None:
    """The kind of a case may have any name: its clauses are found by its event."""
    case = open_in_sql(database, standing_kind("framework"), [OREGON], NOW, {"changed": NOW})
    case.compute()
    with database.reading() as session:
        found = clauses_of_agreement(session, case.id, OREGON.agreement)
    assert CHANGE in {clause.id for clause in found}


def test_only_this_side_s_duties_are_opened(database: Database) -> None:
    case = open_in_sql(database, standing_kind("contacts"), [OREGON], NOW, {"lea_contact_changed": NOW}, side=Party.LEA)
    case.compute()
    assert {duty.owed_by for duty in case.duties} == {Party.LEA}
