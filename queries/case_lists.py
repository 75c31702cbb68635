"""Lists of cases, a part at a time: each part begins where the one before it ended, however many cases there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, false, literal_column, or_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from config.database import Database
from models.enums import OPEN_STATUSES, CaseStatus, DutyStatus, ProposalKind
from models.errors import InvalidInput
from models.tables import AWAITED, Agreement, Case, CaseAgreement, Duty, HolderTask, Proposal
from people.accounts import find_account_or_none
from queries.views import CaseRow
from records.responsible import is_charge_of

NOBODY = "(nobody)"
"""Whose the cases are that are in nobody's charge but the organisation's contact's; no account has such a name."""

FEW = 1_000
"""So many cases are put in order as they are; of more, the first are looked for in the order of due instants."""

_OPEN = [literal_column(f"'{status.value}'") for status in DutyStatus if status in OPEN_STATUSES]


def is_open_and_dated(duty: type[Duty]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What an open duty is that a list of cases goes by, in the words of the indices on it (``OPEN_AND_DATED``)."""
    return col(duty.status).in_(_OPEN), col(duty.due_at).is_not(None)


OPEN_AND_DATED = is_open_and_dated(Duty)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to read; each condition that is None leaves it open. Titles are sealed, so nothing searches them.

    Attributes:
        status: of the case.
        kind: of the case.
        state: of an agreement that it touches, in two letters.
        district: the name of an LEA of an agreement that it touches.
        vendor: the key (``models.columns.lookup_key``) of a holder of data whose word it awaits.
        assignee: the account in whose charge it is, or ``NOBODY``.
        overdue: whether something in it is overdue.
    """

    status: CaseStatus | None = None
    kind: str | None = None
    state: str | None = None
    district: str | None = None
    vendor: str | None = None
    assignee: str | None = None
    overdue: bool = False

    def conditions(self, session: Session, now: datetime) -> list[ColumnElement[bool]]:
        """The conditions as SQL."""
        conditions: list[ColumnElement[bool]] = []
        if self.status:
            conditions.append(col(Case.status) == self.status)
        if self.kind:
            conditions.append(col(Case.kind) == self.kind)
        if self.assignee:
            account = None if self.assignee == NOBODY else find_account_or_none(session, self.assignee)
            known = account is not None or self.assignee == NOBODY
            conditions.append(is_charge_of(session, account.id if account else None) if known else false())
        touched = [
            field == asked
            for field, asked in ((col(Agreement.state), self.state), (col(Agreement.lea_name), self.district))
            if asked
        ]
        if touched:
            touching = select(CaseAgreement.case_id).join(Agreement, col(Agreement.id) == CaseAgreement.agreement_id)
            conditions.append(col(Case.id).in_(touching.where(*touched)))
        if self.vendor:
            conditions.append(
                col(Case.id).in_(select(HolderTask.case_id).where(HolderTask.holder == self.vendor, AWAITED))
            )
        if self.overdue:
            conditions.append(col(Case.id).in_(select(Duty.case_id).where(*OPEN_AND_DATED, col(Duty.due_at) < now)))
        return conditions


EVERY_CASE = CaseFilter()


@dataclass(frozen=True)
class CasePlace:
    """A case's place in their list, after which another part begins: ``at`` is when it is due, or was opened."""

    dated: bool
    at: datetime
    case_id: UUID

    def __str__(self) -> str:
        """The place as addresses and commands name it."""
        return f"{'d' if self.dated else 'o'}{(self.at - _EPOCH) // timedelta(microseconds=1)}.{self.case_id.hex}"

    @classmethod
    def read(cls, text: str) -> CasePlace:
        """The place of this name.

        Raises:
            InvalidInput: it is none.
        """
        instant, _, case_id = text[1:].partition(".")
        try:
            if text[:1] not in ("d", "o"):
                raise ValueError(text)
            return cls(text[0] == "d", _EPOCH + timedelta(microseconds=int(instant)), UUID(hex=case_id))
        except (ValueError, OverflowError):
            raise InvalidInput(
                "This is no place in the list of cases.",
                where="after",
                next_step="Begin without it, and follow `next`.",
            ) from None


@dataclass(frozen=True)
class CaseList:
    """Some of the cases, how many there are in all, and after which place the next part begins, if there is one."""

    items: tuple[CaseRow, ...]
    total: int
    next: CasePlace | None


def list_cases(
    database: Database, now: datetime, which: CaseFilter = EVERY_CASE, *, after: CasePlace | None = None, limit: int
) -> CaseList:
    """Some of the cases, those after a place: what is due soonest first, which is overdue, if anything is.

    Those without a due date follow, the newest first.
    """
    with database.reading() as session:
        wanted = which.conditions(session, now)
        total = session.exec(select(func.count()).select_from(Case).where(*wanted)).one()
        dated = _soonest_of_few if total <= FEW else _soonest_of_many
        places: list[CasePlace] = []
        if after is None or after.dated:
            places = [CasePlace(True, *row) for row in dated(session, wanted, after, limit + 1)]
        if len(places) <= limit:
            newest = _newest_undated(session, wanted, None if after and after.dated else after, limit + 1 - len(places))
            places += [CasePlace(False, *row) for row in newest]
        cases = _in_order(session, [place.case_id for place in places[:limit]])
        return CaseList(_case_rows(session, cases, now), total, places[limit - 1] if len(places) > limit else None)


def case_kinds(database: Database) -> tuple[str, ...]:
    """The kinds of case that there are."""
    with database.reading() as session:
        return tuple(sorted(f"{kind}" for kind in session.exec(select(Case.kind).distinct())))


def cases_between(database: Database, first: UUID, last: UUID, *, limit: int) -> tuple[UUID, ...]:
    """Some of the cases whose ids lie from ``first`` to ``last``, both included."""
    with database.reading() as session:
        found = select(Case.id).where(col(Case.id).between(first, last)).order_by(col(Case.id)).limit(limit)
        return tuple(session.exec(found))


def _soonest_of_few(
    session: Session, wanted: list[ColumnElement[bool]], after: CasePlace | None, limit: int
) -> Sequence[Row[tuple[datetime, UUID]]]:
    """When cases are due, and which: of few cases each is looked at."""
    due = func.min(Duty.due_at).label("due_at")
    soonest = (
        select_columns(due, col(Duty.case_id))
        .where(*OPEN_AND_DATED, col(Duty.case_id).in_(select(Case.id).where(*wanted)))
        .group_by(col(Duty.case_id))
    ).subquery()
    rows = select_columns(soonest.c.due_at, soonest.c.case_id).order_by(soonest.c.due_at, soonest.c.case_id)
    return session.execute(rows.where(*_later(soonest.c.due_at, soonest.c.case_id, after)).limit(limit)).all()


def _soonest_of_many(
    session: Session, wanted: list[ColumnElement[bool]], after: CasePlace | None, limit: int
) -> Sequence[Row[tuple[datetime, UUID]]]:
    """When cases are due, and which: of many, the duties are gone through as they fall due until enough are found."""
    other = aliased(Duty, name="other")
    first = (
        select_columns(col(other.id))
        .where(col(other.case_id) == col(Duty.case_id), *is_open_and_dated(other))
        .order_by(col(other.due_at), col(other.id))
        .limit(1)
        .scalar_subquery()
    )
    rows = (
        select_columns(col(Duty.due_at), col(Duty.case_id))
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(*OPEN_AND_DATED, *_later(col(Duty.due_at), col(Duty.case_id), after), *wanted, col(Duty.id) == first)
        .order_by(col(Duty.due_at), col(Duty.case_id))
        .limit(limit)
    )
    return session.execute(rows).all()


def _later(
    due_at: ColumnElement[datetime], case_id: ColumnElement[UUID], after: CasePlace | None
) -> list[ColumnElement[bool]]:
    """What comes after a place."""
    if after is None:
        return []
    return [due_at >= after.at, or_(due_at > after.at, case_id > after.case_id)]


def _newest_undated(
    session: Session, wanted: list[ColumnElement[bool]], after: CasePlace | None, limit: int
) -> Sequence[Row[tuple[datetime, UUID]]]:
    """When cases without a dated open duty were opened, and which: the newest first."""
    has_date = select(Duty.id).where(Duty.case_id == Case.id, *OPEN_AND_DATED).exists()
    opened, key = col(Case.opened_at), col(Case.id)
    earlier = [opened <= after.at, or_(opened < after.at, key > after.case_id)] if after else []
    rows = select_columns(opened, key).where(*wanted, ~has_date, *earlier).order_by(opened.desc(), key).limit(limit)
    return session.execute(rows).all()


def _in_order(session: Session, keys: Sequence[UUID]) -> list[Case]:
    rows = {row.id: row for row in session.exec(select(Case).where(col(Case.id).in_(keys)))}
    return [rows[key] for key in keys]


def _case_rows(session: Session, cases: Sequence[Case], now: datetime) -> tuple[CaseRow, ...]:
    keys = [case.id for case in cases]
    summaries = _summaries(session, keys, now)
    scope = dict(
        session.exec(
            select(CaseAgreement.case_id, func.count())
            .where(col(CaseAgreement.case_id).in_(keys))
            .group_by(col(CaseAgreement.case_id))
        ).all()
    )
    recorded = dict(
        session.exec(
            select(Proposal.case_id, func.count())
            .where(col(Proposal.case_id).in_(keys), Proposal.kind == ProposalKind.DONE)
            .where(col(Proposal.approved).is_(True), col(Proposal.undone_at).is_(None))
            .group_by(col(Proposal.case_id))
        ).all()
    )
    none = {"open_duties": 0, "overdue_duties": 0, "next_due_at": None}
    return tuple(
        CaseRow(
            **case.model_dump(include={"id", "kind", "title", "status", "opened_at"}),
            agreements=scope.get(case.id, 0),
            by_other_means=recorded.get(case.id, 0),
            troubled=case.trouble is not None and case.closed_at is None,
            **summaries.get(case.id, none),
        )
        for case in cases
    )


def _summaries(session: Session, cases: Sequence[UUID], now: datetime) -> dict[UUID, dict[str, object]]:
    rows = session.exec(
        select(Duty.case_id, func.count(), func.count().filter(col(Duty.due_at) < now), func.min(Duty.due_at))
        .where(col(Duty.case_id).in_(cases), col(Duty.status).in_(OPEN_STATUSES))
        .group_by(col(Duty.case_id))
    )
    return {
        case_id: {"open_duties": count, "overdue_duties": overdue, "next_due_at": due}
        for case_id, count, overdue, due in rows
    }
