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

    async def send(self, mail: MailToSend, now: datetime) -> tuple[SendResult | OutcomeUnknown, str]:
        """Hand a mail over; return what the mail server answered, or that nobody can say, and what is kept of it.

        Raises:
            MailServerUnavailable: nothing was sent, as the server took nothing or mail is paused; ``DeliveryDeferred``
                if only this mail is concerned.
        """
        begun = await asyncio.to_thread(self._begin, mail, now)
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
        if self._return_path is None:
            return Envelope(self._sender, mail.email)
        named: tuple[UUID, int] = (mail.id, attempt)
        return Envelope(self._return_path.of(*named), mail.email, self._return_path.token(*named))

    def _begin(self, mail: MailToSend, now: datetime) -> Begun:
        try:
            with self._database.writing() as session:
                return begin_mail(session, mail, now, self._probe_after)
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
