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
from config.personal_data import without_addresses
from config.seals import not_opening_near
from mail.people_mails import (
    BrokenSeals,
    CameBack,
    Locked,
    LockedAccount,
    MailAway,
    MailBack,
    MailPaused,
    Opened,
    ProposalWaits,
    Questions,
    SomethingMissing,
)
from models import identifiers
from models.tables import Answer, CaseErasure, Proposal
from people.passwords import locked_unraised, mark_raised
from records.mail_state import MailIsPaused
from records.missing import Missing, missing_untold, note_missing_told
from records.needs import MAIL_PAGE
from records.overlooked import place_of
from records.responsible import Step, second_persons
from records.sent_mail import ReturnedMail, note_bounces_told, returned_mails, untold_bounces
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
        await self._tell_of_bounces(now)
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
                await asyncio.to_thread(self._note, proposal.of, (proposal.id,), now)

    async def _tell_of_missing(self, missing: Missing, now: datetime) -> Outcome:
        """Tell those whose case it is; what several cases wait for alike, the organisation's contact."""
        message = _missing(missing)
        if message.case_id is None:
            return await self._telling.tell(message, [self._telling.organisation], now)
        step = Step.LAST if missing.last else Step.PRESSING if missing.step > 1 else Step.FIRST
        return await self._telling.tell_of_case(message, step, now)

    async def _second_persons(self, proposal: NewProposal) -> Sequence[Recipient]:
        """Whoever may decide a proposal and has an address; where nobody has, those whose case it is."""
        accounts = await self._read(lambda session: second_persons(session, proposal.proposed_by))
        recipients = [found for account in accounts if (found := Recipient.of(account))]
        return recipients or await self._telling.recipients_of_case(proposal.case_id, Step.FIRST)

    async def _tell_of_bounces(self, now: datetime) -> None:
        """Tell of mails that came back; of those to our own people, the organisation's contact, and by other ways.

        So whoever cannot be reached by mail is not told of it by mail alone.
        """
        while back := await self._read(lambda session: returned_mails(session, untold_bounces(session, AT_ONCE))):
            own = any(mail.who for mail in back)
            message = _came_back(back, alarm=own)
            if own or message.case_id is None:
                outcome = await self._telling.tell(message, [self._telling.organisation], now)
            else:
                outcome = await self._telling.tell_of_case(message, Step.FIRST, now)
            if outcome.away is not None:
                return
            await asyncio.to_thread(self._note_bounces, [mail.id for mail in back], now)

    async def _tell_of_locks(self, now: datetime) -> None:
        """Tell of accounts that too many wrong passwords locked: somebody may be guessing."""
        locked = await asyncio.to_thread(locked_unraised, self._database)
        if not locked:
            return
        message = Message(
            key="\n".join(f"locked:{name}:{until.isoformat()}" for name, until in locked),
            about="locked",
            facts=Locked(
                count=len(locked), accounts=tuple(LockedAccount(name=name, until=until) for name, until in locked)
            ),
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
        message = Message(
            key=f"seals:{now:%Y-%m-%d}",
            about="seals",
            facts=BrokenSeals(values=len(moved), places=tuple(places), more=len(moved) - len(places)),
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
                await self._telling.tell(
                    _no_mail(trouble, MailPaused, "mail paused"), [self._telling.organisation], now
                )
            elif trouble.since < before:
                await self._telling.tell(_no_mail(trouble, MailAway, "mail"), [self._telling.organisation], now)

    async def _read(self, what: Callable[[Session], Found]) -> Found:
        def read() -> Found:
            with self._database.reading() as session:
                return what(session)

        return await asyncio.to_thread(read)

    def _note_missing(self, missing: Missing) -> None:
        with self._database.writing() as session:
            note_missing_told(session, missing)

    def _note_bounces(self, ids: Sequence[UUID], now: datetime) -> None:
        with self._database.writing() as session:
            note_bounces_told(session, ids, now)

    def _note_told(self, case_id: UUID) -> None:
        with self._database.writing() as session:
            note_told(session, case_id)

    def _note(self, of: type[Answer] | type[Proposal] | type[CaseErasure], ids: Sequence[UUID], now: datetime) -> None:
        with self._database.writing() as session:
            note_raised(session, of, ids, now)


def _no_mail(trouble: MailTrouble, said: type[MailAway], key: str) -> Message:
    return Message(
        key=f"{key}:{trouble.since:%Y-%m-%dT%H}",  # as one batch after the other is mended, the instant moves
        about="mail",
        facts=said(since=trouble.since, notices=trouble.notices, cases=trouble.cases),
        page=MAIL_PAGE,
        alarm=True,
    )


def _came_back(back: Sequence[ReturnedMail], *, alarm: bool) -> Message:
    case_id = back[0].case_id
    return Message(
        key="mail back:" + ":".join(str(mail.id) for mail in back),
        about="mail-back",
        facts=MailBack(
            count=len(back),
            case_reference=identifiers.case_reference(case_id) if case_id else None,
            mails=tuple(CameBack(sort=mail.sort, to=mail.to, says=without_addresses(mail.says or "")) for mail in back),
        ),
        page=f"/cases/{case_id}#came-back" if case_id else MAIL_PAGE,
        case_id=case_id,
        alarm=alarm,
    )


def _opened(case: NewCase) -> Message:
    return Message(
        key=f"opened:{case.id}",
        about="opened",
        facts=Opened(
            case_reference=identifiers.case_reference(case.id), kind=kind_named(case.kind).label, program=case.program
        ),
        page=f"/cases/{case.id}",
        case_id=case.id,
    )


def _missing(missing: Missing) -> Message:
    alone = missing.cases[0] if len(missing.cases) == 1 else None
    first = identifiers.sha256_hex("\n".join(f"{duty}" for duty in sorted(missing.duties)).encode())
    return Message(
        key=f"missing:{missing.clause}:{missing.due_at.isoformat()}:{missing.step}:{first}",
        about="missing",
        facts=SomethingMissing(
            waiting=len(missing.duties),
            cases=len(missing.cases),
            case_reference=identifiers.case_reference(alone) if alone else None,
            clause=missing.clause,
            due_at=missing.due_at,
        ),
        page=f"/cases/{alone}#duties" if alone else "/",
        case_id=alone,
    )


def _asked(questions: NewQuestions) -> Message:
    return Message(
        key=f"questions:{questions.replies}:" + ":".join(str(key) for key in questions.ids),
        about="questions",
        facts=Questions(case_reference=identifiers.case_reference(questions.case_id), questions=len(questions.ids)),
        page=f"/cases/{questions.case_id}#answers",
        case_id=questions.case_id,
    )


def _proposed(proposal: NewProposal) -> Message:
    return Message(
        key=f"proposal:{proposal.id}",
        about="proposal",
        facts=ProposalWaits(case_reference=identifiers.case_reference(proposal.case_id), about=proposal.about),
        page=f"/cases/{proposal.case_id}{proposal.page}",
        case_id=proposal.case_id,
    )
