"""Planning notices: which duties need one now, which planned ones no longer stand, and how they make batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from cases.kinds import kind_named
from cases.state import BatchPlan, NoticePolicy
from ledger.checkpoints import newest_head
from mail.delivery_states import MAY_HAVE_LEFT
from models import identifiers
from models.bulk import insert_rows
from models.enums import (
    OPEN_STATUSES,
    SIDES,
    BatchStatus,
    CaseStatus,
    DutyStatus,
    FactStatus,
    NoticeKind,
    PerformedBy,
)
from models.tables import Batch, Case, CaseFact, Delivery, Duty, Notice
from records.documents_at_hand import NO_DOCUMENT, DocumentsAtHand, documents_at_hand
from records.offers import offering_clauses
from records.performing import performed_duties
from records.withholding import kept_by_two, lapse_of
from terms.duties import DueDuty

BATCH_SIZE = 200
"""How many notices one batch holds at most: what one activity sends, and what the case waits for at once."""

NOT_BEGUN = (BatchStatus.WAITING, BatchStatus.WITHHELD)
"""How a batch stands that has not begun to leave; one that is withheld leaves once it is released."""

NOT_SENT = (*NOT_BEGUN, BatchStatus.SENDING, BatchStatus.PUT_OFF)


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

    ``impossible`` are those that cannot be determined.
    """

    elements: Set[str]
    at_hand: DocumentsAtHand = NO_DOCUMENT
    impossible: Set[str] = frozenset()

    def adds_to(self, duty: Duty) -> bool:
        """Whether anything is known that the duty's LEA has not been told."""
        return not self._of(duty.agreement_id).isdisjoint(duty.lacking)

    def tells_all(self, agreement_id: UUID, due_date: DueDuty) -> bool:
        """Whether a notice to an agreement's LEA would lack nothing that its clause requires."""
        return (self._of(agreement_id) | self.impossible) >= frozenset(due_date.contents)

    def missing_at_once(self, agreement_id: UUID, due_date: DueDuty) -> list[str]:
        """What a clause requires at once and nobody knows, where its notice waits for that."""
        known = self._of(agreement_id)
        waits = due_date.incomplete == "waits"
        return [element for element in due_date.at_once if element not in known] if waits else []

    def _of(self, agreement_id: UUID) -> Set[str]:
        return self.elements | self.at_hand.of(agreement_id)


def plan_notices(session: Session, case_id: UUID, policy: NoticePolicy, now: datetime, dated: Set[str]) -> None:
    """Bring the planned notices of a case in line with its duties.

    A notice whose duty no longer runs, or is due at another instant, is dropped before it leaves. A running duty
    without a notice gets one; one that was performed with elements lacking gets a supplement once any of them is
    known; in a dismissed case, every LEA that was told is told of the dismissal. ``dated`` are the elements that the
    case's dates make known.
    """
    duties = {duty.id: duty for duty in session.exec(select(Duty).where(Duty.case_id == case_id))}
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties.values()})
    _settle_impossible(session, case_id, duties.values())
    if session.get_one(Case, case_id).status is CaseStatus.DISMISSED:
        _drop(session, case_id, duties, Known(frozenset()), dismissed=True)
        _plan(session, case_id, _dismissals(session, case_id, duties, now), now)
        return
    known = known_elements(session, case_id, dated)
    kind = kind_named(session.get_one(Case, case_id).kind)
    by_itself = {element for element in (kind.holders_document, kind.passes_on) if element}
    _note_what_waits(duties.values(), due_dates, known, by_itself)
    _drop(session, case_id, duties, known, dismissed=False)
    withheld = _withheld_before(session, case_id)
    _move_last_moments(session, case_id, duties, due_dates, policy, known)
    _move_internal_dates(session, case_id, duties)
    live = _live(session, case_id)
    cohorts: dict[Cohort, list[UUID]] = defaultdict(list)
    for duty in duties.values():
        if duty.id in live:
            continue
        if _needs_notice(duty):
            due_date = due_dates[duty.due_date_id]
            complete = known.tells_all(duty.agreement_id, due_date)
            leaves_at = leaving_moment(due_date, policy, now, complete=complete)
            cohort = Cohort(
                NoticeKind.NOTICE,
                duty.clause,
                duty.due_date_id,
                leaves_at,
                due_date.due_at,
                last_safe_moment(due_date, policy, now),
                withheld.get(duty.id),
                duty.internal_due_at,
            )
            cohorts[cohort].append(duty.id)
        elif duty.status is DutyStatus.PERFORMED and known.adds_to(duty):
            leaves_at = now if policy.release == "immediate" else now + timedelta(minutes=policy.supplement_minutes)
            cohorts[Cohort(NoticeKind.SUPPLEMENT, duty.clause, duty.due_date_id, leaves_at)].append(duty.id)
    _plan(session, case_id, cohorts, now, offering_clauses(session, session.get_one(Case, case_id)))


def known_elements(session: Session, case_id: UUID, dated: Set[str]) -> Known:
    """The content elements that are known in a case; ``dated`` are those that its dates make known."""
    return Known(
        dated | _elements(session, case_id, FactStatus.KNOWN),
        documents_at_hand(session, case_id),
        _elements(session, case_id, FactStatus.IMPOSSIBLE),
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
    session: Session,
    case_id: UUID,
    duties: Mapping[UUID, Duty],
    due_dates: Mapping[str, StoredDueDate],
    policy: NoticePolicy,
    known: Known,
) -> None:
    """Let drafts whose limit is the last moment and not the plan leave early while all of a batch lack nothing."""
    waiting: dict[UUID, list[Duty]] = defaultdict(list)
    batches: dict[UUID, Batch] = {}
    for notice, batch in _not_sent(session, case_id):
        first = batch.kind is NoticeKind.NOTICE and batch.status is BatchStatus.WAITING
        if first and due_dates[batch.due_date_id].last_moment:
            waiting[batch.id].append(duties[notice.duty_id])
            batches[batch.id] = batch
    for batch_id, of_batch in waiting.items():
        batch = batches[batch_id]
        due_date = due_dates[batch.due_date_id]
        complete = all(known.tells_all(duty.agreement_id, due_date) for duty in of_batch)
        batch.leaves_at = leaving_moment(due_date, policy, batch.planned_at, complete=complete)
        session.add(batch)


def _move_internal_dates(session: Session, case_id: UUID, duties: Mapping[UUID, Duty]) -> None:
    """Let drafts that stand be reminded of by the internal dates that their duties have now.

    Such a date is no reason to draft anew: what was read of a draft, and when it leaves, stay.
    """
    batches: dict[UUID, Batch] = {}
    dates: dict[UUID, set[datetime]] = defaultdict(set)
    for notice, batch in _not_sent(session, case_id):
        batches[batch.id] = batch
        if batch.kind is NoticeKind.NOTICE and (internal := duties[notice.duty_id].internal_due_at):
            dates[batch.id].add(internal)
    for batch_id, batch in batches.items():
        batch.internal_due_at = min(dates[batch_id], default=None)
        session.add(batch)


def _elements(session: Session, case_id: UUID, status: FactStatus) -> set[str]:
    return set(
        session.exec(
            select(CaseFact.element).where(
                CaseFact.case_id == case_id, CaseFact.status == status, col(CaseFact.superseded_at).is_(None)
            )
        )
    )


def _settle_impossible(session: Session, case_id: UUID, duties: Iterable[Duty]) -> None:
    """What was declared impossible to determine is lacking no more."""
    impossible = _elements(session, case_id, FactStatus.IMPOSSIBLE)
    for duty in duties:
        if impossible.intersection(duty.lacking):
            duty.lacking = [element for element in duty.lacking if element not in impossible]
            duty.lacking_count = len(duty.lacking)
            session.add(duty)


def not_sent(case_id: UUID) -> tuple[ColumnElement[bool], ...]:
    """The conditions for the notices of a case, joined with their batches, that are still to be given."""
    return (
        col(Notice.case_id) == case_id,
        col(Notice.given_at).is_(None),
        col(Notice.dropped).is_(False),
        col(Batch.status).in_(NOT_SENT),
    )


def _not_sent(session: Session, case_id: UUID) -> list[tuple[Notice, Batch]]:
    joined = select(Notice, Batch).join(Batch, col(Batch.id) == col(Notice.batch_id))
    return list(session.exec(joined.where(*not_sent(case_id))).all())


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


def _live(session: Session, case_id: UUID) -> set[UUID]:
    """The duties that need no further notice for now: one waits, is being sent, or could not be delivered."""
    waiting = [notice for notice, _ in _not_sent(session, case_id)]
    tried = session.exec(
        select(Notice)
        .join(Batch, col(Batch.id) == col(Notice.batch_id))
        .where(
            Notice.case_id == case_id,
            col(Notice.dropped).is_(False),
            col(Notice.given_at).is_(None),
            Batch.status == BatchStatus.SENT,
        )
    )
    return {duty_id for notice in (*waiting, *tried) for duty_id in performed_duties(notice)}


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


def _drop(session: Session, case_id: UUID, duties: Mapping[UUID, Duty], known: Known, *, dismissed: bool) -> None:
    """Drop the notices that no longer stand.

    A message that may be on its way is left to arrive; the case computes again once it has.
    """
    on_its_way = _on_its_way(session, case_id)
    dropped: dict[UUID, int] = defaultdict(int)
    batches: dict[UUID, Batch] = {}
    for notice, batch in _not_sent(session, case_id):
        if notice.id not in on_its_way and not _stands(
            notice, batch, duties[notice.duty_id], known, dismissed=dismissed
        ):
            notice.dropped = True
            session.add(notice)
            dropped[batch.id] += 1
            batches[batch.id] = batch
    for batch_id, count in dropped.items():
        batch = batches[batch_id]
        batch.size -= count
        if batch.size == 0 and batch.status in NOT_BEGUN:
            batch.status = BatchStatus.CANCELLED
        session.add(batch)


def _stands(notice: Notice, batch: Batch, duty: Duty, known: Known, *, dismissed: bool) -> bool:
    """Whether a planned notice still says what is to be said."""
    if notice.kind is NoticeKind.DISMISSAL or dismissed:
        return notice.kind is NoticeKind.DISMISSAL
    if notice.kind is NoticeKind.SUPPLEMENT:
        return known.adds_to(duty)
    return _needs_notice(duty) and duty.due_date_id == batch.due_date_id


def _needs_notice(duty: Duty) -> bool:
    """Whether a running duty is performed by a notice, and nothing that it must say at once is missing."""
    return duty.status is DutyStatus.RUNNING and duty.performed_by is PerformedBy.NOTICE and not duty.waits_for


def _note_what_waits(
    duties: Iterable[Duty], due_dates: Mapping[str, StoredDueDate], known: Known, by_itself: Set[str]
) -> None:
    """Keep on each open duty what its clause requires at once and nobody knows: until then it cannot be performed.

    People are asked for it, save for what the case writes ``by_itself``. A clause whose notice goes with what is known
    (``incomplete: goes``) waits for nothing.
    """
    for duty in duties:
        is_open = duty.status in OPEN_STATUSES
        missing = known.missing_at_once(duty.agreement_id, due_dates[duty.due_date_id]) if is_open else []
        if missing != duty.waits_for:
            duty.waits_for = missing
            duty.needed_count, duty.needed_told = len(set(missing) - by_itself), 0


def _dismissals(
    session: Session, case_id: UUID, duties: Mapping[UUID, Duty], now: datetime
) -> dict[Cohort, list[UUID]]:
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
    cohorts: Mapping[Cohort, list[UUID]],
    now: datetime,
    offering: Set[str] = frozenset(),
) -> None:
    """Plan the notices of each cohort in batches; ``offering`` are the clauses whose notices offer a right."""
    head = newest_head(session)
    head_line = head.line if head else None
    for cohort, duties in cohorts.items():
        offers = cohort.kind is NoticeKind.NOTICE and cohort.clause in offering
        for start in range(0, len(duties), BATCH_SIZE):
            some = duties[start : start + BATCH_SIZE]
            _plan_batch(session, case_id, cohort, some, now, offers=offers, ledger_head=head_line)


def _plan_batch(
    session: Session,
    case_id: UUID,
    cohort: Cohort,
    duties: list[UUID],
    now: datetime,
    *,
    offers: bool,
    ledger_head: str | None,
) -> None:
    batch_id = identifiers.batch_id(case_id, cohort.kind, cohort.clause, duties[0], now)
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
    insert_rows(
        session,
        Notice,
        [
            {
                "id": identifiers.notice_id(batch_id, duty_id),
                "batch_id": batch_id,
                "duty_id": duty_id,
                "also_performs": [],
                "case_id": case_id,
                "kind": cohort.kind,
                "given": [],
                "lacking": [],
                "dropped": False,
                "offers": offers,
                "reminders": 0,
                "has_link": session.get_one(Duty, duty_id).owed_to in SIDES,
                "link_generation": 1,
                "link_refusals": 0,
            }
            for duty_id in duties
        ],
    )
