"""Handing over mails that are no notices: each is kept, returns to a path of its own, and waits in a pause of mail."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from config.database import Database
from mail.handover import Envelope, MailServerUnavailable, OutcomeUnknown, SendResult
from mail.return_path import ReturnPath
from mail.transport import SmtpTransport
from records.mail_state import MailIsPaused
from records.sent_mail import Begun, MailToSend, begin_mail, settle_mail


def envelope_of(mail: MailToSend, attempt: int, sender: str, return_path: ReturnPath | None) -> Envelope:
    """Whom an attempt at a mail is for, and where it returns to: to its sender where no address of its own is read."""
    if return_path is None:
        return Envelope(sender, mail.email)
    named: tuple[UUID, int] = (mail.id, attempt)
    return Envelope(return_path.of(*named), mail.email, return_path.token(*named))


class MailSender:
    """Sends mails that are no notices.

    What comes back returns by ``return_path``; without one, to ``sender``, the address in From. In a pause of mail one
    is tried after ``probe_after``, if no notice was.
    """

    def __init__(
        self,
        database: Database,
        transport: SmtpTransport,
        sender: str,
        return_path: ReturnPath | None = None,
        *,
        probe_after: timedelta = timedelta(hours=1),
    ) -> None:
        self._probe_after = probe_after
        self._database = database
        self._transport = transport
        self._sender = sender
        self._return_path = return_path

    async def send(
        self, mail: MailToSend, now: datetime, *, at_once: bool = False
    ) -> tuple[SendResult | OutcomeUnknown, str]:
        """Hand a mail over; return what the mail server answered, or that nobody can say, and what is kept of it.

        What goes ``at_once`` goes while mail is paused too.

        Raises:
            MailServerUnavailable: nothing was sent, as the server took nothing or mail is paused; ``DeliveryDeferred``
                if only this mail is concerned.
        """
        begun = await asyncio.to_thread(self._begin, mail, now, at_once)
        answer: SendResult | OutcomeUnknown
        try:
            answer = await self._transport.send(mail.raw, self._envelope(mail, begun.attempt))
        except OutcomeUnknown as error:
            answer = error
        except MailServerUnavailable as error:
            await asyncio.to_thread(self._settle, mail, error, now, begun.probing)
            raise
        sha256 = await asyncio.to_thread(self._settle, mail, answer, now, begun.probing)
        assert sha256, "what was handed over is kept"
        return answer, sha256

    def _envelope(self, mail: MailToSend, attempt: int) -> Envelope:
        return envelope_of(mail, attempt, self._sender, self._return_path)

    def _begin(self, mail: MailToSend, now: datetime, at_once: bool) -> Begun:
        try:
            with self._database.writing() as session:
                return begin_mail(session, mail, now, self._probe_after, at_once=at_once)
        except MailIsPaused as error:
            raise MailServerUnavailable(error.message, where=error.where, next_step=error.next_step) from error

    def _settle(
        self,
        mail: MailToSend,
        answer: SendResult | OutcomeUnknown | MailServerUnavailable,
        now: datetime,
        probing: bool,
    ) -> str | None:
        with self._database.writing() as session:
            return settle_mail(session, mail, answer, now, probing=probing)
