"""Replacing the links of notices: the old ones end first, then the new ones are mailed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from config.database import Database
from config.keyring import Keyring
from config.settings import Settings
from mail.transport import MailServerUnavailable, OutcomeUnknown, Rejected, SmtpTransport
from models.errors import InvalidInput, Unavailable
from records.links import note_link_mail, replace_links
from starter.writing import notice_writer, smtp_server


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
    try:
        async with SmtpTransport(smtp_server(settings)) as transport:
            answer = await transport.send(mail.raw, writer.sender.email, mail.email)
    except MailServerUnavailable as error:
        raise Unavailable(
            f"The old links open nothing any more, but the new ones were not mailed: {error.message}",
            where=error.where,
            next_step="Replace the links again once the mail server answers.",
        ) from error
    except OutcomeUnknown as error:
        await asyncio.to_thread(note_link_mail, database, mail, actor=actor, now=now, unknown=True)
        raise Unavailable(
            f"The old links open nothing any more; nobody can say whether the new ones arrived: {error.message}",
            where=error.where,
            next_step="Ask the contact, or replace the links again.",
        ) from error
    rejected = isinstance(answer, Rejected)
    await asyncio.to_thread(note_link_mail, database, mail, actor=actor, now=now, rejected=rejected)
    if rejected:
        raise InvalidInput(
            "The old links open nothing any more, but this contact's mail server refused the new ones.",
            where="contact",
            next_step="Replace the links again, and choose another contact.",
        )
    return mail.email
