"""What needs people: one line each, whose it is, until when; and only for those who can do it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlmodel import col, select, update

from cases.acts import AnswerQuestion, Approve, Assign, Impossible, NotYet, Propose
from cases.breach import BREACH, Dismiss
from config.database import Database
from config.keyring import Keyring
from mail.handover import Accepted, MailServerUnavailable, OutcomeUnknown, Rejected
from models.enums import AnswerKind, Authentication, BatchStatus, DeliveryStatus, Role
from models.errors import InvalidInput, NotFound, Refused
from models.tables import Answer, Artifact, Batch, Case, EvidenceEntry, Letter, Notice
from people.accounts import add_account, disable
from records.answers import GivenAnswer, read_answers, read_linked_questions, record_answers
from records.cases import close_case
from records.intake import keep_intake
from records.letters import take_up
from records.need_sorts import NeedKind
from records.needs import Asking, NeedView, read_needs
from records.responsible import Step, assignments
from records.troubles import WORKFLOW_STUCK
from tests.support.accounts import have_account
from tests.support.case_in_sql import WRITER, CaseInSql, Place, keep_agreement, open_in_sql
from tests.support.incidents import incident
from tests.support.letters import come_back, hand_over

NOON = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTICE = "breach.notice"
TENNESSEE, MASSACHUSETTS = Place("ndpa-v1", "TN"), Place("ndpa-v1", "MA")
ROBIN, KIM = "robin", "kim"
QUESTION = "Which schools were touched?"
ANSWER = "None of your high schools."


def confirmed(database: Database, *places: Place, at: datetime = NOON) -> CaseInSql:
    """A confirmed breach whose notices are drafted and wait."""
    case = open_in_sql(
        database, BREACH, places or [TENNESSEE], NOON, {"occurred": at, "discovered": at, "confirmed": at}
    )
    case.compute()
    return case


def needs(database: Database, name: str | None = "cli:ops", now: datetime = NOON, **how: Any) -> list[NeedView]:
    found, total = read_needs(database, Asking(name, **how), now, offset=0, limit=50)
    assert total == len(found)
    return list(found)


def kinds(database: Database, name: str | None = "cli:ops", now: datetime = NOON, **how: Any) -> list[NeedKind]:
    return [need.kind for need in needs(database, name, now, **how)]


def ask(case: CaseInSql, *, kind: AnswerKind = AnswerKind.QUESTION) -> Answer:
    """A district asks something about its notice."""
    with case.database.writing() as session:
        notice = session.exec(select(Notice.id).where(Notice.case_id == case.id)).first()
        assert notice
        given = GivenAnswer(notice, kind, "lea", "Sam Lee", "sam@d1.example.org", QUESTION)
        record_answers(session, [given], bytes(32), case.now)
        return session.exec(select(Answer).where(Answer.case_id == case.id).order_by(col(Answer.given_at))).all()[-1]


def answer(case: CaseInSql, question: Answer, text: str = ANSWER) -> None:
    case.act(AnswerQuestion.model_validate({"question": question.id, "text": text}), ROBIN)


def evidence(database: Database, kind: str) -> list[EvidenceEntry]:
    with database.reading() as session:
        return list(session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == kind)))


def change(database: Database, table: type[Case] | type[Batch], **values: object) -> None:
    with database.writing() as session:
        session.execute(update(table).values(**values))


def test_where_nothing_waits_nobody_is_needed(database: Database) -> None:
    assert needs(database) == []


class TestDrafts:
    def test_drafts_wait_until_they_are_due_and_say_when_they_go_by_themselves(self, database: Database) -> None:
        case = confirmed(database, TENNESSEE, MASSACHUSETTS)
        (need,) = needs(database)
        assert need.says == "2 notices wait for your release."
        assert (need.until, need.leaves_at) == (NOON + 72 * HOUR, NOON + 71 * HOUR)
        assert (need.link, need.responsible) == (f"/cases/{case.id}/drafts", None)

    @pytest.mark.parametrize(
        ("hours", "kind", "overdue"),
        [(46, NeedKind.DRAFTS, False), (47, NeedKind.LEAVING, False), (73, NeedKind.DRAFTS, True)],
    )
    def test_what_goes_by_itself_within_a_day_is_named_so_until_it_is_overdue(
        self, database: Database, hours: int, kind: NeedKind, overdue: bool
    ) -> None:
        confirmed(database)
        (need,) = needs(database, now=NOON + hours * HOUR)
        assert (need.kind, need.overdue, "overdue" in need.says) == (kind, overdue, overdue)

    def test_the_longest_overdue_comes_first_then_what_is_to_be_done_at_once_then_what_is_due(
        self, database: Database
    ) -> None:
        later, worst, late = (confirmed(database, at=NOON - hours * HOUR) for hours in (10, 100, 80))
        ask(later)
        assert [need.case_id for need in needs(database)] == [worst.id, late.id, later.id, later.id]
        assert kinds(database)[2:] == [NeedKind.QUESTIONS, NeedKind.DRAFTS]

    def test_a_page_of_them_is_the_same_part_of_the_whole(self, database: Database) -> None:
        for hours in range(5):
            ask(confirmed(database, at=NOON - hours * HOUR))
        whole = needs(database)
        found, total = read_needs(database, Asking("cli:ops"), NOON, offset=3, limit=4)
        assert (list(found), total) == (whole[3:7], 10)

    def test_what_one_person_withheld_is_named_with_the_moment_at_which_it_leaves(self, database: Database) -> None:
        confirmed(database)
        change(database, Batch, status=BatchStatus.WITHHELD)
        (need,) = needs(database)
        assert (need.kind, need.overdue) == (NeedKind.LAPSING, False)
        assert need.leaves_at is not None
        assert need.until is not None
        assert need.leaves_at < need.until

    @pytest.mark.parametrize("status", [BatchStatus.SENT, BatchStatus.CANCELLED])
    def test_what_does_not_wait_needs_no_release(self, database: Database, status: BatchStatus) -> None:
        confirmed(database)
        change(database, Batch, status=status)
        assert needs(database) == []

    def test_what_is_released_and_about_to_leave_needs_nobody(self, database: Database) -> None:
        confirmed(database)
        change(database, Batch, released_by=ROBIN)
        assert needs(database) == []


class TestProposals:
    @pytest.fixture
    def case(self, database: Database) -> CaseInSql:
        for name, role in ((ROBIN, Role.OFFICER), (KIM, Role.APPROVER), ("dana", Role.ADMINISTRATOR)):
            have_account(database, name, role)
        case = confirmed(database)
        act = {"clause": NOTICE, "ground": "no_student_data", "reason": "Nothing of theirs was stored."}
        case.act(Propose.model_validate(act), ROBIN)
        return case

    def test_who_may_be_the_second_person_decides_and_the_proposer_waits(
        self, database: Database, case: CaseInSql
    ) -> None:
        (decide,) = needs(database, KIM)
        assert (decide.kind, decide.until) == (NeedKind.PROPOSAL, NOON + 72 * HOUR)
        waits = {need.kind: need.says for need in needs(database, ROBIN)}
        assert "waits for a second person" in waits[NeedKind.OWN_PROPOSAL]
        for neither in ("dana", "cli:ops"):
            assert kinds(database, neither, authenticated=Authentication.COMMAND_LINE) == [NeedKind.DRAFTS]

    def test_ones_own_proposal_is_ones_own_in_whosever_charge_the_case_is(
        self, database: Database, case: CaseInSql
    ) -> None:
        assert kinds(database, ROBIN, own=True) == [NeedKind.OWN_PROPOSAL]
        assert kinds(database, "dana", own=True) == []

    def test_who_made_the_proposers_account_is_no_second_person(self, database: Database, case: CaseInSql) -> None:
        add_account(database, "lee", Role.APPROVER, made_by=ROBIN, now=NOON)
        assert needs(database, "lee") == []

    def test_once_it_is_decided_nobody_is_asked(self, database: Database, case: CaseInSql) -> None:
        (decide,) = needs(database, KIM)
        proposal_id = evidence(database, "act.propose")[0].body["particulars"]["proposal_id"]
        case.act(Approve(proposal_id=proposal_id), KIM)
        assert decide not in needs(database, KIM)
        assert needs(database, ROBIN) == []

    def test_whoever_only_reads_is_not_asked_for_anything(self, database: Database, case: CaseInSql) -> None:
        have_account(database, "ada", Role.AUDITOR)
        assert needs(database, "ada") == []


class TestWhoseItIs:
    @pytest.fixture
    def case(self, database: Database) -> CaseInSql:
        for name in (ROBIN, KIM):
            add_account(database, name, Role.OFFICER, email=f"{name}@provider.example.org", made_by="cli:a", now=NOON)
        case = confirmed(database)
        case.act(Assign(responsible=ROBIN, deputy=KIM), "dana")
        return case

    def test_it_is_shown_and_evidence_names_both_and_who_it_was_before(
        self, database: Database, case: CaseInSql
    ) -> None:
        (need,) = needs(database, ROBIN, own=True)
        assert (need.responsible, need.deputy) == (ROBIN, KIM)
        assert needs(database, KIM, own=True) == []
        case.act(Assign(responsible=KIM), "dana")
        first, second = (entry.body["particulars"] for entry in evidence(database, "act.assign"))
        assert first == {"responsible": ROBIN, "deputy": KIM, "before": [None, None]}
        assert second == {"responsible": KIM, "deputy": None, "before": [ROBIN, KIM]}

    def test_a_disabled_account_falls_to_the_deputy_and_then_to_the_organisations_contact(
        self, database: Database, case: CaseInSql
    ) -> None:
        disable_as(database, ROBIN)
        (need,) = needs(database, KIM, own=True)
        assert (need.responsible, need.deputy) == (KIM, None)
        disable_as(database, KIM)
        (need,) = needs(database, None, own=True)
        assert need.responsible is None

    @pytest.mark.parametrize(
        ("step", "told"), [(Step.FIRST, [ROBIN]), (Step.PRESSING, [ROBIN, KIM]), (Step.LAST, [ROBIN, KIM])]
    )
    def test_a_ladder_tells_who_is_responsible_then_the_deputy_too(
        self, database: Database, case: CaseInSql, step: Step, told: list[str]
    ) -> None:
        with database.reading() as session:
            assert [one.name for one in assignments(session, [case.id])[case.id].told_at(step)] == told

    @pytest.mark.parametrize(
        ("responsible", "deputy", "where"),
        [("nobody", None, "responsible"), ("ada", None, "responsible"), (ROBIN, "cli:ops", "deputy")],
    )
    def test_only_an_account_that_can_act_is_responsible(
        self, database: Database, case: CaseInSql, responsible: str, deputy: str | None, where: str
    ) -> None:
        have_account(database, "ada", Role.AUDITOR)
        with pytest.raises(InvalidInput, match="no account of an officer") as refused:
            case.act(Assign(responsible=responsible, deputy=deputy), "dana")
        assert refused.value.where == where

    def test_an_assignment_moves_no_clock(self, database: Database, case: CaseInSql) -> None:
        with database.reading() as session:
            assert session.get_one(Case, case.id).changed_at is None


def disable_as(database: Database, name: str) -> None:
    """Disable an account while another administrator is left."""
    have_account(database, "dana", Role.ADMINISTRATOR)
    disable(database, name, actor="dana", now=NOON)


class TestQuestions:
    def test_a_question_needs_an_answer_until_it_has_one(self, database: Database) -> None:
        case = confirmed(database)
        question = ask(case)
        need = next(need for need in needs(database) if need.kind is NeedKind.QUESTIONS)
        assert (need.until, need.since, need.link) == (None, NOON, f"/cases/{case.id}#answers")
        answer(case, question)
        assert NeedKind.QUESTIONS not in kinds(database)

    def test_its_answer_leaves_as_a_letter_and_stands_on_both_pages(self, database: Database) -> None:
        case = confirmed(database)
        answer(case, ask(case))
        (letter,) = hand_over(case)
        for said in ("sam@d1.example.org", "Dear Sam Lee", QUESTION, ANSWER, 'Reply-To: "Sam Lee"', "/n/"):
            assert said in letter
        (shown,) = read_answers(database, case.id).questions
        (reply,) = shown.replies
        assert (reply.text, reply.replied_by, reply.status) == (ANSWER, ROBIN, "accepted")
        with database.reading() as session:
            notice = session.exec(select(Answer.notice_id)).one()
        (linked,) = read_linked_questions(database, notice)
        assert (linked.text, linked.replies[0].text) == (QUESTION, ANSWER)
        assert hand_over(case) == [], "it leaves once"

    def test_evidence_holds_question_and_answer_by_hash_and_what_the_mail_server_said(self, database: Database) -> None:
        case = confirmed(database)
        answer(case, ask(case))
        hand_over(case)
        (asked,), (act,), (sent,) = (
            evidence(database, kind) for kind in ("question_asked", "act.answer", "reply_handed_over")
        )
        with database.reading() as session:
            text = session.exec(select(Letter.text_sha256)).one()
            kept = session.exec(select(Artifact.sha256, Artifact.claimed).where(Artifact.sha256 == text)).one()
        assert kept == (text, True)
        assert set(act.artifacts) == {*asked.artifacts, text}
        assert (sent.body["outcome"], sent.body["code"], sent.body["attempt"]) == ("accepted", 250, 1)
        assert ANSWER not in str([entry.body for entry in (asked, act, sent)])

    @pytest.mark.parametrize("says", [Rejected(550, "No such user"), OutcomeUnknown("lost", next_step="")])
    def test_one_whose_letter_did_not_arrive_for_sure_is_open_again(
        self, database: Database, says: Rejected | OutcomeUnknown
    ) -> None:
        case = confirmed(database)
        question = ask(case)
        answer(case, question)
        hand_over(case, says)
        assert NeedKind.QUESTIONS in kinds(database)
        answer(case, question, "Once more: none of them.")
        (letter,) = hand_over(case)
        assert "Once more" in letter
        assert len(read_answers(database, case.id).questions[0].replies) == 2

    def test_a_letter_that_no_server_took_goes_later_and_leaves_no_evidence_of_a_send(self, database: Database) -> None:
        case = confirmed(database)
        answer(case, ask(case))
        (before,) = hand_over(case, MailServerUnavailable("down"))
        assert evidence(database, "reply_handed_over") == []
        assert hand_over(case) == [], "not at once"
        case.now += timedelta(minutes=1)
        assert hand_over(case, Accepted(250, "ok")) == [before]

    def test_a_letter_lost_after_its_content_is_sent_again_as_it_is(self, database: Database) -> None:
        case = confirmed(database)
        answer(case, ask(case))
        (first,) = hand_over(case, OutcomeUnknown("lost", next_step=""), resends=1)
        case.now += HOUR
        assert hand_over(case, OutcomeUnknown("lost", next_step=""), resends=1) == [first]
        case.now += HOUR
        assert hand_over(case) == [], "then a person decides"
        assert NeedKind.QUESTIONS in kinds(database)

    def test_one_whose_sending_was_broken_off_is_taken_up_again_and_not_by_two(self, database: Database) -> None:
        case = confirmed(database)
        answer(case, ask(case))
        with database.writing() as session:
            (first,) = take_up(session, WRITER, NOON, 10)
        with database.writing() as session:
            assert take_up(session, WRITER, NOON, 10) == []
            assert take_up(session, WRITER, NOON + HOUR, 10) == [first]

    def test_a_question_is_answered_once_and_also_once_its_case_is_closed(self, database: Database) -> None:
        case = confirmed(database)
        question = ask(case)
        with database.writing() as session:
            close_case(session, case.id, NOON)
        assert NeedKind.QUESTIONS in kinds(database)
        answer(case, question)
        with pytest.raises(Refused, match="dealt with already"):
            answer(case, question)

    def test_what_is_no_question_is_not_answered(self, database: Database) -> None:
        case = confirmed(database)
        named = ask(case, kind=AnswerKind.OTHER_CONTACT)
        assert NeedKind.NAMED_CONTACTS in kinds(database)
        with pytest.raises(NotFound, match="no question"):
            answer(case, named)


class TestWhatIsToFollow:
    def test_what_notices_said_would_follow_is_asked_for_until_it_has_or_cannot(self, database: Database) -> None:
        case = confirmed(database, TENNESSEE, MASSACHUSETTS)
        case.now += 71 * HOUR
        case.send_what_leaves()
        (need,) = needs(database, now=case.now)
        assert (need.kind, need.until, need.since) == (NeedKind.TO_FOLLOW, None, case.now)
        assert need.says.startswith("More was said to follow for 2 duties. Say what is known by now")
        assert need.link == f"/cases/{case.id}#facts"
        for lacking in case.duties[0].lacking:
            case.act(Impossible.model_validate({"element": lacking}), ROBIN)
        case.compute()
        case.send_what_leaves()
        assert NeedKind.TO_FOLLOW not in kinds(database, now=case.now)


class TestWhatWentWrong:
    def test_a_contact_that_refused_and_nobody_left_to_tell(self, database: Database) -> None:
        case = confirmed(database)
        case.now += 71 * HOUR
        case.send_what_leaves(lambda _: Rejected(550, "No such user"))
        (need,) = needs(database, now=case.now)
        assert need.kind is NeedKind.FAILING_CONTACTS
        assert "1 contact refused mail" in need.says
        assert "For 1 notice nobody is left" in need.says
        assert need.until == NOON + 72 * HOUR

    def test_what_nobody_can_say_arrived(self, database: Database) -> None:
        case = confirmed(database)
        case.now += 71 * HOUR
        lost: Any = OutcomeUnknown("lost", next_step="")
        case.send_what_leaves(lambda _: lost)
        (need,) = needs(database, now=case.now)
        assert (need.kind, need.until) == (NeedKind.UNKNOWN, NOON + 72 * HOUR)

    def test_a_mail_server_that_takes_none_is_one_line_for_all_cases(self, database: Database) -> None:
        for _ in range(2):
            confirmed(database)
        change(
            database,
            Batch,
            status=BatchStatus.SENDING,
            trouble=MailServerUnavailable.code,
            trouble_since=NOON - HOUR,
        )
        (need,) = needs(database)
        assert (need.kind, need.case_id, need.until) == (NeedKind.MAIL, None, NOON + 72 * HOUR)
        assert "2 notices of 2 cases wait for it" in need.says

    def test_a_case_that_does_not_go_on_or_never_began(self, database: Database) -> None:
        confirmed(database)
        change(database, Batch, status=BatchStatus.SENT)
        change(database, Case, trouble=WORKFLOW_STUCK, trouble_since=NOON)
        assert kinds(database) == [NeedKind.STUCK]
        change(database, Case, trouble=None, workflow_started_at=None)
        assert kinds(database) == [NeedKind.STUCK]


class TestSuspicions:
    @pytest.fixture
    def case(self, database: Database) -> CaseInSql:
        case = open_in_sql(database, BREACH, [MASSACHUSETTS], NOON, {"occurred": NOON, "discovered": NOON})
        case.compute()
        change(database, Case, undecided=True)  # as reporting it does
        return case

    def test_it_needs_a_decision_at_once_until_it_has_one(self, database: Database, case: CaseInSql) -> None:
        (need,) = needs(database)
        assert (need.kind, need.until) == (NeedKind.UNDECIDED, None)
        assert "confirm or dismiss" in need.says
        case.act(Dismiss.model_validate({"act": "dismiss", "reason": "It was a test."}), ROBIN)
        assert needs(database) == []

    def test_one_that_was_put_off_is_to_be_looked_at_again_at_its_moment(
        self, database: Database, case: CaseInSql
    ) -> None:
        act = {"act": "not-yet", "name": "confirmed", "decided": "Counsel, today.", "again_at": NOON + 5 * HOUR}
        case.act(NotYet.model_validate(act), ROBIN)
        (need,) = needs(database)
        assert need.until == NOON + 5 * HOUR


def test_who_reported_a_case_is_responsible_for_it_at_first(database: Database) -> None:
    have_account(database, ROBIN)
    with database.writing() as session:
        keep_agreement(session, TENNESSEE, NOON.date(), NOON)
    for actor, responsible in ((ROBIN, ROBIN), ("cli:ops", None)):
        report = incident(TENNESSEE.reference, confirmed=NOON)
        with database.writing() as session:
            case_id, _ = keep_intake(session, BREACH, report, str(uuid4()), actor=actor, now=NOON)
            account = assignments(session, [case_id])[case_id].in_charge()
        assert (account.name if account else None) == responsible


def test_one_statement_serves_every_database_and_every_reader_of_its_sort(
    database: Database, postgresql_url: str, keyring: Keyring
) -> None:
    other = Database(postgresql_url, keyring)
    other.migrate()
    for one in (database, other):
        for name in (ROBIN, KIM):
            have_account(one, name)
        assert [kinds(one, name, own=True) for name in (ROBIN, KIM)] == [[], []]
    confirmed(other).act(Assign(responsible=ROBIN), "dana")
    confirmed(database).act(Assign(responsible=KIM), "dana")
    drafts = [NeedKind.DRAFTS]
    for _ in range(2):
        assert [kinds(database, name, own=True) for name in (ROBIN, KIM)] == [[], drafts]
        assert [kinds(other, name, own=True) for name in (ROBIN, KIM)] == [drafts, []]
    late = needs(other, ROBIN, NOON + 73 * HOUR)
    assert ([need.overdue for need in late], [need.overdue for need in needs(other, ROBIN)]) == ([True], [False])
    other.close()


def test_what_is_needed_is_found_without_a_look_at_every_open_case_or_running_duty(database: Database) -> None:
    confirmed(database)
    asked: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    assert kinds(database) == [NeedKind.DRAFTS]
    whole = re.compile(
        r"SCAN (duty|duenotice_case|notice|delivery|batch|holder_task|postal_letter)$"
        r"|duenotice_case_open|duty_status_due"
    )
    with database.engine.connect() as connection:
        for words, given in [one for one in asked if "UNION ALL" in one[0]]:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", given)]
            assert [step for step in plan if whole.search(step)] == []
            own = {"duty_internal", "duty_needed", "duty_reopened", "postal_letter_waits"}
            assert own <= set(re.findall(r"INDEX (\w+)", "\n".join(plan)))


def test_on_postgresql_the_same_is_needed_of_the_same_people(postgresql_url: str, keyring: Keyring) -> None:
    database = Database(postgresql_url, keyring)
    database.migrate()
    for name in (ROBIN, KIM):
        have_account(database, name)
    case = confirmed(database, TENNESSEE, MASSACHUSETTS)
    case.act(Assign(responsible=ROBIN, deputy=KIM), "dana")
    act = {"clause": NOTICE, "ground": "no_student_data", "reason": "Nothing of theirs was stored."}
    case.act(Propose.model_validate(act), ROBIN)
    question = ask(case)
    change(database, Case, undecided=True)
    everything = [NeedKind.QUESTIONS, NeedKind.UNDECIDED, NeedKind.DRAFTS, NeedKind.OWN_PROPOSAL]
    assert kinds(database, ROBIN, own=True) == everything
    assert kinds(database, KIM, own=True) == [NeedKind.PROPOSAL]
    assert needs(database, None, own=True) == []
    answer(case, question)
    assert len(hand_over(case)) == 1
    case.now += 71 * HOUR
    case.send_what_leaves(lambda _: Rejected(550, "No such user"))
    assert NeedKind.FAILING_CONTACTS in kinds(database, now=case.now)
    change(database, Batch, status=BatchStatus.SENDING, trouble=MailServerUnavailable.code, trouble_since=NOON)
    change(database, Case, trouble=WORKFLOW_STUCK, trouble_since=NOON)
    assert {NeedKind.MAIL, NeedKind.STUCK} <= set(kinds(database, now=case.now))
    database.close()


def test_an_answer_that_came_back_leaves_its_question_open_again(database: Database) -> None:
    case = confirmed(database)
    question = ask(case)
    answer(case, question)
    hand_over(case)
    assert NeedKind.QUESTIONS not in kinds(database)
    with database.reading() as session:
        letter_id = session.exec(select(Letter.id)).one()
    come_back(case, letter_id)
    assert NeedKind.QUESTIONS in kinds(database)
    with database.reading() as session:
        assert session.get_one(Letter, letter_id).status is DeliveryStatus.BOUNCED
    assert len(evidence(database, "mail_bounced")) == 1
