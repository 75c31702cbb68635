"""What needs people, in one list: what it is, whose it is, until when, and where it is done.

It is one statement over every case, however many are open: each sort of need is found by an index of its own, and
sealed columns are opened only for the lines that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, assert_never
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    case,
    cast,
    literal,
    null,
    or_,
    union_all,
)
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select

from cases.kinds import kind_named
from cases.state import CaseState
from config.database import Database
from models import identifiers
from models.columns import UtcDateTime
from models.enums import AnswerKind, Authentication, BatchStatus, DutyStatus
from models.phrases import counted
from models.tables import (
    ANSWERED,
    NOT_DECIDED,
    OPEN_ANSWER,
    OPEN_PROPOSAL,
    STUCK,
    WAITS_FOR_PEOPLE,
    Account,
    AgreementContact,
    Answer,
    Batch,
    Case,
    Delivery,
    Duty,
    HolderTask,
    Notice,
    NotYetDecision,
    Proposal,
)
from models.view import View
from people.accounts import APPROVING, find_account_or_none, may_second
from records.outbox import FAILED
from records.responsible import Assignment, assignments, can_act, is_charge_of
from records.troubles import NO_MAIL
from records.undecided import UNDECIDED
from records.unraised import about_proposal
from records.withholding import alone


class NeedKind(StrEnum):
    """The sorts of what needs people."""

    DRAFTS = "drafts"
    LEAVING = "leaving"
    """Drafts that go out by themselves within the next hours."""
    LAPSING = "lapsing"
    """Notices that one person withheld, and that go out at their last safe moment."""
    PROPOSAL = "proposal"
    OWN_PROPOSAL = "own_proposal"
    """A proposal of the reader's own, which a second person decides."""
    QUESTIONS = "questions"
    NAMED_CONTACTS = "named_contacts"
    FACTS_SAID = "facts_said"
    """What districts said of their agreements, as that they expect to renew."""
    FAILING_CONTACTS = "failing_contacts"
    HOLDER_ANSWERS = "holder_answers"
    """What holders of data said instead of a certificate."""
    UNKNOWN = "unknown"
    MAIL = "mail"
    STUCK = "stuck"
    UNDECIDED = "undecided"
    MISSING = "missing"
    """What a clause requires at once and nobody has given: without it nothing is drafted, and its time runs."""


class NeedView(View):
    """One thing that needs somebody, as one line.

    ``link`` is the path of the page on which it is done. ``until`` is when what it holds up is due, or when it is to be
    looked at again; without it, it is to be done at once, and has been since ``since``. ``leaves_at`` is when drafts go
    out if nobody acts. Without ``responsible``, the organisation's contact is.
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


class _Need(NamedTuple):
    """One line as the statement gives it; what ``number``, ``other`` and ``word`` are, its sort says."""

    kind: NeedKind
    case_id: UUID | None
    subject: UUID | None
    until: datetime | None
    since: datetime | None
    leaves_at: datetime | None
    number: int
    other: int
    word: str | None


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
    parts = [*(_acts() if account is None or can_act(account) else ()), *_proposals(session, asking, account)]
    if asking.own:
        parts = _own(session, parts, account)
    if not parts:
        return (), 0
    counts = union_all(*(select_columns(func.count().label("lines")).select_from(part.subquery()) for part in parts))
    total = session.execute(select_columns(func.sum(counts.subquery().c.lines))).scalar_one()
    # The first of each sort are among the first of all: only so many are put in order.
    firsts = [select_columns(_ordered(part, now).limit(offset + limit).subquery()) for part in parts]
    rows = session.execute(_ordered(union_all(*firsts), now).offset(offset).limit(limit)).all()
    return _shown(session, [_Need(NeedKind(row[0]), *row[1:]) for row in rows], asking, now), total


def _ordered(part: Select[Any] | CompoundSelect[Any], now: datetime) -> Select[Any]:
    """The lines of some sorts: those overdue, the longest first, then those to be done at once, then the others."""
    lines = part.subquery()
    columns = lines.c
    urgency = case((columns.until < now, 0), (columns.until.is_(None), 1), else_=2)
    when = func.coalesce(columns.until, columns.since)
    return select_columns(lines).order_by(urgency, when, columns.kind, columns.case_id, columns.subject)


def _own(session: Session, parts: Sequence[Select[Any]], account: Account | None) -> list[Select[Any]]:
    """Of each sort, the lines of cases in the charge of an account, or of nobody's; what it proposed, or may decide."""
    theirs = select_columns(col(Case.id)).where(is_charge_of(session, account.id if account else None))
    found = []
    for part in parts:
        lines = part.subquery()
        nobodys = and_(lines.c.case_id.is_(None), literal(account is None))
        proposals = lines.c.kind.in_((NeedKind.PROPOSAL.value, NeedKind.OWN_PROPOSAL.value))
        found.append(select_columns(lines).where(or_(lines.c.case_id.in_(theirs), nobodys, proposals)))
    return found


def _part(
    kind: NeedKind,
    case_id: Any = None,
    *,
    subject: Any = None,
    until: Any = None,
    since: Any = None,
    leaves_at: Any = None,
    number: Any = 1,
    other: Any = 0,
    word: Any = None,
) -> Select[Any]:
    """One sort of need: the columns of ``_Need`` in their order, each of one type, so that the sorts can be united."""

    def given(name: str, value: Any, type_: Any) -> ColumnElement[Any]:
        return (cast(null(), type_) if value is None else value).label(name)

    return select_columns(
        literal(kind.value).label("kind"),
        given("case_id", case_id, Uuid),
        given("subject", subject, Uuid),
        given("until", until, UtcDateTime),
        given("since", since, UtcDateTime),
        given("leaves_at", leaves_at, UtcDateTime),
        given("number", literal(number) if isinstance(number, int) else number, Integer),
        given("other", literal(other) if isinstance(other, int) else other, Integer),
        given("word", word, String),
    )


_UNGIVEN = and_(
    col(Notice.given_at).is_(None),
    col(Batch.status) == BatchStatus.SENT,
    col(Duty.status) == DutyStatus.RUNNING,
)
"""What a notice is of which no contact is left to be told."""

_DUE = func.min(case((col(Duty.status) == DutyStatus.RUNNING, col(Duty.due_at))))
"""When the first of the duties is due that still run."""


def _acts() -> tuple[Select[Any], ...]:
    """What needs whoever may act."""
    return (
        _drafts(),
        _lapsing(),
        _answers(NeedKind.QUESTIONS, AnswerKind.QUESTION),
        _answers(NeedKind.NAMED_CONTACTS, AnswerKind.OTHER_CONTACT),
        _answers(NeedKind.FACTS_SAID, AnswerKind.FACT),
        _failing_contacts(),
        _holder_answers(),
        _unknown(),
        _mail(),
        _stuck(),
        _undecided(),
        _missing(),
    )


def _drafts() -> Select[Any]:
    """Drafts that wait for a release, case by case; ``number`` counts them."""
    return (
        _part(
            NeedKind.DRAFTS,
            col(Batch.case_id),
            until=func.min(func.coalesce(Batch.due_at, Batch.leaves_at)),
            leaves_at=func.min(Batch.leaves_at),
            number=func.sum(Batch.size),
        )
        .where(col(Batch.status) == BatchStatus.WAITING, col(Batch.released_by).is_(None))
        .group_by(col(Batch.case_id))
    )


def _lapsing() -> Select[Any]:
    """Notices that one person withheld, case by case; ``leaves_at`` is when that lapses."""
    return (
        _part(
            NeedKind.LAPSING,
            col(Batch.case_id),
            until=func.min(func.coalesce(Batch.due_at, Batch.last_safe_at)),
            leaves_at=func.min(Batch.last_safe_at),
            number=func.sum(Batch.size),
        )
        .where(col(Batch.status) == BatchStatus.WITHHELD, col(Batch.last_safe_at).is_not(None), alone())
        .group_by(col(Batch.case_id))
    )


def _proposals(session: Session, asking: Asking, account: Account | None) -> tuple[Select[Any], ...]:
    """Proposals that the reader may decide, and their own; ``word`` is the clause, ``subject`` the proposal."""
    due = (
        select_columns(_DUE)
        .where(
            col(Duty.case_id) == col(Proposal.case_id),
            or_(col(Proposal.clause).is_(None), col(Duty.clause) == col(Proposal.clause)),
        )
        .scalar_subquery()
    )

    def part(kind: NeedKind, whose: ColumnElement[bool]) -> Select[Any]:
        return (
            _part(
                kind,
                col(Proposal.case_id),
                subject=col(Proposal.id),
                until=due,
                since=col(Proposal.proposed_at),
                word=about_proposal(),
            )
            .join(Case, col(Case.id) == col(Proposal.case_id))
            .where(OPEN_PROPOSAL, col(Case.closed_at).is_(None), whose)
        )

    if asking.name is None:
        return ()
    parts = [part(NeedKind.OWN_PROPOSAL, col(Proposal.proposed_by) == asking.name)]
    if account and account.role in APPROVING:
        proposers = session.exec(select(Proposal.proposed_by).where(OPEN_PROPOSAL).distinct()).all()
        decidable = may_second(session, account, proposers, asking.authenticated)
        parts.append(part(NeedKind.PROPOSAL, col(Proposal.proposed_by).in_(decidable)))
    return tuple(parts)


def _answers(kind: NeedKind, of: AnswerKind) -> Select[Any]:
    """What districts said that nobody has dealt with, case by case, closed ones too."""
    return (
        _part(kind, col(Answer.case_id), since=func.min(Answer.given_at), number=func.count())
        .where(OPEN_ANSWER, col(Answer.kind) == of)
        .group_by(col(Answer.case_id))
    )


def _failing_contacts() -> Select[Any]:
    """Contacts that refused a notice and were not replaced; ``other`` counts notices for which nobody is left."""
    still_named = and_(col(AgreementContact.failing_since).is_not(None), col(AgreementContact.rank) >= 0)
    return (
        _part(
            NeedKind.FAILING_CONTACTS,
            col(Notice.case_id),
            until=_DUE,
            since=func.min(Delivery.settled_at),
            number=func.count(col(Delivery.contact_id).distinct()),
            other=func.count(case((_UNGIVEN, col(Notice.id))).distinct()),
        )
        .select_from(Delivery)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .join(AgreementContact, col(AgreementContact.id) == col(Delivery.contact_id))
        .join(Case, col(Case.id) == col(Notice.case_id))
        .where(col(Delivery.status).in_(FAILED), col(Notice.dropped).is_(False), col(Case.closed_at).is_(None))
        .where(or_(still_named, _UNGIVEN))
        .group_by(col(Notice.case_id))
    )


def _holder_answers() -> Select[Any]:
    """Holders of data that said something instead of certifying its disposal, case by case."""
    return (
        _part(
            NeedKind.HOLDER_ANSWERS,
            col(HolderTask.case_id),
            until=func.min(HolderTask.due_at),
            since=func.min(HolderTask.awaited_since),
            number=func.count(),
        )
        .where(ANSWERED)
        .group_by(col(HolderTask.case_id))
    )


def _unknown() -> Select[Any]:
    """Messages of which a person has to say whether they arrived, case by case."""
    return (
        _part(
            NeedKind.UNKNOWN,
            col(Notice.case_id),
            until=_DUE,
            since=func.min(Delivery.attempted_at),
            number=func.count(),
        )
        .select_from(Delivery)
        .join(Notice, col(Notice.id) == col(Delivery.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(*UNDECIDED)
        .group_by(col(Notice.case_id))
    )


def _mail() -> Select[Any]:
    """That the mail server takes no mail, once for all cases, of which ``other`` counts those that wait for it."""
    first = select_columns(col(Batch.case_id)).where(*NO_MAIL).order_by(col(Batch.due_at), col(Batch.id)).limit(1)
    return (
        _part(
            NeedKind.MAIL,
            subject=first.scalar_subquery(),
            until=func.min(Batch.due_at),
            since=func.min(Batch.trouble_since),
            number=func.sum(Batch.size),
            other=func.count(col(Batch.case_id).distinct()),
        )
        .where(*NO_MAIL)
        .having(func.count() > 0)
    )


def _stuck() -> Select[Any]:
    """Cases that do not go on."""
    due = select_columns(_DUE).where(col(Duty.case_id) == col(Case.id)).scalar_subquery()
    since = func.coalesce(Case.trouble_since, Case.opened_at)
    return _part(NeedKind.STUCK, col(Case.id), until=due, since=since).where(STUCK)


def _missing() -> Select[Any]:
    """Duties that cannot be performed, since people have not given what they require at once, case by case."""
    return (
        _part(NeedKind.MISSING, col(Duty.case_id), until=func.min(Duty.due_at), number=func.count())
        .where(WAITS_FOR_PEOPLE)
        .group_by(col(Duty.case_id))
    )


def _undecided() -> Select[Any]:
    """Cases of which nobody has said yet what the matter is; one put off is to be looked at again at its moment."""
    again = (
        select_columns(func.max(NotYetDecision.again_at))
        .where(col(NotYetDecision.case_id) == col(Case.id))
        .scalar_subquery()
    )
    return _part(NeedKind.UNDECIDED, col(Case.id), until=again, since=col(Case.opened_at)).where(NOT_DECIDED)


def _shown(session: Session, needs: Sequence[_Need], asking: Asking, now: datetime) -> tuple[NeedView, ...]:
    """The lines as they are read; only of these, titles are opened."""
    keys = {need.case_id for need in needs if need.case_id}
    cases = {row.id: row for row in session.exec(select(Case).where(col(Case.id).in_(keys)))}
    whose = assignments(session, keys)
    return tuple(_view(need, cases, whose, asking, now) for need in needs)


def _view(
    need: _Need, cases: Mapping[UUID, Case], whose: Mapping[UUID, Assignment], asking: Asking, now: datetime
) -> NeedView:
    of = cases[need.case_id] if need.case_id else None
    assignment = whose[need.case_id] if need.case_id else Assignment()
    able = assignment.usable()
    overdue = need.until is not None and need.until < now
    kind = need.kind
    if kind is NeedKind.DRAFTS and not overdue and need.leaves_at and need.leaves_at <= now + asking.soon:
        kind = NeedKind.LEAVING
    place = f"/cases/{need.case_id or need.subject}"
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
        leaves_at=need.leaves_at,
        overdue=overdue,
    )


def _says(kind: NeedKind, need: _Need, of: Case | None, *, overdue: bool) -> tuple[str, str]:
    """A line's sentence, and where on its case's pages it is done."""
    match kind:
        case NeedKind.DRAFTS | NeedKind.LEAVING:
            late = f", and {'is' if need.number == 1 else 'are'} overdue" if overdue else ""
            return f"{counted(need.number, 'notice waits', 'notices wait')} for your release{late}.", "/drafts"
        case NeedKind.LAPSING:
            withheld = f"{counted(need.number, 'notice is', 'notices are')} withheld by one person, which lapses."
            return f"{withheld} Release what may go; a second person can keep back the rest.", ""
        case NeedKind.PROPOSAL:
            what = f"A proposal about {need.word} waits for your decision. Approve or decline it."
            return what, f"/proposals/{need.subject}"
        case NeedKind.OWN_PROPOSAL:
            what = f"Your proposal about {need.word} waits for a second person."
            return what, f"/proposals/{need.subject}"
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
        case NeedKind.HOLDER_ANSWERS:
            said = f"{counted(need.number, 'holder')} of data said something else than that it was disposed of."
            return f"{said} Accept or refuse the answer.", "#holders"
        case NeedKind.UNKNOWN:
            what = f"Nobody can say whether {counted(need.number, 'message')} arrived."
            return f"{what} Ask the district; then record it, or send it again.", "#acts"
        case NeedKind.MAIL:
            held = f"{counted(need.number, 'notice')} of {counted(need.other, 'case')}"
            wait = "waits" if need.number == 1 else "wait"
            return f"The mail server takes no mail, and {held} {wait} for it. Have it looked at.", ""
        case NeedKind.STUCK:
            return "The clocks of this case do not run, or stand still. Its page says what to do.", ""
        case NeedKind.UNDECIDED:
            return f"Nobody has decided what this is: {_decisions(of)}. Until then, some clocks do not run.", ""
        case NeedKind.MISSING:
            waiting = counted(need.number, "duty waits", "duties wait")
            return f"{waiting} for something that is required at once and nobody has given. Give it.", "#duties"
        case _:
            assert_never(kind)


def _decisions(of: Case | None) -> str:
    """What a case of a kind that nobody has decided about offers, in words."""
    assert of is not None, "only a case is undecided"
    offered = kind_named(of.kind).own_acts(CaseState(anchors={}))
    return " or ".join(act.act_name().replace("-", " ") for act in offered) or "look at its page"
