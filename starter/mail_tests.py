"""A mail that tries the mail server out."""

from __future__ import annotations

from datetime import datetime

from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from ledger.append import append
from ledger.artifacts import store
from ledger.entries import MailTested
from mail.district_mails import MailTest
from mail.facts import Mailbox
from mail.handover import OutcomeUnknown, SendResult
from mail.plain import compose_plain_mail
from models import identifiers
from records.sent_mail import MailToSend
from starter.writing import mail_sender, mail_transport, sender_of, templates_of


async def send_mail_test(
    database: Database, settings: Settings, keyring: Keyring, to: str, *, actor: str, now: datetime
) -> SendResult:
    """Send a mail that says that it is a test, with evidence of that alone, and return the mail server's answer.

    It goes while mail is paused too. Kept as it was sent, it returns by a path of its own, as every mail does.

    Raises:
        MailServerUnavailable: it was not sent.
        OutcomeUnknown: nobody can say whether it was.
    """
    smtp = settings.smtp
    name = identifiers.plain_mail_id(f"mail test:{actor}:{now.isoformat()}")
    raw = compose_plain_mail(
        MailTest(organisation=settings.organisation.name),
        sender=Mailbox(name=settings.organisation.name, email=smtp.sender_address),
        to=Mailbox(email=to),
        reply_to=sender_of(settings.organisation).contact,
        message_id=identifiers.message_id(name, smtp.message_id_domain),
        at=now,
        templates=templates_of(settings),
    )
    with database.writing() as session:
        sha256 = store(session, raw, "message/rfc822", now)
        append(session, MailTested(actor=actor, at=now, message_sha256=sha256))
    mail = MailToSend(id=name, sort=MailTest.template, email=to, raw=raw, who=actor)
    async with mail_transport(settings) as transport:
        answer, _ = await mail_sender(settings, keyring, database, transport).send(mail, now, at_once=True)
    if isinstance(answer, OutcomeUnknown):
        raise answer
    return answer
