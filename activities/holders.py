"""Writing to the holders of data: what they are asked, reminders, and when something keeps the data."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import HolderContract
from activities.heartbeat import beating
from activities.telling import LONGEST_SEND, Message, Telling
from cases.messages import AskHolders
from config.database import Database
from mail.transport import DeliveryDeferred, OutcomeUnknown, Rejected, SmtpTransport
from models import identifiers
from models.phrases import counted
from models.tables import Case
from records.holder_mail import HolderLetter, note_letter, prepare_letters
from records.holders import plan_holders, put_off
from records.outbox import NoticeWriter
from records.responsible import Step

ASK_AGAIN = timedelta(minutes=30)
"""When a holder whose mailbox takes no mail for now is tried again."""


class HolderActivities(HolderContract):
    """The activity that writes to the holders of data."""

    def __init__(self, database: Database, transport: SmtpTransport, writer: NoticeWriter, telling: Telling) -> None:
        self._database = database
        self._transport = transport
        self._writer = writer
        self._telling = telling

    @activity.defn
    async def ask_holders(self, message: AskHolders) -> None:
        """Write to each holder what is to be said to it by now; the officer is told whom the mail does not reach.

        One mailbox that takes no mail for now keeps nobody else from being written to; it is tried again later.
        """
        now = activity_clock()
        refused: list[str] = []
        deferred: list[HolderLetter] = []
        for letter in await asyncio.to_thread(self._prepare, message, now()):
            activity.heartbeat()
            try:
                if await self._send(letter, now()):
                    refused.append(letter.holder)
            except DeliveryDeferred:
                deferred.append(letter)
        await asyncio.to_thread(self._plan, message, deferred, now())
        if refused:
            await self._tell_officer(message, refused, now())

    def _prepare(self, message: AskHolders, now: datetime) -> list[HolderLetter]:
        with self._database.writing() as session:
            return prepare_letters(session, self._writer, message.case_id, message.policy, now)

    async def _send(self, letter: HolderLetter, now: datetime) -> bool:
        """Hand a letter over and note what became of it; return whether its mail server refused it."""
        rejected = unknown = False
        async with beating(LONGEST_SEND):
            try:
                answer = await self._transport.send(letter.raw, self._writer.sender.email, letter.to.email)
                rejected = isinstance(answer, Rejected)
            except OutcomeUnknown:
                unknown = True  # it may have arrived: the ladder's next step asks again
        await asyncio.to_thread(self._note, letter, now, rejected, unknown)
        return rejected

    def _note(self, letter: HolderLetter, now: datetime, rejected: bool, unknown: bool) -> None:
        with self._database.writing() as session:
            note_letter(session, letter, now, rejected=rejected, unknown=unknown)

    def _plan(self, message: AskHolders, deferred: Sequence[HolderLetter], now: datetime) -> None:
        with self._database.writing() as session:
            plan_holders(session, session.get_one(Case, message.case_id), message.policy, now)
            put_off(session, [letter.task_id for letter in deferred], now + ASK_AGAIN)

    async def _tell_officer(self, message: AskHolders, refused: Sequence[str], now: datetime) -> None:
        reference, holders = identifiers.case_reference(message.case_id), counted(len(refused), "holder")
        told = Message(
            key=f"holders-refused:{message.case_id}:{now.isoformat()}",
            about="holders-refused",
            subject=f"{holders} of data cannot be written to (case {reference})",
            paragraphs=(
                f"In case {reference}, the mail servers of these holders refused what we wrote to them. Please find "
                "out whom to write to, and import the list of subprocessors with the right address.",
                "\n".join(refused),
            ),
            alert=f"Case {reference}: {holders} of data cannot be written to.",
            page=f"/cases/{message.case_id}",
            case_id=message.case_id,
        )
        await self._telling.tell_of_case(told, Step.FIRST, now)
