"""Mail with a link that somebody waits for: new links of notices, whose old ones end first, and links to files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from mail.handover import MailServerUnavailable, OutcomeUnknown, Rejected
from models.errors import InvalidInput, Unavailable
from records.links import note_link_mail, replace_links
from records.sent_mail import MailToSend
from starter.writing import mail_sender, mail_transport, notice_writer


async def replace_and_mail_links(
    database: Database,
    settings: Settings,
    keyring: Keyring,
    case_id: UUID,
    notice_id: UUID,
    contact_id: UUID | None,
    reason: str,
    *,
    actor: str,
    now: datetime,
) -> str:
    """Replace the links of the party that was told by a notice, mail it the new ones, and return the address.

    Raises:
        NotFound: the case has no such notice, or it was never written.
        InvalidInput: no reason is given, the contact is none of that party, or its server refuses the mail.
        Refused: the case's links have expired, or nobody is left to mail new ones to.
        Unavailable: the mail server took no mail, or nobody can say whether it did. The old links have ended all the
            same.
    """
    writer, lasts = notice_writer(settings, keyring), timedelta(days=settings.link_days_after_closing)
    mail = await asyncio.to_thread(
        replace_links, database, writer, case_id, notice_id, contact_id, reason, lasts=lasts, actor=actor, now=now
    )
    note = partial(note_link_mail, database, mail, actor=actor, now=now)
    await mail_link(
        database,
        settings,
        keyring,
        mail.mail,
        note,
        now,
        before="The old links open nothing any more",
        what="the new ones were",
    )
    return mail.email


async def mail_link(
    database: Database,
    settings: Settings,
    keyring: Keyring,
    mail: MailToSend,
    note: Callable[..., None],
    now: datetime,
    *,
    before: str,
    what: str,
) -> None:
    """Mail a link, and have noted what became of it.

    Args:
        database: where it is kept.
        settings: name the mail server and the sender.
        keyring: signs the path by which it comes back.
        mail: the message.
        note: keeps, of the mail with this SHA-256, that it was accepted, or with ``rejected`` or ``unknown`` that it
            was not.
        now: when.
        before: what has happened already whatever becomes of the mail, as its refusal says.
        what: what is in the mail, with its verb.

    Raises:
        InvalidInput: the contact's server refuses the mail.
        Unavailable: the mail server took no mail, or nobody can say whether it did.
    """
    try:
        async with mail_transport(settings) as transport:
            answer, kept = await mail_sender(settings, keyring, database, transport).send(mail, now)
    except MailServerUnavailable as error:
        raise Unavailable(
            f"{before}, but {what} not mailed: {error.message}",
            where=error.where,
            next_step="Make a new link once the mail server answers.",
        ) from error
    if isinstance(answer, OutcomeUnknown):
        await asyncio.to_thread(note, kept, unknown=True)
        raise Unavailable(
            f"{before}; nobody can say whether the mail with the link arrived: {answer.message}",
            where=answer.where,
            next_step="Ask the contact, or make a new link.",
        )
    rejected = isinstance(answer, Rejected)
    await asyncio.to_thread(note, kept, rejected=rejected)
    if rejected:
        raise InvalidInput(
            f"{before}, but this contact's mail server refused the mail with the link.",
            where="contact",
            next_step="Choose another contact, and send it again.",
        )
