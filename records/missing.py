"""What clauses require at once and people have not given yet: told in time, before what waits for it is overdue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select, update

from agreements.due_dates import read_due_date
from models.tables import WAITS_FOR_PEOPLE, Case, DueDate, Duty


@dataclass(frozen=True)
class Missing:
    """Duties under one clause, due at one instant, that cannot be performed yet, since something is missing.

    ``step`` says how many parts of their time are over of which people are told, ``last`` whether it was the last one.
    What the cases of hundreds of agreements wait for alike is told once.
    """

    cases: tuple[UUID, ...]
    clause: str
    due_at: datetime
    step: int
    last: bool
    duties: tuple[UUID, ...]


def missing_untold(session: Session, fractions: Sequence[float], now: datetime, limit: int) -> list[Missing]:
    """What is missing and was not told of since a further part of its time is over, the first due before the others.

    What is overdue is raised as such, and not told of here.
    """
    rows = session.exec(
        select(Duty, DueDate)
        .join(DueDate, col(DueDate.id) == col(Duty.due_date_id))
        .join(Case, col(Case.id) == col(Duty.case_id))
        .where(WAITS_FOR_PEOPLE, col(Duty.due_at) > now, col(Duty.needed_told) < len(fractions))
        .where(col(Case.closed_at).is_(None))
        .order_by(col(Duty.due_at), col(Duty.id))
    )
    found: dict[tuple[str, datetime, int], list[Duty]] = defaultdict(list)
    for duty, due_date in rows:
        starts_at, due_at = read_due_date(due_date).starts_at, duty.due_at
        if starts_at is None or due_at is None:
            continue
        step = sum(now >= starts_at + (due_at - starts_at) * fraction for fraction in fractions)
        if step > duty.needed_told:
            found[duty.clause, due_at, step].append(duty)
    return [
        Missing(
            cases=tuple(sorted({duty.case_id for duty in duties})),
            clause=clause,
            due_at=due_at,
            step=step,
            last=step == len(fractions),
            duties=tuple(duty.id for duty in duties),
        )
        for (clause, due_at, step), duties in found.items()
    ][:limit]


def note_missing_told(session: Session, missing: Missing) -> None:
    """Note that people were told of something at this step."""
    session.execute(update(Duty), [{"id": duty, "needed_told": missing.step} for duty in missing.duties])
