"""What each agreement in a case obliges, when it is due and why, as SQL keeps it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib import import_module
from typing import Any, NamedTuple, Protocol, TypeAlias, assert_never
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, func, select, update

from agreements.due_dates import StoredDueDate, keep_due_dates, read_due_dates, stored_due_date
from agreements.terms import school_calendars
from cases.anchors import AnchorMap, clock_anchors
from cases.intake import About
from cases.kind import Kind
from cases.kinds import kind_named
from cases.state import CaseState, CaseVocabulary
from cases.values import AnchorValue
from ledger.actors import ENGINE
from ledger.append import append
from ledger.artifacts import store_list
from ledger.entries import NAMED_IN_ONE, DutiesGivenUp, DutyComputed
from models import identifiers
from models.bulk import insert_rows
from models.defaults import Defaults
from models.enums import OPEN_STATUSES, SEEN, CaseStatus, DutyStatus, Party, PerformedBy, Verdict
from models.errors import InvalidInput
from models.grouping import parts
from models.phrases import instant_words
from models.tables import Agreement, Case, CaseAgreement, CaseAnchor, Duty
from records.anchors import HoldTime, anchors_by_agreement, current_anchors, hold_times
from terms.agreement_terms import own_dates
from terms.anchors import facts_of, may_lie_ahead, needs_instant
from terms.calendars import SchoolCalendar
from terms.duties import HOLD_LIFTED, HOLD_RECORDED_LATE, OVERDUE_BEFORE_HOLD, DueDuty, duties_for, flag_words
from terms.effective import EffectiveClause, EffectiveTerms
from terms.errors import CalendarTooShort
from terms.internal import NO_LEAD_TIMES, InternalDate, LeadTimes, internal_date
from terms.trace import each_time_sentence


class ComputedDuty(NamedTuple):
    """One duty of one agreement as just computed; agreements with equal reasons share the due date."""

    agreement_id: UUID
    due_date_id: str
    due_date: StoredDueDate
    status: DutyStatus
    internal: InternalDate | None = None


@dataclass(frozen=True)
class Matter:
    """What the duties of one case are computed from, read once.

    Attributes:
        kind: of the case.
        event: of the case, as the clauses name it.
        terms: those of its agreements, by hash.
        anchors: its dated facts under None, and under an agreement those that hold for it instead.
        holds: the law-enforcement holds that there were, in the same way.
        awaited: the dated facts that it still waits for.
        closed: how often a duty came round and was closed, by agreement and clause.
        brought: the dated facts that performing a duty has brought about, and those that SQL knows of an agreement, by
            agreement.
        times: how often a dated fact has come about, under None or an agreement; once where nothing is said.
        begun: the clauses under which the clock of a duty runs: one that nothing starts any more is cancelled.
        calendars: the school calendars of those agreements for which one is loaded.
        about: the one clause that it is about, with what that brings about; None where it is about the whole event.
        leads: how far ahead of their due instants the installation wants duties done.
    """

    kind: Kind
    event: str
    terms: Mapping[str, EffectiveTerms]
    defaults: Defaults
    side: Party
    now: datetime
    anchors: Mapping[UUID | None, Mapping[str, AnchorValue]]
    holds: Mapping[UUID | None, Sequence[HoldTime]]
    awaited: frozenset[str]
    closed: Mapping[UUID, Mapping[str, int]] = field(default_factory=dict)
    brought: Mapping[UUID, Mapping[str, datetime | date]] = field(default_factory=dict)
    times: Mapping[UUID | None, Mapping[str, int]] = field(default_factory=dict)
    begun: frozenset[str] = frozenset()
    calendars: Mapping[UUID, SchoolCalendar] = field(default_factory=dict)
    about: About | None = None
    leads: LeadTimes = NO_LEAD_TIMES


def compute_duties(
    session: Session,
    case: Case,
    terms: Mapping[str, EffectiveTerms],
    defaults: Defaults,
    side: Party,
    now: datetime,
    progress: Callable[[], None] = lambda: None,
    *,
    leads: LeadTimes = NO_LEAD_TIMES,
) -> None:
    """Compute every duty of a case again and keep what changed, with the evidence of it.

    ``progress`` is called now and then while the work goes on; ``leads`` are those of the installation.
    """
    matter = matter_of(session, case, terms, defaults, side, now, leads)
    computed = []
    for item in computed_duties(matter, scope_of(session, case.id)):
        computed.append(item)
        if len(computed) % 1000 == 0:
            progress()
    keep_due_dates(session, {item.due_date_id: item.due_date for item in computed})
    progress()
    changed, given_up = _store_duties(session, case.id, computed)
    _leave_evidence(session, case.id, changed, given_up, now)


class DutyAtHand(Protocol):
    """What performing a duty reads and changes: a row of ``models.tables.Duty``, or as much of one as was read."""

    id: UUID
    case_id: UUID
    clause: str
    due_date_id: str
    performed_by: PerformedBy
    due_at: datetime | None
    status: DutyStatus
    performed_at: datetime | None
    performed_under: UUID | None
    verdict: Verdict | None
    lacking: list[str]
    lacking_count: int


def perform(
    duty: DutyAtHand, at: datetime, *, under: UUID | None = None, verdicts: tuple[Verdict, Verdict] = SEEN
) -> None:
    """Record that a duty was performed; its lateness is frozen by the first performance.

    ``under`` is the approved proposal on whose word it was performed by other means than the engine's; ``verdicts``
    are those on what is done in that way: on time, and late.
    """
    if duty.performed_at is not None:
        return
    duty.status, duty.performed_at, duty.performed_under = DutyStatus.PERFORMED, at, under
    duty.verdict = verdict_on(duty, at, verdicts)


def latest_start(session: Session, duties: Iterable[Duty]) -> datetime | None:
    """When the last of the clocks of some duties began.

    A duty that is due before the dated fact, as a notice in advance is, is done before its clock's start.
    """
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties})
    found = ((due.starts_at, due.due_at) for due in due_dates.values())
    return max((starts for starts, due in found if starts and (due is None or starts <= due)), default=None)


def check_begun(session: Session, duties: Iterable[Duty], done_at: datetime, *, where: str) -> None:
    """Raise ``InvalidInput`` where something is said to be done before the clock of a duty began."""
    began = latest_start(session, duties)
    if began and done_at < began.replace(second=0, microsecond=0):  # people give whole minutes
        raise InvalidInput(
            f"The clock of this duty began later, {instant_words(began)}.",
            where=where,
            next_step="What was done before does not count. Correct the time, or the date that started the clock.",
        )


def run_again(duty: Duty, due_at: datetime | None) -> None:
    """Let a duty run again that had been recorded as performed, due when it was; nothing of that is left in it.

    A hold that lasts suspends it again when duties are computed, which follows at once.
    """
    duty.status, duty.due_at = DutyStatus.RUNNING, due_at
    duty.target_at = duty.internal_due_at or due_at
    duty.performed_at = duty.verdict = duty.performed_under = duty.escalated_at = None


def verdict_on(duty: DutyAtHand, at: datetime, verdicts: tuple[Verdict, Verdict]) -> Verdict:
    """How a duty is met by what is done at an instant; ``verdicts`` are those of its way, on time and late."""
    on_time, late = verdicts
    return late if duty.due_at is not None and at > duty.due_at else on_time


def vocabulary(session: Session, case: Case, terms: Mapping[str, EffectiveTerms]) -> CaseVocabulary:
    """What the terms of a case's agreements know of its event, and which clauses it has duties under."""
    rows = session.exec(
        select(Duty.clause, Duty.performed_by).where(Duty.case_id == case.id).distinct().order_by(col(Duty.clause))
    ).all()
    of_case = {clause for clause, _ in rows}
    about = [clause for effective in terms.values() for clause in effective.clauses.values()]
    event = [clause for clause in about if clause.event == case.event]
    chain = [clause for effective in terms.values() for clause in chain_of(effective, case.event, about_of(case))]
    dates = dict.fromkeys(anchor for effective in terms.values() for anchor in effective.events.get(case.event, ()))
    matters = {fact for clause in chain for fact in facts_of(clause)} if case.clause else dates.keys()
    known = tuple(anchor for anchor in dates if anchor != HOLD_LIFTED and anchor in matters)
    instants = {name for effective in terms.values() for name in needs_instant(effective, case.event)}

    def performed(how: PerformedBy) -> tuple[str, ...]:
        return tuple(clause for clause, performed_by in rows if performed_by is how)

    return CaseVocabulary(
        anchors=known,
        clocks=tuple(name for name in known if any(name in clause.anchors for clause in event if clause.dated)),
        instants=tuple(name for name in known if name in instants),
        elements=tuple(sorted(_found_out(clause for clause in about if clause.id in of_case))),
        clauses=tuple(sorted(of_case)),
        by_notice=performed(PerformedBy.NOTICE),
        by_confirmation=performed(PerformedBy.CONFIRMATION),
        by_time=performed(PerformedBy.TIME),
        by_other_means=tuple(sorted({clause.id for clause in about if clause.may_be_done_elsewhere} & of_case)),
        offering=tuple(sorted({clause.id for clause in about if clause.offers} & of_case)),
        ahead=tuple(name for name in known if any(may_lie_ahead(clause, name) for clause in chain)),
        asked=asked_dates(session, case, terms.values()),
        grounds=tuple(sorted({ground for clause in event for ground in clause.grounds})),
    )


def asked_dates(session: Session, case: Case, terms: Iterable[EffectiveTerms]) -> tuple[str, ...]:
    """The dates that people are asked for: those without which a clause's clock in the case has not started."""
    pending = set(
        session.exec(select(Duty.clause).where(Duty.case_id == case.id, Duty.status == DutyStatus.PENDING).distinct())
    )
    found = {clause.asks for effective in terms for clause in effective.clauses.values() if clause.id in pending}
    return tuple(sorted(name for name in found if name))


def dated_elements(session: Session, case_id: UUID, terms: Mapping[str, EffectiveTerms]) -> set[str]:
    """The content elements that are known without being told: the case's dates, and what any notice can say."""
    return elements_dated_by(current_anchors(session, case_id), terms)


def elements_dated_by(anchors: AnchorMap, terms: Mapping[str, EffectiveTerms]) -> set[str]:
    """The content elements that are known without being told, given some dated facts."""
    known = {f"anchor:{name}" for name in clock_anchors(anchors)}
    clauses = (clause for effective in terms.values() for clause in effective.clauses.values())
    elements = (element for clause in clauses for element in clause.notice_contents)
    return {element.id for element in elements if element.source in known or not element.is_found_out}


def _found_out(clauses: Iterable[EffectiveClause]) -> set[str]:
    return {element.id for clause in clauses for element in clause.contents if element.is_found_out}


def matter_of(
    session: Session,
    case: Case,
    terms: Mapping[str, EffectiveTerms],
    defaults: Defaults,
    side: Party,
    now: datetime,
    leads: LeadTimes = NO_LEAD_TIMES,
) -> Matter:
    """What the duties of a case are computed from, as SQL knows it."""
    kind = kind_named(case.kind)
    anchors = anchors_by_agreement(session, case.id)
    state = CaseState(anchors=anchors[None], dismissed=case.status is CaseStatus.DISMISSED)
    agreements = session.exec(select(CaseAgreement.agreement_id).where(CaseAgreement.case_id == case.id)).all()
    brought, times = _brought_about(session, case, terms)
    for agreement_id, dates in dates_known(session, kind, agreements, now).items():
        brought[agreement_id] |= dates
    return Matter(
        kind=kind,
        event=case.event,
        terms=terms,
        defaults=defaults,
        side=side,
        now=now,
        anchors=anchors,
        holds=hold_times(session, case.id),
        awaited=kind.awaits(state),
        closed=_closed_occurrences(session, case.id) if kind.recurs else {},
        brought=brought,
        times=times,
        begun=_begun(session, case.id),
        calendars=school_calendars(session, agreements, terms.values(), case.event),
        about=about_of(case),
        leads=leads,
    )


def about_of(case: Case) -> About | None:
    """The one clause that a case is about, if it is about one alone."""
    return About(case.clause, case.occurrence or 1) if case.clause else None


def chain_of(terms: EffectiveTerms, event: str, about: About | None) -> tuple[EffectiveClause, ...]:
    """The clauses with a clock that a case may open: all of its event, or one with what goes along and follows."""
    dated = terms.dated.get(event, ())
    if about is None:
        return dated
    names = {about.clause}
    while True:
        known = [clause for clause in dated if clause.id in names]
        facts, along = {clause.dates for clause in known}, {other for clause in known for other in clause.along}
        more = {clause.id for clause in dated if clause.id in along or not facts.isdisjoint(clause.anchors)} - names
        if not more:
            return tuple(clause for clause in dated if clause.id in names)
        names |= more


def dates_known(
    session: Session, kind: Kind, agreements: Sequence[UUID], now: datetime
) -> Mapping[UUID, Mapping[str, date]]:
    """The further dated facts that SQL knows of some agreements, where cases of this kind go by them."""
    if kind.dated_by is None:
        return {}
    module, _, name = kind.dated_by.partition(":")
    known: DatesKnown = getattr(import_module(module), name)
    return known(session, agreements, now)


class DatesKnown(Protocol):
    """What ``Kind.dated_by`` names."""

    def __call__(
        self, session: Session, agreements: Sequence[UUID], now: datetime
    ) -> Mapping[UUID, Mapping[str, date]]:
        """The dated facts that are known of each of some agreements."""


def _begun(session: Session, case_id: UUID) -> frozenset[str]:
    running = col(Duty.status).in_((DutyStatus.RUNNING, DutyStatus.SUSPENDED))
    return frozenset(session.exec(select(Duty.clause).where(Duty.case_id == case_id, running).distinct()))


_Brought: TypeAlias = defaultdict[UUID, dict[str, datetime | date]]
_Times: TypeAlias = dict[UUID | None, Counter[str]]


def _brought_about(session: Session, case: Case, terms: Mapping[str, EffectiveTerms]) -> tuple[_Brought, _Times]:
    """The dated facts that performing a duty has brought about, as that a prior notice was given, by agreement.

    Of one that came about several times it is the last; besides, how often each came about that is counted anew.
    """
    dates = {
        clause.id: clause.dates
        for effective in terms.values()
        for clause in effective.dated.get(case.event, ())
        if clause.dates
    }
    found: _Brought = defaultdict(dict)
    times: _Times = _times_recorded(session, case, terms)
    if not dates:
        return found, times
    rows = session.exec(
        select(Duty.agreement_id, Duty.clause, Duty.performed_at)
        .where(Duty.case_id == case.id, col(Duty.clause).in_(dates), col(Duty.performed_at).is_not(None))
        .order_by(col(Duty.performed_at))
    )
    for agreement, clause, performed_at in rows:
        if performed_at:
            fact = dates[clause]
            # One word may perform several duties at once: that is the same fact, and not another.
            times.setdefault(agreement, Counter())[fact] += found[agreement].get(fact) != performed_at
            found[agreement][fact] = performed_at
    return found, times


def _times_recorded(session: Session, case: Case, terms: Mapping[str, EffectiveTerms]) -> _Times:
    """How often each dated fact was recorded from which a duty counts each time, by agreement or for all."""
    clauses = (clause for effective in terms.values() for clause in effective.dated.get(case.event, ()))
    facts = {anchor for clause in clauses if clause.each_time for anchor in clause.anchors}
    if not facts:
        return {}
    rows = session.exec(
        select(CaseAnchor.agreement_id, CaseAnchor.name, func.count())
        .where(CaseAnchor.case_id == case.id, col(CaseAnchor.name).in_(facts))
        .group_by(col(CaseAnchor.agreement_id), col(CaseAnchor.name))
    )
    times: _Times = {}
    for agreement, name, count in rows:
        times.setdefault(agreement, Counter())[name] = count
    return times


def _closed_occurrences(session: Session, case_id: UUID) -> dict[UUID, dict[str, int]]:
    """How often each duty of a case has come round and been closed, by agreement and clause."""
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    rows = session.exec(
        select(Duty.agreement_id, Duty.clause, func.max(Duty.occurrence))
        .where(Duty.case_id == case_id, col(Duty.status).not_in(OPEN_STATUSES))
        .group_by(col(Duty.agreement_id), col(Duty.clause))
    )
    for agreement, clause, occurrence in rows:
        found[agreement][clause] = occurrence
    return found


_Computed = list[tuple[str, StoredDueDate, DutyStatus, InternalDate | None]]


class InScope(NamedTuple):
    """What an agreement's duties in a case depend on, besides the case: its zone, its terms and its own dates."""

    agreement_id: UUID
    time_zone: str
    terms_hash: str
    executed_on: date
    originally_signed_on: date | None
    expires_on: date | None
    terminated_on: date | None


def scope_of(session: Session, case_id: UUID) -> list[InScope]:
    """The agreements of a case whose terms are pinned."""
    rows = session.execute(
        select_columns(
            col(Agreement.id),
            col(Agreement.time_zone),
            col(CaseAgreement.terms_hash),
            col(Agreement.executed_on),
            col(Agreement.originally_signed_on),
            col(Agreement.expires_on),
            col(Agreement.terminated_on),
        )
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(col(CaseAgreement.case_id) == case_id, col(CaseAgreement.terms_hash).is_not(None))
        .order_by(col(Agreement.id))
    )
    return [InScope(*row) for row in rows]


def computed_duties(matter: Matter, scope: Iterable[InScope]) -> Iterator[ComputedDuty]:
    """Every duty of every agreement in scope; agreements with equal terms, zone and dates share the arithmetic."""
    shared: dict[tuple[object, ...], _Computed] = {}
    for agreement_id, zone, terms_hash, executed, original, expires, terminated in scope:
        dates = own_dates(executed, original, expires, terminated)
        terms = matter.terms[terms_hash]
        own = {name: dates[name] for name in terms.agreement_dates} if matter.kind.uses_agreement_dates else {}
        separate = (matter.anchors, matter.holds, matter.closed, matter.brought)
        alone = any(agreement_id in facts for facts in separate)
        calendar = matter.calendars.get(agreement_id)
        key = (agreement_id if alone else None, terms_hash, zone, calendar, *own.values())
        if key not in shared:
            shared[key] = _compute_one(matter, agreement_id, terms, zone, own)
        for due_date_id, due_date, status, internal in shared[key]:
            yield ComputedDuty(agreement_id, due_date_id, due_date, status, internal)


def _compute_one(
    matter: Matter, agreement_id: UUID, terms: EffectiveTerms, zone: str, own: Mapping[str, date | None]
) -> _Computed:
    """One side's duties under one agreement's terms, each with its status."""
    event = matter.event
    known = terms.events.get(event, ())
    anchors = {**matter.anchors[None], **matter.anchors.get(agreement_id, {})}
    given: dict[str, datetime | date] = dict(matter.brought.get(agreement_id, {}))
    given |= _as_dated_by(matter.side, clock_anchors(anchors), known)
    given |= {name: day for name, day in own.items() if day and name in known and name not in given}
    holds = (*matter.holds.get(None, ()), *matter.holds.get(agreement_id, ()))
    held = any(hold.lasts(matter.now) for hold in holds)
    awaited = {*matter.awaited, *(f"{matter.side.value}_{name}" for name in matter.awaited)}
    rounds = {clause: closed + 1 for clause, closed in matter.closed.get(agreement_id, {}).items()}
    about = matter.about
    if about:
        rounds[about.clause] = about.occurrence
    chain = {clause.id for clause in chain_of(terms, event, about)}
    found: _Computed = []
    calendar = matter.calendars.get(agreement_id)

    def counted(lifted: datetime | None = None) -> tuple[DueDuty, ...]:
        facts = given | {HOLD_LIFTED: lifted} if lifted else given
        return _duties_by_calendar(matter, terms, facts, zone, rounds, calendar)

    for duty in counted():
        if holds and duty.suspendable_by_law_enforcement and HOLD_LIFTED in known:
            duty = _after_holds(duty, holds, matter.now, counted)
        status = DutyStatus(duty.status)
        if duty.clause not in chain or (duty.owed_by is not matter.side and not _is_chased(matter, duty)):
            continue
        if about and duty.clause == about.clause and duty.occurrence != about.occurrence:
            continue
        clause = terms.clauses[duty.clause]
        if not _is_started(matter.kind, duty, clause, awaited, given):
            if duty.clause not in matter.begun:
                continue  # nothing that this case knows or awaits could start it
            status = DutyStatus.CANCELLED
        if clause.each_time:
            duty = _counted_anew(duty, matter, agreement_id)
        if held and status is DutyStatus.RUNNING and duty.suspendable_by_law_enforcement:
            status = DutyStatus.SUSPENDED
        elif duty.performed_by is PerformedBy.TIME and duty.due_at and duty.due_at <= matter.now:
            status = DutyStatus.ELAPSED
        stored = stored_due_date(duty, terms.hash, zone)
        runs = status is DutyStatus.RUNNING
        internal = internal_date(duty, matter.leads, terms, zone=zone, calendar=calendar) if runs else None
        found.append((stored.id, stored, status, internal))
    return found


def _after_holds(
    duty: DueDuty, holds: Sequence[HoldTime], now: datetime, counted: Callable[[datetime | None], tuple[DueDuty, ...]]
) -> DueDuty:
    """The duty as law-enforcement holds leave it: one that lasted at its due instant moves that to after its own end.

    One that began only later keeps the notice back, and what was overdue stays so. ``counted`` counts all duties anew
    from the end of a hold.
    """
    flags: list[str] = []
    while due_at := duty.due_at:
        there = [hold for hold in holds if hold.begins_at <= due_at and hold.lasts(due_at)]
        flags += [HOLD_RECORDED_LATE] * any(hold.recorded_at > due_at for hold in there)
        flags += [OVERDUE_BEFORE_HOLD] * (not there and any(hold.begins_at > due_at for hold in holds))
        if not there or any(hold.lasts(now) for hold in there):
            break
        lifted, same = max(hold.ends_at for hold in there if hold.ends_at), (duty.clause, duty.occurrence)
        duty = next(one for one in counted(lifted) if (one.clause, one.occurrence) == same)
        if duty.due_at == due_at:
            break  # a day that somebody named stays the due date
    said = dict.fromkeys(flags)
    return duty.model_copy(update={"flags": (*duty.flags, *said), "why": (*duty.why, *map(flag_words, said))})


def _duties_by_calendar(
    matter: Matter,
    terms: EffectiveTerms,
    given: Mapping[str, datetime | date],
    zone: str,
    rounds: Mapping[str, int],
    calendar: SchoolCalendar | None,
) -> tuple[DueDuty, ...]:
    """The duties of one agreement; a school calendar that ends too early is as good as none, and the reasons say so."""
    try:
        return duties_for(
            terms, matter.event, given, zone=zone, calendar=calendar, defaults=matter.defaults, occurrences=rounds
        )
    except CalendarTooShort:
        return _duties_by_calendar(matter, terms, given, zone, rounds, None)


def _is_started(kind: Kind, duty: DueDuty, clause: EffectiveClause, awaited: Set[str], given: Collection[str]) -> bool:
    """Whether a fact from which such cases count has started a duty's clock, or one that is awaited could."""
    match duty.status:
        case "pending":
            return any(anchor in awaited and kind.counts_from(anchor, given) for anchor in clause.anchors)
        case "running" | "suspended":
            return duty.anchor is None or kind.counts_from(duty.anchor, given)
        case "cancelled":
            return True
        case _:
            assert_never(duty.status)


def _counted_anew(duty: DueDuty, matter: Matter, agreement_id: UUID) -> DueDuty:
    """The duty as the occurrence that it is, where its fact has come about more than once."""
    counts = (matter.times.get(key, {}) for key in (agreement_id, None))
    times = next((count[duty.anchor] for count in counts if duty.anchor and duty.anchor in count), 1)
    if times < 2:
        return duty
    return duty.model_copy(update={"occurrence": times, "why": (*duty.why, each_time_sentence(times))})


def _is_chased(matter: Matter, duty: DueDuty) -> bool:
    """Whether this side keeps the clock of a duty that the other side owes it.

    It does where it asks every holder for its word: that of the party that owes the duty performs it, and what only
    time ends follows from it. Whatever the other side has to send, it sends by means of its own. In the matter of one
    clause it has to know what time ends, whoever could prevent that.
    """
    if matter.about:
        return duty.performed_by is PerformedBy.TIME
    word_or_time = duty.performed_by in (PerformedBy.CONFIRMATION, PerformedBy.TIME)
    return bool(matter.kind.holders_see) and duty.owed_to is matter.side and word_or_time


def _as_dated_by(side: Party, given: dict[str, datetime | date], known: tuple[str, ...]) -> dict[str, datetime | date]:
    """The dated facts under the names that terms give to what this side, rather than the provider, finds."""
    if side is Party.PROVIDER:
        return given
    own = {name: f"{side.value}_{name}" for name in given}
    return {own[name] if own[name] in known else name: value for name, value in given.items()}


def _store_duties(
    session: Session, case_id: UUID, computed: list[ComputedDuty]
) -> tuple[list[ComputedDuty], list[UUID]]:
    """Insert new duties and update the open ones that changed; return both, and the duties that are given up.

    A performed duty is never touched.
    """
    kept: dict[UUID, tuple[str, DutyStatus, datetime | None]] = {
        duty_id: (due_date_id, DutyStatus(status), internal_due_at)
        for duty_id, due_date_id, status, internal_due_at in session.exec(
            select(Duty.id, Duty.due_date_id, Duty.status, Duty.internal_due_at).where(Duty.case_id == case_id)
        )
    }
    new: list[dict[str, Any]] = []
    moved: list[dict[str, Any]] = []
    changed: list[ComputedDuty] = []
    alike: dict[tuple[str, DutyStatus, InternalDate | None], dict[str, Any]] = {}
    for item in computed:
        due = item.due_date
        duty_id = identifiers.duty_id(case_id, item.agreement_id, due.clause, due.occurrence)
        if item.status is DutyStatus.CANCELLED and duty_id not in kept:
            continue  # it was never owed
        before = kept.pop(duty_id, None)
        internal_due_at = item.internal.due_at if item.internal else None
        if before is None:
            cohort = item.due_date_id, item.status, item.internal
            if cohort not in alike:
                alike[cohort] = _moving_columns(item) | _fixed_columns(case_id, due)
            new.append({**alike[cohort], "id": duty_id, "agreement_id": item.agreement_id})
        elif may_change(before[1], item.status) and before != (item.due_date_id, item.status, internal_due_at):
            moved.append({"id": duty_id, **_moving_columns(item)})
        else:
            continue
        changed.append(item)
    given_up = [duty_id for duty_id, (_, status, _) in kept.items() if status is DutyStatus.PENDING]
    if new:
        insert_rows(session, Duty, new)
    if moved:
        session.execute(update(Duty), moved)
    if given_up:
        session.execute(update(Duty), [{"id": duty_id, "status": DutyStatus.CANCELLED} for duty_id in given_up])
    return changed, given_up


def may_change(before: DutyStatus, now: DutyStatus) -> bool:
    """Whether a duty's row follows what is computed: an open one does, and one given up that a new fact starts.

    What the passing of time ended ends otherwise once a fact is recorded that came about before.
    """
    return before in OPEN_STATUSES or (before, now) in (
        (DutyStatus.CANCELLED, DutyStatus.RUNNING),
        (DutyStatus.ELAPSED, DutyStatus.CANCELLED),
    )


def _moving_columns(item: ComputedDuty) -> dict[str, Any]:
    """What follows what is computed."""
    counts = item.status in (DutyStatus.RUNNING, DutyStatus.ELAPSED) or OVERDUE_BEFORE_HOLD in item.due_date.flags
    due_at = item.due_date.due_at if counts else None
    return {
        "status": item.status,
        "due_date_id": item.due_date_id,
        "due_at": due_at,
        "internal_due_at": item.internal.due_at if item.internal else None,
        "internal_why": item.internal.why if item.internal else None,
        "target_at": item.internal.due_at if item.internal else due_at,
    }


def _fixed_columns(case_id: UUID, due: StoredDueDate) -> dict[str, Any]:
    """What stays as it is inserted, or is filled in by what else happens to a duty."""
    return {
        "case_id": case_id,
        "clause": due.clause,
        "occurrence": due.occurrence,
        "owed_by": Party(due.owed_by),
        "owed_to": Party(due.owed_to),
        "performed_by": due.performed_by,
        "lacking": [],
        "lacking_count": 0,
        "waits_for": [],
        "needed_count": 0,
        "needed_told": 0,
    }


def _leave_evidence(
    session: Session, case_id: UUID, changed: list[ComputedDuty], given_up: list[UUID], now: datetime
) -> None:
    cohorts: dict[tuple[str, DutyStatus, InternalDate | None], list[ComputedDuty]] = defaultdict(list)
    for item in changed:
        cohorts[item.due_date_id, item.status, item.internal].append(item)
    append(
        session,
        *(
            DutyComputed(
                case_id=case_id,
                actor=ENGINE,
                at=now,
                due_date_id=due_date_id,
                due_date=some[0].due_date.model_dump(mode="json"),
                status=status,
                agreements=tuple(item.agreement_id for item in some),
                internal_due_at=internal.due_at if internal else None,
                internal_why=internal.why if internal else None,
            )
            for (due_date_id, status, internal), items in cohorts.items()
            for some in parts(items, NAMED_IN_ONE)
        ),
    )
    if given_up:
        listed = store_list(session, "duties", sorted(map(str, given_up)), now)
        append(session, DutiesGivenUp(case_id=case_id, actor=ENGINE, at=now, **listed))
