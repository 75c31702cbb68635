"""What needs people, in one list: what it is, whose it is, until when, and where it is done.

Sealed columns are opened only for the lines that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlmodel import Session, col, select

from cases.kinds import kind_named
from cases.state import CaseState
from config.database import Database
from models import identifiers
from models.enums import Authentication
from models.phrases import counted
from models.tables import OPEN_PROPOSAL, Account, Case, CaseErasure, Proposal
from models.view import View
from people.accounts import APPROVING, find_account_or_none, may_second
from records.mail_state import MailIsPaused
from records.need_sorts import Need, NeedKind, Reader, statements
from records.responsible import Assignment, assignments, can_act

MAIL_PAGE = "/mail"
"""The page that shows how mail goes on the whole."""


LEDGER_PAGE = "/ledger"
"""The page that shows what the last check of the ledger found."""

POST_PAGE = "/post"
"""The page of letters to post."""


class NeedView(View):
    """One thing that needs somebody, as one line.

    ``link`` is the path of the page on which it is done. ``until`` is when what it holds up is due, or when it is to be
    looked at again; without it, it is to be done at once, and has been since ``since``. ``internal_at`` is the internal
    date of what it holds up, where there is one. ``leaves_at`` is when drafts go out if nobody acts. Without
    ``responsible``, the organisation's contact is.
    """

    kind: NeedKind
    says: str
    link: str
    case_id: UUID | None
    case_title: str | None
    responsible: str | None
    deputy: str | None
    until: datetime | None
    since: datetime | None
    internal_at: datetime | None
    leaves_at: datetime | None
    overdue: bool

    @property
    def case_reference(self) -> str | None:
        """The short name of its case."""
        return identifiers.case_reference(self.case_id) if self.case_id else None


@dataclass(frozen=True)
class Asking:
    """Who reads the list, and how much of it.

    Attributes:
        name: the account's name, or the user of the command line; None for the organisation's contact.
        authenticated: how they are signed in, as far as that bears on whose proposals they may decide.
        own: whether only what is theirs is read: of the cases in their charge, what they proposed and may decide.
        soon: within what time drafts that go out by themselves are named so.
    """

    name: str | None
    authenticated: Authentication | None = None
    own: bool = False
    soon: timedelta = timedelta(hours=24)

    @property
    def by_link(self) -> bool:
        """Whether a one-time link is all that says who reads."""
        return self.authenticated is Authentication.ONE_TIME_LINK


def read_needs(
    database: Database, asking: Asking, now: datetime, *, offset: int, limit: int
) -> tuple[tuple[NeedView, ...], int]:
    """Some of what needs the reader, and how much there is: what is overdue first, then what is to be done at once.

    Nobody who only reads needs to do anything; an approver decides proposals alone.
    """
    with database.reading() as session:
        return needs_of(session, asking, now, offset=offset, limit=limit)


def needs_of(
    session: Session, asking: Asking, now: datetime, *, offset: int, limit: int
) -> tuple[tuple[NeedView, ...], int]:
    """As ``read_needs``, in a session."""
    account = find_account_or_none(session, asking.name) if asking.name else None
    decides = account is not None and account.role in APPROVING
    asked = statements(
        Reader(
            acts=account is None or can_act(account),
            proposes=asking.name is not None,
            decides=decides,
            own=asking.own,
            has_account=account is not None,
        )
    )
    if asked is None:
        return (), 0
    given = {
        "now": now,
        "name": asking.name,
        "name_key": account.name_key if account else None,
        "decidable": _decidable(session, account, asking) if account and decides else (),
    }
    total = session.execute(asked.count, given).scalar_one()
    if not total:
        return (), 0
    part = {"first": offset, "limit": limit, "most": offset + limit}
    rows = session.execute(asked.lines, given | part).all()
    return _shown(session, [Need(NeedKind(row[0]), *row[1:]) for row in rows], asking, now), total


def _decidable(session: Session, account: Account, asking: Asking) -> tuple[str, ...]:
    """Whose open proposals an account may decide, as its person is signed in."""
    proposers = [
        *session.exec(select(Proposal.proposed_by).where(OPEN_PROPOSAL).distinct()),
        *session.exec(select(CaseErasure.proposed_by).where(OPEN_PROPOSAL).distinct()),
    ]
    return may_second(session, account, proposers, asking.authenticated)


def _shown(session: Session, needs: Sequence[Need], asking: Asking, now: datetime) -> tuple[NeedView, ...]:
    """The lines as they are read; only of these, titles are opened."""
    keys = {need.case_id for need in needs if need.case_id}
    cases = {row.id: row for row in session.exec(select(Case).where(col(Case.id).in_(keys)))}
    whose = assignments(session, keys)
    return tuple(_view(need, cases, whose, asking, now) for need in needs)


def _view(
    need: Need, cases: Mapping[UUID, Case], whose: Mapping[UUID, Assignment], asking: Asking, now: datetime
) -> NeedView:
    of = cases[need.case_id] if need.case_id else None
    assignment = whose[need.case_id] if need.case_id else Assignment()
    able = assignment.usable()
    overdue = need.until is not None and need.until < now
    kind = need.kind
    if kind is NeedKind.DRAFTS and not overdue and need.leaves_at and need.leaves_at <= now + asking.soon:
        kind = NeedKind.LEAVING
    place = f"/cases/{need.case_id}" if need.case_id else MAIL_PAGE
    if kind is NeedKind.LETTERS:
        place = f"{POST_PAGE}?case={need.case_id}"
    says, part = _says(kind, need, of, overdue=overdue)
    return NeedView(
        kind=kind,
        says=says,
        link=f"{place}{part}",
        case_id=need.case_id,
        case_title=of.title if of else None,
        responsible=able[0].name if able else None,
        deputy=able[1].name if len(able) > 1 else None,
        until=need.until,
        since=need.since,
        internal_at=need.internal_at,
        leaves_at=need.leaves_at,
        overdue=overdue,
    )


def _says(kind: NeedKind, need: Need, of: Case | None, *, overdue: bool) -> tuple[str, str]:
    """A line's sentence, and where on its case's pages it is done."""
    match kind:
        case NeedKind.DRAFTS | NeedKind.LEAVING:
            late = f", and {'is' if need.number == 1 else 'are'} overdue" if overdue else ""
            return f"{counted(need.number, 'notice waits', 'notices wait')} for your release{late}.", "/drafts"
        case NeedKind.PAST_INTERNAL:
            past = counted(need.number, "duty is", "duties are")
            return f"{past} past the internal date, and not overdue.", "#duties"
        case NeedKind.LAPSING:
            withheld = f"{counted(need.number, 'notice is', 'notices are')} withheld by one person, which lapses."
            return f"{withheld} Release what may go; a second person can keep back the rest.", ""
        case NeedKind.PROPOSAL:
            what = f"A proposal about {need.word} waits for your decision. Approve or decline it."
            return what, f"/proposals/{need.subject}"
        case NeedKind.OWN_PROPOSAL:
            what = f"Your proposal about {need.word} waits for a second person."
            return what, f"/proposals/{need.subject}"
        case NeedKind.ERASURE:
            return "A proposal to erase its personal data waits for your decision. Approve or decline it.", "/erasure"
        case NeedKind.OWN_ERASURE:
            return "Your proposal to erase its personal data waits for a second person.", "/erasure"
        case NeedKind.QUESTIONS:
            return (
                f"{counted(need.number, 'question of districts waits', 'questions of districts wait')} for an answer.",
                "#answers",
            )
        case NeedKind.FACTS_SAID:
            said = counted(need.number, "district says that it expects", "districts say that they expect")
            return f"{said} to renew. Its data is kept; see what is recorded of the agreement.", "#answers"
        case NeedKind.NAMED_CONTACTS:
            named = counted(need.number, "contact that a district named waits", "contacts that districts named wait")
            return f"{named} to be taken into the agreement, or left out.", "#answers"
        case NeedKind.FAILING_CONTACTS:
            nobody = f" For {counted(need.other, 'notice')} nobody is left who could be told." if need.other else ""
            return f"{counted(need.number, 'contact')} refused mail. Ask for other contacts.{nobody}", "#duties"
        case NeedKind.CAME_BACK:
            owed = counted(need.number, "duty is", "duties are")
            return f"{owed} owed again: the notice came back. See that another contact is told.", "#duties"
        case NeedKind.LETTERS:
            wait = counted(need.number, "letter waits", "letters wait")
            printed = counted(need.other, "printed letter is", "printed letters are")
            anew = f" {printed} not to be posted any more: others were written in their place." if need.other else ""
            return f"{wait} to be printed and posted, since no e-mail reaches the contacts.{anew}", ""
        case NeedKind.HOLDER_ANSWERS:
            said = f"{counted(need.number, 'holder')} of data said something else than that it was disposed of."
            return f"{said} Accept or refuse the answer.", "#holders"
        case NeedKind.HOLDERS_UNREACHED:
            who = counted(need.number, "holder")
            return f"{who} of data cannot be reached by mail. Find out the right address, and import it.", "#holders"
        case NeedKind.UNKNOWN:
            what = f"Nobody can say whether {counted(need.number, 'message')} arrived."
            return f"{what} Ask the district; then record it, or send it again.", "#acts"
        case NeedKind.MAIL:
            held = f"{counted(need.number, 'notice')} of {counted(need.other, 'case')}"
            wait = "waits" if need.number == 1 else "wait"
            if need.word == MailIsPaused.code:
                why = "Mail is paused, since many notices were refused alike"
                return f"{why}: {held} {wait}. Mend what is refused; then let mail go on.", ""
            return f"The mail server takes no mail, and {held} {wait} for it. Have it looked at.", ""
        case NeedKind.STUCK:
            return "The clocks of this case do not run, or stand still. Its page says what to do.", ""
        case NeedKind.UNDECIDED:
            return f"Nobody has decided what this is: {_decisions(of)}. Until then, some clocks do not run.", ""
        case NeedKind.MISSING:
            waiting = counted(need.number, "duty waits", "duties wait")
            return f"{waiting} for something that is required at once and nobody has given. Give it.", "#duties"
        case NeedKind.TO_FOLLOW:
            told = f"More was said to follow for {counted(need.number, 'duty', 'duties')}"
            return f"{told}. Say what is known by now, or that it cannot be determined.", "#facts"
        case _:
            assert_never(kind)


def _decisions(of: Case | None) -> str:
    """What a case of a kind that nobody has decided about offers, in words."""
    assert of is not None, "only a case is undecided"
    offered = kind_named(of.kind).own_acts(CaseState(anchors={}))
    return " or ".join(act.act_name().replace("-", " ") for act in offered) or "look at its page"
