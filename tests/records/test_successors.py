"""A change of control in SQL alone: whom it touches, what its assurance is worth, and what LEAs answer to it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from cases.acts import Approve, Learn, Propose, SetDate, TakeAct
from cases.rules import check
from cases.state import CaseState, NoticePolicy
from cases.successor import ASSURANCE, SUCCESSOR, AddAssurance, CallOff, RecordDecision
from cases.values import AgreementName
from config.database import Database
from ledger.artifacts import fetch
from models.defaults import Defaults
from models.enums import AnswerKind, DutyStatus, Party
from models.errors import InvalidFields, InvalidInput, Refused
from models.tables import Agreement, Case, Notice
from queries.cases import read_case_head
from queries.consequences import Foresight
from queries.doubts import doubts_of_act
from records.answers import read_answers, read_linked_notice
from records.documents import GENERAL, NewDocument, add_documents, read_lea_documents
from records.missing import missing_untold, note_missing_told
from records.need_sorts import NeedKind
from records.needs import Asking, NeedView, read_needs
from records.offers import note_silence
from records.restore import restore_state
from records.summary import summarise
from records.uploads import uploaded_file
from tests.support.accounts import have_account
from tests.support.case_in_sql import CATALOGUE, SECOND_PERSON, CaseInSql, Place
from tests.support.signed_pdfs import SIGNER, added_to, altered, plain_pdf, signed_pdf
from tests.support.successors import (
    CLOSING,
    ILLINOIS,
    NOTICE,
    NOW,
    OREGON,
    answer,
    evidence,
    keep_places,
    open_report,
    report,
    send_all,
)

DAY = timedelta(days=1)


@pytest.fixture
def places(database: Database) -> Database:
    keep_places(database, ILLINOIS, OREGON)
    return database


def end(database: Database, place: Place, on: date) -> None:
    with database.writing() as session:
        session.get_one(Agreement, place.agreement).terminated_on = on


def waits(case: CaseInSql) -> set[str]:
    return {element for duty in case.duties for element in duty.waits_for}


class TestWhomItTouches:
    def test_every_agreement_in_force_a_subscribing_lea_as_any_other(self, places: Database) -> None:
        with places.writing() as session:
            session.get_one(Agreement, OREGON.agreement).originally_signed_on = date(2024, 1, 12)
        case = open_report(places, report())
        assert {duty.agreement_id for duty in case.duties} == {ILLINOIS.agreement, OREGON.agreement}
        assert {duty.clause for duty in case.duties} == {NOTICE}

    def test_what_had_ended_or_had_not_begun_is_left_out_and_said_so(self, places: Database) -> None:
        late = Place("ndpa-v1", "MA")
        keep_places(places, late, executed=CLOSING + DAY)
        end(places, OREGON, CLOSING - DAY)
        case = open_report(places, report())
        assert {duty.agreement_id for duty in case.duties} == {ILLINOIS.agreement}
        said = read_case_head(places, case.id, NOW).shown["Left out"]
        assert said.splitlines() == [
            f"1 agreement that had ended before the closing: {OREGON.reference}.",
            f"1 agreement that began after the closing: {late.reference}.",
        ]

    def test_an_agreement_whose_term_had_run_out_by_its_clauses_is_left_out(self, places: Database) -> None:
        with places.writing() as session:
            session.get_one(Agreement, OREGON.agreement).term_ends_on = CLOSING - DAY
        assert {duty.agreement_id for duty in open_report(places, report()).duties} == {ILLINOIS.agreement}

    def test_what_ends_on_the_day_of_the_closing_is_told(self, places: Database) -> None:
        end(places, OREGON, CLOSING)
        assert len(open_report(places, report()).duties) == 2

    def test_before_it_is_recorded_the_same_is_said(self, places: Database) -> None:
        end(places, OREGON, CLOSING - DAY)
        intake = report(assurance=None)
        with places.reading() as session:
            foresight = Foresight(CATALOGUE, Defaults(), Party.PROVIDER, NoticePolicy(), NOW)
            foreseen = foresight.of_intake(session, SUCCESSOR, intake)
        assert (foreseen.agreements, len(foreseen.left_out)) == (1, 1)
        (line,) = foreseen.duties
        assert line.waits_for == ("Signed assurance that the successor assumes the obligations",)
        assert line.due_at

    @pytest.mark.parametrize(
        ("executed", "ended", "where", "says"),
        [
            (CLOSING + DAY, None, "closing", "is before agreement .* began"),
            (CLOSING - 400 * DAY, CLOSING - DAY, "agreements", "had ended before the closing"),
        ],
    )
    def test_an_agreement_that_is_named_and_cannot_be_meant_is_refused(
        self, database: Database, executed: date, ended: date | None, where: str, says: str
    ) -> None:
        keep_places(database, ILLINOIS, executed=executed)
        if ended:
            end(database, ILLINOIS, ended)
        with pytest.raises(InvalidFields, match=says) as refused:
            open_report(database, report(ILLINOIS.reference))
        assert [problem.where for problem in refused.value.problems] == [where]

    def test_a_closing_before_every_agreement_is_refused(self, places: Database) -> None:
        with pytest.raises(InvalidFields, match="No agreement on file was in force"):
            open_report(places, report(closing=date(2020, 1, 1)))

    def test_a_planned_closing_is_held_as_planned(self, places: Database) -> None:
        planned = NOW.date() + 30 * DAY
        case = open_report(places, report(closing=planned))
        assert {duty.status for duty in case.duties} == {DutyStatus.RUNNING}
        assert all(duty.due_at and duty.due_at.date() >= planned + 60 * DAY for duty in case.duties)


class TestACorrectedClosing:
    def doubted(self, case: CaseInSql, closing: date) -> list[tuple[str, str]]:
        act = SetDate.model_validate({"name": "closing", "first_day": closing, "reason": "By the deed."})
        with case.database.reading() as session:
            found = doubts_of_act(session, session.get_one(Case, case.id), act, NOW)
        return [(doubt.name, doubt.says) for doubt in found]

    def test_a_day_before_an_agreement_of_the_case_began_is_asked_about(self, places: Database) -> None:
        late = Place("ndpa-v1", "MA")
        keep_places(places, late, executed=CLOSING - DAY)
        case = open_report(places, report())
        assert self.doubted(case, CLOSING - DAY) == []
        assert self.doubted(case, CLOSING - 2 * DAY) == [
            ("closing not-in-force", f"Not in force on Sat 30 May 2026, and in the case: {late.reference}.")
        ]

    def test_a_day_on_which_others_had_begun_asks_to_add_them(self, places: Database) -> None:
        late = Place("ndpa-v1", "MA")
        keep_places(places, late, executed=CLOSING + DAY)
        case = open_report(places, report())
        assert self.doubted(case, CLOSING + DAY) == [
            ("closing not-in-the-case", f"In force on Tue 2 Jun 2026, and not in the case: {late.reference}.")
        ]

    def test_one_that_was_not_in_force_needs_no_notice_once_two_people_say_so(self, places: Database) -> None:
        have_account(places, SECOND_PERSON)
        case = open_report(places, report())
        named = (AgreementName.model_validate(OREGON.reference),)
        given = {"clause": NOTICE, "ground": "not_in_force", "agreements": named, "reason": "It began after the deed."}
        proposal = case.act(Propose.model_validate(given))
        assert proposal
        case.act(Approve(proposal_id=proposal), SECOND_PERSON)
        statuses = {duty.agreement_id: duty.status for duty in case.duties}
        assert statuses == {ILLINOIS.agreement: DutyStatus.RUNNING, OREGON.agreement: DutyStatus.NOT_REQUIRED}


class TestTheAssurance:
    def test_nothing_is_drafted_before_it_is_there(self, places: Database) -> None:
        case = open_report(places, report(assurance=None))
        assert waits(case) == {ASSURANCE}
        assert case.noticed() == set()
        case.now = NOW + 90 * DAY
        case.compute()
        case.send_what_leaves()
        assert {duty.status for duty in case.duties} == {DutyStatus.RUNNING}, "overdue, and never told without it"
        case.act(AddAssurance.model_validate({"assurance": signed_pdf()}))
        assert waits(case) == set()
        assert len(case.noticed()) == 2

    def test_while_it_is_missing_people_are_told_so_in_time_and_not_only_once_it_is_overdue(
        self, places: Database
    ) -> None:
        case = open_report(places, report(assurance=None))
        starts = datetime.combine(CLOSING, time(), ZoneInfo("America/Chicago"))
        due = case.duties[0].due_at
        assert due

        def told(part: float, *, early: timedelta = timedelta()) -> list[tuple[int, bool, int]]:
            with places.writing() as session:
                found = missing_untold(session, (0.5, 0.9), starts + (due - starts) * part - early, 10)
                for missing in found:
                    note_missing_told(session, missing)
                return [(missing.step, missing.last, len(missing.duties)) for missing in found]

        assert told(0.5, early=timedelta(seconds=1)) == []
        assert told(0.5) == [(1, False, 2)]
        assert told(0.89) == []
        assert told(0.95) == [(2, True, 2)]
        assert told(0.99) == []
        (need,) = self.needed(places)
        assert (need.kind, need.until, need.link) == (NeedKind.MISSING, due, f"/cases/{case.id}#duties")
        case.act(AddAssurance.model_validate({"assurance": signed_pdf()}))
        assert NeedKind.MISSING not in [need.kind for need in self.needed(places)]
        assert told(0.99) == []

    @staticmethod
    def needed(database: Database) -> tuple[NeedView, ...]:
        return read_needs(database, Asking("cli:ops"), NOW, offset=0, limit=10)[0]

    def test_what_is_found_of_its_signature_is_kept_and_shown(self, places: Database) -> None:
        case = open_report(places, report())
        shown = read_case_head(places, case.id, NOW).shown["Signature of the assurance"]
        assert SIGNER in shown
        assert "intact and covers the whole document" in shown
        assert "was not established" in shown
        (entry,) = evidence(places, "signatures_examined")
        assert entry.body["integrity"] == "intact"
        assert SIGNER not in str(entry.body)
        with places.reading() as session:
            assert SIGNER.encode() in fetch(session, entry.artifacts[0])

    def test_what_was_added_to_after_it_was_signed_says_so(self, places: Database) -> None:
        case = open_report(places, report(assurance=added_to(signed_pdf())))
        assert (
            "does NOT cover the whole document"
            in read_case_head(places, case.id, NOW).shown["Signature of the assurance"]
        )

    def test_without_a_digital_signature_an_officer_attests_who_signed(self, places: Database) -> None:
        with pytest.raises(InvalidFields, match="nobody is named who signed it"):
            open_report(places, report(assurance=plain_pdf()))
        case = open_report(places, report(assurance=plain_pdf(), signed_by="Kim Example, President"))
        shown = read_case_head(places, case.id, NOW).shown["Signature of the assurance"]
        assert shown.splitlines() == [
            "It carries no digital signature.",
            "officer attests who signed it: Kim Example, President",
        ]

    @pytest.mark.parametrize("pdf", [altered(signed_pdf()), b"We assume the obligations.", b"%PDF-1.7 broken"])
    def test_a_broken_one_and_what_is_no_pdf_are_refused_and_nothing_is_kept(
        self, places: Database, pdf: bytes
    ) -> None:
        with pytest.raises(InvalidFields) as refused:
            open_report(places, report(assurance=pdf))
        assert [problem.where for problem in refused.value.problems] == ["assurance"]
        case = open_report(places, report(assurance=None))
        with pytest.raises(InvalidInput):
            case.act(AddAssurance.model_validate({"assurance": pdf, "signed_by": "Kim Example"}))
        assert evidence(places, "document_added", "signatures_examined") == []

    def test_nobody_tells_or_adds_it_past_its_own_act(self, places: Database) -> None:
        state = CaseState(anchors={}, computed=1)
        learn = Learn.model_validate({"element": ASSURANCE, "value": "It is signed."})
        told = TakeAct(act=learn, actor="x", act_id=uuid4())
        with pytest.raises(Refused, match="an act of its own"):
            check(SUCCESSOR, told, state, NOW)
        case = open_report(places, report(assurance=None))
        file = uploaded_file("assurance.pdf", plain_pdf())
        with pytest.raises(InvalidFields, match="an act of its own"):
            add_documents(places, case.id, [NewDocument(file, ASSURANCE, None)], actor="officer", now=NOW)
        add_documents(places, case.id, [NewDocument(file, GENERAL, None)], actor="officer", now=NOW)
        case.compute()
        assert waits(case) == {ASSURANCE}


class TestTheAnswers:
    @pytest.fixture
    def told(self, places: Database) -> CaseInSql:
        case = open_report(places, report())
        send_all(case)
        assert {duty.status for duty in case.duties} == {DutyStatus.PERFORMED}
        return case

    def test_each_form_offers_its_own_grounds(self, told: CaseInSql) -> None:
        with told.database.reading() as session:
            notices = session.exec(select(Notice.id).where(Notice.case_id == told.id)).all()
        offers = [read_linked_notice(told.database, notice).offer for notice in notices]
        grounds = {tuple(offer.reasons) for offer in offers if offer}
        assert grounds == {("disapproves",), ("cannot_uphold", "would_violate")}

    def test_no_objection_ends_nothing(self, told: CaseInSql) -> None:
        answer(told, ILLINOIS.reference, AnswerKind.NO_OBJECTION)
        found = read_answers(told.database, told.id)
        assert (found.offering, found.no_objections, found.unanswered, found.exercised) == (2, 1, 1, ())
        assert evidence(told.database, "agreement_changed") == []
        (entry,) = evidence(told.database, "no_objection")
        assert entry.body["agreement_id"] == str(ILLINOIS.agreement)

    def test_a_termination_ends_the_agreement_on_that_day_once(self, told: CaseInSql) -> None:
        for _ in range(2):
            answer(told, OREGON.reference, AnswerKind.TERMINATES, "would_violate")
        with told.database.reading() as session:
            ended = session.get_one(Agreement, OREGON.agreement)
            assert ended.terminated_on == told.now.astimezone(ZoneInfo(ended.time_zone)).date()
            assert session.get_one(Agreement, ILLINOIS.agreement).terminated_on is None
        (entry,) = evidence(told.database, "termination_declared")
        assert entry.body["ground"] == "would_violate"
        assert len(evidence(told.database, "agreement_changed")) == 1
        (declared,) = read_answers(told.database, told.id).exercised
        assert declared.ground == "A contract with the successor would violate our policies, or state or federal law."

    def test_whoever_did_not_object_can_still_terminate(self, told: CaseInSql) -> None:
        answer(told, ILLINOIS.reference, AnswerKind.NO_OBJECTION)
        answer(told, ILLINOIS.reference, AnswerKind.TERMINATES, "disapproves")
        found = read_answers(told.database, told.id)
        assert (found.no_objections, len(found.exercised)) == (0, 1)

    def test_that_it_arrived_is_no_answer(self, told: CaseInSql) -> None:
        answer(told, ILLINOIS.reference, AnswerKind.ACKNOWLEDGED)
        with told.database.reading() as session:
            assert summarise(session, told.id).unacknowledged == 2

    def test_what_was_heard_otherwise_reads_as_what_it_is(self, told: CaseInSql) -> None:
        told.act(heard(OREGON, "terminates", ground="cannot_uphold"))
        (ended,) = read_answers(told.database, told.id).exercised
        assert (ended.recorded_by, ended.name, ended.text) == ("officer", None, "The superintendent, by telephone.")
        with told.database.reading() as session:
            assert session.get_one(Agreement, OREGON.agreement).terminated_on
        with pytest.raises(Refused, match="answered so already"):
            told.act(heard(OREGON, "terminates", ground="cannot_uphold"))

    def test_what_was_heard_has_effect_from_the_day_that_was_said_and_none_before_the_notice(
        self, told: CaseInSql
    ) -> None:
        given = told.now.astimezone(ZoneInfo("America/Chicago")).date()
        with pytest.raises(InvalidInput, match="It can have effect from"):
            told.act(heard(OREGON, "terminates", ground="cannot_uphold", on=given - DAY))
        told.act(heard(OREGON, "terminates", ground="cannot_uphold", on=given + 30 * DAY))
        with told.database.reading() as session:
            assert session.get_one(Agreement, OREGON.agreement).terminated_on == given + 30 * DAY

    def test_a_ground_of_another_form_is_refused(self, told: CaseInSql) -> None:
        with pytest.raises(InvalidInput, match="know no ground") as refused:
            told.act(heard(OREGON, "terminates", ground="disapproves"))
        assert refused.value.next_step == "They know cannot_uphold, would_violate."

    def test_whom_nobody_told_has_answered_nothing(self, places: Database) -> None:
        case = open_report(places, report())
        with pytest.raises(Refused, match="was not told in this case yet"):
            case.act(heard(OREGON, "no-objection"))

    def test_silence_is_noted_at_its_end_once_and_is_no_answer(self, told: CaseInSql) -> None:
        answer(told, ILLINOIS.reference, AnswerKind.NO_OBJECTION)
        for days, noted in ((30, 0), (0, 1), (0, 0)):
            with told.database.writing() as session:
                at = told.now + 30 * DAY - (timedelta(seconds=1) if days else timedelta())
                assert note_silence(session, told.id, 30, at) == noted
        (entry,) = evidence(told.database, "silence_noted")
        assert entry.body == {"days": 30, "default": "answer_days"}
        found = read_answers(told.database, told.id)
        assert (found.silent, found.no_objections, found.unanswered) == (1, 1, 1)
        answer(told, OREGON.reference, AnswerKind.NO_OBJECTION)
        assert read_answers(told.database, told.id).silent == 0, "who answers late is heard all the same"

    def test_a_workflow_that_was_lost_knows_when_silence_is_to_be_noted(self, told: CaseInSql) -> None:
        answer(told, ILLINOIS.reference, AnswerKind.NO_OBJECTION)
        with told.database.reading() as session:
            (moment,) = restore_state(session, told.id, told.policy).chases
        assert timedelta() <= moment - (told.now + 30 * DAY) <= timedelta(minutes=1)

    def test_the_assurance_is_behind_the_link(self, told: CaseInSql) -> None:
        with told.database.reading() as session:
            notices = session.exec(select(Notice.id).where(Notice.case_id == told.id)).all()
        for notice in notices:
            linked = read_linked_notice(told.database, notice)
            assert [each.element for each in read_lea_documents(told.database, CATALOGUE, linked)] == [ASSURANCE]

    def test_calling_it_off_tells_those_that_were_told(self, told: CaseInSql) -> None:
        told.act(CallOff.model_validate({"reason": "The regulator forbade it."}))
        with told.database.reading() as session:
            kinds = session.exec(select(Notice.kind).where(Notice.case_id == told.id)).all()
        assert sorted(kinds) == ["dismissal", "dismissal", "notice", "notice"]


def heard(place: Place, what: str, **given: object) -> RecordDecision:
    particulars = "The superintendent, by telephone."
    return RecordDecision.model_validate(
        {"agreement": place.reference, "answer": what, "particulars": particulars, **given}
    )


@pytest.mark.parametrize(("what", "given"), [("terminates", {}), ("no-objection", {"ground": "disapproves"})])
def test_an_answer_has_a_ground_where_it_ends_the_agreement_and_only_there(what: str, given: dict[str, object]) -> None:
    message = TakeAct(act=heard(ILLINOIS, what, **given), actor="x", act_id=uuid4())
    with pytest.raises(InvalidInput) as refused:
        check(SUCCESSOR, message, CaseState(anchors={}, computed=1), NOW)
    assert refused.value.where == "ground"


def test_a_signatory_without_an_assurance_is_refused() -> None:
    problems = list(report("IL-001", assurance=None, signed_by="Kim Example").problems(NOW))
    assert [problem.where for problem in problems] == ["signed_by"]
