"""Terms that end by the passing of time, of which people are told at certain numbers of days before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, or_, select, update

from agreements.due_dates import read_due_date
from models.enums import PerformedBy
from models.tables import Agreement, DueDate, UpcomingDuty
from terms.clock import day_of, zone_of


@dataclass(frozen=True)
class EndingTerm:
    """One row of what is coming: the agreement's reference, what ends, on which day, and the step that is told of."""

    id: UUID
    reference: str
    title: str
    day: date
    days: int


def ending_terms(session: Session, reminder_days: Sequence[int], now: datetime) -> tuple[EndingTerm, ...]:
    """What ends within so many days and was not told of at that step, the soonest first.

    Where several steps have passed at once, as after an import, only the last is told of.
    """
    if not reminder_days:
        return ()
    rows = session.exec(
        select(UpcomingDuty, Agreement, DueDate)
        .join(Agreement, col(Agreement.id) == col(UpcomingDuty.agreement_id))
        .join(DueDate, col(DueDate.id) == col(UpcomingDuty.due_date_id))
        .where(
            UpcomingDuty.performed_by == PerformedBy.TIME,
            col(UpcomingDuty.due_at) <= now + timedelta(days=max(reminder_days)),
            or_(
                col(UpcomingDuty.reminded_days).is_(None),
                col(UpcomingDuty.reminded_days) > min(reminder_days),
            ),
        )
        .order_by(col(UpcomingDuty.due_at), col(UpcomingDuty.id))
    )
    found = []
    for row, agreement, due_date in rows:
        step = min(days for days in reminder_days if row.due_at <= now + timedelta(days=days))
        if row.reminded_days is None or row.reminded_days > step:
            day = day_of(row.due_at, zone_of(agreement.time_zone))
            found.append(EndingTerm(row.id, agreement.reference, read_due_date(due_date).title, day, step))
    return tuple(found)


def note_reminded(session: Session, told: Sequence[EndingTerm]) -> None:
    """Note at which step people were told of each."""
    session.execute(update(UpcomingDuty), [{"id": one.id, "reminded_days": one.days} for one in told])
