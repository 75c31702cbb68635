"""Lists of cases, a part at a time: each part begins where the one before it ended, however many cases there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import compress
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    SQLColumnExpression,
    String,
    Uuid,
    and_,
    bindparam,
    case,
    literal_column,
    or_,
)
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from cases.kinds import KINDS
from config.database import Database
from models.columns import UtcDateTime
from models.enums import OPEN_STATUSES, CaseStatus, DutyStatus, ProposalKind
from models.errors import InvalidInput
from models.phrases import counted
from models.tables import AWAITED, Agreement, Case, CaseAgreement, Duty, HolderTask, Proposal
from people.accounts import name_key
from queries.views import CaseRow
from records.responsible import is_charge_of

NOBODY = "(nobody)"
"""Whose the cases are that are in nobody's charge but the organisation's contact's; no account has such a name."""

MOST_COUNTED = 5_000
"""So many cases are counted; of more it is said that there are more."""

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

Rows: TypeAlias = Select[*tuple[Any, ...]]
"""A statement that gives rows of several columns."""

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

    @property
    def shape(self) -> frozenset[str]:
        """What is asked about, whatever the answer: what a statement looks like depends on nothing else."""
        nobodys = {"assignee": "nobody"} if self.assignee == NOBODY else {}
        return frozenset(nobodys.get(name, name) for name in self.asked)

    def values(self, now: datetime) -> dict[str, object]:
        """What is asked for, as the statements take it."""
        return {**vars(self), "assignee": name_key(self.assignee or ""), "now": now}


@dataclass(frozen=True)
class Found:
    """What other rows say of a case: ``every`` gives all such cases, as ``case_id``, ``such`` is asked of one."""

    every: SelectOfScalar[UUID]
    such: ColumnElement[bool]

    @classmethod
    def of(cls, every: SelectOfScalar[UUID], each: SelectOfScalar[UUID] | None = None) -> Found:
        """What is found in rows of another table; ``each`` where those of one case are better found in another way."""
        rows = every if each is None else each
        return cls(every, rows.where(rows.selected_columns.case_id == col(Case.id)).exists())


@dataclass(frozen=True)
class Conditions:
    """Which cases are read: what their own columns say, and in which rows of other tables each of them is found."""

    own: list[ColumnElement[bool]]
    found: list[Found]

    @classmethod
    def of(cls, shape: frozenset[str]) -> Conditions:
        """The conditions of filters of one shape; their values are parameters by the filter's names."""
        own: list[ColumnElement[bool]] = []
        if "status" in shape:
            own.append(col(Case.status) == bindparam("status"))
        if "kind" in shape:
            own.append(col(Case.kind) == bindparam("kind"))
        found: list[Found] = []
        if shape & {"assignee", "nobody"}:
            of = aliased(Case, name="in_charge")
            whose = bindparam("assignee", type_=String) if "assignee" in shape else None
            theirs: SelectOfScalar[UUID] = select(col(of.id).label("case_id")).where(is_charge_of(whose, of))
            found.append(Found(theirs, is_charge_of(whose)))
        touched = {"state": col(Agreement.state), "district": col(Agreement.lea_name)}
        if asked := [field == bindparam(name) for name, field in touched.items() if name in shape]:
            in_scope, of_it = select(CaseAgreement.case_id), col(Agreement.id) == col(CaseAgreement.agreement_id)
            # As a value of its own, so that no database looks through all agreements of a state for each case.
            such = select(and_(*asked)).where(of_it).scalar_subquery()
            found.append(Found.of(in_scope.join(Agreement, of_it).where(*asked), in_scope.where(such)))
        if "vendor" in shape:
            own.append(col(Case.closed_at).is_(None))
            awaited = select(HolderTask.case_id).where(col(HolderTask.holder) == bindparam("vendor"), AWAITED)
            found.append(Found.of(awaited))
        if "overdue" in shape:
            late = aliased(Duty, name="late")
            # What is overdue is past its internal date, too: that finds it in the order of the index.
            overdue = col(late.target_at) < _NOW, col(late.due_at) < _NOW
            each = select(late.case_id).where(*is_open_and_dated(late), *overdue)
            # With a limit, though none is so large, SQLite goes through what is due and not through every case.
            found.append(Found.of(select(each.limit(_EVERY).subquery().c.case_id), each))
        return cls(own, found)

    @property
    def of_each(self) -> list[ColumnElement[bool]]:
        """To ask of one case after another whether it is such a one."""
        return [*self.own, *(rows.such for rows in self.found)]

    @property
    def ways(self) -> list[SelectOfScalar[UUID]]:
        """The cases that meet all conditions, found in one table after the other, at last by their own columns."""
        return [*map(self._found_in, self.found), select(Case.id).where(*self.of_each)]

    def _found_in(self, rows: Found) -> SelectOfScalar[UUID]:
        asked = [*self.own, *(others.such for others in self.found if others is not rows)]
        such = select(Case.id).where(col(Case.id) == rows.every.selected_columns.case_id, *asked)
        return rows.every.where(such.exists()) if asked else rows.every

    @property
    def sizes(self) -> list[ColumnElement[int]]:
        """How many rows each of the ways goes through, as far as they are counted."""
        return [*(_count(rows.every) for rows in self.found), _count(_there(self.own))]

    @property
    def counts(self) -> list[ColumnElement[int]]:
        """How many cases there are, as far as they are counted: counted each of the ways."""
        return [*(_count(self._found_in(rows).distinct()) for rows in self.found), _count(_there(self.of_each))]


def _there(conditions: Sequence[ColumnElement[bool]]) -> SelectOfScalar[int]:
    """A number for each case that meets conditions: its id need not be looked up to count it."""
    return select(literal_column("1", Integer).label("one")).select_from(Case).where(*conditions)


def _count(rows: SelectOfScalar[Any]) -> ColumnElement[int]:
    return select(func.count()).select_from(rows.limit(_MOST).subquery()).scalar_subquery()


_NOW = bindparam("now", type_=UtcDateTime)
_MOST, _LIMIT = (bindparam(name, type_=Integer) for name in ("most", "limit"))
_AFTER_AT = bindparam("after_at", type_=UtcDateTime)
_AFTER_ID = bindparam("after_id", type_=Uuid)

_EVERY = 2**31 - 1
"""More rows than there are."""

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
    """Some of the cases, how many there are in all, and after which place the next part begins, if there is one.

    ``total`` is None where there are more than ``MOST_COUNTED``.
    """

    items: tuple[CaseRow, ...]
    total: int | None
    next: CasePlace | None

    @property
    def counted(self) -> str:
        """How many there are in all, in words."""
        return f"more than {counted(MOST_COUNTED, 'case')}" if self.total is None else counted(self.total, "case")


def list_cases(
    database: Database, now: datetime, which: CaseFilter = EVERY_CASE, *, after: CasePlace | None = None, limit: int
) -> CaseList:
    """Some of the cases, those after a place: what is due soonest first, which is overdue, if anything is.

    Those without a due date follow, the newest first.
    """
    with database.reading() as session:
        reading = _Reading(session, _statements(which.shape), which.values(now))
        places = reading.first(after, limit + 1)
        rows = _case_rows(session, [place.case_id for place in places[:limit]], now)
        total = None if reading.total > MOST_COUNTED else reading.total
        return CaseList(rows, total, places[limit - 1] if len(places) > limit else None)


def case_kinds(database: Database) -> tuple[str, ...]:
    """The kinds of case that there are."""
    with database.reading() as session:
        names = sorted(KINDS)
        return tuple(compress(names, session.execute(_are_there(tuple(names))).one()))


@cache
def _are_there(kinds: tuple[str, ...]) -> Rows:
    """Whether there are cases of each kind: a look into an index for each."""
    return select_columns(*(select(Case.id).where(Case.kind == name).exists() for name in kinds))


def cases_between(database: Database, first: UUID, last: UUID, *, limit: int) -> tuple[UUID, ...]:
    """Some of the cases whose ids lie from ``first`` to ``last``, both included."""
    with database.reading() as session:
        found = select(Case.id).where(col(Case.id).between(first, last)).order_by(col(Case.id)).limit(limit)
        return tuple(session.exec(found))


class _Statements:
    """What reads the cases of filters of one shape.

    A statement is built once and takes its values as parameters, since building it takes longer than reading what it
    finds. Besides those of the filter, these are ``most``, ``limit``, and of the place after which a part begins
    ``after_at`` and ``after_id``.

    Attributes:
        sizes: how many rows each of the ways goes through on which the cases can be found.
        counts: how many cases there are, counted each of the ways, as far as they are counted.
        in_order: the cases in their order, found each of the ways: from the beginning, after a dated one, or after one
            without a date.
        falling_due: duties in the order in which they fall due: from the beginning, or after a place.
        newest_undated: the cases without a dated open duty in their order, likewise.
        only_dated: whether there are none of these: what is overdue has a date.
    """

    def __init__(self, shape: frozenset[str]) -> None:
        wanted = Conditions.of(shape)
        self.only_dated = "overdue" in shape
        self.sizes = select_columns(*wanted.sizes)
        self.counts = [select_columns(count) for count in wanted.counts]
        self.in_order = [
            {after: _in_order(cases, after_dated=after) for after in (None, True, False)} for cases in wanted.ways
        ]
        soon = [col(Duty.target_at) < _NOW] if self.only_dated else []
        self.falling_due = {after: _falling_due(wanted.of_each, soon, after_dated=after) for after in (None, True)}
        self.newest_undated = {after: _newest_undated(wanted.of_each, after_dated=after) for after in (None, False)}


_statements = lru_cache(64)(_Statements)


def _in_order(cases: SelectOfScalar[UUID], *, after_dated: bool | None) -> Rows:
    """Where cases stand in their list, in its order: each is looked at."""
    each = select_columns(col(Case.id), _first_due(col(Case.id)).label("due"), col(Case.opened_at))
    # With a limit, SQLite looks up once when each is due.
    of = each.where(col(Case.id).in_(cases)).limit(_EVERY).subquery().c
    later = and_(of.due.is_(None), or_(of.opened_at < _AFTER_AT, and_(of.opened_at == _AFTER_AT, of.id > _AFTER_ID)))
    if after_dated:
        later = or_(of.due > _AFTER_AT, and_(of.due == _AFTER_AT, of.id > _AFTER_ID), of.due.is_(None))
    opened = case((of.due.is_(None), of.opened_at))
    rows = select_columns(of.id, of.due, of.opened_at).where(*([] if after_dated is None else [later]))
    return rows.order_by(of.due.is_(None), of.due, opened.desc(), of.id).limit(_LIMIT)


def _falling_due(
    wanted: Sequence[ColumnElement[bool]], soon: Sequence[ColumnElement[bool]], *, after_dated: bool | None
) -> Rows:
    """When open duties are due after a place, in which case, and when the first one of that case is.

    What has an internal date stands where that is.
    """
    target_at, case_id = col(Duty.target_at), col(Duty.case_id)
    later = [target_at >= _AFTER_AT, or_(target_at > _AFTER_AT, case_id > _AFTER_ID)] if after_dated is not None else []
    such = [select(Case.id).where(Case.id == Duty.case_id, *wanted).exists()] if wanted else []
    rows = select_columns(target_at, case_id, _first_due(case_id)).where(*OPEN_AND_DATED, *later, *soon, *such)
    return rows.order_by(target_at, case_id).limit(_LIMIT)


def _first_due(case_id: SQLColumnExpression[UUID]) -> ColumnElement[datetime | None]:
    """When the first open and dated duty of a case is due, by its internal date where it has one."""
    first = aliased(Duty, name="first")
    due = select(func.min(first.target_at)).where(col(first.case_id) == case_id, *is_open_and_dated(first))
    return due.scalar_subquery()


def _newest_undated(wanted: Sequence[ColumnElement[bool]], *, after_dated: bool | None) -> Rows:
    """The cases without a dated open duty, the newest first."""
    has_date = select(Duty.case_id).where(Duty.case_id == Case.id, *OPEN_AND_DATED).exists()
    opened, key = col(Case.opened_at), col(Case.id)
    earlier = [opened <= _AFTER_AT, or_(opened < _AFTER_AT, key > _AFTER_ID)] if after_dated is not None else []
    rows = select_columns(opened, key).where(~has_date, *wanted, *earlier)
    return rows.order_by(opened.desc(), key).limit(_LIMIT)


class _Reading:
    """One reading of the list: its statements, with the values of its filter."""

    def __init__(self, session: Session, asked: _Statements, values: Mapping[str, object]) -> None:
        self._session = session
        self._asked = asked
        self._values = {**values, "most": MOST_COUNTED + 1}
        self._way = self._rarest()
        self.total: int = session.execute(asked.counts[self._way], self._values).scalar_one()

    def _rarest(self) -> int:
        """The way that goes through the fewest rows."""
        if len(self._asked.counts) == 1:
            return 0
        sizes = self._session.execute(self._asked.sizes, self._values).one()
        return min(range(len(sizes)), key=sizes.__getitem__)

    def first(self, after: CasePlace | None, limit: int) -> list[CasePlace]:
        """The first places after one."""
        if self.total > FEW:
            return self._first_of_many(after, limit)
        return self._first_of_few(after, limit) if self.total else []

    def _first_of_few(self, after: CasePlace | None, limit: int) -> list[CasePlace]:
        """The first places after one: of few cases each is looked at."""
        rows = self._part(self._asked.in_order[self._way], after, limit)
        return [CasePlace(due_at is not None, due_at or opened_at, key) for key, due_at, opened_at in rows]

    def _first_of_many(self, after: CasePlace | None, limit: int) -> list[CasePlace]:
        """The first places after one: of many cases, duties are gone through as they fall due until it has enough."""
        places = self._soonest(after, limit) if after is None or after.dated else []
        missing = limit - len(places)
        if not missing or self._asked.only_dated:
            return places
        if self.total <= MOST_COUNTED:
            return places + self._first_of_few(places[-1] if places else after, missing)
        return places + self._newest_undated(None if after is None or after.dated else after, missing)

    def _soonest(self, after: CasePlace | None, limit: int) -> list[CasePlace]:
        """The first places of cases with a dated open duty: each stands where its own first duty does."""
        places: list[CasePlace] = []
        while len(places) < limit:
            rows = self._part(self._asked.falling_due, after, 2 * limit)
            places += dict.fromkeys(CasePlace(True, at, key) for at, key, first in rows if at == first)
            if len(rows) < 2 * limit:
                break
            after = CasePlace(True, rows[-1][0], rows[-1][1])
        return places[:limit]

    def _newest_undated(self, after: CasePlace | None, limit: int) -> list[CasePlace]:
        """The first places of cases without a dated open duty."""
        return [CasePlace(False, at, key) for at, key in self._part(self._asked.newest_undated, after, limit)]

    def _part(self, statements: Mapping[Any, Rows], after: CasePlace | None, limit: int) -> Sequence[Any]:
        statement = statements[after.dated if after else None]
        place = {"after_at": after.at, "after_id": after.case_id} if after else {}
        return self._session.execute(statement, {**self._values, **place, "limit": limit}).all()


def _case_rows(session: Session, cases: Sequence[UUID], now: datetime) -> tuple[CaseRow, ...]:
    """Some of the cases as they are listed, in the order in which they are named."""
    given = {"cases": cases, "now": now}
    rows = {row.id: row._mapping for row in session.execute(_ROWS, given)}
    none = {"open_duties": 0, "overdue_duties": 0, "past_internal": 0, "next_due_at": None, "next_internal_at": None}
    duties = {case_id: dict(zip(none, row, strict=True)) for case_id, *row in session.execute(_OPEN_DUTIES, given)}
    return tuple(CaseRow(**rows[case_id], **duties.get(case_id, none)) for case_id in cases)


_CASES: BindParameter[Any] = bindparam("cases", expanding=True)

_ROWS = select_columns(
    col(Case.id),
    col(Case.kind),
    col(Case.title),
    col(Case.status),
    col(Case.opened_at),
    and_(col(Case.trouble).is_not(None), col(Case.closed_at).is_(None)).label("troubled"),
    select(func.count()).where(CaseAgreement.case_id == Case.id).scalar_subquery().label("agreements"),
    select(func.count())
    .where(Proposal.case_id == Case.id, Proposal.kind == ProposalKind.DONE)
    .where(col(Proposal.approved).is_(True), col(Proposal.undone_at).is_(None))
    .scalar_subquery()
    .label("by_other_means"),
).where(col(Case.id).in_(_CASES))

_FIRST_DUE, _FIRST_TARGET = func.min(col(Duty.due_at)), func.min(col(Duty.target_at))

_OPEN_DUTIES = (
    select_columns(
        col(Duty.case_id),
        func.count(),
        func.count().filter(col(Duty.due_at) < _NOW),
        func.count().filter(col(Duty.target_at) < _NOW, col(Duty.due_at) >= _NOW),
        _FIRST_DUE,
        func.nullif(_FIRST_TARGET, _FIRST_DUE, type_=UtcDateTime),
    )
    .where(col(Duty.case_id).in_(_CASES), col(Duty.status).in_(OPEN_STATUSES))
    .group_by(col(Duty.case_id))
)
