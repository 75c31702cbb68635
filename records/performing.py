"""Duties that one notice performs together: its own, and what falls together with it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from agreements.due_dates import read_due_dates
from ledger.actors import ENGINE
from ledger.entries import Attempt, FurtherDutyPerformed
from models.enums import DutyStatus, NoticeKind
from models.tables import Duty, Notice
from records.duties import perform


def performed_duties(notice: Notice) -> tuple[UUID, ...]:
    """The duties that a notice performs, its own first."""
    return notice.duty_id, *map(UUID, notice.also_performs)


def perform_further(session: Session, notice: Notice, at: datetime, *, by_post: bool = False) -> list[Duty]:
    """Note what a notice just given means for the further duties that it performs, and return them."""
    if not notice.also_performs:
        return []
    duties = session.exec(select(Duty).where(col(Duty.id).in_(performed_duties(notice)[1:]))).all()
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties})
    for duty in duties:
        asked = set(due_dates[duty.due_date_id].contents)
        duty.lacking = [element for element in notice.lacking if element in asked]
        duty.lacking_count = len(duty.lacking)
        if duty.status is DutyStatus.RUNNING:
            perform(duty, at, by_post=by_post)
    return sorted(duties, key=lambda duty: duty.clause)


def further_duty_event(duty: Duty, attempt: Attempt, at: datetime) -> FurtherDutyPerformed:
    """The evidence that the message of an attempt says what a further duty asks for."""
    return FurtherDutyPerformed(
        case_id=duty.case_id,
        actor=ENGINE,
        at=at,
        attempt=attempt,
        duty=duty.id,
        clause=duty.clause,
        due_at=duty.due_at,
        verdict=duty.verdict,
        lacking=tuple(duty.lacking),
    )


def lacking_without(session: Session, notice: Notice, duty: Duty) -> list[str]:
    """What a duty's party still is to be told, by the last notice that was given besides one that was not."""
    others = session.exec(
        select(Notice)
        .where(Notice.case_id == notice.case_id, Notice.id != notice.id, col(Notice.kind) != NoticeKind.DISMISSAL)
        .where(col(Notice.given_at).is_not(None), col(Notice.dropped).is_(False))
        .order_by(col(Notice.given_at).desc())
    )
    last = next((other for other in others if duty.id in performed_duties(other)), None)
    return list(last.lacking) if last and duty.status is DutyStatus.PERFORMED else []
