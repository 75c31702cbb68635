"""Reminding people: officers of notices that wait and of duties that are overdue, LEAs of notices not acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select
from temporalio import activity

from activities.case_messages import decision_asked, drafts_wait, findings, withholding_lapses
from activities.clock import activity_clock
from activities.contracts import ReminderContract
from activities.heartbeat import beating
from activities.sending import MailSender
from activities.telling import LONGEST_SEND, Telling
from agreements.terms import pinned_terms
from cases.messages import AskForDecision, ChaseAcknowledgements, Chased, RaiseOverdue, RemindOfficer
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import AcknowledgementAsked, DecisionAsked, ReminderSent
from mail.alerts import Alerts
from mail.delivery_states import ARRIVED
from mail.district_mails import AskedToAnswer
from mail.facts import Mailbox
from mail.handover import DeliveryDeferred, OutcomeUnknown, Rejected, SendResult
from mail.people_mails import DraftsLeft
from mail.plain import compose_plain_mail
from mail.transport import SmtpTransport
from models import identifiers
from models.enums import BatchStatus, NoticeKind
from models.tables import Agreement, AgreementContact, Batch, Case, Delivery, Duty, Notice
from records.duties import asked_dates
from records.escalations import Raised, raise_contacts, raise_duties, raise_internal, raise_unknown, raised_since
from records.offers import note_silence, unanswered
from records.outbox import NoticeWriter
from records.postal_letters import count_to_post, take_effect
from records.responsible import Step
from records.sent_mail import MailToSend
from records.withholding import alone

ASK_AGAIN = timedelta(minutes=30)
"""When mailboxes that took no mail are asked to acknowledge again."""


@dataclass(frozen=True)
class Chase:
    """One notice whose LEA is asked to answer it; ``link`` is None where it was taken back.

    ``offers`` is whether a decision is awaited, about a right that it offers.
    """

    notice_id: UUID
    link: str | None
    lea_name: str
    time_zone: str
    given_at: datetime
    to: Mailbox
    contact_id: UUID
    reminders: int
    offers: bool


class ReminderActivities(ReminderContract):
    """The activities that remind people.

    From ``deputy_share`` of a notice's time on, the deputy is reminded of it too; what goes out by itself ``soon`` is
    named so among what needs people. Officers read times in ``time_zone``. The ``manager`` is told by last steps.
    Mails are handed over by the ``sender``.
    """

    def __init__(
        self,
        database: Database,
        transport: SmtpTransport,
        notice_writer: NoticeWriter,
        alerts: Alerts | None = None,
        *,
        deputy_share: float = 0.7,
        soon: timedelta = timedelta(hours=24),
        time_zone: str = "UTC",
        manager: Mailbox | None = None,
        sender: MailSender | None = None,
    ) -> None:
        self.sender = sender or MailSender(database, transport, notice_writer.sender.email)
        self._database = database
        self._notice_writer = notice_writer
        self.telling = Telling(
            database, self.sender, notice_writer, alerts or Alerts(), soon=soon, time_zone=time_zone, manager=manager
        )
        self._deputy_share = deputy_share

    @activity.defn
    async def remind_officer(self, message: RemindOfficer) -> None:
        """Write to those whose case it is about notices under one clause that wait for release, or are withheld.

        The deputy is told as well from a part of their time on, and the organisation's contact by the last reminder.
        """
        now = activity_clock()
        waiting = await asyncio.to_thread(self._waiting, message)
        if waiting:
            told = (
                withholding_lapses(message, message.lapses_at, waiting)
                if message.lapses_at
                else drafts_wait(message, waiting)
            )
            outcome = await self.telling.tell_of_case(told, self._step(message), now())
            if outcome.reached:
                await asyncio.to_thread(self._note_reminder, message, len(waiting), now())
            outcome.raise_for_retry()

    def _step(self, message: RemindOfficer) -> Step:
        if message.last:
            return Step.LAST
        pressing = message.internal_passed or message.fraction >= self._deputy_share
        return Step.PRESSING if pressing else Step.FIRST

    @activity.defn
    async def ask_for_decision(self, message: AskForDecision) -> None:
        """Write about a decision without which a clock has not started, unless it was taken by now.

        It is asked for once, so that this first step is the last one.
        """
        now = activity_clock()
        asked = await asyncio.to_thread(self._asked, message)
        if asked is None:
            return
        told = decision_asked(message, asked)
        outcome = await self.telling.tell_of_case(told, Step.LAST, now())
        if outcome.reached:
            await asyncio.to_thread(self._note_asking, message, now())
        outcome.raise_for_retry()

    @activity.defn
    async def raise_overdue(self, message: RaiseOverdue) -> None:
        """Raise each duty that is overdue, late or undelivered, each contact that failed, and what nobody knows, once.

        A duty that is past its internal date, and on time yet, is raised as well.

        It is written in evidence first, then to the officer; a further attempt, as when the mail server was down,
        writes of what the earlier ones raised.
        """
        now, info = activity_clock(), activity.info()
        since = info.scheduled_time if info.attempt > 1 else None
        raised = await asyncio.to_thread(self._escalate, message.case_id, now(), since)
        drafts = await asyncio.to_thread(self._overdue_drafts, message.case_id, now()) if raised.duties else []
        # A further attempt tells of the same under the same name, so that nobody is told twice.
        letters = await asyncio.to_thread(self._letters_to_post, message.case_id)
        found = findings(message.case_id, raised, drafts, info.scheduled_time, letters=letters)
        outcomes = [await self.telling.tell_of_case(told, step, now()) for told, step in found]
        for outcome in outcomes:
            outcome.raise_for_retry()

    @activity.defn
    async def chase_acknowledgements(self, message: ChaseAcknowledgements) -> Chased:
        """Ask each LEA whose notice has gone unanswered for a further step of the ladder.

        One mailbox that takes no mail for now keeps nobody else from being asked; it is tried again later. Where a
        decision did not come in its time, that silence is noted.
        """
        now = activity_clock()
        put_off = 0
        await asyncio.to_thread(self._note_silence, message, now())
        for chase in await asyncio.to_thread(self._to_chase, message, now()):
            activity.heartbeat()
            try:
                await self._ask(message.case_id, chase, now)
            except DeliveryDeferred:
                put_off += 1
        return Chased(put_off=put_off, again_at=now() + ASK_AGAIN if put_off else None)

    async def _ask(self, case_id: UUID, chase: Chase, now: Callable[[], datetime]) -> None:
        mail_id = identifiers.plain_mail_id(f"chase:{chase.notice_id}:{chase.reminders}")
        raw = compose_plain_mail(
            AskedToAnswer(
                case_reference=identifiers.case_reference(case_id),
                lea=chase.lea_name,
                time_zone=chase.time_zone,
                given_at=chase.given_at,
                offers=chase.offers,
                link=chase.link,
                contact=self._notice_writer.organisation.contact,
            ),
            sender=self._notice_writer.sender,
            to=chase.to,
            reply_to=self._notice_writer.organisation.contact,
            message_id=identifiers.message_id(mail_id, self._notice_writer.message_id_domain),
            at=now(),
            templates=self._notice_writer.templates,
        )
        mail = MailToSend(
            id=mail_id,
            sort=AskedToAnswer.template,
            email=chase.to.email,
            raw=raw,
            case_id=case_id,
            belongs_to=chase.notice_id,
            contact_id=chase.contact_id,
        )
        async with beating(LONGEST_SEND):
            answer, sha256 = await self.sender.send(mail, now())
        # What may have arrived is asked for by the ladder's next step, and not by a copy every half hour.
        await asyncio.to_thread(self._note_chase, case_id, chase, answer, sha256, now())

    def _asked(self, message: AskForDecision) -> str | None:
        """What is asked, as people call it; None where nothing waits for it any more."""
        with self._database.reading() as session:
            case = session.get_one(Case, message.case_id)
            terms = pinned_terms(session, case.id).values()
            if message.name not in asked_dates(session, case, terms):
                return None
            return next(effective.anchors[message.name] for effective in terms if message.name in effective.anchors)

    def _note_asking(self, message: AskForDecision, now: datetime) -> None:
        with self._database.writing() as session:
            asked = DecisionAsked(case_id=message.case_id, actor=ENGINE, at=now, name=message.name, opens=message.opens)
            append(session, asked)

    def _waiting(self, message: RemindOfficer) -> list[str]:
        with self._database.reading() as session:
            return list(
                session.exec(
                    select(Agreement.lea_name)
                    .join(Duty, col(Duty.agreement_id) == col(Agreement.id))
                    .join(Notice, col(Notice.duty_id) == col(Duty.id))
                    .join(Batch, col(Batch.id) == col(Notice.batch_id))
                    .where(
                        Notice.case_id == message.case_id,
                        col(Notice.dropped).is_(False),
                        *self._meant(message),
                        Batch.clause == message.clause,
                        Duty.due_at == message.due_at,
                        col(Batch.internal_due_at) == message.internal_due_at,
                    )
                    .order_by(col(Agreement.lea_name))
                )
            )

    def _meant(self, message: RemindOfficer) -> tuple[ColumnElement[bool], ...]:
        if message.lapses_at:
            return col(Batch.status) == BatchStatus.WITHHELD, col(Batch.last_safe_at) == message.lapses_at, alone()
        return (col(Batch.status) == BatchStatus.WAITING,)

    def _overdue_drafts(self, case_id: UUID, now: datetime) -> list[DraftsLeft]:
        """The notices that are overdue and wait for a person, as after a report of what is long past."""
        with self._database.reading() as session:
            rows = session.exec(
                select(Batch.clause, func.count(), func.min(Batch.leaves_at))
                .join(Notice, col(Notice.batch_id) == col(Batch.id))
                .join(Duty, col(Duty.id) == col(Notice.duty_id))
                .where(Batch.case_id == case_id, Batch.status == BatchStatus.WAITING, Batch.kind == NoticeKind.NOTICE)
                .where(col(Notice.dropped).is_(False), col(Duty.due_at) < now)
                .group_by(col(Batch.clause))
                .order_by(col(Batch.clause))
            ).all()
        return [DraftsLeft(clause=row[0], notices=row[1], leaves_at=row[2]) for row in rows]

    def _letters_to_post(self, case_id: UUID) -> int:
        with self._database.reading() as session:
            return count_to_post(session, case_id)

    def _note_reminder(self, message: RemindOfficer, waiting: int, now: datetime) -> None:
        with self._database.writing() as session:
            append(
                session,
                ReminderSent(
                    case_id=message.case_id,
                    actor=ENGINE,
                    at=now,
                    clause=message.clause,
                    due_at=message.due_at,
                    part=str(message.fraction),
                    waiting=waiting,
                    lapses_at=message.lapses_at,
                    internal_due_at=None if message.internal_passed else message.internal_due_at,
                ),
            )

    def _escalate(self, case_id: UUID, now: datetime, since: datetime | None) -> Raised:
        with self._database.writing() as session:
            take_effect(session, now, case_id)
            failed = raise_contacts(session, case_id, now)
            raised = Raised(
                duties=raise_duties(session, case_id, now),
                internal=raise_internal(session, case_id, now),
                contacts=failed.lines,
                unknown=raise_unknown(session, case_id, now),
                came_back=failed.came_back,
            )
            return raised_since(session, case_id, since) if since else raised

    def _to_chase(self, message: ChaseAcknowledgements, now: datetime) -> list[Chase]:
        with self._database.reading() as session:
            rows = session.exec(
                select(Notice, Agreement.lea_name, Agreement.time_zone, AgreementContact)
                .join(Duty, col(Duty.id) == col(Notice.duty_id))
                .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
                .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
                .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
                .where(
                    Notice.case_id == message.case_id,
                    col(Notice.given_at).is_not(None),
                    unanswered(),
                    Notice.reminders < len(message.chase_hours),
                    col(Delivery.status).in_(ARRIVED),
                    col(Delivery.is_copy).is_(False),
                )
                .order_by(col(Notice.id))
            ).all()
        return [
            Chase(
                notice_id=notice.id,
                link=None if notice.link_revoked_at else self._notice_writer.link(notice),
                lea_name=lea,
                time_zone=zone,
                given_at=notice.given_at,
                to=Mailbox(name=contact.name, email=contact.email),
                contact_id=contact.id,
                reminders=notice.reminders,
                offers=notice.offers,
            )
            for notice, lea, zone, contact in rows
            if notice.given_at and now >= notice.given_at + timedelta(hours=message.chase_hours[notice.reminders])
        ]

    def _note_silence(self, message: ChaseAcknowledgements, now: datetime) -> None:
        with self._database.writing() as session:
            note_silence(session, message.case_id, message.answer_days, now)

    def _note_chase(
        self, case_id: UUID, chase: Chase, answer: SendResult | OutcomeUnknown, sha256: str, now: datetime
    ) -> None:
        with self._database.writing() as session:
            notice = session.get_one(Notice, chase.notice_id)
            notice.reminders = chase.reminders + 1
            session.add(notice)
            append(
                session,
                AcknowledgementAsked(
                    case_id=case_id,
                    actor=ENGINE,
                    at=now,
                    notice_id=chase.notice_id,
                    reminder=notice.reminders,
                    rejected=isinstance(answer, Rejected),
                    unknown=isinstance(answer, OutcomeUnknown),
                    message_sha256=sha256,
                ),
            )
