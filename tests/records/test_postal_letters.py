"""Notices that no e-mail can bring: letters that people post, and what their word performs under each agreement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from sqlalchemy import text
from sqlmodel import col, select

from activities.postal_letters import bring_up_to_date, write_letters_anew, write_letters_left
from agreements.importing import import_agreements
from cases.acts import Hold, Learn, NotPosted, Posted
from cases.breach import BREACH, Dismiss
from cases.state import NoticePolicy
from config.database import Database
from config.keyring import Keyring
from ledger.artifacts import fetch, store
from ledger.verify import verify_ledger
from mail.handover import Rejected
from mail.reports import Report
from models.enums import (
    TOO_LATE,
    ContactRole,
    DeliveryStatus,
    DutyStatus,
    NoticeKind,
    PostalService,
    ReportKind,
    Verdict,
    WrittenAnew,
)
from models.errors import DuenoticeError, IntegrityError, InvalidInput, NotFound, Refused
from models.tables import (
    AgreementContact,
    CaseDocument,
    Delivery,
    EvidenceEntry,
    Notice,
    PostalLetter,
)
from queries.duties import EVERY_DUTY, read_duties
from queries.postal_letters import gives_notice, letters_posted, letters_to_post
from records.batches import take_up_undelivered
from records.bounces import CameBack, record_report
from records.cases import close_case
from records.deliveries import Answer
from records.needs import Asking, NeedView, read_needs
from records.postal_letters import take_effect, takes_effect
from records.printing import print_letters
from terms.catalogue import load_catalogue
from terms.clauses import ByPost
from terms.effective import effective_terms
from tests.support.case_in_sql import QUEUED, WRITER, CaseInSql, Place, open_in_sql
from tests.support.signed_pdfs import plain_pdf

NOW = datetime(2026, 11, 2, 15, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTICE = "breach.notice"
TENNESSEE, ILLINOIS, OREGON = Place("ndpa-v1", "TN"), Place("ndpa-v1", "IL"), Place("ndpa-v2", "OR")
SCHOOL = "100 School Street\nNashville, TN 37201"
COUNSEL = "counsel@example.org"
REFUSED = Rejected(550, "5.1.1 No such user")
FIRST_CLASS = PostalService.FIRST_CLASS
CHICAGO = ZoneInfo("America/Chicago")


def a_breach(
    database: Database, place: Place = TENNESSEE, *, email: bool = True, address: str | None = SCHOOL, counsel: str = ""
) -> CaseInSql:
    """A confirmed breach whose notice leaves at once, to an office with these addresses."""
    case = open_in_sql(database, BREACH, [place], NOW, {"confirmed": NOW})
    case.policy = NoticePolicy(release="immediate")
    with database.writing() as session:
        contacts = session.exec(select(AgreementContact).where(AgreementContact.agreement_id == place.agreement)).all()
        for contact in contacts:
            is_office = contact.role is ContactRole.GENERAL
            contact.rank = 0 if is_office else -1
            contact.email, contact.failing_since = "office@example.org" if email else "", None
            contact.postal_address = address
            session.add(contact)
        if counsel:
            named = AgreementContact(
                id=uuid4(), agreement_id=place.agreement, role=ContactRole.COPY_TO, name="Counsel", email=counsel
            )
            session.add(named)
    case.compute()
    return case


def a_contact(place: Place, email: str) -> AgreementContact:
    """A second general contact of the district."""
    general = ContactRole.GENERAL
    return AgreementContact(id=uuid4(), agreement_id=place.agreement, role=general, rank=1, name="Deputy", email=email)


def name_another(case: CaseInSql, place: Place, email: str) -> None:
    """Name a further contact, and let the notice be taken up again, as the case's computation does."""
    with case.database.writing() as session:
        session.add(a_contact(place, email))
        session.flush()
        take_up_undelivered(session, case.id, case.now)


def leave(case: CaseInSql, answer: Answer = REFUSED, times: int = 1) -> None:
    """Send what leaves by now, each to the same answer, and write as letters what no mail can bring."""
    for _ in range(times):
        case.send_what_leaves(lambda _: answer)
    write_letters_left(case.database, WRITER, case.now)


def letters(case: CaseInSql) -> Sequence[PostalLetter]:
    with case.database.reading() as session:
        return session.exec(select(PostalLetter).where(PostalLetter.case_id == case.id)).all()


def letter(case: CaseInSql) -> PostalLetter:
    (found,) = letters(case)
    return found


def posted(case: CaseInSql, mailed_at: datetime | None = None, service: PostalService = FIRST_CLASS) -> Posted:
    said: dict[str, object] = {"service": service, "letter": letter(case).id, "mailed_at": mailed_at or case.now}
    return Posted.model_validate({**said, "tracking_number": "9400 1000 0000", "receipt": b"a receipt"})


def post(case: CaseInSql, mailed_at: datetime | None = None, service: PostalService = FIRST_CLASS) -> None:
    case.act(posted(case, mailed_at, service), "kim")


def take_back(case: CaseInSql) -> None:
    case.act(NotPosted.model_validate({"letter": letter(case).id, "reason": "It lay in the wrong tray."}), "kim")


def evidence(case: CaseInSql, *kinds: str) -> Sequence[EvidenceEntry]:
    with case.database.reading() as session:
        assert verify_ledger(session).sound
        return session.exec(
            select(EvidenceEntry)
            .where(EvidenceEntry.case_id == case.id, col(EvidenceEntry.kind).in_(kinds))
            .order_by(col(EvidenceEntry.number))
        ).all()


def verdict(case: CaseInSql) -> tuple[DutyStatus, Verdict | None]:
    duty = case.duty(NOTICE)
    return duty.status, duty.verdict


def due_at(case: CaseInSql) -> datetime:
    due = case.duty(NOTICE).due_at
    assert due is not None
    return due


def refusal(case: CaseInSql, act: Posted | NotPosted) -> DuenoticeError:
    with pytest.raises(DuenoticeError) as caught:
        case.act(act)
    return caught.value


def pdf_of(case: CaseInSql, sha256: str) -> bytes:
    with case.database.reading() as session:
        return fetch(session, sha256)


def said(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages).split())


def waiting(case: CaseInSql) -> int:
    return letters_to_post(case.database, case.now, case_id=case.id)[1]


RUNNING = (DutyStatus.RUNNING, None)
ON_TIME = (DutyStatus.PERFORMED, Verdict.ON_TIME_BY_POST)
LATE = (DutyStatus.PERFORMED, Verdict.LATE_BY_POST)


# When a letter is written


def test_where_every_contact_refuses_the_notice_becomes_a_letter_kept_by_its_hash(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    kept = letter(case)
    (made,) = evidence(case, "letter_made")
    assert made.artifacts == [kept.letter_sha256, kept.words_sha256]
    pdf = pdf_of(case, kept.letter_sha256)
    assert pdf.startswith(b"%PDF")
    assert "100 School Street" in said(pdf)
    assert f"District {TENNESSEE.reference}" in said(pdf)
    assert verdict(case) == RUNNING, "a letter that nobody posted gives nothing"
    assert "School Street" not in str([entry.body for entry in evidence(case, "letter_made", "delivery_rejected")])


def test_without_a_postal_address_there_is_no_letter(database: Database) -> None:
    case = a_breach(database, address=None)
    leave(case)
    assert letters(case) == []
    assert verdict(case) == RUNNING


def test_a_contact_without_an_e_mail_address_gets_a_letter_and_no_mail(database: Database) -> None:
    case = a_breach(database, email=False)
    leave(case, QUEUED)
    assert waiting(case) == 1
    with database.reading() as session:
        told = session.exec(select(Delivery).join(Notice).where(Notice.case_id == case.id)).all()
    assert told == []


def test_while_a_contact_is_left_no_letter_is_written(database: Database) -> None:
    case = a_breach(database)
    with database.writing() as session:
        session.add(a_contact(TENNESSEE, "deputy@example.org"))
    leave(case)
    assert letters(case) == []
    leave(case)
    assert waiting(case) == 1, "the letter goes to the one who has an address"
    leave(case)
    assert len(letters(case)) == 1, "and is written once"


def test_law_enforcement_that_holds_the_notice_back_holds_its_letter_back(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    held = {"particulars": "The county's sheriff asks for it.", "begins_at": case.now}
    case.act(Hold.model_validate(held))
    assert (case.duty(NOTICE).status, waiting(case)) == (DutyStatus.SUSPENDED, 0)


def test_a_letter_that_was_not_posted_is_written_anew_for_another_address(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    first = letter(case)
    for address in ("200 New Street | Nashville, TN 37202", "200 New Street | Nashville, TN 37202"):
        columns = "reference,form,lea_name,state,time_zone,executed_on,general_name,general_email,general_address"
        row = f"{TENNESSEE.reference},ndpa-v1,District,TN,America/Chicago,2025-01-12,Office,office@example.org"
        import_agreements(
            database,
            load_catalogue(),
            f'{columns}\n{row},"{address}"\n',
            file_name="one.csv",
            now=case.now,
            actor="officer",
        )
        write_letters_left(database, WRITER, case.now)
    (second,) = [one for one in letters(case) if one.replaced_at is None]
    assert len(letters(case)) == 2, "the same file again changes nothing"
    assert "200 New Street" in said(pdf_of(case, second.letter_sha256))
    assert waiting(case) == 1
    old = Posted.model_validate({"service": FIRST_CLASS, "letter": first.id, "mailed_at": case.now})
    assert "written anew since" in refusal(case, old).message


# What posting it performs


def test_a_letter_performs_the_duty_when_it_is_posted_on_its_posters_word(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    case.now += DAY
    post(case, case.now - HOUR)
    assert verdict(case) == ON_TIME
    assert case.duty(NOTICE).performed_at == case.now - HOUR
    (act,), (effect,) = evidence(case, "act.posted"), evidence(case, "letter_took_effect")
    assert act.actor == "kim"
    assert act.body["particulars"]["tracking_number"] == "9400 1000 0000"
    assert len(act.artifacts) == 2, "the letter and the receipt"
    assert effect.body["on_the_word_of"] == "kim"
    assert effect.body["duties"] == {str(case.duty(NOTICE).id): "on_time_by_post"}
    assert not evidence(case, "notice_given"), "the engine gave nothing"
    ((shown, *_), _) = read_duties(database, case.id, case.now, EVERY_DUTY, offset=0, limit=1)
    (notice,) = shown.notices
    assert notice.letter is not None
    assert (notice.letter.mailed_by, notice.letter.gave_notice, notice.vouched) == ("kim", True, False)


@pytest.mark.parametrize(
    ("after", "expected"),
    [(timedelta(), ON_TIME), (timedelta(seconds=1), LATE)],
    ids=["as it is due", "a second later"],
)
def test_late_mailing_is_late(database: Database, after: timedelta, expected: tuple[DutyStatus, Verdict]) -> None:
    case = a_breach(database, OREGON)
    leave(case)
    case.now = due_at(case) + DAY
    post(case, due_at(case) + after)
    assert verdict(case) == expected


def test_in_illinois_a_letter_takes_effect_four_days_after_its_mailing_and_not_before(database: Database) -> None:
    """Exhibit G Illinois, item 2; the days are those of the district's own calendar, to the end of the last."""
    case = a_breach(database, ILLINOIS)
    leave(case)
    case.now += HOUR
    post(case)
    effective = datetime(2026, 11, 6, 23, 59, 59, tzinfo=CHICAGO)
    assert letter(case).effective_at is not None
    assert letter(case).effective_at == pytest.approx(effective, abs=timedelta(seconds=1))
    assert (verdict(case), waiting(case)) == (RUNNING, 0)
    case.now = effective - DAY
    case.compute()
    assert verdict(case) == RUNNING
    case.now = effective + 2 * HOUR
    write_letters_left(database, WRITER, case.now)
    case.compute()
    assert verdict(case) == LATE, "72 hours were over"
    assert case.duty(NOTICE).performed_at == letter(case).effective_at


@pytest.mark.parametrize(
    ("posted_at", "last_day"),
    [
        (datetime(2026, 10, 29, 23, 30, tzinfo=CHICAGO), (11, 2)),
        (datetime(2026, 10, 30, 0, 30, tzinfo=CHICAGO), (11, 3)),
    ],
    ids=["before midnight", "after it"],
)
def test_the_days_are_calendar_days_also_where_clocks_change(posted_at: datetime, last_day: tuple[int, int]) -> None:
    act = Posted.model_validate({"service": FIRST_CLASS, "letter": uuid4(), "mailed_at": posted_at})
    found = takes_effect(ByPost(services=(FIRST_CLASS,), effective_after="4 days"), act, CHICAGO)
    assert found is not None
    local = found.astimezone(CHICAGO)
    assert ((local.month, local.day), local.hour) == (last_day, 23)


@pytest.mark.parametrize(
    ("place", "service"),
    [(TENNESSEE, PostalService.COURIER), (OREGON, PostalService.PRIORITY)],
    ids=["by courier", "by Priority Mail"],
)
def test_a_service_that_the_agreement_does_not_name_performs_nothing_by_itself(
    database: Database, place: Place, service: PostalService
) -> None:
    case = a_breach(database, place)
    leave(case)
    post(case, service=service)
    assert verdict(case) == RUNNING
    assert (letter(case).effective_at, waiting(case)) == (None, 0)
    assert not evidence(case, "letter_took_effect")


def test_an_agreement_that_names_no_post_lets_no_letter_give_a_notice() -> None:
    by_post = effective_terms(load_catalogue(), "ca-profile", "CA").by_post
    act = Posted.model_validate({"service": FIRST_CLASS, "letter": uuid4(), "mailed_at": NOW})
    assert by_post is None
    assert takes_effect(by_post, act, CHICAGO) is None
    assert "performs nothing by itself" in gives_notice(by_post)


def test_a_mail_that_is_taken_before_the_letter_takes_effect_gives_the_notice(database: Database) -> None:
    case = a_breach(database, ILLINOIS)
    leave(case)
    post(case)
    with database.writing() as session:
        second = AgreementContact(
            id=uuid4(),
            agreement_id=ILLINOIS.agreement,
            role=ContactRole.GENERAL,
            rank=1,
            name="New",
            email="n@example.org",
        )
        session.add(second)
        take_up_undelivered(session, case.id, case.now)  # as the case's computation does
    case.send_what_leaves(lambda _: QUEUED)
    assert case.duty(NOTICE).verdict is Verdict.ON_TIME
    case.now += 10 * DAY
    case.compute()
    assert case.duty(NOTICE).verdict is Verdict.ON_TIME
    (effect,) = evidence(case, "letter_took_effect")
    assert effect.body["duties"] == {}


def test_a_letter_counts_once_the_mail_that_had_given_the_notice_comes_back(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    post(case, service=PostalService.COURIER)
    with database.writing() as session:
        kept = session.exec(select(PostalLetter).where(PostalLetter.case_id == case.id)).one()
        kept.effective_at = case.now + 5 * DAY  # as an agreement's own change may have it
        session.add_all((kept, a_contact(TENNESSEE, "new@example.org")))
        session.flush()
        take_up_undelivered(session, case.id, case.now)
    case.send_what_leaves(lambda _: QUEUED)
    case.now += 10 * DAY
    case.compute()
    assert case.duty(NOTICE).verdict is Verdict.ON_TIME
    come_back(case, "new@example.org")
    case.compute()
    assert (verdict(case), case.duty(NOTICE).performed_at) == (LATE, letter(case).effective_at)


def come_back(case: CaseInSql, email: str) -> None:
    """The mail that a contact's server had taken comes back."""
    with case.database.writing() as session:
        found = session.exec(
            select(Delivery)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case.id, Delivery.status == DeliveryStatus.ACCEPTED)
        ).one()
        report = Report(ReportKind.FAILED, frozenset({email}), "5.1.1", "550 5.1.1 No such mailbox")
        record_report(session, CameBack(uuid4().hex, found.id, None, report, "file", b"a report"), case.now)


def test_who_was_told_by_a_letter_of_a_suspicion_that_was_dismissed_is_told_of_that(database: Database) -> None:
    case = a_breach(database, ILLINOIS)
    leave(case)
    post(case)
    case.act(Dismiss.model_validate({"reason": "It was a test account."}))
    with database.writing() as session:
        close_case(session, case.id, case.now)
    case.now += 10 * DAY
    write_letters_left(database, WRITER, case.now)
    case.compute()
    assert letter(case).took_effect_at is None or evidence(case, "letter_took_effect")
    assert len(evidence(case, "case_reopened")) == 1
    with database.reading() as session:
        kinds = session.exec(select(Notice.kind).where(Notice.case_id == case.id)).all()
    assert NoticeKind.DISMISSAL in kinds


# Taking it back, and what is refused


def test_what_was_posted_can_be_taken_back_and_is_owed_again(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    due = due_at(case)
    post(case)
    case.now += HOUR
    take_back(case)
    assert (verdict(case), case.duty(NOTICE).due_at, waiting(case)) == (RUNNING, due, 1)
    acts = evidence(case, "act.posted", "act.not-posted")
    assert [entry.kind for entry in acts] == ["act.posted", "act.not-posted"], "both records stay"
    taken_back = acts[1].body["particulars"]
    assert taken_back["duties"] == {str(case.duty(NOTICE).id): "on_time_by_post"}
    assert taken_back["on_the_word_of"] == "kim"
    case.now = due + HOUR
    post(case)
    assert verdict(case) == LATE


def test_a_closed_case_goes_on_when_a_mailing_is_taken_back(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    post(case)
    with database.writing() as session:
        close_case(session, case.id, case.now)
    take_back(case)
    assert verdict(case) == RUNNING
    assert len(evidence(case, "case_reopened")) == 1


def test_a_mailing_is_refused_that_cannot_be(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    early = refusal(case, posted(case, case.now - HOUR))
    assert (type(early), early.where) == (InvalidInput, "mailed_at")
    assert isinstance(refusal(case, posted(case).model_copy(update={"letter": uuid4()})), Refused)
    no_mailing = NotPosted.model_validate({"letter": letter(case).id, "reason": "Never posted."})
    assert isinstance(refusal(case, no_mailing), Refused)
    post(case)
    assert "recorded that this letter was posted" in refusal(case, posted(case)).message


@pytest.mark.parametrize("number", ["see the box in the office, Kim knows", "9", "1Z\n2"])
def test_a_tracking_number_is_no_place_for_words(number: str) -> None:
    with pytest.raises(ValueError, match="tracking_number"):
        Posted.model_validate(
            {"service": FIRST_CLASS, "letter": uuid4(), "mailed_at": NOW, "tracking_number": f"{number}@"}
        )


# What follows it


def test_what_is_learnt_after_the_letter_makes_a_further_one(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    post(case)
    assert case.duty(NOTICE).lacking
    case.act(Learn.model_validate({"element": "description", "value": "A server was open to the world."}))
    case.now += DAY
    leave(case)
    further = [one for one in letters(case) if one.mailed_at is None]
    assert len(further) == 1, "its contact still refuses mail"
    assert "Further information on our notice" in said(pdf_of(case, further[0].letter_sha256))


def test_documents_that_the_notice_gives_belong_into_the_envelope(database: Database) -> None:
    case = a_breach(database, ILLINOIS)
    with database.writing() as session:
        roster = store(session, plain_pdf("The students."), "application/pdf", case.now)
        table = store(session, b"student\n", "text/csv", case.now)
        for name, sha256, element in (("roster.pdf", roster, "students"), ("roster.csv", table, "students")):
            session.add(
                CaseDocument(
                    id=uuid4(),
                    case_id=case.id,
                    agreement_id=ILLINOIS.agreement,
                    element=element_of(case, element),
                    file_name=name,
                    content_sha256=sha256,
                    added_by="officer",
                    added_at=case.now,
                )
            )
    leave(case)
    assert letter(case).enclosed == [roster]
    assert "roster.pdf" in said(pdf_of(case, letter(case).letter_sha256))
    assert evidence(case, "letter_made")[0].artifacts == [letter(case).letter_sha256, letter(case).words_sha256, roster]
    with database.writing() as session:
        printed = print_letters(session, [letter(case).id], actor="kim", now=case.now)
    assert "The students." in said(printed)


def element_of(case: CaseInSql, begins: str) -> str:
    """The content element of the notice whose name begins so."""
    return next(element for element in case.due_date(NOTICE).contents if element.startswith(begins))


# More is learnt before it is posted


def learn(case: CaseInSql, says: str = "A server was open to the world.") -> None:
    case.act(Learn.model_validate({"element": "description", "value": says}))


def standing(case: CaseInSql) -> PostalLetter:
    (found,) = [one for one in letters(case) if one.replaced_at is None]
    return found


def print_out(case: CaseInSql) -> None:
    with case.database.writing() as session:
        print_letters(session, [standing(case).id], actor="kim", now=case.now)


def say_posted(case: CaseInSql, which: UUID, mailed_at: datetime | None = None) -> Posted:
    said: dict[str, object] = {"service": FIRST_CLASS, "letter": which, "mailed_at": mailed_at or case.now}
    return Posted.model_validate(said)


def test_a_letter_that_waits_is_written_anew_when_more_is_learnt_and_both_are_kept(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    first = letter(case)
    case.now += HOUR
    learn(case)
    write_letters_left(database, WRITER, case.now)
    second = standing(case)
    assert "A server was open to the world." in said(pdf_of(case, second.letter_sha256))
    assert "A server was open" not in said(pdf_of(case, first.letter_sha256)), "the first is kept as it was"
    old, new = evidence(case, "letter_made")
    assert (old.body.get("replaces"), new.body["replaces"]) == (None, str(first.id))
    assert "description" in new.body["given"]
    assert "description" not in old.body["given"]
    assert waiting(case) == 1
    assert (
        "written anew since, as what it says is no longer what is known"
        in refusal(case, say_posted(case, first.id)).message
    ), "nobody has it in hand"
    with database.writing() as session, pytest.raises(Refused, match="written anew"):
        print_letters(session, [first.id], actor="kim", now=case.now)


def test_a_letter_that_says_what_is_known_stays_whatever_day_it_is(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    for _ in range(3):
        case.now += DAY
        case.act(Learn.model_validate({"element": "no-such-element", "value": "Of no matter to this notice."}))
        write_letters_left(database, WRITER, case.now)
        write_letters_anew(database, WRITER, case.now, [letter(case).id])
    assert len(letters(case)) == 1


def test_what_is_printed_is_what_is_known_by_then(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    learn(case)
    bring_up_to_date(database, WRITER, [], case.now)
    with database.writing() as session:
        assert "A server was open to the world." in said(print_letters(session, [], actor="kim", now=case.now))


def test_a_printed_letter_that_was_written_anew_is_told_of_and_may_have_been_posted(database: Database) -> None:
    """Whoever has it in hand decides; what was posted gives what it says, and what it lacks follows."""
    case = a_breach(database)
    leave(case)
    print_out(case)
    case.now += HOUR
    learn(case)
    write_letters_left(database, WRITER, case.now)
    old = next(one for one in letters(case) if one.replaced_at)
    (new,) = evidence(case, "letter_made")[1:]
    assert new.body["printed_at"] == old.printed_at.isoformat().replace("+00:00", "Z") if old.printed_at else None
    ((shown,), _) = letters_to_post(database, case.now, case_id=case.id)
    assert [(one.id, one.printed_by) for one in shown.earlier] == [(old.id, "kim")]
    (need,) = (need for need in needs(case) if need.case_id == case.id and need.kind == "letters")
    assert "1 printed letter is not to be posted any more" in need.says

    case.act(say_posted(case, old.id), "kim")
    assert (standing(case).id, waiting(case)) == (old.id, 0)
    assert verdict(case) == ON_TIME
    assert "description" in case.duty(NOTICE).lacking, "what was posted did not say it"
    assert "another letter of the same notice" in refusal(case, say_posted(case, shown.id)).message
    case.now += DAY
    leave(case)
    (further,) = [one for one in letters(case) if one.mailed_at is None and one.replaced_at is None]
    assert "A server was open to the world." in said(pdf_of(case, further.letter_sha256))


def test_after_the_earlier_one_was_taken_back_the_letter_is_written_anew_again(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    print_out(case)
    first = standing(case).id
    learn(case)
    write_letters_left(database, WRITER, case.now + HOUR)
    case.act(say_posted(case, first), "kim")
    case.act(NotPosted.model_validate({"letter": first, "reason": "It came back out of the tray."}), "kim")
    write_letters_anew(database, WRITER, case.now + 2 * HOUR, [first])
    assert standing(case).id != first
    assert (waiting(case), verdict(case)) == (1, RUNNING)


@pytest.mark.parametrize("late", [False, True], ids=["before the address changed", "after"])
def test_a_printed_letter_to_a_former_address_counts_if_it_was_posted_before_that_changed(
    database: Database, *, late: bool
) -> None:
    case = a_breach(database)
    leave(case)
    print_out(case)
    first, case.now = letter(case).id, case.now + HOUR
    with database.writing() as session:
        kept = session.get_one(PostalLetter, first)
        kept.replaced_at, kept.replaced_for = case.now, WrittenAnew.ADDRESS
        session.add(kept)
    case.now += HOUR
    act = say_posted(case, first, case.now if late else case.now - 2 * HOUR)
    if late:
        assert "as it would go to another address" in refusal(case, act).message
    else:
        case.act(act)
        assert verdict(case) == ON_TIME


def test_a_letter_gives_what_it_says_whatever_a_mail_said_since(database: Database) -> None:
    case = a_breach(database, ILLINOIS)
    leave(case)
    post(case)
    learn(case)
    name_another(case, ILLINOIS, "new@example.org")
    leave(case)  # written anew as a mail, which says more, and is refused
    case.now += 10 * DAY
    case.compute()
    assert verdict(case) == LATE
    assert "description" in case.duty(NOTICE).lacking
    (effect,) = evidence(case, "letter_took_effect")
    assert "description" in effect.body["lacking"]


# What does not open


def damage(database: Database, letter_id: UUID) -> None:
    """Let the address of a letter be what was sealed for another place, as if somebody had moved it."""
    with database.writing() as session:
        key = {"key": letter_id.hex}
        session.execute(text("UPDATE postal_letter SET address = substr(address, 1, 20) WHERE id = :key"), key)


def test_a_letter_that_does_not_open_is_named_and_keeps_no_other_from_anything(database: Database) -> None:
    broken, whole = a_breach(database), a_breach(database, ILLINOIS)
    for case in (broken, whole):
        leave(case)
    damage(database, letter_id := ids(broken)[0])
    shown = {one.id: one for one in letters_to_post(database, NOW)[0]}
    assert shown[letter_id].unopened == f"postal_letter {letter_id}"
    assert shown[letter_id].address == ""
    assert shown[letter(whole).id].unopened is None
    assert shown[letter(whole).id].address == SCHOOL
    with database.writing() as session:
        assert "District ndpa-v1 IL" in said(print_letters(session, [], actor="kim", now=NOW))
    with database.writing() as session, pytest.raises(IntegrityError, match="does not open"):
        print_letters(session, [letter_id], actor="kim", now=NOW)
    bring_up_to_date(database, WRITER, [letter_id, letter(whole).id], NOW)
    post(whole)
    whole.now += 10 * DAY
    with database.writing() as session:
        session.execute(text("UPDATE postal_letter SET effective_at = made_at"))
    whole.compute()
    with database.writing() as session:
        take_effect(session, whole.now)
    assert verdict(whole)[0] is DutyStatus.PERFORMED
    ((duty, *_), _) = read_duties(database, broken.id, NOW, EVERY_DUTY, offset=0, limit=1)
    assert duty.notices[0].letter, "its case's page is shown"


def ids(case: CaseInSql) -> list[UUID]:
    with case.database.reading() as session:
        return list(session.exec(select(PostalLetter.id).where(PostalLetter.case_id == case.id)))


# Printing, and what needs people


def test_letters_are_printed_in_one_file_and_it_is_noted_who_did(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    with database.writing() as session:
        printed = print_letters(session, [letter(case).id], actor="kim", now=case.now)
    own = len(PdfReader(BytesIO(pdf_of(case, letter(case).letter_sha256))).pages)
    assert len(PdfReader(BytesIO(printed)).pages) == own
    (noted,) = evidence(case, "letter_printed")
    assert (noted.actor, letter(case).printed_by) == ("kim", "kim")
    post(case)
    with pytest.raises(NotFound, match="waits to be posted"), database.writing() as session:
        print_letters(session, [letter(case).id], actor="kim", now=case.now)


def test_a_letter_to_post_needs_people_until_its_due_instant_and_no_more_once_posted(database: Database) -> None:
    case = a_breach(database)
    leave(case)
    (need,) = (need for need in needs(case) if need.case_id == case.id and need.kind == "letters")
    assert need.says == "1 letter waits to be printed and posted, since no e-mail reaches the contacts."
    assert (need.until, need.link) == (due_at(case), f"/post?case={case.id}")
    post(case)
    assert not [need for need in needs(case) if need.kind == "letters" and need.case_id == case.id]
    assert letters_posted(database, case.now, case_id=case.id)[1] == 1


def needs(case: CaseInSql) -> Sequence[NeedView]:
    return read_needs(case.database, Asking("officer"), case.now, offset=0, limit=200)[0]


# Counsel


def test_where_no_contact_can_be_told_counsel_gets_a_copy_first_and_that_gives_nothing(database: Database) -> None:
    case = a_breach(database, OREGON, email=False, counsel=COUNSEL)
    leave(case, QUEUED)
    (copy,) = evidence(case, "copy_given")
    message = pdf_of(case, copy.artifacts[0]).decode()
    assert f"<{COUNSEL}>" in message.replace("\r\n", "")
    assert "You get this copy as counsel" in message
    assert verdict(case) == RUNNING, "a copy to counsel is no notice to the district"
    assert waiting(case) == 1
    assert "You get this copy as counsel" not in said(pdf_of(case, letter(case).letter_sha256))


def test_counsel_who_has_the_copy_that_the_terms_ask_for_gets_no_other(database: Database) -> None:
    case = a_breach(database, OREGON, counsel=COUNSEL)
    case.send_what_leaves(lambda mail: QUEUED if mail.copy else REFUSED)
    leave(case, QUEUED)
    assert len(evidence(case, "copy_given")) == 1
    assert waiting(case) == 1


def test_counsel_who_cannot_be_reached_holds_no_letter_up(database: Database) -> None:
    case = a_breach(database, OREGON, email=False, counsel=COUNSEL)
    leave(case, REFUSED)
    assert waiting(case) == 1
    assert verdict(case) == RUNNING


# Whatever the order


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([TENNESSEE, ILLINOIS]),
    st.lists(st.sampled_from(["post", "courier", "take back", "a day", "mail"]), min_size=3, max_size=6),
)
def test_in_whatever_order_a_duty_is_performed_by_what_brought_its_notice_and_by_nothing_else(
    database: Database, place: Place, steps: list[str]
) -> None:
    case = a_breach(database, place)
    leave(case)
    mailed: datetime | None = None
    for step in steps:
        match step:
            case "post" | "courier" if waiting(case):
                post(case, service=FIRST_CLASS if step == "post" else PostalService.COURIER)
            case "take back" if letter(case).mailed_at:
                take_back(case)
            case "mail" if case.duty(NOTICE).performed_at is None:
                mailed = case.now
                name_another(case, place, f"{uuid4()}@example.org")
                case.send_what_leaves(lambda _: QUEUED)
            case _:
                case.now += DAY
        case.compute()
        duty, effective_at = case.duty(NOTICE), letter(case).effective_at
        took_effect = effective_at is not None and effective_at <= case.now
        if duty.performed_at is None:
            assert (took_effect, mailed) == (False, None)
            continue
        by_post = duty.verdict in (Verdict.ON_TIME_BY_POST, Verdict.LATE_BY_POST)
        assert took_effect or not by_post
        assert duty.performed_at == (effective_at if by_post else mailed)
        assert (duty.verdict in TOO_LATE) == (duty.performed_at > due_at(case))
    assert len(letters(case)) == 1


def test_on_postgresql_a_letter_is_written_posted_and_taken_back_alike(postgresql_url: str, keyring: Keyring) -> None:
    database = Database(postgresql_url, keyring)
    database.migrate()
    case = a_breach(database, ILLINOIS)
    leave(case)
    assert [need.kind for need in needs(case) if need.kind == "letters"] == ["letters"]
    post(case)
    case.now += 5 * DAY
    case.compute()
    assert verdict(case) == LATE
    take_back(case)
    with database.writing() as session:
        assert print_letters(session, [], actor="kim", now=case.now).startswith(b"%PDF")
    database.close()
