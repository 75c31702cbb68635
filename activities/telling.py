"""Telling the people of the installation: by mail, and by the alerts' ways where something presses or mail fails.

Each way is tried by itself, what became of it is evidence, and whoever was told is not told the same again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from activities.heartbeat import beating
from activities.sending import MailSender
from config.database import Database
from config.logging import get_logger
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import PersonTold
from mail.alerts import Alerts
from mail.facts import Mailbox
from mail.handover import Accepted, MailServerUnavailable, OutcomeUnknown
from mail.people_mails import NeedLine, PeopleFacts
from mail.plain import compose_plain_mail, render_alert
from models import identifiers
from models.enums import Told, Way
from models.tables import Account, ToldOnce
from people.accounts import find_account_or_none, own_way_in
from records.needs import Asking, NeedView, needs_of
from records.outbox import NoticeWriter
from records.responsible import Assignment, Step, assignments
from records.sent_mail import MailToSend

_log = get_logger("telling")

LONGEST_SEND = timedelta(minutes=10)
"""How long one message may take to be handed over, its connection included."""

ORGANISATION, MANAGER = "organisation", "manager"
"""The organisation's contact, and its manager, as evidence names them; no account is called so."""

NEEDS_LISTED = 10
"""How many lines of what needs its reader a message has; the first page has all."""


@dataclass(frozen=True)
class Message:
    """Something to tell people.

    Attributes:
        key: names what it is about, so that the same is told once.
        about: the same in a word, for evidence.
        facts: what is said of it; the words are its template's.
        page: the path of the page on which it is seen to.
        case_id: the case that it is about; None where it is about several or none.
        alarm: whether it goes by the alerts' ways in any case, and not only where mail fails.
    """

    key: str
    about: str
    facts: PeopleFacts
    page: str
    case_id: UUID | None = None
    alarm: bool = False

    @property
    def id(self) -> UUID:
        """What evidence names it by."""
        return identifiers.plain_mail_id(self.key)


@dataclass(frozen=True)
class Outcome:
    """Whether any mail of a message arrived, and that the mail server took none for somebody, where that is so."""

    reached: bool
    away: MailServerUnavailable | None

    def raise_for_retry(self) -> None:
        """Raise if somebody is to be told again, which tells nobody twice."""
        if self.away is not None:
            raise self.away


@dataclass(frozen=True)
class Recipient:
    """One person to write to; without an account, the organisation's contact."""

    name: str
    to: Mailbox
    account: str | None = None

    @classmethod
    def of(cls, account: Account) -> Recipient | None:
        """The person of an account, if it has an address."""
        if account.email is None:
            return None
        to = Mailbox(name=account.name, email=account.email)
        return cls(account.name, to, account.name)


class Telling:
    """Tells people by every way that the installation has."""

    def __init__(
        self,
        database: Database,
        sender: MailSender,
        writer: NoticeWriter,
        alerts: Alerts,
        *,
        soon: timedelta,
        time_zone: str,
        manager: Mailbox | None = None,
    ) -> None:
        self._manager = manager
        self._database = database
        self._sender = sender
        self._writer = writer
        self._alerts = alerts
        self._soon = soon
        self._time_zone = time_zone

    async def tell_of_case(self, message: Message, step: Step, at: datetime) -> Outcome:
        """Tell those whose case it is, and at the last step the organisation's contact and manager; as ``tell``."""
        assert message.case_id is not None, "a case is told of"
        return await self.tell(message, await self.recipients_of_case(message.case_id, step), at)

    async def tell(self, message: Message, recipients: Sequence[Recipient], at: datetime) -> Outcome:
        """Tell some people, and the organisation's contact if none of them could be."""
        told, away = await self._mail(message, recipients, at)
        if Told.ACCEPTED not in told and self.organisation not in recipients:
            more, away_too = await self._mail(message, [self.organisation], at)
            told, away = [*told, *more], away or away_too
        reached = Told.ACCEPTED in told
        if message.alarm or not reached:
            await self._alert(message, at, mailed=reached)
        return Outcome(reached, away)

    @property
    def organisation(self) -> Recipient:
        """The organisation's contact."""
        contact = self._writer.organisation.contact
        return Recipient(ORGANISATION, Mailbox(name=contact.name, email=contact.email))

    def page(self, path: str) -> str:
        """The address of a page."""
        return f"{self._writer.public_url}{path}"

    async def _mail(
        self, message: Message, recipients: Sequence[Recipient], at: datetime
    ) -> tuple[list[Told], MailServerUnavailable | None]:
        """What became of each mail, and that the server took none for one of them, if so."""
        found: list[Told] = []
        away: MailServerUnavailable | None = None
        for recipient in recipients:
            outcome = await asyncio.to_thread(self._outcome, message, Way.MAIL, recipient.name)
            if outcome is None:
                sha256: str | None = None
                try:
                    outcome, sha256 = await self._send(message, recipient, at)
                except MailServerUnavailable as error:
                    away, outcome = error, Told.FAILED
                await asyncio.to_thread(self._note, message, Way.MAIL, recipient.name, outcome, at, sha256)
            found.append(outcome)
        return found, away

    async def _send(self, message: Message, recipient: Recipient, at: datetime) -> tuple[Told, str]:
        mail_id = identifiers.plain_mail_id(f"{message.key} {recipient.name}")
        needs, total = await asyncio.to_thread(self._needs, recipient, at)
        raw = compose_plain_mail(
            message.facts.model_copy(
                update={
                    "time_zone": self._time_zone,
                    "page": self.page(message.page),
                    "needs": tuple(self._line(need) for need in needs),
                    "needs_total": total,
                    "needs_more": total - len(needs),
                    "home": self.page("/"),
                }
            ),
            sender=self._writer.sender,
            to=recipient.to,
            reply_to=self._writer.organisation.contact,
            message_id=identifiers.message_id(mail_id, self._writer.message_id_domain),
            at=at,
            templates=self._writer.templates,
        )
        mail = MailToSend(
            id=mail_id,
            sort=message.facts.template,
            email=recipient.to.email,
            raw=raw,
            case_id=message.case_id,
            who=recipient.name,
        )
        async with beating(LONGEST_SEND):
            answer, sha256 = await self._sender.send(mail, at)
        if isinstance(answer, OutcomeUnknown):
            return Told.UNKNOWN, sha256
        return (Told.ACCEPTED if isinstance(answer, Accepted) else Told.REJECTED), sha256

    async def _alert(self, message: Message, at: datetime, *, mailed: bool) -> None:
        """Give the alert by every way that has not given it; one that fails keeps no other from it."""
        facts = message.facts.model_copy(update={"time_zone": self._time_zone})
        text = render_alert(facts, self.page(message.page), mailed=mailed, templates=self._writer.templates)
        for name in self._alerts.names:
            if await asyncio.to_thread(self._outcome, message, Way.ALERT, name):
                continue
            async with beating(LONGEST_SEND):
                try:
                    taken = await self._alerts.send(name, "Duenotice", text)
                except Exception as error:  # whatever a service's own code raises
                    _log.warning("alert not given", way=name, error=type(error).__name__)
                    taken = False
            outcome = Told.ACCEPTED if taken else Told.FAILED
            await asyncio.to_thread(self._note, message, Way.ALERT, name, outcome, at)

    async def recipients_of_case(self, case_id: UUID, step: Step) -> Sequence[Recipient]:
        """As ``recipients``, for one case."""

        def read() -> Sequence[Recipient]:
            with self._database.reading() as session:
                return self.recipients(assignments(session, [case_id])[case_id], step)

        return await asyncio.to_thread(read)

    def recipients(self, assignment: Assignment, step: Step) -> list[Recipient]:
        """Whose mail a step of a ladder goes to; the organisation's contact is told where nobody else can be.

        The last step goes to the contact in any case, and to the manager, if one is named.
        """
        people = [found for account in assignment.told_at(step) if (found := Recipient.of(account))]
        if step is not Step.LAST:
            return people or [self.organisation]
        return [*people, self.organisation, *([Recipient(MANAGER, self._manager)] if self._manager else [])]

    def _needs(self, recipient: Recipient, now: datetime) -> tuple[tuple[NeedView, ...], int]:
        with self._database.reading() as session:
            account = find_account_or_none(session, recipient.account) if recipient.account else None
            way_in = own_way_in(session, account) if account else None
            asking = Asking(recipient.account, way_in, own=True, soon=self._soon)
            return needs_of(session, asking, now, offset=0, limit=NEEDS_LISTED)

    def _line(self, need: NeedView) -> NeedLine:
        """What needs the reader: by the case's reference, since a title may say more than a mail should."""
        return NeedLine(
            case_reference=need.case_reference,
            until=need.until,
            overdue=need.overdue,
            says=need.says,
            link=self.page(need.link),
        )

    def _outcome(self, message: Message, way: Way, who: str) -> Told | None:
        """What became of telling one this before, where it need not be tried again."""
        with self._database.reading() as session:
            known = session.get(ToldOnce, (message.id, way, who))
        return known.outcome if known else None

    def _note(
        self, message: Message, way: Way, who: str, outcome: Told, at: datetime, sha256: str | None = None
    ) -> None:
        with self._database.writing() as session:
            told = PersonTold(
                case_id=message.case_id,
                actor=ENGINE,
                at=at,
                message_id=message.id,
                about=message.about,
                way=way,
                who=who,
                outcome=outcome,
                message_sha256=sha256,
            )
            append(session, told)
            if outcome is not Told.FAILED:
                session.merge(ToldOnce(message_id=message.id, way=way, who=who, outcome=outcome, at=at))
