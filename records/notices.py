"""Planning notices: which duties need one now, which planned ones no longer stand, and how they make batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam
from sqlalchemy import select as select_columns
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from cases.kinds import kind_named
from cases.state import BatchPlan, NoticePolicy
from ledger.checkpoints import newest_head
from mail.delivery_states import MAY_HAVE_LEFT
from models import identifiers
from models.bulk import columns_of, insert_rows, table_of, update_rows
from models.enums import (
    OPEN_STATUSES,
    SIDES,
    BatchStatus,
    CaseStatus,
    DutyStatus,
    FactStatus,
    NoticeKind,
    Party,
    PerformedBy,
)
from models.grouping import grouped, parts
from models.tables import Batch, Case, CaseFact, Delivery, Duty, Notice
from records.corrections import DatedFacts, told_otherwise
from records.documents_at_hand import NO_DOCUMENT, DocumentsAtHand, documents_at_hand
from records.offers import offering_clauses
from records.withholding import kept_by_two, lapse_of
from terms.duties import DueDuty

BATCH_SIZE = 500
"""How many notices one batch holds at most: what one activity sends, and what the case waits for at once.

Each batch costs Temporal some seventeen writes and the case one reading of how it stands, however many it holds.
"""

NOT_BEGUN = (BatchStatus.WAITING, BatchStatus.WITHHELD)
"""How a batch stands that has not begun to leave; one that is withheld leaves once it is released."""

NOT_SENT = (*NOT_BEGUN, BatchStatus.SENDING, BatchStatus.PUT_OFF)


class DutyRow(NamedTuple):
    """What planning goes by of a row of ``models.tables.Duty``."""

    id: UUID
    agreement_id: UUID
    clause: str
    owed_to: Party
    performed_by: PerformedBy
    status: DutyStatus
    due_date_id: str
    internal_due_at: datetime | None
    lacking: list[str]
    waits_for: list[str]

    @property
    def needs_notice(self) -> bool:
        """Whether it runs and a notice performs it, and nothing that this must say at once is missing."""
        return self.status is DutyStatus.RUNNING and self.performed_by is PerformedBy.NOTICE and not self.waits_for


class Ungiven(NamedTuple):
    """A notice that is planned and was not given: what planning goes by of its row."""

    id: UUID
    batch_id: UUID
    duty_id: UUID
    also_performs: list[str]
    kind: NoticeKind

    @property
    def performs(self) -> tuple[UUID, ...]:
        """The duties that it performs, its own first."""
        return self.duty_id, *map(UUID, self.also_performs)


_Duties: TypeAlias = Mapping[UUID, DutyRow]
_Batches: TypeAlias = Mapping[UUID, Batch]
_DueDates: TypeAlias = Mapping[str, StoredDueDate]

_DUTY, _NOTICE = table_of(Duty).c, table_of(Notice).c
_DUTIES = select_columns(*columns_of(Duty, *DutyRow._fields)).where(_DUTY.case_id == bindparam("case"))
_UNGIVEN = select_columns(*columns_of(Notice, *Ungiven._fields)).where(
    _NOTICE.case_id == bindparam("case"), _NOTICE.given_at.is_(None), _NOTICE.dropped.is_(False)
)


@dataclass(frozen=True)
class Cohort:
    """Notices that share everything but their LEA."""

    kind: NoticeKind
    clause: str
    due_date_id: str
    leaves_at: datetime
    due_at: datetime | None = None
    last_safe_at: datetime | None = None
    withheld_under: UUID | None = None
    internal_due_at: datetime | None = None


@dataclass(frozen=True)
class Known:
    """The content elements that are known: told, or by a document that there is for one LEA or for all.

    ``impossible`` are those that cannot be determined; ``otherwise`` those, by duty, that were told otherwise.
    """

    elements: Set[str]
    at_hand: DocumentsAtHand = NO_DOCUMENT
    impossible: Set[str] = frozenset()
    otherwise: Mapping[UUID, Set[str]] = field(default_factory=dict)

    def adds_to(self, duty: DutyRow | Duty) -> bool:
        """Whether anything is known that whom a duty is owed to has not been told, or was told otherwise."""
        return duty.id in self.otherwise or not self._of(duty.agreement_id).isdisjoint(duty.lacking)

    def tells_all(self, agreement_id: UUID, due_date: DueDuty) -> bool:
        """Whether a notice to an agreement's LEA would lack nothing that its clause requires."""
        return self._of(agreement_id).union(self.impossible).issuperset(due_date.contents)

    def missing_at_once(self, agreement_id: UUID, due_date: DueDuty) -> list[str]:
        """What a clause requires at once and nobody knows, where its notice waits for that."""
        known = self._of(agreement_id)
        waits = due_date.incomplete == "waits"
        return [element for element in due_date.at_once if element not in known] if waits else []

    def _of(self, agreement_id: UUID) -> frozenset[str]:
        single = self.at_hand.single.get(agreement_id)
        return self._of_all | single if single else self._of_all

    @cached_property
    def _of_all(self) -> frozenset[str]:
        return self.at_hand.all.union(self.elements)


def plan_notices(session: Session, case_id: UUID, policy: NoticePolicy, now: datetime, dated: Set[str]) -> None:
    """Bring the planned notices of a case in line with its duties.

    A notice whose duty no longer runs, or is due at another instant, is dropped before it leaves. A running duty
    without a notice gets one; one that was performed with elements lacking gets a supplement once any of them is
    known, and one whose notice gave what is known otherwise by now gets one that corrects it; in a dismissed case,
    every LEA that was told is told of the dismissal. ``dated`` are the elements that the case's dates make known.
    """
    session.flush()  # what was changed by objects is to be read too
    case = session.get_one(Case, case_id)
    duties = _settle_impossible(session, case_id, _duties_of(session, case_id))
    batches = {batch.id: batch for batch in session.exec(select(Batch).where(Batch.case_id == case_id))}
    ungiven = [Ungiven._make(row) for row in session.execute(_UNGIVEN, {"case": case_id})]
    not_left = [notice for notice in ungiven if batches[notice.batch_id].status in NOT_SENT]
    if case.status is CaseStatus.DISMISSED:
        _drop(session, case_id, not_left, batches, duties, Known(frozenset()), dismissed=True)
        _plan(session, case_id, _dismissals(session, case_id, duties, now), duties, now)
        return
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties.values()})
    known = known_elements(session, case_id, dated)
    kind = kind_named(case.kind)
    by_itself = {element for element in (kind.holders_document, kind.passes_on) if element}
    duties = _note_what_waits(session, duties, due_dates, known, by_itself)
    waiting = _drop(session, case_id, not_left, batches, duties, known, dismissed=False)
    _move_last_moments(batches, waiting, duties, due_dates, policy, known)
    _move_internal_dates(batches, waiting, duties)
    # One that could not be delivered is tried again by its batch, and needs no other.
    tried = [notice for notice in ungiven if batches[notice.batch_id].status is BatchStatus.SENT]
    live = {duty_id for notice in (*waiting, *tried) for duty_id in notice.performs}
    free = [duty for duty in duties.values() if duty.id not in live]
    cohorts = _notices(free, due_dates, known, policy, now, _withheld_before(session, case_id))
    cohorts |= _supplements(free, known, policy, now)
    _plan(session, case_id, cohorts, duties, now, offering_clauses(session, case))


def _duties_of(session: Session, case_id: UUID) -> dict[UUID, DutyRow]:
    return {duty.id: duty for duty in map(DutyRow._make, session.execute(_DUTIES, {"case": case_id}))}


def _notices(
    duties: Iterable[DutyRow],
    due_dates: _DueDates,
    known: Known,
    policy: NoticePolicy,
    now: datetime,
    withheld: Mapping[UUID, UUID],
) -> dict[Cohort, list[UUID]]:
    """The duties that need a notice, by its cohort; ``withheld`` are decisions under which some were kept back."""
    alike: dict[tuple[str, bool, UUID | None, datetime | None], list[UUID]] = defaultdict(list)
    for duty in duties:
        if duty.needs_notice:
            complete = known.tells_all(duty.agreement_id, due_dates[duty.due_date_id])
            alike[duty.due_date_id, complete, withheld.get(duty.id), duty.internal_due_at].append(duty.id)
    cohorts: dict[Cohort, list[UUID]] = defaultdict(list)
    for (due_date_id, complete, withheld_under, internal_due_at), some in alike.items():
        due_date = due_dates[due_date_id]
        cohort = Cohort(
            NoticeKind.NOTICE,
            due_date.clause,
            due_date_id,
            leaving_moment(due_date, policy, now, complete=complete),
            due_date.due_at,
            last_safe_moment(due_date, policy, now),
            withheld_under,
            internal_due_at,
        )
        cohorts[cohort] += some
    return cohorts


def _supplements(
    duties: Iterable[DutyRow], known: Known, policy: NoticePolicy, now: datetime
) -> dict[Cohort, list[UUID]]:
    """The duties that were performed with something lacking that is known by now, by the cohort of what adds it."""
    leaves_at = now if policy.release == "immediate" else now + timedelta(minutes=policy.supplement_minutes)
    cohorts: dict[Cohort, list[UUID]] = defaultdict(list)
    for duty in duties:
        if duty.status is DutyStatus.PERFORMED and known.adds_to(duty):
            cohorts[Cohort(NoticeKind.SUPPLEMENT, duty.clause, duty.due_date_id, leaves_at)].append(duty.id)
    return cohorts


def known_elements(session: Session, case_id: UUID, dated: Set[str], anchors: DatedFacts | None = None) -> Known:
    """The content elements that are known in a case; ``dated`` are those that its dates make known.

    ``anchors`` are its dated facts as they would be, instead of those that are recorded.
    """
    return Known(
        dated | _elements(session, case_id, FactStatus.KNOWN),
        documents_at_hand(session, case_id),
        _elements(session, case_id, FactStatus.IMPOSSIBLE),
        told_otherwise(session, case_id, anchors=anchors),
    )


def waiting_batches(session: Session, case_id: UUID) -> tuple[BatchPlan, ...]:
    """The batches of a case that have not left or are put off, with what the case's clock needs to know of them.

    The clock knows of those that it put off itself; it has yet to hear of one that a person's act took up again.
    """
    waiting = col(Batch.status).in_((*NOT_BEGUN, BatchStatus.PUT_OFF))
    batches = session.exec(select(Batch).where(Batch.case_id == case_id, waiting)).all()
    by_two = kept_by_two(session, case_id)
    due_dates = read_due_dates(session, {batch.due_date_id for batch in batches})
    return tuple(
        BatchPlan(
            batch_id=batch.id,
            kind=batch.kind,
            clause=batch.clause,
            starts_at=_dated(due_date.starts_at),
            due_at=_dated(due_date.due_at) if batch.kind is NoticeKind.NOTICE else None,
            leaves_at=batch.again_at or batch.leaves_at,
            size=batch.size,
            withheld=batch.status is BatchStatus.WITHHELD,
            released_by=batch.released_by,
            last_moment=batch.kind is NoticeKind.NOTICE and due_date.last_moment,
            lapses_at=lapse_of(batch, by_two),
            internal_due_at=batch.internal_due_at,
        )
        for batch, due_date in ((batch, due_dates[batch.due_date_id]) for batch in batches)
    )


def _dated(instant: datetime | None) -> datetime:
    assert instant is not None, "notices are planned for dated duties alone"
    return instant


def leaving_moment(due_date: DueDuty, policy: NoticePolicy, planned_at: datetime, *, complete: bool) -> datetime:
    """When a notice leaves that nobody releases: at its last safe moment.

    Where that is not the plan and nothing required is lacking, it leaves some hours after it was drafted. Where it has
    passed before the notice is drafted, a person still has a while: nothing leaves because of a mistyped date.
    """
    if policy.release == "immediate":
        return planned_at
    leaves_at = last_safe_moment(due_date, policy, planned_at)
    if policy.last_moment_hours is not None and due_date.last_moment and complete:
        early = planned_at + timedelta(hours=policy.last_moment_hours)
        leaves_at = max(min(leaves_at, early), planned_at + _grace(due_date, policy, planned_at))
    return leaves_at


def last_safe_moment(due_date: DueDuty, policy: NoticePolicy, planned_at: datetime) -> datetime:
    """Up to when one person may keep a notice back: shortly before it is due, or for the grace where that is over."""
    last = _dated(due_date.due_at) - timedelta(minutes=policy.last_safe_minutes)
    return max(last, planned_at + _grace(due_date, policy, planned_at))


def _grace(due_date: DueDuty, policy: NoticePolicy, planned_at: datetime) -> timedelta:
    """How long a notice waits for a person in any case: at most half of the time that it has left, if it has any."""
    grace, left = timedelta(minutes=policy.overdue_grace_minutes), _dated(due_date.due_at) - planned_at
    return min(grace, left / 2) if left > timedelta() else grace


def _move_last_moments(
    batches: _Batches,
    waiting: Iterable[Ungiven],
    duties: _Duties,
    due_dates: _DueDates,
    policy: NoticePolicy,
    known: Known,
) -> None:
    """Let drafts whose limit is the last moment and not the plan leave early while all of a batch lack nothing."""
    for batch_id, notices in grouped(waiting, lambda notice: notice.batch_id).items():
        batch = batches[batch_id]
        due_date = due_dates[batch.due_date_id]
        first = batch.kind is NoticeKind.NOTICE and batch.status is BatchStatus.WAITING
        if first and due_date.last_moment:
            complete = all(known.tells_all(duties[notice.duty_id].agreement_id, due_date) for notice in notices)
            batch.leaves_at = leaving_moment(due_date, policy, batch.planned_at, complete=complete)


def _move_internal_dates(batches: _Batches, waiting: Iterable[Ungiven], duties: _Duties) -> None:
    """Let drafts that stand be reminded of by the internal dates that their duties have now.

    Such a date is no reason to draft anew: what was read of a draft, and when it leaves, stay.
    """
    for batch_id, notices in grouped(waiting, lambda notice: notice.batch_id).items():
        batch = batches[batch_id]
        internal = (duties[notice.duty_id].internal_due_at for notice in notices)
        dates = filter(None, internal) if batch.kind is NoticeKind.NOTICE else ()
        batch.internal_due_at = min(dates, default=None)


def _elements(session: Session, case_id: UUID, status: FactStatus) -> set[str]:
    return set(
        session.exec(
            select(CaseFact.element).where(
                CaseFact.case_id == case_id, CaseFact.status == status, col(CaseFact.superseded_at).is_(None)
            )
        )
    )


def _settle_impossible(session: Session, case_id: UUID, duties: _Duties) -> _Duties:
    """What was declared impossible to determine is lacking no more; returns the duties as they are then."""
    impossible = _elements(session, case_id, FactStatus.IMPOSSIBLE)
    changed = {
        duty.id: duty._replace(lacking=[element for element in duty.lacking if element not in impossible])
        for duty in duties.values()
        if not impossible.isdisjoint(duty.lacking)
    }
    rows = [{"id": key, "lacking": duty.lacking, "lacking_count": len(duty.lacking)} for key, duty in changed.items()]
    update_rows(session, Duty, rows)
    return {**duties, **changed}


def not_sent(case_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """The conditions for the notices of a case, joined with their batches, that are still to be given."""
    return (
        col(Notice.case_id) == case_id,
        col(Notice.given_at).is_(None),
        col(Notice.dropped).is_(False),
        col(Batch.status).in_(NOT_SENT),
    )


def _on_its_way(session: Session, case_id: UUID) -> set[UUID]:
    """The notices that the mail server may have taken, as far as anybody knows."""
    return set(
        session.exec(
            select(Delivery.notice_id)
            .join(Notice, col(Notice.id) == col(Delivery.notice_id))
            .where(Notice.case_id == case_id, col(Notice.given_at).is_(None))
            .where(col(Delivery.status).in_(MAY_HAVE_LEFT))
        )
    )


def _withheld_before(session: Session, case_id: UUID) -> dict[UUID, UUID]:
    """The decision under which the last notice of each duty was withheld when it was dropped, where it was.

    It keeps back what is planned anew as well: only a release ends it, or, where one person took it, its lapse.
    """
    rows = session.exec(
        select(Notice.duty_id, Batch.withheld_under)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(Notice.case_id == case_id, Notice.kind == NoticeKind.NOTICE, col(Notice.dropped))
        .order_by(col(Batch.planned_at))
    )
    latest = dict(rows.all())
    return {duty_id: withheld_under for duty_id, withheld_under in latest.items() if withheld_under}


def _drop(
    session: Session,
    case_id: UUID,
    notices: Sequence[Ungiven],
    batches: _Batches,
    duties: _Duties,
    known: Known,
    *,
    dismissed: bool,
) -> list[Ungiven]:
    """Drop those of some notices that no longer stand; return the others.

    A message that may be on its way is left to arrive; the case computes again once it has.
    """
    on_its_way = _on_its_way(session, case_id) if notices else set()
    left: list[Ungiven] = []
    dropped: list[Ungiven] = []
    for notice in notices:
        stands = notice.id in on_its_way or _stands(
            notice, batches[notice.batch_id], duties[notice.duty_id], known, dismissed=dismissed
        )
        (left if stands else dropped).append(notice)
    update_rows(session, Notice, [{"id": notice.id, "dropped": True} for notice in dropped])
    for batch_id, some in grouped(dropped, lambda notice: notice.batch_id).items():
        batch = batches[batch_id]
        batch.size -= len(some)
        if batch.size == 0 and batch.status in NOT_BEGUN:
            batch.status = BatchStatus.CANCELLED
    return left


def _stands(notice: Ungiven, batch: Batch, duty: DutyRow, known: Known, *, dismissed: bool) -> bool:
    """Whether a planned notice still says what is to be said."""
    if notice.kind is NoticeKind.DISMISSAL or dismissed:
        return notice.kind is NoticeKind.DISMISSAL
    if notice.kind is NoticeKind.SUPPLEMENT:
        return known.adds_to(duty)
    return duty.needs_notice and duty.due_date_id == batch.due_date_id


def _note_what_waits(
    session: Session, duties: _Duties, due_dates: _DueDates, known: Known, by_itself: Set[str]
) -> _Duties:
    """Keep on each open duty what its clause requires at once and nobody knows: until then it cannot be performed.

    People are asked for it, save for what the case writes ``by_itself``. A clause whose notice goes with what is known
    (``incomplete: goes``) waits for nothing. Returns the duties as they are then.
    """
    changed: dict[UUID, DutyRow] = {}
    for duty in duties.values():
        is_open = duty.status in OPEN_STATUSES
        missing = known.missing_at_once(duty.agreement_id, due_dates[duty.due_date_id]) if is_open else []
        if missing != duty.waits_for:
            changed[duty.id] = duty._replace(waits_for=missing)
    update_rows(
        session,
        Duty,
        [
            {
                "id": key,
                "waits_for": duty.waits_for,
                "needed_count": len(set(duty.waits_for) - by_itself),
                "needed_told": 0,
            }
            for key, duty in changed.items()
        ],
    )
    return {**duties, **changed}


def _dismissals(session: Session, case_id: UUID, duties: _Duties, now: datetime) -> dict[Cohort, list[UUID]]:
    """One notice for each LEA that was told, under the first duty by which it was, unless it has one."""
    rows = session.exec(
        select(Notice.duty_id, Notice.kind)
        .where(Notice.case_id == case_id, col(Notice.dropped).is_(False))
        .where(col(Notice.given_at).is_not(None) | (col(Notice.kind) == NoticeKind.DISMISSAL))
        .order_by(col(Notice.given_at))
    ).all()
    done = {duties[duty_id].agreement_id for duty_id, kind in rows if kind is NoticeKind.DISMISSAL}
    cohorts: dict[Cohort, list[UUID]] = defaultdict(list)
    for duty_id, _ in rows:
        duty = duties[duty_id]
        if duty.agreement_id not in done:
            done.add(duty.agreement_id)
            cohorts[Cohort(NoticeKind.DISMISSAL, duty.clause, duty.due_date_id, now)].append(duty_id)
    return cohorts


def _plan(
    session: Session,
    case_id: UUID,
    cohorts: Mapping[Cohort, Sequence[UUID]],
    duties: _Duties,
    now: datetime,
    offering: Set[str] = frozenset(),
) -> None:
    """Plan the notices of each cohort in batches; ``offering`` are the clauses whose notices offer a right."""
    head = newest_head(session)
    head_line = head.line if head else None
    for cohort, needing in cohorts.items():
        offers = cohort.kind is NoticeKind.NOTICE and cohort.clause in offering
        for some in parts([duties[key] for key in needing], BATCH_SIZE):
            _plan_batch(session, case_id, cohort, some, now, offers=offers, ledger_head=head_line)


def _plan_batch(
    session: Session,
    case_id: UUID,
    cohort: Cohort,
    duties: Sequence[DutyRow],
    now: datetime,
    *,
    offers: bool,
    ledger_head: str | None,
) -> None:
    batch_id = identifiers.batch_id(case_id, cohort.kind, cohort.clause, duties[0].id, now)
    session.add(
        Batch(
            id=batch_id,
            case_id=case_id,
            kind=cohort.kind,
            clause=cohort.clause,
            due_date_id=cohort.due_date_id,
            status=BatchStatus.WITHHELD if cohort.withheld_under else BatchStatus.WAITING,
            size=len(duties),
            planned_at=now,
            due_at=cohort.due_at,
            internal_due_at=cohort.internal_due_at,
            leaves_at=cohort.leaves_at,
            last_safe_at=cohort.last_safe_at,
            withheld_under=cohort.withheld_under,
            ledger_head=ledger_head,
        )
    )
    session.flush()
    alike = {
        "batch_id": batch_id,
        "also_performs": [],
        "case_id": case_id,
        "kind": cohort.kind,
        "given": [],
        "lacking": [],
        "dropped": False,
        "offers": offers,
        "reminders": 0,
        "link_generation": 1,
        "link_refusals": 0,
    }
    rows = [
        {
            **alike,
            "id": identifiers.notice_id(batch_id, duty.id),
            "duty_id": duty.id,
            "has_link": duty.owed_to in SIDES,
        }
        for duty in duties
    ]
    insert_rows(session, Notice, rows)
