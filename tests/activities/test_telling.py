"""Telling the people of the installation: whom a ladder reaches, by which ways, and what becomes of it is evidence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel import col, select, update
from temporalio.testing import ActivityEnvironment

from activities.letters import LetterSender
from activities.news import News
from activities.reminders import ReminderActivities
from activities.sending import MailSender
from activities.telling import Message, Telling
from cases.acts import AnswerQuestion, Assign, Propose
from cases.breach import BREACH
from cases.messages import RaiseOverdue, RemindOfficer
from config.database import Database
from config.keyring import Keyring
from mail.alerts import Alerts
from mail.facts import Mailbox
from mail.handover import MailServerUnavailable, Rejected
from mail.links import notice_link
from mail.people_mails import Decision
from mail.reports import Report
from mail.smtp_server import Security, SmtpServer
from mail.transport import SmtpTransport
from models.enums import AnswerKind, BatchStatus, DutyStatus, ReportKind, Role
from models.errors import ConfigurationError
from models.tables import Account, AgreementContact, Answer, Batch, Duty, EvidenceEntry, Notice
from people.accounts import add_account, disable
from records.answers import GivenAnswer, record_answers
from records.bounces import CameBack
from records.letters import settle_letter, take_up
from records.mail_state import resume
from records.responsible import Step
from records.sent_mail import MailToSend, begin_mail, record_mail_report, settle_mail
from tests.support.accounts import have_account
from tests.support.alert_receiver import AlertReceiver, alert_receiver
from tests.support.case_in_sql import QUEUED, WRITER, CaseInSql, Place, open_in_sql
from tests.support.mail_trouble import pause
from tests.support.patience import PATIENCE
from tests.support.scripted_server import ScriptedServer, scripted_server

NOON = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROBIN, KIM, OFFICE = "robin@provider.example.org", "kim@provider.example.org", "security@acme.example.com"
MANAGER = "alex@provider.example.org"


@pytest.fixture
def case(keyring: Keyring, tmp_path: Path) -> Iterator[CaseInSql]:
    """A case of Robin's, whose deputy is Kim, with a notice that waits."""
    database = Database(f"sqlite:///{tmp_path}/duenotice.sqlite3", keyring)
    database.migrate()
    for name in ("robin", "kim"):
        add_account(database, name, Role.OFFICER, email=f"{name}@provider.example.org", made_by="cli:someone", now=NOON)
    dates = dict.fromkeys(("occurred", "discovered", "confirmed"), NOON)
    case = open_in_sql(database, BREACH, [Place("ndpa-v1", "TN")], NOON, dates)
    case.compute()
    case.act(Assign(responsible="robin", deputy="kim"), "dana")
    yield case
    database.close()


@dataclass(frozen=True)
class Office:
    """The activities that tell people, with a mail server that does what a test says."""

    case: CaseInSql
    reminders: ReminderActivities
    server: ScriptedServer

    async def run(self, work: Callable[..., Awaitable[None]], *given: object) -> None:
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, started_time=self.case.now)
        await environment.run(work, *given)

    async def remind(self, fraction: float, *, last: bool = False) -> None:
        message = RemindOfficer(
            case_id=self.case.id, clause="breach.notice", due_at=NOON + 72 * HOUR, fraction=fraction, last=last
        )
        await self.run(self.reminders.remind_officer, message)

    @property
    def told(self) -> list[str]:
        return [str(message_from_bytes(raw, policy=default)["To"]).split("<")[-1].rstrip(">") for raw in self.mails]

    @property
    def mails(self) -> list[bytes]:
        return self.server.messages

    def text(self, number: int = 0) -> str:
        body = message_from_bytes(self.mails[number], policy=default).get_body(("plain",))
        assert body
        return str(body.get_content())

    def evidence(self, kind: str = "person_told") -> list[EvidenceEntry]:
        with self.case.database.reading() as session:
            wanted = select(EvidenceEntry).where(EvidenceEntry.kind == kind).order_by(col(EvidenceEntry.number))
            return list(session.exec(wanted))

    def outcomes(self) -> list[tuple[str, str, str]]:
        return [(entry.body["way"], entry.body["who"], entry.body["outcome"]) for entry in self.evidence()]


@asynccontextmanager
async def office(
    case: CaseInSql,
    *receivers: AlertReceiver,
    port: int | None = None,
    manager: Mailbox | None = None,
    **script: list[str | None],
) -> AsyncIterator[Office]:
    async with scripted_server(**script) as server:
        smtp = SmtpServer(
            host="127.0.0.1", port=port or server.port, security=Security.NONE, connections=1, timeout=PATIENCE
        )
        addresses = SecretStr(" ".join(receiver.url for receiver in receivers))
        async with SmtpTransport(smtp) as transport:
            alerts = Alerts(addresses)
            reminders = ReminderActivities(case.database, transport, WRITER, alerts, manager=manager)
            yield Office(case, reminders, server)


class TestTheLadder:
    @pytest.mark.parametrize(
        ("fraction", "last", "told"),
        [(0.5, False, [ROBIN]), (0.75, False, [ROBIN, KIM]), (0.9, True, [ROBIN, KIM, OFFICE])],
    )
    async def test_it_reaches_more_people_as_time_runs_out(
        self, case: CaseInSql, fraction: float, last: bool, told: list[str]
    ) -> None:
        async with office(case) as at:
            await at.remind(fraction, last=last)
            assert at.told == told

    async def test_its_last_step_reaches_the_manager_where_one_is_named(self, case: CaseInSql) -> None:
        async with office(case, manager=Mailbox(name="Alex Example", email=MANAGER)) as at:
            await at.remind(0.75)
            assert MANAGER not in at.told
            await at.remind(0.9, last=True)
            assert at.told[-1] == MANAGER
            assert ("mail", "manager", "accepted") in at.outcomes()

    async def test_its_last_step_reaches_the_organisation_whoever_is_away(self, case: CaseInSql) -> None:
        have_account(case.database, "dana", Role.ADMINISTRATOR)
        disable(case.database, "robin", actor="dana", now=NOON)
        async with office(case) as at:
            await at.remind(0.5)
            await at.remind(0.9, last=True)
            assert at.told == [KIM, KIM, OFFICE]

    async def test_a_mail_leads_to_the_drafts_and_lists_what_needs_its_reader_without_a_districts_link(
        self, case: CaseInSql
    ) -> None:
        async with office(case) as at:
            await at.remind(0.9, last=True)
            for number in range(2):
                assert f"{WRITER.public_url}/cases/{case.id}/drafts" in at.text(number)
            assert "Needs you (1):" in at.text(0)
            assert "1 notice waits for your release" in " ".join(at.text(0).split())
            assert "Needs you" not in at.text(1), "it is Robin's, and Kim is told all the same"

    async def test_a_link_of_a_districts_never_leaves_in_one(self, case: CaseInSql) -> None:
        with case.database.reading() as session:
            notice_id = session.exec(select(Notice.id)).one()
        link = notice_link(WRITER.public_url, WRITER.link_key, notice_id, 1)
        async with office(case) as at:
            facts = Decision(case_reference=link, asked=link)
            message = Message("key", "decision", facts, "/", case.id)
            await at.run(tell, at.reminders.telling, message)
            assert link.encode() not in at.mails[0].replace(b"=\r\n", b"")

    async def test_who_refuses_the_mail_was_not_told_and_the_organisation_is(self, case: CaseInSql) -> None:
        async with office(case, RCPT=["550 5.1.1 No such user"]) as at:
            await at.remind(0.5)
            assert at.told == [OFFICE]
            assert at.outcomes() == [("mail", "robin", "rejected"), ("mail", "organisation", "accepted")]
            assert len(at.evidence("reminder_sent")) == 1

    async def test_a_reminder_that_nobody_took_is_not_called_sent(self, case: CaseInSql) -> None:
        async with office(case, RCPT=["550 5.1.1 No such user"] * 2) as at:
            await at.remind(0.5)
            assert at.evidence("reminder_sent") == []

    async def test_an_attempt_after_a_deferral_tells_only_who_was_not_told(self, case: CaseInSql) -> None:
        async with office(case, RCPT=["250 Ok", "452 4.2.2 Mailbox full"]) as at:
            with pytest.raises(MailServerUnavailable):
                await at.remind(0.9, last=True)
            assert len(at.evidence("reminder_sent")) == 1
            await at.remind(0.9, last=True)
            assert at.told == [ROBIN, OFFICE, KIM]


async def tell(telling: Telling, message: Message) -> None:
    await telling.tell_of_case(message, Step.FIRST, NOON)


class TestAlerts:
    async def test_the_last_step_alerts_by_every_way_though_one_fails_and_says_nothing_personal(
        self, case: CaseInSql
    ) -> None:
        with alert_receiver(status=500) as broken, alert_receiver() as works:
            async with office(case, broken, works) as at:
                await at.remind(0.5)
                assert works.alerts == []
                await at.remind(0.9, last=True)
                await at.remind(0.9, last=True)
            (alert,) = works.alerts
            assert len(broken.alerts) == 2, "what failed is tried again"
        assert "1 notice waits for release, due by Thu 5 Mar 2026, 18:00 UTC" in alert
        assert f"{WRITER.public_url}/cases/{case.id}/drafts" in alert
        assert "District" not in alert
        assert "robin" not in alert
        assert [outcome for outcome in at.outcomes() if outcome[0] == "alert"] == [
            ("alert", "1 (json)", "failed"),
            ("alert", "2 (json)", "accepted"),
        ]
        assert "secret-token" not in str([entry.body for entry in at.evidence()])

    async def test_where_mail_fails_the_alert_says_so_at_any_step_and_mail_is_tried_again(
        self, case: CaseInSql
    ) -> None:
        with alert_receiver() as receiver:
            async with office(case, receiver, port=1) as at:
                for _ in range(2):
                    with pytest.raises(MailServerUnavailable):
                        await at.remind(0.5)
            (alert,) = receiver.alerts
        assert "No mail about it is known to have arrived." in alert
        assert at.outcomes().count(("mail", "robin", "failed")) == 1

    async def test_what_is_overdue_is_the_last_step_and_told_once_over_several_attempts(self, case: CaseInSql) -> None:
        with case.database.writing() as session:
            session.execute(update(Duty).values(due_at=NOON - HOUR, target_at=NOON - HOUR))
        with alert_receiver() as receiver:
            async with office(case, receiver) as at:
                await at.run(at.reminders.raise_overdue, RaiseOverdue(case_id=case.id))
                await at.run(at.reminders.raise_overdue, RaiseOverdue(case_id=case.id))
                assert at.told == [ROBIN, KIM, OFFICE]
                assert "Needs you" in at.text(0)
        (alert,) = receiver.alerts
        assert "1 duty overdue" in alert

    def test_an_address_that_apprise_cannot_use_is_refused_without_being_shown(self) -> None:
        with pytest.raises(ConfigurationError) as refused:
            Alerts(SecretStr("json://127.0.0.1/ok nonsense://token"))
        assert "address 2" in str(refused.value)
        assert "DUENOTICE_ALERT_URLS" in str(refused.value)
        assert "token" not in str(refused.value)


class TestInAPause:
    """Mail is paused, since many notices were refused alike: other mail waits too."""

    async def test_people_are_told_by_other_ways_at_once_and_by_mail_once_it_goes_on(self, case: CaseInSql) -> None:
        pause(case.database, NOON)
        with alert_receiver() as receiver:
            async with office(case, receiver) as at:
                with pytest.raises(MailServerUnavailable, match="Mail is paused"):
                    await at.remind(0.5)
                (alert,) = receiver.alerts
                assert "No mail about it is known to have arrived." in alert
                assert at.mails == []
                assert at.evidence("reminder_sent") == []
                with case.database.writing() as session:
                    resume(session, "dana", NOON)
                await at.remind(0.5)
                assert at.told == [ROBIN]
                assert len(receiver.alerts) == 1


class TestNews:
    """What the watchdog's sweep tells of besides stuck cases."""

    @pytest.mark.parametrize("ours", [False, True], ids=["a district's", "our own"])
    async def test_a_mail_that_came_back_is_told_once_and_one_to_our_own_people_by_other_ways_too(
        self, case: CaseInSql, ours: bool
    ) -> None:
        mail = MailToSend(
            uuid4(), "people/reminder" if ours else "reply", "gone@example.org", b"Hello", case.id, who="robin"
        )
        mail = mail if ours else replace(mail, who=None)
        with case.database.writing() as session:
            begin_mail(session, mail, NOON, HOUR)
            settle_mail(session, mail, QUEUED, NOON)
            gone = Report(ReportKind.FAILED, status="5.1.1", says="550 5.1.1 <gone@example.org> is no user")
            record_mail_report(session, CameBack("one", mail.id, 1, gone, "imap", b"It came back."), NOON)
        with alert_receiver() as receiver:
            async with office(case, receiver) as at:
                for _ in range(2):
                    await self.sweep(at)
                assert at.told == [OFFICE if ours else ROBIN]
                text = " ".join(at.text().split())
                assert "550 5.1.1 <[address removed]> is no user" in text
                assert "#came-back" in text
                assert len(receiver.alerts) == (1 if ours else 0)

    async def sweep(self, at: Office) -> None:
        await at.run(News(at.case.database, at.reminders.telling).tell, at.case.now, at.case.now)

    async def test_what_is_missing_is_told_at_each_step_of_its_time_and_of_many_cases_at_once(
        self, case: CaseInSql
    ) -> None:
        waiting = {"status": DutyStatus.RUNNING, "needed_count": 1}
        with case.database.writing() as session:
            session.execute(update(Duty).values(waiting))
        async with office(case) as at:
            news = News(case.database, at.reminders.telling, (0.5, 0.75))
            for hours in (35, 36, 40, 54, 60, 73):
                case.now = NOON + hours * HOUR
                await at.run(news.tell, NOON - HOUR, case.now)
            assert at.told == [ROBIN, ROBIN, KIM, OFFICE], "after 36 hours of 72, and after 54: the last step"
            assert "1 duty waits in case" in " ".join(at.text().split())
            for place in ("MA", "MO"):
                dates = dict.fromkeys(("occurred", "discovered", "confirmed"), case.now)
                open_in_sql(case.database, BREACH, [Place("ndpa-v1", place)], case.now, dates).compute()
            with case.database.writing() as session:
                session.execute(update(Duty).where(col(Duty.due_at) > case.now).values(waiting))
            case.now += 37 * HOUR
            await at.run(news.tell, NOON - HOUR, case.now)
            assert at.told[4:] == [OFFICE], "several cases wait for the same: one mail"
            assert "2 duties wait in 2 cases" in " ".join(at.text(4).split())

    async def test_a_districts_question_is_told_once_to_whose_case_it_is(self, case: CaseInSql) -> None:
        with case.database.writing() as session:
            notice_id = session.exec(select(Notice.id)).one()
            question = GivenAnswer(notice_id, AnswerKind.QUESTION, "lea", "Sam", "sam@d1.example.org", "Which?")
            record_answers(session, [question], bytes(32), NOON)
        async with office(case) as at:
            for _ in range(2):
                await self.sweep(at)
            assert at.told == [ROBIN]
            assert f"/cases/{case.id}#answers" in at.text()
            assert "Which?" not in at.text()
            with case.database.writing() as session:
                (asked,) = session.exec(select(Answer))
                asked_id = asked.id
            case.act(AnswerQuestion.model_validate({"question": asked_id, "text": "None."}), "robin")
            with case.database.writing() as session:
                (letter,) = take_up(session, WRITER, case.now, 1)
                refused = Rejected(550, "No such user")
                settle_letter(session, letter.letter_id, refused, case.now, unknown_resends=0)
            await self.sweep(at)
            assert at.told == [ROBIN, ROBIN], "the answer did not arrive, so the question is open again"

    async def test_a_proposal_is_told_to_those_who_may_decide_it(self, case: CaseInSql) -> None:
        act = {"clause": "breach.notice", "ground": "no_student_data", "reason": "Nothing of theirs."}
        case.act(Propose.model_validate(act), "robin")
        add_account(case.database, "lee", Role.APPROVER, email="lee@provider.example.org", made_by="robin", now=NOON)
        async with office(case) as at:
            for _ in range(2):
                await self.sweep(at)
            assert at.told == [KIM], "not the proposer, nor an account that the proposer made"
            assert "Approve or decline it" in " ".join(at.text().split())

    async def test_that_mail_stands_still_is_told_by_another_way_once(self, case: CaseInSql) -> None:
        trouble = {"trouble": MailServerUnavailable.code, "trouble_since": NOON - HOUR}
        with case.database.writing() as session:
            session.execute(update(Batch).values(status=BatchStatus.SENDING, **trouble))
        with alert_receiver() as receiver:
            async with office(case, receiver, port=1) as at:
                for _ in range(2):
                    await self.sweep(at)
        (alert,) = receiver.alerts
        assert "has taken no mail since Mon 2 Mar 2026, 17:00 UTC: 1 notice of 1 case waits" in alert

    async def test_a_locked_account_alerts_without_its_name(self, case: CaseInSql) -> None:
        with case.database.writing() as session:
            session.execute(update(Account).where(col(Account.name) == "kim").values(locked_until=NOON + HOUR))
        with alert_receiver() as receiver:
            async with office(case, receiver) as at:
                for _ in range(2):
                    await self.sweep(at)
                assert at.told == [OFFICE]
        (alert,) = receiver.alerts
        assert "1 account locked for a while" in alert
        assert "kim" not in alert

    async def test_what_somebody_moved_in_the_database_is_told_by_another_way_once_a_day(self, case: CaseInSql) -> None:
        with case.database.writing() as session:
            named = select(AgreementContact.id).order_by(col(AgreementContact.id))
            contact = session.exec(named).first()
            session.execute(text("UPDATE agreement_contact SET email = (SELECT email FROM account LIMIT 1)"))
        with alert_receiver() as receiver:
            async with office(case, receiver) as at:
                for _ in range(2):
                    await self.sweep(at)
                assert at.told == [OFFICE]
                assert contact
                said = " ".join(at.text().split())
                assert f"agreement_contact.email {contact.hex}" in said
                assert "restore them from a backup, and find out who could write to the database" in said
        (alert,) = receiver.alerts
        assert "1 value does not open" in alert

    async def test_whose_own_address_was_moved_is_not_written_to_and_the_organisation_is(self, case: CaseInSql) -> None:
        with case.database.writing() as session:
            session.execute(
                text("UPDATE account SET email = (SELECT email FROM account WHERE name = 'kim') WHERE name = 'robin'")
            )
        async with office(case) as at:
            await at.remind(0.5)
            assert at.told == [KIM], "who stands in"


async def test_a_letter_that_no_server_took_leaves_once_one_does(case: CaseInSql) -> None:
    with case.database.writing() as session:
        notice_id = session.exec(select(Notice.id)).one()
        question = GivenAnswer(notice_id, AnswerKind.QUESTION, "lea", "Sam", "sam@d1.example.org", "Which?")
        record_answers(session, [question], bytes(32), NOON)
        asked_id = session.exec(select(Answer.id)).one()
    case.act(AnswerQuestion.model_validate({"question": asked_id, "text": "None."}), "robin")
    async with office(case) as at:
        for port, later in ((1, timedelta()), (at.server.port, 2 * HOUR), (at.server.port, 4 * HOUR)):
            smtp = SmtpServer(host="127.0.0.1", port=port, security=Security.NONE, connections=1, timeout=PATIENCE)
            async with SmtpTransport(smtp) as transport:
                sender = MailSender(case.database, transport, WRITER.sender.email)
                await LetterSender(case.database, sender, WRITER).send_due(lambda later=later: NOON + later)  # type: ignore[misc]
        assert at.told == ["sam@d1.example.org"]
        (sent,) = at.evidence("reply_handed_over")
        assert (sent.body["outcome"], sent.body["attempt"]) == ("accepted", 2)
