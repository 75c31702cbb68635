"""What the people of a case are told of it: one message each, in the zone in which they read times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from activities.telling import Message
from cases.messages import AskForDecision, RemindOfficer
from models import identifiers
from models.phrases import counted, instant_words
from records.escalations import Raised
from records.responsible import Step

AT_THE_LAST_SAFE_MOMENT = "If nobody acts, they go out by themselves at the last safe moment, with what is known."

AS_SOON_AS_THEY_CAN = (
    "The agreement asks for them as soon as they can be given: that instant is the last moment and not the plan. "
    "Please release them now. If nobody acts, they go out by themselves, with what is known: some hours after they "
    "were drafted if nothing required is lacking, at the last safe moment otherwise."
)

LISTED = 20
"""How many LEAs a message names; the case's page names all."""


@dataclass(frozen=True)
class OverdueDrafts:
    """Notices under one clause that are overdue and wait for a person, and when they go out by themselves."""

    clause: str
    notices: int
    leaves_at: datetime


def drafts_wait(message: RemindOfficer, waiting: Sequence[str], zone: str) -> Message:
    """Notices to some LEAs wait for a release."""
    reference, due = identifiers.case_reference(message.case_id), instant_words(message.due_at, zone)
    wait = counted(len(waiting), "notice waits", "notices wait")
    ahead = f":{message.internal_due_at.isoformat()}" if message.internal_due_at and not message.internal_passed else ""
    return Message(
        key=f"reminder:{message.case_id}:{message.clause}:{message.due_at.isoformat()}:{message.fraction}{ahead}",
        about="reminder",
        subject=f"{counted(len(waiting), 'notice')} of case {reference} {'waits' if len(waiting) == 1 else 'wait'} "
        "for release",
        paragraphs=(
            f"In case {reference}, {wait} for an officer's release under {message.clause}, due by {due}; "
            f"{message.fraction:.0%} of the time is over.",
            *_internal(message, zone),
            AS_SOON_AS_THEY_CAN if message.last_moment else AT_THE_LAST_SAFE_MOMENT,
            _named(waiting),
        ),
        alert=f"Case {reference}: {wait} for release, due by {due}.",
        page=f"{_case_page(message.case_id)}/drafts",
        case_id=message.case_id,
        alarm=message.last,
    )


def _internal(message: RemindOfficer, zone: str) -> Iterator[str]:
    """What a reminder says of an internal date, where there is one."""
    if message.internal_due_at:
        internal = instant_words(message.internal_due_at, zone)
        if message.internal_passed:
            yield f"The internal date, {internal}, has passed. What the agreement asks for is due as said above."
        else:
            yield f"That is counted up to the internal date, {internal}. The due date itself is the agreement's."


def withholding_lapses(message: RemindOfficer, lapses_at: datetime, withheld: Sequence[str], zone: str) -> Message:
    """Notices that one person withheld leave soon, unless a second person keeps them back."""
    reference, lapse = identifiers.case_reference(message.case_id), instant_words(lapses_at, zone)
    leave = counted(len(withheld), "withheld notice leaves", "withheld notices leave")
    return Message(
        key=f"lapse:{message.case_id}:{message.clause}:{message.due_at.isoformat()}:{lapses_at.isoformat()}",
        about="lapse",
        subject=f"In case {reference}, {leave} at {lapse}",
        paragraphs=(
            f"In case {reference}, one person withheld {counted(len(withheld), 'notice')} under {message.clause}, due "
            f"by {instant_words(message.due_at, zone)}. That holds up to the last safe moment: what is not decided by "
            f"{lapse} goes out by itself, with what is known.",
            "Are they to stay back past their due instant, propose that on the case's page, and have a second person "
            "approve it before then. Are they to go, release them.",
            _named(withheld),
        ),
        alert=f"Case {reference}: {leave} at {lapse}.",
        page=_case_page(message.case_id),
        case_id=message.case_id,
        alarm=message.last,
    )


def decision_asked(message: AskForDecision, asked: str) -> Message:
    """A decision is asked for without which a clock has not started; ``asked`` is the dated fact, as people call it."""
    reference = identifiers.case_reference(message.case_id)
    return Message(
        key=f"decision:{message.case_id}:{message.name}:{message.opens}",
        about="decision",
        subject=f"Please decide in case {reference}: {asked} since when?",
        paragraphs=(
            f"Case {reference} touches agreements with a clock that starts once it is {asked}, and nobody has said "
            "since when. Until that is decided, this clock does not run, and its notice is not drafted.",
            "Give the time, or decide that it has not come about, who decided it, and when it is looked at again:",
        ),
        alert=f"Case {reference}: a decision is asked for, without which a clock does not run.",
        page=_case_page(message.case_id),
        case_id=message.case_id,
        alarm=True,
    )


def findings(
    case_id: UUID, raised: Raised, drafts: Sequence[OverdueDrafts], asked_at: datetime, zone: str, *, letters: int = 0
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
        yield _overdue(case_id, raised.duties, drafts, asked_at, zone, letters), Step.LAST
    if raised.internal:
        yield _past_internal(case_id, raised.internal, asked_at), Step.LAST


def _unknown(case_id: UUID, leas: Sequence[str], asked_at: datetime) -> Message:
    reference, notices = identifiers.case_reference(case_id), counted(len(leas), "notice")
    return Message(
        key=f"unknown:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="unknown",
        subject=f"Nobody can say whether {notices} of case {reference} arrived",
        paragraphs=(
            f"In case {reference}, the connection was lost each time that a notice under these agreements had been "
            "handed over, so it may have arrived or not. It is not sent again by itself. Please ask these LEAs; then "
            "record on the case's page that it arrived, or have it sent once more.",
            _named(leas),
        ),
        alert=f"Case {reference}: nobody can say whether {notices} arrived.",
        page=_case_page(case_id),
        case_id=case_id,
        alarm=True,
    )


def _refused(case_id: UUID, leas: Sequence[str], asked_at: datetime, *, came_back: bool) -> Message:
    reference, contacts = identifiers.case_reference(case_id), counted(len(leas), "contact")
    refused = "refused a notice, or let one come back" if came_back else "refused a notice"
    reopened = (
        ("A notice that came back was not given: where it reached nobody else, its duty is owed again.",)
        if came_back
        else ()
    )
    return Message(
        key=f"contacts:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="contacts",
        subject=f"{contacts} {refused}, in case {reference}"
        if came_back
        else f"{contacts} {refused} of case {reference}",
        paragraphs=(
            f"In case {reference}, the mail server of {contacts} {refused}. The LEA's next contact is "
            "tried instead, now and with later notices. Please ask these LEAs for another contact.",
            *reopened,
            _named(leas),
        ),
        alert=f"Case {reference}: {contacts} {refused}.",
        page=_case_page(case_id),
        case_id=case_id,
        alarm=came_back,
    )


def _overdue(
    case_id: UUID, leas: Sequence[str], drafts: Sequence[OverdueDrafts], asked_at: datetime, zone: str, letters: int
) -> Message:
    reference, duties = identifiers.case_reference(case_id), counted(len(leas), "duty", "duties")
    page = _case_page(case_id)
    waiting = (
        f"Drafted, overdue, and waiting for your release: {counted(part.notices, 'notice')} under {part.clause}. Look "
        "at the dates first: is one of them mistyped, correct it, and nothing goes out because of it. What nobody "
        f"releases goes out by itself at {instant_words(part.leaves_at, zone)}."
        for part in drafts
    )
    wait = counted(letters, "letter waits", "letters wait")
    to_post = [f"{wait} to be printed and posted: see Letters, or duenotice letters list."] if letters else []
    return Message(
        key=f"escalation:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="overdue",
        subject=f"{duties} of case {reference} overdue, late or undelivered",
        paragraphs=(
            f"Overdue, met late, or with no contact that could be reached: in case {reference} that is so of {duties}.",
            *waiting,
            *to_post,
            _named(leas),
        ),
        alert=f"Case {reference}: {duties} overdue, late or undelivered.",
        page=f"{page}/drafts" if drafts else page,
        case_id=case_id,
        alarm=True,
    )


def _past_internal(case_id: UUID, leas: Sequence[str], asked_at: datetime) -> Message:
    reference, duties = identifiers.case_reference(case_id), counted(len(leas), "duty", "duties")
    return Message(
        key=f"internal:{case_id}:{asked_at.isoformat()}:{len(leas)}",
        about="internal-date",
        subject=f"{duties} of case {reference} past the internal date",
        paragraphs=(
            f"In case {reference}, {duties} that this organisation wanted done by now, ahead of the due date, are not "
            "done. Nothing of it is overdue: the case's page says when each is due, and why.",
            _named(leas),
        ),
        alert=f"Case {reference}: {duties} past the internal date, and not overdue.",
        page=_case_page(case_id),
        case_id=case_id,
    )


def _case_page(case_id: UUID) -> str:
    """The path of the page of a case."""
    return f"/cases/{case_id}"


def _named(leas: Sequence[str]) -> str:
    more = len(leas) - LISTED
    return "\n".join((*leas[:LISTED], *((f"and {more} more",) if more > 0 else ())))
