"""Writing to the holders of data: what they are asked, reminders, and when something keeps the data."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from temporalio import activity

from activities.clock import activity_clock
from activities.contracts import HolderContract
from activities.heartbeat import beating
from activities.sending import MailSender
from activities.telling import LONGEST_SEND, Message, Telling
from cases.messages import AskHolders
from config.database import Database
from mail.handover import DeliveryDeferred, OutcomeUnknown, Rejected
from mail.people_mails import HoldersReminded, HoldersUnreached
from models import identifiers
from models.enums import HolderMail
from models.tables import Case
from records.holder_mail import HolderLetter, note_letter, prepare_letters
from records.holders import plan_holders, put_off
from records.outbox import NoticeWriter
from records.responsible import Step

REMINDERS = frozenset({HolderMail.REMINDED, HolderMail.OTHERS_MISSING, HolderMail.UNDECIDED})
"""The messages of a holder's ladder."""

ASK_AGAIN = timedelta(minutes=30)
"""When a holder whose mailbox takes no mail for now is tried again."""


class HolderActivities(HolderContract):
    """The activity that writes to the holders of data.

    From ``deputy_share`` of a holder's time on, the deputy is told as well whom a reminder went to.
    """

    def __init__(
        self,
        database: Database,
        sender: MailSender,
        writer: NoticeWriter,
        telling: Telling,
        *,
        deputy_share: float = 0.7,
    ) -> None:
        self._deputy_share = deputy_share
        self._database = database
        self._sender = sender
        self._writer = writer
        self._telling = telling

    @activity.defn
    async def ask_holders(self, message: AskHolders) -> None:
        """Write to each holder what is to be said to it by now.

        Those whose case it is are told who was reminded, and whom the mail does not reach.

        One mailbox that takes no mail for now keeps nobody else from being written to; it is tried again later.
        """
        now = activity_clock()
        refused: list[str] = []
        deferred: list[HolderLetter] = []
        letters = await asyncio.to_thread(self._prepare, message, now())
        for letter in letters:
            activity.heartbeat()
            try:
                if await self._send(letter, now()):
                    refused.append(letter.holder)
            except DeliveryDeferred:
                deferred.append(letter)
        await asyncio.to_thread(self._plan, message, deferred, now())
        if refused:
            await self._tell_officer(message, refused, now())
        if reminded := [letter for letter in letters if letter.why in REMINDERS and letter not in deferred]:
            await self._tell_of_reminders(message, reminded, now())

    def _prepare(self, message: AskHolders, now: datetime) -> list[HolderLetter]:
        with self._database.writing() as session:
            return prepare_letters(session, self._writer, message.case_id, message.policy, now)

    async def _send(self, letter: HolderLetter, now: datetime) -> bool:
        """Hand a letter over and note what became of it; return whether its mail server refused it."""
        async with beating(LONGEST_SEND):
            answer, _ = await self._sender.send(letter.mail, now)
        # What may have arrived is asked again by the ladder's next step.
        rejected, unknown = isinstance(answer, Rejected), isinstance(answer, OutcomeUnknown)
        await asyncio.to_thread(self._note, letter, now, rejected, unknown)
        return rejected

    def _note(self, letter: HolderLetter, now: datetime, rejected: bool, unknown: bool) -> None:
        with self._database.writing() as session:
            note_letter(session, letter, now, rejected=rejected, unknown=unknown)

    def _plan(self, message: AskHolders, deferred: Sequence[HolderLetter], now: datetime) -> None:
        with self._database.writing() as session:
            case = session.get_one(Case, message.case_id)
            plan_holders(session, case, message.policy, now, self._writer.side)
            put_off(session, [letter.task_id for letter in deferred], now + ASK_AGAIN)

    async def _tell_of_reminders(self, message: AskHolders, reminded: Sequence[HolderLetter], now: datetime) -> None:
        """Tell whose case it is that its holders were reminded; our own office has just had a reminder itself."""
        share = max(letter.share for letter in reminded)
        step = Step.PRESSING if share >= self._deputy_share else Step.FIRST
        people = await self._telling.recipients_of_case(message.case_id, step)
        own = any(letter.owing and letter.to == self._telling.organisation.to for letter in reminded)
        if own and list(people) == [self._telling.organisation]:
            return
        told = Message(
            key=f"holders-reminded:{message.case_id}:{':'.join(sorted(letter.sha256 for letter in reminded))}",
            about="holders-reminded",
            facts=HoldersReminded(
                case_reference=identifiers.case_reference(message.case_id),
                holders=len(reminded),
                share=share,
                names=tuple(sorted({letter.holder for letter in reminded})),
            ),
            page=f"/cases/{message.case_id}",
            case_id=message.case_id,
        )
        await self._telling.tell(told, people, now)

    async def _tell_officer(self, message: AskHolders, refused: Sequence[str], now: datetime) -> None:
        told = Message(
            key=f"holders-refused:{message.case_id}:{now.isoformat()}",
            about="holders-refused",
            facts=HoldersUnreached(
                case_reference=identifiers.case_reference(message.case_id), holders=len(refused), names=tuple(refused)
            ),
            page=f"/cases/{message.case_id}",
            case_id=message.case_id,
        )
        await self._telling.tell_of_case(told, Step.FIRST, now)
