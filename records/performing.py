"""Duties that one notice performs together: its own, and what falls together with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session, col, select

from agreements.due_dates import StoredDueDate, read_due_dates
from ledger.actors import ENGINE
from ledger.entries import Attempt, FurtherDutyPerformed
from models.enums import SEEN, DutyStatus, NoticeKind, PerformedBy, Verdict
from models.tables import Duty, Notice
from records.duties import DutyAtHand, perform

_D = TypeVar("_D", bound=DutyAtHand)


def performed_duties(notice: Notice) -> tuple[UUID, ...]:
    """The duties that a notice performs, its own first."""
    return notice.duty_id, *map(UUID, notice.also_performs)


def perform_further(
    session: Session, notice: Notice, at: datetime, *, verdicts: tuple[Verdict, Verdict] = SEEN
) -> list[Duty]:
    """Note what a notice just given means for the further duties that it performs, and return them."""
    if not notice.also_performs:
        return []
    duties = session.exec(select(Duty).where(col(Duty.id).in_(performed_duties(notice)[1:]))).all()
    due_dates = read_due_dates(session, {duty.due_date_id for duty in duties})
    return perform_these(duties, due_dates, notice.lacking, at, verdicts=verdicts)


def perform_these(
    duties: Iterable[_D],
    due_dates: Mapping[str, StoredDueDate],
    lacking: Collection[str],
    at: datetime,
    *,
    verdicts: tuple[Verdict, Verdict] = SEEN,
) -> list[_D]:
    """Note what a notice that was given, less what is ``lacking``, means for further duties; return them by clause."""
    found = sorted(duties, key=lambda duty: duty.clause)
    for duty in found:
        asked = set(due_dates[duty.due_date_id].contents)
        duty.lacking = [element for element in lacking if element in asked]
        duty.lacking_count = len(duty.lacking)
        if duty.status is DutyStatus.RUNNING:
            perform(duty, at, verdicts=verdicts)
    return found


def perform_by_notice(
    duty: DutyAtHand,
    kind: NoticeKind,
    lacking: list[str],
    due_date: StoredDueDate,
    at: datetime,
    *,
    verdicts: tuple[Verdict, Verdict] = SEEN,
) -> None:
    """Note what a notice that was given means for its own duty.

    It performs the duty only where the clause says that a notice does, and where nothing that the clause requires at
    once is ``lacking`` in it, unless the clause lets the notice go with what is known.
    """
    if kind is NoticeKind.DISMISSAL:
        return
    duty.lacking, duty.lacking_count = lacking, len(lacking)
    complete = due_date.incomplete == "goes" or not set(due_date.at_once).intersection(lacking)
    if duty.status is DutyStatus.RUNNING and duty.performed_by is PerformedBy.NOTICE and complete:
        perform(duty, at, verdicts=verdicts)


def further_duty_event(duty: DutyAtHand, attempt: Attempt, at: datetime) -> FurtherDutyPerformed:
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
