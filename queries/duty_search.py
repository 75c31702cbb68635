"""Duties of all cases, found by district, clause, date and lateness: what was due, what became of it, its proofs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, func, select

from agreements.due_dates import read_due_date
from cases.overdue import is_overdue
from config.database import Database
from models import identifiers
from models.enums import ON_TIME_ON_A_WORD, OPEN_STATUSES, TOO_LATE, DutyStatus, Party, PerformedBy, Verdict
from models.errors import InvalidInput
from models.phrases import counted, instant_words, length_words
from models.tables import Agreement, Case, DueDate, Duty
from models.view import View
from queries.proofs import Proof, proofs_of
from records.scope import AgreementFilter

MOST_COUNTED = 10_000
"""So many duties are counted; of more it is said that there are more."""


class Met(StrEnum):
    """How a duty was met, as it is searched for and counted: each is one of these at any moment."""

    ON_TIME = "on_time"
    ON_A_WORD = "on_a_word"
    """On time, on the word of people: by other means than the engine's, or by a letter that somebody posted."""
    LATE = "late"
    """Performed after its due instant, whoever says so."""
    OVERDUE = "overdue"
    """Its due instant has passed, and nothing has performed it."""
    OPEN = "open"
    NOT_OWED = "not_owed"
    """Not required, cancelled, or its time ran out after which the clause says that something holds."""


MET_IN_WORDS: Mapping[Met, str] = {
    Met.ON_TIME: "on time",
    Met.ON_A_WORD: "on time, on somebody’s word",
    Met.LATE: "late",
    Met.OVERDUE: "overdue",
    Met.OPEN: "open",
    Met.NOT_OWED: "not owed, or ran out",
}

_NOT_OWED = frozenset(DutyStatus) - OPEN_STATUSES - {DutyStatus.PERFORMED}


@dataclass(frozen=True)
class DutyPlace:
    """A place in the list: when the duty there is due, and its id."""

    due_at: datetime | None
    id: UUID

    def __str__(self) -> str:
        instant = f"{self.due_at:%Y-%m-%dT%H:%M:%S.%fZ}" if self.due_at else ""
        return f"{instant}~{self.id}"

    @classmethod
    def read(cls, text: str) -> DutyPlace:
        """The place of this name.

        Raises:
            InvalidInput: it names none.
        """
        instant, _, key = text.partition("~")
        try:
            due_at = datetime.fromisoformat(instant) if instant else None
            if due_at is None or due_at.tzinfo is not None:
                return cls(due_at, UUID(key))
        except ValueError:
            pass
        raise InvalidInput(
            "This is no place in the list.", where="after", next_step="Take the one that the page before gives."
        )


@dataclass(frozen=True)
class DutySearch:
    """Which duties to find; each condition that is None or blank leaves it open.

    Attributes:
        district: is in the LEA's name or in the reference of its agreement.
        agreement: the reference of the one agreement.
        state: the state of the agreement.
        clause: the clause's id.
        kind: the kind of case.
        met: how it was met.
        since: the first day on which it may be due, in UTC; ``until`` is the last.
    """

    district: str = ""
    agreement: str = ""
    state: str = ""
    clause: str = ""
    kind: str = ""
    met: Met | None = None
    since: date | None = None
    until: date | None = None

    @property
    def asked(self) -> dict[str, str]:
        """What is asked for, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: str(value) for name, value in given.items() if value}

    def __bool__(self) -> bool:
        return bool(self.asked)

    def conditions(self, now: datetime) -> Iterator[ColumnElement[bool]]:
        """The conditions as SQL, on duties alone."""
        if self.district or self.state:
            which = AgreementFilter(self.district, self.state).conditions()
            yield col(Duty.agreement_id).in_(select(Agreement.id).where(*which))
        if self.agreement:
            yield col(Duty.agreement_id) == identifiers.agreement_id(self.agreement)
        if self.clause:
            yield col(Duty.clause) == self.clause
        if self.kind:
            yield col(Duty.case_id).in_(select(Case.id).where(Case.kind == self.kind))
        if self.since:
            yield col(Duty.due_at) >= _midnight(self.since)
        if self.until:
            yield col(Duty.due_at) < _midnight(self.until) + timedelta(days=1)
        if self.met:
            yield _was_met(self.met, now)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _was_met(met: Met, now: datetime) -> ColumnElement[bool]:
    status, verdict, due_at = col(Duty.status), col(Duty.verdict), col(Duty.due_at)
    match met:
        case Met.ON_TIME:
            return verdict == Verdict.ON_TIME
        case Met.ON_A_WORD:
            return verdict.in_(ON_TIME_ON_A_WORD)
        case Met.LATE:
            return verdict.in_(TOO_LATE)
        case Met.OVERDUE:
            return and_(status == DutyStatus.RUNNING, due_at < now)
        case Met.OPEN:
            is_not_overdue = or_(status != DutyStatus.RUNNING, due_at.is_(None), due_at >= now)
            return and_(status.in_(OPEN_STATUSES), is_not_overdue)
        case Met.NOT_OWED:
            return status.in_(_NOT_OWED)
        case _:
            assert_never(met)


def how_met(status: DutyStatus, verdict: Verdict | None, *, overdue: bool) -> Met:
    """How a duty was met that stands so; ``overdue`` is whether one that runs is past its due instant."""
    if verdict is Verdict.ON_TIME:
        return Met.ON_TIME
    if verdict:
        return Met.ON_A_WORD if verdict in ON_TIME_ON_A_WORD else Met.LATE
    if overdue:
        return Met.OVERDUE
    return Met.OPEN if status in OPEN_STATUSES else Met.NOT_OWED


class FoundDuty(View):
    """One duty: what was due, to whom, why, what became of it, and what proves that.

    Attributes:
        due_local: when it is due, in the LEA's time zone, in words; blank while its clock has not started.
        stands: its verdict, or where it stands: ``overdue`` is not a status, and is said first.
        late_by: how much too late it was performed, or is overdue; blank where it is not.
        why: the sentences that explain the due instant.
        proofs: what to open: entries, messages, files, the case.
    """

    id: UUID
    due_at: datetime | None
    due_local: str
    performed_at: datetime | None
    performed_local: str
    stands: str
    late_by: str
    clause: str
    title: str
    lea_name: str
    reference: str
    state: str
    form: str
    time_zone: str
    agreement_id: UUID
    case_id: UUID
    case_reference: str
    case_kind: str
    owed_by: Party
    performed_by: PerformedBy
    why: tuple[str, ...]
    proofs: tuple[Proof, ...]

    @property
    def is_late(self) -> bool:
        """Whether it was performed too late, or is overdue."""
        return bool(self.late_by)


class FoundDuties(View):
    """Some duties, the last due first; ``total`` is None where there are more than ``MOST_COUNTED``.

    ``next`` is the place after which the next part begins, if there is one.
    """

    items: tuple[FoundDuty, ...]
    total: int | None
    next: str | None

    @property
    def counted(self) -> str:
        """How many there are in all, in words."""
        if self.total is None:
            return f"more than {counted(MOST_COUNTED, 'duty', 'duties')}"
        return counted(self.total, "duty", "duties")


def find_duties(
    database: Database,
    which: DutySearch,
    now: datetime,
    *,
    after: DutyPlace | None = None,
    limit: int,
    with_proofs: bool = True,
) -> FoundDuties:
    """Some of the duties that are searched for: what is due last first, and then what has no due date yet."""
    with database.reading() as session:
        conditions = tuple(which.conditions(now))
        places = _places(session, conditions, which, after, limit + 1)
        such = select(Duty.id).where(*conditions).limit(MOST_COUNTED + 1).subquery()
        total = session.exec(select(func.count()).select_from(such)).one()
        wanted = places[:limit]
        return FoundDuties(
            items=_found(session, [place.id for place in wanted], now, with_proofs=with_proofs),
            total=None if total > MOST_COUNTED else total,
            next=str(wanted[-1]) if len(places) > limit else None,
        )


def _places(
    session: Session,
    conditions: Sequence[ColumnElement[bool]],
    which: DutySearch,
    after: DutyPlace | None,
    limit: int,
) -> list[DutyPlace]:
    """The first places after one: each of the two parts is read in the order of an index."""
    due_at, key = col(Duty.due_at), col(Duty.id)
    places: list[DutyPlace] = []
    if after is None or after.due_at is not None:
        earlier = []
        if after and after.due_at:
            earlier = [due_at <= after.due_at, or_(due_at < after.due_at, key < after.id)]
        dated = (
            select(Duty.due_at, Duty.id)
            .where(*conditions, due_at.is_not(None), *earlier)
            .order_by(due_at.desc(), key.desc())
            .limit(limit)
        )
        places = [DutyPlace(at, duty_id) for at, duty_id in session.exec(dated)]
    if len(places) < limit and not (which.since or which.until):
        begins = [key < after.id] if after and after.due_at is None else []
        undated = select(Duty.id).where(*conditions, due_at.is_(None), *begins).order_by(key.desc())
        places += [DutyPlace(None, duty_id) for duty_id in session.exec(undated.limit(limit - len(places)))]
    return places


def _found(session: Session, ids: Sequence[UUID], now: datetime, *, with_proofs: bool) -> tuple[FoundDuty, ...]:
    rows = session.exec(
        select(Duty, Agreement, DueDate, Case.kind)
        .join(Agreement, col(Agreement.id) == col(Duty.agreement_id))
        .join(DueDate, col(DueDate.id) == col(Duty.due_date_id))
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(col(Duty.id).in_(ids))
    ).all()
    by_id = {duty.id: (duty, agreement, due_date, kind) for duty, agreement, due_date, kind in rows}
    proofs = proofs_of(session, [by_id[key][0] for key in ids]) if with_proofs else {}
    return tuple(_view(*by_id[key], proofs.get(key, ()), now) for key in ids)


def _view(
    duty: Duty, agreement: Agreement, due_date: DueDate, kind: str, proofs: tuple[Proof, ...], now: datetime
) -> FoundDuty:
    reasons = read_due_date(due_date)
    overdue = is_overdue(duty.status, duty.due_at, now)
    met = now if overdue else duty.performed_at if duty.verdict in TOO_LATE else None
    return FoundDuty(
        due_local=instant_words(duty.due_at, agreement.time_zone) if duty.due_at else "",
        performed_local=instant_words(duty.performed_at, agreement.time_zone) if duty.performed_at else "",
        stands="overdue" if overdue else duty.verdict or duty.status,
        late_by=length_words(met - duty.due_at) if met and duty.due_at else "",
        title=reasons.title,
        lea_name=agreement.lea_name,
        reference=agreement.reference,
        state=agreement.state,
        form=agreement.form,
        time_zone=agreement.time_zone,
        case_reference=identifiers.case_reference(duty.case_id),
        case_kind=kind,
        why=reasons.why,
        proofs=proofs,
        **{name: getattr(duty, name) for name in _OF_DUTY},
    )


_OF_DUTY = ("id", "due_at", "performed_at", "clause", "agreement_id", "case_id", "owed_by", "performed_by")
