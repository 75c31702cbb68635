"""What the watchdog tells people of besides stuck cases.

That is questions, proposals, locked accounts, cases that somebody outside opened, mail that stands still, and what
somebody changed or moved in the database.

Each is told once; what could not be, as the mail server took nothing, is told by the next sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session

from activities.telling import Message, Outcome, Recipient, Telling
from cases.kinds import kind_named
from config.database import Database
from config.logging import get_logger
from ledger.seals import not_opening_near
from models import identifiers
from models.phrases import counted
from models.tables import Answer, Proposal
from people.passwords import locked_unraised, mark_raised
from records.mail_state import MailIsPaused
from records.missing import Missing, missing_untold, note_missing_told
from records.needs import MAIL_PAGE
from records.overlooked import place_of
from records.responsible import Step, second_persons
from records.troubles import MailTrouble, mail_troubles
from records.unraised import (
    NewCase,
    NewProposal,
    NewQuestions,
    new_cases,
    new_proposals,
    new_questions,
    note_raised,
    note_told,
)

_log = get_logger("news")

OPENED_AT_ONCE = 200
"""Of how many rows of each table a sweep opens what is sealed; each begins at another place of the ids."""

PLACES_NAMED = 20
"""How many places that do not open a message names."""

AT_ONCE = 100
"""How many cases with questions, and how many proposals, one sweep tells of; the next goes on."""

Found = TypeVar("Found")


class News:
    """Tells people what is new for them."""

    def __init__(self, database: Database, telling: Telling, reminder_fractions: Sequence[float] = ()) -> None:
        """At ``reminder_fractions`` of its time people are told of what cannot be performed without them."""
        self._database = database
        self._telling = telling
        self._fractions = reminder_fractions

    async def tell(self, before: datetime, now: datetime) -> None:
        """Tell of what nobody was told yet; mail that stands still since ``before`` is trouble."""
        await self._tell_of_mail(before, now)
        await self._tell_of_locks(now)
        await self._tell_of_seals(now)
        for questions in await self._read(lambda session: new_questions(session, AT_ONCE)):
            outcome = await self._telling.tell_of_case(_asked(questions), Step.FIRST, now)
            if outcome.away is None:
                await asyncio.to_thread(self._note, Answer, questions.ids, now)
        for case in await self._read(lambda session: new_cases(session, AT_ONCE)):
            outcome = await self._telling.tell_of_case(_opened(case), Step.FIRST, now)
            if outcome.away is None:
                await asyncio.to_thread(self._note_told, case.id)
        for missing in await self._read(lambda session: missing_untold(session, self._fractions, now, AT_ONCE)):
            outcome = await self._tell_of_missing(missing, now)
            if outcome.away is None:
                await asyncio.to_thread(self._note_missing, missing)
        for proposal in await self._read(lambda session: new_proposals(session, AT_ONCE)):
            outcome = await self._telling.tell(_proposed(proposal), await self._second_persons(proposal), now)
            if outcome.away is None:
                await asyncio.to_thread(self._note, Proposal, (proposal.id,), now)

    async def _tell_of_missing(self, missing: Missing, now: datetime) -> Outcome:
        """Tell those whose case it is; what several cases wait for alike, the organisation's contact."""
        message = _missing(missing, self._telling.instant)
        if message.case_id is None:
            return await self._telling.tell(message, [self._telling.organisation], now)
        step = Step.LAST if missing.last else Step.PRESSING if missing.step > 1 else Step.FIRST
        return await self._telling.tell_of_case(message, step, now)

    async def _second_persons(self, proposal: NewProposal) -> Sequence[Recipient]:
        """Whoever may decide a proposal and has an address; where nobody has, those whose case it is."""
        accounts = await self._read(lambda session: second_persons(session, proposal.proposed_by))
        recipients = [found for account in accounts if (found := Recipient.of(account))]
        return recipients or await self._telling.recipients_of_case(proposal.case_id, Step.FIRST)

    async def _tell_of_locks(self, now: datetime) -> None:
        """Tell of accounts that too many wrong passwords locked: somebody may be guessing."""
        locked = await asyncio.to_thread(locked_unraised, self._database)
        if not locked:
            return
        message = Message(
            key="\n".join(f"locked:{name}:{until.isoformat()}" for name, until in locked),
            about="locked",
            subject="Somebody tries passwords",
            paragraphs=(
                "After too many wrong tries these accounts take no password for a while:",
                *(f"{name}, until {self._telling.instant(until)}" for name, until in locked),
                "Ask their people whether it was they. Evidence has every try.",
            ),
            alert=f"Too many wrong passwords: {counted(len(locked), 'account')} locked for a while.",
            page="/accounts",
            alarm=True,
        )
        outcome = await self._telling.tell(message, [self._telling.organisation], now)
        if outcome.away:
            _log.warning("locked accounts not told", accounts=len(locked), code=outcome.away.code)
            return
        await asyncio.to_thread(mark_raised, self._database, tuple(name for name, _ in locked), now)

    async def _tell_of_seals(self, now: datetime) -> None:
        """Tell, once a day, of what does not open where it stands: somebody wrote to the database."""
        moved = await self._read(lambda session: not_opening_near(session, place_of(now), OPENED_AT_ONCE))
        if not moved:
            return
        places = [str(error.where) for error in moved[:PLACES_NAMED]]
        more = len(moved) - len(places)
        message = Message(
            key=f"seals:{now:%Y-%m-%d}",
            about="seals",
            subject="Somebody changed what is sealed in the database",
            paragraphs=(
                "What is stored in these places does not open there: it was changed, or moved there from another "
                "place. Nobody is written to at such an address.",
                *places,
                *((f"And {more} more.",) if more else ()),
                "Run `duenotice keyring check` for all of them, restore them from a backup, and find out who could "
                "write to the database.",
            ),
            alert=f"Somebody changed what is sealed in the database: {counted(len(moved), 'value does', 'values do')} "
            "not open.",
            page="/",
            alarm=True,
        )
        await self._telling.tell(message, [self._telling.organisation], now)

    async def _tell_of_mail(self, before: datetime, now: datetime) -> None:
        """Tell that no mail leaves: by the alerts' ways above all, as mail about it may not arrive.

        A pause is told at once, that the server takes no mail once it has lasted.
        """
        for trouble in await self._read(mail_troubles):
            if trouble.why == MailIsPaused.code:
                await self._telling.tell(self._paused(trouble), [self._telling.organisation], now)
            elif trouble.since < before:
                await self._telling.tell(self._away(trouble), [self._telling.organisation], now)

    def _away(self, trouble: MailTrouble) -> Message:
        since = self._telling.instant(trouble.since)
        return Message(
            key=f"mail:{trouble.since:%Y-%m-%dT%H}",  # as one batch after the other is mended, the instant moves
            about="mail",
            subject="The mail server took no mail",
            paragraphs=(
                f"Since {since} the mail server has taken no mail, and {_waits(trouble)}. It is tried again every "
                "minute. Have the server looked at: what is due is late otherwise.",
            ),
            alert=f"The mail server has taken no mail since {since}: {_waits(trouble)}.",
            page=MAIL_PAGE,
            alarm=True,
        )

    def _paused(self, trouble: MailTrouble) -> Message:
        since = self._telling.instant(trouble.since)
        return Message(
            key=f"mail paused:{trouble.since:%Y-%m-%dT%H}",
            about="mail",
            subject="Mail is paused: many notices were refused alike",
            paragraphs=(
                f"Since {since} no notice is handed over, and {_waits(trouble)}: many were refused alike, at several "
                "domains, so the trouble is on our side, such as a filter or a block list. No contact is held to have "
                "refused. Have it mended; then let mail go on, on the page below. By itself, one message is tried "
                "after a while.",
            ),
            alert=f"Mail is paused since {since}, as many notices were refused alike: {_waits(trouble)}.",
            page=MAIL_PAGE,
            alarm=True,
        )

    async def _read(self, what: Callable[[Session], Found]) -> Found:
        def read() -> Found:
            with self._database.reading() as session:
                return what(session)

        return await asyncio.to_thread(read)

    def _note_missing(self, missing: Missing) -> None:
        with self._database.writing() as session:
            note_missing_told(session, missing)

    def _note_told(self, case_id: UUID) -> None:
        with self._database.writing() as session:
            note_told(session, case_id)

    def _note(self, of: type[Answer] | type[Proposal], ids: Sequence[UUID], now: datetime) -> None:
        with self._database.writing() as session:
            note_raised(session, of, ids, now)


def _waits(trouble: MailTrouble) -> str:
    notices = counted(trouble.notices, "notice")
    return f"{notices} of {counted(trouble.cases, 'case')} {'waits' if trouble.notices == 1 else 'wait'} for it"


def _opened(case: NewCase) -> Message:
    reference, label = identifiers.case_reference(case.id), kind_named(case.kind).label
    return Message(
        key=f"opened:{case.id}",
        about="opened",
        subject=f"Somebody outside opened {label} case {reference}",
        paragraphs=(
            f"By the public form, somebody outside opened {label} case {reference}. Nobody is written to before you "
            "have looked at it:",
        ),
        alert=f"Case {reference}: opened by somebody outside, and waits for a decision.",
        page=f"/cases/{case.id}",
        case_id=case.id,
    )


def _missing(missing: Missing, instant: Callable[[datetime], str]) -> Message:
    alone = missing.cases[0] if len(missing.cases) == 1 else None
    where = f"in case {identifiers.case_reference(alone)}" if alone else f"in {len(missing.cases):,} cases"
    waits, due = counted(len(missing.duties), "duty waits", "duties wait"), instant(missing.due_at)
    first = identifiers.sha256_hex("\n".join(f"{duty}" for duty in sorted(missing.duties)).encode())
    return Message(
        key=f"missing:{missing.clause}:{missing.due_at.isoformat()}:{missing.step}:{first}",
        about="missing",
        subject=f"Something is missing {where}",
        paragraphs=(
            f"{waits} {where} under {missing.clause}, due {due}, for something that the clause requires at once. "
            "Without it nothing can be given. The page says what it is:",
        ),
        alert=f"{waits} {where} for something that is missing, due {due}.",
        page=f"/cases/{alone}#duties" if alone else "/",
        case_id=alone,
    )


def _asked(questions: NewQuestions) -> Message:
    reference, count = identifiers.case_reference(questions.case_id), len(questions.ids)
    what = "A district asks a question" if count == 1 else f"Districts ask {count:,} questions"
    return Message(
        key=f"questions:{questions.replies}:" + ":".join(str(key) for key in questions.ids),
        about="questions",
        subject=f"{what} in case {reference}",
        paragraphs=(f"{what} about a notice of case {reference}. Please answer on the case's page:",),
        alert=f"Case {reference}: {counted(count, 'question waits', 'questions wait')} for an answer.",
        page=f"/cases/{questions.case_id}#answers",
        case_id=questions.case_id,
    )


def _proposed(proposal: NewProposal) -> Message:
    reference = identifiers.case_reference(proposal.case_id)
    return Message(
        key=f"proposal:{proposal.id}",
        about="proposal",
        subject=f"A proposal in case {reference} waits for a second person",
        paragraphs=(f"A proposal about {proposal.about} in case {reference} waits for a second person to decide it:",),
        alert=f"Case {reference}: a proposal waits for a second person.",
        page=f"/cases/{proposal.case_id}/proposals/{proposal.id}",
        case_id=proposal.case_id,
    )
