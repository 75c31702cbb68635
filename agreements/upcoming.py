"""What is coming by the agreements' own dates: the next due date of each duty that no case is about yet.

The table is derived and nothing else: whoever derives it again from agreements, terms and cases gets the same rows.
So a sweep heals whatever an import, a change of terms or a lost process left behind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlmodel import Session, col, delete, func, insert, select, update

from agreements.due_dates import StoredDueDate, keep_due_dates, stored_due_date
from agreements.life import note_dated_cases
from agreements.terms import exhibit_h_changes
from config.database import Database
from models import identifiers
from models.defaults import Defaults
from models.enums import PerformedBy
from models.grouping import parts
from models.tables import Agreement, Case, CaseAgreement, Duty, UpcomingDuty
from terms.agreement_terms import own_dates
from terms.anchors import needs_instant
from terms.catalogue import Catalogue
from terms.clock import day_of, zone_of
from terms.duties import DueDuty, occurrences_of
from terms.effective import Amendment, EffectiveClause, EffectiveTerms, effective_terms
from terms.internal import NO_LEAD_TIMES, InternalDate, LeadTimes, internal_date

AT_ONCE = 500
"""How many agreements are derived in one transaction, and between two signs of life."""


class Dated(NamedTuple):
    """What the next due dates under an agreement depend on, besides its changes and what cases are about."""

    id: UUID
    form: str
    state: str
    choices: tuple[str, ...]
    time_zone: str
    known_since: datetime
    executed_on: date
    originally_signed_on: date | None
    expires_on: date | None
    terminated_on: date | None
    term_ends_on: date | None

    @property
    def dates(self) -> dict[str, date | None]:
        """The agreement's own dates, by the names of the facts that they are."""
        return own_dates(self.executed_on, self.originally_signed_on, self.expires_on, self.terminated_on)


@dataclass(frozen=True)
class OwnClause:
    """A clause that the agreement's own dates start, and the facts from which it counts."""

    clause: EffectiveClause
    given: Mapping[str, date]


@dataclass(frozen=True)
class Derivation:
    """What is the same for all agreements that are derived together."""

    catalogue: Catalogue
    defaults: Defaults
    now: datetime
    leads: LeadTimes = NO_LEAD_TIMES


def terms_of(derivation: Derivation, agreement: Dated, amendments: Sequence[Amendment]) -> EffectiveTerms:
    """The terms that are in force under an agreement today."""
    return effective_terms(
        derivation.catalogue,
        agreement.form,
        agreement.state,
        amendments=amendments,
        choices=agreement.choices,
        on=derivation.now.date(),
    )


def own_clauses(terms: EffectiveTerms, dates: Mapping[str, date | None]) -> Iterator[OwnClause]:
    """The clauses whose clock the agreement's own dates start, as far as a day is enough for them."""
    for known, clauses in _started_by_own_dates(terms):
        given = {name: day for name in known if (day := dates[name])}
        yield from (OwnClause(clause, given) for clause in clauses if not given.keys().isdisjoint(clause.anchors))


@lru_cache(maxsize=4096)
def _started_by_own_dates(terms: EffectiveTerms) -> tuple[tuple[tuple[str, ...], tuple[EffectiveClause, ...]], ...]:
    """For each event: the agreement's own dates that it knows as days, and the clauses that count from one of them."""
    found = []
    for event, clauses in terms.dated.items():
        timed = needs_instant(terms, event)
        known = tuple(name for name in terms.agreement_dates if name in terms.events[event] and name not in timed)
        started = tuple(clause for clause in clauses if not set(known).isdisjoint(clause.anchors))
        if started:
            found.append((known, started))
    return tuple(found)


def whole_dates(
    terms: EffectiveTerms, dates: Mapping[str, date | None], zone: str, defaults: Defaults
) -> dict[str, date | None]:
    """An agreement's own dates with those that the passing of time brings about, such as the end of its term."""
    found = dict(dates)
    for own in own_clauses(terms, dates):
        brings = own.clause.dates if own.clause.performed_by is PerformedBy.TIME else None
        if brings in terms.agreement_dates and found.get(brings) is None:
            ends = next(occurrences_of(terms, own.clause.id, own.given, zone=zone, defaults=defaults)).due_at
            found[brings] = day_of(ends, zone_of(zone)) if ends else None
    return found


def has_ended(dates: Mapping[str, date | None], today: date) -> bool:
    """Whether an agreement is over: it was terminated, or the last day of its term has passed."""
    terminated, expires = dates["terminated"], dates["expires"]
    return bool((terminated and terminated <= today) or (expires and expires < today))


def next_duties(
    terms: EffectiveTerms, agreement: Dated, opened: Mapping[str, int], derivation: Derivation
) -> Iterator[DueDuty]:
    """The next duty under each clause that the agreement's own dates start.

    It is the first that no case is about and that was not due before the installation knew the agreement: whether an
    earlier one was performed is not known here, so none is claimed. An agreement that is recorded as over has none:
    what follows its end is a case. Where its term has run out and nobody has recorded that, what follows is listed.
    """
    zone, defaults = agreement.time_zone, derivation.defaults
    today = day_of(derivation.now, zone_of(zone))
    dates = whole_dates(terms, agreement.dates, zone, defaults)
    if has_ended(agreement.dates, today):
        return
    only_what_follows = has_ended(dates, today)
    for own in own_clauses(terms, dates):
        for duty in occurrences_of(terms, own.clause.id, own.given, zone=zone, defaults=defaults):
            if duty.due_at is None:
                break
            if duty.occurrence > opened.get(own.clause.id, 0) and duty.due_at >= agreement.known_since:
                elapsed = duty.performed_by is PerformedBy.TIME and duty.due_at < derivation.now
                recorded = duty.anchor is not None and agreement.dates.get(duty.anchor) is not None
                if not elapsed and not (only_what_follows and recorded):
                    yield duty
                break


def every_agreement(session: Session) -> Sequence[UUID]:
    """The ids of all agreements, in their order."""
    return session.exec(select(Agreement.id).order_by(col(Agreement.id))).all()


def renew_upcoming(database: Database, derivation: Derivation, ids: Sequence[UUID]) -> int:
    """Derive anew what is coming under some agreements, a part in each transaction; answer how many rows changed."""
    changed = 0
    for some in parts(ids, AT_ONCE):
        with database.writing() as session:
            changed += derive_upcoming(session, derivation, some)
    return changed


def renew_for(database: Database, derivation: Derivation, reference: str) -> None:
    """Derive anew what is coming under one agreement, as after a change of its terms."""
    with database.reading() as session:
        found = session.exec(select(Agreement.id).where(Agreement.reference == reference)).all()
    renew_upcoming(database, derivation, found)


def derive_upcoming(session: Session, derivation: Derivation, ids: Sequence[UUID]) -> int:
    """Bring the rows of some agreements up to what agreements, terms and cases say; answer how many changed.

    Agreements that are alike in all but their names share the arithmetic.
    """
    amendments, opened = exhibit_h_changes(session, ids), _opened(session, ids)
    shared: dict[tuple[object, ...], _Derived] = {}
    found: dict[UUID, tuple[UUID, str]] = {}
    terms_end: dict[UUID, date | None] = {}
    for agreement in dated_agreements(session, ids):
        own, done = amendments.get(agreement.id, ()), opened.get(agreement.id, {})
        key = (*agreement[1:], own, tuple(sorted(done.items())))
        if key not in shared:
            shared[key] = _derived(derivation, agreement, own, done)
        for name, due_date in shared[key].due_dates.items():
            found[identifiers.upcoming_duty_id(agreement.id, due_date.clause)] = (agreement.id, name)
        if shared[key].term_ends_on != agreement.term_ends_on:
            terms_end[agreement.id] = shared[key].term_ends_on
    _store_ends_of_terms(session, terms_end, derivation.now)
    due_dates = {name: one for some in shared.values() for name, one in some.due_dates.items()}
    internal = {name: one for some in shared.values() for name, one in some.internal.items()}
    return _store(session, ids, found, due_dates, internal)


class _Derived(NamedTuple):
    """What is derived of an agreement: the next due dates by their names, and when its term runs out by its clauses.

    ``internal`` are the internal dates of those due dates that have one.
    """

    due_dates: Mapping[str, StoredDueDate]
    term_ends_on: date | None
    internal: Mapping[str, InternalDate]


def _derived(derivation: Derivation, agreement: Dated, own: Sequence[Amendment], done: Mapping[str, int]) -> _Derived:
    terms, zone = terms_of(derivation, agreement, own), agreement.time_zone
    duties = next_duties(terms, agreement, done, derivation)
    due_dates = {due_date.id: due_date for due_date in (stored_due_date(duty, terms.hash, zone) for duty in duties)}
    internal = {
        name: found
        for name, due_date in due_dates.items()
        if (found := internal_date(due_date, derivation.leads, terms, zone=zone))
    }
    ends = whole_dates(terms, agreement.dates, zone, derivation.defaults)["expires"]
    return _Derived(due_dates, None if agreement.expires_on else ends, internal)


def _store_ends_of_terms(session: Session, changed: Mapping[UUID, date | None], now: datetime) -> None:
    if changed:
        session.execute(update(Agreement), [{"id": key, "term_ends_on": day} for key, day in changed.items()])
        note_dated_cases(session, list(changed), now)


def dated_agreements(session: Session, ids: Iterable[UUID]) -> Iterator[Dated]:
    """What the next due dates under some agreements depend on."""
    rows = session.execute(
        select_columns(
            col(Agreement.id),
            col(Agreement.form),
            col(Agreement.state),
            col(Agreement.choices),
            col(Agreement.time_zone),
            col(Agreement.imported_at),
            col(Agreement.executed_on),
            col(Agreement.originally_signed_on),
            col(Agreement.expires_on),
            col(Agreement.terminated_on),
            col(Agreement.term_ends_on),
        ).where(col(Agreement.id).in_(ids))
    )
    for agreement_id, form, state, choices, *others in rows:
        yield Dated(agreement_id, form, state, tuple(choices), *others)


def _opened(session: Session, ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How often each duty of some agreements came round in a case, by agreement and clause."""
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    computed = session.exec(
        select(Duty.agreement_id, Duty.clause, func.max(Duty.occurrence))
        .where(col(Duty.agreement_id).in_(ids))
        .group_by(col(Duty.agreement_id), col(Duty.clause))
    ).all()
    # A case that was just opened has computed nothing yet.
    opened = session.exec(
        select(CaseAgreement.agreement_id, Case.clause, func.max(Case.occurrence))
        .join(Case, col(Case.id) == col(CaseAgreement.case_id))
        .where(col(CaseAgreement.agreement_id).in_(ids), col(Case.clause).is_not(None))
        .group_by(col(CaseAgreement.agreement_id), col(Case.clause))
    ).all()
    for agreement, clause, occurrence in (*computed, *opened):
        if clause and occurrence:
            found[agreement][clause] = max(occurrence, found[agreement].get(clause, 0))
    return found


def _store(
    session: Session,
    ids: Sequence[UUID],
    found: Mapping[UUID, tuple[UUID, str]],
    due_dates: Mapping[str, StoredDueDate],
    internal: Mapping[str, InternalDate],
) -> int:
    rows = session.exec(
        select(UpcomingDuty.id, UpcomingDuty.due_date_id, UpcomingDuty.internal_due_at).where(
            col(UpcomingDuty.agreement_id).in_(ids)
        )
    )
    before = {key: (name, at) for key, name, at in rows}
    now = {name: (name, internal[name].due_at if name in internal else None) for _, name in found.values()}
    changed = {key: value for key, value in found.items() if before.get(key) != now[value[1]]}
    gone = [key for key in before if key not in found]
    keep_due_dates(session, {name: due_dates[name] for _, name in changed.values()})
    written = {
        key: _row(key, agreement, due_dates[name], internal.get(name)) for key, (agreement, name) in changed.items()
    }
    new = [row for key, row in written.items() if key not in before]
    moved = [row for key, row in written.items() if key in before]
    if new:
        session.execute(insert(UpcomingDuty), new)
    if moved:
        session.execute(update(UpcomingDuty), moved)
    if gone:
        session.execute(delete(UpcomingDuty).where(col(UpcomingDuty.id).in_(gone)))
    return len(changed) + len(gone)


def _row(key: UUID, agreement_id: UUID, due_date: StoredDueDate, internal: InternalDate | None) -> dict[str, Any]:
    return {
        "id": key,
        "agreement_id": agreement_id,
        "clause": due_date.clause,
        "occurrence": due_date.occurrence,
        "owed_by": due_date.owed_by,
        "performed_by": due_date.performed_by,
        "due_date_id": due_date.id,
        "due_at": due_date.due_at,
        "internal_due_at": internal.due_at if internal else None,
        "internal_why": internal.why if internal else None,
        "target_at": internal.due_at if internal else due_date.due_at,
        "reminded_days": None,
    }
