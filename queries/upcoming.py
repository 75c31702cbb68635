"""What is coming across all agreements, soonest first: open duties of cases, and due dates that have no case yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_date
from config.database import Database
from mail.provision import Place, operative_steps
from models import identifiers
from models.enums import DutyStatus, Party, PerformedBy
from models.errors import InvalidInput
from models.phrases import day_words, instant_words
from models.tables import Agreement, Case, DueDate, Duty, UpcomingDuty
from models.view import View
from records.responsible import Assignment, assignments
from records.standing_duty import served_clauses
from terms.catalogue import Catalogue
from terms.clock import day_of, zone_of

DAYS = 90
"""How far ahead is looked where nobody says otherwise."""

MOST_DAYS = 36_500

UNKNOWN_BEFORE = (
    " The one before was due before this installation knew the agreement; whether it was done is not known."
)

_Place: TypeAlias = tuple[datetime, UUID]
_Row: TypeAlias = tuple[datetime, UUID, "Duty | UpcomingDuty", Agreement, DueDate, "Case | None"]


class UpcomingView(View):
    """One duty that is coming.

    Attributes:
        due_at: when it is due; ``due_local`` says the same in the LEA's time zone, in words.
        internal_due_at: when the installation itself wants it done, where it set that; ``internal_local`` in words.
        past_internal: whether it is past its internal date, and not overdue.
        citation: document and place of the steps that set it.
        performed_by: what performs it.
        responsible: the account whose it is; None for the organisation's contact.
        case_id: the case that is about it; None where no case is open yet.
        says: about its case, in a sentence.
        why: the sentences that explain the due instant.
    """

    id: UUID
    due_at: datetime
    due_local: str
    internal_due_at: datetime | None
    internal_local: str | None
    overdue: bool
    past_internal: bool
    clause: str
    title: str
    citation: str
    reference: str
    lea_name: str
    state: str
    form: str
    time_zone: str
    owed_by: Party
    performed_by: PerformedBy
    responsible: str | None
    deputy: str | None
    case_id: UUID | None
    case_kind: str | None
    says: str
    why: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its place in the list, as the next page asks for it."""
        return f"{self.internal_due_at or self.due_at:%Y-%m-%dT%H:%M:%S.%fZ}~{self.id}"

    @property
    def case_reference(self) -> str | None:
        """The short name of its case."""
        return identifiers.case_reference(self.case_id) if self.case_id else None


@dataclass(frozen=True)
class Coming:
    """Which of what is coming is read.

    Attributes:
        days: how far ahead; what is overdue is always read.
        agreement: the reference of the one agreement, or blank.
        clause: the id of the one clause, or blank.
        after: the key of the one after which the page begins, or blank.
    """

    days: int = DAYS
    agreement: str = ""
    clause: str = ""
    after: str = ""

    def place(self) -> _Place | None:
        """The place after which the page begins.

        Raises:
            InvalidInput: the key is none of this list.
        """
        if not self.after:
            return None
        instant, _, key = self.after.partition("~")
        try:
            place = datetime.fromisoformat(instant), UUID(key)
        except ValueError:
            place = None
        if place is None or place[0].tzinfo is None:
            raise InvalidInput(
                "This is no place in the list.", where="after", next_step="Take the one that the page before gives."
            )
        return place


@dataclass(frozen=True)
class Looking:
    """Who looks at what is coming: an installation's clauses, its side, and how long before it opens a case."""

    catalogue: Catalogue
    side: Party
    lead: timedelta


def read_upcoming(
    database: Database, looking: Looking, which: Coming, now: datetime, *, limit: int
) -> tuple[tuple[UpcomingView, ...], str | None]:
    """What this side owes and what runs out by itself, at most ``limit`` of it, and the key of the page after it.

    Raises:
        InvalidInput: the key asked for is none of this list.
    """
    with database.reading() as session:
        found = list(_rows(session, looking.side, which, now, limit + 1))
        views = _views(session, looking, found[:limit], now)
    return views, views[-1].key if len(found) > limit else None


def _rows(session: Session, side: Party, which: Coming, now: datetime, limit: int) -> Iterator[_Row]:
    of_cases = session.exec(
        select(Duty, Agreement, DueDate, Case)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .join(DueDate, col(DueDate.id) == col(Duty.due_date_id))
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(col(Duty.status) == DutyStatus.RUNNING, *_conditions(Duty, which, now))
        .order_by(col(Duty.target_at), col(Duty.id))
        .limit(limit)
    )
    derived = session.exec(
        select(UpcomingDuty, Agreement, DueDate)
        .join(Agreement, col(Agreement.id) == col(UpcomingDuty.agreement_id))
        .join(DueDate, col(DueDate.id) == col(UpcomingDuty.due_date_id))
        .where(
            or_(col(UpcomingDuty.owed_by) == side, col(UpcomingDuty.performed_by) == PerformedBy.TIME),
            # One that was just terminated, as by its LEA's link, has none, although nobody has derived that yet.
            or_(col(Agreement.terminated_on).is_(None), col(Agreement.terminated_on) > now.date()),
            *_conditions(UpcomingDuty, which, now),
        )
        .order_by(col(UpcomingDuty.target_at), col(UpcomingDuty.id))
        .limit(limit)
    )
    with_case: list[_Row] = [
        (duty.target_at, duty.id, duty, agreement, due, case)
        for duty, agreement, due, case in of_cases
        if duty.target_at
    ]
    without: list[_Row] = [(row.target_at, row.id, row, agreement, due, None) for row, agreement, due in derived]
    ordered = merge(with_case, without, key=lambda row: (row[0], row[1]))
    yield from (row for _, row in zip(range(limit), ordered, strict=False))


def _conditions(of: type[Duty] | type[UpcomingDuty], which: Coming, now: datetime) -> Iterator[ColumnElement[bool]]:
    yield col(of.target_at) <= now + timedelta(days=which.days)
    if which.agreement:
        yield col(Agreement.reference) == which.agreement
    if which.clause:
        yield col(of.clause) == which.clause
    if place := which.place():
        at, key = place
        yield or_(col(of.target_at) > at, and_(col(of.target_at) == at, col(of.id) > key))


def _views(session: Session, looking: Looking, rows: Sequence[_Row], now: datetime) -> tuple[UpcomingView, ...]:
    whose = assignments(session, {case.id for *_, case in rows if case})
    return tuple(_view(looking, row, whose.get(row[-1].id) if row[-1] else None, now) for row in rows)


def _view(looking: Looking, row: _Row, whose: Assignment | None, now: datetime) -> UpcomingView:
    _, key, duty, agreement, due_date, case = row
    due_at, internal = duty.due_at, duty.internal_due_at
    assert due_at, "what is coming has a due instant"
    reasons = read_due_date(due_date)
    steps = operative_steps(looking.catalogue, Place(agreement.form, agreement.state, duty.clause), reasons.trail)
    return UpcomingView(
        id=key,
        due_at=due_at,
        due_local=instant_words(due_at, agreement.time_zone),
        internal_due_at=internal,
        internal_local=instant_words(internal, agreement.time_zone) if internal else None,
        overdue=due_at < now,
        past_internal=internal is not None and internal < now <= due_at,
        clause=duty.clause,
        title=reasons.title,
        citation="; ".join(f"{step.document}, {step.clause}" for step in steps),
        reference=agreement.reference,
        lea_name=agreement.lea_name,
        state=agreement.state,
        form=agreement.form,
        time_zone=agreement.time_zone,
        owed_by=duty.owed_by,
        performed_by=duty.performed_by,
        responsible=whose.responsible.name if whose and whose.responsible else None,
        deputy=whose.deputy.name if whose and whose.deputy else None,
        case_id=case.id if case else None,
        case_kind=case.kind if case else None,
        says=_about_case(looking, duty, agreement, case, reasons, now),
        why=(*reasons.why, duty.internal_why) if duty.internal_why else reasons.why,
    )


def _about_case(
    looking: Looking,
    duty: Duty | UpcomingDuty,
    agreement: Agreement,
    case: Case | None,
    reasons: StoredDueDate,
    now: datetime,
) -> str:
    """Which case is about it, or when one is opened; and what is not known of the one before it."""
    if case:
        return f"Case {identifiers.case_reference(case.id)} is about it."
    if duty.performed_by is PerformedBy.TIME:
        return "It comes by itself; no case is needed."
    assert duty.target_at, "what is coming without a case has a due instant"
    opens = max(duty.target_at - looking.lead, now)
    by_itself = duty.clause in served_clauses(looking.catalogue)
    when = f"; one is opened by itself {_day(opens, agreement, now)}" if by_itself else ""
    # A later occurrence is counted from the due instant of the one before it.
    before = reasons.starts_at if duty.occurrence > 1 else None
    unknown = UNKNOWN_BEFORE if before and before < agreement.imported_at else ""
    return f"No case is open about it yet{when}.{unknown}"


def _day(instant: datetime, agreement: Agreement, now: datetime) -> str:
    return "within hours" if instant <= now else f"on {day_words(day_of(instant, zone_of(agreement.time_zone)))}"
