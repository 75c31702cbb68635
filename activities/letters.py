"""Handing the letters of officers to the mail server: at once where one is written, and by the watchdog's sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from activities.postal_letters import write_letters_left
from config.database import Database
from mail.handover import DeliveryDeferred, Envelope, MailServerUnavailable, OutcomeUnknown
from mail.transport import SmtpTransport
from records.deliveries import Answer
from records.letters import OutgoingLetter, settle_letter, take_up
from records.outbox import NoticeWriter
from records.postal_letters import take_effect

AT_ONCE = 50
"""How many letters are handed over in one go; the next sweep goes on."""

LONGEST_HANDOVER = timedelta(minutes=15)
"""How long handing them over may take before somebody else takes up what is left."""


class LetterSender:
    """Sends the letters that wait; several may do so side by side, and none is taken by two.

    One of which nobody can say whether it arrived is sent again ``unknown_resends`` times, then a person decides.
    """

    def __init__(
        self, database: Database, transport: SmtpTransport, writer: NoticeWriter, *, unknown_resends: int = 3
    ) -> None:
        self._database = database
        self._transport = transport
        self._writer = writer
        self._unknown_resends = unknown_resends

    def write_postal_letters(self, now: datetime) -> None:
        """Write what only a letter can bring, and write down what letters that were posted have performed by now."""
        write_letters_left(self._database, self._writer, now)
        with self._database.writing() as session:
            take_effect(session, now)

    async def send_due(self, now: Callable[[], datetime]) -> None:
        """Send what is to be sent by now; a server that takes no mail at all is not asked again for the others."""
        away: MailServerUnavailable | None = None
        for letter in await asyncio.to_thread(self._take_up, now()):
            answer = away or await self._hand_over(letter)
            if isinstance(answer, MailServerUnavailable) and not isinstance(answer, DeliveryDeferred):
                away = answer
            await asyncio.to_thread(self._settle, letter, answer, now())

    async def _hand_over(self, letter: OutgoingLetter) -> Answer:
        try:
            return await self._transport.send(letter.raw, Envelope(self._writer.sender.email, letter.email))
        except (MailServerUnavailable, OutcomeUnknown) as error:
            return error

    def _take_up(self, now: datetime) -> list[OutgoingLetter]:
        with self._database.writing() as session:
            return take_up(session, self._writer, now, AT_ONCE)

    def _settle(self, letter: OutgoingLetter, answer: Answer, now: datetime) -> None:
        with self._database.writing() as session:
            settle_letter(session, letter.letter_id, answer, now, unknown_resends=self._unknown_resends)
