"""The sorts of what needs people, as SQL: one statement over every case, however many are open.

Each sort is found by an index of its own. A statement is built once for each sort of reader and takes its values as
parameters: building it takes longer than reading what it finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    union_all,
)
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import col

from mail.delivery_states import FAILED
from models.columns import UtcDateTime
from models.enums import SETTLED, AnswerKind, BatchStatus, DutyStatus
from models.tables import (
    ANSWERED,
    FAILING,
    INTERNAL,
    NOT_DECIDED,
    OPEN_ANSWER,
    OPEN_PROPOSAL,
    REOPENED,
    STUCK,
    TO_FOLLOW,
    WAITS_FOR_PEOPLE,
    AgreementContact,
    Answer,
    Batch,
    Case,
    CaseErasure,
    Delivery,
    Duty,
    HolderTask,
    Notice,
    NotYetDecision,
    PostalLetter,
    Proposal,
    SentMail,
)
from records.postal_letters import STANDING, TO_POST
from records.responsible import is_charge_of
from records.troubles import NO_MAIL
from records.undecided import UNDECIDED
from records.unraised import about_proposal
from records.withholding import alone

_NOW = bindparam("now", type_=UtcDateTime)


class NeedKind(StrEnum):
    """The sorts of what needs people."""

    DRAFTS = "drafts"
    LEAVING = "leaving"
    """Drafts that go out by themselves within the next hours."""
    PAST_INTERNAL = "past_internal"
    """Duties that are past their internal dates, and not overdue."""
    LAPSING = "lapsing"
    """Notices that one person withheld, and that go out at their last safe moment."""
    PROPOSAL = "proposal"
    OWN_PROPOSAL = "own_proposal"
    """A proposal of the reader's own, which a second person decides."""
    ERASURE = "erasure"
    OWN_ERASURE = "own_erasure"
    """Proposals to erase closed cases."""
    QUESTIONS = "questions"
    NAMED_CONTACTS = "named_contacts"
    FACTS_SAID = "facts_said"
    """What districts said of their agreements, as that they expect to renew."""
    FAILING_CONTACTS = "failing_contacts"
    CAME_BACK = "came_back"
    """Duties that are owed again, since the notices that had performed them came back."""
    LETTERS = "letters"
    """Letters that wait for a person to print and post them."""
    HOLDER_ANSWERS = "holder_answers"
    """What holders of data said instead of a certificate."""
    HOLDERS_UNREACHED = "holders_unreached"
    """Holders of data whose addresses refuse our mail, or let it come back."""
    UNKNOWN = "unknown"
    MAIL = "mail"
    STUCK = "stuck"
    UNDECIDED = "undecided"
    MISSING = "missing"
    """What a clause requires at once and nobody has given: without it nothing is drafted, and its time runs."""
    TO_FOLLOW = "to_follow"
    """What notices said would follow, and nobody has given or declared impossible to determine."""


class Need(NamedTuple):
    """One line as the statement gives it; what ``number``, ``other`` and ``word`` are, its sort says."""

    kind: NeedKind
    case_id: UUID | None
    subject: UUID | None
    until: datetime | None
    since: datetime | None
    internal_at: datetime | None
    leaves_at: datetime | None
    number: int
    other: int
    word: str | None


@dataclass(frozen=True)
class Reader:
    """What sort of reader asks, which decides what the statements are.

    Attributes:
        acts: whether they may act.
        proposes: whether they have a name, under which they may have proposed something.
        decides: whether they may decide what others proposed.
        own: whether only what is theirs is read.
        has_account: whether what is theirs is an account's, and not the organisation's contact's.
    """

    acts: bool
    proposes: bool
    decides: bool
    own: bool
    has_account: bool


@dataclass(frozen=True)
class Statements:
    """What reads the needs of one sort of reader.

    ``count`` takes the parameters ``now``, ``name``, ``name_key`` and ``decidable`` (the names whose proposals the
    reader may decide); ``lines`` also takes ``first`` (how many are passed over), ``limit`` and ``most`` (their sum).
    """

    count: Select[Any]
    lines: Select[Any]


@cache
def statements(reader: Reader) -> Statements | None:
    """The statements for a sort of reader; None for whom nothing can need.

    Every value is a parameter, so they serve each such reader, at any time, on any database.
    """
    parts = [*(_acts() if reader.acts else ()), *_proposals(reader)]
    if not parts:
        return None
    if reader.own:
        parts = [_own(part, has_account=reader.has_account) for part in parts]
    counts = union_all(*(select_columns(func.count().label("lines")).select_from(part.subquery()) for part in parts))
    # The first of each sort are among the first of all: only so many are put in order.
    most, first, limit = (bindparam(name, type_=Integer) for name in ("most", "first", "limit"))
    firsts = [select_columns(_ordered(part).limit(most).subquery()) for part in parts]
    return Statements(
        select_columns(func.sum(counts.subquery().c.lines)),
        _ordered(union_all(*firsts)).offset(first).limit(limit),
    )


def _ordered(part: Select[Any] | CompoundSelect[Any]) -> Select[Any]:
    """The lines of some sorts: those overdue, the longest first, then those to be done at once, then the others.

    What has an internal date stands where that is.
    """
    lines = part.subquery()
    columns = lines.c
    urgency = case((columns.until < _NOW, 0), (columns.until.is_(None), 1), else_=2)
    when = func.coalesce(columns.internal_at, columns.until, columns.since)
    return select_columns(lines).order_by(urgency, when, columns.kind, columns.case_id, columns.subject)


def _own(part: Select[Any], *, has_account: bool) -> Select[Any]:
    """Of a sort, the lines of cases in the charge of an account, or of nobody's; what it proposed, or may decide."""
    account = bindparam("name_key", type_=String) if has_account else None
    theirs = select_columns(col(Case.id)).where(is_charge_of(account))
    lines = part.subquery()
    nobodys = and_(lines.c.case_id.is_(None), literal(not has_account))
    return select_columns(lines).where(or_(lines.c.case_id.in_(theirs), nobodys, lines.c.kind.in_(_PROPOSALS)))


_PROPOSALS = tuple(
    kind.value for kind in (NeedKind.PROPOSAL, NeedKind.OWN_PROPOSAL, NeedKind.ERASURE, NeedKind.OWN_ERASURE)
)


def _part(
    kind: NeedKind,
    case_id: Any = None,
    *,
    subject: Any = None,
    until: Any = None,
    since: Any = None,
    internal_at: Any = None,
    leaves_at: Any = None,
    number: Any = 1,
    other: Any = 0,
    word: Any = None,
) -> Select[Any]:
    """One sort of need: the columns of ``Need`` in their order, each of one type, so that the sorts can be united."""

    def given(name: str, value: Any, type_: Any) -> ColumnElement[Any]:
        return (cast(null(), type_) if value is None else value).label(name)

    return select_columns(
        literal(kind.value).label("kind"),
        given("case_id", case_id, Uuid),
        given("subject", subject, Uuid),
        given("until", until, UtcDateTime),
        given("since", since, UtcDateTime),
        given("internal_at", internal_at, UtcDateTime),
        given("leaves_at", leaves_at, UtcDateTime),
        given("number", literal(number) if isinstance(number, int) else number, Integer),
        given("other", literal(other) if isinstance(other, int) else other, Integer),
        given("word", word, String),
    )


_UNGIVEN = and_(
    col(Notice.given_at).is_(None),
    ~select_columns(col(PostalLetter.id)).where(col(PostalLetter.notice_id) == Notice.id, STANDING).exists(),
    col(Batch.status) == BatchStatus.SENT,
    col(Duty.status) == DutyStatus.RUNNING,
)
"""What a notice is of which no contact is left to be told, by mail or by a letter."""

_DUE = func.min(case((col(Duty.status) == DutyStatus.RUNNING, col(Duty.due_at))))
"""When the first of the duties is due that still run."""


def _acts() -> tuple[Select[Any], ...]:
    """What needs whoever may act."""
    return (
        _drafts(),
        _past_internal(),
        _lapsing(),
        _answers(NeedKind.QUESTIONS, AnswerKind.QUESTION),
        _answers(NeedKind.NAMED_CONTACTS, AnswerKind.OTHER_CONTACT),
        _answers(NeedKind.FACTS_SAID, AnswerKind.FACT),
        _failing_contacts(),
        _came_back(),
        _letters(),
        _holder_answers(),
        _holders_unreached(),
        _unknown(),
        _mail(),
        _stuck(),
        _undecided(),
        _missing(),
        _to_follow(),
    )


def _drafts() -> Select[Any]:
    """Drafts that wait for a release, case by case; ``number`` counts them."""
    return (
        _part(
            NeedKind.DRAFTS,
            col(Batch.case_id),
            until=func.min(func.coalesce(Batch.due_at, Batch.leaves_at)),
            internal_at=func.min(Batch.internal_due_at),
            leaves_at=func.min(Batch.leaves_at),
            number=func.sum(Batch.size),
        )
        .where(col(Batch.status) == BatchStatus.WAITING, col(Batch.released_by).is_(None))
        .group_by(col(Batch.case_id))
    )


def _past_internal() -> Select[Any]:
    """Duties that run, are past their internal dates and not overdue, case by case; ``number`` counts them."""
    return (
        _part(
            NeedKind.PAST_INTERNAL,
            col(Duty.case_id),
            until=func.min(Duty.due_at),
            internal_at=func.min(Duty.internal_due_at),
            number=func.count(),
        )
        .where(INTERNAL, col(Duty.internal_due_at) < _NOW, col(Duty.due_at) >= _NOW)
        .group_by(col(Duty.case_id))
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


def _proposals(reader: Reader) -> list[Select[Any]]:
    """Proposals that the reader may decide, and their own; ``word`` is the clause, ``subject`` the proposal."""
    due = (
        select_columns(_DUE)
        .where(
            col(Duty.case_id) == col(Proposal.case_id),
            or_(col(Proposal.clause).is_(None), col(Duty.clause) == col(Proposal.clause)),
        )
        .scalar_subquery()
    )

    # Asked of each proposal: joined, SQLite would go through every open case.
    open_case = select_columns(col(Case.id)).where(col(Case.id) == Proposal.case_id, col(Case.closed_at).is_(None))
    in_open_case = open_case.exists()

    def part(kind: NeedKind, whose: ColumnElement[bool]) -> Select[Any]:
        return _part(
            kind,
            col(Proposal.case_id),
            subject=col(Proposal.id),
            until=due,
            since=col(Proposal.proposed_at),
            word=about_proposal(),
        ).where(OPEN_PROPOSAL, in_open_case, whose)

    def erasure(kind: NeedKind, whose: ColumnElement[bool]) -> Select[Any]:
        at = col(CaseErasure.proposed_at)
        return _part(kind, col(CaseErasure.case_id), subject=col(CaseErasure.id), since=at).where(OPEN_PROPOSAL, whose)

    name: BindParameter[str] = bindparam("name")
    decidable: BindParameter[str] = bindparam("decidable", expanding=True)
    own = (
        part(NeedKind.OWN_PROPOSAL, col(Proposal.proposed_by) == name),
        erasure(NeedKind.OWN_ERASURE, col(CaseErasure.proposed_by) == name),
    )
    others = (
        part(NeedKind.PROPOSAL, col(Proposal.proposed_by).in_(decidable)),
        erasure(NeedKind.ERASURE, col(CaseErasure.proposed_by).in_(decidable)),
    )
    return [*(own if reader.proposes else ()), *(others if reader.decides else ())]


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


def _came_back() -> Select[Any]:
    """Duties that are owed again, since the notices that had performed them came back, case by case."""
    return (
        _part(
            NeedKind.CAME_BACK,
            col(Duty.case_id),
            until=_DUE,
            since=func.min(Duty.reopened_at),
            number=func.count(),
        )
        .where(REOPENED)
        .group_by(col(Duty.case_id))
    )


def _letters() -> Select[Any]:
    """Letters that wait to be posted, case by case, closed ones too; ``number`` counts them.

    ``other`` counts those that were written anew after they had been printed.
    """
    before = aliased(PostalLetter)
    printed = select_columns(col(before.id)).where(
        col(before.notice_id) == Notice.id,
        col(before.mailed_at).is_(None),
        col(before.replaced_at).is_not(None),
        col(before.printed_at).is_not(None),
    )
    return (
        _part(
            NeedKind.LETTERS,
            col(PostalLetter.case_id),
            until=_DUE,
            since=func.min(PostalLetter.made_at),
            number=func.count(),
            other=func.sum(case((printed.exists(), 1), else_=0)),
        )
        .select_from(PostalLetter)
        .join(Notice, col(Notice.id) == col(PostalLetter.notice_id))
        .join(Duty, col(Duty.id) == col(Notice.duty_id))
        .where(*TO_POST)
        .group_by(col(PostalLetter.case_id))
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


def _holders_unreached() -> Select[Any]:
    """Holders of data from which something is awaited and whom mail does not reach, case by case."""
    asked = func.coalesce(HolderTask.contact_id, HolderTask.owing_contact_id)
    is_open = select_columns(col(Case.id)).where(col(Case.id) == col(HolderTask.case_id), col(Case.closed_at).is_(None))
    return (
        _part(
            NeedKind.HOLDERS_UNREACHED,
            col(HolderTask.case_id),
            until=func.min(HolderTask.due_at),
            since=func.min(AgreementContact.failing_since),
            number=func.count(col(HolderTask.id).distinct()),
        )
        .select_from(SentMail)
        .join(HolderTask, and_(col(HolderTask.id) == col(SentMail.belongs_to), asked == col(SentMail.contact_id)))
        .join(AgreementContact, col(AgreementContact.id) == col(SentMail.contact_id))
        .where(FAILING, col(AgreementContact.failing_since).is_not(None))
        .where(col(HolderTask.status).not_in(SETTLED), is_open.exists())
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
    """That no mail leaves, once for all cases: ``other`` counts those that wait for it, ``word`` is why."""
    return (
        _part(
            NeedKind.MAIL,
            until=func.min(Batch.due_at),
            since=func.min(Batch.trouble_since),
            number=func.sum(Batch.size),
            other=func.count(col(Batch.case_id).distinct()),
            word=col(Batch.trouble),
        )
        .where(*NO_MAIL)
        .group_by(col(Batch.trouble))
    )


def _stuck() -> Select[Any]:
    """Cases that do not go on."""
    due = select_columns(_DUE).where(col(Duty.case_id) == col(Case.id)).scalar_subquery()
    since = func.coalesce(Case.trouble_since, Case.opened_at)
    return _part(NeedKind.STUCK, col(Case.id), until=due, since=since).where(STUCK)


def _undecided() -> Select[Any]:
    """Cases of which nobody has said yet what the matter is; one put off is to be looked at again at its moment."""
    again = (
        select_columns(func.max(NotYetDecision.again_at))
        .where(col(NotYetDecision.case_id) == col(Case.id))
        .scalar_subquery()
    )
    return _part(NeedKind.UNDECIDED, col(Case.id), until=again, since=col(Case.opened_at)).where(NOT_DECIDED)


def _missing() -> Select[Any]:
    """Duties that cannot be performed, since people have not given what they require at once, case by case."""
    return (
        _part(NeedKind.MISSING, col(Duty.case_id), until=func.min(Duty.due_at), number=func.count())
        .where(WAITS_FOR_PEOPLE)
        .group_by(col(Duty.case_id))
    )


def _to_follow() -> Select[Any]:
    """Duties whose notices said that more would follow, case by case; ``number`` counts them.

    No clause says by when: as it becomes available.
    """
    return (
        _part(NeedKind.TO_FOLLOW, col(Duty.case_id), since=func.min(Duty.performed_at), number=func.count())
        .where(TO_FOLLOW)
        .group_by(col(Duty.case_id))
    )
