"""Done by other means: on the word of one person, with proof, approved by a second, for ever shown so, and undoable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from cases.acts import Act, Approve, Decline, SendAgain, Undo
from cases.breach import BREACH
from cases.values import AgreementName, KeptText
from config.database import Database
from mail.handover import OutcomeUnknown, Rejected
from models.enums import BatchStatus, DutyStatus, Role, Verdict
from models.errors import DuenoticeError, InvalidInput, NotAllowed, NotFound, Refused
from models.tables import Batch, Delivery, Duty, EvidenceEntry, ExhibitHChange, Notice
from people.accounts import add_account
from queries.duties import EVERY_DUTY, read_duties
from queries.proposals import read_proof, read_proposal
from records.undecided import undecided_of_case
from terms.clauses import Change, Step
from terms.effective import Amendment
from tests.support.accounts import have_account
from tests.support.case_in_sql import (
    SECOND_PERSON,
    CaseInSql,
    Place,
    done,
    keep_agreement,
    open_in_sql,
    record_done,
    standing_kind,
)

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ILLINOIS, MAINE = Place("ndpa-v1", "IL"), Place("ndpa-v1", "ME")
NOTICE = "breach.notice"


@pytest.fixture
def case(database: Database) -> CaseInSql:
    """A confirmed breach of two agreements, an hour after its confirmation."""
    case = open_in_sql(database, BREACH, [ILLINOIS, MAINE], NOW, {"occurred": NOW - DAY, "confirmed": NOW})
    case.compute()
    case.now += HOUR
    have_account(database, SECOND_PERSON)
    return case


def duty(case: CaseInSql, place: Place) -> Duty:
    (found,) = (row for row in case.duties if (row.agreement_id, row.clause) == (place.agreement, NOTICE))
    return found


def waiting(case: CaseInSql, place: Place) -> list[BatchStatus]:
    """How the batches of the notices that still stand for an agreement's duty stand."""
    with case.database.reading() as session:
        standing = session.exec(
            select(Batch)
            .join(Notice, col(Notice.batch_id) == col(Batch.id))
            .where(Notice.duty_id == duty(case, place).id, col(Notice.dropped).is_(False))
        )
        return [batch.status for batch in standing]


def reason(text: str = "It was another district.") -> KeptText:
    return KeptText.model_validate(text)


def refused(case: CaseInSql, act: Act, actor: str = "officer") -> DuenoticeError:
    before = [row.model_dump() for row in case.duties]
    with pytest.raises(DuenoticeError) as caught:
        case.act(act, actor)
    assert [row.model_dump() for row in case.duties] == before, "what is refused changes nothing"
    return caught.value


def test_one_person_s_word_performs_nothing_and_keeps_nothing_back(case: CaseInSql) -> None:
    case.act(done(NOTICE, ILLINOIS, done_at=case.now))
    assert duty(case, ILLINOIS).status is DutyStatus.RUNNING
    case.now = NOW + 71 * HOUR
    case.send_what_leaves()
    assert duty(case, ILLINOIS).verdict is Verdict.ON_TIME, "the notice went as planned"


def test_two_people_s_word_performs_it_towards_those_named_and_their_notice_does_not_leave(case: CaseInSql) -> None:
    record_done(case, NOTICE, ILLINOIS)
    assert (duty(case, ILLINOIS).verdict, duty(case, MAINE).verdict) == (Verdict.ON_TIME_BY_OTHER_MEANS, None)
    case.now = NOW + 71 * HOUR
    case.send_what_leaves()
    with case.database.reading() as session:
        assert len(session.exec(select(Delivery)).all()) == 1, "Maine alone is written to"
    assert duty(case, MAINE).verdict is Verdict.ON_TIME


def test_nobody_approves_what_is_his_own_word(case: CaseInSql) -> None:
    have_account(case.database, "officer")
    proposal = case.act(done(NOTICE, ILLINOIS, done_at=case.now))
    assert proposal
    assert isinstance(refused(case, Approve(proposal_id=proposal), "officer"), NotAllowed)
    add_account(case.database, "puppet", Role.OFFICER, made_by="officer", now=case.now)
    assert isinstance(refused(case, Approve(proposal_id=proposal), "puppet"), NotAllowed)


@pytest.mark.parametrize(
    ("hours", "verdict"), [(72, Verdict.ON_TIME_BY_OTHER_MEANS), (73, Verdict.LATE_BY_OTHER_MEANS)]
)
def test_it_is_on_time_or_late_by_the_day_on_which_it_was_done(case: CaseInSql, hours: int, verdict: Verdict) -> None:
    case.now = NOW + 100 * HOUR
    record_done(case, NOTICE, ILLINOIS, done_at=NOW + hours * HOUR)
    found = duty(case, ILLINOIS)
    assert (found.verdict, found.performed_at) == (verdict, NOW + hours * HOUR)
    case.raise_overdue()
    assert (duty(case, ILLINOIS).escalated_at is not None) == (verdict is Verdict.LATE_BY_OTHER_MEANS)


def test_what_was_done_before_its_clock_began_does_not_count(case: CaseInSql) -> None:
    told = refused(case, done(NOTICE, ILLINOIS, done_at=NOW - 365 * DAY))
    assert (told.where, "began later" in told.message) == ("done_at", True)


def test_an_agreement_without_such_a_duty_is_named(case: CaseInSql) -> None:
    record_done(case, NOTICE, MAINE)
    told = refused(case, done(NOTICE, ILLINOIS, MAINE, done_at=case.now))
    assert (told.where, MAINE.reference in told.message) == ("agreements", True)


def test_a_clause_may_want_its_own_way_kept(database: Database) -> None:
    change = Change(citation="Signed amendment", says="given by this engine alone.", other_means=False)
    agreed = Amendment(clause=NOTICE, step=Step(amends=change), effective=NOW.date(), entered_by="counsel")
    with database.writing() as session:
        keep_agreement(session, MAINE, NOW.date(), NOW)
        session.add(
            ExhibitHChange(
                id=uuid4(),
                agreement_id=MAINE.agreement,
                effective_on=agreed.effective,
                entered_by=agreed.entered_by,
                entered_at=NOW,
                operation=agreed.model_dump(mode="json", exclude_unset=True),
            )
        )
    case = open_in_sql(database, BREACH, [ILLINOIS, MAINE], NOW, {"occurred": NOW - DAY, "confirmed": NOW})
    case.compute()
    told = refused(case, done(NOTICE, ILLINOIS, MAINE, done_at=case.now))
    assert (told.where, f"The terms of {MAINE.reference} do not" in told.message) == ("agreements", True)
    record_done(case, NOTICE, ILLINOIS)


def test_a_holder_s_confirmation_is_nobody_else_s_to_say(database: Database) -> None:
    case = open_in_sql(
        database, standing_kind("disposition"), [ILLINOIS], NOW, {"disposal_requested": NOW, "received": NOW}
    )
    case.compute()
    assert "do not let" in refused(case, done("disposition.request", ILLINOIS, done_at=case.now)).message


def test_a_row_says_for_ever_on_whose_word_it_was_performed(case: CaseInSql) -> None:
    proposal = record_done(case, NOTICE, ILLINOIS)
    found, _ = read_duties(case.database, case.id, case.now, EVERY_DUTY, offset=0, limit=100)
    (view,) = (row for row in found if row.by_other_means)
    by = view.by_other_means
    assert by
    assert (by.on_the_word_of, by.approved_by, by.to_whom) == ("officer", SECOND_PERSON, "The superintendent.")
    assert (view.reference, view.verdict) == (ILLINOIS.reference, Verdict.ON_TIME_BY_OTHER_MEANS)
    proof = read_proof(case.database, case.id, proposal)
    assert (proof.content, proof.media_type, proof.name.endswith(".txt")) == (b"a report", "text/plain", True)
    with pytest.raises(NotFound):
        read_proof(case.database, uuid4(), proposal)


def test_evidence_names_both_people_the_proof_and_the_date(case: CaseInSql) -> None:
    record_done(case, NOTICE, ILLINOIS)
    with case.database.reading() as session:
        entry = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "duty_performed_by_other_means")).one()
    assert (entry.actor, entry.body["on_the_word_of"]) == (SECOND_PERSON, "officer")
    assert entry.body["verdict"] == "on_time_by_other_means"
    assert datetime.fromisoformat(entry.body["done_at"]) == case.now
    assert len(entry.artifacts) == 1


def test_a_correction_restores_the_waiting_notice_and_evidence_keeps_both(case: CaseInSql) -> None:
    proposal = record_done(case, NOTICE, ILLINOIS)
    assert waiting(case, ILLINOIS) == []
    case.act(Undo(proposal_id=proposal, reason=reason()), "another officer")
    found = duty(case, ILLINOIS)
    assert (found.status, found.performed_at, found.verdict, found.performed_under) == (
        DutyStatus.RUNNING,
        None,
        None,
        None,
    )
    assert found.due_at == NOW + 72 * HOUR
    assert waiting(case, ILLINOIS) == [BatchStatus.WAITING]
    view = read_proposal(case.database, case.id, proposal, limit=10).proposal
    assert (view.outcome, view.undone_by, view.undone_reason) == (
        "taken_back",
        "another officer",
        "It was another district.",
    )
    with case.database.reading() as session:
        kinds = set(session.exec(select(EvidenceEntry.kind).where(EvidenceEntry.case_id == case.id)))
    assert kinds >= {"act.done", "act.approve", "duty_performed_by_other_means", "act.undo"}
    assert isinstance(refused(case, Undo(proposal_id=proposal, reason=reason())), Refused), "it is taken back once"


def test_taken_back_past_its_due_instant_it_is_overdue_at_once_and_alarms_again(case: CaseInSql) -> None:
    case.now = NOW + 100 * HOUR
    case.raise_overdue()
    first = duty(case, ILLINOIS).escalated_at
    proposal = record_done(case, NOTICE, ILLINOIS, done_at=NOW + 2 * HOUR)
    case.now += DAY
    case.act(Undo(proposal_id=proposal, reason=reason()))
    assert duty(case, ILLINOIS).escalated_at is None
    case.raise_overdue()
    assert duty(case, ILLINOIS).escalated_at == case.now != first
    with case.database.reading() as session:
        raised = session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == "escalated")).all()
    assert [str(entry.subject) for entry in raised].count(str(duty(case, ILLINOIS).id)) == 2
    case.now += case.policy.overdue_grace_minutes * timedelta(minutes=1)
    case.send_what_leaves()
    assert duty(case, ILLINOIS).verdict is Verdict.LATE


def test_what_every_contact_refused_can_be_done_by_other_means_and_is_tried_anew_once_taken_back(
    case: CaseInSql,
) -> None:
    case.now = NOW + 71 * HOUR
    case.send_what_leaves(lambda _: Rejected(550, "5.1.1 No such mailbox"))
    assert duty(case, ILLINOIS).status is DutyStatus.RUNNING
    proposal = record_done(case, NOTICE, ILLINOIS)
    case.act(Undo(proposal_id=proposal, reason=reason()))
    assert BatchStatus.WAITING in waiting(case, ILLINOIS)


def test_what_nobody_knows_arrived_needs_no_decision_while_it_is_done_by_other_means(case: CaseInSql) -> None:
    case.now = NOW + 71 * HOUR
    case.send_what_leaves(lambda _: OutcomeUnknown("The connection was lost."))
    assert undecided(case) == 2
    proposal = record_done(case, NOTICE, ILLINOIS)
    assert undecided(case) == 1
    again = SendAgain(clause=NOTICE, agreement=AgreementName.model_validate(ILLINOIS.reference))
    assert isinstance(refused(case, again), Refused), "the engine's notice does not leave while that stands"
    case.act(Undo(proposal_id=proposal, reason=reason()))
    assert waiting(case, ILLINOIS) == [BatchStatus.WAITING]


def undecided(case: CaseInSql) -> int:
    with case.database.reading() as session:
        return undecided_of_case(session, case.id)


def test_a_notice_let_go_before_the_decision_was_recorded_does_not_leave_after_it(case: CaseInSql) -> None:
    """Its batch is planned, and duties are not computed anew when it begins to leave."""
    proposal = case.act(done(NOTICE, ILLINOIS, done_at=case.now))
    assert proposal
    case.now = NOW + 71 * HOUR
    case.act(Approve(proposal_id=proposal), SECOND_PERSON, compute=False)
    case.send_what_leaves()
    assert duty(case, ILLINOIS).verdict is Verdict.ON_TIME_BY_OTHER_MEANS
    assert duty(case, MAINE).verdict is Verdict.ON_TIME
    with case.database.reading() as session:
        assert len(session.exec(select(Delivery)).all()) == 1


def test_a_proposal_whose_duties_are_all_performed_meanwhile_cannot_be_approved(case: CaseInSql) -> None:
    proposal = case.act(done(NOTICE, ILLINOIS, done_at=case.now))
    assert proposal
    case.now = NOW + 71 * HOUR
    case.send_what_leaves()
    assert "open any more" in refused(case, Approve(proposal_id=proposal), SECOND_PERSON).message
    case.act(Decline(proposal_id=proposal), SECOND_PERSON)
    assert outcome(case, proposal) == "declined"


def test_who_withdraws_a_proposal_of_his_own_declines_nothing(case: CaseInSql) -> None:
    proposal = case.act(done(NOTICE, ILLINOIS, done_at=case.now))
    assert proposal
    assert outcome(case, proposal) == "open"
    case.act(Decline(proposal_id=proposal), "officer")
    assert outcome(case, proposal) == "withdrawn"


def outcome(case: CaseInSql, proposal: UUID) -> str:
    return read_proposal(case.database, case.id, proposal, limit=10).proposal.outcome


def test_an_approver_sees_the_districts_what_follows_and_what_the_clause_asks_for(case: CaseInSql) -> None:
    proposal = case.act(done(NOTICE, ILLINOIS, done_at=case.now))
    assert proposal
    detail = read_proposal(case.database, case.id, proposal, limit=10)
    (row,) = detail.duties
    assert (row.reference, row.verdict) == (ILLINOIS.reference, Verdict.ON_TIME_BY_OTHER_MEANS)
    assert row.asks_for
    assert (detail.total, detail.notices) == (1, 1)
    assert (detail.proposal.how, detail.proposal.reason) == ("By letter, by Sam Lee.", None)


def test_a_proof_is_what_it_holds_and_no_program(case: CaseInSql) -> None:
    told = refused(case, done(NOTICE, ILLINOIS, done_at=case.now, proof=b"MZ\x90\x00\x03"))
    assert isinstance(told, InvalidInput)
    assert (told.where, "PDF" in (told.next_step or "")) == ("proof", True)


def test_nothing_left_over_keeps_a_batch_in_place(case: CaseInSql) -> None:
    record_done(case, NOTICE, ILLINOIS, MAINE)
    with case.database.reading() as session:
        batches = session.exec(select(Batch).where(Batch.case_id == case.id, col(Batch.clause) == NOTICE)).all()
    assert {batch.status for batch in batches} == {BatchStatus.CANCELLED}
