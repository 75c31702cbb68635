"""Duties that an act performs: somebody did what the clause asks for, and records it with the proof."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select

from ledger.entries import JsonObject
from models.enums import DutyStatus, PerformedBy
from models.errors import Refused
from models.phrases import instant_words
from models.tables import Duty
from records.acts import Recording
from records.duties import check_begun, perform


def running_acts(recording: Recording, clause: str | None = None) -> list[Duty]:
    """The duties of a case that an act performs and whose time runs, of a clause or of all."""
    of_clause = (Duty.clause == clause,) if clause else ()
    return list(
        recording.session.exec(
            select(Duty)
            .where(Duty.case_id == recording.case.id, Duty.performed_by == PerformedBy.ACT, *of_clause)
            .where(col(Duty.status).in_((DutyStatus.RUNNING, DutyStatus.SUSPENDED)))
            .order_by(col(Duty.id))
        )
    )


def perform_by_act(recording: Recording, duties: Sequence[Duty], done_at: datetime, *, where: str) -> JsonObject:
    """Record duties as performed when it was done; nobody alone says of one that was overdue that it had been in time.

    Raises:
        Refused: one of them was due meanwhile.
        InvalidInput: it is said to be done before the clock of one of them began.
    """
    check_begun(recording.session, duties, done_at, where=where)
    for duty in duties:
        if duty.due_at and done_at <= duty.due_at < recording.at:
            raise Refused(
                f"This was due by {instant_words(duty.due_at)}, and is recorded only now: that it was in time is not "
                "said by one person alone.",
                next_step="Record it as done by other means, with the proof; a second person approves it.",
            )
        perform(duty, done_at)
        recording.session.add(duty)
    return {"performed": [f"{duty.id} {duty.verdict}" for duty in duties], "performed_at": done_at.isoformat()}
