"""What each agreement in a case obliges, when it is due and why, as SQL keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import rfc8785
from sqlmodel import Session, col, insert, select, update

from cases.anchors import clock_anchors
from cases.messages import AnchorValue, Vocabulary
from ledger.actors import ENGINE
from ledger.append import append
from ledger.entries import DutyComputed
from models import identifiers
from models.defaults import Defaults
from models.enums import OPEN_STATUSES, DutyStatus, Party
from models.tables import Agreement, CaseAgreement, CaseAnchor, DueDate, Duty, Hold
from terms.duties import HOLD_LIFTED, DueDuty, duties_for
from terms.effective import EffectiveTerms

EVENT = "breach"
"""The event, as the clause catalogue names it, that this case kind computes."""


def keep_duties(
    session: Session,
    case_id: UUID,
    terms: Mapping[str, EffectiveTerms],
    defaults: Defaults,
    side: Party,
    now: datetime,
) -> None:
    """Compute every duty of a case again and keep what changed, with the evidence of it."""
    computed = list(_compute_scope(session, case_id, terms, defaults, side, now))
    _keep_due_dates(session, {item.due_date_id: item.body for item in computed})
    _leave_evidence(session, case_id, _store_duties(session, case_id, computed), now)


@dataclass(frozen=True)
class ComputedDuty:
    """One duty of one agreement as just computed; ``due_date_id`` names the reasons it shares with others."""

    agreement_id: UUID
    duty: DueDuty
    status: DutyStatus
    due_date_id: str
    body: dict[str, Any]


def current_anchors(session: Session, case_id: UUID) -> dict[str, AnchorValue]:
    """The dated facts of a case that nothing has superseded, leaving out those of single agreements."""
    return _anchors_by_agreement(session, case_id)[None]


def _anchors_by_agreement(session: Session, case_id: UUID) -> dict[UUID | None, dict[str, AnchorValue]]:
    """The dated facts of the case under None, and under an agreement those that hold for it instead."""
    found: dict[UUID | None, dict[str, AnchorValue]] = {None: {}}
    for row in session.exec(
        select(CaseAnchor).where(CaseAnchor.case_id == case_id, col(CaseAnchor.superseded_at).is_(None))
    ):
        found.setdefault(row.agreement_id, {})[row.name] = AnchorValue(
            name=row.name, instant=row.instant, first_day=row.first_day, last_day=row.last_day
        )
    return found


@dataclass(frozen=True)
class Suspension:
    """What law-enforcement holds do to one agreement: whether one lasts, and when the last one ended."""

    lasts: bool = False
    ended_at: datetime | None = None


def suspensions(session: Session, case_id: UUID, now: datetime) -> dict[UUID | None, Suspension]:
    """The holds of a case by agreement, those of the whole case under None."""
    found: dict[UUID | None, Suspension] = {}
    for hold in session.exec(select(Hold).where(Hold.case_id == case_id)):
        before = found.get(hold.agreement_id, Suspension())
        ends = min(filter(None, (hold.lifted_at, hold.until)), default=None)
        lasts = ends is None or ends > now
        ended = None if lasts else ends
        found[hold.agreement_id] = Suspension(
            before.lasts or lasts, max(filter(None, (before.ended_at, ended)), default=None)
        )
    return found


def _compute_scope(
    session: Session,
    case_id: UUID,
    terms: Mapping[str, EffectiveTerms],
    defaults: Defaults,
    side: Party,
    now: datetime,
) -> Iterator[ComputedDuty]:
    anchors = _anchors_by_agreement(session, case_id)
    holds = suspensions(session, case_id, now)
    scope = session.exec(
        select(Agreement.id, Agreement.time_zone, CaseAgreement.terms_hash)
        .join(CaseAgreement, col(CaseAgreement.agreement_id) == col(Agreement.id))
        .where(CaseAgreement.case_id == case_id)
        .order_by(col(Agreement.id))
    ).all()
    shared: dict[tuple[str, str], list[tuple[DueDuty, DutyStatus, str, dict[str, Any]]]] = {}
    for agreement_id, zone, terms_hash in scope:
        if terms_hash is None:
            continue
        alone = agreement_id in anchors or agreement_id in holds
        key = (terms_hash, zone)
        if alone or key not in shared:
            duties = _compute_one(
                terms[terms_hash],
                zone,
                anchors[None] | anchors.get(agreement_id, {}),
                (holds.get(None, Suspension()), holds.get(agreement_id, Suspension())),
                defaults,
                side,
            )
            if not alone:
                shared[key] = duties
        else:
            duties = shared[key]
        for duty, status, due_date_id, body in duties:
            yield ComputedDuty(agreement_id, duty, status, due_date_id, body)


def _compute_one(
    terms: EffectiveTerms,
    zone: str,
    anchors: Mapping[str, AnchorValue],
    holds: tuple[Suspension, ...],
    defaults: Defaults,
    side: Party,
) -> list[tuple[DueDuty, DutyStatus, str, dict[str, Any]]]:
    """One side's duties under one set of terms, each with its status and the reasons that name it."""
    given = _as_dated_by(side, clock_anchors(anchors), terms.events.get(EVENT, ()))
    ended = max((hold.ended_at for hold in holds if hold.ended_at), default=None)
    if ended and HOLD_LIFTED in terms.events.get(EVENT, ()):
        given[HOLD_LIFTED] = ended
    held = any(hold.lasts for hold in holds)
    found = []
    for duty in duties_for(terms, EVENT, given, zone=zone, defaults=defaults):
        if duty.owed_by != side.value:
            continue
        status = DutyStatus(duty.status)
        if held and status is DutyStatus.RUNNING and duty.suspendable_by_law_enforcement:
            status = DutyStatus.SUSPENDED
        found.append((duty, status, *_due_date(duty, terms.hash, zone)))
    return found


def _as_dated_by(side: Party, given: dict[str, datetime | date], known: tuple[str, ...]) -> dict[str, datetime | date]:
    """The dated facts under the names that terms give to what this side, rather than the provider, finds."""
    if side is Party.PROVIDER:
        return given
    own = {name: f"{side.value}_{name}" for name in given}
    return {own[name] if own[name] in known else name: value for name, value in given.items()}


def _due_date(duty: DueDuty, terms_hash: str, zone: str) -> tuple[str, dict[str, Any]]:
    body = duty.model_dump(mode="json") | {"terms_hash": terms_hash, "time_zone": zone}
    return identifiers.sha256_hex(rfc8785.dumps(body)), body


def _keep_due_dates(session: Session, bodies: dict[str, dict[str, Any]]) -> None:
    known = set(session.exec(select(DueDate.id).where(col(DueDate.id).in_(bodies))))
    session.add_all(DueDate(id=key, body=body) for key, body in bodies.items() if key not in known)
    session.flush()


def _store_duties(session: Session, case_id: UUID, computed: list[ComputedDuty]) -> list[ComputedDuty]:
    """Insert new duties and update the open ones that changed; return both. A performed duty is never touched."""
    kept = {
        duty_id: (due_date_id, status)
        for duty_id, due_date_id, status in session.exec(
            select(Duty.id, Duty.due_date_id, Duty.status).where(Duty.case_id == case_id)
        )
    }
    new, moved, changed = [], [], []
    for item in computed:
        duty_id = identifiers.duty_id(case_id, item.agreement_id, item.duty.clause)
        row = {
            "id": duty_id,
            "status": item.status,
            "due_date_id": item.due_date_id,
            "due_at": item.duty.due_at if item.status is DutyStatus.RUNNING else None,
        }
        if duty_id not in kept:
            new.append(row | _fixed_columns(case_id, item))
        elif kept[duty_id][1] in OPEN_STATUSES and kept[duty_id] != (item.due_date_id, item.status):
            moved.append(row)
        else:
            continue
        changed.append(item)
    if new:
        session.execute(insert(Duty), new)
    if moved:
        session.execute(update(Duty), moved)
    return changed


def _fixed_columns(case_id: UUID, item: ComputedDuty) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "agreement_id": item.agreement_id,
        "clause": item.duty.clause,
        "owed_by": Party(item.duty.owed_by),
        "owed_to": Party(item.duty.owed_to),
        "lacking": [],
        "lacking_count": 0,
    }


def vocabulary(session: Session, case_id: UUID, terms: Mapping[str, EffectiveTerms]) -> Vocabulary:
    clauses = set(session.exec(select(Duty.clause).where(Duty.case_id == case_id).distinct()))
    found = [clause for effective in terms.values() for clause in effective.clauses.values()]
    dates = (anchor for effective in terms.values() for anchor in effective.events.get(EVENT, ()))
    return Vocabulary(
        anchors=tuple(anchor for anchor in dict.fromkeys(dates) if anchor != HOLD_LIFTED),
        elements=tuple(
            sorted(
                {
                    element.id
                    for clause in found
                    if clause.id in clauses
                    for element in clause.contents
                    if element.is_found_out
                }
            )
        ),
        clauses=tuple(sorted(clauses)),
        grounds=tuple(sorted({ground for clause in found if clause.event == EVENT for ground in clause.grounds})),
    )


def dated_elements(session: Session, case_id: UUID, terms: Mapping[str, EffectiveTerms]) -> set[str]:
    """The content elements that are a date, as far as the case's dates are known."""
    known = {f"anchor:{name}" for name in clock_anchors(current_anchors(session, case_id))}
    clauses = (clause for effective in terms.values() for clause in effective.clauses.values())
    return {element.id for clause in clauses for element in clause.notice_contents if element.source in known}


def _leave_evidence(session: Session, case_id: UUID, changed: list[ComputedDuty], now: datetime) -> None:
    cohorts: dict[str, list[ComputedDuty]] = defaultdict(list)
    for item in changed:
        cohorts[item.due_date_id].append(item)
    append(
        session,
        *(
            DutyComputed(
                case_id=case_id,
                actor=ENGINE,
                at=now,
                due_date_id=due_date_id,
                due_date=items[0].body,
                status=items[0].status,
                agreements=tuple(item.agreement_id for item in items),
            )
            for due_date_id, items in cohorts.items()
        ),
    )
