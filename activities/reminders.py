"""Reminding people: officers of notices that wait and of duties that are overdue, LEAs of notices not acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, func, select
from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import ReminderContract
from activities.heartbeat import beating
from cases.messages import AskForDecision, ChaseAcknowledgements, Chased, RaiseOverdue, RemindOfficer
from config.database import Database
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import AcknowledgementAsked, DecisionAsked, ReminderSent
from mail.compose import utc_instant
from mail.facts import Mailbox
from mail.links import notice_link
from mail.plain import compose_plain_mail
from mail.transport import Accepted, DeliveryDeferred, OutcomeUnknown, Rejected, SmtpTransport
from models import identifiers
from models.enums import BatchStatus, NoticeKind
from models.phrases import counted, instant_words
from models.tables import Agreement, AgreementContact, Batch, Case, Delivery, Duty, Notice
from records.duties import asked_dates
from records.escalations import Raised, raise_contacts, raise_duties, raise_unknown, raised_since
from records.outbox import ARRIVED, NoticeWriter
from records.terms import pinned_terms

ASK_AGAIN = timedelta(minutes=30)
"""When mailboxes that took no mail are asked to acknowledge again."""

LONGEST_SEND = timedelta(minutes=10)
"""How long one message may take to be handed over, its connection included."""

AT_THE_LAST_SAFE_MOMENT = "If nobody acts, they go out by themselves at the last safe moment, with what is known."

AS_SOON_AS_THEY_CAN = (
    "The agreement asks for them as soon as they can be given: that instant is the last moment and not the plan. "
    "Please release them now. If nobody acts, they go out by themselves, with what is known: some hours after they "
    "were drafted if nothing required is lacking, at the last safe moment otherwise."
)

LISTED = 20
"""How many LEAs a message to the officer names; the case's page names all."""


@dataclass(frozen=True)
class Chase:
    """One notice whose LEA is asked to acknowledge it."""

    notice_id: UUID
    lea_name: str
    given_at: datetime
    to: Mailbox
    reminders: int


class ReminderActivities(ReminderContract):
    """The activities that remind people; officers read times in ``time_zone``."""

    def __init__(
        self, database: Database, transport: SmtpTransport, notice_writer: NoticeWriter, time_zone: str = "UTC"
    ) -> None:
        self._time_zone = time_zone
        self._database = database
        self._transport = transport
        self._notice_writer = notice_writer

    @activity.defn
    async def remind_officer(self, message: RemindOfficer) -> None:
        """Write to the officer about notices under one clause that wait for release."""
        now = activity_clock()
        waiting = await asyncio.to_thread(self._waiting, message)
        if waiting:
            reference = identifiers.case_reference(message.case_id)
            by_themselves = AS_SOON_AS_THEY_CAN if message.last_moment else AT_THE_LAST_SAFE_MOMENT
            count = counted(len(waiting), "notice")
            await self.write_to_officer(
                f"{count} of case {reference} {'waits' if len(waiting) == 1 else 'wait'} for release",
                (
                    f"In case {reference}, {counted(len(waiting), 'notice waits', 'notices wait')} for an officer's "
                    f"release under {message.clause}, due by {self.as_officers_read(message.due_at)}; "
                    f"{message.fraction:.0%} of the time is over.",
                    by_themselves,
                    _named(waiting),
                    self.case_page(message.case_id),
                ),
                key=f"reminder:{message.case_id}:{message.clause}:{message.due_at.isoformat()}:{message.fraction}",
                at=now(),
            )
            await asyncio.to_thread(self._note_reminder, message, len(waiting), now())

    @activity.defn
    async def ask_for_decision(self, message: AskForDecision) -> None:
        """Write to the officer about a decision without which a clock has not started, unless it was taken by now."""
        now = activity_clock()
        asked = await asyncio.to_thread(self._asked, message)
        if asked is None:
            return
        reference = identifiers.case_reference(message.case_id)
        await self.write_to_officer(
            f"Please decide in case {reference}: {asked} since when?",
            (
                f"Case {reference} touches agreements with a clock that starts once it is {asked}, and nobody has said "
                "since when. Until that is decided, this clock does not run, and its notice is not drafted.",
                "Give the time, or decide that it has not come about, who decided it, and when it is looked at again:",
                self.case_page(message.case_id),
            ),
            key=f"decision:{message.case_id}:{message.name}:{message.opens}",
            at=now(),
        )
        await asyncio.to_thread(self._note_asking, message, now())

    @activity.defn
    async def raise_overdue(self, message: RaiseOverdue) -> None:
        """Raise each duty that is overdue, late or undelivered, each contact that failed, and what nobody knows, once.

        It is written in evidence first, then to the officer; a further attempt, as when the mail server was down,
        writes of what the earlier ones raised.
        """
        now, info = activity_clock(), activity.info()
        since = info.scheduled_time if info.attempt > 1 else None
        raised = await asyncio.to_thread(self._escalate, message.case_id, now(), since)
        reference = identifiers.case_reference(message.case_id)
        if raised.unknown:
            await self.write_to_officer(
                f"Nobody can say whether {counted(len(raised.unknown), 'notice')} of case {reference} arrived",
                (
                    f"In case {reference}, the connection was lost each time that a notice under these agreements had "
                    "been handed over, so it may have arrived or not. It is not sent again by itself. Please ask these "
                    "LEAs; then record on the case's page that it arrived, or have it sent once more.",
                    _named(raised.unknown),
                    self.case_page(message.case_id),
                ),
                key=f"unknown:{message.case_id}:{now().isoformat()}",
                at=now(),
            )
        if raised.contacts:
            await self.write_to_officer(
                f"{counted(len(raised.contacts), 'contact')} refused a notice of case {reference}",
                (
                    f"In case {reference}, the mail server of {counted(len(raised.contacts), 'contact')} refused a "
                    "notice. The LEA's next contact is tried instead, now and with later notices. Please ask these "
                    "LEAs for another contact.",
                    _named(raised.contacts),
                    self.case_page(message.case_id),
                ),
                key=f"contacts:{message.case_id}:{now().isoformat()}",
                at=now(),
            )
        if raised.duties:
            await self.write_to_officer(
                f"{counted(len(raised.duties), 'duty', 'duties')} of case {reference} overdue, late or undelivered",
                (
                    f"Overdue, met late, or with no contact that could be reached: in case {reference} that is so of "
                    f"{counted(len(raised.duties), 'duty', 'duties')}.",
                    *await asyncio.to_thread(self._overdue_drafts, message.case_id, now()),
                    _named(raised.duties),
                    self.case_page(message.case_id),
                ),
                key=f"escalation:{message.case_id}:{now().isoformat()}",
                at=now(),
            )

    @activity.defn
    async def chase_acknowledgements(self, message: ChaseAcknowledgements) -> Chased:
        """Ask each LEA whose notice has gone unacknowledged for a further step of the ladder.

        One mailbox that takes no mail for now keeps nobody else from being asked; it is tried again later.
        """
        now = activity_clock()
        put_off = 0
        for chase in await asyncio.to_thread(self._to_chase, message, now()):
            activity.heartbeat()
            try:
                await self._ask(message.case_id, chase, now)
            except DeliveryDeferred:
                put_off += 1
        return Chased(put_off=put_off, again_at=now() + ASK_AGAIN if put_off else None)

    async def _ask(self, case_id: UUID, chase: Chase, now: Callable[[], datetime]) -> None:
        reference = identifiers.case_reference(case_id)
        raw = compose_plain_mail(
            f"Please acknowledge the notice to {chase.lea_name} (case {reference})",
            (
                f"On {utc_instant(chase.given_at)} we gave {chase.lea_name} a notice in case {reference}, and it has "
                "not been acknowledged.",
                "Please confirm that it arrived, ask a question, or name another contact:",
                notice_link(self._notice_writer.public_url, self._notice_writer.link_key, chase.notice_id),
            ),
            sender=self._notice_writer.sender,
            to=chase.to,
            message_id=self._message_id(f"chase:{chase.notice_id}:{chase.reminders}"),
            at=now(),
        )
        answer: Accepted | Rejected | None
        async with beating(LONGEST_SEND):
            try:
                answer = await self._transport.send(raw, self._notice_writer.sender.email, chase.to.email)
            except OutcomeUnknown:
                answer = None  # it may have arrived: the ladder's next step asks again, and not a copy every half hour
        await asyncio.to_thread(self._note_chase, case_id, chase, answer, now())

    async def write_to_officer(self, subject: str, paragraphs: Sequence[str], *, key: str, at: datetime) -> None:
        """Send the officer a message; ``key`` names what it is about, and so its Message-ID."""
        officer = self._notice_writer.organisation.contact
        to = Mailbox(name=officer.name, email=officer.email)
        raw = compose_plain_mail(
            subject, paragraphs, sender=self._notice_writer.sender, to=to, message_id=self._message_id(key), at=at
        )
        async with beating(LONGEST_SEND):
            await self._transport.send(raw, self._notice_writer.sender.email, to.email)

    def as_officers_read(self, instant: datetime) -> str:
        """An instant in the zone in which the installation's people read times."""
        return instant_words(instant, self._time_zone)

    def case_page(self, case_id: UUID) -> str:
        """Where the officer finds a case."""
        return f"{self._notice_writer.public_url}/cases/{case_id}"

    def _message_id(self, key: str) -> str:
        return identifiers.message_id(identifiers.plain_mail_id(key), self._notice_writer.message_id_domain)

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
                        Batch.status == BatchStatus.WAITING,
                        Batch.clause == message.clause,
                        Duty.due_at == message.due_at,
                    )
                    .order_by(col(Agreement.lea_name))
                )
            )

    def _overdue_drafts(self, case_id: UUID, now: datetime) -> list[str]:
        """What is said of notices that are overdue and wait for a person, as after a report of what is long past."""
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
        return [
            f"Drafted, overdue, and waiting for your release: {counted(waiting, 'notice')} under {clause}. Look at the "
            "dates first: is one of them mistyped, correct it, and nothing goes out because of it. What nobody "
            f"releases goes out by itself at {self.as_officers_read(leaves_at)}."
            for clause, waiting, leaves_at in rows
        ]

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
                ),
            )

    def _escalate(self, case_id: UUID, now: datetime, since: datetime | None) -> Raised:
        with self._database.writing() as session:
            raised = Raised(
                duties=raise_duties(session, case_id, now),
                contacts=raise_contacts(session, case_id, now),
                unknown=raise_unknown(session, case_id, now),
            )
            return raised_since(session, case_id, since) if since else raised

    def _to_chase(self, message: ChaseAcknowledgements, now: datetime) -> list[Chase]:
        with self._database.reading() as session:
            rows = session.exec(
                select(Notice, Agreement.lea_name, AgreementContact)
                .join(Duty, col(Duty.id) == col(Notice.duty_id))
                .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
                .join(Delivery, col(Delivery.notice_id) == col(Notice.id))
                .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
                .where(
                    Notice.case_id == message.case_id,
                    col(Notice.given_at).is_not(None),
                    col(Notice.acknowledged_at).is_(None),
                    Notice.reminders < len(message.chase_hours),
                    col(Delivery.status).in_(ARRIVED),
                    col(Delivery.is_copy).is_(False),
                )
                .order_by(col(Notice.id))
            ).all()
        return [
            Chase(notice.id, lea, notice.given_at, Mailbox(name=contact.name, email=contact.email), notice.reminders)
            for notice, lea, contact in rows
            if notice.given_at and now >= notice.given_at + timedelta(hours=message.chase_hours[notice.reminders])
        ]

    def _note_chase(self, case_id: UUID, chase: Chase, answer: Accepted | Rejected | None, now: datetime) -> None:
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
                    unknown=answer is None,
                ),
            )


def _named(leas: Sequence[str]) -> str:
    more = len(leas) - LISTED
    return "\n".join((*leas[:LISTED], *((f"and {more} more",) if more > 0 else ())))
