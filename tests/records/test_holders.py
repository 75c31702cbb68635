"""The holders of data: who is asked, when each is reminded, what an answer brings about, and what stops it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader
from sqlmodel import select

from agreements.legal_holds import lift_legal_hold, place_legal_hold
from cases.acts import ConfirmDone
from cases.certificate import Declined, HoldsNothing, MoreTime
from cases.disposition import AcceptAnswer, AddHolder, Extend, ProposeWaiver, RefuseAnswer, Restored, RevokeLink
from cases.values import AgreementName, KeptText
from config.database import Database
from ledger.artifacts import fetch
from mail.holder_links import digest_of, holder_token
from models.enums import DutyStatus, HolderAnswerKind, HolderMail, HolderStatus, Verdict
from models.errors import DuenoticeError, NotFound, Refused
from models.tables import CaseDocument, EvidenceEntry
from records.holder_links import read_linked_task
from records.need_sorts import NeedKind
from records.needs import Asking, read_needs
from tests.support.case_in_sql import WRITER, Place
from tests.support.directives import (
    BACKUP,
    HOSTING,
    ILLINOIS,
    REQUEST,
    VERIFICATION,
    DirectiveInSql,
    certificate,
    leads_to,
    open_directive,
    text_of,
    token_in,
)

PROVIDER = "provider"
DAY = timedelta(days=1)
SAM = {"name": "Sam Example", "title": "Head of operations", "attested": True}


def text(says: str) -> KeptText:
    return KeptText.model_validate(says)


def asked(database: Database) -> DirectiveInSql:
    """A directive of which two subprocessors were asked."""
    case = open_directive(database, HOSTING, BACKUP)
    assert case.written() == {HOSTING: HolderMail.ASKED, BACKUP: HolderMail.ASKED}
    return case


def refused(case: DirectiveInSql, holder: str, error: type[DuenoticeError] = Refused) -> str:
    with pytest.raises(error) as caught:
        case.answer(holder)
    return caught.value.message


def test_the_duty_is_performed_by_the_provider_s_word_once_every_subprocessor_has_confirmed(database: Database) -> None:
    case = asked(database)
    case.now += DAY
    case.answer(HOSTING)
    assert case.written() == {}, "the provider's turn has not come"
    case.answer(BACKUP)
    assert case.duty(REQUEST).status is DutyStatus.RUNNING, "their words alone perform nothing"
    assert case.written() == {"Acme": HolderMail.ASKED}
    assert case.duty(VERIFICATION).waits_for == ["disposition_confirmation"]
    case.answer(PROVIDER)
    assert (case.duty(REQUEST).status, case.duty(REQUEST).verdict) == (DutyStatus.PERFORMED, Verdict.ON_TIME)
    assert case.duty(VERIFICATION).id in case.noticed(), "the letter is drafted, with the confirmation behind its link"


def test_the_provider_s_link_takes_nothing_before_the_others_have_answered(database: Database) -> None:
    case = asked(database)
    with case.database.writing() as session:
        task = session.merge(case.tasks()[PROVIDER])
        task.link_digest = digest_of(holder_token(WRITER.link_key, task.id, 1))
        task.link_expires_at = case.now + DAY
    assert "2 subprocessors" in refused(case, PROVIDER)


def test_what_an_officer_heard_counts_as_what_it_is(database: Database) -> None:
    case = asked(database)
    for holder in (HOSTING, BACKUP, None):
        case.act(
            ConfirmDone(
                clause=REQUEST,
                agreement=AgreementName.model_validate(ILLINOIS.reference),
                holder=holder,
                particulars=text("All copies were overwritten."),
            )
        )
    assert case.duty(REQUEST).status is DutyStatus.PERFORMED
    assert set(map(case.status, (HOSTING, BACKUP, PROVIDER))) == {HolderStatus.CONFIRMED}


def test_each_holder_is_reminded_at_parts_of_its_time_and_at_its_end_and_the_provider_told_who_is_missing(
    database: Database,
) -> None:
    case = asked(database)
    due_at = case.duty(REQUEST).due_at
    assert due_at
    case.answer(BACKUP)
    reminded = []
    while moments := [task.again_at for task in case.tasks().values() if task.again_at]:
        case.now = min(moments)
        for letter in case.write():
            reminded.append((letter.why, round((due_at - case.now) / DAY)))
            assert leads_to(case, letter) if letter.why is HolderMail.REMINDED else HOSTING in text_of(letter)
    steps = [15, 8, 3, 1, 0]
    assert [days for why, days in reminded if why is HolderMail.REMINDED] == steps
    assert [days for why, days in reminded if why is HolderMail.OTHERS_MISSING] == steps
    assert case.duty(REQUEST).status is DutyStatus.RUNNING, "no mail disposes of data"


def test_a_holder_is_excused_by_two_persons_and_the_confirmation_says_so(database: Database) -> None:
    case = asked(database)
    case.answer(HOSTING)
    case.act(ProposeWaiver(holder=BACKUP, reason=text("The company was wound up.")))
    with pytest.raises(Refused, match="proposed already"):
        case.act(ProposeWaiver(holder=BACKUP, reason=text("Again.")))
    with pytest.raises(Refused, match="never waived"):
        case.act(ProposeWaiver(holder=PROVIDER, reason=text("We are busy.")))
    assert case.status(BACKUP) is HolderStatus.OPEN, "one person alone excuses nobody"


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (HolderAnswerKind.HOLDS_NOTHING, HoldsNothing.model_validate({**SAM, "why": "Never stored."})),
        (
            HolderAnswerKind.MORE_TIME,
            MoreTime.model_validate({**SAM, "why": "Tapes.", "until": date(2026, 9, 1)}),
        ),
        (HolderAnswerKind.DECLINED, Declined.model_validate({**SAM, "why": "We keep it."})),
    ],
)
def test_whatever_is_no_certificate_waits_for_an_officer(
    database: Database, kind: HolderAnswerKind, says: HoldsNothing | MoreTime | Declined
) -> None:
    case = asked(database)
    case.answer(HOSTING, says, kind)
    assert case.status(HOSTING) is HolderStatus.ANSWERED
    needs, _ = read_needs(database, Asking(None), case.now, offset=0, limit=10)
    assert [need.kind for need in needs] == [NeedKind.HOLDER_ANSWERS]
    accept = AcceptAnswer(holder=HOSTING, reason=text("As agreed."))
    if kind is HolderAnswerKind.DECLINED:
        with pytest.raises(Refused, match="not accepted by one person"):
            case.act(accept)
    else:
        case.act(accept)
        settled = kind is HolderAnswerKind.HOLDS_NOTHING
        assert case.status(HOSTING) is (HolderStatus.HOLDS_NOTHING if settled else HolderStatus.OPEN)


def reminded_on(case: DirectiveInSql, holder: str) -> list[date]:
    """The days on which a holder is reminded from now on."""
    days = []
    while (task := case.tasks()[holder]).again_at:
        case.now = task.again_at
        days += [case.now.date() for letter in case.write() if letter.holder == holder]
    return days


def test_time_that_was_granted_moves_the_holder_s_reminders_and_nothing_else(database: Database) -> None:
    case = asked(database)
    due_at = case.duty(REQUEST).due_at
    case.now += DAY
    more = MoreTime.model_validate({**SAM, "why": "Tapes.", "until": date(2026, 9, 1)})
    case.answer(HOSTING, more, HolderAnswerKind.MORE_TIME)
    assert case.tasks()[HOSTING].again_at is None, "who has asked is not reminded before that is decided"
    case.act(AcceptAnswer(holder=HOSTING, reason=text("Their tapes come back in August.")))
    assert case.written() == {HOSTING: HolderMail.MOVED}
    granted = case.tasks()[HOSTING].due_at
    assert (granted, case.tasks()[BACKUP].due_at, case.duty(REQUEST).due_at) == (
        datetime(2026, 9, 2, 4, 59, 59, tzinfo=UTC), due_at, due_at,
    )  # fmt: skip
    days = reminded_on(case, HOSTING)
    assert days == [date(2026, 7, 17), date(2026, 8, 10), date(2026, 8, 23), date(2026, 9, 1), date(2026, 9, 2)]
    assert case.duty(REQUEST).status is DutyStatus.RUNNING
    case.raise_overdue()
    assert case.duty(REQUEST).escalated_at, "the duty itself is due when it was"


def test_a_request_for_time_that_was_refused_moves_nothing(database: Database) -> None:
    case = asked(database)
    before = case.tasks()[HOSTING].due_at
    more = MoreTime.model_validate({**SAM, "why": "Tapes.", "until": date(2026, 9, 1)})
    case.answer(HOSTING, more, HolderAnswerKind.MORE_TIME)
    case.act(RefuseAnswer(holder=HOSTING, reason=text("The day is the agreement's.")))
    assert case.written() == {HOSTING: HolderMail.REFUSED}
    assert case.tasks()[HOSTING].due_at == before


def test_an_extension_moves_the_reminders_of_every_holder(database: Database) -> None:
    case = open_directive(database, HOSTING, schedule="by-date", directed=date(2026, 6, 20))
    case.write()
    first = case.tasks()[HOSTING].again_at
    case.act(Extend(directed=date(2026, 7, 20), agreed_by=text("Office."), reason=text("The move takes longer.")))
    assert case.written() == {HOSTING: HolderMail.MOVED}
    moved = case.tasks()[HOSTING].again_at
    assert first
    assert moved
    assert moved > first
    assert len(reminded_on(case, HOSTING)) == 5


def test_a_refused_answer_is_asked_again_with_the_reason(database: Database) -> None:
    case = asked(database)
    case.answer(HOSTING, Declined.model_validate({**SAM, "why": "No."}), HolderAnswerKind.DECLINED)
    case.act(RefuseAnswer(holder=HOSTING, reason=text("Section 7 of your contract asks for it.")))
    (letter,) = case.write()
    assert letter.why is HolderMail.REFUSED
    assert "Section 7 of your contract" in text_of(letter)
    assert case.write() == []
    case.answer(HOSTING)
    assert case.status(HOSTING) is HolderStatus.CONFIRMED


def test_backups_keep_a_duty_open_until_they_expire(database: Database) -> None:
    case = open_directive(database)
    case.write()
    case.answer(PROVIDER, certificate(case.now.date(), backups="Weekly tapes", backups_expire_on=date(2026, 8, 1)))
    assert case.statuses()["disposition.backups"] is DutyStatus.RUNNING
    case.now = case.now.replace(month=8, day=3)
    case.compute()
    assert case.statuses()["disposition.backups"] is DutyStatus.ELAPSED


def test_a_restore_asks_the_holder_and_the_provider_again_and_is_due_anew(database: Database) -> None:
    case = asked(database)
    for holder in (HOSTING, BACKUP):
        case.answer(holder)
    case.write()
    case.answer(PROVIDER)
    performed = case.duty(REQUEST).performed_at
    case.now += DAY
    case.act(Restored(holder=HOSTING, restored_at=case.now, particulars=text("The tape of May was read back.")))
    assert case.written() == {HOSTING: HolderMail.ASKED}
    again = case.duty("disposition.restored")
    assert (again.status, again.due_at) == (DutyStatus.RUNNING, case.now + DAY)
    case.answer(HOSTING)
    case.write()
    case.answer(PROVIDER)
    assert case.duty("disposition.restored").status is DutyStatus.PERFORMED
    assert case.duty(REQUEST).performed_at == performed, "what was performed stays as it was"


def test_a_legal_hold_stops_the_disposal_and_its_end_takes_it_up_again(database: Database) -> None:
    case = asked(database)
    hold, touched = place_legal_hold(database, agreement=None, reason="A suit.", actor="counsel", now=case.now)
    assert touched == (case.id,)
    case.compute()
    assert case.written() == {HOSTING: HolderMail.STOPPED, BACKUP: HolderMail.STOPPED}
    assert "legal hold keeps this data" in refused(case, HOSTING)
    case.now += DAY
    assert case.write() == []
    lift_legal_hold(database, hold, reason="It is settled.", actor="counsel", now=case.now)
    assert case.written() == {HOSTING: HolderMail.RESUMED, BACKUP: HolderMail.RESUMED}
    case.answer(HOSTING)
    assert case.status(HOSTING) is HolderStatus.CONFIRMED


def test_a_holder_that_turns_up_later_is_asked_as_well(database: Database) -> None:
    case = open_directive(database, HOSTING)
    case.write()
    case.act(AddHolder(contact=text("Late LLC <late@example.org>"), data=text("Logs")))
    assert case.written() == {"Late LLC": HolderMail.ASKED}
    case.answer(HOSTING)
    assert "provider" not in case.written()


class TestTheLink:
    def test_it_stands_in_no_table_and_in_no_evidence(self, database: Database) -> None:
        case = open_directive(database, HOSTING)
        (letter,) = case.write()
        with database.reading() as session:
            evidence = session.exec(select(EvidenceEntry)).all()
        kept = "".join(str(entry.body) for entry in evidence) + str(case.tasks()[HOSTING])
        assert token_in(letter) not in kept
        assert HOSTING not in kept

    def test_a_changed_one_leads_nowhere(self, database: Database) -> None:
        case = open_directive(database, HOSTING)
        token = token_in(case.write()[0])
        for other in (token[:-1] + ("A" if token[-1] != "A" else "B"), token + "A", token.lower(), ""):
            with pytest.raises(NotFound):
                read_linked_task(database, digest_of(other), case.now)

    def test_it_expires(self, database: Database) -> None:
        case = open_directive(database, HOSTING)
        case.write()
        expires_at = case.tasks()[HOSTING].link_expires_at
        assert expires_at
        case.now = expires_at
        assert "expired" in refused(case, HOSTING, NotFound)

    def test_a_revoked_one_leads_nowhere_and_another_is_sent(self, database: Database) -> None:
        case = open_directive(database, HOSTING)
        (first,) = case.write()
        case.act(RevokeLink(holder=HOSTING, reason=text("It went astray.")))
        with pytest.raises(NotFound):
            read_linked_task(database, digest_of(token_in(first)), case.now)
        (second,) = case.write()
        assert leads_to(case, second)
        assert not leads_to(case, first)

    def test_an_answer_is_taken_once_and_the_second_try_is_in_evidence(self, database: Database) -> None:
        case = open_directive(database, HOSTING)
        case.write()
        case.answer(HOSTING)
        assert "answered already" in refused(case, HOSTING)
        with database.reading() as session:
            kinds = [entry.kind for entry in session.exec(select(EvidenceEntry))]
        assert kinds.count("holder_answered") == 1
        assert kinds.count("holder_refused") == 1


def test_the_confirmation_is_a_pdf_that_says_what_each_holder_said(database: Database) -> None:
    case = asked(database)
    case.answer(HOSTING, certificate(case.now.date(), data="Rosters *and* #grades"))
    case.answer(
        BACKUP,
        HoldsNothing.model_validate({**SAM, "why": "Tapes rotate."}),
        HolderAnswerKind.HOLDS_NOTHING,
    )
    case.act(AcceptAnswer(holder=BACKUP, reason=text("Seen.")))
    case.write()
    case.answer(PROVIDER)
    with database.reading() as session:
        document = session.exec(select(CaseDocument)).one()
        pdf = PdfReader(BytesIO(fetch(session, document.content_sha256)))
    said = " ".join("".join(page.extract_text() for page in pdf.pages).split())
    for words in ("Rosters *and* #grades", HOSTING, "by its own link", BACKUP, "holds none of the data", "Kim Example"):
        assert words in said
    assert list(pdf.attachments) == ["verification.json"]
    assert "Standard NIST SP 800-88 Rev. 2 Confirmed" in said
    assert "Signed by Sam Example Title" in said
    assert "Method Purge" in said
    assert "Done by Kim Example Done on June 1, 2026 Verified Read back" in said
    assert "Your" not in said, "that asks somebody else"


def test_the_confirmation_names_the_standard_that_the_agreement_names(database: Database) -> None:
    case = open_directive(database, place=Place("ndpa-v1", "NH"))
    case.write()
    case.answer(PROVIDER)
    with database.reading() as session:
        document = session.exec(select(CaseDocument)).one()
        pdf = PdfReader(BytesIO(fetch(session, document.content_sha256)))
    said = " ".join("".join(page.extract_text() for page in pdf.pages).split())
    assert "NIST SP 800-88 Rev. 2; the agreement names NIST SP 800-88 Revision 1" in said
