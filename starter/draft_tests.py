"""Mailing a draft to an officer as a test."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from mail.facts import Mailbox, checked_address
from mail.handover import MailServerUnavailable, OutcomeUnknown, Rejected
from models.errors import InvalidInput, Unavailable
from queries.drafts import Drafts
from records.draft_tests import keep_test
from records.sent_mail import MailToSend
from starter.resources import Resources
from starter.writing import mail_sender, mail_transport, notice_writer


async def send_test(
    resources: Resources, case_id: UUID, notice_id: UUID, address: str, *, actor: str, now: datetime
) -> None:
    """Mail a draft to the officer at an address, marked as a test, with evidence of that alone.

    Raises:
        InvalidInput: mail cannot be sent to the address, or its server refuses it; ``where`` is ``to``.
        NotFound: there is no such case, or the draft does not wait in it.
        Refused: nobody is left who could be told by the draft.
        Unavailable: the mail server took no mail, or nobody can say whether it did.
    """
    to = Mailbox(name="", email=checked_address(address, where="to"))
    writer = notice_writer(resources.settings, resources.keyring)

    def keep() -> MailToSend:
        with resources.database.writing() as session:
            draft = Drafts(session, writer, case_id, now, only=notice_id).drafted(notice_id)
            return keep_test(session, writer, case_id, draft, to, actor=actor, now=now)

    mail = await asyncio.to_thread(keep)
    try:
        async with mail_transport(resources.settings) as transport:
            sender = mail_sender(resources.settings, resources.keyring, resources.database, transport)
            answer, _ = await sender.send(mail, now)
    except MailServerUnavailable as error:
        raise Unavailable(error.message, where=error.where, next_step="Nothing was sent. Try it again.") from error
    if isinstance(answer, OutcomeUnknown):
        raise Unavailable(answer.message, where=answer.where, next_step="Look whether the test arrived.")
    if isinstance(answer, Rejected):
        raise InvalidInput(
            f"The mail server refused this address ({answer.code}).", where="to", next_step="Correct it."
        )
