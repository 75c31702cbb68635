"""The dated facts of a case in SQL, and the law-enforcement holds that suspend its clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from cases.values import AnchorValue
from models.tables import CaseAnchor, LawEnforcementHold


def current_anchors(session: Session, case_id: UUID) -> dict[str, AnchorValue]:
    """The dated facts of a case that nothing has superseded, leaving out those of single agreements."""
    return anchors_by_agreement(session, case_id)[None]


def anchors_by_agreement(session: Session, case_id: UUID) -> dict[UUID | None, dict[str, AnchorValue]]:
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
    for hold in session.exec(select(LawEnforcementHold).where(LawEnforcementHold.case_id == case_id)):
        before = found.get(hold.agreement_id, Suspension())
        ends = min(filter(None, (hold.lifted_at, hold.until)), default=None)
        lasts = ends is None or ends > now
        ended = None if lasts else ends
        found[hold.agreement_id] = Suspension(
            before.lasts or lasts, max(filter(None, (before.ended_at, ended)), default=None)
        )
    return found
