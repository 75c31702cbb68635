"""An officer tells the other side of an agreement that a duty is overdue: whom, what the letter says, and that it
performs nothing; and what is none to tell of.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from cases.acts import ConfirmDone, Hold, Lift, Release, TellOverdue, Withhold
from cases.breach import BREACH
from cases.values import AgreementName, KeptText
from config.database import Database
from mail.handover import Accepted, DeliveryDeferred, MailServerUnavailable, OutcomeUnknown, Rejected
from models.enums import ContactRole, DeliveryStatus, DutyStatus, HolderStatus, Party, Verdict
from models.errors import DuenoticeError, InvalidInput, Refused
from models.tables import AgreementContact, Duty, EvidenceEntry, Letter
from queries.duties import EVERY_DUTY, duties_of
from queries.evidence import read_message
from queries.previews import preview_overdue
from queries.views import DutyView, OverdueLetterView
from records.letters import take_up
from tests.support.accounts import have_account
from tests.support.case_in_sql import SECOND_PERSON, WRITER, CaseInSql, Place, open_in_sql, record_done
from tests.support.directives import BACKUP, HOSTING, ILLINOIS, REQUEST, VERIFICATION, DirectiveInSql, open_directive
from tests.support.letters import come_back, hand_over

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WORDS = "One processor's tapes come back on July 9. We expect to confirm by July 10."
LOST = OutcomeUnknown("lost", next_step="")
FULL = DeliveryDeferred("full", next_step="")
REFUSES = Rejected(550, "No such user")


def telling(clause: str = REQUEST, place: Place = ILLINOIS, text: str = WORDS) -> TellOverdue:
    return TellOverdue.model_validate({"clause": clause, "agreement": place.reference, "text": text})


@pytest.fixture
def case(database: Database) -> DirectiveInSql:
    """A directive of which one of two subprocessors has not confirmed; its 30 days ended on July 1."""
    case = open_directive(database, HOSTING, BACKUP)
    case.write()
    case.answer(HOSTING)
    case.now += 32 * DAY
    case.compute()
    return case


def view(case: CaseInSql, clause: str = REQUEST) -> DutyView:
    with case.database.reading() as session:
        return next(duty for duty in duties_of(session, case.id, EVERY_DUTY, case.now) if duty.clause == clause)


def told(case: CaseInSql) -> list[OverdueLetterView]:
    return list(view(case).overdue_letters)


def statuses(case: CaseInSql) -> list[DeliveryStatus]:
    return [letter.status for letter in told(case)]


def evidence(database: Database, kind: str) -> list[EvidenceEntry]:
    with database.reading() as session:
        return list(session.exec(select(EvidenceEntry).where(EvidenceEntry.kind == kind)))


def read(letter: str) -> EmailMessage:
    message = message_from_string(letter, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def words_of(letter: str) -> str:
    """What a letter says, each run of white space as one blank."""
    body = read(letter).get_body(("plain",))
    assert isinstance(body, EmailMessage)
    return " ".join(body.get_content().split())


def add_contact(case: CaseInSql, name: str, role: ContactRole, *, rank: int = 0) -> UUID:
    contact = AgreementContact(
        id=uuid4(),
        agreement_id=ILLINOIS.agreement,
        role=role,
        rank=rank,
        name=name,
        email=f"{name}@example.org".lower(),
    )
    with case.database.writing() as session:
        session.add(contact)
        return contact.id


def perform(case: DirectiveInSql) -> None:
    """Who was awaited confirms, and then the provider."""
    case.answer(BACKUP)
    case.write()
    case.answer("provider")


def refuses(case: CaseInSql, act: TellOverdue | None = None) -> str:
    """Why telling of it is refused; nothing of it is kept."""
    with pytest.raises((Refused, InvalidInput)) as refused:
        case.act(act or telling())
    assert refused.value.next_step
    with case.database.reading() as session:
        assert session.exec(select(Letter.id)).all() == []
    assert evidence(case.database, "act.tell-overdue") == []
    return refused.value.message


class TestTheLetter:
    def test_says_what_is_overdue_as_what_it_is(self, case: DirectiveInSql) -> None:
        case.act(telling(), "robin")
        (letter,) = hand_over(case)
        message, says = read(letter), words_of(letter)
        assert message["To"] == "Office <office@example.org>"
        assert message["Reply-To"] == "Sam Lee <security@acme.example.com>"
        assert message["Subject"].startswith("A duty towards you is overdue: District")
        for sentence in (
            "We owe you the duty below.",
            "It has not been performed, so it is overdue.",
            "It was due on Wednesday, July 1, 2026, 11:59:59 PM CDT.",
            f"Duty: {case.due_date(REQUEST).title}",
            "item 8",
            "30 calendar days",
            "It does not perform the duty, and it changes no due date",
            "Besides us, 2 holders of the data were asked, and we still wait for 1 of them to confirm.",
            WORDS,
            "Replies to this message go to Sam Lee.",
        ):
            assert sentence in says, sentence

    def test_names_no_holder_and_nothing_that_is_ours_alone(self, case: DirectiveInSql) -> None:
        case.act(telling(), "robin")
        (letter,) = hand_over(case)
        for hidden in (HOSTING, BACKUP, "robin", REQUEST, "disposal_requested"):
            assert hidden not in words_of(letter), hidden

    def test_performs_nothing_and_moves_no_date(self, case: DirectiveInSql) -> None:
        before = case.duty(REQUEST)
        case.act(telling())
        hand_over(case)
        case.compute()
        after = case.duty(REQUEST)
        assert (after.status, after.due_at, after.verdict) == (DutyStatus.RUNNING, before.due_at, None)
        assert evidence(case.database, "notice_given") == []
        assert view(case).overdue

    def test_stands_with_the_duty_and_in_evidence(self, case: DirectiveInSql) -> None:
        case.act(telling(), "robin")
        (letter,) = hand_over(case)
        (shown,) = told(case)
        assert (shown.written_by, shown.status, shown.text) == ("robin", "accepted", WORDS)
        (act,), (entry,) = (evidence(case.database, kind) for kind in ("act.tell-overdue", "overdue_told"))
        assert (act.actor, act.body["particulars"]["duty"]) == ("robin", str(case.duty(REQUEST).id))
        assert (entry.subject, entry.body["outcome"], entry.body["code"]) == (
            act.body["particulars"]["duty"],
            "accepted",
            250,
        )
        assert entry.artifacts == [shown.message_sha256]
        assert read_message(case.database, case.id, entry.artifacts[0]).decode() == letter
        assert WORDS not in str([act.body, entry.body])
        assert "office" not in str([act.body, entry.body]).lower()

    def test_is_shown_before_as_it_is_sent(self, case: DirectiveInSql) -> None:
        act = telling()
        with case.database.reading() as session:
            shown = preview_overdue(session, WRITER, case.id, act, case.now)
        case.act(act)
        (letter,) = hand_over(case)
        assert " ".join(shown.text.split()) == words_of(letter)
        assert (shown.to, shown.copies) == ("Office <office@example.org>", ())

    def test_goes_to_those_that_the_clause_names_with_one_message_for_the_copies(self, case: DirectiveInSql) -> None:
        add_contact(case, "Counsel", ContactRole.COPY_TO)
        add_contact(case, "Security", ContactRole.SECURITY)
        case.act(telling())
        letters = hand_over(case)
        assert len(letters) == 3
        assert len(set(letters)) == 1, "one message for all of them"
        assert read(letters[0])["Cc"].count("@") == 2
        assert told(case)[0].contact_name == "Office"
        assert {entry.body["is_copy"] for entry in evidence(case.database, "overdue_told")} == {True, False}

    def test_counts_nobody_who_need_not_answer_any_more(self, case: DirectiveInSql) -> None:
        case.answer(BACKUP)
        case.act(telling())
        (letter,) = hand_over(case)
        now_ours = "2 holders of the data were asked, and we now have only our own confirmation to give."
        assert now_ours in words_of(letter)

    def test_about_a_notice_says_what_it_still_lacks(self, case: DirectiveInSql) -> None:
        case.act(telling(VERIFICATION))
        (letter,) = hand_over(case)
        assert "The duty is performed by a notice to you, which has not been given." in words_of(letter)
        assert "this is still missing: - Written confirmation" in words_of(letter)


class TestItsDelivery:
    def test_that_is_refused_is_the_next_contact_s_turn(self, case: DirectiveInSql) -> None:
        add_contact(case, "Deputy", ContactRole.GENERAL, rank=1)
        case.act(telling())
        hand_over(case, REFUSES)
        (letter,) = hand_over(case)
        assert read(letter)["To"] == "Deputy <deputy@example.org>"
        assert sorted(statuses(case)) == ["accepted", "rejected"]

    def test_that_everybody_refuses_says_so_and_the_same_words_can_be_told_again(self, case: DirectiveInSql) -> None:
        case.act(telling())
        hand_over(case, REFUSES)
        assert hand_over(case) == []
        assert statuses(case) == ["rejected"]
        case.act(telling())
        assert len(hand_over(case)) == 1

    @pytest.mark.parametrize("says", [FULL, MailServerUnavailable("down")])
    def test_that_is_put_off_is_tried_again_as_it_was_and_leaves_no_evidence_of_a_send(
        self, case: DirectiveInSql, says: Any
    ) -> None:
        case.act(telling())
        (before,) = hand_over(case, says)
        assert evidence(case.database, "overdue_told") == []
        assert hand_over(case) == [], "not at once"
        case.now += HOUR
        assert hand_over(case, Accepted(250, "ok")) == [before]

    def test_of_which_nobody_knows_is_sent_again_a_few_times_and_never_without_end(self, case: DirectiveInSql) -> None:
        case.act(telling())
        (first,) = hand_over(case, LOST, resends=1)
        case.now += HOUR
        assert hand_over(case, LOST, resends=1) == [first]
        case.now += DAY
        assert hand_over(case) == []
        assert statuses(case) == ["unknown"]
        assert [entry.body["outcome"] for entry in evidence(case.database, "overdue_told")] == ["unknown"] * 2


class TestWhatIsNoneToTellOf:
    def test_what_is_not_overdue_yet(self, case: DirectiveInSql) -> None:
        case.now = view(case).due_at or case.now
        assert refuses(case) == "This duty is not due before Thu 2 Jul 2026, 04:59:59 UTC."

    def test_what_has_been_performed(self, case: DirectiveInSql) -> None:
        perform(case)
        assert case.duty(REQUEST).verdict is Verdict.LATE
        assert refuses(case) == "This duty has been performed."

    @pytest.mark.parametrize(
        ("status", "says"),
        [
            (DutyStatus.CANCELLED, "This duty is not owed any more."),
            (DutyStatus.NOT_REQUIRED, "Two people decided that this duty is not required."),
            (DutyStatus.SUSPENDED, "The clock of this duty stands still."),
            (DutyStatus.PENDING, "The clock of this duty has not started."),
            (DutyStatus.ELAPSED, "The time of this duty ran out, and nobody had to do anything."),
        ],
    )
    def test_whose_clock_does_not_run(self, case: DirectiveInSql, status: DutyStatus, says: str) -> None:
        with case.database.writing() as session:
            session.get_one(Duty, case.duty(REQUEST).id).status = status
        assert refuses(case) == says

    def test_what_the_other_side_owes_us(self, database: Database) -> None:
        case = open_directive(database, HOSTING, side=Party.LEA)
        case.now += 40 * DAY
        assert refuses(case) == "We do not owe this duty to the other side of the agreement."

    def test_what_the_case_does_not_owe(self, case: DirectiveInSql) -> None:
        assert refuses(case, telling("breach.notice")).startswith("This case has no duty under breach.notice")
        assert refuses(case, telling(place=Place("ndpa-v1", "MO"))).startswith("Agreement ndpa-v1 MO")

    def test_where_nobody_may_be_told(self, case: DirectiveInSql) -> None:
        with case.database.writing() as session:
            for contact in session.exec(select(AgreementContact)):
                contact.rank = -1
        assert "names no contact" in refuses(case)

    def test_what_was_told_in_these_very_words(self, case: DirectiveInSql) -> None:
        case.act(telling())
        with pytest.raises(Refused, match="in these very words"):
            case.act(telling())
        case.now += DAY
        case.act(telling(text="The tapes are here. We confirm tomorrow."))
        assert len(hand_over(case)) == 2, "the same duty may be told of again, with new words"

    def test_the_same_act_is_recorded_once(self, case: DirectiveInSql) -> None:
        act_id = uuid4()
        case.act(telling(), act_id=act_id)
        case.act(telling(), act_id=act_id)
        assert len(hand_over(case)) == 1

    def test_no_words(self) -> None:
        with pytest.raises(ValueError, match="it is empty"):
            telling(text=" ")


class TestWhatIsKeptBack:
    """Whoever reads of a duty reads of its matter: no letter goes around a hold, a withholding, or a notice's draft."""

    @pytest.fixture
    def breach(self, database: Database) -> CaseInSql:
        """A confirmed breach of one agreement, whose notice is overdue and waits for a person."""
        confirmed = datetime(2026, 3, 2, 15, tzinfo=UTC)
        case = open_in_sql(database, BREACH, [ILLINOIS], confirmed, {"occurred": confirmed, "confirmed": confirmed})
        case.compute()
        case.now += 80 * HOUR
        return case

    def test_a_draft_that_waits_is_released_instead(self, breach: CaseInSql) -> None:
        says = "The notice that performs this duty is drafted and waits for release."
        assert refuses(breach, telling("breach.notice")) == says

    def test_what_is_withheld(self, breach: CaseInSql) -> None:
        breach.act(Withhold(reason=KeptText.model_validate("A court decides."), clause="breach.notice"))
        assert refuses(breach, telling("breach.notice")).startswith("A notice to the other side is withheld")

    def test_what_law_enforcement_asked_to_hold_back(self, case: DirectiveInSql) -> None:
        given: dict[str, object] = {"particulars": "Agency, 12/34", "begins_at": case.now - HOUR}
        hold = case.act(Hold.model_validate(given))
        assert hold
        assert refuses(case).startswith("A law-enforcement hold is in place")
        case.act(Lift(hold_id=hold))
        case.act(telling())

    def test_a_hold_that_comes_before_it_leaves_keeps_the_letter_back(self, case: DirectiveInSql) -> None:
        case.act(telling())
        hand_over(case, MailServerUnavailable("down"))
        case.act(Hold.model_validate({"particulars": "Agency, 12/34", "begins_at": case.now - HOUR}))
        case.now += HOUR
        assert hand_over(case) == []
        assert statuses(case) == ["dropped"]

    def test_once_the_notice_was_released_and_given_it_is_performed(self, breach: CaseInSql) -> None:
        breach.act(Release(clause="breach.notice", unread=True))
        breach.send_what_leaves()
        assert refuses(breach, telling("breach.notice")) == "This duty has been performed."


class TestPerformedMeanwhile:
    """Nothing tells of what is overdue once it is not."""

    @pytest.mark.parametrize("before", [None, FULL, MailServerUnavailable("down")])
    def test_a_letter_that_has_not_left_does_not_leave(self, case: DirectiveInSql, before: Any) -> None:
        case.act(telling())
        if before:
            hand_over(case, before)
        case.now += HOUR
        perform(case)
        assert hand_over(case) == []
        assert statuses(case) == ["dropped"]
        (entry,) = evidence(case.database, "overdue_letter_dropped")
        assert entry.body["status"] == "performed"
        assert evidence(case.database, "overdue_told") == []

    def test_one_that_may_have_arrived_is_not_sent_again_and_stays_unknown(self, case: DirectiveInSql) -> None:
        case.act(telling())
        hand_over(case, LOST, resends=3)
        case.now += HOUR
        perform(case)
        assert hand_over(case) == []
        assert statuses(case) == ["unknown"]
        assert evidence(case.database, "overdue_letter_dropped") == []

    def test_one_whose_sending_was_broken_off_is_in_evidence_as_unknown(self, case: DirectiveInSql) -> None:
        case.act(telling())
        with case.database.writing() as session:
            take_up(session, WRITER, case.now, 10)  # and nothing more is heard of it
        case.now += HOUR
        perform(case)
        assert hand_over(case) == []
        assert statuses(case) == ["unknown"]
        (entry,) = evidence(case.database, "overdue_told")
        assert entry.body["outcome"] == "unknown"

    def test_performed_late_is_late_and_what_was_told_stays(self, case: DirectiveInSql) -> None:
        case.act(telling())
        hand_over(case)
        perform(case)
        done = view(case)
        assert (done.verdict, done.overdue, statuses(case)) == (Verdict.LATE, False, ["accepted"])

    def test_what_was_done_by_other_means_or_heard_by_an_officer_is_none_to_tell_of(self, database: Database) -> None:
        case = open_directive(database)
        case.write()
        case.now += 40 * DAY
        case.compute()
        have_account(database, SECOND_PERSON)
        record_done(case, VERIFICATION, ILLINOIS, done_at=case.now - HOUR)
        with pytest.raises(Refused, match="has been performed"):
            case.act(telling(VERIFICATION))
        case.act(ConfirmDone.model_validate(_own_word()))
        with pytest.raises(Refused, match="has been performed"):
            case.act(telling())


def _own_word() -> dict[str, object]:
    agreement = AgreementName.model_validate(ILLINOIS.reference)
    return {"clause": REQUEST, "agreement": agreement, "particulars": "It is gone."}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.none()),
        st.tuples(st.just("hand over"), st.sampled_from((Accepted(250, "ok"), LOST, FULL, REFUSES))),
        st.tuples(st.just("confirm"), st.sampled_from((HOSTING, BACKUP, "provider"))),
        st.tuples(st.just("wait"), st.sampled_from((HOUR, 16 * DAY))),
    ),
    min_size=4,
    max_size=9,
)


@pytest.mark.long
@settings(
    max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS)
def test_whatever_the_order_telling_performs_nothing_and_nothing_is_told_that_is_not_so(
    database: Database, steps: list[tuple[str, Any]]
) -> None:
    # Each example is about data of its own, since the database is that of all.
    of = open_directive(database, HOSTING, BACKUP, extent="partial", categories=str(uuid4()))
    of.write()
    due_at = of.duty(REQUEST).due_at
    assert due_at
    for what, how in steps:
        is_overdue = of.duty(REQUEST).status is DutyStatus.RUNNING and of.now > due_at
        with suppress(DuenoticeError):
            match what:
                case "tell":
                    of.act(telling(text=str(uuid4())))
                    assert is_overdue
                case "hand over":
                    assert is_overdue or hand_over(of, how) == []
                    hand_over(of, how)
                case "confirm":
                    of.write()
                    of.answer(how)
                case _:
                    of.now += how
        after = of.duty(REQUEST)
        confirmed = all(task.status is HolderStatus.CONFIRMED for task in of.tasks().values())
        assert (after.status is DutyStatus.PERFORMED) == confirmed, "each holder's word performs, and nothing else"
        assert after.due_at == due_at
    for letter in told(of):
        assert letter.written_at > due_at
        if letter.status is DeliveryStatus.ACCEPTED:
            assert letter.settled_at
            assert letter.settled_at > due_at


def test_one_that_comes_back_goes_to_the_next_contact_and_moves_no_duty(case: DirectiveInSql) -> None:
    add_contact(case, "Second", ContactRole.GENERAL, rank=1)
    case.act(telling())
    (first,) = hand_over(case)
    before = case.duty(REQUEST)
    with case.database.reading() as session:
        letter_id = session.exec(select(Letter.id)).one()
    come_back(case, letter_id)
    assert DeliveryStatus.BOUNCED in statuses(case)
    (second,) = hand_over(case)
    assert read(second)["To"] != read(first)["To"]
    after = case.duty(REQUEST)
    assert (after.status, after.due_at, after.verdict) == (before.status, before.due_at, before.verdict)
