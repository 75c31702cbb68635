"""Lists of cases, a part at a time: each part begins where the one before it ended, however many cases there are."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, literal_column, or_
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

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

_NOT_OPEN: list[ColumnElement[str]] = [
    literal_column(f"'{status.value}'") for status in DutyStatus if status not in OPEN_STATUSES
]


def is_open_and_dated(duty: type[Duty]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What an open duty is that a list of cases goes by, in the words of the indices on it (``OPEN_AND_DATED``)."""
    return col(duty.status).not_in(_NOT_OPEN), col(duty.target_at).is_not(None)


OPEN_AND_DATED = is_open_and_dated(Duty)

PLACE = r"^[do]-?[0-9]{1,19}\.[0-9a-f]{32}$"
"""How the name of a place in the list of cases is written."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CaseFilter:
    """Which cases to read; each condition that is None leaves it open. Titles are sealed, so nothing searches them.

    Attributes:
        status: of the case.
        kind: of the case.
        state: of an agreement that it touches, in two letters.
        district: the name of an LEA of an agreement that it touches; with a state, of an agreement in that state.
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

    def __bool__(self) -> bool:
        """Whether it leaves out anything."""
        return bool(self.asked)

    @property
    def asked(self) -> dict[str, str]:
        """The conditions as addresses give them, by name."""
        given = {"overdue": "yes" if self.overdue else None}
        return {name: str(value) for name, value in {**vars(self), **given}.items() if value}

    def conditions(self, session: Session, now: datetime) -> Conditions:
        """The conditions as SQL."""
        own: list[ColumnElement[bool]] = []
        if self.status:
            own.append(col(Case.status) == self.status)
        if self.kind:
            own.append(col(Case.kind) == self.kind)
        if self.assignee == NOBODY:
            own.append(is_charge_of(session, None))
        elif self.assignee:
            account = find_account_or_none(session, self.assignee)
            own.append(is_charge_of(session, account.id) if account else false())
        found: list[Found] = []
        touched = {col(Agreement.state): self.state, col(Agreement.lea_name): self.district}
        if asked := [field == value for field, value in touched.items() if value]:
            in_scope, of_it = select(CaseAgreement.case_id), col(Agreement.id) == col(CaseAgreement.agreement_id)
            # As a value of its own, so that no database looks through all agreements of a state for each case.
            such = select(and_(*asked)).where(of_it).scalar_subquery()
            found.append(Found(in_scope.join(Agreement, of_it).where(*asked), in_scope.where(such)))
        if self.vendor:
            own.append(col(Case.closed_at).is_(None))
            found.append(Found.of(select(HolderTask.case_id).where(HolderTask.holder == self.vendor, AWAITED)))
        if self.overdue:
            late = aliased(Duty, name="late")
            # What is overdue is past its internal date, too: that finds it in the order of the index.
            overdue = col(late.target_at) < now, col(late.due_at) < now
            found.append(Found.of(select(late.case_id).where(*is_open_and_dated(late), *overdue)))
        return Conditions(own, found, due_before=now if self.overdue else None)


@dataclass(frozen=True)
class Found:
    """In which rows of another table a case is found: ``every`` gives all such cases, ``each`` is asked of one."""

    every: SelectOfScalar[UUID]
    each: SelectOfScalar[UUID]

    @classmethod
    def of(cls, rows: SelectOfScalar[UUID]) -> Found:
        """Where one question serves both."""
        return cls(rows, rows)


@dataclass(frozen=True)
class Conditions:
    """Which cases are read: what their own columns say, and in which rows of other tables each of them is found.

    None of them is due first at ``due_before`` or later.
    """

    own: list[ColumnElement[bool]]
    found: list[Found]
    due_before: datetime | None

    @property
    def of_all(self) -> list[ColumnElement[bool]]:
        """To find every such case: the other tables' rows are gone through once."""
        return [*self.own, *(col(Case.id).in_(rows.every) for rows in self.found)]

    @property
    def of_each(self) -> list[ColumnElement[bool]]:
        """To ask of one case after another whether it is such a one."""
        return [
            *self.own,
            *(rows.each.where(rows.each.selected_columns.case_id == col(Case.id)).exists() for rows in self.found),
        ]


EVERY_CASE = CaseFilter()


@dataclass(frozen=True)
class CasePlace:
    """A case's place in their list, after which another part begins: ``at`` is when it is due, or was opened."""

    dated: bool
    at: datetime
    case_id: UUID

    def __lt__(self, other: CasePlace) -> bool:
        """Whether this comes first: what is due soonest, then what is undated, the newest first."""
        if self.dated is not other.dated:
            return self.dated
        if self.at != other.at:
            return (self.at < other.at) is self.dated
        return self.case_id < other.case_id

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
            if not re.match(PLACE, text):
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
    """Some of the cases, those after a place: what is due soonest first, by its internal date where it has one.

    Those without a due date follow, the newest first.
    """
    with database.reading() as session:
        wanted = which.conditions(session, now)
        total = session.exec(select(func.count()).select_from(Case).where(*wanted.of_all)).one()
        read = _first_of_few if total <= FEW else _first_of_many
        places = read(session, wanted, after, limit + 1) if total else []
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


def _first_of_few(session: Session, wanted: Conditions, after: CasePlace | None, limit: int) -> list[CasePlace]:
    """The first places after one: of few cases each is looked at."""
    due = select(func.min(Duty.target_at)).where(Duty.case_id == Case.id, *OPEN_AND_DATED).scalar_subquery()
    rows = session.execute(select_columns(col(Case.id), due, col(Case.opened_at)).where(*wanted.of_all))
    places = sorted(CasePlace(due_at is not None, due_at or opened_at, key) for key, due_at, opened_at in rows)
    begin = bisect_right(places, after) if after else 0
    return places[begin : begin + limit]


def _first_of_many(session: Session, wanted: Conditions, after: CasePlace | None, limit: int) -> list[CasePlace]:
    """The first places after one: of many cases, duties are gone through as they fall due until enough are found."""
    places: list[CasePlace] = []
    if after is None or after.dated:
        places = _soonest(session, wanted, after, limit)
        after = None
    if len(places) < limit and not wanted.due_before:
        places += _newest_undated(session, wanted, after, limit - len(places))
    return places


def _soonest(session: Session, wanted: Conditions, after: CasePlace | None, limit: int) -> list[CasePlace]:
    """The first places of cases with a dated open duty: each stands where its own first duty does."""
    places: list[CasePlace] = []
    while len(places) < limit and (some := _falling_due(session, wanted, after, 2 * limit)):
        due = func.min(Duty.target_at)
        ids = {place.case_id for place in some}
        rows = select(Duty.case_id, due).where(*OPEN_AND_DATED, col(Duty.case_id).in_(ids)).group_by(col(Duty.case_id))
        first = dict(session.exec(rows).all())
        places += [place for place in dict.fromkeys(some) if first[place.case_id] == place.at]
        after = some[-1]
    return places[:limit]


def _falling_due(session: Session, wanted: Conditions, after: CasePlace | None, limit: int) -> list[CasePlace]:
    """When open duties are due after a place, and in which case: in the order of an index, and as far as is asked.

    What has an internal date stands where that is.
    """
    target_at, case_id = col(Duty.target_at), col(Duty.case_id)
    later = [target_at >= after.at, or_(target_at > after.at, case_id > after.case_id)] if after else []
    soon = [target_at < wanted.due_before] if wanted.due_before else []
    such = select(Case.id).where(Case.id == Duty.case_id, *wanted.of_each).exists()
    rows = select_columns(target_at, case_id).where(*OPEN_AND_DATED, *later, *soon, such).order_by(target_at, case_id)
    return [CasePlace(True, at, key) for at, key in session.execute(rows.limit(limit))]


def _newest_undated(session: Session, wanted: Conditions, after: CasePlace | None, limit: int) -> list[CasePlace]:
    """The first places of cases without a dated open duty."""
    has_date = select(Duty.id).where(Duty.case_id == Case.id, *OPEN_AND_DATED).exists()
    opened, key = col(Case.opened_at), col(Case.id)
    earlier = [opened <= after.at, or_(opened < after.at, key > after.case_id)] if after else []
    rows = (
        select_columns(opened, key).where(~has_date, *wanted.of_all, *earlier).order_by(opened.desc(), key).limit(limit)
    )
    return [CasePlace(False, at, key) for at, key in session.execute(rows)]


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
    none = {"open_duties": 0, "overdue_duties": 0, "past_internal": 0, "next_due_at": None, "next_internal_at": None}
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
    due_at, target_at = col(Duty.due_at), col(Duty.target_at)
    rows = session.execute(
        select_columns(
            col(Duty.case_id),
            func.count(),
            func.count().filter(due_at < now),
            func.count().filter(target_at < now, due_at >= now),
            func.min(due_at),
            func.min(target_at),
        )
        .where(col(Duty.case_id).in_(cases), col(Duty.status).in_(OPEN_STATUSES))
        .group_by(col(Duty.case_id))
    )
    return {
        case_id: {
            "open_duties": count,
            "overdue_duties": overdue,
            "past_internal": past,
            "next_due_at": due,
            "next_internal_at": target if target != due else None,
        }
        for case_id, count, overdue, past, due, target in rows
    }
