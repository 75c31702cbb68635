"""What the people of a case are told of it: one message each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from activities.telling import Message
from cases.messages import AskForDecision, RemindOfficer
from mail.people_mails import Contacts, Decision, DraftsLeft, InternalDate, Lapse, Overdue, Reminder, Unknown
from models import identifiers
from records.escalations import Raised
from records.responsible import Step

LISTED = 20
"""How many LEAs a message names; the case's page names all."""


def drafts_wait(message: RemindOfficer, waiting: Sequence[str]) -> Message:
    """Notices to some LEAs wait for a release."""
    ahead = f":{message.internal_due_at.isoformat()}" if message.internal_due_at and not message.internal_passed else ""
    return Message(
        key=f"reminder:{message.case_id}:{message.clause}:{message.due_at.isoformat()}:{message.fraction}{ahead}",
        about="reminder",
        facts=Reminder(
            case_reference=identifiers.case_reference(message.case_id),
            notices=len(waiting),
            clause=message.clause,
            due_at=message.due_at,
            fraction=message.fraction,
            internal_due_at=message.internal_due_at,
            internal_passed=message.internal_passed,
            last_moment=message.last_moment,
            **_named(waiting),
        ),
        page=f"{_case_page(message.case_id)}/drafts",
        case_id=message.case_id,
        alarm=message.last,
    )


def withholding_lapses(message: RemindOfficer, lapses_at: datetime, withheld: Sequence[str]) -> Message:
    """Notices that one person withheld leave soon, unless a second person keeps them back."""
    return Message(
        key=f"lapse:{message.case_id}:{message.clause}:{message.due_at.isoformat()}:{lapses_at.isoformat()}",
        about="lapse",
        facts=Lapse(
            case_reference=identifiers.case_reference(message.case_id),
            notices=len(withheld),
            clause=message.clause,
            due_at=message.due_at,
            lapses_at=lapses_at,
            **_named(withheld),
        ),
        page=_case_page(message.case_id),
        case_id=message.case_id,
        alarm=message.last,
    )


def decision_asked(message: AskForDecision, asked: str) -> Message:
    """A decision is asked for without which a clock has not started; ``asked`` is the dated fact, as people call it."""
    return Message(
        key=f"decision:{message.case_id}:{message.name}:{message.opens}",
        about="decision",
        facts=Decision(case_reference=identifiers.case_reference(message.case_id), asked=asked),
        page=_case_page(message.case_id),
        case_id=message.case_id,
        alarm=True,
    )


def findings(
    case_id: UUID, raised: Raised, drafts: Sequence[DraftsLeft], asked_at: datetime, *, letters: int = 0
) -> Iterator[tuple[Message, Step]]:
    """What was raised of a case, each with how far it has come: what is overdue has no later step.

    ``letters`` is how many wait to be posted in it.
    """
    if raised.unknown:
        yield _unknown(case_id, raised.unknown, asked_at), Step.FIRST
    if raised.contacts:
        # What had been thought done is owed again: whoever stands in is told at once as well.
        step = Step.PRESSING if raised.came_back else Step.FIRST
        yield _refused(case_id, raised.contacts, asked_at, came_back=raised.came_back), step
    if raised.duties:
        yield _overdue(case_id, raised.duties, drafts, asked_at, letters), Step.LAST
    if raised.internal:
        yield _past_internal(case_id, raised.internal, asked_at), Step.LAST


def _unknown(case_id: UUID, leas: Sequence[str], asked_at: datetime) -> Message:
    reference = identifiers.case_reference(case_id)
    return Message(
        key=f"unknown:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="unknown",
        facts=Unknown(case_reference=reference, notices=len(leas), **_named(leas)),
        page=_case_page(case_id),
        case_id=case_id,
        alarm=True,
    )


def _refused(case_id: UUID, leas: Sequence[str], asked_at: datetime, *, came_back: bool) -> Message:
    reference = identifiers.case_reference(case_id)
    return Message(
        key=f"contacts:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="contacts",
        facts=Contacts(case_reference=reference, contacts=len(leas), came_back=came_back, **_named(leas)),
        page=_case_page(case_id),
        case_id=case_id,
        alarm=came_back,
    )


def _overdue(
    case_id: UUID, leas: Sequence[str], drafts: Sequence[DraftsLeft], asked_at: datetime, letters: int
) -> Message:
    reference, page = identifiers.case_reference(case_id), _case_page(case_id)
    return Message(
        key=f"escalation:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="overdue",
        facts=Overdue(
            case_reference=reference, duties=len(leas), drafts=tuple(drafts), letters=letters, **_named(leas)
        ),
        page=f"{page}/drafts" if drafts else page,
        case_id=case_id,
        alarm=True,
    )


def _past_internal(case_id: UUID, leas: Sequence[str], asked_at: datetime) -> Message:
    reference = identifiers.case_reference(case_id)
    return Message(
        key=f"internal:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="internal-date",
        facts=InternalDate(case_reference=reference, duties=len(leas), **_named(leas)),
        page=_case_page(case_id),
        case_id=case_id,
    )


def _case_page(case_id: UUID) -> str:
    """The path of the page of a case."""
    return f"/cases/{case_id}"


class _Named(TypedDict):
    leas: tuple[str, ...]
    more: int


def _named(leas: Sequence[str]) -> _Named:
    return {"leas": tuple(leas[:LISTED]), "more": max(len(leas) - LISTED, 0)}
