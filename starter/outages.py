"""Alarms about what the worker itself cannot raise: it needs the database and Temporal for that, or it is what is away.

The web looks every minute. What stays away is told once, by every way that there is: the ways of the alerts, and mail,
which needs neither the database nor Temporal. That it is back is told as well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlmodel import Session

from activities.sending import envelope_of
from activities.telling import ORGANISATION
from config.database import Database
from config.keyring import Keyring
from config.logging import get_logger
from config.settings import Settings
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import PersonTold
from mail.alerts import Alerts
from mail.facts import Mailbox
from mail.handover import Accepted, MailServerUnavailable, OutcomeUnknown, Rejected
from mail.people_mails import Outage
from mail.plain import compose_plain_mail, render_alert
from models import identifiers
from models.enums import Told, Way
from models.phrases import counted, instant_words
from records.deliveries import Answer
from records.sent_mail import MailToSend, begin_mail, settle_mail
from starter.health import ARTIFACTS, CHECKPOINT, CLOCK, DATABASE, SWEEP, TEMPORAL, WORKER, Health, HealthCheck
from starter.writing import mail_transport, notice_writer, return_path

_log = get_logger("outages")

EVERY = timedelta(minutes=1)
"""How often it is looked."""

LASTS = timedelta(minutes=3)
"""After how long an outage is told: a restart takes less."""

MOST_AN_HOUR = 6
"""How many outages of one part are told in an hour; what comes and goes more often is in the log alone."""

WATCHED = (DATABASE, TEMPORAL, WORKER, SWEEP, CHECKPOINT, ARTIFACTS, CLOCK)
"""The parts that are told of here; that mail is away is told by the watchdog (``activities/news.py``)."""

_CALLED = {
    DATABASE: "The database",
    TEMPORAL: "Temporal",
    WORKER: "The worker",
    SWEEP: "The watchdog",
    CHECKPOINT: "Signing the ledger's heads",
    ARTIFACTS: "The store of artifacts",
    CLOCK: "The clock",
}


@dataclass
class _Amiss:
    """What is amiss with one part, and since when; ``told`` is whether people know."""

    since: datetime
    told: bool = False


@dataclass
class Outages:
    """What is amiss by now, and what of it is to be told."""

    _open: dict[str, _Amiss] = field(default_factory=dict)
    _told_at: dict[str, list[datetime]] = field(default_factory=dict)

    def note(self, health: Health) -> list[Outage]:
        """Take in what a look found; return what is to be told now.

        A part that nobody can look at, since another is away, stays as it was.
        """
        told = []
        for name in WATCHED:
            check, outage = health.of(name), self._open.get(name)
            if check.hidden_by is not None:
                continue
            if check.ok:
                if outage is not None:
                    del self._open[name]
                    if outage.told:
                        told.append(Outage(says=_back(name, outage.since, health.at), is_over=True))
                continue
            outage = self._open.setdefault(name, _Amiss(health.at))
            if not outage.told and health.at - outage.since >= LASTS and self._may_tell(name, health.at):
                outage.told = True
                says = f"{_CALLED[name]} is out of order since {instant_words(outage.since)}: {check.says}"
                told.append(Outage(says=says, is_over=False))
        return told

    def _may_tell(self, name: str, now: datetime) -> bool:
        recent = [at for at in self._told_at.get(name, []) if now - at < timedelta(hours=1)]
        if len(recent) >= MOST_AN_HOUR:
            return False
        self._told_at[name] = [*recent, now]
        return True


def _back(name: str, since: datetime, now: datetime) -> str:
    minutes = counted(max(1, round((now - since) / timedelta(minutes=1))), "minute")
    return f"{_CALLED[name]} is in order again, after {minutes}. Look at what was due meanwhile."


@dataclass(frozen=True)
class _Told:
    """What was told while the database may have been away: each way with what became of it, and the mail."""

    id: UUID
    at: datetime
    ways: Mapping[str, bool]
    mail: MailToSend | None
    answer: Answer | None


class Alarm:
    """Tells the organisation's contact something without the database: by mail, and by the ways of the alerts.

    The mail returns by a path of its own, which needs no more than a key. It is kept with its evidence once there is a
    database to keep it in.
    """

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._alerts = Alerts(settings.alert_urls)
        self._settings = settings
        self._writer = notice_writer(settings, keyring)
        self._return_path = return_path(settings, keyring)
        self._to_keep: deque[_Told] = deque(maxlen=MOST_TO_KEEP)

    async def tell(self, outage: Outage, at: datetime) -> bool:
        """Tell it by every way; return whether one of them took it. One that fails keeps no other from it."""
        ways = {name: await self._alert(name, outage) for name in self._alerts.names}
        mail, answer = await self._mail(outage, at)
        self._to_keep.append(_Told(_named(outage, at), at, ways, mail, answer))
        outcomes = ways | {"mail": isinstance(answer, Accepted)}
        taken = [name for name, was_taken in outcomes.items() if was_taken]
        _log.error("alarm", says=outage.says, told_by=taken, failed=[name for name in outcomes if name not in taken])
        return bool(taken)

    def keep(self, database: Database) -> None:
        """Keep what was told and is not kept yet, each with its evidence."""
        while self._to_keep:
            with database.writing() as session:
                _keep(session, self._to_keep[0])
            self._to_keep.popleft()

    async def _alert(self, name: str, outage: Outage) -> bool:
        try:
            text = render_alert(outage, self._writer.public_url, mailed=True, templates=self._writer.templates)
            return await self._alerts.send(name, "Duenotice", text)
        except Exception:  # whatever a service's own code raises
            return False

    async def _mail(self, outage: Outage, at: datetime) -> tuple[MailToSend | None, Answer | None]:
        """The mail, and what became of it; nothing where no mail server is named or nothing could be written."""
        if self._settings.smtp.host is None:  # nobody named a server: what listens on this machine is somebody else's
            return None, None
        try:
            mail = self._written(outage, at)
            async with mail_transport(self._settings) as transport:
                envelope = envelope_of(mail, _ONLY_ATTEMPT, self._writer.sender.email, self._return_path)
                return mail, await transport.send(mail.raw, envelope)
        except (MailServerUnavailable, OutcomeUnknown) as error:
            return mail, error
        except Exception:  # mail may be what is away as well
            return None, None

    def _written(self, outage: Outage, at: datetime) -> MailToSend:
        writer, name = self._writer, _named(outage, at)
        contact = writer.organisation.contact
        raw = compose_plain_mail(
            outage.model_copy(update={"page": writer.public_url}),
            sender=writer.sender,
            to=Mailbox(name=contact.name, email=contact.email),
            reply_to=contact,
            message_id=identifiers.message_id(name, writer.message_id_domain),
            at=at,
            templates=writer.templates,
        )
        return MailToSend(id=name, sort=Outage.template, email=contact.email, raw=raw, who=ORGANISATION)


_ONLY_ATTEMPT = 1

MOST_TO_KEEP = 100
"""How many alarms are kept in memory until there is a database: more than are told in a day of outages."""


def _named(outage: Outage, at: datetime) -> UUID:
    return identifiers.plain_mail_id(f"outage {outage.says} {at.isoformat()}")


def _keep(session: Session, told: _Told) -> None:
    sha256 = None
    if told.mail and told.answer:
        begin_mail(session, told.mail, told.at, timedelta(), at_once=True)
        session.flush()
        sha256 = settle_mail(session, told.mail, told.answer, told.at)
    outcomes = [(Way.ALERT, name, Told.ACCEPTED if taken else Told.FAILED) for name, taken in told.ways.items()]
    if told.mail and told.answer:
        outcomes.append((Way.MAIL, ORGANISATION, _outcome(told.answer)))
    append(
        session,
        *(
            PersonTold(
                actor=ENGINE,
                at=told.at,
                message_id=told.id,
                about="outage",
                way=way,
                who=who,
                outcome=outcome,
                message_sha256=sha256 if way is Way.MAIL else None,
            )
            for way, who, outcome in outcomes
        ),
    )


def _outcome(answer: Answer) -> Told:
    match answer:
        case Accepted():
            return Told.ACCEPTED
        case Rejected():
            return Told.REJECTED
        case OutcomeUnknown():
            return Told.UNKNOWN
        case MailServerUnavailable():
            return Told.FAILED
        case _:
            assert_never(answer)


async def watch_outages(
    health: HealthCheck,
    alarm: Alarm,
    *,
    database: Database | None = None,
    every: timedelta = EVERY,
    outages: Outages | None = None,
) -> None:
    """Look again and again until this is cancelled, and tell of what stays away, and of its return.

    What was told is kept in the ``database`` once that is in order.
    """
    noted = outages or Outages()
    while True:
        try:
            found = await health.look()
            for outage in noted.note(found):
                await alarm.tell(outage, found.at)
            if database is not None and found.of(DATABASE).ok:
                await asyncio.to_thread(alarm.keep, database)
        except Exception:
            _log.exception("looking for outages failed")
        await asyncio.sleep(every.total_seconds())
