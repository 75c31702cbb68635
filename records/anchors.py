"""The dated facts of a case in SQL, and the law-enforcement holds that suspend its clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update

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
        found.setdefault(row.agreement_id, {})[row.name] = anchor_of(row)
    return found


def anchor_of(row: CaseAnchor) -> AnchorValue:
    """The dated fact of a row."""
    return AnchorValue(name=row.name, instant=row.instant, first_day=row.first_day, last_day=row.last_day)


def keep_anchor(
    session: Session,
    case_id: UUID,
    anchor: AnchorValue,
    *,
    row_id: UUID,
    by: str,
    at: datetime,
    agreement_id: UUID | None = None,
    reason_sha256: str | None = None,
) -> list[AnchorValue]:
    """Give a case, or one agreement in it, a dated fact; return the one before it, which is kept."""
    same = (
        col(CaseAnchor.case_id) == case_id,
        col(CaseAnchor.name) == anchor.name,
        col(CaseAnchor.agreement_id) == agreement_id if agreement_id else col(CaseAnchor.agreement_id).is_(None),
        col(CaseAnchor.superseded_at).is_(None),
    )
    before = [anchor_of(row) for row in session.exec(select(CaseAnchor).where(*same))]
    session.execute(update(CaseAnchor).where(*same).values(superseded_at=at))
    session.add(
        CaseAnchor(
            id=row_id,
            case_id=case_id,
            agreement_id=agreement_id,
            **anchor.model_dump(),
            recorded_at=at,
            recorded_by=by,
            reason_sha256=reason_sha256,
        )
    )
    return before


@dataclass(frozen=True)
class HoldTime:
    """From when to when a law-enforcement hold counts, where that is known by now, and when it was recorded."""

    begins_at: datetime
    ends_at: datetime | None
    recorded_at: datetime

    def lasts(self, now: datetime) -> bool:
        """Whether it keeps back what it may."""
        return self.ends_at is None or self.ends_at > now


def hold_times(session: Session, case_id: UUID) -> dict[UUID | None, tuple[HoldTime, ...]]:
    """The holds of a case by agreement, those of the whole case under None."""
    found: dict[UUID | None, tuple[HoldTime, ...]] = {}
    for hold in session.exec(select(LawEnforcementHold).where(LawEnforcementHold.case_id == case_id)):
        ends = min(filter(None, (hold.lifted_at, hold.until)), default=None)
        found[hold.agreement_id] = (
            *found.get(hold.agreement_id, ()),
            HoldTime(hold.begins_at, ends, hold.placed_at),
        )
    return found
